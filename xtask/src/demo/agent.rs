//! The agent of the demo: the built plugin in its driver, which calls it as Fluent Bit does.

use std::path::{Path, PathBuf};

use kaudit_driver::{Client, Line, Record, Start, fluent_bit};
use serde_json::Value;

use crate::shell::{Done, root};

/// The programs of the demo.
pub struct Built {
    pub program: PathBuf,
    pub driver: PathBuf,
    pub plugin: PathBuf,
}

/// The output of the plugin.
pub struct Ran {
    /// Entries, by the chunk in which they were emitted.
    pub chunks: Vec<Vec<Value>>,
    /// The plugin's own statistics, by the names of the counters.
    pub statistics: Vec<(String, u64)>,
}

impl Ran {
    /// Returns a counter, or the sum of a group of counters.
    pub fn count(&self, name: &str) -> u64 {
        let group = format!("{name}.");
        let counted = self.statistics.iter();
        counted.filter(|(known, _)| known == name || known.starts_with(&group)).map(|(_, count)| count).sum()
    }
}

/// Filters records in one chunk, then an empty chunk at the time when a summary is due.
pub fn run(driver: &Path, plugin: &Path, config: &str, records: &[String], now_ms: i64) -> Done<Ran> {
    let mut client = Client::start(driver, &[plugin])?;
    let config = root().join(config).to_string_lossy().into_owned();
    let options = [("config_file", config.into()), ("stats_interval", "1d".into())];
    let at = now_ms * 1_000_000;
    let mut log = client.start_instance(Start::new(at, options))?;
    let mut ran = Ran { chunks: Vec::new(), statistics: Vec::new() };
    let records = records.iter().cloned().map(Record::Text).collect();
    for (at, records) in [(at, records), (at + 120_000_000_000, Vec::new())] {
        let filtered = client.chunk(at, records)?;
        let entries = filtered.events.iter().map(|event| serde_json::from_str(&event.body));
        let entries: Result<_, _> = entries.collect();
        ran.chunks.push(entries.map_err(|error| format!("not an entry: {error}"))?);
        log.extend(filtered.log);
    }
    log.extend(client.stop()?.log);
    let counters = log.iter().map(Line::message).filter_map(fluent_bit::statistics).flatten();
    ran.statistics = counters.map(|(name, count)| (name.to_owned(), count)).collect();
    Ok(ran)
}
