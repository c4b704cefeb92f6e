//! The built module in a Lua configured as Vector configures it: options, both modes, failures.
//!
//! The suite of cases runs in `conformance`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use conformance::vector::{self, Built, Mode, Ran, Vector};
use contract::Limits;
use kaudit_driver::{Error, Record};
use serde_json::{Value, json};

static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the scratch directory is in target");
    vector::build(target).expect("module and driver can be built")
});

/// A directory of a test's own.
fn scratch(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vector").join(test);
    fs::create_dir_all(&directory).expect("the scratch directory can be made");
    directory
}

const FINDING: &str = r#"{"etype":"principal","eid":"johnD","category":"incident","confidence":"high","cluster":"crm","time":1583078400000}"#;
/// The finding's time.
const NOW: i64 = 1_583_078_400_000;

fn finding() -> Value {
    serde_json::from_str(FINDING).expect("the finding is JSON")
}

/// Runs events and returns the result.
fn ask(test: &str, options: &Value, events: Vec<Value>) -> Result<Ran, Error> {
    let arrival = |mut event: Value| (NOW, Record::Log(event["log"].take()));
    let events = events.into_iter().map(arrival).collect();
    Vector::new(Mode::Text, &BUILT, &scratch(test)).ask(options, events)
}

fn ran(test: &str, options: &Value, events: Vec<Value>) -> Ran {
    ask(test, options, events).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs events and returns the emitted ones.
#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn emitted(test: &str, options: Value, events: Vec<Value>) -> Vec<Value> {
    ran(test, &options, events).events
}

#[test]
fn all_mistakes_are_reported_at_once_and_prevent_the_start() {
    let file = scratch("mistakes").join("kaudit.yaml");
    fs::write(&file, "unrecognised: lose\nintegrations: []\n").expect("the file can be written");
    let at = |remark: &str| format!("kaudit: {}:{remark}", file.display());
    let table: &[(Value, &[&str])] = &[
        (
            json!({
                "colour": "red", "way": "fast", "entity_match": "(", "rate_limit": "ten", "etype": ["principal", "pod"],
                "shape": true,
            }),
            &[
                "kaudit: error: colour: unknown option; known: config_file, now, way, application_name, ",
                "kaudit: error: shape: expected a string, a number or a list of strings",
                "kaudit: error: way: expected \"text\" or \"table\"",
                "kaudit: error: entity_match: unclosed group",
                "kaudit: error: etype: expected principal, resource or cluster, or a list of them, found `pod`",
                "kaudit: error: rate_limit: expected a whole number from 1 to 100000",
            ],
        ),
        (json!({ "config_file": "nowhere.yaml" }), &["kaudit: nowhere.yaml: error: cannot read: "]),
        (
            json!({ "config_file": "kaudit.yaml", "shape": "bulk" }),
            &["kaudit: error: shape: not allowed together with `config_file`; set it in the file"],
        ),
        (
            json!({ "config_file": file }),
            &[
                &at("1:15: error: unrecognised: expected wrap, pass or drop"),
                &at("2:15: error: integrations: "),
            ],
        ),
    ];
    for (options, expected) in table {
        let Err(Error::Refused(lines)) = ask("mistakes", options, Vec::new()) else { panic!("{options}") };
        let mut lines: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        lines.sort_unstable();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
        for (line, start) in lines.iter().zip(expected) {
            assert!(line.starts_with(start), "{line}\nexpected {start}");
        }
    }
}

#[test]
fn an_event_keeps_its_mode() {
    let with_message = |message: &str| {
        let mut log = finding();
        log["message"] = message.into();
        json!({ "log": log })
    };
    let text = |event: Value| ("text", event);
    let table = |event: Value| ("table", event);
    for (mode, event) in [
        text(json!({ "log": { "message": FINDING, "host": "node-1" } })),
        // A decoded finding may have a message beside its fields; a message that contains a finding takes precedence.
        text(with_message(FINDING)),
        text(json!({ "log": { "message": "starting up", "host": "node-1" } })),
        text(
            json!({ "log": { "message": "starting up", "kubernetes": { "pod_name": "p" }, "host": "node-1" } }),
        ),
        text(
            json!({ "log": { "message": format!("[exporter] {FINDING}"), "kubernetes": { "pod_name": "p" } } }),
        ),
        text(json!({ "log": { "message": format!("[{FINDING}]"), "kubernetes": { "pod_name": "p" } } })),
        text(with_message(&format!("[exporter] {FINDING}"))),
        text(with_message(&format!("\n[{FINDING}]"))),
        table(with_message("starting up")),
        table(with_message("starting {up}")),
        table(json!({ "log": { "message": "starting {up}", "log_processed": finding() } })),
        table(json!({ "log": { "message": "starting up", "payload": FINDING } })),
        table(json!({ "log": { "log_processed": finding(), "stream": "stdout" } })),
        table(json!({ "log": finding() })),
        table(json!({ "log": { "level": "info" } })),
        table(json!({ "log": { "message": 7 } })),
        table(json!({ "log": {} })),
    ] {
        let left = &emitted("modes", json!({}), vec![event.clone()])[0];
        let entry = match mode {
            "text" => serde_json::from_str(left["message"].as_str().unwrap_or_default()).unwrap_or_default(),
            _ => left.clone(),
        };
        assert_eq!(entry["timestamp"], NOW, "{event} left as {left}");
        assert!(entry["text"].is_object(), "{event} left as {left}");
        // The text mode does not change the rest of the event.
        assert_eq!(left.get("host"), event["log"].get("host"));
        // In the table mode, every entry is a table.
        let left = &emitted("modes", json!({ "way": "table" }), vec![event])[0];
        assert_eq!((&left["timestamp"], left["text"].is_object()), (&json!(NOW), true), "{left}");
    }
}

#[test]
fn tables_survive() {
    let date =
        json!({ "year": 2020, "month": 3, "day": 1, "hour": 16, "min": 0, "sec": 0, "nanosec": 5_000_000 });
    let mut log = finding();
    log["nested"] =
        json!({ "whole": 9_007_199_254_740_993_i64, "half": 0.5, "list": [1, [2, "x"], { "a": true }] });
    log["seen"] = date;
    // Lua has one empty table, and Vector no null for it.
    log["empty"] = json!([]);
    log["none"] = Value::Null;
    let mut text = log.clone();
    text["seen"] = (NOW + 5).into();
    text["empty"] = json!({});
    text["none"] = "".into();
    let left = emitted("tables", json!({}), vec![json!({ "log": log })]);
    assert_eq!(left[0]["text"], text);

    // A text that has to change is built from its document; only a date in it becomes a string.
    log["kaudit_filter"] = json!({ "mine": 1 });
    text["seen"] = "2020-03-01T16:00:00.005000000Z".into();
    text["kaudit_filter"] = json!({ "previous": { "mine": 1 } });
    let left = emitted("tables", json!({}), vec![json!({ "log": log })]);
    assert_eq!(left[0]["text"], text);
}

#[test]
fn the_time_of_a_finding_may_be_a_date() {
    let mut log = finding();
    log.as_object_mut().expect("an object").remove("time");
    log["timestamp"] = json!({ "year": 2020, "month": 3, "day": 1, "hour": 15, "min": 59, "sec": 59 });
    assert_eq!(emitted("dates", json!({}), vec![json!({ "log": log })])[0]["timestamp"], NOW - 1000);
}

#[test]
fn envelopes_are_left_to_the_sink() {
    for log in [json!({ "message": FINDING, "host": "node-1" }), finding()] {
        let mut left = emitted("bulk", json!({ "shape": "bulk" }), vec![json!({ "log": log })]).remove(0);
        let text = left["text"].take();
        let text: Value = serde_json::from_str(text.as_str().expect("a string")).expect("JSON in it");
        assert_eq!(text, finding());
        let item = json!({
            "timestamp": NOW, "severity": 6, "category": "incident", "className": "principal", "threadId": "johnD",
            "text": null,
        });
        assert_eq!(left, item);
    }
}

#[test]
fn the_sink_of_the_otlp_example_builds_valid_requests() {
    let example = include_str!("../../../examples/vector/otlp.yaml");
    let example: Value = serde_saphyr::from_str(example).expect("the example is YAML");
    let sink = &example["sinks"]["collector"];
    // Only these events become a list, between brackets of Vector's own: `src/sinks/http/encoder.rs`.
    assert_eq!(sink["encoding"]["codec"], "json");
    assert_eq!(sink["framing"]["character_delimited"]["delimiter"], ",");
    let events = vec![
        json!({ "log": { "message": FINDING, "host": "node-1" } }),
        json!({ "log": finding() }),
        json!({ "log": { "message": "starting up" } }),
    ];
    let events = emitted("otlp", json!({ "shape": "otlp" }), events);
    let messages: Vec<&str> = events.iter().map(|log| log["message"].as_str().expect("a text")).collect();
    assert_eq!(messages.len(), 3);
    assert_eq!((&events[0]["host"], &events[1]), (&json!("node-1"), &json!({ "message": messages[1] })));
    let wrapper = ["payload_prefix", "payload_suffix"].map(|part| sink[part].as_str().expect("a text"));
    let request = format!("{}[{}]{}", wrapper[0], messages.join(","), wrapper[1]);
    let limits = Limits { now_ms: NOW, max_entry_bytes: 30_000 };
    assert_eq!(contract::otlp::check_request(request.as_bytes(), &limits), []);
    let request = serde_json::from_str(&request).expect("JSON");
    let entities: Vec<Value> = contract::otlp::logs(&request).map(|mut log| log.text["eid"].take()).collect();
    assert_eq!(entities, [json!("johnD"), json!("johnD"), Value::Null]);
}

#[test]
fn summaries_are_emitted_in_the_mode_of_the_last_event() {
    let options = json!({ "rate_limit": 1, "rate_limit_by": "entity" });
    let line = || json!({ "log": { "message": FINDING } });
    let left = emitted("summary", options.clone(), vec![line(), line(), line()]);
    let summary: Value =
        serde_json::from_str(left[1]["message"].as_str().expect("a text")).expect("an entry");
    assert_eq!((left.len(), &summary["text"]["kaudit_filter"]["summary"]["suppressed"]), (2, &json!(2)));

    let table = || json!({ "log": finding() });
    let left = emitted("summary", options, vec![table(), table(), table()]);
    assert_eq!((left.len(), &left[1]["text"]["kaudit_filter"]["summary"]["key"]), (2, &json!("johnD")));
}

/// A finding of another entity.
fn finding_of(entity: &str) -> String {
    FINDING.replace("johnD", entity)
}

#[test]
fn each_finding_of_a_batch_becomes_an_event() {
    let options = json!({ "entity_no_match": "^system:" });
    let lines = ["a", "system:b", "c", "d"].map(finding_of).join("\n");
    let list: Vec<Value> = ["a", "system:b", "c", "d"]
        .map(|entity| serde_json::from_str(&finding_of(entity)).expect("JSON"))
        .into();
    for (mode, log) in [
        ("text", json!({ "message": lines, "host": "node-1" })),
        ("text", json!({ "message": Value::from(list.clone()).to_string(), "host": "node-1" })),
        ("table", json!({ "records": list, "host": "node-1" })),
        ("namespace", Value::from(lines.as_str())),
    ] {
        let ran = ran("batches", &options, vec![json!({ "log": log })]);
        assert_eq!(ran.verdicts, ["kept", "dropped: entity-no-match", "kept", "kept"], "{ran:?}");
        let entries: Vec<Value> = ran
            .events
            .iter()
            .map(|event| {
                let text = &event["message"];
                if mode == "text" {
                    assert_eq!(event["host"], "node-1", "the rest of the event is not touched");
                }
                text.as_str()
                    .map_or_else(|| event.clone(), |text| serde_json::from_str(text).expect("an entry"))
            })
            .collect();
        let entities: Vec<&Value> = entries.iter().map(|entry| &entry["text"]["eid"]).collect();
        assert_eq!(entities, ["a", "c", "d"], "{ran:?}");
        assert_eq!((ran.statistics["batches"], ran.statistics["batch-items"]), (1, 4));
    }
}

#[test]
fn a_log_that_is_a_text_becomes_a_message() {
    let options = json!({ "rate_limit": 1, "rate_limit_by": "entity" });
    let event = || json!({ "log": FINDING });
    let entry = |log: &Value| -> Value {
        assert_eq!(log.as_object().map(serde_json::Map::len), Some(1), "{log}");
        serde_json::from_str(log["message"].as_str().expect("a text")).expect("JSON")
    };
    let left = emitted("scalars", options, vec![event(), event()]);
    assert_eq!(entry(&left[0])["threadId"], "johnD");
    assert_eq!(entry(&left[1])["text"]["kaudit_filter"]["summary"]["suppressed"], 1, "the filter's own");
    for (log, text) in [(json!("starting up"), "starting up"), (json!(7), "7"), (json!(false), "false")] {
        let left = emitted("scalars", json!({}), vec![json!({ "log": log })]);
        assert_eq!(entry(&left[0])["text"]["message"], text);
        let left = emitted("scalars", json!({ "unrecognised": "pass" }), vec![json!({ "log": log })]);
        assert_eq!(left, [json!({ "message": text })]);
    }
    let left = emitted("scalars", json!({ "way": "table" }), vec![event()]);
    assert_eq!((&left[0]["threadId"], &left[0]["text"]), (&json!("johnD"), &finding()));
    // A list is decoded: it is emitted as a table.
    let left = emitted("scalars", json!({}), vec![json!({ "log": [finding(), finding()] })]);
    assert_eq!((left.len(), &left[1]["text"]), (2, &finding()));
}

#[test]
fn a_finding_inside_the_log_is_emitted_alone() {
    let log = json!({ "log_processed": finding(), "stream": "stdout", "time": "2020-03-01T15:59:00Z" });
    let left = emitted("wrapped", json!({}), vec![json!({ "log": log })]);
    assert_eq!((&left[0]["text"], &left[0]["timestamp"]), (&finding(), &json!(NOW)));
}

#[test]
fn no_error_loses_an_event() {
    let mut log = finding();
    log["spoil"] = "clock".into();
    let ran = ran("errors", &json!({}), vec![json!({ "log": log }), json!({ "log": finding() })]);
    let error = ran.verdicts[0].strip_prefix("failed: ").unwrap_or_else(|| panic!("{ran:?}"));
    log["kaudit_filter"] = json!({ "error": error });
    assert_eq!(ran.events[0], log);
    assert_eq!(ran.verdicts[1], "kept");
    assert_eq!((ran.statistics["failed"], ran.statistics["records"]), (1, 1));
}

/// Returns the value of the metric with this name and these tags.
fn metric(ran: &Ran, name: &str, tags: &Value) -> u64 {
    let found: Vec<&Value> =
        ran.metrics.iter().filter(|metric| metric["name"] == name && &metric["tags"] == tags).collect();
    let [metric] = found[..] else { panic!("{name} {tags}: {found:?}") };
    assert_eq!((&metric["namespace"], &metric["kind"]), (&json!("kaudit"), &json!("absolute")));
    let value = metric["counter"]["value"].as_f64().or_else(|| metric["gauge"]["value"].as_f64());
    // A whole number has no fraction in this form.
    let text = value.map(|value| value.to_string()).unwrap_or_default();
    text.parse().unwrap_or_else(|_| panic!("{metric}"))
}

#[test]
fn metric_events_have_the_values_of_the_counters() {
    let mut spoilt = finding();
    spoilt["spoil"] = "clock".into();
    let unlimited = json!({ "message": FINDING.replace("johnD", "alice") });
    let logs = [
        json!({ "message": FINDING }),
        json!({ "message": FINDING }),
        unlimited,
        json!({ "message": FINDING.replace("principal", "resource") }),
        json!({ "message": "starting up" }),
        json!({ "message": format!("{FINDING}\n{FINDING}") }),
        spoilt,
    ];
    let options = json!({ "etype": "principal", "rate_limit": 1, "rate_limit_by": "entity" });
    let ran = ran("metrics", &options, logs.map(|log| json!({ "log": log })).to_vec());
    let count =
        |name: &str| ran.statistics.get(name).copied().unwrap_or_else(|| panic!("no {name}: {ran:?}"));
    for (counter, name, tags) in [
        ("records", "received_records_total", json!({})),
        ("batch-items", "batch_items_total", json!({})),
        ("batches", "records_total", json!({"verdict": "batch"})),
        ("suppressed", "records_total", json!({"verdict": "suppressed"})),
        ("kept.detections", "records_total", json!({"verdict": "kept", "kind": "detections"})),
        ("kept.unrecognised", "records_total", json!({"verdict": "kept", "kind": "unrecognised"})),
        ("dropped.etype", "records_total", json!({"verdict": "dropped", "reason": "etype"})),
        ("kept.total", "entries_total", json!({"origin": "finding"})),
        ("summaries", "entries_total", json!({"origin": "summary"})),
        ("summarised", "reported_findings_total", json!({"by": "summary"})),
        ("failed", "unfiltered_chunks_total", json!({"cause": "failed"})),
    ] {
        assert!(count(counter) > 0, "{counter}: {ran:?}");
        assert_eq!(metric(&ran, name, &tags), count(counter), "{counter}");
    }
    assert_eq!(metric(&ran, "pending_findings", &json!({"by": "summary"})), 0);
    // Vector builds a new transform for another configuration.
    assert_eq!(metric(&ran, "config_loads_total", &json!({"result": "loaded"})), 1);
    assert_eq!(metric(&ran, "limiter_keys", &json!({})), 2);
    let verdicts: u64 = ran
        .metrics
        .iter()
        .filter(|metric| metric["name"] == "records_total")
        .map(|each| metric(&ran, "records_total", &each["tags"]))
        .sum();
    assert_eq!(verdicts, count("records") + count("batch-items"));
}

#[test]
fn an_event_that_emit_rejects_keeps_its_content() {
    let mut log = finding();
    log["spoil"] = "function".into();
    let line = json!({ "message": FINDING, "kaudit_filter": { "mine": 1 }, "spoil": "event" });
    let lines = json!({ "message": format!("{FINDING}\n{FINDING}"), "spoil": "event" });
    for mut log in [log, line, lines] {
        let ran = ran("refused", &json!({}), vec![json!({ "log": log })]);
        assert_eq!((ran.statistics["failed"], ran.events.len()), (1, 1), "{ran:?}");
        let mut left = ran.events[0].clone();
        // Values that no event can contain become text.
        let spoil = left["spoil"].take();
        assert!(
            spoil.as_str().is_some_and(|spoil| spoil.contains("nan") || spoil.contains("function")),
            "{left}"
        );
        let error = match log["spoil"].take().as_str() {
            Some("function") => json!("runtime error: unsupported Lua type function"),
            _ => json!("runtime error: NaN not supported"),
        };
        log["kaudit_filter"] = match log.get("kaudit_filter") {
            Some(own) => json!({ "error": error, "previous": own }),
            None => json!({ "error": error }),
        };
        assert_eq!(left, log);
    }
}
