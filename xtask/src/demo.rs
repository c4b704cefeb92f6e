//! `cargo xtask demo`: sends the example findings through the built Fluent Bit plugin to a test double of Coralogix.
//!
//! Then it evaluates audit events with the default policy, and runs the queries that find the findings.
//!
//! The demo is also a check: it fails if an entry is rejected, if the counters do not balance, or if a query finds
//! nothing. Decision: the plugin is an ordinary release build for this machine; the file that `cargo xtask dist plugin`
//! builds for older systems has the same code, but needs further tools.

mod agent;
mod alerts;
mod endpoint;
mod style;

use std::fs;

use serde_json::Value;

use crate::shell::{Done, cargo, root, run as sh, target_directory};
use agent::{Built, Ran};
use endpoint::Endpoint;
use style::{BOLD, DIM, GREEN, NOW_MS, RED, clock, headline, paint, severity};

/// A configuration to run with, and its title.
struct Act {
    config: &'static str,
    title: &'static str,
}

const ACTS: &[Act] = &[
    Act {
        config: "examples/audit-integration.yaml",
        title: "kAudit's own configuration, as in the cluster: detections are stopped, policy findings \
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

/// The queries of an analyst.
const QUERIES: &[&str] = &[
    "eid:johnD AND short-doc:\"Change in usage pattern\"",
    "short-doc:\"Change in usage pattern\" AND NOT eid:johnD",
    "category:incident AND confidence:high",
    "kaudit_filter.summary:*",
];

/// Builds everything and runs the demo. With `--page` the endpoint keeps running and serves its page.
pub fn run(arguments: &[String]) -> Done {
    let stays = match arguments {
        [] => false,
        [option] if option == "--page" => true,
        _ => return Err("the only option is --page".to_owned()),
    };
    let built = build()?;
    let records = records()?;
    let endpoint = Endpoint::start(&built.program, NOW)?;
    unfiltered(&endpoint, &records)?;

    let mut shown = None;
    for Act { config, title } in ACTS {
        headline(title);
        println!("{} records, one chunk; libflb_filter_kaudit.so with config_file {config}\n", records.len());
        let ran = agent::run(&built.driver, &built.plugin, config, &records, NOW_MS)?;
        for chunk in &ran.chunks {
            deliver(&endpoint, chunk)?;
        }
        account(&ran)?;
        shown = ran.chunks.into_iter().flatten().next();
    }

    alerts::run(&built, &endpoint)?;

    headline("The queries of an analyst");
    for query in QUERIES {
        search(&endpoint, query)?;
    }
    let shown = shown.ok_or("the plugin emitted no entry")?;
    headline("One entry, as the endpoint receives it");
    println!("{shown:#}");
    if stays {
        println!("\nThe page is at {}; end with Ctrl-C.", endpoint.url);
        return endpoint.wait();
    }
    println!("\nThe endpoint has a page for this: cargo xtask demo --page");
    Ok(())
}

fn build() -> Done<Built> {
    sh(&mut cargo(&["build", "--quiet", "--locked", "--release", "--package", "kaudit-fluent-bit"]))?;
    let others = ["--package", "kaudit-filter-cli", "--package", "kaudit-fluent-bit-driver"];
    sh(cargo(&["build", "--quiet", "--locked"]).args(others))?;
    let target = target_directory()?;
    Ok(Built {
        program: target.join("debug/kaudit-filter"),
        driver: target.join("debug/kaudit-fluent-bit-driver"),
        plugin: target.join("release/libflb_filter_kaudit.so"),
    })
}

/// Returns the example findings, one record per line.
fn records() -> Done<Vec<String>> {
    let mut records = Vec::new();
    for kind in FINDINGS {
        let file = format!("examples/findings/{kind}.ndjson");
        let text = fs::read_to_string(root().join(&file)).map_err(|error| format!("{file}: {error}"))?;
        records.extend(text.lines().map(str::to_owned));
    }
    Ok(records)
}

/// Posts the findings without the filter and prints the result.
fn unfiltered(endpoint: &Endpoint, records: &[String]) -> Done {
    headline("Without the filter: the findings as an agent reads them, posted to the endpoint");
    let records: Result<Vec<Value>, _> = records.iter().map(|record| serde_json::from_str(record)).collect();
    let answer = endpoint.post(&records.map_err(|error| format!("not a record: {error}"))?)?;
    println!(
        "  answered with 200, as Coralogix does: {} accepted, {} rejected",
        answer["accepted"], answer["rejected"]
    );
    for reason in answer["rejections"][0]["reasons"].as_array().into_iter().flatten() {
        let reason: String = reason.as_str().unwrap_or_default().chars().take(100).collect();
        println!("  {}", paint(DIM, &reason));
    }
    Ok(())
}

/// Posts the entries of a chunk, and prints each with the endpoint's answer.
fn deliver(endpoint: &Endpoint, entries: &[Value]) -> Done {
    let answer = endpoint.post(entries)?;
    let rejections = answer["rejections"].as_array().cloned().unwrap_or_default();
    for (index, entry) in entries.iter().enumerate() {
        match rejections.iter().find(|rejection| rejection["entry"] == index) {
            None => println!("{} {}", paint(GREEN, "accepted"), row(entry)),
            Some(rejection) => println!("{} {}\n{rejection}", paint(RED, "rejected"), row(entry)),
        }
    }
    if rejections.is_empty() { Ok(()) } else { Err(format!("{} entries were rejected", rejections.len())) }
}

/// Prints the plugin's counters, and checks that they balance.
fn account(ran: &Ran) -> Done {
    let [records, kept, dropped, suppressed, passed] =
        ["records", "kept", "dropped", "suppressed", "passed"].map(|name| ran.count(name));
    let [summaries, reports] = ["summaries", "reports"].map(|name| ran.count(name));
    let entries = ran.chunks.iter().flatten().count();
    println!(
        "\n{records} records = {kept} kept + {dropped} dropped + {suppressed} suppressed + {passed} passed\n{entries} \
         entries = {kept} of kept records + {summaries} summaries + {reports} reports, all accepted"
    );
    let details = ran.statistics.iter().filter(|(name, _)| name.contains('.'));
    let details: Vec<_> = details.map(|(name, count)| format!("{name} {count}")).collect();
    println!("{}", paint(DIM, &details.join(", ")));
    let left = kept + summaries + reports + passed;
    if records == kept + dropped + suppressed + passed && usize::try_from(left) == Ok(entries) {
        return Ok(());
    }
    Err("the counters do not balance".to_owned())
}

fn search(endpoint: &Endpoint, query: &str) -> Done {
    let answer = endpoint.search(query)?;
    println!("{} {query}\n  {} found", paint(BOLD, "?"), answer["found"]);
    let found = answer["entries"].as_array().cloned().unwrap_or_default();
    for received in &found {
        println!("  {}", row(&received["entry"]));
    }
    if found.is_empty() { Err(format!("`{query}` finds nothing")) } else { Ok(()) }
}

/// Returns an entry on a line, and the filter's changes to it on the next.
fn row(entry: &Value) -> String {
    let label = |name: &str| entry[name].as_str().unwrap_or_default();
    let (severity, colour) = severity(entry);
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

/// Returns the changes that the filter records in an entry, without the samples of summaries.
fn brief(did: &Value) -> String {
    let mut did = did.clone();
    if let Some(summary) = did.get_mut("summary").and_then(Value::as_object_mut) {
        summary.remove("sample");
    }
    format!("kaudit_filter {did}")
}
