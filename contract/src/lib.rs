//! The contract of Coralogix's endpoints: as schemas and further checks of REST, and [`otlp`].
//!
//! A rejection may be reported with status 200, or cost a whole chunk of entries. So the check is stricter than the
//! endpoint where that costs a correct entry nothing. Sources of the numbers: Coralogix's REST pages, and IBM Cloud
//! Logs where those give none. Decision: a separate crate, so that the suite that judges entries and the endpoint that
//! receives them apply the same rules without a dependency on each other.

#![forbid(unsafe_code)]

pub mod otlp;

use std::fmt;
use std::sync::LazyLock;

use jsonschema::Validator;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The largest request before compression, in bytes.
/// The documented 2 MB are read as the smaller of the two possible values.
pub const MAX_REQUEST_BYTES: usize = 2_000_000;
/// The largest entry that every account accepts, in bytes.
pub const MAX_ENTRY_BYTES: usize = 32_000;
/// The maximum age of an entry, in milliseconds: 24 hours.
pub const MAX_AGE_MS: i64 = 24 * 3_600_000;
/// The maximum time of an entry ahead of now, in milliseconds: 4 hours.
pub const MAX_AHEAD_MS: i64 = 4 * 3_600_000;

/// The limits that are checked in addition to the schema.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The time at which the entry is sent, in epoch milliseconds.
    pub now_ms: i64,
    /// The largest entry as JSON, in bytes.
    /// It is [`MAX_ENTRY_BYTES`] unless an account has another limit.
    pub max_entry_bytes: usize,
}

impl Limits {
    /// Returns the limits of every account.
    pub fn at(now_ms: i64) -> Self {
        Self { now_ms, max_entry_bytes: MAX_ENTRY_BYTES }
    }
}

/// A part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clause {
    /// The maximum size.
    Size,
    /// The encoding: JSON in UTF-8, without duplicate keys; of OTLP, values of the types that protobuf's JSON form has.
    Json,
    /// The members and their types.
    Schema,
    /// The maximum age.
    TooOld,
    /// The maximum time ahead of now.
    TooFarAhead,
}

impl Clause {
    /// Every clause.
    pub const ALL: [Self; 5] = [Self::Size, Self::Json, Self::Schema, Self::TooOld, Self::TooFarAhead];

    /// Returns the name of the clause in counters.
    pub fn label(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Json => "json",
            Self::Schema => "schema",
            Self::TooOld => "too-old",
            Self::TooFarAhead => "too-far-ahead",
        }
    }
}

/// A violation of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The index of the entry in an envelope or of the log record in an OTLP request; `None`: the single entry, the
    /// envelope or the request itself.
    pub entry: Option<usize>,
    /// The violated part of the contract.
    pub clause: Clause,
    message: String,
}

impl Violation {
    fn new(clause: Clause, message: impl Into<String>) -> Self {
        Self { entry: None, clause, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Checks one line of `/logs/v1/singles`.
pub fn check_entry(line: &[u8], limits: &Limits) -> Vec<Violation> {
    let mut found = Vec::new();
    if line.len() > limits.max_entry_bytes {
        found.push(Violation::new(
            Clause::Size,
            format!("the entry has {} bytes, {} are allowed", line.len(), limits.max_entry_bytes),
        ));
    }
    if let Some(entry) = parse_line(line, &mut found) {
        check_schema(&ENTRY, &entry, &mut found);
        check_values(&entry, "", limits, &mut found);
    }
    found
}

/// Checks one request body of `/logs/v1/bulk`.
pub fn check_envelope(line: &[u8], limits: &Limits) -> Vec<Violation> {
    let mut found = Vec::new();
    if line.len() >= MAX_REQUEST_BYTES {
        found.push(Violation::new(
            Clause::Size,
            format!("the envelope has {} bytes, below {MAX_REQUEST_BYTES} are allowed", line.len()),
        ));
    }
    let Some(envelope) = parse_line(line, &mut found) else { return found };
    check_schema(&ENVELOPE, &envelope, &mut found);
    for (index, entry) in envelope["logEntries"].as_array().into_iter().flatten().enumerate() {
        let from = found.len();
        let size = entry.to_string().len();
        if size > limits.max_entry_bytes {
            found.push(Violation::new(
                Clause::Size,
                format!("logEntries.{index}: has {size} bytes, {} are allowed", limits.max_entry_bytes),
            ));
        }
        check_values(entry, &format!("logEntries.{index}: "), limits, &mut found);
        found.iter_mut().skip(from).for_each(|violation| violation.entry = Some(index));
    }
    found
}

/// Parses JSON as the strictest reader would.
/// It accepts valid UTF-8 and one value, and rejects duplicate keys, unpaired surrogates and numbers outside the range
/// of a double.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8: {error}"))?;
    serde_json::from_slice::<Strict>(bytes)
        .map(|strict| strict.0)
        .map_err(|error| format!("not strict JSON: {error}"))
}

/// Members that senders use but Coralogix does not publish, and the alternative.
const NOT_MEMBERS: [(&str, &str); 2] = [
    ("json", "send the object as `text`"),
    ("privateKey", "send the key in the header `Authorization: Bearer KEY`"),
];

static ENTRY: LazyLock<Validator> = LazyLock::new(|| schema(include_str!("../schema/entry.schema.json")));
static ENVELOPE: LazyLock<Validator> =
    LazyLock::new(|| schema(include_str!("../schema/envelope.schema.json")));

fn schema(text: &str) -> Validator {
    let schema = serde_json::from_str(text).expect("a schema of this crate is JSON");
    jsonschema::draft202012::new(&schema).expect("a schema of this crate is a schema")
}

fn parse_line(line: &[u8], found: &mut Vec<Violation>) -> Option<Value> {
    if line.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        found.push(Violation::new(Clause::Json, "the entry is more than one line"));
    }
    parse(line).map_err(|message| found.push(Violation::new(Clause::Json, message))).ok()
}

fn check_schema(schema: &Validator, value: &Value, found: &mut Vec<Violation>) {
    found.extend(schema.iter_errors(value).map(|error| {
        let path = error.instance_path().to_string();
        let entry = path.strip_prefix("/logEntries/").and_then(|rest| rest.split('/').next()?.parse().ok());
        // The message contains the value, which may have 30 KB.
        let message: String = error.to_string().chars().take(200).collect();
        Violation {
            entry,
            clause: Clause::Schema,
            message: format!("{}: {message}", if path.is_empty() { "/" } else { &path }),
        }
    }));
}

fn check_values(entry: &Value, path: &str, limits: &Limits, found: &mut Vec<Violation>) {
    // A schema accepts 4.0 as an integer; a parser of integers may not.
    if entry["severity"].is_number() && !entry["severity"].is_u64() {
        found.push(Violation::new(
            Clause::Schema,
            format!("{path}severity is not written as an integer: {}", entry["severity"]),
        ));
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of our time are far below 2^53")]
    let (oldest, newest, milliseconds) =
        ((limits.now_ms - MAX_AGE_MS) as f64, (limits.now_ms + MAX_AHEAD_MS) as f64, |nanoseconds: u64| {
            (nanoseconds / 1_000_000) as f64
        });
    let nanoseconds = entry["hiResTimestamp"].as_str().and_then(|text| text.parse().ok());
    let times =
        [("timestamp", entry["timestamp"].as_f64()), ("hiResTimestamp", nanoseconds.map(milliseconds))];
    for (name, time) in times {
        let Some(time) = time else { continue };
        if time < oldest {
            found.push(Violation::new(
                Clause::TooOld,
                format!("{path}{name} is more than 24 hours old: {}", entry[name]),
            ));
        }
        if time > newest {
            found.push(Violation::new(
                Clause::TooFarAhead,
                format!("{path}{name} is more than 4 hours ahead: {}", entry[name]),
            ));
        }
    }
    for (name, instead) in NOT_MEMBERS {
        if entry.get(name).is_some() {
            found.push(Violation::new(
                Clause::Schema,
                format!("{path}`{name}` is not a member of an entry: {instead}"),
            ));
        }
    }
    // Coralogix parses a string that contains JSON like an object, so the same rules apply to its bytes.
    if let Some(text) = entry["text"].as_str().filter(|text| text.starts_with('{'))
        && let Err(message) = parse(text.as_bytes())
    {
        found.push(Violation::new(Clause::Json, format!("{path}text looks like an object but is {message}")));
    }
}

/// A JSON value without duplicate keys, of which [`Value`] keeps the last.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Strict, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(value)) = from.next_element()? {
            list.push(value);
        }
        Ok(Strict(list.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Strict, A::Error> {
        let mut map = Map::new();
        while let Some((key, Strict(value))) = from.next_entry::<String, Strict>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("duplicate key `{key}` in one object")));
            }
            map.insert(key, value);
        }
        Ok(Strict(map.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_583_078_400_000;

    fn entry() -> Value {
        serde_json::json!({
            "applicationName": "crm", "subsystemName": "kaudit-detections", "computerName": "crm",
            "severity": 5, "timestamp": NOW, "category": "anomaly", "className": "principal",
            "methodName": "change in access tool", "threadId": "johnD", "text": {"eid": "johnD"}
        })
    }

    fn messages(violations: &[Violation]) -> String {
        violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    /// Returns the violations of a good entry with one member replaced.
    fn broken(member: &str, value: Value) -> String {
        let mut entry = entry();
        entry[member] = value;
        messages(&check_entry(entry.to_string().as_bytes(), &Limits::at(NOW)))
    }

    fn envelope(entries: &[Value]) -> Value {
        serde_json::json!({"applicationName": "crm", "subsystemName": "kaudit-detections", "logEntries": entries})
    }

    #[test]
    fn valid_entries_and_envelopes_pass() {
        assert_eq!(messages(&check_entry(entry().to_string().as_bytes(), &Limits::at(NOW))), "");
        let logs = [serde_json::json!({"severity": 1, "timestamp": NOW, "text": "{\"eid\":\"johnD\"}"})];
        assert_eq!(messages(&check_envelope(envelope(&logs).to_string().as_bytes(), &Limits::at(NOW))), "");
    }

    #[test]
    fn every_published_form_of_the_time_passes() {
        let times = [
            serde_json::json!({}),
            serde_json::json!({"timestamp": 1_583_078_399_123.342}),
            serde_json::json!({"hiResTimestamp": "1583078399123456789"}),
            serde_json::json!({"timestamp": NOW, "hiResTimestamp": "1583078399123456789"}),
        ];
        for time in times {
            let log = |mut log: Value| {
                log.as_object_mut().unwrap().remove("timestamp");
                log.as_object_mut().unwrap().extend(time.as_object().unwrap().clone());
                log
            };
            let found = check_entry(log(entry()).to_string().as_bytes(), &Limits::at(NOW));
            assert_eq!(messages(&found), "", "{time}");
            let logs = [log(serde_json::json!({"severity": 1, "text": "a"}))];
            let found = check_envelope(envelope(&logs).to_string().as_bytes(), &Limits::at(NOW));
            assert_eq!(messages(&found), "", "{time}");
        }
    }

    #[test]
    fn each_rule_of_an_entry_can_fail() {
        let table: &[(&str, Value, &str)] = &[
            ("applicationName", "".into(), "/applicationName: "),
            ("applicationName", " \u{a0}".into(), "/applicationName: "),
            ("subsystemName", "x".repeat(257).into(), "/subsystemName: "),
            ("subsystemName", Value::Null, "/subsystemName: "),
            ("computerName", "".into(), "/computerName: "),
            ("severity", 0.into(), "/severity: "),
            ("severity", 7.into(), "/severity: "),
            ("severity", "5".into(), "/severity: "),
            ("severity", 5.5.into(), "/severity: "),
            ("severity", 4.0.into(), "severity is not written as an integer"),
            ("timestamp", "2020-03-01T16:00:00Z".into(), "/timestamp: "),
            ("timestamp", (NOW / 1000).into(), "timestamp is more than 24 hours old"),
            ("timestamp", (NOW - MAX_AGE_MS - 1).into(), "timestamp is more than 24 hours old"),
            ("timestamp", (NOW + MAX_AHEAD_MS + 1).into(), "timestamp is more than 4 hours ahead"),
            ("timestamp", 0.into(), "/timestamp: "),
            ("hiResTimestamp", "1583078400".into(), "/hiResTimestamp: "),
            ("hiResTimestamp", NOW.into(), "/hiResTimestamp: "),
            ("hiResTimestamp", "1582991999999999999".into(), "hiResTimestamp is more than 24 hours old"),
            ("hiResTimestamp", "1583092800002000000".into(), "hiResTimestamp is more than 4 hours ahead"),
            (
                "json",
                serde_json::json!({"a": 1}),
                "`json` is not a member of an entry: send the object as `text`",
            ),
            ("category", "".into(), "/category: "),
            ("className", 4.into(), "/className: "),
            ("methodName", "x".repeat(257).into(), "/methodName: "),
            ("threadId", Value::Null, "/threadId: "),
            ("text", "".into(), "/text: "),
            ("text", serde_json::json!({}), "/text: "),
            ("text", serde_json::json!(["a"]), "/text: "),
            (
                "text",
                r#"{"a":1,"a":2}"#.into(),
                "text looks like an object but is not strict JSON: duplicate key `a`",
            ),
            ("text", "x".repeat(MAX_ENTRY_BYTES).into(), "bytes, 32000 are allowed"),
            (
                "privateKey",
                "x".into(),
                "`privateKey` is not a member of an entry: send the key in the header",
            ),
        ];
        for (member, value, complaint) in table {
            let found = broken(member, value.clone());
            assert!(found.contains(complaint), "{member}: {found:?} does not complain of {complaint:?}");
        }
    }

    #[test]
    fn each_member_is_required() {
        for member in ["applicationName", "subsystemName", "severity", "text"] {
            let mut entry = entry();
            entry.as_object_mut().unwrap().remove(member);
            let found = messages(&check_entry(entry.to_string().as_bytes(), &Limits::at(NOW)));
            assert!(found.contains(member), "{member} is missing, and not reported: {found:?}");
        }
    }

    #[test]
    fn each_rule_of_the_bytes_can_fail() {
        let table: &[(&[u8], &str)] = &[
            (b"{\"text\":\"\xff\"}", "not UTF-8"),
            (br#"{"text":{"a":1,"b":{"c":1,"c":2}}}"#, "duplicate key `c`"),
            (br#"{"text":{"a":1,"\u0061":2}}"#, "duplicate key `a`"),
            (br#"{"text":"\ud83d"}"#, "not strict JSON"),
            (br#"{"text":"\ude00 x"}"#, "not strict JSON"),
            (br#"{"text":{"a":1e400}}"#, "not strict JSON: number out of range"),
            (br#"{"text":{"a":NaN}}"#, "not strict JSON"),
            (b"{\"text\":\"a\tb\"}", "not strict JSON"),
            (b"{\"text\":\"a\"} {}", "not strict JSON: trailing characters"),
            (b"{\"text\":\"a\"", "not strict JSON: EOF"),
            (b"\xef\xbb\xbf{}", "not strict JSON"),
            (b"", "not strict JSON"),
            (b"{\"text\":\n\"a\"}", "more than one line"),
            (b"[]", "is not of type \"object\""),
        ];
        for (line, complaint) in table {
            let found = messages(&check_entry(line, &Limits::at(NOW)));
            let line = String::from_utf8_lossy(line);
            assert!(found.contains(complaint), "{line}: {found:?} does not complain of {complaint:?}");
        }
    }

    #[test]
    fn each_rule_of_an_envelope_can_fail() {
        let log = serde_json::json!({"severity": 3, "timestamp": NOW, "text": "a"});
        let with = |member: &str, value: Value| {
            let mut log = log.clone();
            log[member] = value;
            envelope(&[log])
        };
        let mut nameless = envelope(std::slice::from_ref(&log));
        nameless["applicationName"] = " ".into();
        let table: &[(Value, &str)] = &[
            (envelope(&[]), "/logEntries: "),
            (nameless, "/applicationName: "),
            (with("text", serde_json::json!({"a": 1})), "/logEntries/0/text: "),
            (with("severity", 9.into()), "/logEntries/0/severity: "),
            (with("severity", 3.0.into()), "logEntries.0: severity is not written as an integer"),
            (with("timestamp", 1.into()), "logEntries.0: timestamp is more than 24 hours old"),
            (with("applicationName", "a".into()), "/logEntries/0"),
            (with("threadId", "".into()), "/logEntries/0/threadId: "),
            (with("text", "x".repeat(40_000).into()), "logEntries.0: has 40050 bytes, 32000 are allowed"),
            (envelope(&vec![log.clone(); 50_000]), "below 2000000 are allowed"),
        ];
        for (envelope, complaint) in table {
            let violations = check_envelope(envelope.to_string().as_bytes(), &Limits::at(NOW));
            let found = messages(&violations);
            assert!(found.contains(complaint), "{found:?} does not complain of {complaint:?}");
            let entry =
                complaint.contains("logEntries").then_some(0).filter(|_| *complaint != "/logEntries: ");
            assert!(violations.iter().any(|violation| violation.entry == entry), "{violations:?}: {entry:?}");
        }
    }
}
