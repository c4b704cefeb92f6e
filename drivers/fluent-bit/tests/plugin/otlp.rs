//! The shape `otlp`: groups, and their way through the output.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kaudit_driver::{Event, Hex, Outcome, Record};
use serde_json::{Value, json};

use crate::agent::{Agent, NOW, SECOND, event_at, finding, finding_text, text};
use crate::output::{Received, Release, marker, send};

const RELEASES: [Release; 3] = [Release::V3, Release::V4, Release::V5];
const SUMMARIES: &str = "kaudit_filter";

/// A finding of a cluster, whose name is the application's.
fn of_cluster(entity: &str, cluster: &str) -> Record {
    text(&finding_text(entity).replace("\"etype\"", &format!("\"cluster\":\"{cluster}\",\"etype\"")))
}

/// An event with these seconds, metadata and body.
fn event(seconds: i32, metadata: &Value, body: &Value) -> Record {
    let value = |json: &Value| serde_json::from_value::<rmpv::Value>(json.clone()).expect("JSON");
    let time = rmpv::Value::Ext(0, [seconds.to_be_bytes(), [0; 4]].concat());
    let head = rmpv::Value::Array(vec![time, value(metadata)]);
    let mut bytes = Vec::new();
    let event = rmpv::Value::Array(vec![head, value(body)]);
    rmpv::encode::write_value(&mut bytes, &event).expect("a vector takes it");
    Record::Raw(Hex(bytes))
}

fn group(resource: &Value) -> Record {
    let scope = json!({"name": "collector"});
    let metadata = json!({"schema": "otlp", "resource_id": 0, "scope_id": 0});
    event(-1, &metadata, &json!({"resource": {"attributes": resource}, "scope": scope}))
}

fn end() -> Record {
    event(-2, &json!({}), &json!({}))
}

fn body(event: &Event) -> Value {
    serde_json::from_str(&event.body).expect("JSON")
}

/// Checks the structure of groups: each has an end and at least one record, and none is nested.
fn check(events: &[Event]) {
    let (mut records, mut is_open) = (0, false);
    for event in events {
        match marker(event) {
            Some(-1) => {
                assert!(!is_open, "nested");
                (records, is_open) = (0, true);
            }
            Some(_) => {
                assert!(is_open && records > 0, "an empty group");
                is_open = false;
            }
            None => records += 1,
        }
    }
    assert!(!is_open, "a group without its end");
}

/// The entities of received records with the application's name, from the resource or the record.
fn names(received: &[Received<'_>]) -> Vec<(String, String)> {
    let name = |(resource, event): &Received<'_>| {
        let attribute = |key: &str| event.metadata.as_ref()?["otlp"]["attributes"][key].as_str();
        let application =
            attribute("cx.application.name").or(resource.get("cx.application.name").map(String::as_str));
        (
            body(event)["eid"].as_str().unwrap_or_default().to_owned(),
            application.unwrap_or_default().to_owned(),
        )
    };
    received.iter().map(name).collect()
}

#[test]
fn a_resource_is_a_group_and_a_finding_its_record() {
    for layout in ["3.2", "3.2-no-regex", "5.1"] {
        let mut agent = Agent::started(layout, &["shape otlp", "unrecognised drop"]);
        let (outcome, events) = agent.events(&[
            of_cluster("a", "one"),
            text(r#"{"no":"finding"}"#),
            of_cluster("b", "two"),
            of_cluster("c", "one"),
            Record::OldEvent(finding_text("old")),
        ]);
        assert_eq!(outcome, Outcome::Replaced, "{layout}");
        check(&events);
        for release in RELEASES {
            let received = send(release, &events).expect("a request");
            let expected = [("a", "one"), ("c", "one"), ("b", "two"), ("old", "kaudit")];
            let expected = expected.map(|(entity, name)| (entity.to_owned(), name.to_owned()));
            assert_eq!(names(&received), expected, "{layout}");
            let attributes = [
                ("cx.application.name", "one"),
                ("cx.subsystem.name", "kaudit-detections"),
                ("host.name", "one"),
                ("k8s.cluster.name", "one"),
            ];
            let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned()));
            assert_eq!(received[0].0, BTreeMap::from(attributes));
        }
        let scope = &body(&events[0])["scope"];
        assert_eq!(*scope, json!({"name": "kaudit-filter", "version": env!("CARGO_PKG_VERSION")}));
        let otlp = &events[1].metadata.as_ref().expect("metadata")["otlp"];
        assert_eq!(otlp["timestamp"], 1_583_078_400_000_000_000_u64);
        assert_eq!(otlp["observed_timestamp"], NOW);
        assert_eq!(otlp["severity_number"], 17);
        assert_eq!(otlp["severity_text"], "ERROR");
        assert_eq!(
            otlp["attributes"],
            json!({"category": "anomaly", "className": "principal", "threadId": "a"})
        );
        let expected: Value = serde_json::from_str(&finding_text("a")).expect("JSON");
        let mut expected = expected.clone();
        expected["cluster"] = "one".into();
        assert_eq!(body(&events[1]), expected, "the body is the finding");
        let logged = agent.stop();
        assert_eq!(
            logged.last().expect("statistics"),
            "3 statistics: records=5 kept.detections=4 dropped.unrecognised=1"
        );
    }
}

#[test]
fn an_agent_without_groups_refuses_the_shape() {
    let refused = Agent::start("2.2", &["shape otlp"]).err().expect("no groups");
    let reason = "1 coralogix.shape: otlp: this Fluent Bit has no log groups, which contain the names of entries; use 3.1 \
                  or later, or write singles or bulk";
    assert_eq!(refused, [reason]);

    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("otlp-reload.yaml");
    let config = |shape: &str| {
        format!(
            "coralogix: {{shape: {shape}}}\nuse: all\nintegrations:\n- type: detections\n  target: {{target-type: slack, \
             slack-uri: 'https://example.com'}}\n"
        )
    };
    let option = format!("config_file {}", file.display());
    for (layout, expected) in [("2.2", reason), ("5.1", "3 reloaded: ")] {
        fs::write(&file, config("singles")).expect("a file");
        let mut agent = Agent::started(layout, &[&option, "reload_interval 1"]);
        agent.events(&[finding("a")]);
        fs::write(&file, config("otlp")).expect("a file");
        agent.now += 2 * SECOND;
        let (_, events) = agent.events(&[finding("a")]);
        let logged = agent.logged();
        assert!(logged.first().is_some_and(|line| line.starts_with(expected)), "{layout}: {logged:?}");
        assert_eq!(events.iter().filter_map(marker).count(), if layout == "2.2" { 0 } else { 2 });
    }
}

#[test]
fn a_condition_is_reported_in_this_shape() {
    for (shape, expected) in [("shape otlp", true), ("shape singles", false)] {
        let mut agent = Agent::started("5.1", &[shape, "condition x"]);
        let logged = agent.logged();
        let is_reported =
            logged.iter().any(|line| line.starts_with("2 condition: with shape otlp the names"));
        assert_eq!(is_reported, expected, "{logged:?}");
    }
}

#[test]
fn records_without_a_group_are_refused() {
    for layout in ["3.2", "5.1"] {
        let refused = Agent::start(layout, &["shape otlp", "unrecognised pass"]).err().expect("refused");
        assert!(refused[0].starts_with("1 unrecognised: pass: not available in shape otlp: "), "{refused:?}");
    }
}

#[test]
fn a_hundred_and_one_applications_in_a_chunk_all_arrive() {
    let records: Vec<_> =
        (0..101).map(|number| of_cluster(&format!("e{number}"), &format!("c{number}"))).collect();
    let expected: BTreeSet<_> = (0..101).map(|number| (format!("e{number}"), format!("c{number}"))).collect();
    for (layout, resources, release) in [("3.2", 100, Release::V3), ("5.1", 101, Release::V5)] {
        let mut agent = Agent::started(layout, &["shape otlp"]);
        // The resource is in an earlier request.
        agent.events(&[of_cluster("before", "c0")]);
        agent.now += 5 * SECOND;
        let (_, events) = agent.events(&records);
        check(&events);
        let received = send(release, &events).expect("a request");
        assert_eq!(received.len(), 101);
        assert_eq!(names(&received).into_iter().collect::<BTreeSet<_>>(), expected);
        let distinct: BTreeSet<_> = received.iter().map(|(resource, _)| resource).collect();
        assert_eq!(distinct.len(), resources, "{layout}");
        let logged = agent.stop();
        if layout == "3.2" {
            let shared: BTreeMap<_, _> =
                [("cx.application.name", "kaudit"), ("cx.subsystem.name", "kaudit-shared")]
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into();
            assert_eq!(received.iter().filter(|(resource, _)| *resource == shared).count(), 2);
            assert!(logged[0].ends_with(" kept.detections=102 otlp.shared=2"), "{logged:?}");
            assert!(
                logged[1].starts_with("2 2 entries share the resource `kaudit`, `kaudit-shared`, "),
                "{logged:?}"
            );
        } else {
            assert_eq!(logged, ["3 statistics: records=102 kept.detections=102"]);
        }
    }
}

#[test]
fn a_resource_that_continues_is_in_the_request_of_its_last_record() {
    let mut agent = Agent::started("3.2", &["shape otlp"]);
    agent.events(&[of_cluster("before", "c0")]);
    agent.now += 3 * SECOND;
    let mut chunk = agent.events(&[of_cluster("e0", "c0")]).1;
    agent.now += 2 * SECOND;
    let records: Vec<_> =
        (1..101).map(|number| of_cluster(&format!("e{number}"), &format!("c{number}"))).collect();
    chunk.extend(agent.events(&records).1);
    assert_eq!(send(Release::V3, &chunk).expect("a request").len(), 101);
}

#[test]
fn many_calls_in_one_interval_are_one_request() {
    for (layout, release) in [("3.2", Release::V3), ("5.1", Release::V4), ("5.1", Release::V5)] {
        let mut agent = Agent::started(layout, &["shape otlp"]);
        for interval in 0..2 {
            let (mut chunk, mut expected) = (Vec::new(), Vec::new());
            for call in 0..300 {
                let (entity, cluster) = (format!("e{call}"), format!("c{}", call % 2));
                chunk.extend(agent.events(&[of_cluster(&entity, &cluster)]).1);
                expected.push((entity, cluster));
            }
            check(&chunk);
            let received =
                send(release, &chunk).unwrap_or_else(|error| panic!("{layout} {interval}: {error}"));
            assert_eq!(names(&received), expected, "{layout}");
            // More than twice the agent's interval of 2 seconds.
            agent.now += 5 * SECOND;
        }
        let logged = agent.stop();
        let shared = logged.iter().any(|line| line.contains("otlp.shared=402"));
        assert_eq!(shared, layout == "3.2", "{logged:?}");
    }
}

#[test]
fn no_record_is_sent_twice() {
    for (layout, release) in [("3.2", Release::V3), ("5.1", Release::V4), ("5.1", Release::V5)] {
        let mut agent = Agent::started(layout, &["shape otlp"]);
        let (mut chunk, mut expected) = (Vec::new(), BTreeSet::new());
        for (call, records) in [700, 2500, 300, 1, 999].into_iter().enumerate() {
            let entity = |number: usize| format!("e{call}-{number}");
            let records: Vec<_> = (0..records)
                .map(|number| {
                    expected.insert(entity(number));
                    of_cluster(&entity(number), if number % 5 == 0 { "small" } else { "large" })
                })
                .collect();
            chunk.extend(agent.events(&records).1);
        }
        check(&chunk);
        let received = send(release, &chunk).expect("a request");
        assert_eq!(received.len(), expected.len(), "{release:?}");
        let found: BTreeSet<_> = names(&received).into_iter().map(|(entity, _)| entity).collect();
        assert_eq!(found, expected, "{release:?}");
    }
}

#[test]
fn resources_that_are_forgotten_are_not_confused() {
    let mut agent = Agent::started("5.1", &["shape otlp"]);
    let (mut chunk, mut expected) = (Vec::new(), Vec::new());
    for call in 0..6 {
        let records = (0..700).map(|number| {
            let (entity, cluster) = (format!("e{call}-{number}"), format!("c{}-{number}", call % 3));
            expected.push((entity.clone(), cluster.clone()));
            of_cluster(&entity, &cluster)
        });
        chunk.extend(agent.events(&records.collect::<Vec<_>>()).1);
    }
    for release in [Release::V4, Release::V5] {
        assert_eq!(names(&send(release, &chunk).expect("a request")), expected, "{release:?}");
    }
}

#[test]
fn own_events_of_the_shape_before_a_reload_leave_without_a_group() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("otlp-pending.yaml");
    let config = |shape: &str| {
        format!(
            "coralogix: {{shape: {shape}}}\nuse: all\nintegrations:\n- type: detections\n  target: {{target-type: slack, \
             slack-uri: 'https://example.com', rate-limit: 1}}\n"
        )
    };
    fs::write(&file, config("singles")).expect("a file");
    let options = [format!("config_file {}", file.display()), "reload_interval 1".to_owned()];
    let mut agent =
        Agent::start_with("5.1", "refuses", &[&options[0], &options[1]]).expect("the plugin starts");
    agent.events(&[finding("a"), finding("a")]);
    agent.now += 70 * SECOND;
    assert_eq!(suppressed(&agent.events(&[]).1), Vec::<Value>::new(), "refused");
    fs::write(&file, config("otlp")).expect("a file");
    agent.now += 2 * SECOND;
    let (_, events) = agent.events(&[finding("b")]);
    check(&events);
    let received = send(Release::V5, &events).expect("a request");
    assert_eq!(received.len(), 2);
    assert_eq!(body(received[1].1)["text"][SUMMARIES]["summary"]["suppressed"], 1, "as it was written");
}

#[test]
fn a_resource_of_many_calls_has_few_scopes() {
    let mut agent = Agent::started("3.2", &["shape otlp"]);
    let mut chunk = Vec::new();
    for call in 0..500 {
        chunk.extend(agent.events(&[of_cluster(&format!("e{call}"), "one")]).1);
    }
    assert_eq!(send(Release::V3, &chunk).expect("a request").len(), 500);
}

#[test]
fn the_group_of_a_finding_is_replaced() {
    let resource = json!({"service.name": "api", "host.name": "node", "cx.application.name": "other"});
    let otlp = json!({
        "otlp": {
            "severity_number": 1,
            "trace_id": "00112233445566778899aabbccddeeff",
            "attributes": {"log.file": "x", "className": "theirs"},
        },
        "other": 7,
    });
    let found = |entity: &str| serde_json::from_str(&finding_text(entity)).expect("JSON");
    let mut agent = Agent::started("5.1", &["shape otlp", "unrecognised drop", "entity_no_match ^system:"]);
    let (_, events) = agent.events(&[
        group(&resource),
        event(1, &otlp, &found("a")),
        event(2, &otlp, &json!({"no": "finding"})),
        end(),
        group(&json!({})),
        event(3, &otlp, &found("system:b")),
        end(),
        text(r#"{"alone":1}"#),
        group(&resource),
        event(4, &json!({}), &found("c")),
        // The group has no end.
        event(5, &json!({}), &json!({"no": "end"})),
    ]);
    check(&events);
    let received = send(Release::V5, &events).expect("a request");
    assert_eq!(received.len(), 2);
    let expected = [
        ("cx.application.name", "kaudit"),
        ("cx.subsystem.name", "kaudit-detections"),
        ("host.name", "node"),
        ("service.name", "api"),
    ];
    for received in &received {
        assert_eq!(received.0, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }
    let metadata = received[0].1.metadata.as_ref().expect("metadata");
    assert_eq!(metadata["other"], 7);
    assert_eq!(metadata["otlp"]["severity_number"], 17);
    assert_eq!(metadata["otlp"]["trace_id"], "00112233445566778899aabbccddeeff");
    assert_eq!(metadata["otlp"]["attributes"]["className"], "principal");
    assert_eq!(metadata["otlp"]["attributes"]["log.file"], "x");
    assert!(received[0].1.head.as_ref().expect("a head").to_string().starts_with("92d70000000001"));
    assert_eq!(
        agent.stop(),
        ["3 statistics: records=6 kept.detections=2 dropped.entity-no-match=1 dropped.unrecognised=3"],
        "markers are no records"
    );
}

#[test]
fn long_incoming_attributes_are_dropped() {
    let long = "x".repeat(4096);
    let resource = json!({"a": "first", "long": long, "z": "last"});
    let metadata = json!({"a": "first", "long": long, "otlp": {"trace_id": long, "attributes": resource}});
    let found = serde_json::from_str(&finding_text("a")).expect("JSON");
    let mut agent = Agent::started("5.1", &["shape otlp"]);
    let (_, events) = agent.events(&[group(&resource), event(1, &metadata, &found), end()]);
    let received = send(Release::V5, &events).expect("a request");
    assert_eq!(received[0].0["a"], "first");
    assert!(!received[0].0.contains_key("long"));
    let metadata = received[0].1.metadata.as_ref().expect("metadata");
    assert_eq!((&metadata["a"], &metadata["otlp"]["attributes"]["a"]), (&"first".into(), &"first".into()));
    assert!(!metadata.to_string().contains(&long), "{metadata}");
}

#[test]
fn with_a_redaction_nothing_incoming_is_kept() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("otlp-redact.yaml");
    let config = |rules: &str| {
        format!(
            "coralogix: {{shape: otlp}}\nuse: all\nredact: [{rules}]\nintegrations:\n- type: detections\n  target: \
             {{target-type: slack, slack-uri: 'https://example.com'}}\n"
        )
    };
    let incoming = json!({"user": "secret"});
    let metadata = json!({"user": "secret", "otlp": {"trace_id": "secret", "attributes": incoming}});
    let found = serde_json::from_str(&finding_text("a")).expect("JSON");
    let records = [group(&incoming), event(1, &metadata, &found), end()];
    let option = format!("config_file {}", file.display());
    let rule = "{field: eid, pattern: secret}";
    for (before, after) in [("", rule), (rule, "")] {
        fs::write(&file, config(before)).expect("a file");
        let mut agent = Agent::started("5.1", &[&option, "reload_interval 1"]);
        for rules in [before, after] {
            fs::write(&file, config(rules)).expect("a file");
            agent.now += 2 * SECOND;
            let (_, events) = agent.events(&records);
            let is_sent = events.iter().any(|event| {
                event.body.contains("secret")
                    || event.metadata.as_ref().is_some_and(|metadata| metadata.to_string().contains("secret"))
            });
            assert_eq!(is_sent, rules.is_empty(), "{before} {after}: {events:?}");
        }
    }
}

#[test]
fn an_integer_beyond_the_range_of_the_output_is_a_string() {
    let numbers = r#"{"π":[9223372036854775807,9223372036854775808],"n":18446744073709551615,"#;
    let found = text(&finding_text("a").replacen('{', numbers, 1));
    for record in [found, text(&json!({"log": finding_text("a").replacen('{', numbers, 1)}).to_string())] {
        let mut agent = Agent::started("5.1", &["shape otlp"]);
        let (_, events) = agent.events(&[record]);
        let body = body(&events[1]);
        assert_eq!(body["π"], json!([i64::MAX, "9223372036854775808"]));
        assert_eq!(body["n"], "18446744073709551615");
        assert_eq!(body["eid"], "a");
    }
}

#[test]
fn a_chunk_has_a_maximum_of_resources() {
    let mut agent = Agent::started("5.1", &["shape otlp"]);
    let records: Vec<_> =
        (0..1100).map(|number| of_cluster(&format!("e{number}"), &format!("c{number}"))).collect();
    let (_, events) = agent.events(&records);
    let received = send(Release::V5, &events).expect("a request");
    let expected = (0..1100).map(|number| (format!("e{number}"), format!("c{number}")));
    assert_eq!(names(&received), expected.collect::<Vec<_>>());
    let resources: BTreeSet<_> = received.iter().map(|(resource, _)| resource).collect();
    assert_eq!(resources.len(), 1025);
}

/// An event of one filter's output, for another filter.
fn again(event: &Event) -> Record {
    let head = event.head.as_ref().expect("a head").0.clone();
    let mut bytes = [&[0x92][..], &head].concat();
    let body: rmpv::Value = serde_json::from_str(&event.body).expect("JSON");
    rmpv::encode::write_value(&mut bytes, &body).expect("a vector takes it");
    Record::Raw(Hex(bytes))
}

#[test]
fn groups_of_a_filter_take_rows_of_the_request() {
    let of = |names: std::ops::Range<usize>| {
        names.map(|number| of_cluster(&format!("e{number}"), &format!("c{number}"))).collect::<Vec<_>>()
    };
    let mut first = Agent::started("3.2", &["shape otlp"]);
    let mut records: Vec<_> = first.events(&of(0..60)).1.iter().map(again).collect();
    records.extend(of(60..120));
    let mut second = Agent::started("3.2", &["shape otlp"]);
    let (_, events) = second.events(&records);
    check(&events);
    let received = send(Release::V3, &events).expect("a request");
    let expected: BTreeSet<_> = (0..120).map(|number| (format!("e{number}"), format!("c{number}"))).collect();
    assert_eq!(names(&received).into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn a_group_with_the_scope_of_the_filter_and_without_names_is_filtered() {
    let scope = json!({"name": "kaudit-filter"});
    let names = json!({"cx.application.name": "a", "cx.subsystem.name": "b"});
    let found = serde_json::from_str(&finding_text("system:a")).expect("JSON");
    let metadata = json!({"schema": "otlp", "resource_id": 0, "scope_id": 0});
    for (attributes, expected) in [
        (json!({}), "records=1 dropped.entity-no-match=1"),
        (json!({"cx.application.name": "a"}), "records=1 dropped.entity-no-match=1"),
        (names, "records=0 otlp.passed=1"),
    ] {
        let start = event(-1, &metadata, &json!({"resource": {"attributes": attributes}, "scope": scope}));
        let mut agent = Agent::started("5.1", &["shape otlp", "entity_no_match ^system:"]);
        agent.events(&[start, event(1, &json!({}), &found), end()]);
        assert_eq!(agent.stop(), [format!("3 statistics: {expected}")]);
    }
}

#[test]
fn groups_of_a_filter_pass_unchanged() {
    let mut first = Agent::started("5.1", &["shape otlp"]);
    let (_, events) = first.events(&[finding("a"), of_cluster("b", "one")]);
    let mut second = Agent::started("5.1", &["shape otlp", "entity_no_match ^system:"]);
    let mut records: Vec<_> = events.iter().map(again).collect();
    assert_eq!(second.events(&records).0, Outcome::Untouched);
    records.push(finding("system:c"));
    let (outcome, after) = second.events(&records);
    assert_eq!(outcome, Outcome::Replaced);
    assert_eq!(after, events);
    assert_eq!(second.stop(), ["3 statistics: records=1 dropped.entity-no-match=1 otlp.passed=4"]);
}

/// The numbers of suppressed findings in summaries.
fn suppressed(events: &[Event]) -> Vec<Value> {
    let counts = events.iter().map(|event| body(event)[SUMMARIES]["summary"]["suppressed"].clone());
    counts.filter(|count| !count.is_null()).collect()
}

#[test]
fn summaries_are_in_groups() {
    for (emitter, expected) in [("works", [1, 0]), ("refuses", [0, 1]), ("absent", [0, 1])] {
        let mut agent =
            Agent::start_with("3.2", emitter, &["shape otlp", "rate_limit 1"]).expect("the plugin starts");
        agent.events(&[finding("a"), finding("a"), finding("a")]);
        agent.now += 70 * SECOND;
        let due = if emitter == "absent" { Vec::new() } else { agent.events(&[]).1 };
        let next = agent.events(&[finding("b")]).1;
        for (events, expected) in [due, next].iter().zip(expected) {
            check(events);
            assert_eq!(suppressed(events), vec![Value::from(2); expected], "{emitter}");
            let received = send(Release::V3, events).expect("a request");
            assert!(received.iter().all(|(resource, _)| resource["cx.application.name"] == "kaudit"));
        }
    }
}

#[test]
fn pending_summaries_survive_a_stop_in_their_groups() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("otlp-stop");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a directory");
    let state = format!("state_path {}", folder.join("kaudit.state").display());
    // More resources than a request has.
    let options = [state.as_str(), "shape otlp", "rate_limit 1", "rate_limit_by cluster"];
    let mut agent = Agent::started("3.2", &options);
    // Its bytes contain the keys of a timestamp.
    let hostile = "¤otlp©timestampπ12345678";
    for number in 1..150 {
        agent.events(&vec![of_cluster("a", &format!("c{number}")); 2]);
    }
    agent.events(&vec![of_cluster("a", hostile); 2]);
    let kept = agent.stop().pop().expect("a line");
    assert!(kept.starts_with("3 shutdown: kept for the next start: 150 pending summaries"), "{kept}");

    let mut agent = Agent::started("3.2", &options);
    // Coralogix accepts no entry that is older than a day: they get the time of the first chunk.
    agent.now += 48 * 3600 * SECOND;
    let restart = agent.now;
    let mut clusters = BTreeSet::new();
    for call in 0..3 {
        let (_, events) = agent.events(&[finding("b")]);
        check(&events);
        let received = send(Release::V3, &events).expect("a request");
        for (resource, event) in received {
            let Some(cluster) = resource.get("k8s.cluster.name") else { continue };
            assert!(clusters.insert(cluster.clone()), "sent twice");
            assert_eq!(event.metadata.as_ref().expect("metadata")["otlp"]["timestamp"], restart);
            assert_eq!(body(event)[SUMMARIES]["summary"]["suppressed"], 1);
        }
        agent.now += 5 * SECOND;
        assert!(call > 0 || clusters.len() < 150, "the first request is full");
    }
    assert_eq!(clusters.len(), 150);
    assert!(clusters.contains(hostile));
    agent.stop();
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0, "nothing is pending");
}

#[test]
fn a_summary_waits_if_its_names_share_a_resource_in_this_chunk() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("otlp-wait");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a directory");
    let state = format!("state_path {}", folder.join("kaudit.state").display());
    let options = [state.as_str(), "shape otlp", "rate_limit 1", "rate_limit_by cluster"];
    let mut agent = Agent::started("3.2", &options);
    agent.events(&vec![of_cluster("a", "c100"); 2]);
    agent.stop();

    let mut agent = Agent::started("3.2", &options);
    let full: Vec<_> =
        (0..101).map(|number| of_cluster(&format!("e{number}"), &format!("c{number}"))).collect();
    let mut summaries = 0;
    for (records, expected) in [(full, 0), (vec![of_cluster("b", "c0")], 1)] {
        let (_, events) = agent.events(&records);
        let received = send(Release::V3, &events).expect("a request");
        let found: Vec<_> =
            received.iter().filter(|(_, event)| event.body.contains("\"suppressed\"")).collect();
        assert_eq!(found.len(), expected);
        summaries += found.len();
        for (resource, _) in found {
            assert_eq!(resource["cx.application.name"], "c100");
        }
        agent.now += 5 * SECOND;
    }
    assert_eq!(summaries, 1);
}

#[test]
fn equal_names_and_the_shared_ones_are_one_resource() {
    let options = ["shape otlp", "application_name {cluster|kaudit}", "subsystem_name kaudit-shared"];
    let mut agent = Agent::started("3.2", &options);
    let others = (0..120).map(|number| of_cluster(&format!("e{number}"), &format!("c{number}")));
    let records: Vec<_> = [finding("a")].into_iter().chain(others).collect();
    let (_, events) = agent.events(&records);
    assert_eq!(send(Release::V3, &events).expect("a request").len(), 121);
    let starts = events.iter().filter(|event| marker(event) == Some(-1));
    let shared = starts.filter(|start| {
        body(start)["resource"]["attributes"]
            == json!({"cx.application.name": "kaudit", "cx.subsystem.name": "kaudit-shared"})
    });
    let numbers = shared.map(|start| start.metadata.as_ref().expect("metadata")["resource_id"].to_string());
    assert_eq!(numbers.collect::<BTreeSet<_>>().len(), 1);
}

#[test]
fn a_malformed_chunk_and_an_empty_group_pass() {
    let mut agent = Agent::started("5.1", &["shape otlp"]);
    let broken = Record::Raw(Hex(vec![0x92]));
    assert_eq!(agent.events(&[finding("a"), broken]).0, Outcome::Untouched);
    assert_eq!(agent.events(&[group(&json!({})), end()]).0, Outcome::Untouched);
    let (outcome, events) = agent.events(&[group(&json!({})), end(), event_at(NOW, &finding_text("a"))]);
    assert_eq!(outcome, Outcome::Replaced);
    check(&events);
}
