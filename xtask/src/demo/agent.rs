//! The agent of the demo: the built plugin, in a process that loads it and calls it as Fluent Bit does.

use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::shell::{Done, root, show};

/// What an agent with the plugin did with the records.
pub struct Ran {
    /// Entries, by the chunk that they left with.
    pub chunks: Vec<Vec<Value>>,
    /// The plugin's own statistics, by the names of the counters.
    pub statistics: Vec<(String, u64)>,
}

impl Ran {
    /// A counter, or the sum of a group of them.
    pub fn count(&self, name: &str) -> u64 {
        let group = format!("{name}.");
        let counted = self.statistics.iter();
        counted.filter(|(known, _)| known == name || known.starts_with(&group)).map(|(_, count)| count).sum()
    }
}

/// Puts records through the plugin: all at once, and after a while, when a summary is due, nothing.
pub fn run(driver: &Path, plugin: &Path, config: &str, records: &[String], now_ms: i64) -> Done<Ran> {
    let mut requests =
        format!("option config_file {config}\noption stats_interval 1d\nnow {now_ms}000000\nstart\n");
    for record in records {
        let _ = writeln!(requests, "event {record}");
    }
    let _ = write!(requests, "call\nnow {}000000\ncall\nstop\n", now_ms + 120_000);

    let mut command = Command::new(driver);
    command.arg(plugin).current_dir(root()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let shown = show(&command);
    let fault = |what: &dyn Display| format!("`{shown}`: {what}");
    let mut child = command.spawn().map_err(|error| fault(&error))?;
    let mut stdin = child.stdin.take().ok_or_else(|| fault(&"has no input"))?;
    let feeder = thread::spawn(move || stdin.write_all(requests.as_bytes()));
    let output = child.wait_with_output().map_err(|error| fault(&error))?;
    let fed = feeder.join().is_ok_and(|fed| fed.is_ok());
    if !output.status.success() || !fed {
        return Err(fault(&output.status));
    }
    read(&String::from_utf8_lossy(&output.stdout))
}

fn read(answers: &str) -> Done<Ran> {
    let mut ran = Ran { chunks: Vec::new(), statistics: Vec::new() };
    for line in answers.lines() {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("refused", _) => return Err(format!("the plugin refused to start:\n{answers}")),
            ("untouched" | "dropped" | "replaced", _) => ran.chunks.push(Vec::new()),
            ("event", rest) => {
                let body = rest.split_once(' ').map_or("", |(_, body)| body);
                let entry =
                    serde_json::from_str(body).map_err(|error| format!("not an entry: {error}: {body}"))?;
                ran.chunks.last_mut().ok_or("an event outside a chunk")?.push(entry);
            }
            ("log", text) => {
                let counters = text.split_once("statistics: ").map_or("", |(_, counters)| counters);
                let counters = counters.split(' ').filter_map(|counter| counter.split_once('='));
                ran.statistics.extend(
                    counters.filter_map(|(name, count)| Some((name.to_owned(), count.parse().ok()?))),
                );
            }
            _ => {}
        }
    }
    Ok(ran)
}
