//! The cache of keys against no cache and against independent readers, over sequences of different records.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value as Json;

use super::*;

/// The meaning of a key is the key itself, so that nothing is hidden.
struct Itself;

/// A key's first bytes and its length: a meaning has to be `Copy`.
type Meaning = ([u8; 32], usize);

impl Keys for Itself {
    type Meaning = Meaning;

    fn meaning(&self, key: &[u8]) -> Meaning {
        let mut bytes = [0; 32];
        let length = key.len().min(32);
        bytes[..length].copy_from_slice(&key[..length]);
        (bytes, key.len())
    }
}

/// Collects members.
#[derive(Default)]
struct Collected(Vec<(Meaning, String)>);

impl<'a> Take<'a, Meaning> for Collected {
    fn text(&mut self, meaning: Meaning, text: &'a [u8]) {
        self.value(meaning, Value::Str(Str::Plain(text)));
    }

    fn value(&mut self, meaning: Meaning, value: Value<'a>) {
        let value = match value {
            // As both encodings give it.
            Value::Str(text) => format!("string {:?}", text.decode(&mut String::new())),
            value => format!("{value:?}"),
        };
        self.0.push((meaning, value));
    }
}

/// What a scan returns: members, the body, and the properties; or the error.
type Scanned<'a> = Result<(Vec<(Meaning, String)>, &'a [u8], Quality), SyntaxError>;

fn scan<'a>(record: Record<'a>, cache: &mut KeyCache<Itself>) -> Scanned<'a> {
    let mut members = Collected::default();
    let scan = record.members(cache, &mut members)?;
    Ok((members.0, scan.body.bytes(), scan.quality()))
}

/// Keys that meet each other in a cache: shared beginnings, block lengths, escape sequences, characters of several bytes.
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

/// One spelling of a key: as it is, with an escape sequence, or with white space after it.
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

type Member = (String, u8, Json);

/// A record's members, and the byte that replaces another in its encoding.
type Mutated = (Vec<Member>, Option<(Index, u8)>);

/// A record as text, its members in order, equal keys included.
fn text(members: &[Member]) -> Vec<u8> {
    let members: Vec<String> =
        members.iter().map(|(key, spelling, value)| format!("{}{value}", spelled(key, *spelling))).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// The same in `MessagePack`; some keys in a longer form than they need.
fn packed(members: &[Member]) -> Vec<u8> {
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

/// A byte that replaces another, in some of the records.
fn mutate(mut bytes: Vec<u8>, mutation: Option<(Index, u8)>) -> Vec<u8> {
    if let Some((at, byte)) = mutation {
        let at = at.index(bytes.len());
        bytes[at] = byte;
    }
    bytes
}

fn any_sequence() -> impl Strategy<Value = Vec<Mutated>> {
    let member = (any_key(), 0_u8..10, any_value());
    let record =
        (prop::collection::vec(member, 0..10), prop::option::weighted(0.3, (any::<Index>(), any::<u8>())));
    prop::collection::vec(record, 1..12)
}

/// What an independent reader makes of the top level, the first of equal keys only; `None` if it refuses the text.
fn independent(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    struct Members(Vec<(String, String)>);
    impl<'de> serde::Deserialize<'de> for Members {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Members;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let mut members = Vec::new();
                    while let Some((key, value)) = map.next_entry::<String, Json>()? {
                        members.push((key, value.to_string()));
                    }
                    Ok(Members(members))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    serde_json::from_slice::<Members>(bytes).ok().map(|members| members.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_warm_cache_changes_nothing_in_json(sequence in any_sequence()) {
        let mut warm = KeyCache::new(Itself);
        let records: Vec<Vec<u8>> = sequence.into_iter().map(|(members, mutation)| mutate(text(&members), mutation)).collect();
        // Each record in every state that the others leave the cache in.
        for bytes in records.iter().chain(records.iter().rev()) {
            let record = Record::json(bytes);
            let scanned = scan(record, &mut warm);
            prop_assert_eq!(&scanned, &scan(record, &mut KeyCache::disabled(Itself)), "{}", String::from_utf8_lossy(bytes));
            if let Some(members) = independent(bytes) {
                let seen = scanned.expect("an independent reader takes it").0;
                let wanted: Vec<Meaning> = members.iter().map(|(key, _)| Itself.meaning(key.as_bytes())).collect();
                prop_assert_eq!(seen.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), wanted);
            }
        }
    }

    #[test]
    fn a_warm_cache_changes_nothing_in_messagepack(sequence in any_sequence()) {
        let mut warm = KeyCache::new(Itself);
        let records: Vec<Vec<u8>> = sequence.into_iter().map(|(members, mutation)| mutate(packed(&members), mutation)).collect();
        for bytes in records.iter().chain(records.iter().rev()) {
            let record = Record::msgpack(bytes);
            let scanned = scan(record, &mut warm);
            prop_assert_eq!(&scanned, &scan(record, &mut KeyCache::disabled(Itself)), "{:?}", bytes);
            let other = rmpv::decode::read_value(&mut &bytes[..]);
            if let (Ok(rmpv::Value::Map(members)), Ok((seen, ..))) = (&other, &scanned) {
                let wanted: Vec<Meaning> = members.iter().map(|(key, _)| match key {
                    rmpv::Value::String(key) => Itself.meaning(key.as_bytes()),
                    rmpv::Value::Binary(key) => Itself.meaning(key),
                    _ => Itself.meaning(b""),
                }).collect();
                let seen: Vec<Meaning> = seen.iter().map(|(key, _)| *key).collect();
                // A key that is no string names nothing.
                let is_text = |key: &rmpv::Value| matches!(key, rmpv::Value::String(_) | rmpv::Value::Binary(_));
                prop_assert_eq!(seen.len(), wanted.len());
                for ((seen, wanted), (key, _)) in seen.iter().zip(&wanted).zip(members) {
                    prop_assert!(!is_text(key) || seen == wanted);
                }
            }
        }
    }

    #[test]
    fn a_key_of_one_encoding_is_none_in_the_other(sequence in any_sequence()) {
        let mut warm = KeyCache::new(Itself);
        for (members, _) in sequence {
            let (text, packed) = (text(&members), packed(&members));
            // Keys and values that are one number each, spelled by the text behind its brace; a text that begins as the
            // other record does behind its head.
            let numbers: Vec<u8> = text.iter().skip(1).map(|byte| byte & 0x7f).collect();
            let numbers = numbers.get(..numbers.len() / 2 * 2).unwrap_or_default();
            let length = u16::try_from(numbers.len() / 2).unwrap();
            let numbers = [&[0xde][..], &length.to_be_bytes(), numbers].concat();
            let keys = [b"{", packed.get(3..).unwrap_or_default()].concat();
            for _ in 0..2 {
                for record in [Record::json(&text), Record::msgpack(&packed), Record::msgpack(&numbers), Record::json(&keys)] {
                    let cold = scan(record, &mut KeyCache::disabled(Itself));
                    prop_assert_eq!(scan(record, &mut warm), cold, "{:?}", record);
                }
            }
        }
    }

    #[test]
    fn both_encodings_of_a_record_are_read_alike(sequence in any_sequence()) {
        let (mut json, mut msgpack) = (KeyCache::new(Itself), KeyCache::new(Itself));
        for (members, _) in sequence {
            let (text, packed) = (text(&members), packed(&members));
            let one = scan(Record::json(&text), &mut json).expect("JSON");
            let other = scan(Record::msgpack(&packed), &mut msgpack).expect("MessagePack");
            let keys = |members: &[(Meaning, String)]| members.iter().map(|(key, _)| *key).collect::<Vec<_>>();
            prop_assert_eq!(keys(&one.0), keys(&other.0));
            prop_assert_eq!(one.2.has(Quality::DUPLICATE_KEY), other.2.has(Quality::DUPLICATE_KEY));
            let strings = |members: &[(Meaning, String)]| {
                members.iter().map(|(_, value)| value.clone()).filter(|value| value.starts_with("string")).collect::<Vec<_>>()
            };
            prop_assert_eq!(strings(&one.0), strings(&other.0));
        }
    }
}
