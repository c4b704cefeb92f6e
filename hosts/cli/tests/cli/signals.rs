//! SIGINT and SIGTERM end `kaudit-filter run` with the pending summaries and the counters.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{file, program};
use crate::run::{DETECTION, NOON};

/// Writes a configuration with a limit of one finding, in a folder of its own.
fn config(name: &str) -> String {
    let text = "integrations:
- type: detections
  target: {target-type: http-api, http-api-uri: \"https://ingress.eu1.coralogix.com/logs/v1/singles\", rate-limit: 1}
";
    file(&format!("signals-{name}"), "kaudit.yaml", text)
}

#[test]
fn a_signal_ends_a_run_with_its_summaries_and_counters() {
    let config = config("stdin");
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut child = program()
            .args(["run", "--config", &config, "--now", NOON, "--summary", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut entries = BufReader::new(child.stdout.take().unwrap()).lines();
        stdin.write_all(format!("{DETECTION}\n").repeat(50).as_bytes()).unwrap();
        // It is written when the records so far have been filtered.
        assert!(entries.next().unwrap().unwrap().contains("johnD"));
        // An incomplete record is not filtered.
        stdin.write_all(&DETECTION.as_bytes()[..40]).unwrap();
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let summary: Value = serde_json::from_str(&entries.next().unwrap().unwrap()).unwrap();
        assert_eq!(summary["text"]["kaudit_filter"]["summary"]["suppressed"], 49);
        assert!(entries.next().is_none());
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{log}");
        let counters: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        assert_eq!((&counters["records"], &counters["suppressed"]), (&50.into(), &49.into()), "{log}");
        drop(stdin);
    }
}

#[test]
fn a_signal_ends_a_run_on_a_file_without_data() {
    // A named pipe: `open` blocks until there is a writer, and a read until the writer writes.
    let config = config("fifo");
    let fifo = Path::new(&config).with_file_name("records");
    let _ = fs::remove_file(&fifo);
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for has_writer in [false, true] {
        let mut child = program()
            .args(["run", "--config", &config, "--now", NOON, "--summary", "json", fifo.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let writer = has_writer.then(|| {
            let mut writer = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
            writeln!(writer, "{DETECTION}").unwrap();
            let mut entry = [0; 1];
            child.stdout.as_mut().unwrap().read_exact(&mut entry).unwrap();
            writer
        });
        if !has_writer {
            wait_until_caught(&child);
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(143), "{log}");
        let counters: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        assert_eq!(counters["records"], u64::from(has_writer), "{log}");
        drop(writer);
    }
}

/// Waits until a process handles SIGTERM.
fn wait_until_caught(child: &std::process::Child) {
    let status = format!("/proc/{}/status", child.id());
    let catches = |line: &str| {
        let mask = line.strip_prefix("SigCgt:").and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & (1 << (15 - 1)) != 0)
    };
    while !fs::read_to_string(&status).unwrap().lines().any(catches) {
        std::thread::yield_now();
    }
}
