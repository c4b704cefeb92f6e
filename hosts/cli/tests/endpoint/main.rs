//! `kaudit-filter endpoint` as a process: responses, page, log and counters.

mod faults;
mod otlp;
mod page;
mod requests;
mod rest;

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

/// Returns a header of a response; empty if it is missing.
fn header<'r>(response: &'r minreq::Response, name: &str) -> &'r str {
    let found = response.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value.as_str())
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

    /// Posts a body; returns the status, the content type and the body of the response.
    fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Option<(u16, String, Vec<u8>)> {
        let request = minreq::post(format!("{}{path}", self.url)).with_headers(headers.iter().copied());
        let response = request.with_body(body.into()).with_timeout(30).send().ok()?;
        let content_type = header(&response, "content-type").to_owned();
        if content_type.is_empty() {
            // The connection was closed without a response, for which the client invents one.
            return None;
        }
        Some((response.status_code, content_type, response.into_bytes()))
    }

    fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Option<(u16, Value)> {
        let (status, _, body) = self.send(path, headers, body)?;
        Some((status, serde_json::from_slice(&body).ok()?))
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

const PATTERN: &str = "Change in usage pattern";

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

fn gzipped(body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body.as_ref()).unwrap();
    encoder.finish().unwrap()
}
