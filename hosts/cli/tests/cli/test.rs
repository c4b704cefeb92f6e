//! `kaudit-filter test` as a process: shipped, failing and invalid tests.
//! `BLESS=1` updates the snapshots.

use std::fs;
use std::path::Path;

use crate::common::{self, Output, root};

const FAILING: &str = "hosts/cli/tests/data/tests/failing.yaml";

fn run(arguments: &[&str]) -> Output {
    common::run(&[&["test"], arguments].concat())
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
fn the_shipped_tests_pass_and_missing_coverage_is_listed() {
    let (code, out, err) = run(&["examples/tests"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("7 tests, all passed"), "{out}");
    // Long lines are wrapped.
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(out.contains("not covered: `watched` (line 73), `everything` (line 80)"), "{out}");
}

#[test]
fn differences_are_printed_with_explanations() {
    let junit = Path::new(env!("CARGO_TARGET_TMPDIR")).join("junit.xml");
    let (code, out, err) = run(&[FAILING, "--junit", junit.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    expect("failing.txt", &out);
    expect("failing.junit.xml", &fs::read_to_string(junit).unwrap());
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let (code, out, err) = run(&["hosts/cli/tests/data/tests/mistakes.yaml"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    expect("mistakes.txt", &err);
    assert_eq!(run(&["examples/findings"]).0, Some(2));
    assert_eq!(run(&["nowhere.yaml"]).0, Some(2));
}

#[test]
fn a_file_without_tests_fails() {
    let head = "config: \"integrations:\\n- {type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu2.coralogix.com/logs/v1/singles'}}\\n\"\nnow: 2026-03-17T12:00:00Z\n";
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lacking.yaml");
    for (tests, mistake) in [
        ("tests: []\n", "error: `tests` is empty"),
        (
            "tests:\n  - name: a\n    steps: [{record: {a: 1}, kept: all}]\n---\ntests: []\n",
            "error: only one document per file is allowed",
        ),
        (
            "tests:\n  - name: a\n    steps: [{record: {a: 1}, times: 0, kept: all}]\n",
            "error: expected a number of repetitions, from 1",
        ),
    ] {
        fs::write(&file, [head, tests].concat()).unwrap();
        let (code, out, err) = run(&[file.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(err.contains(mistake), "{err}");
    }
    fs::write(&file, b"tests: \xff\n").unwrap();
    let (code, _, err) = run(&[file.to_str().unwrap()]);
    assert!(code == Some(1) && err.contains("line 1 is not UTF-8"), "{err}");
}

#[test]
fn a_blessed_file_passes_and_keeps_its_comments() {
    let text = fs::read_to_string(root().join(FAILING)).unwrap();
    let text = text.replace("../../../../../examples", root().join("examples").to_str().unwrap());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("blessed.yaml");
    fs::write(&file, &text).unwrap();
    let (code, out, err) = run(&["--bless", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{out}{err}");
    let blessed = fs::read_to_string(&file).unwrap();
    assert_eq!(blessed.lines().next(), text.lines().next(), "the comment was removed");
    let found: Vec<&str> = blessed.lines().filter(|line| !text.lines().any(|old| old == *line)).collect();
    expect("blessed.txt", &(found.join("\n") + "\n"));
    assert_eq!(run(&[file.to_str().unwrap()]).0, Some(0));
}

#[test]
fn bless_replaces_all_expectations() {
    let head = "config: \"integrations:\\n- {type: detections, target: {target-type: http-api, http-api-uri: 'https://ingress.eu2.coralogix.com/logs/v1/singles'}}\\n\"\nnow: 2026-03-17T12:00:00Z\ntests:\n  - name: a\n    steps:\n";
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("replaced.yaml");
    for (steps, blessed) in [
        // A comment within a value, one after it, and an empty line.
        (
            "      - record: {a: 1}\n        kept:\n        # why\n          severity: debug\n\n          text.a: 1\n        # after\n\n      - at: end\n",
            "      - record: {a: 1}\n        kept: {severity: info, text.a: 1}\n        # after\n\n      - at: end\n",
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
            let (code, out, err) = run(&["--bless", file.to_str().unwrap()]);
            assert_eq!(code, Some(0), "{out}{err}");
            assert_eq!(fs::read_to_string(&file).unwrap(), [head, blessed].concat().replace('\n', end));
        }
    }
}
