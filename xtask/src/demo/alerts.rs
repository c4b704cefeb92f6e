//! The second half of the demo: audit events of a cluster, of which the default policy makes alerts.
//!
//! Everything is printed in 80 columns.

use std::fs;

use serde_json::Value;

use super::agent::{self, Built, Ran};
use super::endpoint::Endpoint;
use super::style::{BOLD, DIM, NOW_MS, clock, headline, paint, severity};
use crate::shell::{Done, root};

const CONFIG: &str = "examples/audit/audit.yaml";
const EVENTS: &str = "examples/audit/events.ndjson";

/// The alerts in the endpoint; the entries of other records have no rule of the filter's own.
const ALERTS: &str = "kaudit_filter.rule.id:*";

const WIDTH: usize = 80;

/// Filters the events, posts the entries, and prints the account and the alerts.
pub fn run(built: &Built, endpoint: &Endpoint) -> Done {
    headline("Without kAudit: the default policy makes alerts of Kubernetes audit events");
    let text = fs::read_to_string(root().join(EVENTS)).map_err(|error| format!("{EVENTS}: {error}"))?;
    let records: Vec<String> = text.lines().map(str::to_owned).collect();
    println!("{EVENTS}: the audit log of a small cluster");
    println!("libflb_filter_kaudit.so with config_file {CONFIG}\n");
    let ran = agent::run(&built.driver, &built.plugin, CONFIG, &records, NOW_MS)?;
    let entries: Vec<Value> = ran.chunks.iter().flatten().cloned().collect();
    let answer = endpoint.post(&entries)?;
    account(&ran, text.len(), &entries)?;
    if answer["rejected"] != 0 {
        return Err(format!("entries were rejected: {}", answer["rejections"]));
    }

    let alerts = endpoint.search(ALERTS)?;
    println!("\n{} alerts, as they arrived ({ALERTS}):", alerts["found"]);
    // The last entry is the first result.
    let mut alerts: Vec<&Value> = alerts["entries"].as_array().into_iter().flatten().rev().collect();
    alerts.sort_by_key(|received| received["entry"]["timestamp"].as_i64());
    for received in &alerts {
        println!("{}", alert(&received["entry"]));
    }
    if alerts.is_empty() {
        return Err("the policy selects no event".to_owned());
    }
    raised(&endpoint.alerts()?);
    Ok(())
}

/// Prints the alerts of `examples/coralogix/alerts.yaml` that the endpoint raises.
fn raised(alerts: &Value) {
    println!("\nraised by the alerts of examples/coralogix/alerts.yaml:");
    for alert in alerts.as_array().into_iter().flatten().filter(|alert| alert["state"] == "raised") {
        let text = |name: &str| alert[name].as_str().unwrap_or_default();
        println!("  {} {}: {}", text("priority"), text("name"), text("detail"));
    }
}

/// Prints the plugin's counters, and checks that they balance.
fn account(ran: &Ran, bytes: usize, entries: &[Value]) -> Done {
    let [records, items, batches] = ["records", "batch-items", "batches"].map(|name| ran.count(name));
    let [kept, dropped, suppressed, passed] =
        ["kept", "dropped", "suppressed", "passed"].map(|name| ran.count(name));
    let events = records + items - batches;
    let sent: usize = entries.iter().map(|entry| entry.to_string().len()).sum();
    println!("{records} events, {}", kilobytes(bytes));
    println!("{events} verdicts, since several rules may select an event");
    for (reason, meaning) in [
        ("no-rule", "no rule of the policy selects the event"),
        ("stage", "another event of the same request is evaluated"),
        ("duplicate-stage", "an event of the same request was evaluated before"),
        ("counted", "counted, and sent as one count per hour"),
    ] {
        println!("  {:>3}  {reason:<16}  {}", ran.count(&format!("dropped.{reason}")), paint(DIM, meaning));
    }
    println!("  {kept:>3}  kept");
    println!("{} entries, {}, all accepted", entries.len(), kilobytes(sent));
    if events == kept + dropped + suppressed + passed {
        return Ok(());
    }
    Err("the counters do not balance".to_owned())
}

fn kilobytes(bytes: usize) -> String {
    format!("{} kB", bytes.div_ceil(1000))
}

/// Returns an alert in lines: when, how severe and which rule; who; what; the command of a shell.
fn alert(entry: &Value) -> String {
    let text = |name: &str| entry["text"][name].as_str().unwrap_or_default();
    let (severity, colour) = severity(entry);
    let mut what = format!("{} {}", text("verb"), text("resource-name"));
    if !text("subresource").is_empty() {
        what = format!("{what}/{}", text("subresource"));
    }
    let mut lines = vec![format!("{} from {}", text("principal"), text("caller-ip")), what];
    if !text("subresource-exec-command").is_empty() {
        lines.push(format!("$ {}", text("subresource-exec-command")));
    }
    let lines: String = lines.iter().map(|line| indented(line)).collect();
    let time = clock(entry["timestamp"].as_i64().unwrap_or_default());
    let severity = paint(colour, &format!("{severity:<8}"));
    format!("{time}  {severity}  {}{lines}", paint(BOLD, text("rule")))
}

/// Returns a further line of an alert, shortened to the width.
fn indented(text: &str) -> String {
    let indent = 20;
    let mut line: String = text.chars().take(WIDTH - indent).collect();
    if line.len() < text.len() {
        line.pop();
        line.push('…');
    }
    format!("\n{:indent$}{line}", "")
}
