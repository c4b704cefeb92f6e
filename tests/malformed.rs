//! Tests malformed findings that contain a complete object.
//!
//! The inner object could be a finding. Each kind of error gives one malformed record, as JSON, as JSON within text,
//! and as `MessagePack`, and the inner object is not a finding.

use kaudit_filter::config::{self, NoFiles};
use kaudit_filter::record::{Record, SyntaxErrorKind};
use kaudit_filter::{Filter, Time, Verdict};

const CONFIG: &str = "integrations: [{type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}, {type: selections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}}]";

/// The beginning of a finding that contains another complete object.
const FINDING: &str = r#"{"etype":"principal","eid":"petra","a":{"rule":"exec","verb":"get"},"b":"#;

/// The same as `MessagePack`, a map of four members.
const PACKED: &[u8] =
    b"\x84\xa5etype\xa9principal\xa3eid\xa5petra\xa1a\x82\xa4rule\xa4exec\xa4verb\xa3get\xa1b";

/// An object that could be a finding.
const INNER: &str = r#"{"rule":"exec","verb":"get"}"#;

/// Returns the endings of [`FINDING`] and [`PACKED`] with an error of this kind.
///
/// An empty list: the encoding has no such error, or the error is not the record's own.
fn endings(kind: SyntaxErrorKind) -> (Vec<String>, Vec<Vec<u8>>) {
    let nested = |open: u8| [vec![open; 25], b"\xa0".to_vec()].concat();
    let (json, packed): (&[&str], &[&[u8]]) = match kind {
        // The text of a record that is not an object is searched; an event is one of Fluent Bit's, and not a record.
        SyntaxErrorKind::NotAnObject | SyntaxErrorKind::NotAnEvent => (&[], &[]),
        SyntaxErrorKind::EndsEarly => (&["", "[@,", "\"x", "tru", "@", "1,"], &[b"", b"\x91", b"\xa5x"]),
        SyntaxErrorKind::TooDeep => {
            let lists = format!("{}@{}}}", "[".repeat(25), "]".repeat(25));
            let maps = format!("{}@{}}}", r#"{"c":"#.repeat(25), "}".repeat(25));
            return (vec![lists, maps], vec![nested(0x91)]);
        }
        SyntaxErrorKind::ExpectedKey => (&["1,}", "1,@}"], &[]),
        SyntaxErrorKind::ExpectedColon => (&[r#"1,"c"@}"#], &[]),
        SyntaxErrorKind::ExpectedValue => (&["}", "nul,\"c\":@}", "[@,]}"], &[]),
        SyntaxErrorKind::ExpectedDigit => (&["-,\"c\":@}", "1.e}"], &[]),
        SyntaxErrorKind::ExpectedMapEnd => (&["1 @}", "01}"], &[]),
        SyntaxErrorKind::ExpectedListEnd => (&["[@}}", "[1 @]}"], &[]),
        // In text such bytes follow a value in its line.
        SyntaxErrorKind::TrailingBytes => (&[], &[b"\xa0\xa0"]),
        SyntaxErrorKind::ControlCharacter => (&["\"\u{1}\",\"c\":@}"], &[]),
        SyntaxErrorKind::UnknownEscape => (&[r#""\q","c":@}"#], &[]),
        SyntaxErrorKind::ExpectedHex => (&[r#""\u00zz","c":@}"#], &[]),
        SyntaxErrorKind::UnusedByte => (&[], &[b"\xc1"]),
        SyntaxErrorKind::ContainerKey => (&[], &[b"\x81\x80\xa0"]),
        other => panic!("no example of {other:?}"),
    };
    (
        json.iter().map(|json| (*json).to_owned()).collect(),
        packed.iter().map(|bytes| bytes.to_vec()).collect(),
    )
}

/// Returns the text of each entry of a record.
fn texts(filter: &mut Filter, record: Record<'_>) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    filter.process(record, Time::from_millis(1_583_078_400_000), |verdict| {
        let Verdict::Kept(entry) = verdict else { panic!("{verdict:?}") };
        let mut text = Vec::new();
        entry.write_text(&mut text);
        all.push(serde_json::from_slice(&text).unwrap());
    });
    all
}

#[test]
fn a_broken_finding_is_one_malformed_record() {
    let config = config::read("test.yaml", CONFIG, &NoFiles).config.unwrap();
    let mut filter = Filter::new(&config, 7).unwrap();
    let mut judge = |record: Record<'_>, kind: SyntaxErrorKind| {
        let shown = String::from_utf8_lossy(record.bytes());
        let texts = texts(&mut filter, record);
        let [text] = &texts[..] else { panic!("{kind:?}: {shown}\n{texts:#?}") };
        let own = &text["kaudit_filter"];
        assert_eq!(own["unrecognised"], "malformed", "{kind:?}: {shown}");
        let error = own["error"].as_str().unwrap();
        assert!(error.starts_with(kind.message()), "{kind:?}: {shown}\n{error}");
    };
    for &kind in SyntaxErrorKind::ALL {
        let (json, packed) = endings(kind);
        for ending in json {
            let finding = format!("{FINDING}{}", ending.replace('@', INNER));
            judge(Record::json(&finding), kind);
            let line = format!("INFO {finding}");
            judge(Record::json(&line), kind);
            for text in [&finding, &line] {
                let log = serde_json::json!({ "log": text });
                judge(Record::json(&log.to_string()), kind);
                judge(Record::json(&serde_json::json!({ "message": log.to_string() }).to_string()), kind);
                judge(Record::msgpack(&packed_log(text)), kind);
            }
            judge(
                Record::json(
                    &serde_json::json!({ "log": format!("x {}", serde_json::json!(finding)) }).to_string(),
                ),
                kind,
            );
        }
        for ending in packed {
            judge(Record::msgpack(&[PACKED, &ending].concat()), kind);
        }
    }
}

/// Returns a `MessagePack` record with a text under `log`.
fn packed_log(text: &str) -> Vec<u8> {
    let mut packed = Vec::new();
    let record = rmpv::Value::Map(vec![("log".into(), text.into())]);
    rmpv::encode::write_value(&mut packed, &record).unwrap();
    packed
}
