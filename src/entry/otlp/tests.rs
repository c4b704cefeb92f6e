//! Decodes log records independently, and compares their bodies with the JSON text of the same entry.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value as Json, json};

use super::severity;
use crate::config::{Severity, TextForm};
use crate::entry::{Entry, Labels, Names};
use crate::record::{Body, Document, Record};

fn entry<'a>(names: &'a Names, body: Body<'a>, marks: Document<'a>) -> Entry<'a> {
    let labels = Labels { names, category: b"", class: b"", method: b"", thread: b"", plain: false };
    let times = (1_600_000_000_123, 1_600_000_001_000_000_005);
    let (timestamp_ms, arrival_ns) = times;
    let text = TextForm::Object;
    Entry { timestamp_ms, arrival_ns, severity: Severity::Info, labels, text, body, marks }
}

fn log_record(entry: &Entry<'_>) -> Json {
    let mut out = Vec::new();
    entry.write_otlp_record(&mut out);
    serde_json::from_slice(&out).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out)))
}

/// Returns the value of an `AnyValue`.
fn decode(value: &Json) -> Json {
    let members = value.as_object().unwrap();
    let Some((kind, value)) = members.iter().next() else { return Json::Null };
    assert_eq!(members.len(), 1, "{members:?}");
    match &**kind {
        "stringValue" | "boolValue" | "doubleValue" => value.clone(),
        "intValue" => value.as_str().unwrap().parse::<i64>().unwrap().into(),
        "arrayValue" => value["values"].as_array().unwrap().iter().map(decode).collect(),
        "kvlistValue" => {
            let members = value["values"].as_array().unwrap().iter();
            members
                .map(|member| (member["key"].as_str().unwrap().to_owned(), decode(&member["value"])))
                .collect()
        }
        _ => panic!("{kind}"),
    }
}

/// Returns a value with its integers beyond 64 bits as strings.
fn without_large_integers(value: Json) -> Json {
    match value {
        Json::Number(number) if number.is_u64() && !number.is_i64() => number.to_string().into(),
        Json::Array(values) => values.into_iter().map(without_large_integers).collect(),
        Json::Object(members) => {
            members.into_iter().map(|(key, value)| (key, without_large_integers(value))).collect()
        }
        value => value,
    }
}

/// Compares a decoded body with the entry's text in the shape singles.
fn assert_same_as_singles(entry: &Entry<'_>) -> Json {
    let mut text = Vec::new();
    entry.write_text(&mut text);
    let expected = without_large_integers(serde_json::from_slice(&text).unwrap());
    let decoded = decode(&log_record(entry)["body"]);
    assert_eq!(decoded, expected);
    decoded
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(
            &[
                "",
                "eid",
                "short-doc",
                "\"",
                "\\",
                "a\nb\t",
                "\u{1}",
                "\u{e9}\u{1f600}",
                "{\"a\":[1]}",
                "a:b,c"
            ][..]
        )
        .prop_map(str::to_owned),
        "[a-z/<]{0,80}",
    ]
}

fn any_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<i8>().prop_map(Json::from),
        any::<f64>().prop_filter_map("JSON has no other floats", |number| {
            (number.is_finite() && number.abs() < 1e300).then_some(Json::from(number))
        }),
        any_text().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            prop::collection::btree_map(any_text(), inner, 0..5)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Map<String, Json>> {
    prop::collection::btree_map(any_text(), any_value(), 0..8).prop_map(|map| map.into_iter().collect())
}

/// Returns the JSON text of a body, in one of several spellings.
fn spelled(body: &Map<String, Json>, spelling: u8) -> String {
    match spelling {
        0 => serde_json::to_string(body).unwrap(),
        1 => serde_json::to_string_pretty(body).unwrap(),
        // Escape sequences that the encoder does not write.
        _ => serde_json::to_string(body).unwrap().replace('/', "\\/").replace('<', "\\u003c"),
    }
}

fn packed(body: &Map<String, Json>) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &rmpv::ext::to_value(body).unwrap()).unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn property_test_a_body_keeps_its_value(body in any_body(), spelling in 0_u8..3, longest in 0_usize..60) {
        let (text, packed, names) = (spelled(&body, spelling), packed(&body), Names::default());
        let marks = || Document::map([("truncated", Document::map([("bytes", Document::uint(7))]))]);
        let expected = without_large_integers(body.into());
        for record in [Record::json(&text), Record::msgpack(&packed)] {
            let unchanged = entry(&names, Body::Verbatim(record), Document::default());
            prop_assert_eq!(&assert_same_as_singles(&unchanged), &expected);
            for body in [Body::Verbatim(record), Body::Document(record.document())] {
                let mut marked = assert_same_as_singles(&entry(&names, body, marks()));
                prop_assert_eq!(&marked["kaudit_filter"], &json!({"truncated": {"bytes": 7}}));
                marked.as_object_mut().unwrap().remove("kaudit_filter");
                prop_assert_eq!(&marked, &expected);
            }
            assert_same_as_singles(&entry(&names, Body::Truncated(Box::new((record, longest))), marks()));
        }
    }
}

#[test]
fn numbers_keep_their_value() {
    for (number, expected) in [
        ("0", r#"{"intValue":"0"}"#),
        ("-1", r#"{"intValue":"-1"}"#),
        ("999999999999999999", r#"{"intValue":"999999999999999999"}"#),
        ("9223372036854775807", r#"{"intValue":"9223372036854775807"}"#),
        ("-9223372036854775808", r#"{"intValue":"-9223372036854775808"}"#),
        ("9223372036854775808", r#"{"stringValue":"9223372036854775808"}"#),
        ("18446744073709551615", r#"{"stringValue":"18446744073709551615"}"#),
        ("123456789012345678901234567890", r#"{"stringValue":"123456789012345678901234567890"}"#),
        ("1.50", r#"{"doubleValue":1.50}"#),
        ("1e3", r#"{"doubleValue":1e3}"#),
        ("-0.0", r#"{"doubleValue":-0.0}"#),
    ] {
        let text = format!("{{\"n\":{number}}}");
        let names = Names::default();
        let read = Record::json(&text).document();
        for body in [Body::Verbatim(Record::json(&text)), Body::Document(read)] {
            let mut out = Vec::new();
            entry(&names, body, Document::default()).write_otlp_record(&mut out);
            let out = String::from_utf8(out).unwrap();
            assert!(out.contains(&format!(r#"[{{"key":"n","value":{expected}}}]"#)), "{number}: {out}");
        }
    }
}

#[test]
fn a_resource_and_its_log_record() {
    let mut names = Names::default();
    names.set([b"shop", b"kaudit-detections", b"", "caf\u{e9} \"1\"".as_bytes()]);
    let body = Record::json(r#"{"eid":"a\"b","n":1,"list":[null,true,{}]}"#);
    let mut entry = entry(&names, Body::Verbatim(body), Document::default());
    entry.labels.category = b"incident";
    entry.labels.thread = b"a\"b";
    let mut out = Vec::new();
    entry.write_otlp_head(&mut out);
    entry.write_otlp_record(&mut out);
    let expected = concat!(
        r#"{"resource":{"attributes":[{"key":"cx.application.name","value":{"stringValue":"shop"}},"#,
        r#"{"key":"cx.subsystem.name","value":{"stringValue":"kaudit-detections"}},"#,
        r#"{"key":"k8s.cluster.name","value":{"stringValue":"café \"1\""}}]},"#,
        r#""scopeLogs":[{"scope":{"name":"kaudit-filter","version":""#,
        env!("CARGO_PKG_VERSION"),
        r#""},"logRecords":[{"timeUnixNano":"1600000000123000000","observedTimeUnixNano":"1600000001000000005","#,
        r#""severityNumber":9,"severityText":"INFO","body":{"kvlistValue":{"values":["#,
        r#"{"key":"eid","value":{"stringValue":"a\"b"}},{"key":"n","value":{"intValue":"1"}},"#,
        r#"{"key":"list","value":{"arrayValue":{"values":[{},{"boolValue":true},{"kvlistValue":{"values":[]}}]}}}]}},"#,
        r#""attributes":[{"key":"category","value":{"stringValue":"incident"}},"#,
        r#"{"key":"threadId","value":{"stringValue":"a\"b"}}]}"#,
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn severities() {
    let numbers = [
        Severity::Debug,
        Severity::Verbose,
        Severity::Info,
        Severity::Warn,
        Severity::Error,
        Severity::Critical,
    ];
    let numbers = numbers.map(|one| severity(one).0);
    assert_eq!(numbers, [5, 5, 9, 13, 17, 21]);
}

#[test]
fn times_before_1970_and_beyond_64_bits() {
    let names = Names::default();
    for (millis, arrival, expected) in
        [(-1, -1, ["0", "0"]), (0, 0, ["0", "0"]), (i64::MAX, i64::MAX, ["9223372036854775807"; 2])]
    {
        let body = Body::Document(Document::map([]));
        let record = log_record(&Entry {
            timestamp_ms: millis,
            arrival_ns: arrival,
            ..entry(&names, body, Document::default())
        });
        assert_eq!([&record["timeUnixNano"], &record["observedTimeUnixNano"]], expected);
        assert_eq!(record.get("attributes"), None);
    }
}

#[test]
fn deep_values() {
    let names = Names::default();
    // The deepest record of the readers has 24 levels. The encoder need not be correct beyond, but must not panic.
    for depth in [11, 5_000] {
        let text = format!("{{\"a\":{}1{}}}", "[{\"b\":".repeat(depth), "}]".repeat(depth));
        let marked = entry(&names, Body::Verbatim(Record::json(&text)), Document::map([]));
        let mut out = Vec::new();
        marked.write_otlp_record(&mut out);
        assert_eq!(String::from_utf8(out).unwrap().matches("arrayValue").count(), depth);
        if depth < 12 {
            assert_same_as_singles(&marked);
        }
    }
}
