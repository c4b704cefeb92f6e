//! `kaudit-filter pipe` between two sockets, and between two pipes.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::common::program;

const FINDING: &str =
    r#"{"etype":"principal","eid":"johnD","confidence":"high","cluster":"crm","time":1583078400000}"#;

const CONFIG: &str = "
rate-limit: {period: 1h, by: entity}
integrations:
- type: detections
  target: {target-type: http-api, http-api-uri: 'https://ingress.eu1.coralogix.com/logs/v1/singles', rate-limit: 1}
";

fn scratch(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pipe").join(test);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("kaudit.yaml"), CONFIG).unwrap();
    directory
}

fn pipe(directory: &Path, arguments: &[&str]) -> Child {
    let mut command = program();
    command.args(["pipe", "--config", "kaudit.yaml"]).args(arguments).current_dir(directory);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn entries(lines: impl std::io::Read) -> Vec<Value> {
    BufReader::new(lines).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

#[test]
fn a_line_in_is_a_line_out_at_once() {
    let mut child = pipe(&scratch("lines"), &[]);
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for who in ["johnD", "alice"] {
        writeln!(stdin, "{}", FINDING.replace("johnD", who)).unwrap();
        let entry: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(entry["threadId"], who);
    }
    // Suppressed: its summary is written when the input ends.
    write!(stdin, "\n{FINDING}").unwrap();
    drop(stdin);
    let summary: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(summary["text"]["kaudit_filter"]["summary"]["suppressed"], 1);
    assert!(lines.next().is_none());
    // The counters are written at the end.
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{log}");
    for row in [
        "records                       3",
        "  suppressed                  1",
        "entries                       3",
    ] {
        assert!(log.contains(row), "no {row:?} in {log}");
    }
}

#[test]
fn a_signal_ends_it_with_the_summary_and_the_counters() {
    let mut child = pipe(&scratch("signal"), &[]);
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    write!(stdin, "{FINDING}\n{FINDING}\n").unwrap();
    assert!(lines.next().unwrap().unwrap().contains("johnD"));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(rest.len() == 1 && rest[0].contains("\"suppressed\":1"), "{rest:?}");
    let log = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
    assert!(log.contains("records                       2"), "{log}");
    drop(stdin);
}

#[test]
fn each_item_of_a_batch_is_a_line() {
    let mut child = pipe(&scratch("batch"), &[]);
    let mut stdin = child.stdin.take().unwrap();
    let other = FINDING.replace("johnD", "alice");
    writeln!(stdin, "{{\"records\":[{FINDING},{other},{FINDING}]}}").unwrap();
    drop(stdin);
    let entries = entries(child.stdout.take().unwrap());
    let names: Vec<&Value> = entries.iter().map(|entry| &entry["threadId"]).collect();
    assert_eq!(names[..2], ["johnD", "alice"]);
    assert_eq!(entries[2]["text"]["kaudit_filter"]["summary"]["suppressed"], 1);
    assert_eq!((entries.len(), child.wait().unwrap().code()), (3, Some(0)));
}

#[test]
fn in_otlp_a_line_is_a_resource_logs_object() {
    let directory = scratch("otlp");
    fs::write(directory.join("kaudit.yaml"), format!("coralogix: {{shape: otlp}}{CONFIG}")).unwrap();
    let mut child = pipe(&directory, &[]);
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{FINDING}\n{FINDING}").unwrap();
    drop(stdin);
    let lines = entries(child.stdout.take().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let [finding, summary] = &lines[..] else { panic!("{lines:?}") };
    for line in [finding, summary] {
        let logs = line.pointer("/scopeLogs/0/logRecords").and_then(Value::as_array);
        assert_eq!(logs.map(Vec::len), Some(1), "{line}");
    }
    assert!(summary.to_string().contains("suppressed"), "{summary}");
}

#[test]
fn the_output_is_connected_when_it_is_available() {
    let directory = scratch("sockets");
    let (from, to) = (directory.join("from.sock"), directory.join("to.sock"));
    // The socket file of a program that has ended.
    let _ = fs::remove_file(&from);
    drop(UnixListener::bind(&from).unwrap());
    let _ = fs::remove_file(&to);
    let mut child = pipe(&directory, &["--listen", "unix:from.sock", "--connect", "unix:to.sock"]);
    let mut source = loop {
        // Refused until the program listens.
        match UnixStream::connect(&from) {
            Ok(source) => break source,
            Err(_) => std::thread::yield_now(),
        }
    };
    writeln!(source, "{FINDING}").unwrap();
    // It reports the failed connection, and retries.
    let mut log = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut log).unwrap();
    assert!(log.starts_with("kaudit-filter: cannot write to unix:to.sock: "), "{log}");
    assert!(log.ends_with("; retrying\n"), "{log}");
    let listener = UnixListener::bind(&to).unwrap();
    let (sink, _) = listener.accept().unwrap();
    writeln!(source, "{FINDING}").unwrap();
    drop(source);
    // On SIGTERM it writes the pending summary.
    let mut lines = BufReader::new(sink).lines();
    let entry: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(entry["threadId"], "johnD");
    let stopped = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(stopped.success());
    let rest: Vec<Value> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["text"]["kaudit_filter"]["summary"]["suppressed"], 1);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn invalid_configurations_and_arguments_are_reported() {
    let directory = scratch("mistakes");
    fs::write(directory.join("kaudit.yaml"), "integrations: 1\n").unwrap();
    let cases: [(&[&str], i32, &str); 3] = [
        (&[], 1, "--> kaudit.yaml:1:15"),
        (&["--listen", "from.sock"], 2, "expected `unix:PATH` or `tcp:HOST:PORT`"),
        (&["--config", "nowhere.yaml"], 2, ""),
    ];
    for (arguments, code, message) in cases {
        let output = pipe(&directory, arguments).wait_with_output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(message), "{error}");
        assert_eq!(entries(&output.stdout[..]).len(), 0);
    }
}
