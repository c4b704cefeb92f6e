//! The guest's answers: for any record a JSON object or nothing, and no summary is lost.

use kaudit_filter::config::{self, NoFiles};
use kaudit_filter::{Filter, Time};
use kaudit_wasm::reply::Guest;
use serde_json::Value;

const START_MS: i64 = 1_583_073_360_000;

fn guest(config: &str) -> Guest {
    let reading = config::read("kaudit.yaml", config, &NoFiles);
    let config = reading.config.unwrap_or_else(|| panic!("{:?}", reading.diagnostics));
    Guest::new(Filter::new(&config, 7).unwrap(), &config, Time::from_millis(START_MS))
}

/// Returns the answer `after` milliseconds: nothing, or an object.
fn ask(guest: &mut Guest, record: &[u8], after: i64) -> Option<Value> {
    let answer = guest.answer(record, Time::from_millis(START_MS + after));
    let (nul, text) = answer.split_last().unwrap();
    assert_eq!(*nul, 0, "an answer ends with a NUL");
    assert!(!text.contains(&0), "and has no other");
    if text.is_empty() {
        return None;
    }
    let value: Value = serde_json::from_slice(text).unwrap();
    assert!(value.is_object(), "{value}");
    Some(value)
}

fn detection(eid: &str) -> Vec<u8> {
    format!(
        r#"{{"etype":"principal","eid":"{eid}","category":"anomaly","confidence":"high","time":{START_MS}}}"#
    )
    .into_bytes()
}

const TARGET: &str =
    "target: {target-type: http-api, http-api-uri: \"https://ingress.eu2.coralogix.com/logs/v1/singles\"";

#[test]
fn any_record_gets_an_object() {
    let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    let large = format!(r#"{{"etype":"principal","eid":"a","doc":"{}"}}"#, "x".repeat(1 << 20));
    let records: [&[u8]; 12] = [
        b"",
        b" ",
        b"{}",
        b"[1]",
        b"null",
        b"{\"log\":\"\xff\xfe\"}",
        b"\xff",
        b"{\"a\":\"\0\"}",
        b"{\"a\":\"\\u0000\"}",
        b"{\"a\":1",
        deep.as_bytes(),
        large.as_bytes(),
    ];
    for policy in ["wrap", "pass"] {
        let mut guest =
            guest(&format!("unrecognised: {policy}\nintegrations:\n- type: detections\n  {TARGET}}}\n"));
        for record in records {
            let shown = String::from_utf8_lossy(&record[..record.len().min(40)]);
            let answer = ask(&mut guest, record, 0);
            assert!(answer.is_some(), "{policy}: `{shown}` got no answer");
        }
    }
}

#[test]
fn a_record_that_passes_is_unchanged() {
    let mut guest = guest(&format!("unrecognised: pass\nintegrations:\n- type: detections\n  {TARGET}}}\n"));
    let record = r#"{"log" : "a line",  "n":1.0}"#;
    assert_eq!(
        guest.answer(record.as_bytes(), Time::from_millis(START_MS)).split_last().unwrap().1,
        record.as_bytes()
    );
}

#[test]
fn a_dropped_record_gets_the_empty_text() {
    let mut guest = guest(&format!("integrations:\n- type: activity\n  {TARGET}}}\n"));
    assert_eq!(guest.notice(), None);
    assert_eq!(ask(&mut guest, &detection("a"), 0), None);
}

#[test]
fn a_batch_is_one_entry_and_is_marked() {
    let mut guest = guest(&format!("integrations:\n- type: detections\n  {TARGET}}}\n"));
    let [a, b, c] = ["a", "b", "c"].map(detection);
    let list = |items: &[&[u8]]| [b"[", &items.join(&b","[..])[..], b"]"].concat();
    let wrapped = |items: &[&[u8]]| [b"{\"records\":", &list(items)[..], b"}"].concat();
    for batch in [
        list(&[&a, &b]),
        list(&[&a, &b, &c]),
        wrapped(&[&a, &b]),
        wrapped(&[&a, b"{}", &b]),
        [&a[..], &b].concat(),
        [&a[..], b"\n", &b, b"\n"].concat(),
    ] {
        let shown = String::from_utf8_lossy(&batch);
        let entry = ask(&mut guest, &batch, 0).unwrap();
        assert_eq!(entry["text"]["kaudit_filter"]["unrecognised"], "batch", "{shown}");
        let text = entry["text"].to_string().replace('\\', "");
        for eid in ["a", "b"] {
            assert!(text.contains(&format!(r#""eid":"{eid}""#)), "{shown}: {eid} is missing in {text}");
        }
    }
}

#[test]
fn an_envelope_has_one_entry() {
    let mut guest =
        guest(&format!("coralogix: {{shape: bulk}}\nintegrations:\n- type: detections\n  {TARGET}}}\n"));
    let envelope = ask(&mut guest, &detection("a"), 0).unwrap();
    assert_eq!(envelope["logEntries"].as_array().unwrap().len(), 1);
}

/// One finding in a thousand seconds for each entity.
fn limited() -> Guest {
    guest(&format!(
        "rate-limit: {{period: 1000s, by: entity, burst: 1}}\nintegrations:\n- type: detections\n  {TARGET}, rate-limit: 1}}\n"
    ))
}

#[test]
fn a_new_instance_suppresses_nothing() {
    let mut guest = limited();
    assert!(guest.notice().is_some());
    for after in [0, 1, 998, 999] {
        assert!(ask(&mut guest, &detection("a"), after).is_some());
    }
    assert!(ask(&mut guest, &detection("a"), 1_000).is_some(), "the limit begins");
    assert!(ask(&mut guest, &detection("a"), 1_001).is_none(), "and holds");
}

#[test]
fn a_summary_is_emitted_in_the_slot_of_a_dropped_record() {
    let mut guest = limited();
    ask(&mut guest, &detection("a"), 1_000).unwrap();
    assert_eq!(ask(&mut guest, &detection("a"), 2_000), None);
    assert_eq!(ask(&mut guest, &detection("a"), 3_000), None);
    let kept = ask(&mut guest, &detection("b"), 62_500).unwrap();
    assert_eq!(kept["text"]["kaudit_filter"], Value::Null, "a summary waits for a slot of its own");
    let summary = ask(&mut guest, &detection("a"), 63_000).unwrap();
    assert_eq!(summary["text"]["kaudit_filter"]["summary"]["suppressed"], 3);
    assert_eq!(summary["text"]["kaudit_filter"]["summary"]["key"], "a");
}

#[test]
fn without_a_free_slot_a_summary_is_added_to_a_kept_finding() {
    let mut guest = limited();
    ask(&mut guest, &detection("a"), 1_000).unwrap();
    assert_eq!(ask(&mut guest, &detection("a"), 2_000), None);
    let kept = ask(&mut guest, &detection("b"), 130_000).unwrap();
    assert_eq!(kept["text"]["eid"], "b");
    assert_eq!(kept["text"]["kaudit_filter"]["summary"]["suppressed"], 1);
    let next = ask(&mut guest, &detection("c"), 131_000).unwrap();
    assert_eq!(next["text"]["kaudit_filter"], Value::Null, "once");
}
