//! `cargo xtask demo`: the program at work on the example findings, its entries printed for people.

use std::io::IsTerminal;
use std::process::Command;

use serde_json::Value;

use crate::shell::{Done, cargo, read, root, run as sh, show, target_directory};

/// A configuration to run with, and what is to be seen in it.
struct Act {
    config: &'static str,
    title: &'static str,
}

const ACTS: &[Act] = &[
    Act {
        config: "examples/audit-integration.yaml",
        title: "kAudit's own configuration, as it stands in the cluster: detections are stopped, policy findings \
                limited to ten at once",
    },
    Act {
        config: "examples/kaudit.yaml",
        title: "The filter's own document around the same list: every kind of finding, severities, limits for each \
                entity, redaction, counts",
    },
];

const FINDINGS: &[&str] = &["detections", "selections", "selection-counts", "activity"];

/// The day of the example findings, at noon.
const NOW: &str = "2026-03-17T12:00:00Z";

/// Builds the program and runs it once for each act.
pub fn run(_: &[String]) -> Done {
    sh(&mut cargo(&["build", "--quiet", "--locked", "--package", "kaudit-filter-cli"]))?;
    let program = target_directory()?.join("debug").join("kaudit-filter");
    let mut shown = None;
    for act in ACTS {
        let mut command = Command::new(&program);
        command.args(["run", "--config", act.config, "--now", NOW]).current_dir(root());
        command.args(FINDINGS.iter().map(|kind| format!("examples/findings/{kind}.ndjson")));
        let output = read(&mut command)?;
        let mut first = None;
        println!(
            "\n{}\n\n$ {}\n",
            paint(BOLD, act.title),
            show(&command).replace(" examples/findings", " \\\n    examples/findings")
        );
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let entry: Value =
                serde_json::from_str(line).map_err(|error| format!("not an entry: {error}: {line}"))?;
            println!("{}", row(&entry));
            first.get_or_insert(entry);
        }
        shown = first;
        print!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let shown = shown.ok_or("the program wrote no entry")?;
    println!("\n{}\n\n{shown:#}", paint(BOLD, "One entry, as Coralogix receives it"));
    Ok(())
}

/// An entry on a line, and what the filter did to it on the next.
fn row(entry: &Value) -> String {
    let label = |name: &str| entry[name].as_str().unwrap_or_default();
    let (severity, colour) = match entry["severity"].as_u64() {
        Some(6) => ("critical", RED),
        Some(5) => ("error", RED),
        Some(4) => ("warn", YELLOW),
        Some(3) => ("info", GREEN),
        Some(2) => ("verbose", DIM),
        _ => ("debug", DIM),
    };
    let names = format!("{}/{}", label("applicationName"), label("subsystemName"));
    let row = format!(
        "  {}  {}  {names:<30}  {:<36}  {}",
        clock(entry["timestamp"].as_i64().unwrap_or_default()),
        paint(colour, &format!("{severity:<8}")),
        label("methodName"),
        label("threadId"),
    );
    let row = row.trim_end().to_owned();
    match entry["text"].get("kaudit_filter") {
        Some(did) => format!("{row}\n{:22}{}", "", paint(DIM, &brief(did))),
        None => row,
    }
}

/// What the filter says it did, without the samples of summaries.
fn brief(did: &Value) -> String {
    let mut did = did.clone();
    if let Some(summary) = did.get_mut("summary").and_then(Value::as_object_mut) {
        summary.remove("sample");
    }
    format!("kaudit_filter {did}")
}

/// The time of day, to the second.
fn clock(millis: i64) -> String {
    let second = millis.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

const BOLD: u8 = 1;
const DIM: u8 = 2;
const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;

fn paint(style: u8, text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
