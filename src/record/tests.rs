//! Compares a warm key cache with no cache and with independent readers.
//!
//! The inputs are sequences of different records.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value as Json;

use super::*;

/// Uses the key itself as its meaning, so that no difference is hidden.
struct IdentityKeys;

/// A key's first bytes and its length. A meaning has to be `Copy`.
type KeyPrefix = ([u8; 32], usize);

impl KeySet for IdentityKeys {
    type Meaning = KeyPrefix;

    fn meaning(&self, key: &[u8]) -> KeyPrefix {
        let mut bytes = [0; 32];
        let length = key.len().min(32);
        bytes[..length].copy_from_slice(&key[..length]);
        (bytes, key.len())
    }
}

/// Collects the members of a record.
#[derive(Default)]
struct CollectedMembers(Vec<(KeyPrefix, String)>);

impl<'a> MemberVisitor<'a, KeyPrefix> for CollectedMembers {
    fn text(&mut self, meaning: KeyPrefix, text: &'a [u8]) {
        self.value(meaning, Value::Str(Str::Plain(text)));
    }

    fn value(&mut self, meaning: KeyPrefix, value: Value<'a>) {
        let value = match value {
            // Both encodings have the same string, in different spellings.
            Value::Str(text) => format!("string {:?}", text.decode(&mut String::new())),
            value => format!("{value:?}"),
        };
        self.0.push((meaning, value));
    }
}

/// The members, body and properties of a scan, or its error.
type ScanResult<'a> = Result<(Vec<(KeyPrefix, String)>, &'a [u8], Quality), SyntaxError>;

fn scan<'a>(record: Record<'a>, cache: &mut KeyCache<IdentityKeys>) -> ScanResult<'a> {
    let mut members = CollectedMembers::default();
    let scan = record.members(cache, &mut members)?;
    Ok((members.0, scan.body.bytes(), scan.quality()))
}

/// Keys that can be confused in a cache.
///
/// They share prefixes, have block lengths, escape sequences, or characters of several bytes.
fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(&["etype", "eid", "time", "a", "ab", "short-doc", "short_doc", "context", "log", ""][..])
            .prop_map(str::to_owned),
        2 => select(&[11_usize, 12, 13, 14, 15, 16, 28, 29, 30, 31, 32, 33, 44, 45, 46, 47, 48, 49, 60][..])
            .prop_map(|length| "k".repeat(length)),
        1 => select(&["\"", "\\", "etype\":\"x\",\"time", "\u{e9}", "a\nb", "eid\u{0}"][..]).prop_map(str::to_owned),
    ]
}

fn any_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (0_u64..3_000_000_000_000).prop_map(Json::from),
        select(&["", "principal", "admin", "\"", "{\"a\":1}", "\u{e9}\u{1f600}", "x\u{1}"][..])
            .prop_map(Json::from),
        "[a-z]{0,40}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            prop::collection::btree_map(any_key(), inner, 0..4)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

/// Spells a key unchanged, with an escape sequence, or with white space around it.
fn spelled(key: &str, spelling: u8) -> String {
    let quoted = Json::from(key).to_string();
    match (spelling, quoted.chars().nth(1)) {
        (0, Some(first)) if first.is_ascii_alphabetic() => {
            format!("\"\\u{:04x}{}:", u32::from(first), &quoted[2..])
        }
        (1, _) => format!("{quoted} : "),
        (2, _) => format!(" {quoted}:"),
        _ => format!("{quoted}:"),
    }
}

type TestMember = (String, u8, Json);

/// A record's members, and a byte that replaces another in its encoding.
type MutatedRecord = (Vec<TestMember>, Option<(Index, u8)>);

/// Encodes a record as JSON text, in order, including duplicate keys.
fn text(members: &[TestMember]) -> Vec<u8> {
    let members: Vec<String> =
        members.iter().map(|(key, spelling, value)| format!("{}{value}", spelled(key, *spelling))).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// Encodes a record as `MessagePack`, with some keys in a longer form.
fn packed(members: &[TestMember]) -> Vec<u8> {
    let mut bytes = vec![0xde, 0, u8::try_from(members.len()).unwrap()];
    for (key, spelling, value) in members {
        match spelling {
            0 => {
                bytes.extend([0xd9, u8::try_from(key.len()).unwrap()]);
                bytes.extend(key.as_bytes());
            }
            _ => rmpv::encode::write_value(&mut bytes, &key.as_str().into()).unwrap(),
        }
        rmpv::encode::write_value(&mut bytes, &rmpv::ext::to_value(value).unwrap()).unwrap();
    }
    bytes
}

/// Replaces a byte in some of the records.
fn mutate(mut bytes: Vec<u8>, mutation: Option<(Index, u8)>) -> Vec<u8> {
    if let Some((at, byte)) = mutation {
        let at = at.index(bytes.len());
        bytes[at] = byte;
    }
    bytes
}

fn any_sequence() -> impl Strategy<Value = Vec<MutatedRecord>> {
    let member = (any_key(), 0_u8..10, any_value());
    let record =
        (prop::collection::vec(member, 0..10), prop::option::weighted(0.3, (any::<Index>(), any::<u8>())));
    prop::collection::vec(record, 1..12)
}

/// Reads the top-level members with `serde_json`; `None` if it rejects the text.
fn independent(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    struct TopLevelMembers(Vec<(String, String)>);
    impl<'de> serde::Deserialize<'de> for TopLevelMembers {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct TopLevelVisitor;
            impl<'de> serde::de::Visitor<'de> for TopLevelVisitor {
                type Value = TopLevelMembers;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> Result<TopLevelMembers, A::Error> {
                    let mut members = Vec::new();
                    while let Some((key, value)) = map.next_entry::<String, Json>()? {
                        members.push((key, value.to_string()));
                    }
                    Ok(TopLevelMembers(members))
                }
            }
            deserializer.deserialize_map(TopLevelVisitor)
        }
    }
    serde_json::from_slice::<TopLevelMembers>(bytes).ok().map(|members| members.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_warm_cache_changes_nothing_in_json(sequence in any_sequence()) {
        let mut warm = KeyCache::new(IdentityKeys);
        let records: Vec<Vec<u8>> = sequence.into_iter().map(|(members, mutation)| mutate(text(&members), mutation)).collect();
        // Each record is read in both orders, so that the others have changed the cache.
        for bytes in records.iter().chain(records.iter().rev()) {
            let record = Record::json(bytes);
            let scanned = scan(record, &mut warm);
            prop_assert_eq!(&scanned, &scan(record, &mut KeyCache::disabled(IdentityKeys)), "{}", String::from_utf8_lossy(bytes));
            if let Some(members) = independent(bytes) {
                let seen = scanned.expect("an independent reader takes it").0;
                let wanted: Vec<KeyPrefix> = members.iter().map(|(key, _)| IdentityKeys.meaning(key.as_bytes())).collect();
                prop_assert_eq!(seen.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), wanted);
            }
        }
    }

    #[test]
    fn a_warm_cache_changes_nothing_in_messagepack(sequence in any_sequence()) {
        let mut warm = KeyCache::new(IdentityKeys);
        let records: Vec<Vec<u8>> = sequence.into_iter().map(|(members, mutation)| mutate(packed(&members), mutation)).collect();
        for bytes in records.iter().chain(records.iter().rev()) {
            let record = Record::msgpack(bytes);
            let scanned = scan(record, &mut warm);
            prop_assert_eq!(&scanned, &scan(record, &mut KeyCache::disabled(IdentityKeys)), "{:?}", bytes);
            let other = rmpv::decode::read_value(&mut &bytes[..]);
            if let (Ok(rmpv::Value::Map(members)), Ok((seen, ..))) = (&other, &scanned) {
                let wanted: Vec<KeyPrefix> = members.iter().map(|(key, _)| match key {
                    rmpv::Value::String(key) => IdentityKeys.meaning(key.as_bytes()),
                    rmpv::Value::Binary(key) => IdentityKeys.meaning(key),
                    _ => IdentityKeys.meaning(b""),
                }).collect();
                let seen: Vec<KeyPrefix> = seen.iter().map(|(key, _)| *key).collect();
                // A key that is not a string has no name.
                let is_text = |key: &rmpv::Value| matches!(key, rmpv::Value::String(_) | rmpv::Value::Binary(_));
                prop_assert_eq!(seen.len(), wanted.len());
                for ((seen, wanted), (key, _)) in seen.iter().zip(&wanted).zip(members) {
                    prop_assert!(!is_text(key) || seen == wanted);
                }
            }
        }
    }

    #[test]
    fn keys_of_one_encoding_are_not_reused_for_the_other(sequence in any_sequence()) {
        let mut warm = KeyCache::new(IdentityKeys);
        for (members, _) in sequence {
            let (text, packed) = (text(&members), packed(&members));
            // Two records that look like the other encoding. `numbers` spells the bytes of the text after its brace as
            // number keys and values; `keys` is text that begins as the `MessagePack` record does after its head.
            let numbers: Vec<u8> = text.iter().skip(1).map(|byte| byte & 0x7f).collect();
            let numbers = numbers.get(..numbers.len() / 2 * 2).unwrap_or_default();
            let length = u16::try_from(numbers.len() / 2).unwrap();
            let numbers = [&[0xde][..], &length.to_be_bytes(), numbers].concat();
            let keys = [b"{", packed.get(3..).unwrap_or_default()].concat();
            for _ in 0..2 {
                for record in [Record::json(&text), Record::msgpack(&packed), Record::msgpack(&numbers), Record::json(&keys)] {
                    let cold = scan(record, &mut KeyCache::disabled(IdentityKeys));
                    prop_assert_eq!(scan(record, &mut warm), cold, "{:?}", record);
                }
            }
        }
    }

    #[test]
    fn both_encodings_of_a_record_have_the_same_members(sequence in any_sequence()) {
        let (mut json, mut msgpack) = (KeyCache::new(IdentityKeys), KeyCache::new(IdentityKeys));
        for (members, _) in sequence {
            let (text, packed) = (text(&members), packed(&members));
            let one = scan(Record::json(&text), &mut json).expect("JSON");
            let other = scan(Record::msgpack(&packed), &mut msgpack).expect("MessagePack");
            let keys = |members: &[(KeyPrefix, String)]| members.iter().map(|(key, _)| *key).collect::<Vec<_>>();
            prop_assert_eq!(keys(&one.0), keys(&other.0));
            prop_assert_eq!(one.2.has(Quality::DUPLICATE_KEY), other.2.has(Quality::DUPLICATE_KEY));
            let strings = |members: &[(KeyPrefix, String)]| {
                members.iter().map(|(_, value)| value.clone()).filter(|value| value.starts_with("string")).collect::<Vec<_>>()
            };
            prop_assert_eq!(strings(&one.0), strings(&other.0));
        }
    }

    #[test]
    fn a_member_is_the_first_with_its_key(sequence in any_sequence()) {
        for (members, _) in sequence {
            let (text, packed) = (text(&members), packed(&members));
            for record in [Record::json(&text), Record::msgpack(&packed)] {
                let mut all = Vec::new();
                record.each_member(&mut |key, value| {
                    all.push((key.decode(&mut String::new()).to_owned(), format!("{value:?}")));
                }).expect("a record");
                for (key, _) in &all {
                    let first = all.iter().find(|(other, _)| other == key).map(|(_, value)| value);
                    prop_assert_eq!(Some(&format!("{:?}", record.member(key))), first);
                }
                prop_assert!(matches!(record.member("no such key"), Value::Absent));
            }
        }
    }
}

#[test]
fn a_record_is_read_up_to_the_wanted_member() {
    for (text, found) in
        [(r#"{"a":[{}],"b":1,"c":{"d":[}"#, true), (r#"{"a":[{],"b":1}"#, false), ("[1]", false)]
    {
        assert_eq!(matches!(Record::json(text).member("b"), Value::Number(_)), found, "{text}");
    }
    // A map of three members, of which the last is missing.
    let bytes = [0x83, 0xa1, b'a', 0x91, 0xc0, 0xa1, b'b', 0x01];
    assert!(matches!(Record::msgpack(&bytes).member("b"), Value::Number(_)));
    assert!(matches!(Record::msgpack(&bytes).member("c"), Value::Absent));
}
