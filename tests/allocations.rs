//! Tests the allocations of a record in a warm filter.
//!
//! A dropped record has none, a kept one few. A counting allocator replaces the system's in this file's process, and
//! counts for the calling thread.

use allocation_counter::measure;
use kaudit_filter::record::{Encoding, Record};
use kaudit_filter::{Filter, Time, Verdict, config};
use serde_json::{Value, json};

const NOW: Time = Time::from_millis(1_583_078_400_000);

const CONFIG: &str = "
rate-limit: {by: entity}
integrations:
- type: detections
  target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}
  data-filter: {etype: [principal], category: [anomaly], confidence: [0, 1], entity-match: '^[a-z]', entity-no-match: '^system:|^admin$'}
- type: selections
  target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: 1}
  data-filter: {rules-match: '^exec|attach$', rules-no-match: 'ok'}
- type: detections
  target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', stopped: true}
  data-filter: {etype: [resource]}
- type: selections
  target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles'}
  data-filter: {rules-match: '^counted', report: count}
";

fn filter(sections: &str) -> Filter {
    let reading = config::read("kaudit.yaml", &format!("{sections}{CONFIG}"), &config::NoFiles);
    let remarks: Vec<String> = reading.diagnostics.iter().map(ToString::to_string).collect();
    let config = reading.config.unwrap_or_else(|| panic!("{remarks:?}"));
    Filter::new(&config, 7).expect("small patterns")
}

/// A detection as kAudit writes it.
///
/// It has members that are not fields of the filter, escape sequences and nesting.
fn detection(members: &Value) -> Value {
    let mut finding = json!({
        "eid": "ops \"é\" \n", "cluster": "crm", "period": 180_000, "confidence": "high", "project": "shop",
        "reasons": [{"values": {"high": [6]}, "doc": "change in count", "period": 180_000, "direction": "write"}],
        "short-doc": "change in access tool", "context": {"unusual-uri": ["a/25", "a/24"], "ua_kubectl": "v1.14.10"},
        "doc": "unusual change", "etype": "principal", "time": 1_583_078_400_000_i64, "category": "anomaly",
        "timestamp": "2020-03-01T16:00:00+0000", "direction": "write", "ok": true, "nothing": null, "half": 0.5
    });
    merge(&mut finding, members);
    finding
}

fn selection(members: &Value) -> Value {
    let mut finding = json!({
        "rule": "exec into pod", "id": "7f1c", "verb": "create", "principal": "ops", "cluster": "crm",
        "resource_type": "pods", "uri": "/api/v1/namespaces/shop/pods/a/exec?command=ls", "non_authorized": false,
        "time": "1583078400000", "ua_kubectl": "v1.14.10"
    });
    merge(&mut finding, members);
    finding
}

fn merge(finding: &mut Value, members: &Value) {
    let (Some(finding), Some(members)) = (finding.as_object_mut(), members.as_object()) else { return };
    finding.extend(members.clone());
}

fn packed(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &rmpv::ext::to_value(value).expect("JSON fits"))
        .expect("a vector takes all");
    bytes
}

/// Returns a record's verdict and its allocations in a warm filter.
///
/// The entry is written into a buffer with enough capacity.
fn cost(filter: &mut Filter, record: Record<'_>, out: &mut Vec<u8>) -> (String, u64) {
    out.clear();
    let mut verdict = "";
    let allocated = measure(|| {
        filter.process(record, NOW, |outcome| {
            verdict = match outcome {
                Verdict::Kept(entry) if record.encoding() == Encoding::MsgPack => {
                    entry.write_msgpack(out);
                    "kept"
                }
                Verdict::Kept(entry) => {
                    entry.write_json(out);
                    "kept"
                }
                Verdict::Dropped(reason) => reason.label(),
                Verdict::Suppressed => "suppressed",
                Verdict::Passed => "passed",
            };
        });
    });
    (verdict.to_owned(), allocated.count_total)
}

/// Returns the cost of a repeated record, as JSON and as `MessagePack`.
fn costs(sections: &str, record: &Value) -> [(String, u64); 2] {
    let text = record.to_string();
    let bytes = packed(record);
    let mut out = Vec::with_capacity(1 << 16);
    [false, true].map(|msgpack| {
        let mut filter = filter(sections);
        let mut last = (String::new(), 0);
        // The first record fills buffers and caches, the second meets a limit, the third is in the steady state.
        for _ in 0..3 {
            let record = if msgpack { Record::msgpack(&bytes) } else { Record::json(&text) };
            last = cost(&mut filter, record, &mut out);
        }
        last
    })
}

#[test]
fn the_counter_counts() {
    assert_eq!(measure(|| drop(std::hint::black_box(vec![1_u8; 100]))).count_total, 1);
    assert_eq!(measure(|| ()).count_total, 0);
}

#[test]
fn a_record_that_is_not_emitted_costs_no_allocation() {
    let table = [
        ("no-integration", "", json!({"id": "1", "verb": "get", "principal": "ops"})),
        ("stopped", "", detection(&json!({"etype": "resource"}))),
        ("etype", "", detection(&json!({"etype": "cluster"}))),
        ("category", "", detection(&json!({"category": "incident"}))),
        ("confidence", "", detection(&json!({"confidence": 2}))),
        ("entity-match", "", detection(&json!({"eid": "10.0.0.1"}))),
        ("entity-no-match", "", detection(&json!({"eid": "system:node:é"}))),
        ("rules-match", "", selection(&json!({"rule": "pod creation"}))),
        ("rules-no-match", "", selection(&json!({"rule": "exec, but ok"}))),
        ("stale", "guard: {on-stale: drop}\n", detection(&json!({"time": 5, "timestamp": null}))),
        (
            "stale",
            "guard: {on-stale: drop}\n",
            detection(&json!({"time": null, "timestamp": "2019-03-01T16:00:00+0000"})),
        ),
        ("unrecognised", "unrecognised: drop\n", json!({"log": "started", "stream": "stdout"})),
        (
            "unrecognised",
            "unrecognised: drop\n",
            json!({"log": "{\"level\": \"info\", \"line\": \"started\"}"}),
        ),
        ("passed", "unrecognised: pass\n", json!({"log": "started", "stream": "stdout"})),
        ("suppressed", "", selection(&json!({}))),
        ("counted", "", selection(&json!({"rule": "counted"}))),
        ("entity-no-match", "", json!({"log": detection(&json!({"eid": "system:x"})).to_string() + "\n"})),
    ];
    let mut wrong = Vec::new();
    for (verdict, sections, record) in table {
        for (view, cost) in ["JSON", "MessagePack"].into_iter().zip(costs(sections, &record)) {
            if cost != (verdict.to_owned(), 0) {
                wrong.push(format!("{view}, {verdict}: {cost:?}: {record}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Allocations of a kept finding whose body is copied unchanged, of any size.
///
/// Its entity, if it has escape sequences, is decoded once for the matcher, once for the label, and once for a
/// redaction of that name.
const KEPT: u64 = 3;
/// The same with a redaction: labels with escape sequences are decoded for it, too.
const SEARCHED: u64 = 6;
/// The same with more keys than a layout: the exact check for duplicate keys.
const WIDE: u64 = 8;
/// The same with a mark (clamped, without a time): the few events of the mark.
const MARKED: u64 = 8;
/// The same if the encoding changes.
///
/// A line of JSON in a MessagePack event, or an object that becomes a string.
const REWRITTEN: u64 = 24;

#[test]
fn a_kept_record_costs_few_allocations() {
    let wide: Value = (0..50).map(|n| (format!("ua_product-{n}"), json!(["v1", n]))).collect();
    let table = [
        (KEPT, "", detection(&json!({}))),
        (KEPT, "", detection(&json!({"time": null}))),
        (WIDE, "", detection(&wide)),
        (REWRITTEN, "", json!({"log": detection(&json!({})).to_string()})),
        // No value of the redacted field matches.
        (SEARCHED, "redact: [{field: doc, pattern: secret}]\n", detection(&json!({}))),
        (
            REWRITTEN,
            "coralogix: {text: string, application-name: '{cluster}-{type}'}\n",
            detection(&json!({})),
        ),
        (MARKED, "", detection(&json!({"time": 5}))),
        (MARKED, "", detection(&json!({"time": null, "timestamp": null}))),
        (MARKED, "", json!({"level": "info", "line": "started"})),
    ];
    let mut wrong = Vec::new();
    for (most, sections, record) in table {
        for (view, (verdict, count)) in ["JSON", "MessagePack"].into_iter().zip(costs(sections, &record)) {
            if verdict != "kept" || count > most {
                wrong.push(format!("{view}: {verdict}, {count} of at most {most}: {record}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A filter whose tables hold up to a million keys.
fn roomy(sections: &str) -> Filter {
    let text = CONFIG.replace("rate-limit: {by: entity}", "rate-limit: {by: entity, max-keys: 1000000}");
    let config = config::read("kaudit.yaml", &format!("{sections}{text}"), &config::NoFiles).config;
    Filter::new(&config.expect("no mistakes"), 7).expect("small patterns")
}

/// Bytes that the limiter may keep of an entity, of any length.
///
/// A digest, a state, and the free slots of a table that doubles, less than half of it.
const KEY: u64 = 96;

/// Bytes that the filter may keep of an entity until its summary is emitted.
///
/// The labels of the first suppressed finding, a sample of its fields, the entity's text, and the allocator's rounding.
/// With `max-keys` at its default of 10,000 the table takes at most 30 MB.
const PENDING: u64 = 3_000;

/// The same for findings with fields of the usual lengths.
const PENDING_USUAL: u64 = 1_000;

/// Bytes that a count report may keep until it is emitted.
///
/// Its labels and dimensions, and its slots in two tables.
const COUNT: u64 = 1_000;

/// The same for findings with fields of any length.
const COUNT_WORST: u64 = 3_000;

/// Returns the bytes that a filter keeps per user.
///
/// `verdicts` are the verdicts of each user's selections, in order.
fn held(filter: &mut Filter, verdicts: &[&str], members: impl Fn(u64) -> Value) -> u64 {
    const KEYS: u64 = 1_000;
    let mut out = Vec::with_capacity(1 << 16);
    let mut feed = |keys: std::ops::Range<u64>| {
        for key in keys {
            let record = packed(&selection(&members(key)));
            for verdict in verdicts {
                let (what, _) = cost(filter, Record::msgpack(&record), &mut out);
                assert_eq!(what, *verdict);
            }
        }
    };
    feed(0..100);
    let held = measure(|| feed(100..100 + KEYS)).bytes_current;
    u64::try_from(held).expect("a table only grows") / KEYS
}

/// A name, sections, the verdict of each record in turn, members, maximum bytes.
type Case<'c> = (&'c str, &'c str, &'c [&'c str], &'c dyn Fn(u64) -> Value, u64);

#[test]
fn the_memory_of_a_key_is_small() {
    let usual =
        |rule: &'static str| move |key: u64| json!({ "rule": rule, "principal": format!("user-{key:015}") });
    // Three hundred characters in each field, of four bytes each.
    let long = |rule: &'static str| {
        move |key: u64| {
            let long = "\u{1f980}".repeat(300);
            json!({
                "rule": format!("{rule} {long}"), "principal": format!("{long} {key}"), "cluster": long,
                "eid": long, "category": long, "short-doc": long, "verb": long, "resource_type": long,
                "resource_namespace": long, "resource_name": long, "id": long
            })
        }
    };
    let redact = "redact: [{field: id, pattern: nothing}]\n";
    let table: [Case<'_>; 7] = [
        ("kept", "", &["kept"], &usual("exec"), KEY),
        ("kept, long", "", &["kept"], &long("exec"), KEY),
        ("suppressed", "", &["kept", "suppressed"], &usual("exec"), PENDING_USUAL),
        ("suppressed, long", "", &["kept", "suppressed"], &long("exec"), PENDING),
        ("suppressed, long, redacted", redact, &["kept", "suppressed"], &long("exec"), PENDING),
        ("counted", "", &["counted"], &usual("counted"), COUNT),
        ("counted, long", "", &["counted"], &long("counted"), COUNT_WORST),
    ];
    let mut wrong = Vec::new();
    for (name, sections, verdicts, members, most) in table {
        let each = held(&mut roomy(sections), verdicts, members);
        println!("{name}: {each} bytes for each key");
        if !(20..=most).contains(&each) {
            wrong.push(format!("{name}: {each} bytes for each key, at most {most}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
