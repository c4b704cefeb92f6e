//! The detections of the demonstration, compared with kAudit's.

use std::collections::BTreeMap;

use kaudit_filter::config::{NoFiles, read};
use kaudit_filter::record::Record;
use kaudit_filter::{Filter, Time};
use serde_json::{Map, Value, json};

use crate::events;
use crate::published::{ADMIN, CLUSTER, DETECTIONS, Detection};

const CONFIG: &str = "detect: {}\nuse: all\nunrecognised: drop\nintegrations:\n- {type: detections, target: \
                      {target-type: slack, slack-uri: 'https://example.com'}}\n";

/// The time of the first event of the demonstration.
const START: i64 = 1_583_073_210_000;
const HOUR: i64 = 3_600_000;

fn filter() -> Filter {
    let read = read("kaudit.yaml", &format!("audit: {{cluster: {CLUSTER}}}\n{CONFIG}"), &NoFiles);
    let config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
    Filter::new(&config, 7).expect("small patterns")
}

/// Returns ordinary requests of the administrator and the controllers, one an hour in eight days.
fn history() -> impl Iterator<Item = Value> {
    (1..=192).rev().flat_map(|hours| {
        let time = jiff::Timestamp::from_millisecond(START - hours * HOUR).unwrap().to_string();
        [ADMIN, "system:kube-controller-manager"].map(|user| {
            let [mut event, _] = events::machines();
            event["user"] = json!({"username": user});
            event["requestReceivedTimestamp"] = time.clone().into();
            event["stageTimestamp"] = time.clone().into();
            event
        })
    })
}

/// Returns the scenarios and the shells that were opened by hand, in the order of time.
fn demonstration() -> Vec<Value> {
    let mut all = [events::first_shell(), events::shells(), events::scan(), events::unauthorized()].concat();
    all.sort_by_key(|event| event["stageTimestamp"].as_str().unwrap().to_owned());
    all
}

/// Returns the texts of the detections of events, without the mark of the filter.
fn detections(filter: &mut Filter, events: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut found = Vec::new();
    for event in events {
        let now: jiff::Timestamp = event["stageTimestamp"].as_str().unwrap().parse().unwrap();
        let now = Time::from_millis(now.as_millisecond());
        filter.process(Record::json(&event.to_string()), now, |_| ());
        while let Some(entry) = filter.due(now) {
            let mut text = Vec::new();
            entry.write_text(&mut text);
            found.push(serde_json::from_slice(&text).expect("JSON"));
        }
    }
    while let Some(entry) = filter.finish(Time::from_millis(START + 24 * HOUR)) {
        let mut text = Vec::new();
        entry.write_text(&mut text);
        found.push(serde_json::from_slice(&text).expect("JSON"));
    }
    found
}

/// Returns a record as the exporter of the published samples writes it: one level, and lists joined.
fn flattened(record: &Value) -> Value {
    fn add(prefix: &str, value: &Value, out: &mut Map<String, Value>) {
        let joined = |list: &[Value]| {
            let texts = list.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            texts.collect::<Vec<_>>().join("; ")
        };
        match value {
            Value::Object(members) => {
                for (key, value) in members.iter().filter(|(key, _)| *key != "kaudit_filter") {
                    let key = key.replace('-', "_");
                    add(&if prefix.is_empty() { key } else { format!("{prefix}_{key}") }, value, out);
                }
            }
            Value::Array(list) if list.iter().all(Value::is_object) => {
                for (at, item) in list.iter().enumerate() {
                    add(&format!("{prefix}_{at}"), item, out);
                }
            }
            Value::Array(list) => drop(out.insert(prefix.to_owned(), joined(list).into())),
            scalar => drop(out.insert(prefix.to_owned(), scalar.clone())),
        }
    }
    let mut out = Map::new();
    add("", record, &mut out);
    out.into()
}

/// Returns a record without its confidence, which is ours, and the confidence.
fn without_confidence(record: &Value) -> (BTreeMap<String, Value>, String) {
    let confidence = record["confidence"].as_str().expect("a text").to_owned();
    let mut members: BTreeMap<String, Value> = BTreeMap::new();
    for (key, value) in record.as_object().expect("an object") {
        members.insert(key.replace(&format!("_values_{confidence}"), "_values"), value.clone());
    }
    members.remove("confidence");
    (members, confidence)
}

#[test]
fn detections_are_kaudits() {
    let ours = detections(&mut filter(), history().chain(demonstration()));
    let mut ours: Vec<_> = ours.iter().map(|record| without_confidence(&flattened(record))).collect();
    for published in DETECTIONS.iter().filter_map(Detection::record) {
        let (published, _) = without_confidence(&published);
        let at = ours.iter().position(|(ours, _)| *ours == published);
        let at = at.unwrap_or_else(|| panic!("missing: {published:#?}\nin {ours:#?}"));
        let (_, confidence) = ours.swap_remove(at);
        // One shell with one command was usual; four are less unusual than six.
        let short_doc = published["short_doc"].as_str().unwrap();
        let is_medium = published["reasons_0_values"] == "4" && short_doc.starts_with("change in remote");
        assert_eq!(confidence, if is_medium { "medium" } else { "high" }, "{published:#?}");
    }
    assert!(ours.is_empty(), "not published: {ours:#?}");
}

#[test]
fn nothing_is_detected_while_the_filter_learns() {
    let one_day = START - 23 * HOUR;
    let is_recent = |event: &Value| {
        let time: jiff::Timestamp = event["stageTimestamp"].as_str().unwrap().parse().unwrap();
        time.as_millisecond() > one_day
    };
    let mut filter = filter();
    let found = detections(&mut filter, history().filter(is_recent).chain(demonstration()));
    assert_eq!(found, Vec::<Value>::new());
}
