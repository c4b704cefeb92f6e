//! Entries that arrive by REST.

use serde_json::{Value, json};

use super::{Endpoint, KEY, NOW, PATTERN, entry, envelope, gzipped, log};

#[test]
fn valid_entries_are_accepted_in_every_form_and_found() {
    let endpoint = Endpoint::start(&["--key-env", "TEST_KEY"]);
    let (john, jane) = (entry("johnD", PATTERN), entry("jane", PATTERN));
    let both = json!([john, jane]);
    let bulk = envelope(&[log(r#"{"rule":"exec into pod","principal":"johnD"}"#), log("plain words")]);
    let mut old = bulk.clone();
    old["privateKey"] = "secret-key".into();
    let gzip = ("Content-Encoding", "gzip");
    for (path, headers, body, accepted) in [
        ("/logs/v1/singles", vec![KEY], both.to_string().into_bytes(), 2),
        ("/logs/v1/singles", vec![KEY], format!("{both:#}").into_bytes(), 2),
        ("/logs/v1/singles", vec![KEY], format!("{john}\n{jane}\r\n\n").into_bytes(), 2),
        ("/logs/v1/singles", vec![KEY], format!("{john:#}").into_bytes(), 1),
        ("/logs/v1/singles", vec![KEY, gzip], gzipped(both.to_string()), 2),
        ("/logs/v1/bulk", vec![KEY], bulk.to_string().into_bytes(), 2),
        ("/logs/v1/bulk", vec![KEY, gzip], gzipped(format!("{bulk:#}")), 2),
        ("/api/v1/logs", vec![KEY], bulk.to_string().into_bytes(), 2),
        ("/api/v1/logs", vec![], old.to_string().into_bytes(), 2),
    ] {
        let (status, mut answer) = endpoint.post(path, &headers, body).unwrap();
        let advice = answer.as_object_mut().unwrap().remove("advice");
        let expected = (200, json!({"accepted": accepted, "rejected": 0, "rejections": []}));
        assert_eq!((status, answer), expected, "{path}");
        // The older path is accepted, and the response names the current one.
        let names_current = advice.is_some_and(|advice| advice.as_str().unwrap().contains("/logs/v1/bulk"));
        assert_eq!(names_current, path == "/api/v1/logs");
    }
    for (query, found) in [
        ("eid:johnD AND short-doc:\"Change in usage pattern\"", 5),
        ("eid:JohnD AND short-doc: \u{201d}Change in usage pattern\u{201d}", 5),
        ("short-doc:\"Change in usage pattern\"", 9),
        ("rule:exec* AND principal:johnD", 4),
        ("coralogix.metadata.subsystemName:\"kaudit-selections\" AND \"plain words\"", 4),
        ("eid:unknown", 0),
    ] {
        let (status, answer) = endpoint.search(query);
        assert_eq!((status, &answer["found"]), (200, &json!(found)), "{query}: {answer}");
    }
    let (status, answer) = endpoint.search("eid:[a TO b]");
    assert_eq!(status, 400);
    assert!(answer["reasons"][0].as_str().unwrap().starts_with("query: column 5: `[`"), "{answer}");

    let (code, log) = endpoint.stop();
    assert_eq!(code, Some(0), "{log}");
    for row in ["requests           9", "accepted        17", "rejected         0"] {
        assert!(log.contains(row), "no {row:?} in {log}");
    }
    assert!(!log.contains("secret-key"), "{log}");
    assert_eq!(log.matches("/api/v1/logs is an older path").count(), 2, "{log}");
}

#[test]
fn every_published_form_of_the_time_is_accepted() {
    let endpoint = Endpoint::start(&[]);
    let with = |more: Value| {
        let mut entry = entry("johnD", PATTERN);
        entry.as_object_mut().unwrap().remove("timestamp");
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    let nanoseconds = format!("{NOW}123456");
    let good = json!([
        with(json!({})),
        with(json!({"hiResTimestamp": nanoseconds})),
        with(json!({"timestamp": 1_773_748_740_000.25}))
    ]);
    let (status, answer) = endpoint.post("/logs/v1/singles", &[KEY], good.to_string()).unwrap();
    assert_eq!((status, &answer["accepted"], &answer["rejected"]), (200, &json!(3), &json!(0)), "{answer}");
    let logs = [
        json!({"severity": 3, "text": "a"}),
        json!({"severity": 3, "text": "a", "hiResTimestamp": nanoseconds}),
    ];
    let (_, answer) = endpoint.post("/logs/v1/bulk", &[KEY], envelope(&logs).to_string()).unwrap();
    assert_eq!(answer["accepted"], 2, "{answer}");
    // The age is computed from either member.
    let old = json!([with(json!({"hiResTimestamp": "1583078400000000000"}))]);
    let (_, answer) = endpoint.post("/logs/v1/singles", &[KEY], old.to_string()).unwrap();
    let reason = answer["rejections"][0]["reasons"][0].as_str().unwrap();
    assert!(reason.starts_with("hiResTimestamp is more than 24 hours old"), "{answer}");
    assert_eq!(endpoint.search(&format!("coralogix.timestamp:{NOW}")).1["found"], 2);
    assert_eq!(endpoint.stop().0, Some(1));
}

#[test]
fn entries_that_coralogix_would_drop_or_alter_are_reported() {
    let endpoint = Endpoint::start(&[]);
    let good = entry("johnD", PATTERN);
    let with = |member: &str, value: Value| {
        let mut entry = good.clone();
        entry[member] = value;
        entry
    };
    let list = json!([
        good,
        with("severity", 7.into()),
        with("timestamp", (NOW / 1000).into()),
        with("privateKey", "hidden".into())
    ]);
    let (status, answer) = endpoint.post("/logs/v1/singles", &[KEY], list.to_string()).unwrap();
    assert_eq!((status, &answer["accepted"], &answer["rejected"]), (200, &json!(1), &json!(3)));
    let reasons = [
        (0, 1, "/severity: "),
        (1, 2, "timestamp is more than 24 hours old"),
        (2, 3, "/: Additional properties are not allowed"),
    ];
    for (index, entry, reason) in reasons {
        let rejection = &answer["rejections"][index];
        assert_eq!(rejection["entry"], entry);
        assert!(rejection["reasons"][0].as_str().unwrap().starts_with(reason), "{rejection}");
    }

    let lines = format!("{good}\nno json\n{}", with("text", "x".repeat(40_000).into()));
    let (_, answer) = endpoint.post("/logs/v1/singles", &[KEY], lines).unwrap();
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(1), &json!(2)), "{answer}");

    let logs = [log("a"), json!({"severity": 9, "timestamp": NOW, "text": "b"}), log("c")];
    let (_, answer) = endpoint.post("/logs/v1/bulk", &[KEY], envelope(&logs).to_string()).unwrap();
    assert_eq!((&answer["accepted"], &answer["rejections"][0]["entry"]), (&json!(2), &json!(1)), "{answer}");

    // A query finds only accepted entries; the list also contains rejected ones.
    assert_eq!(endpoint.search("eid:johnD").1["found"], 2);
    let (_, all) = endpoint.get("/entries");
    let rejected =
        all["entries"].as_array().unwrap().iter().filter(|received| received["verdict"] == "rejected");
    assert_eq!((all["found"].as_u64(), rejected.count()), (Some(10), 6));
    assert!(!all.to_string().contains("hidden"), "{all}");
    let counts = json!({"requests": 3, "refused": 0, "faults": 0, "accepted": 4, "rejected": 6});
    assert_eq!(endpoint.get("/counts"), (200, counts));

    let (code, log) = endpoint.stop();
    assert_eq!(code, Some(1));
    assert_eq!(log.matches("Coralogix would drop or alter it and answer 200").count(), 6, "{log}");
    assert!(log.contains("request 3, /logs/v1/bulk, entry 1: rejected: /logEntries/1/severity: "), "{log}");
    assert!(!log.contains("hidden"), "{log}");
}

#[test]
fn only_the_latest_entries_are_kept() {
    let endpoint = Endpoint::start(&["--keep", "2"]);
    let three = json!([entry("a", "x"), entry("b", "x"), entry("c", "x")]).to_string();
    endpoint.post("/logs/v1/singles", &[KEY], three).unwrap();
    let (_, all) = endpoint.get("/entries");
    assert_eq!((&all["found"], &all["entries"][0]["entry"]["text"]["eid"]), (&json!(2), &json!("c")));
    assert_eq!(endpoint.get("/counts").1["accepted"], 3);
    assert_eq!(endpoint.stop().0, Some(0));
}
