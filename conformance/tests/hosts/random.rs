//! Filters random records, findings and others.
//!
//! Every emitted line must satisfy the contract, the counters must balance, and nothing may panic. Former failures are
//! among the cases.

use std::panic::{AssertUnwindSafe, catch_unwind};

use contract::Limits;
use proptest::prelude::*;
use proptest::sample::select;
use rmpv::{Utf8String, Value};

use crate::engine::{Encoding, Fed, feed, read};
use crate::msgpack;

/// 2020-03-01T16:00:00Z.
const NOW: i64 = 1_583_078_400_000;

/// Sections that change the output, each with the largest entry it allows.
const SECTIONS: [(&str, usize); 14] = [
    ("", 30_000),
    ("coralogix: {text: string}", 30_000),
    ("coralogix: {keys: snake}", 30_000),
    ("coralogix: {text: string, keys: snake}\nguard: {max-entry-bytes: 16384}", 16_384),
    ("coralogix: {shape: bulk}", 30_000),
    ("coralogix: {shape: bulk, keys: snake}\nguard: {max-entry-bytes: 16384}", 16_384),
    ("coralogix: {shape: otlp, application-name: '{eid}'}", 30_000),
    ("coralogix: {shape: otlp, keys: snake}\nguard: {max-entry-bytes: 16384}", 16_384),
    (
        "coralogix: {application-name: '{project}', subsystem-name: ' {verb}{rule}', computer-name: '{eid}{principal}'}",
        30_000,
    ),
    (
        "redact: [{field: doc, pattern: '.'}, {field: eid, pattern: 'a+'}, {field: context.uri, pattern: '^.', replacement: '\"\\'}]",
        30_000,
    ),
    ("redact: [{field: principal, pattern: '\\S+', replacement: ''}]\ncoralogix: {text: string}", 30_000),
    ("guard: {max-age: 1m, max-ahead: 1m}\nunrecognised: drop", 30_000),
    ("guard: {on-stale: drop}\nunrecognised: pass", 30_000),
    ("rate-limit: {by: rule, max-keys: 2, summary-every: 1s}", 30_000),
];

const INTEGRATIONS: [&str; 3] = [
    "
integrations:
- {type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}
- {type: selections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}
- {type: activity, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}
",
    "
integrations:
- {type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: {limit: 1, by: entity}}}
- {type: selections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: {limit: 1, by: rule}}}
- {type: activity, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: {limit: 2, by: cluster}}}
",
    "
integrations:
- {type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}, data-filter: {entity-no-match: '^a', confidence: [0, 1]}}
- {type: selections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}, data-filter: {report: count, rules-match: '.'}}
",
];

/// Keys with a meaning, in both spellings, and similar keys without one.
const KEYS: [&str; 42] = [
    "etype",
    "eid",
    "category",
    "confidence",
    "short-doc",
    "short_doc",
    "doc",
    "time",
    "timestamp",
    "cluster",
    "rule",
    "id",
    "verb",
    "count",
    "count-period",
    "principal",
    "username",
    "resource-type",
    "resource_type",
    "resource_namespace",
    "non-authorized",
    "non_authorized",
    "project",
    "context",
    "reasons",
    "direction",
    "uri",
    "kaudit_filter",
    "kaudit-filter",
    "log",
    "message",
    "msg",
    "MESSAGE",
    "items",
    "records",
    "logEntries",
    "applicationName",
    "severity",
    "text",
    "",
    "a.b",
    "__proto__",
];

const NUMBERS: [&str; 16] = [
    "0",
    "-0",
    "-1",
    "0.5",
    "1e5",
    "1E-400",
    "1e400",
    "-1e+999",
    "1583078400000",
    "1583078400",
    "1583078399999.75",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "123456789012345678901234567890",
    "7",
];

/// The contents of a JSON string, encoded.
fn inside() -> impl Strategy<Value = String> {
    let hostile = select(vec![
        "a",
        "principal",
        "incident",
        "high",
        "get",
        "exec",
        "system:node",
        " ",
        "\u{a0}",
        "é",
        "😀",
        "\u{2028}",
        "\u{feff}",
        "\\u0000",
        "\\u0061",
        "\\ud83d",
        "\\ude00",
        "\\ud83d\\ude00",
        "\\ud83dx",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "2020-03-01T15:00:00+0000",
        "1583078400000",
        "true",
        "{\\\"a\\\":1}",
        "\u{7f}",
        "\u{fffd}",
    ]);
    let piece = prop_oneof![
        6 => hostile.prop_map(str::to_owned),
        2 => any::<char>().prop_map(|c| serde_json::to_string(&c).expect("a char is JSON").trim_matches('"').to_owned()),
        1 => "[a-z ]{0,20}",
    ];
    let text = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    prop_oneof![
        12 => text.clone().boxed(),
        // Long ones: a string that must be truncated, at any contents.
        1 => (text, 1_usize..9000).prop_map(|(text, times)| text.repeat(times.min(60_000 / text.len().max(1)))).boxed(),
    ]
}

fn string() -> impl Strategy<Value = String> {
    inside().prop_map(|inside| format!("\"{inside}\""))
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![5 => select(&KEYS[..]).prop_map(|key| format!("\"{key}\"")), 1 => string()]
}

/// A JSON value as text; mostly valid.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => string(),
        2 => select(&NUMBERS[..]).prop_map(str::to_owned),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => any::<f64>().prop_map(|n| format!("{n:e}")),
        2 => select(vec!["null", "true", "false"]).prop_map(str::to_owned),
        1 => (1_usize..90).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
        1 => (1_usize..4000).prop_map(|count| format!("[{}0]", "1,".repeat(count * 10))),
    ];
    leaf.prop_recursive(3, 24, 5, |value| {
        prop_oneof![
            prop::collection::vec(value.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((key(), value), 0..5).prop_map(|members| object(&members)),
        ]
    })
}

fn object(members: &[(String, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// Members that make a record a finding of some kind, most of the time.
fn core() -> impl Strategy<Value = Vec<(String, String)>> {
    let member = |key: &str, value: BoxedStrategy<String>| (Just(format!("\"{key}\"")), value).boxed();
    let text = || string().boxed();
    let word = |words: &'static [&'static str]| select(words).prop_map(|word| format!("\"{word}\"")).boxed();
    let time = || {
        prop_oneof![
            (NOW - 90_000_000..NOW + 20_000_000).prop_map(|time| time.to_string()),
            (NOW - 9_000_000..NOW).prop_map(|time| format!("\"{time}\"")),
            select(&NUMBERS[..]).prop_map(str::to_owned),
        ]
        .boxed()
    };
    let detection = vec![
        member("etype", word(&["principal", "resource", "cluster"])),
        member("eid", text()),
        member("confidence", word(&["high", "medium", "low", "0"])),
        member("category", word(&["incident", "anomaly"])),
        member("time", time()),
    ];
    let selection = vec![
        member("rule", text()),
        member("id", text()),
        member("principal", text()),
        member("time", time()),
    ];
    let count =
        vec![member("rule", text()), member("count", select(&NUMBERS[..]).prop_map(str::to_owned).boxed())];
    let activity = vec![member("id", text()), member("verb", text()), member("time", time())];
    prop_oneof![3 => detection, 2 => selection, 1 => count, 1 => activity, 1 => Just(Vec::new())]
}

/// A record as an agent's JSON; sometimes wrapped as a container's line, sometimes broken.
fn json() -> impl Strategy<Value = Vec<u8>> {
    let object = (core(), prop::collection::vec((key(), value()), 0..6), any::<prop::sample::Index>())
        .prop_map(|(core, more, at)| {
            let mut members = more;
            let at = at.index(members.len() + 1);
            members.splice(at..at, core);
            object(&members)
        })
        .boxed();
    let wrapped =
        (object.clone(), select(vec!["log", "message", "msg", "MESSAGE"]), select(vec!["", "\n", " "]))
            .prop_map(|(inner, key, end)| {
                format!(r#"{{"stream":"stdout","{key}":{}}}"#, serde_json::json!(inner + end))
            });
    let whole = prop_oneof![6 => object.clone(), 2 => wrapped, 1 => value(), 1 => any::<String>()];
    let broken = (object, any::<prop::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(
        |(text, at, byte, cut)| {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] = byte;
            }
            bytes
        },
    );
    prop_oneof![5 => whole.prop_map(String::into_bytes), 1 => broken]
}

/// A `MessagePack` value, also of kinds that JSON lacks.
fn packed_value() -> impl Strategy<Value = Value> {
    let text = || inside().prop_map(Value::from);
    let leaf = prop_oneof![
        6 => text(),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(broken_text),
        2 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => (NOW - 90_000_000..NOW + 20_000_000).prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<f32>().prop_map(Value::from),
        1 => select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Nil),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Binary),
        1 => (any::<i8>(), prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(kind, bytes)| Value::Ext(kind, bytes)),
        1 => (1_usize..90).prop_map(|depth| (0..depth).fold(Value::Nil, |inner, _| Value::Array(vec![inner]))),
        1 => (1_usize..20_000).prop_map(|count| Value::Array(vec![Value::from(1); count])),
    ];
    leaf.prop_recursive(3, 24, 5, |value| {
        let key = prop_oneof![6 => select(&KEYS[..]).prop_map(Value::from), 1 => value.clone()];
        prop_oneof![
            prop::collection::vec(value.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((key, value), 0..5).prop_map(Value::Map),
        ]
    })
}

/// A string whose bytes need not be UTF-8, which `MessagePack` permits.
fn broken_text(bytes: Vec<u8>) -> Value {
    let mut packed = vec![0xd9, u8::try_from(bytes.len()).expect("short")];
    packed.extend(bytes);
    let text: Utf8String = match rmpv::decode::read_value(&mut packed.as_slice()).expect("a string") {
        Value::String(text) => text,
        _ => unreachable!("a string was written"),
    };
    Value::String(text)
}

/// A record as an agent's `MessagePack`, with and without an equal JSON.
fn packed() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec![
        [("etype", "principal"), ("eid", "e")],
        [("rule", "r"), ("id", "1")],
        [("rule", "r"), ("count", "1")],
        [("id", "1"), ("verb", "get")],
        [("a", "b"), ("c", "d")],
    ]);
    let key = prop_oneof![6 => select(&KEYS[..]).prop_map(Value::from), 1 => packed_value()];
    let record = (known, prop::collection::vec((key, packed_value()), 0..6), any::<bool>())
        .prop_map(|(known, more, first)| {
            let known = known.map(|(key, value)| (Value::from(key), Value::from(value)));
            let members =
                if first { [known.to_vec(), more].concat() } else { [more, known.to_vec()].concat() };
            encoded(&Value::Map(members))
        })
        .boxed();
    let broken =
        (record.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut bytes, at, byte)| {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        });
    let from_json = json().prop_filter_map("JSON", |text| {
        serde_json::from_slice::<serde_json::Value>(&text).is_ok().then(|| msgpack::encode(&text))
    });
    prop_oneof![4 => record, 1 => broken, 1 => packed_value().prop_map(|value| encoded(&value)), 2 => from_json]
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).expect("a vector takes all");
    bytes
}

/// Arrivals: mostly some milliseconds apart, at times hours, at times backwards.
fn arrivals() -> impl Strategy<Value = Vec<i64>> {
    let step = prop_oneof![6 => 0_i64..2000, 1 => 0_i64..7_200_000, 1 => -7_200_000_i64..0];
    prop::collection::vec(step, 8).prop_map(|steps| {
        let mut now = NOW;
        steps
            .into_iter()
            .map(|step| {
                now += step;
                now
            })
            .collect()
    })
}

/// Filters the records and returns the faults of the output.
fn wrong_with(
    encoding: Encoding,
    records: &[Vec<u8>],
    arrivals: &[i64],
    (sections, max_entry_bytes): (&str, usize),
    integrations: &str,
) -> Vec<String> {
    let config = read(&format!("{sections}\n{integrations}")).unwrap_or_else(|remarks| panic!("{remarks:?}"));
    // An envelope is emitted when it is complete; its entries must not become too old meanwhile.
    let is_otlp = sections.contains("otlp");
    let still = is_otlp || sections.contains("bulk");
    let records: Vec<_> =
        records.iter().cloned().zip(arrivals.iter().map(|at| if still { NOW } else { *at })).collect();
    let fed = match catch_unwind(AssertUnwindSafe(|| feed(&config, encoding, &records))) {
        Ok(Ok(fed)) => fed,
        Ok(Err(error)) => return vec![error.to_string()],
        Err(_) => return vec!["panicked".to_owned()],
    };
    let mut wrong = unbalanced(&fed, records.len());
    for line in fed.emitted.iter().filter(|line| !line.passed) {
        // `1e5` becomes 100000.0 as a double. The guard's default is lower than Coralogix's limit by as much.
        let spelling = if encoding == Encoding::MsgPack { 2000 } else { 0 };
        let limits = Limits { now_ms: line.at_ms, max_entry_bytes: max_entry_bytes + spelling };
        let text = String::from_utf8_lossy(&line.bytes);
        let violations = if is_otlp {
            // The members of OTLP that an entry does not have.
            let limits = Limits { max_entry_bytes: limits.max_entry_bytes + 1000, ..limits };
            contract::otlp::check_request(format!("{{\"resourceLogs\":[{text}]}}").as_bytes(), &limits)
        } else if still {
            contract::check_envelope(&line.bytes, &limits)
        } else {
            contract::check_entry(&line.bytes, &limits)
        };
        wrong.extend(violations.iter().map(|violation| format!("{violation}: {text}")));
    }
    wrong
}

/// Returns the counters that do not balance.
fn unbalanced(fed: &Fed, records: usize) -> Vec<String> {
    let count = |name: &str| fed.stats.get(name).copied().unwrap_or(0);
    let verdicts = |verdict: &str| fed.verdicts.iter().filter(|v| v.starts_with(verdict)).count() as u64;
    let lines = fed.emitted.iter().filter(|line| !line.passed).map(|line| {
        let envelope = serde_json::from_slice::<serde_json::Value>(&line.bytes).ok();
        let items = envelope.and_then(|envelope| {
            let logs = envelope.pointer("/scopeLogs/0/logRecords").or(envelope.get("logEntries"));
            Some(logs?.as_array()?.len())
        });
        items.unwrap_or(1) as u64
    });
    let sums = [
        ("records", count("records"), records as u64),
        ("kept", count("kept.total"), verdicts("kept")),
        ("dropped", count("dropped.total"), verdicts("dropped")),
        ("suppressed", count("suppressed"), verdicts("suppressed")),
        ("passed", count("passed"), verdicts("passed")),
        (
            "all verdicts",
            count("records") - count("batches") + count("batch-items"),
            count("kept.total") + count("dropped.total") + count("suppressed") + count("passed"),
        ),
        ("summarised", count("summarised"), count("suppressed")),
        ("lines", lines.sum(), count("kept.total") + count("summaries") + count("reports")),
        ("passed lines", fed.emitted.iter().filter(|line| line.passed).count() as u64, count("passed")),
    ];
    sums.iter()
        .filter(|(_, one, other)| one != other)
        .map(|(what, one, other)| format!("{what}: {one}, {other}"))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn random_json_meets_the_contract(
        records in prop::collection::vec(json(), 1..8),
        arrivals in arrivals(),
        sections in select(&SECTIONS[..]),
        integrations in select(&INTEGRATIONS[..]),
    ) {
        let wrong = wrong_with(Encoding::Json, &records, &arrivals, sections, integrations);
        let records: Vec<_> = records.iter().map(|record| String::from_utf8_lossy(record)).collect();
        prop_assert!(wrong.is_empty(), "{}\n{records:?}", wrong.join("\n"));
    }

    #[test]
    fn random_messagepack_meets_the_contract(
        records in prop::collection::vec(packed(), 1..8),
        arrivals in arrivals(),
        sections in select(&SECTIONS[..]),
        integrations in select(&INTEGRATIONS[..]),
    ) {
        let wrong = wrong_with(Encoding::MsgPack, &records, &arrivals, sections, integrations);
        prop_assert!(wrong.is_empty(), "{}\n{records:x?}", wrong.join("\n"));
    }
}
