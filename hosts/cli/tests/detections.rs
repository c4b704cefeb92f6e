//! Detections of `run`, with what earlier runs learned.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const CONFIG: &str = "detect: {learning: 1s}\nunrecognised: drop\nuse: all\nintegrations:\n- {type: detections, target: \
                      {target-type: slack, slack-uri: 'https://example.com'}}\n";

/// Returns a file of this test, which does not exist.
fn file(name: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("detections-{name}"));
    let _ = fs::remove_file(&file);
    file
}

/// Six requests for different paths outside the API within a second.
fn scan(time: &str) -> String {
    let event = |number: u32| {
        format!(
            r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"ResponseComplete","requestURI":"/x/{number}","verb":"get","user":{{"username":"a"}},"responseStatus":{{"code":404}},"requestReceivedTimestamp":"{time}","stageTimestamp":"{time}"}}"#
        )
    };
    (0..6).map(|number| event(number) + "\n").collect()
}

struct Ran {
    code: Option<i32>,
    /// The numbers of usual events in the detections.
    expected: Vec<u64>,
    err: String,
}

fn run(config: &str, records: &str, state: &Path) -> Ran {
    let (config_file, records_file) = (state.with_extension("yaml"), state.with_extension("ndjson"));
    fs::write(&config_file, config).unwrap();
    fs::write(&records_file, records).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"))
        .args(["run", "--clock", "record", "--config"])
        .args([&config_file, Path::new("--state"), state, &records_file])
        .output()
        .unwrap();
    let expected = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        entry["text"]["kaudit_filter"]["detection"]["expected"].as_u64().unwrap()
    };
    Ran {
        code: output.status.code(),
        expected: String::from_utf8(output.stdout).unwrap().lines().map(expected).collect(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_run_continues_with_what_the_last_one_learned() {
    let state = file("learned");
    let first = run(CONFIG, &scan("2026-05-04T08:00:00Z"), &state);
    assert_eq!((first.code, first.expected), (Some(0), vec![0, 0, 0]), "{}", first.err);
    let second = run(CONFIG, &scan("2026-05-04T10:00:00Z"), &state);
    assert_eq!((second.code, second.expected), (Some(0), vec![]), "usual: {}", second.err);
    let repeated = run(CONFIG, &scan("2026-05-04T10:00:00Z"), &state);
    assert!(repeated.err.contains("late                          6"), "{}", repeated.err);
    assert!(!state.with_extension("new").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let mut damaged = fs::read(&state).unwrap();
    damaged.pop();
    fs::write(&state, damaged).unwrap();
    let third = run(CONFIG, &scan("2026-05-04T12:00:00Z"), &state);
    assert_eq!((third.code, third.expected), (Some(0), vec![0, 0, 0]));
    assert!(third.err.contains("a damaged snapshot of detections"), "{}", third.err);
    let fourth = run(CONFIG, &scan("2026-05-04T13:00:00Z"), &state);
    assert!(fourth.expected.is_empty() && !fourth.err.contains("warning"), "{}", fourth.err);
}

#[test]
fn a_file_of_something_else_is_not_replaced() {
    let state = file("other");
    fs::write(&state, "notes").unwrap();
    let ran = run(CONFIG, &scan("2026-05-04T08:00:00Z"), &state);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("not a snapshot of detections; name another file"), "{}", ran.err);
    assert_eq!(fs::read_to_string(&state).unwrap(), "notes");

    let without = CONFIG.replace("detect: {learning: 1s}\n", "audit: {}\n");
    let ran = run(&without, "", &file("new"));
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("the configuration has no section `detect`"), "{}", ran.err);
}
