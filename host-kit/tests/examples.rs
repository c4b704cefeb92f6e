//! Runs the example with a configuration that changes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

const CONFIG: &str = "unrecognised: pass\nintegrations: [{type: detections, target: {target-type: http-api, \
                      http-api-uri: 'https://ingress.eu2.coralogix.com/logs/v1/singles'}}]\n";

/// Enough records for the interval of the reload, at ten microseconds each.
const MANY: usize = 1_000_000;

#[test]
fn the_session_example_reloads_its_configuration() {
    let config = Path::new(env!("CARGO_TARGET_TMPDIR")).join("session.yaml");
    std::fs::write(&config, CONFIG).unwrap();
    let mut example = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--locked", "--example", "session", "--"])
        .arg(&config)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = example.stdin.take().unwrap();
    let mut stdout = BufReader::new(example.stdout.take().unwrap());
    let mut answer = |record: &str| {
        writeln!(stdin, "{record}").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        line
    };
    let finding = r#"{"etype":"principal","eid":"jane","category":"incident","time":1}"#;
    assert!(answer(finding).contains(r#""subsystemName":"kaudit-detections""#));
    assert_eq!(answer("no finding"), "no finding\n");
    let named = format!("coralogix: {{subsystem-name: renamed}}\n{CONFIG}");
    std::fs::write(&config, &named).unwrap();
    let reloaded = (0..MANY).any(|_| answer(finding).contains(r#""subsystemName":"renamed""#));
    assert!(reloaded, "the example did not reload its configuration");
    drop(stdin);
    let output = example.wait_with_output().unwrap();
    assert!(output.status.success());
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.starts_with("statistics: records=") && log.contains(" passed=1"), "{log}");
}
