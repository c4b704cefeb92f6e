//! `explain` and `test` with a policy that has every mistake, of which `workbench/tests/check.rs` has the diagnostics.
//! `BLESS=1` updates the snapshots.

use std::fs;
use std::path::Path;

use crate::common;

const DATA: &str = "hosts/cli/tests/data/policy";

/// Runs the program; returns its exit code, and its output with its diagnostics after it.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let (code, out, err) = common::run(arguments);
    (code, out + &err)
}

#[test]
fn the_effects_of_mistakes_are_shown() {
    let events = format!("{DATA}/events.ndjson");
    let mut failed = Vec::new();
    // A configuration with errors is not used.
    for (policy, codes) in [("warnings", [Some(0), Some(1)]), ("errors", [Some(1), Some(1)])] {
        let config = format!("workbench/tests/data/check/policy-{policy}.yaml");
        let tests = format!("{DATA}/{policy}.test.yaml");
        let commands: [(&str, &[&str]); 2] = [
            ("explain", &["explain", "--config", &config, "--clock", "record", &events]),
            ("test", &["test", "--coverage", &tests]),
        ];
        for ((name, arguments), expected) in commands.into_iter().zip(codes) {
            let (code, out) = run(arguments);
            assert_eq!(code, expected, "{out}");
            let file = format!("{policy}.{name}.txt");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/policy").join(&file);
            if std::env::var_os("BLESS").is_some() {
                fs::write(path, out).unwrap();
            } else if fs::read_to_string(path).unwrap_or_default() != out {
                failed.push(format!("{file} would be:\n{out}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
