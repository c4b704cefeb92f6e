//! Audit events through the whole filter: rules select them, and integrations send the selections.

use kaudit_filter::config::{NoFiles, read};
use kaudit_filter::record::Record;
use kaudit_filter::stats::Reason;
use kaudit_filter::{Filter, Time, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

const POLICY: &str = "
- id: 1
  name: shells
  documentation: Somebody opens a shell.
  severity: critical
  tags: [T1609]
  conditions:
  - {field: resource-type, match-op: '=', match-value: pods}
  - {field: subresource, match-op: '=', match-value: exec}
- id: 2
  name: people
  conditions:
  - {field: principal, match-op: '!~', match-value: '^system:'}
- id: 3
  name: privileged pods
  conditions:
  - {field: request-privileged, match-op: '=', match-value: 'true'}
";

const INTEGRATIONS: &str = "
integrations:
- {type: selections, target: {target-type: slack, slack-uri: 'https://example.com'}}
use: all
";

fn filter(integrations: &str) -> Filter {
    let read = read("kaudit.yaml", &format!("{integrations}policy:{POLICY}"), &NoFiles);
    let config = read.config.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
    Filter::new(&config, 7).expect("small patterns")
}

fn event(changes: &Value) -> Value {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata",
        "auditID": "5d5d5c6e-0000-4000-8000-000000000001", "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods", "verb": "list",
        "user": {"username": "alice@example.com", "groups": ["system:authenticated"]},
        "sourceIPs": ["192.0.2.7"], "userAgent": "kubectl/v1.31.0 (linux/amd64) kubernetes/abc",
        "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": "2026-01-02T03:04:05.678901Z",
        "stageTimestamp": "2026-01-02T03:04:05.7Z",
        "annotations": {"authorization.k8s.io/decision": "allow"}
    });
    for (key, value) in changes.as_object().expect("an object") {
        event[key] = value.clone();
    }
    event
}

fn exec() -> Value {
    event(&json!({
        "verb": "get", "stage": "ResponseStarted",
        "requestURI": "/api/v1/namespaces/shop/pods/web-1/exec?command=cat&command=%2Fetc%2Fpasswd&container=web",
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "web-1", "subresource": "exec"},
        "responseStatus": {"code": 101},
    }))
}

fn machine() -> Value {
    event(&json!({"user": {"username": "system:kube-scheduler"}}))
}

/// Returns the entries' texts, and the reasons of drops.
fn run(filter: &mut Filter, record: &str) -> (Vec<Value>, Vec<Reason>) {
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    filter.process(Record::json(record), Time::from_millis(1_767_323_046_000), |verdict| match verdict {
        Verdict::Kept(entry) => {
            let mut json = Vec::new();
            entry.write_json(&mut json);
            kept.push(serde_json::from_slice(&json).expect("JSON"));
        }
        Verdict::Dropped(reason) => dropped.push(reason),
        verdict => panic!("{verdict:?}"),
    });
    (kept, dropped)
}

#[test]
fn an_event_becomes_a_selection_for_each_rule() {
    let (kept, dropped) = run(&mut filter(INTEGRATIONS), &exec().to_string());
    assert!(dropped.is_empty());
    let rules: Vec<&str> = kept.iter().map(|entry| entry["text"]["rule"].as_str().unwrap()).collect();
    assert_eq!(rules, ["shells", "people"]);
    let text = &kept[0]["text"];
    for (field, value) in [
        ("id", json!("5d5d5c6e-0000-4000-8000-000000000001")),
        ("time", json!(1_767_323_045_678_i64)),
        ("principal", json!("alice@example.com")),
        ("subresource-exec-command", json!("cat /etc/passwd")),
        ("access-type", json!("write")),
        ("resource-name", json!("shop/pods/web-1")),
        ("status-code", json!(101)),
        ("non-authorized", json!(false)),
    ] {
        assert_eq!(text[field], value, "{field}: {text:#}");
    }
    assert_eq!(kept[0]["severity"], 6);
    assert_eq!(kept[1]["severity"], 4);
    let mark = json!({"id": "1", "documentation": "Somebody opens a shell.", "tags": ["T1609"]});
    assert_eq!(text["kaudit_filter"]["rule"], mark);
}

#[test]
fn each_request_is_evaluated_once() {
    let mut filter = filter(INTEGRATIONS);
    let received = event(&json!({"stage": "RequestReceived"})).to_string();
    assert_eq!(run(&mut filter, &received).1, [Reason::Stage]);
    assert_eq!(run(&mut filter, &machine().to_string()).1, [Reason::NoRule]);
    let mut end = exec();
    end["stage"] = json!("ResponseComplete");
    assert_eq!(run(&mut filter, &end.to_string()).0.len(), 2, "the start was not seen");
    assert_eq!(run(&mut filter, &exec().to_string()).0.len(), 2);
    assert_eq!(run(&mut filter, &end.to_string()).1, [Reason::DuplicateStage]);
    let stats = filter.stats();
    let findings = stats.kept() + stats.dropped() + stats.batches;
    assert_eq!(stats.records + stats.batch_items, findings);
}

#[test]
fn events_are_found_in_every_wrapper() {
    let line = exec().to_string();
    let cri = format!("2026-01-02T03:04:05.678901234Z stdout F {line}");
    for (record, cluster) in [
        (json!({"log": line, "stream": "stdout"}), None),
        (json!({"log": cri}), None),
        (json!({"message": line, "logGroup": "/aws/eks/prod/cluster"}), Some("prod")),
        (json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [exec()]}), None),
        (
            json!({"messageType": "DATA_MESSAGE", "logGroup": "/aws/eks/prod/cluster",
                   "logEvents": [{"id": "1", "timestamp": 1, "message": line}]}),
            Some("prod"),
        ),
        (
            json!({"category": "kube-audit", "resourceId": "/SUBSCRIPTIONS/1/MANAGEDCLUSTERS/TEST",
                   "properties": {"log": line}}),
            Some("TEST"),
        ),
        (
            json!({"records": [{"category": "kube-audit", "resourceId": "/A/MANAGEDCLUSTERS/TEST",
                   "properties": {"log": line}}]}),
            Some("TEST"),
        ),
        (json!({"kubernetes": {"audit": exec()}}), None),
        (json!({"body": line}), None),
        (json!({"event": exec(), "sourcetype": "_json"}), None),
    ] {
        let (kept, dropped) = run(&mut filter(INTEGRATIONS), &record.to_string());
        assert_eq!((kept.len(), dropped.len()), (2, 0), "{record}");
        assert_eq!(kept[0]["text"].get("cluster").and_then(Value::as_str), cluster, "{record}");
    }
}

#[test]
fn a_batch_gives_a_verdict_for_each_event() {
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [machine(), exec(), machine()]});
    let (kept, dropped) = run(&mut filter(INTEGRATIONS), &list.to_string());
    assert_eq!((kept.len(), dropped), (2, vec![Reason::NoRule, Reason::NoRule]));
}

#[test]
fn one_entry_contains_all_selections_where_one_record_leaves() {
    let mut filter = filter(INTEGRATIONS);
    filter.set_single_output();
    let list = json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [machine(), exec(), machine()]});
    let (kept, dropped) = run(&mut filter, &list.to_string());
    assert_eq!((kept.len(), dropped.len()), (1, 2));
    let text = &kept[0]["text"];
    assert_eq!(text["kaudit_filter"]["selections"], 2);
    assert_eq!(text["selections"][1]["rule"], "people");
    assert_eq!(kept[0]["severity"], 6);
    let one = event(&json!({"auditID": "2"})).to_string();
    assert_eq!(run(&mut filter, &one).0[0]["text"]["rule"], "people");
    let stats = filter.stats();
    assert_eq!(stats.records + stats.batch_items, stats.kept() + stats.dropped() + stats.batches);
}

#[test]
fn bodies_never_leave() {
    // In the order of the API server.
    let head = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/pods","verb":"create","user":{"username":"bob","extra":{"token":["s3cret"]}},"objectRef":{"resource":"pods","namespace":"shop"},"responseStatus":{"code":201},"#;
    let body = r#""requestObject":{"kind":"Pod","spec":{"containers":[{"image":"s3cret","securityContext":{"privileged":true}}]}},"#;
    let tail =
        r#""responseObject":{"status":"s3cret"},"requestReceivedTimestamp":"2026-01-02T03:04:05.678901Z"}"#;
    let whole = [head, body, tail].concat();
    let cut = |length: usize| format!("{}[Truncated...]", &whole[..length]);
    let in_body = head.len() + body.len() / 2;
    for (record, rules) in [
        (whole.clone(), vec!["people", "privileged pods"]),
        (json!({"log": whole}).to_string(), vec!["people", "privileged pods"]),
        // The cut is in the request, in the response, and before the user.
        (cut(in_body), vec!["people"]),
        (json!({"log": cut(in_body)}).to_string(), vec!["people"]),
        (cut(whole.len() - 60), vec!["people", "privileged pods"]),
        (cut(180), vec![]),
        // Not cut by EKS, but broken.
        (whole[..whole.len() - 1].to_owned(), vec!["people", "privileged pods"]),
    ] {
        let (kept, _) = run(&mut filter(INTEGRATIONS), &record);
        let found: Vec<&str> =
            kept.iter().map(|entry| entry["text"]["rule"].as_str().unwrap_or("")).collect();
        assert_eq!(found, rules, "{record}");
        assert!(kept.iter().all(|entry| !entry.to_string().contains("s3cret")), "{kept:#?}");
    }
}

#[test]
fn activity_integrations_get_every_event() {
    let both = INTEGRATIONS.replace(
        "use:",
        "- {type: activity, target: {target-type: slack, slack-uri: 'https://example.com'}}\nuse:",
    );
    let (kept, dropped) = run(&mut filter(&both), &machine().to_string());
    assert!(dropped.is_empty());
    assert_eq!(kept[0]["text"]["verb"], "list");
    assert_eq!(kept[0]["text"].get("rule"), None);
    let (kept, _) = run(&mut filter(&both), &exec().to_string());
    assert_eq!(kept.len(), 3);
}

#[test]
fn legacy_lines_are_counted() {
    let line =
        "2026-01-02T03:04:05.678901234Z AUDIT: id=\"a\" stage=\"ResponseComplete\" ip=\"::1\" method=\"GET\"";
    let (_, dropped) = run(&mut filter(INTEGRATIONS), &json!({"log": line}).to_string());
    assert_eq!(dropped, [Reason::LegacyEvent]);
}

/// A value that a member of an event may have instead of its own.
fn changes() -> impl Strategy<Value = Value> {
    let user = prop::sample::select(vec![
        json!({"username": "alice@example.com", "groups": ["system:authenticated"]}),
        json!({"username": "system:kube-scheduler"}),
        json!({"username": "", "uid": "u-1", "extra": {"a": [{"b": 1}, 2.5, null]}}),
        json!({"groups": ["a"], "username": "bob", "username\u{0}": 1}),
        json!("system:kube-scheduler"),
    ]);
    let object = prop::sample::select(vec![
        json!({"resource": "pods", "namespace": "shop", "name": "web-1", "subresource": "exec"}),
        json!({"resource": "pods", "namespace": "shop", "apiVersion": "v1"}),
        json!({"resource": "pods", "subresource": 5, "name": "\u{e9}\n"}),
        json!(null),
    ]);
    let body = prop::sample::select(vec![
        json!({"kind": "Pod", "spec": {"containers": [{"securityContext": {"privileged": true}}, {}]}}),
        json!({"kind": "Pod", "spec": {"containers": []}}),
        json!("skipped-too-big-size-object"),
        json!([[], {}, [{"op": "add"}], -1, 0, 1e3, true]),
    ]);
    let verb = prop::sample::select(vec!["get", "create", "watch", "patch"]);
    let stage = prop::sample::select(vec!["ResponseComplete", "ResponseStarted", "RequestReceived"]);
    let code = prop::sample::select(vec![200, 101, 401, 403]);
    let optional = prop::option::of;
    (optional(user), optional(object), optional(body), verb, stage, code).prop_map(
        |(user, object, body, verb, stage, code)| {
            let mut changes = json!({"verb": verb, "stage": stage, "responseStatus": {"code": code}});
            for (key, value) in [("user", user), ("objectRef", object), ("requestObject", body)] {
                if let Some(value) = value {
                    changes[key] = value;
                }
            }
            changes
        },
    )
}

/// The keys with which the API server begins, and their values.
const BEGINNING: [(&str, &str); 2] = [("kind", "Event"), ("apiVersion", "audit.k8s.io/v1")];

/// Removes the keys with which the API server begins; `serde_json` sorts all keys.
fn without_beginning(mut event: Value) -> Value {
    for (key, _) in BEGINNING {
        event.as_object_mut().expect("an object").remove(key);
    }
    event
}

/// Returns an event as the API server begins it, in JSON.
fn in_order(event: Value) -> String {
    let beginning = BEGINNING.map(|(key, value)| format!("\"{key}\":\"{value}\","));
    format!("{{{}{}", beginning.concat(), &without_beginning(event).to_string()[1..])
}

/// Returns an event as the API server begins it, in MessagePack.
fn msgpack_in_order(event: Value) -> Vec<u8> {
    let members = event.as_object().expect("an object").len();
    let mut bytes = Vec::new();
    bytes.extend([0xde, 0, u8::try_from(members).expect("few")]);
    for text in BEGINNING.iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend(rmp_serde::to_vec(text).expect("a text"));
    }
    for (key, value) in without_beginning(event).as_object().expect("an object") {
        bytes.extend(rmp_serde::to_vec(&(key, value)).expect("a member").split_off(1));
    }
    bytes
}

/// The bytes of a record, damaged in some cases: cut, with another byte, or with text after it.
fn damaged(mut bytes: Vec<u8>, kind: u8, at: prop::sample::Index, byte: u8) -> Vec<u8> {
    let at = at.index(bytes.len());
    match kind {
        0 => bytes.truncate(at),
        1 => bytes[at] = byte,
        2 => bytes.extend_from_slice(&bytes.clone()[at..]),
        _ => (),
    }
    bytes
}

/// Returns each verdict on a record: its entry, or its reason.
fn verdicts(filter: &mut Filter, record: Record<'_>) -> Vec<String> {
    let mut verdicts = Vec::new();
    filter.process(record, Time::from_millis(1_767_323_046_000), |verdict| {
        verdicts.push(match verdict {
            Verdict::Kept(entry) => {
                let mut json = Vec::new();
                entry.write_json(&mut json);
                String::from_utf8_lossy(&json).into_owned()
            }
            verdict => format!("{verdict:?}"),
        });
    });
    verdicts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// The reading of events, and what is remembered of earlier ones, never change a verdict.
    #[test]
    fn remembered_events_agree_with_a_plain_reading(
        records in prop::collection::vec(
            (changes(), any::<bool>(), any::<bool>(), 0..6_u8, any::<prop::sample::Index>(), any::<u8>()),
            1..12,
        ),
    ) {
        let read = read("kaudit.yaml", &format!("{INTEGRATIONS}policy:{POLICY}"), &NoFiles);
        let config = read.config.expect("a valid configuration");
        let mut warm = Filter::new(&config, 7).expect("small patterns");
        let mut plain = Filter::new(&config, 7).expect("small patterns");
        for (number, (changes, in_log, msgpack, damage, at, byte)) in records.into_iter().enumerate() {
            let mut event = event(&changes);
            event["auditID"] = format!("id-{}", number / 2).into();
            let json = in_order(event.clone());
            let log = json!({"log": json});
            let bytes = match (in_log, msgpack) {
                (true, true) => rmp_serde::to_vec(&log).unwrap(),
                (true, false) => log.to_string().into_bytes(),
                (false, true) => msgpack_in_order(event),
                (false, false) => json.into_bytes(),
            };
            let bytes = damaged(bytes, damage, at, byte);
            let record = if msgpack { Record::msgpack(&bytes) } else { Record::json(&bytes) };
            plain.forget_caches(&config);
            prop_assert_eq!(verdicts(&mut warm, record), verdicts(&mut plain, record), "{:?}", bytes);
            prop_assert_eq!(warm.stats(), plain.stats());
        }
    }
}
