//! Compares single records with independent readers: `serde_json` and `rmpv`.

use kaudit_filter::Time;
use kaudit_filter::record::{Document, Event, MAX_DEPTH, Number, Quality, Record, SyntaxErrorKind};

use crate::json::Json;

/// The time of arrival of a sequence's first record, close to the times of the findings in the corpora.
pub const NOW: Time = Time::from_millis(1_583_078_400_000);

/// Compares the reader of JSON with `serde_json`.
pub fn check_json(text: &[u8]) {
    let shown = || String::from_utf8_lossy(text).into_owned();
    let other = Json::parse(text);
    match (Record::json(text).check(), other) {
        (Ok(scan), Ok(value)) => {
            let quality = scan.quality();
            assert!(matches!(value, Json::Map(_)), "no object: {}", shown());
            assert_eq!(scan.body.bytes(), text.trim_ascii(), "the body");
            assert_eq!(
                quality.has(Quality::DUPLICATE_KEY),
                value.has_duplicates(),
                "duplicate keys: {}",
                shown()
            );
            assert!(!quality.has(refused()), "{quality:?}: {}", shown());
            if quality.verbatim() {
                assert_eq!(document(&Record::json(text).document()), value, "{}", shown());
            }
        }
        (Ok(scan), Err(error)) => {
            assert!(!scan.quality().verbatim(), "copied unchanged: {error}: {}", shown());
            assert!(scan.quality().has(refused()), "{error}: {}", shown());
        }
        (Err(error), Ok(value)) => match error.kind {
            SyntaxErrorKind::TooDeep => assert!(value.depth() > MAX_DEPTH, "{error}: {}", shown()),
            SyntaxErrorKind::NotAnObject => assert!(!matches!(value, Json::Map(_)), "{error}: {}", shown()),
            _ => panic!("{error}: {}", shown()),
        },
        (Err(error), Err(_)) => assert!(error.offset <= text.len(), "{error}"),
    }
    // The document of any text is complete.
    check_document(&Record::json(text).document());
}

/// The properties of texts that `serde_json` rejects and the grammar accepts.
fn refused() -> Quality {
    let mut quality = Quality::LONE_SURROGATE;
    quality.add(Quality::NOT_UTF8);
    quality.add(Quality::NUMBER_RANGE);
    quality
}

/// Compares the reader of `MessagePack` with `rmpv`.
pub fn check_msgpack(bytes: &[u8]) {
    let mut rest = bytes;
    let other = rmpv::decode::read_value(&mut rest).ok().filter(|_| rest.is_empty());
    match (Record::msgpack(bytes).check(), other) {
        (Ok(scan), Some(value)) => {
            assert!(value.is_map(), "no map: {value}");
            let quality = scan.quality();
            let json = to_json(&value);
            assert_eq!(quality.has(Quality::NOT_UTF8), !is_utf8(&value), "UTF-8: {value}");
            if quality.verbatim() {
                let json = json.unwrap_or_else(|| panic!("no form in JSON: {value}"));
                assert!(!json.has_duplicates(), "duplicate keys: {value}");
                assert_eq!(document(&Record::msgpack(bytes).document()), json);
            } else if let Some(json) = json.filter(|_| !quality.has(Quality::NO_JSON_TYPE)) {
                assert_eq!(
                    quality.has(Quality::DUPLICATE_KEY),
                    json.has_duplicates(),
                    "duplicate keys: {value}"
                );
            }
        }
        (Ok(_), None) => panic!("rmpv rejects it: {bytes:x?}"),
        (Err(error), Some(value)) => match error.kind {
            SyntaxErrorKind::TooDeep | SyntaxErrorKind::ContainerKey => (),
            // rmpv reads the byte as nil.
            SyntaxErrorKind::UnusedByte => assert!(bytes.contains(&0xc1)),
            SyntaxErrorKind::NotAnObject => assert!(!value.is_map(), "{error}: {value}"),
            _ => panic!("{error}: {value}"),
        },
        (Err(error), None) => assert!(error.offset <= bytes.len(), "{error}"),
    }
    check_document(&Record::msgpack(bytes).document());
}

/// Returns whether all strings and keys that are strings are UTF-8.
fn is_utf8(value: &rmpv::Value) -> bool {
    match value {
        rmpv::Value::String(text) => text.is_str(),
        rmpv::Value::Array(elements) => elements.iter().all(is_utf8),
        rmpv::Value::Map(members) => members.iter().all(|(key, value)| is_utf8(key) && is_utf8(value)),
        _ => true,
    }
}

/// Returns a value of `MessagePack` as JSON; `None` if it has no form in JSON.
pub fn to_json(value: &rmpv::Value) -> Option<Json> {
    Some(match value {
        rmpv::Value::Nil => Json::Null,
        rmpv::Value::Boolean(value) => Json::Bool(*value),
        rmpv::Value::Integer(value) => {
            Json::Int(value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))?)
        }
        rmpv::Value::F32(value) => Json::Float(f64::from(*value)),
        rmpv::Value::F64(value) => Json::Float(*value),
        rmpv::Value::String(text) => Json::Str(text.as_str()?.to_owned()),
        rmpv::Value::Array(elements) => Json::List(elements.iter().map(to_json).collect::<Option<_>>()?),
        rmpv::Value::Map(members) => {
            let member =
                |(key, value): &(rmpv::Value, rmpv::Value)| Some((key.as_str()?.to_owned(), to_json(value)?));
            Json::Map(members.iter().map(member).collect::<Option<_>>()?)
        }
        rmpv::Value::Binary(_) | rmpv::Value::Ext(..) => return None,
    })
}

/// Returns a document as a value.
fn document(document: &Document<'_>) -> Json {
    let mut events = document.events.iter();
    let value = value(&mut events);
    assert!(events.next().is_none(), "events after the value");
    value
}

fn value(events: &mut core::slice::Iter<'_, Event<'_>>) -> Json {
    match events.next().expect("a value") {
        Event::Map(count) => {
            let mut members = Vec::new();
            loop {
                match events.next().expect("a key or the end") {
                    Event::Key(key) => members.push((key.to_string(), value(events))),
                    Event::End => break,
                    other => panic!("{other:?} for a key"),
                }
            }
            assert_eq!(members.len(), *count as usize, "the number of members");
            Json::Map(members)
        }
        Event::List(count) => {
            let elements = (0..*count).map(|_| value(events)).collect();
            assert!(matches!(events.next(), Some(Event::End)), "the end of a list of {count}");
            Json::List(elements)
        }
        Event::Str(text) => Json::Str(text.to_string()),
        Event::Number(number) => number_value(*number),
        Event::Bool(value) => Json::Bool(*value),
        Event::Null => Json::Null,
        other => panic!("{other:?} for a value"),
    }
}

fn number_value(number: Number<'_>) -> Json {
    match number {
        Number::Int(value) => Json::Int(value.into()),
        Number::Uint(value) => Json::Int(value.into()),
        Number::Float(value) => Json::Float(value),
        Number::Raw(text) => Json::parse(text).expect("a number"),
    }
}

/// Checks that containers balance and that keys and values alternate.
fn check_document(read: &Document<'_>) {
    if !read.events.is_empty() {
        let json = document(read);
        assert!(!json.has_duplicates(), "a document with a duplicate key");
    }
}
