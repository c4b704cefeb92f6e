//! `kaudit-filter explain` as a user runs it, over the shipped examples. `BLESS=1` writes the expectation anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const CONFIG: [&str; 4] = ["--config", "examples/kaudit.yaml", "--now", "2026-03-17T12:00:00Z"];

fn ran(command: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let kinds = ["detections", "selections", "selection-counts", "activity"];
    let output = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .arg(command)
        .args(CONFIG)
        .args(arguments)
        .args(kinds.map(|kind| format!("examples/findings/{kind}.ndjson")))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_examples_are_explained() {
    let (code, out, err) = ran("explain", &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(!out.contains('\u{1b}'), "colours where nobody sees them");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/explain.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(file, &out).unwrap();
    } else {
        assert_eq!(fs::read_to_string(file).unwrap(), out);
    }
}

#[test]
fn what_is_told_adds_up_to_the_account() {
    let (_, out, _) = ran("explain", &["--json"]);
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    for line in out.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let word = line["verdict"].as_str().unwrap_or("own").to_owned();
        *told.entry(word).or_default() += 1;
        if let Some(reason) = line["reason"].as_str() {
            *told.entry(reason.to_owned()).or_default() += 1;
        }
    }
    let (_, _, err) = ran("run", &["--summary", "json"]);
    let account: Value = serde_json::from_str(err.lines().last().unwrap()).unwrap();
    for (word, path) in [
        ("kept", "/kept/total"),
        ("dropped", "/dropped/total"),
        ("suppressed", "/suppressed"),
        ("confidence", "/dropped/confidence"),
        ("stopped", "/dropped/stopped"),
        ("counted", "/dropped/counted"),
    ] {
        let count = account.pointer(path).and_then(Value::as_u64);
        assert!(count > Some(0) && told.get(word).copied() == count, "{word}: {told:?} and {account}");
    }
    let own = account["summaries"].as_u64().unwrap() + account["reports"].as_u64().unwrap();
    assert_eq!(told["own"], own);
}

#[test]
fn only_what_is_asked_for() {
    let heads = |arguments: &[&str]| {
        let (code, out, err) = ran("explain", arguments);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        out.lines().filter(|line| line.starts_with("examples/")).map(str::to_owned).collect::<Vec<_>>()
    };
    let suppressed = heads(&["--only", "suppressed"]);
    assert!(
        suppressed.len() == 5 && suppressed.iter().all(|line| line.ends_with(": suppressed")),
        "{suppressed:?}"
    );
    let reason = heads(&["--reason", "entity-no-match"]);
    assert_eq!(reason, ["examples/findings/detections.ndjson:9: dropped: entity-no-match"]);
    let (code, _, err) = ran("explain", &["--reason", "colour"]);
    assert!(code == Some(2) && err.contains("entity-no-match"), "{err}");
}

#[test]
fn the_readme_shows_what_it_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let (_, console) = readme.split_once("$ dist/kaudit-filter explain ").unwrap();
    let (arguments, console) = console.split_once('\n').unwrap();
    let (console, _) = console.split_once("```").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"))
        .current_dir(root)
        .arg("explain")
        .args(arguments.split(' '))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), console.trim_end());
}
