//! `kaudit-filter endpoint` as a process: responses, page, log and counters.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

/// The time of the endpoint (`--now`) and of the entries.
const NOW: i64 = 1_773_748_800_000;

struct Endpoint {
    child: Child,
    log: BufReader<ChildStderr>,
    url: String,
}

/// The exit code, and the log since the start.
type End = (Option<i32>, String);

impl Endpoint {
    fn start(arguments: &[&str]) -> Self {
        let now = NOW.to_string();
        let mut child = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"))
            .args(["endpoint", "--listen", "127.0.0.1:0", "--now", &now])
            .args(arguments)
            .env("TEST_KEY", "secret-key")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        log.read_line(&mut first).unwrap();
        let url = first.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{first}")).to_owned();
        Self { child, log, url }
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Option<(u16, Value)> {
        let request = minreq::post(format!("{}{path}", self.url)).with_headers(headers.iter().copied());
        let response = request.with_body(body.into()).with_timeout(30).send().ok()?;
        // A closed connection has no response.
        Some((response.status_code, serde_json::from_slice(response.as_bytes()).ok()?))
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let response = minreq::get(format!("{}{path}", self.url)).with_timeout(30).send().unwrap();
        (response.status_code, serde_json::from_slice(response.as_bytes()).unwrap())
    }

    fn search(&self, query: &str) -> (u16, Value) {
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish();
        self.get(&format!("/entries?{query}"))
    }

    /// Sends SIGINT, as Ctrl-C does.
    fn stop(mut self) -> End {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // After a failed test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const KEY: (&str, &str) = ("Authorization", "Bearer secret-key");

fn entry(eid: &str, short_doc: &str) -> Value {
    json!({
        "applicationName": "prod-eu", "subsystemName": "kaudit-detections", "severity": 5, "timestamp": NOW,
        "text": {"eid": eid, "short-doc": short_doc, "category": "anomaly"},
    })
}

fn log(text: &str) -> Value {
    json!({"severity": 3, "timestamp": NOW, "text": text})
}

fn envelope(logs: &[Value]) -> Value {
    json!({"applicationName": "prod-eu", "subsystemName": "kaudit-selections", "logEntries": logs})
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const PATTERN: &str = "Change in usage pattern";

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
        ("/logs/v1/singles", vec![KEY, gzip], gzipped(&both.to_string()), 2),
        ("/logs/v1/bulk", vec![KEY], bulk.to_string().into_bytes(), 2),
        ("/logs/v1/bulk", vec![KEY, gzip], gzipped(&format!("{bulk:#}")), 2),
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
fn older_forms_are_answered_with_the_current_one() {
    let endpoint = Endpoint::start(&[]);
    let good = json!([entry("johnD", PATTERN)]).to_string();
    let bulk = envelope(&[log("a")]).to_string();
    let old = ("private_key", "hidden");
    for (path, headers, body, status, current) in [
        (
            "/logs/v1/singles",
            vec![old],
            &good,
            401,
            "the header `private_key` is an older form: send the key as `Authorization: Bearer KEY`",
        ),
        ("/api/v1/logs", vec![old], &bulk, 401, "send the key as `Authorization: Bearer KEY`"),
        (
            "/logs/rest/singles",
            vec![KEY],
            &good,
            404,
            "/logs/rest/singles is an older path: post to /logs/v1/singles",
        ),
        ("/logs/rest/bulk/", vec![KEY], &bulk, 404, "is an older path: post to /logs/v1/bulk"),
        ("/logs/rest/bulk", vec![old], &bulk, 404, "is an older path: post to /logs/v1/bulk"),
        ("/logs/v2/singles", vec![KEY], &good, 404, "unknown path: post entries to /logs/v1/singles"),
    ] {
        let (found, answer) = endpoint.post(path, &headers, body.clone()).unwrap();
        assert_eq!(found, status, "{path}: {answer}");
        assert!(answer["reasons"][0].as_str().unwrap().contains(current), "{path}: {answer}");
    }
    // Both headers, as a sender has during a migration.
    assert_eq!(endpoint.post("/logs/v1/singles", &[KEY, old], good).unwrap().0, 200);

    let mut object = entry("johnD", PATTERN);
    let text = object.as_object_mut().unwrap().remove("text").unwrap();
    object["json"] = text;
    let (_, answer) = endpoint.post("/logs/v1/singles", &[KEY], json!([object]).to_string()).unwrap();
    assert!(
        answer.to_string().contains("`json` is not a member of an entry: send the object as `text`"),
        "{answer}"
    );

    let counts = json!({"requests": 7, "refused": 5, "faults": 0, "accepted": 1, "rejected": 1});
    assert_eq!(endpoint.get("/counts"), (200, counts));
    let (code, log) = endpoint.stop();
    assert_eq!((code, log.matches(": rejected with 4").count()), (Some(1), 5), "{log}");
    assert!(!log.contains("hidden"), "{log}");
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

/// A path, headers and a body; the expected status and reason.
type Wrong<'a> = (&'a str, &'a [(&'a str, &'a str)], Vec<u8>, u16, &'a str);

#[test]
fn an_invalid_request_is_rejected_as_a_whole() {
    let endpoint = Endpoint::start(&["--key-env", "TEST_KEY"]);
    let good = json!([entry("johnD", PATTERN)]).to_string();
    let bulk = envelope(&[log("a")]).to_string();
    let nameless = bulk.replace("prod-eu", " ");
    let gzip = ("Content-Encoding", "gzip");
    let large = format!("[{}]", vec![good.trim_matches(['[', ']']); 12_000].join(","));
    let bomb = gzipped(&" ".repeat(10_000_000));
    let other = [("Authorization", "Bearer other")];
    let table: [Wrong<'_>; 13] = [
        ("/logs/v1/singles", &[], good.clone().into(), 401, "no key"),
        ("/logs/v1/singles", &[("Authorization", "Bearer ")], good.clone().into(), 401, "no key"),
        ("/logs/v1/singles", &other, good.clone().into(), 403, "wrong key"),
        ("/api/v1/logs", &[], bulk.clone().into(), 401, "no key"),
        ("/logs/v1/singles", &[KEY, gzip], good.clone().into(), 400, "the body cannot be read"),
        ("/logs/v1/singles", &[KEY], gzipped(&good), 400, "the body is gzip"),
        ("/logs/v1/singles", &[KEY, ("Content-Encoding", "br")], good.clone().into(), 415, "encoding"),
        ("/logs/v1/singles", &[KEY], good[..50].into(), 400, "the list is not JSON: EOF"),
        ("/logs/v1/singles", &[KEY], b"{\"text\":\"\xff\"}".to_vec(), 400, "the body is not UTF-8"),
        (
            "/logs/v1/singles",
            &[KEY],
            large.into(),
            413,
            "request body too large: it must be smaller than 2000000 bytes",
        ),
        (
            "/logs/v1/singles",
            &[KEY, gzip],
            bomb,
            413,
            "request body too large: it must be smaller than 2000000 bytes",
        ),
        ("/logs/v1/bulk", &[KEY], nameless.into(), 400, "/applicationName: "),
        ("/logs", &[KEY], good.clone().into(), 404, "unknown path: post entries to /logs/v1/singles"),
    ];
    for (path, headers, body, status, reason) in table {
        let (found, answer) = endpoint.post(path, headers, body).unwrap();
        assert_eq!(found, status, "{path} {reason}: {answer}");
        assert!(answer["reasons"][0].as_str().unwrap().starts_with(reason) || status == 415, "{answer}");
    }
    assert_eq!(endpoint.get("/logs/v1/bulk").0, 405);
    let (_, counts) = endpoint.get("/counts");
    assert_eq!(
        (&counts["refused"], &counts["accepted"], &counts["rejected"]),
        (&json!(12), &json!(0), &json!(0))
    );
    let (code, log) = endpoint.stop();
    assert_eq!(code, Some(1));
    assert!(!log.contains("secret-key") && !log.contains("other"), "{log}");
}

#[test]
fn faults_are_injected_in_order() {
    let endpoint =
        Endpoint::start(&["--fault", "429:1", "--fault", "503:1", "--fault", "reset:1", "--fault", "slow:1"]);
    let good = json!([entry("johnD", PATTERN)]).to_string();
    let post = || endpoint.post("/logs/v1/singles", &[KEY], good.clone());
    let statuses: Vec<Option<u16>> = (0..5).map(|_| post().map(|(status, _)| status)).collect();
    assert_eq!(statuses, [Some(429), Some(503), None, Some(200), Some(200)]);
    let counts = json!({"requests": 5, "refused": 0, "faults": 4, "accepted": 2, "rejected": 0});
    assert_eq!(endpoint.get("/counts"), (200, counts));
    let (code, log) = endpoint.stop();
    assert_eq!(code, Some(0));
    for line in ["status 429", "status 503", "connection closed", "answered after 3s"] {
        assert!(log.contains(&format!("injected fault: {line}")), "no {line:?} in {log}");
    }
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

#[test]
fn the_page_makes_no_external_requests() {
    let endpoint = Endpoint::start(&[]);
    for (path, content_type) in [
        ("", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let response = minreq::get(format!("{}{path}", endpoint.url)).with_timeout(30).send().unwrap();
        let header = |name: &str| {
            let found = response.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map_or("", |(_, value)| value.as_str())
        };
        assert_eq!((response.status_code, header("content-type")), (200, content_type));
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = response.as_str().unwrap().replace("http://www.w3.org/2000/svg", "");
        assert!(!path.is_empty() || text.contains("test double"), "the page states its purpose");
        for foreign in ["http://", "https://", "@import", "innerHTML"] {
            assert!(!text.contains(foreign), "{path} has {foreign}");
        }
    }
    assert_eq!(endpoint.stop().0, Some(0));
}

#[test]
fn wrong_usage_is_explained() {
    for (arguments, expected) in [
        (["--key-env", "NO_SUCH_VARIABLE"], "--key-env NO_SUCH_VARIABLE: the variable is not set"),
        (["--fault", "fast:1"], "expected `429:10s`"),
        (["--keep", "0"], "--keep"),
        (["--listen", "203.0.113.1:80"], "--listen 203.0.113.1:80: cannot listen"),
        (["--listen", "127.0.0.1"], "expected a port such as `8080`"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"))
            .arg("endpoint")
            .args(arguments)
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.contains(expected), "{log}");
    }
}
