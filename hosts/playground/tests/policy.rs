//! The page's answers for a policy that has every mistake, in `tests/data`. `BLESS=1` updates them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use kaudit_filter::Time;
use kaudit_playground::{records, remarks, trial::Trial};
use serde_json::Value;

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)).unwrap()
}

/// Returns the remarks and the verdicts with their steps, as the page lists them.
fn answers(config: &str, events: &str) -> String {
    let mut out = String::new();
    for remark in remarks::of(config)["remarks"].as_array().unwrap() {
        let word = |key: &str| remark[key].as_str().unwrap();
        let at = format!("{}:{}+{}", remark["line"], remark["column"], remark["width"]);
        writeln!(out, "{at} {} {} {}: {}", word("level"), word("code"), word("path"), word("message"))
            .unwrap();
    }
    match Trial::new(config) {
        Err(mistakes) => writeln!(out, "\nno filter: {} mistakes", mistakes.lines().count()).unwrap(),
        Ok(mut trial) => {
            for (line, record) in records::split(events) {
                let now = trial.time(record).unwrap_or(Time::from_millis(0));
                for verdict in trial.take(record, now)["verdicts"].as_array().unwrap() {
                    write_verdict(&mut out, line, verdict);
                }
            }
        }
    }
    out
}

fn write_verdict(out: &mut String, line: usize, verdict: &Value) {
    let reason = verdict["reason"].as_str().unwrap_or_default();
    writeln!(out, "\nline {line}: {} {reason}, rules {}", verdict["verdict"], verdict["rules"]).unwrap();
    for step in verdict["steps"].as_array().unwrap() {
        writeln!(out, "  {:<10}{}", step[0].as_str().unwrap(), step[1].as_str().unwrap()).unwrap();
    }
}

#[test]
fn every_mistake_and_its_effect_is_shown() {
    let events = text("hosts/cli/tests/data/policy/events.ndjson");
    let mut failed = Vec::new();
    for policy in ["policy-errors", "policy-warnings", "policy-silent"] {
        let found = answers(&text(&format!("workbench/tests/data/check/{policy}.yaml")), &events);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/{policy}.txt"));
        if std::env::var_os("BLESS").is_some() {
            fs::write(path, found).unwrap();
        } else if fs::read_to_string(path).unwrap_or_default() != found {
            failed.push(format!("{policy} would be:\n{found}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
