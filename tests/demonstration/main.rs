//! kAudit's published demonstration, rebuilt as audit events and compared with kAudit's own records of it.
//!
//! The script is `playbook/kaudit-demo.sh` of alcideio/kaudit. The records are in the folder `Sample Data/Custom` of
//! Azure/Azure-Sentinel, `alcide_kaudit_*_1_CL.json`. All records are compared field by field; of detections, the
//! statistics are also computed from the selections. Each difference is in `DIFFERENCES`.

mod detections;
mod events;
mod published;

use std::collections::{BTreeMap, BTreeSet};

use kaudit_filter::config::{NoFiles, read};
use kaudit_filter::record::Record;
use kaudit_filter::stats::Reason;
use kaudit_filter::{Filter, Time, Verdict};
use serde_json::{Value, json};

use published::{ADDRESS, CLUSTER, DETECTIONS, Detection, SHELLS};

/// The rules `pod execution` and `pod creation` are from kAudit's default policy, and `secrets access` is of its
/// tutorial. The others select what the detections count.
const POLICY: &str = "
policy:
- id: 100001
  name: pod creation
  conditions:
  - {field: verb, match-op: '=', match-value: create}
  - {field: resource-type, match-op: '=', match-value: pods}
  - {field: subresource, match-op: '=', match-value: ''}
- id: 100002
  name: pod execution
  conditions:
  - {field: resource-type, match-op: '=', match-value: pods}
  - {field: subresource, match-op: '=', match-value: exec}
- id: 1
  name: secrets access
  conditions:
  - {field: verb, match-op: '~', match-value: get|list|watch}
  - {field: resource-type, match-op: '=', match-value: secrets}
  - {field: resource-namespace, match-op: '=', match-value: kube-system}
- id: 2
  name: unauthorized access
  conditions: [{field: non-authorized, match-op: '=', match-value: true}]
- id: 3
  name: unexpected status reason
  conditions: [{field: status-reason, match-op: '!=', match-value: ''}]
- id: 4
  name: unusual target
  conditions: [{field: unusual-uri, match-op: '!=', match-value: ''}]
- id: 5
  name: access tool
  conditions: [{field: caller-supplied-user-agent, match-op: '!=', match-value: ''}]
";

/// The length of the detections' period.
const PERIOD_MS: i64 = 180_000;

/// A field in which our record differs from kAudit's.
struct Difference {
    field: &'static str,
    /// kAudit's value; `None`: its record does not have the field.
    published: Option<&'static str>,
    /// Our value.
    ours: Option<&'static str>,
    reason: &'static str,
}

const fn difference(
    field: &'static str,
    published: Option<&'static str>,
    ours: Option<&'static str>,
    reason: &'static str,
) -> Difference {
    Difference { field, published, ours, reason }
}

const NO_DATABASE: &str = "networks and countries come from a database; the filter has none";
const CUT: &str = "kAudit cuts the last character of the architecture";
const EMPTY: &str = "an empty value is absent, in conditions and in records; kAudit is not consistent";
const OURS: &str = "an addition of the filter";
const ONE_TIME: &str = "all published counts have the time of one event, which is outside the hours of three of them; \
                        ours have the start of the hour, as `timestamp` has";
const BY_ADDRESS: &str = "kAudit counts principals and, apart from them, addresses; ours count both together";
const PROXY: &str = "access through the API server's proxy is a write, since a GET may change its target; kAudit derives \
                     the type from the verb";

const DIFFERENCES: &[Difference] = &[
    difference("caller_ip_asn", Some("Example Transit"), None, NO_DATABASE),
    difference("caller_ip_country", Some("IL"), None, NO_DATABASE),
    difference("ua_windows", Some("amd6"), Some("amd64"), CUT),
    difference("ua_linux", Some("amd6"), Some("amd64"), CUT),
    difference("resource_name", Some(""), None, EMPTY),
    difference("stage", None, Some("ResponseStarted"), OURS),
    difference("stage", None, Some("ResponseComplete"), OURS),
    difference("binding", None, Some("system:discovery"), OURS),
    difference("kaudit_filter", None, Some(r#"{"rule":{"id":"100002"}}"#), OURS),
    difference("kaudit_filter", None, Some(r#"{"integration":"selections-1","report":"count"}"#), OURS),
    difference("time", Some("1583076422347"), Some("1583074800000"), ONE_TIME),
    difference("time", Some("1583076422347"), Some("1583078400000"), ONE_TIME),
    difference("time", Some("1583076422347"), Some("1583085600000"), ONE_TIME),
    difference("count of", Some(ADDRESS), None, BY_ADDRESS),
    difference("caller_ip", None, Some(ADDRESS), BY_ADDRESS),
    difference("direction", Some("read"), Some("write"), PROXY),
    difference("direction", Some("read"), Some("read; write"), PROXY),
];

/// A difference as it was found: the field, kAudit's value and ours.
type Found = (String, Option<String>, Option<String>);

/// Adds the members in which two records differ.
fn compare(published: &Value, ours: &Value, found: &mut BTreeSet<Found>) {
    let [published, ours] = [published, ours].map(|record| record.as_object().unwrap());
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        // Sorted, also if a package of the workspace preserves the order of keys.
        Value::Object(members) => serde_json::to_string(&members.iter().collect::<BTreeMap<_, _>>()).unwrap(),
        other => other.to_string(),
    };
    for field in published.keys().chain(ours.keys()) {
        let values = [published, ours].map(|record| record.get(field));
        // Not only the text: `101` and `"101"` are different.
        if values[0] != values[1] {
            let [published, ours] = values.map(|value| value.map(text));
            found.insert((field.clone(), published, ours));
        }
    }
}

fn filter(kind: &str) -> Filter {
    let text = format!(
        "audit: {{cluster: {CLUSTER}}}\ncoralogix: {{keys: snake}}\nuse: all\nintegrations:\n- {{{kind}, target: \
         {{target-type: slack, slack-uri: 'https://example.com'}}}}\n{POLICY}"
    );
    let read = read("kaudit.yaml", &text, &NoFiles);
    let config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
    Filter::new(&config, 7).expect("small patterns")
}

/// Returns the texts of the entries of events, and the reasons of drops.
fn run(filter: &mut Filter, events: &[Value]) -> (Vec<Value>, Vec<Reason>) {
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for event in events {
        let now: jiff::Timestamp = event["stageTimestamp"].as_str().unwrap().parse().unwrap();
        let now = Time::from_millis(now.as_millisecond());
        filter.process(Record::json(&event.to_string()), now, |verdict| match verdict {
            Verdict::Kept(entry) => {
                let mut text = Vec::new();
                entry.write_text(&mut text);
                kept.push(serde_json::from_slice(&text).expect("JSON"));
            }
            Verdict::Dropped(reason) => dropped.push(reason),
            verdict => panic!("{verdict:?}"),
        });
    }
    (kept, dropped)
}

fn selections(events: &[Value]) -> Vec<Value> {
    run(&mut filter("type: selections"), events).0
}

/// Compares the selections of the shells with kAudit's, in their order.
fn compare_selections(found: &mut BTreeSet<Found>) {
    let ours = selections(&events::shells());
    assert_eq!(ours.len(), SHELLS.len());
    for (shell, ours) in SHELLS.iter().zip(&ours) {
        compare(&shell.selection(&ours["id"]), ours, found);
    }
}

fn compare_activity(found: &mut BTreeSet<Found>) {
    let (ours, _) = run(&mut filter("type: activity"), &events::machines());
    let published = published::activity();
    assert_eq!(ours.len(), published.len());
    for (published, ours) in published.iter().zip(&ours) {
        compare(published, ours, found);
    }
}

/// Compares counts. kAudit's counts are not of whole scenarios: the first is of ten shells, the last of three secrets.
fn compare_counts(found: &mut BTreeSet<Found>) {
    let mut filter = filter("type: selections, data-filter: {report: count}");
    let shells = events::shells();
    run(&mut filter, &[&shells[..30], &events::pods(), &events::secrets()[..3]].concat());
    let mut ours = Vec::new();
    while let Some(entry) = filter.finish(Time::from_millis(1_583_100_000_000)) {
        let mut text = Vec::new();
        entry.write_text(&mut text);
        ours.push(serde_json::from_slice::<Value>(&text).expect("JSON"));
    }
    for published in published::counts() {
        let key = |count: &Value| ["principal", "rule", "timestamp"].map(|field| count[field].clone());
        if let Some(at) = ours.iter().position(|ours| key(ours) == key(&published)) {
            compare(&published, &ours.swap_remove(at), found);
        } else {
            let principal = published["principal"].as_str().unwrap().to_owned();
            found.insert(("count of".to_owned(), Some(principal), None));
        }
    }
    assert_eq!(ours, Vec::<Value>::new(), "counts that kAudit does not have");
}

/// Returns the statistic of a detection over our selections, in the form of `Detection::record`.
fn statistic(detection: &Detection, selections: &[Value]) -> Value {
    let period = detection.end_ms - PERIOD_MS..detection.end_ms;
    let counted: Vec<&Value> = selections
        .iter()
        .filter(|selection| {
            selection["rule"] == detection.rule
                && period.contains(&selection["time"].as_i64().unwrap())
                && (detection.eid == "cluster" || selection["principal"] == detection.eid)
        })
        .collect();
    let values = |field: &str| -> BTreeSet<&str> {
        counted.iter().filter_map(|selection| selection.get(field)?.as_str()).collect()
    };
    let joined = |field: &str| values(field).into_iter().collect::<Vec<_>>().join("; ");
    let value = if detection.distinct.is_empty() { counted.len() } else { values(detection.distinct).len() };
    json!({"value": value, "context": joined(detection.context_field), "direction": joined("access_type")})
}

fn compare_detections(found: &mut BTreeSet<Found>) {
    let ours = selections(
        &[events::first_shell(), events::shells(), events::unauthorized(), events::scan()].concat(),
    );
    for detection in DETECTIONS {
        let mut differences = BTreeSet::new();
        let ours = statistic(detection, &ours);
        compare(&detection.statistic(), &ours, &mut differences);
        let facts = differences.iter().filter(|(field, ..)| field != "direction").count();
        assert_eq!(facts, 0, "{}, {}: {ours}", detection.short_doc, detection.eid);
        found.extend(differences);
    }
}

#[test]
fn records_differ_from_the_published_ones_as_documented() {
    let mut found = BTreeSet::new();
    compare_selections(&mut found);
    compare_activity(&mut found);
    compare_counts(&mut found);
    compare_detections(&mut found);
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let mut stale = Vec::new();
    for &Difference { field, published, ours, reason } in DIFFERENCES {
        let difference = (field.to_owned(), owned(published), owned(ours));
        if !found.remove(&difference) {
            stale.push((difference, reason));
        }
    }
    assert!(found.is_empty() && stale.is_empty(), "without a reason: {found:#?}\nnot found: {stale:#?}");
}

#[test]
fn each_scenario_is_selected() {
    for (scenario, events, expected) in [
        ("remote shells", events::shells(), &[("pod execution", 15)][..]),
        ("secrets", events::secrets(), &[("secrets access", 6)]),
        ("pods", events::pods(), &[("pod creation", 3)]),
        ("unusual pattern", events::patterns(), &[("pod execution", 4), ("secrets access", 2)]),
        (
            "unauthorized",
            events::unauthorized(),
            &[("unauthorized access", 6), ("unexpected status reason", 13)],
        ),
        (
            "scan",
            events::scan(),
            &[("access tool", 20), ("unexpected status reason", 5), ("unusual target", 5)],
        ),
        ("machines", events::machines().into(), &[]),
    ] {
        let selected = selections(&events);
        let rules: BTreeSet<&str> = selected.iter().map(|entry| entry["rule"].as_str().unwrap()).collect();
        let count = |rule| selected.iter().filter(|entry| entry["rule"] == rule).count();
        let counts: Vec<(&str, usize)> = rules.into_iter().map(|rule| (rule, count(rule))).collect();
        assert_eq!(counts, expected, "{scenario}");
    }
}

#[test]
fn each_session_is_selected_once() {
    let (kept, dropped) = run(&mut filter("type: selections"), &events::shells());
    let count = |reason: Reason| dropped.iter().filter(|dropped| **dropped == reason).count();
    assert_eq!([kept.len(), count(Reason::Stage), count(Reason::DuplicateStage)], [SHELLS.len(); 3]);
}
