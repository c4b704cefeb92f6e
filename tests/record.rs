//! Tests the record readers against an independent reader.
//!
//! They compare accepted texts, the members that are read, and rewritten bodies.

use kaudit_filter::config::{self, NoFiles};
use kaudit_filter::record::{Document, Event, MAX_DEPTH, Record};
use kaudit_filter::{Filter, Time, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

fn accepted(text: &str) -> bool {
    Record::json(text).check().is_ok()
}

#[test]
fn accepts_what_the_grammar_accepts() {
    let objects = [
        "{}",
        " \t\r\n{ } \n",
        r#"{"a":-0,"b":0.5,"c":1e5,"d":1E+5,"e":-12.25e-2}"#,
        r#"{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00","b":"é😀"}"#,
        r#"{"a":[[],{},[1,[2]],{"b":{"c":null}}],"d":true,"e":false}"#,
        r#"{"lone":"\ud800"}"#,
        r#"{"a":1,"a":2}"#,
    ];
    for text in objects {
        assert!(accepted(text), "{text}");
    }
    let broken = [
        "",
        " ",
        "[]",
        "1",
        "null",
        "{",
        "}",
        "{}}",
        "{} x",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r"{a:1}",
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":.5}"#,
        r#"{"a":1.}"#,
        r#"{"a":-}"#,
        r#"{"a":tru}"#,
        r#"{"a":nulll}"#,
        r#"{"a":truee}"#,
        r#"{"a":falsee}"#,
        r#"{"a":1e}"#,
        r#"{"a":1:1}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":"\u+123"}"#,
        r#"{"a":"x}"#,
        "{\"a\":\"\n\"}",
        "{\"a\":\"\u{1}\"}",
        r#"{"a":[1}"#,
        r#"{"a":{]}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[,1]}"#,
        "{\"a\":\u{a0}1}",
        "\u{feff}{}",
        r#"{"a":NaN}"#,
    ];
    for text in broken {
        assert!(!accepted(text), "{text}");
    }
}

#[test]
fn nesting_has_a_limit_in_both_encodings() {
    for (levels, fits) in [(MAX_DEPTH - 1, true), (MAX_DEPTH, false)] {
        let text = format!(r#"{{"a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        let mut packed = vec![0x81, 0xa1, b'a'];
        packed.extend(vec![0x91; levels - 1]);
        packed.push(0x90);
        assert_eq!(accepted(&text), fits, "{levels} levels of JSON");
        assert_eq!(Record::msgpack(&packed).check().is_ok(), fits, "{levels} levels of MessagePack");
        for record in [Record::json(&text), Record::msgpack(&packed)] {
            // Of a record that is too deep, everything up to the limit is read.
            let document = record.document();
            let lists = document.events.iter().filter(|event| matches!(event, Event::List(_))).count();
            assert_eq!(lists, levels.min(MAX_DEPTH - 1));
        }
    }
}

#[test]
fn only_a_body_that_every_reader_takes_is_copied_unchanged() {
    for (text, verbatim) in [
        (r#"{"a":"b"}"#, true),
        (r#" {"a" : [1, 2]} "#, true),
        ("{\"a\":\n1}", false),
        (r#"{"\u0061":1}"#, false),
        (r#"{"a":"\ud800"}"#, false),
        (r#"{"a":"\ude00\ud83d"}"#, false),
        (r#"{"a":"\ud83d\ude00"}"#, true),
        ("\n {\"a\":1}\n", true),
        (r#"{"a":1,"a":2}"#, false),
        (r#"{"a":1, "b":{"c":[{"d":1,"e":2,"d":3}]}}"#, false),
        (r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#, true),
        (r#"{"a":1e400}"#, false),
        (r#"{"a":1e300}"#, true),
        (&format!(r#"{{"a":{}}}"#, "9".repeat(308)), true),
        (&format!(r#"{{"a":{}}}"#, "9".repeat(309)), false),
    ] {
        let scan = Record::json(text).check().expect("JSON");
        assert_eq!(scan.quality().verbatim(), verbatim, "{text}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_replaced_in_each_record() {
    let text = "integrations: [{type: detections, target: {target-type: http-api, http-api-uri: \
                'https://ingress.eu1.coralogix.com/logs/v1/singles'}}]";
    let config = config::read("kaudit.yaml", text, &NoFiles).config.expect("no mistakes");
    let mut filter = Filter::new(&config, 7).expect("no patterns");
    for name in [&b"a\xff"[..], b"b\xfe\xfe", b"c"] {
        let line = [&br#"{"etype":"principal","time":0,"eid":""#[..], name, b"\"}"].concat();
        let record = [&b"\x81\xa3log\xd9"[..], &[u8::try_from(line.len()).expect("short")], &line].concat();
        let mut json = Vec::new();
        filter.process(Record::msgpack(&record), Time::from_millis(0), |verdict| match verdict {
            Verdict::Kept(entry) => entry.write_json(&mut json),
            other => panic!("{other:?}"),
        });
        let entry: Value = serde_json::from_slice(&json).expect("an entry");
        let (name, line) = (String::from_utf8_lossy(name), String::from_utf8_lossy(&line));
        assert_eq!(entry["threadId"], *name);
        assert_eq!(entry["text"], serde_json::from_str::<Value>(&line).expect("an object"), "{name}");
    }
}

/// Converts a document to a value of the independent reader.
fn value(document: &Document<'_>) -> Value {
    fn one<'t>(events: &mut impl Iterator<Item = &'t Event<'t>>) -> Option<Value> {
        Some(match events.next()? {
            Event::Map(count) => {
                let mut map = serde_json::Map::new();
                for _ in 0..*count {
                    let Some(Event::Key(key)) = events.next() else { panic!("expected a key") };
                    map.insert(key.to_string(), one(events)?);
                }
                assert!(matches!(events.next(), Some(Event::End)), "the count is right");
                Value::Object(map)
            }
            Event::List(count) => {
                let list = (0..*count).map(|_| one(events)).collect::<Option<_>>()?;
                assert!(matches!(events.next(), Some(Event::End)), "the count is right");
                Value::Array(list)
            }
            Event::Str(text) => json!(text),
            Event::Number(number) => serde_json::from_str(&number.to_string()).expect("a number"),
            Event::Bool(value) => json!(value),
            Event::Null => Value::Null,
            Event::End | Event::Key(_) => panic!("expected a value"),
        })
    }
    let mut events = document.events.iter();
    let value = one(&mut events).expect("a value");
    assert!(events.next().is_none());
    value
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        any::<u64>().prop_map(|value| json!(value)),
        // A number from 10^308 on is read as text, see `Number::is_finite`.
        any::<f64>().prop_filter("below 10^308", |value| value.abs() < 1e308).prop_map(|value| json!(value)),
        any::<String>().prop_map(|value| json!(value)),
        "[\\x00-\\x7f]{0,20}".prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(".{0,12}", any_value(), 0..8)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

proptest! {
    #[test]
    fn reads_what_an_independent_writer_wrote(object in any_object()) {
        for text in [object.to_string(), serde_json::to_string_pretty(&object).expect("text")] {
            let scan = Record::json(&text).check();
            prop_assert!(scan.is_ok());
            prop_assert_eq!(&value(&Record::json(&text).document()), &object);
        }
        let packed = rmp_serde::to_vec(&object).expect("MessagePack");
        prop_assert!(Record::msgpack(&packed).check().is_ok_and(|scan| scan.quality().verbatim()));
        prop_assert_eq!(&value(&Record::msgpack(&packed).document()), &object);
    }

    #[test]
    fn agrees_with_an_independent_reader_on_mutations(object in any_object(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = object.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        // The independent reader rejects lone surrogates, numbers out of range and bytes that are not UTF-8, which are
        // read and replaced here.
        let scan = Record::json(&bytes).check();
        let other = serde_json::from_slice::<serde_json::Map<String, Value>>(&bytes).is_ok();
        prop_assert!(!other || scan.is_ok(), "{:?}", bytes);
        prop_assert!(!scan.is_ok_and(|scan| scan.quality().verbatim()) || other, "{:?}", bytes);
    }

    #[test]
    fn bytes_are_read_as_the_text_they_should_be(object in any_object(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = object.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let text = String::from_utf8_lossy(&bytes);
        let [of_bytes, of_text] = [Record::json(&bytes), Record::json(text.as_ref())];
        prop_assert_eq!(of_bytes.check().is_ok(), of_text.check().is_ok());
        if of_bytes.check().is_ok() {
            prop_assert_eq!(value(&of_bytes.document()), value(&of_text.document()));
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for record in [Record::json(&bytes), Record::msgpack(&bytes)] {
            if let Ok(scan) = record.check() {
                scan.quality();
            }
            if !record.document().events.is_empty() {
                value(&record.document());
            }
        }
        let _ = Record::split_msgpack(&bytes);
    }
}
