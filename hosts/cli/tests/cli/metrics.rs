//! The metrics of `run`, `pipe` and `endpoint`, as Prometheus reads them. docs/metrics.md contains their names.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::common::program;

const NOW: i64 = 1_773_748_800_000;

const FINDING: &str =
    r#"{"etype":"principal","eid":"johnD","confidence":"high","cluster":"crm","time":1773748800000}"#;

const CONFIG: &str = "
rate-limit: {period: 1h, by: entity}
integrations:
- type: detections
  target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: 1}
";

/// Writes a configuration to a directory of a test's own.
fn config(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("metrics").join(test);
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("kaudit.yaml");
    std::fs::write(&file, CONFIG).unwrap();
    file
}

/// A program that ends with the test.
struct Program(Child);

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut command = program();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Returns the text after a word on the first line of the log.
    fn first_line(&mut self, before: &str) -> String {
        let mut line = String::new();
        BufReader::new(self.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
        line.trim().strip_prefix(before).unwrap_or_else(|| panic!("{line}")).to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the status, the content type and the body.
fn get(url: &str) -> (u16, String, String) {
    let response = minreq::get(url).with_timeout(30).send().unwrap();
    let content_type = response.headers.iter().find(|(name, _)| name == "content-type");
    let content_type = content_type.map(|(_, value)| value.clone()).unwrap_or_default();
    (response.status_code, content_type, response.as_str().unwrap().to_owned())
}

/// Returns the value of a sample.
fn value(metrics: &str, sample: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {sample}: {metrics}"))
}

#[test]
fn run_prints_the_metrics_of_its_counters() {
    let config = config("run");
    let run = |summary: &str| {
        let mut program = Program::start(&[
            "run",
            "--config",
            config.to_str().unwrap(),
            "--clock",
            "record",
            "--summary",
            summary,
            "-",
        ]);
        let mut stdin = program.0.stdin.take().unwrap();
        write!(stdin, "{FINDING}\n{FINDING}\n{{}}\nnot JSON\n{{\"records\":[{FINDING},{FINDING}]}}\n")
            .unwrap();
        drop(stdin);
        let mut text = String::new();
        program.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let metrics = run("prometheus");
    let counters = run("json");
    let counters: Value = serde_json::from_str(counters.lines().last().unwrap()).unwrap();
    for (sample, counter) in [
        ("kaudit_received_records_total", &counters["records"]),
        ("kaudit_batch_items_total", &counters["batch-items"]),
        ("kaudit_records_total{verdict=\"kept\",kind=\"detections\"}", &counters["kept"]["detections"]),
        ("kaudit_records_total{verdict=\"kept\",kind=\"unrecognised\"}", &counters["kept"]["unrecognised"]),
        ("kaudit_records_total{verdict=\"suppressed\"}", &counters["suppressed"]),
        ("kaudit_entries_total{origin=\"summary\"}", &counters["summaries"]),
        ("kaudit_reported_findings_total{by=\"summary\"}", &counters["summarised"]),
    ] {
        assert!(counter.as_u64().is_some_and(|count| count > 0), "{sample}: {counters}");
        assert_eq!(Some(value(&metrics, sample)), counter.as_u64(), "{sample}");
    }
    assert_eq!(value(&metrics, "kaudit_pending_findings{by=\"summary\"}"), 0);
    assert!(value(&metrics, "kaudit_config_loaded_timestamp_seconds") > 1_773_748_800);
}

#[test]
fn run_has_no_metrics_of_plugins() {
    let output =
        program().args(["run", "--via", "vector", "--summary", "prometheus", "/dev/null"]).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("--summary prometheus: not available with --via"), "{log}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn pipe_serves_metrics_while_it_filters() {
    let config = config("pipe");
    let mut program =
        Program::start(&["pipe", "--config", config.to_str().unwrap(), "--metrics", "127.0.0.1:0"]);
    let url = program.first_line("metrics at ");
    let (status, content_type, before) = get(&url);
    assert_eq!((status, content_type.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(value(&before, "kaudit_received_records_total"), 0);
    let mut stdin = program.0.stdin.take().unwrap();
    let mut lines = BufReader::new(program.0.stdout.take().unwrap()).lines();
    write!(stdin, "{FINDING}\n{FINDING}\n{{}}\n").unwrap();
    for _ in 0..2 {
        assert!(lines.next().unwrap().is_ok());
    }
    let (_, _, after) = get(&url);
    assert_eq!(value(&after, "kaudit_received_records_total"), 3);
    assert_eq!(value(&after, "kaudit_records_total{verdict=\"kept\",kind=\"detections\"}"), 1);
    assert_eq!(value(&after, "kaudit_records_total{verdict=\"suppressed\"}"), 1);
    assert_eq!(value(&after, "kaudit_pending_findings{by=\"summary\"}"), 1);
    assert_eq!(value(&after, "kaudit_limiter_keys"), 1);
    for path in ["", "/metrics/x"] {
        let (status, _, text) = get(&format!("{}{path}", url.trim_end_matches("/metrics")));
        assert_eq!((status, text.as_str()), (404, "the metrics are at GET /metrics\n"), "{path}");
    }
    drop(stdin);
    assert!(lines.next().unwrap().unwrap().contains("\"summary\""));
    assert_eq!(program.0.wait().unwrap().code(), Some(0));
}

#[test]
fn pipe_serves_the_previous_metrics_while_its_output_blocks() {
    let config = config("blocked");
    let mut program = Program::start(&[
        "pipe",
        "--config",
        config.to_str().unwrap(),
        "--metrics",
        "127.0.0.1:0",
        "--connect",
        "unix:/nowhere/to.sock",
    ]);
    let mut log = BufReader::new(program.0.stderr.take().unwrap()).lines();
    let url = log.next().unwrap().unwrap().strip_prefix("metrics at ").unwrap().to_owned();
    let mut stdin = program.0.stdin.take().unwrap();
    writeln!(stdin, "{FINDING}").unwrap();
    // It retries, and holds the filter.
    assert!(log.next().unwrap().unwrap().ends_with("; retrying"));
    let (status, _, metrics) = get(&url);
    assert_eq!((status, value(&metrics, "kaudit_received_records_total")), (200, 0));
}

#[test]
fn an_address_in_use_is_reported() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = program().args(["pipe", "--metrics", &address]).stdin(Stdio::null()).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains(&format!("--metrics {address}: cannot listen: ")), "{log}");
    assert_eq!(output.status.code(), Some(2));
    let output = program().args(["pipe", "--metrics", "9000"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn endpoint_counts_requests_by_status_and_entries_by_result() {
    let now = NOW.to_string();
    let mut program =
        Program::start(&["endpoint", "--listen", "127.0.0.1:0", "--now", &now, "--fault", "429:1"]);
    let mut log = BufReader::new(program.0.stderr.take().unwrap()).lines();
    let url = log.next().unwrap().unwrap().strip_prefix("listening on ").unwrap().to_owned();
    // The log is read, so that the program does not wait.
    let reader = std::thread::spawn(move || log.count());
    let entry = json!({
        "applicationName": "a", "subsystemName": "b", "severity": 5, "timestamp": NOW, "text": {"eid": "johnD"},
    });
    let with = |member: &str, value: Value| {
        let mut entry = entry.clone();
        entry[member] = value;
        entry
    };
    let entries = json!([
        entry,
        with("severity", 7.into()),
        with("timestamp", (NOW / 1000).into()),
        with("timestamp", (NOW + 86_400_000).into()),
        with("text", "x".repeat(40_000).into()),
    ]);
    let post = |path: &str, key: &str, body: String| {
        let request = minreq::post(format!("{url}{path}")).with_header("Authorization", key).with_body(body);
        request.with_timeout(30).send().unwrap().status_code
    };
    let key = "Bearer secret-key";
    for (path, key, body, status) in [
        ("/logs/v1/singles", key, entries.to_string(), 429),
        ("/logs/v1/singles", key, entries.to_string(), 200),
        ("/logs/v1/singles", "", entries.to_string(), 401),
        ("/logs/v1/singles", key, "[1".to_owned(), 400),
        ("/elsewhere", key, String::new(), 404),
    ] {
        assert_eq!(post(path, key, body), status, "{path}");
    }
    let (status, content_type, metrics) = get(&format!("{url}/metrics"));
    assert_eq!((status, content_type.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let value = |sample: &str| value(&metrics, &format!("kaudit_endpoint_{sample}"));
    let statuses =
        [200, 400, 401, 404, 429].map(|status| value(&format!("requests_total{{status=\"{status}\"}}")));
    assert_eq!(statuses, [1; 5]);
    assert_eq!(value("faults_total"), 1);
    assert_eq!(
        (value("entries_total{result=\"accepted\"}"), value("entries_total{result=\"rejected\"}")),
        (1, 4)
    );
    let clauses = ["size", "json", "schema", "too-old", "too-far-ahead"];
    let violations = clauses.map(|clause| value(&format!("violations_total{{clause=\"{clause}\"}}")));
    assert_eq!(violations, [1, 0, 1, 1, 1]);
    assert!(!metrics.contains("secret-key"), "{metrics}");
    drop(program);
    assert!(reader.join().unwrap() > 0);
}
