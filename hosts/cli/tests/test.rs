//! `kaudit-filter test` as a user runs it: on the shipped tests, on failing ones, on files with mistakes. `BLESS=1` writes
//! the expectations anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FAILING: &str = "hosts/cli/tests/data/tests/failing.yaml";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn ran(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kaudit-filter"))
        .current_dir(root())
        .arg("test")
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn expect(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tests").join(file);
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, found).unwrap();
    } else {
        assert_eq!(fs::read_to_string(path).unwrap_or_default(), found, "{file}");
    }
}

#[test]
fn the_shipped_tests_pass_and_what_they_leave_out_is_named() {
    let (code, out, err) = ran(&["examples/tests"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("7 tests, all passed"), "{out}");
    assert!(out.contains("never: `watched` (line 73), `everything` (line 80)"), "{out}");
}

#[test]
fn what_differs_is_shown_and_why() {
    let junit = Path::new(env!("CARGO_TARGET_TMPDIR")).join("junit.xml");
    let (code, out, err) = ran(&[FAILING, "--junit", junit.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    expect("failing.txt", &out);
    expect("failing.junit.xml", &fs::read_to_string(junit).unwrap());
}

#[test]
fn mistakes_are_told_all_at_once() {
    let (code, out, err) = ran(&["hosts/cli/tests/data/tests/mistakes.yaml"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    expect("mistakes.txt", &err);
    assert_eq!(ran(&["examples/findings"]).0, Some(2));
    assert_eq!(ran(&["nowhere.yaml"]).0, Some(2));
}

#[test]
fn no_file_passes_for_lack_of_tests() {
    let head = "config: \"integrations:\\n- {type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu2.coralogix.com/logs/v1/singles'}}\\n\"\nnow: 2026-03-17T12:00:00Z\n";
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lacking.yaml");
    for (tests, mistake) in [
        ("tests: []\n", ":3:8: error: `tests` is empty"),
        (
            "tests:\n  - name: a\n    steps: [{record: {a: 1}, kept: all}]\n---\ntests: []\n",
            ":7:1: error: a second document",
        ),
        (
            "tests:\n  - name: a\n    steps: [{record: {a: 1}, times: 0, kept: all}]\n",
            ": error: expected how often the records arrive, from 1",
        ),
    ] {
        fs::write(&file, [head, tests].concat()).unwrap();
        let (code, out, err) = ran(&[file.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.contains(mistake), "{err}");
    }
    fs::write(&file, b"tests: \xff\n").unwrap();
    let (code, _, err) = ran(&[file.to_str().unwrap()]);
    assert!(code == Some(1) && err.contains("line 1 is not UTF-8"), "{err}");
}

#[test]
fn what_is_blessed_passes_and_keeps_its_comments() {
    let text = fs::read_to_string(root().join(FAILING)).unwrap();
    let text = text.replace("../../../../../examples", root().join("examples").to_str().unwrap());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("blessed.yaml");
    fs::write(&file, &text).unwrap();
    let (code, out, err) = ran(&["--bless", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{out}{err}");
    let blessed = fs::read_to_string(&file).unwrap();
    assert_eq!(blessed.lines().next(), text.lines().next(), "the comment is gone");
    let found: Vec<&str> = blessed.lines().filter(|line| !text.lines().any(|old| old == *line)).collect();
    expect("blessed.txt", &(found.join("\n") + "\n"));
    assert_eq!(ran(&[file.to_str().unwrap()]).0, Some(0));
}

#[test]
fn what_is_blessed_stands_in_the_place_of_all_that_was_expected() {
    let head = "config: \"integrations:\\n- {type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu2.coralogix.com/logs/v1/singles'}}\\n\"\nnow: 2026-03-17T12:00:00Z\ntests:\n  - name: a\n    steps:\n";
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("places.yaml");
    for (steps, blessed) in [
        // A remark within a value, one behind it, and an empty line.
        (
            "      - record: {a: 1}\n        kept:\n        # why\n          severity: debug\n\n          text.a: 1\n        # behind\n\n      - at: end\n",
            "      - record: {a: 1}\n        kept: {severity: info, text.a: 1}\n        # behind\n\n      - at: end\n",
        ),
        // A list that is not indented.
        (
            "      - record: {a: 1}\n        kept: all\n        summary:\n        - {key: x}\n        - {key: y}\n",
            "      - record: {a: 1}\n        kept: all\n",
        ),
        // A text with an empty line, and nothing expected.
        (
            "      - record: |\n          {\"a\":\n\n          1}\n\n      - at: end\n",
            "      - record: |\n          {\"a\":\n\n          1}\n        kept: {severity: info, subsystemName: kaudit-unrecognised}\n\n      - at: end\n",
        ),
    ] {
        for end in ["\n", "\r\n"] {
            fs::write(&file, [head, steps].concat().replace('\n', end)).unwrap();
            let (code, out, err) = ran(&["--bless", file.to_str().unwrap()]);
            assert_eq!(code, Some(0), "{out}{err}");
            assert_eq!(fs::read_to_string(&file).unwrap(), [head, blessed].concat().replace('\n', end));
        }
    }
}
