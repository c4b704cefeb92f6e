//! Runs the examples for embedders with records.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

#[test]
fn the_lines_example_filters_standard_input() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = root.join(env!("CARGO_TARGET_TMPDIR")).join("lines.yaml");
    let text = "rate-limit: {by: entity, period: 1d}\nunrecognised: pass\nintegrations:\n- type: detections\n  target: \
                {target-type: http-api, rate-limit: 1, http-api-uri: \
                'https://ingress.eu2.coralogix.com/logs/v1/singles'}\n  data-filter: {confidence: [high]}\n";
    std::fs::write(&config, text).unwrap();
    let finding = |entity: &str, confidence: &str| {
        format!(
            r#"{{"etype":"principal","eid":"{entity}","category":"incident","confidence":"{confidence}","time":1}}"#
        )
    };
    let other = r#"{"level":"info"}"#.to_owned();
    let records = [
        finding("jane", "high"),
        finding("jane", "high"),
        finding("petra", "low"),
        other.clone(),
        finding("petra", "high"),
    ];
    let mut example = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--offline", "--locked", "--example", "lines", "--"])
        .arg(&config)
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    example.stdin.take().unwrap().write_all(records.join("\n").as_bytes()).unwrap();
    let output = example.wait_with_output().unwrap();
    assert!(output.status.success());
    let output = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [first, passed, second, summary] = &lines[..] else { panic!("{output}") };
    assert_eq!((&first["text"]["eid"], &second["text"]["eid"]), (&"jane".into(), &"petra".into()));
    assert_eq!(passed, &serde_json::from_str::<Value>(&other).unwrap());
    let summary = &summary["text"]["kaudit_filter"]["summary"];
    assert_eq!((&summary["key"], &summary["suppressed"]), (&"jane".into(), &1.into()), "{output}");
}
