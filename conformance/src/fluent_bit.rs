//! Fluent Bit's native plugin as a host: the built file, in a driver process that loads it as Fluent Bit does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kaudit_driver::{Client, Error, Line, Record, Start, fluent_bit};

use crate::case::{self, Case, Need};
use crate::driver::{Driver, Outcome, Run};

/// The plugin under one layout of the host's structures.
#[derive(Debug)]
pub struct FluentBit {
    name: &'static str,
    layout: &'static str,
    /// Whether each record is a chunk of its own: Fluent Bit 5.0 and later call a processor with a `condition` once for
    /// each record.
    is_conditional: bool,
    driver: PathBuf,
    plugin: PathBuf,
    scratch: PathBuf,
}

impl FluentBit {
    /// Returns one host per layout of the driver and one with a condition, for the plugin at `plugin`.
    ///
    /// Files of the running case are in directories under `scratch`.
    pub fn all(driver: &Path, plugin: &Path, scratch: &Path) -> [Self; 4] {
        [
            ("fluent-bit-2.2", "2.2", false),
            ("fluent-bit-3.2", "3.2", false),
            ("fluent-bit-5.1", "5.1", false),
            ("fluent-bit-condition", "5.1", true),
        ]
        .map(|(name, layout, is_conditional)| Self {
            name,
            layout,
            is_conditional,
            driver: driver.to_owned(),
            plugin: plugin.to_owned(),
            scratch: scratch.join(name),
        })
    }

    fn answer(&self, case: &Case) -> Result<Run, Error> {
        fs::create_dir_all(&self.scratch)?;
        let config = self.scratch.join("config.yaml");
        fs::write(&config, &case.config)?;
        let arguments = ["--layout".as_ref(), self.layout.as_ref(), self.plugin.as_os_str()];
        let mut client = Client::start(&self.driver, &arguments)?;
        let options = [("config_file", config.to_string_lossy().into()), ("stats_interval", "1d".into())];
        let start = Start::new(nanos(case.records[0].at_ms), options);
        let (mut run, mut log) = (Run::default(), client.start_instance(start)?);
        for (at, records) in self.chunks(case) {
            let filtered = client.chunk(at, records)?;
            run.lines.extend(fluent_bit::lines(&filtered.events).into_iter().map(String::into_bytes));
            log.extend(filtered.log);
        }
        log.extend(client.stop()?.log);
        run.stats = statistics(&log);
        run.log = log.into_iter().map(|line| line.text.into_bytes()).collect();
        run.log.push(client.finish()?.into_bytes());
        Ok(run)
    }

    /// Returns the chunks of a case: records that arrive together, or each record alone.
    ///
    /// At the end there are empty chunks, until all pending entries are emitted.
    fn chunks(&self, case: &Case) -> Vec<(i64, Vec<Record>)> {
        let is_one_chunk =
            |one: &case::Record, other: &case::Record| !self.is_conditional && one.at_ms == other.at_ms;
        let text = |bytes: &[u8]| Record::Text(String::from_utf8_lossy(bytes).into_owned());
        let records = case.records.chunk_by(is_one_chunk);
        let mut chunks: Vec<_> = records
            .map(|chunk| (nanos(chunk[0].at_ms), chunk.iter().map(|record| text(&record.bytes)).collect()))
            .collect();
        if !case.own.is_empty() {
            chunks.extend([2, 125].map(|minutes| (nanos(case.end_ms() + minutes * 60_000), Vec::new())));
        }
        chunks
    }
}

impl Driver for FluentBit {
    fn name(&self) -> &'static str {
        self.name
    }

    fn capabilities(&self) -> &'static [Need] {
        // The agent has log groups from 3.1 on.
        match self.layout {
            "2.2" => &[Need::Arrival, Need::Bounds, Need::Bulk, Need::Own, Need::Batch],
            _ => &[Need::Arrival, Need::Bounds, Need::Bulk, Need::Otlp, Need::Own, Need::Batch],
        }
    }

    fn skips(&self, case: &Case) -> Option<&'static str> {
        let passes = |record: &case::Record| record.outcomes.iter().any(|one| one.verdict == "passed");
        if case.needs().contains(&Need::Otlp) && case.records.iter().any(passes) {
            return Some("records pass in the shape `otlp`, which the host refuses");
        }
        if case.envelopes.is_empty() {
            return None;
        }
        if self.is_conditional && case.records.len() > 1 {
            return Some("each record is a chunk, and the host emits envelopes for each chunk");
        }
        let moves = case.needs().contains(&Need::Arrival) || !case.own.is_empty();
        moves.then_some("entries are emitted at different times, and the host emits envelopes for each chunk")
    }

    fn run(&mut self, case: &Case) -> Outcome {
        self.answer(case).map_or_else(Outcome::from, Outcome::Ran)
    }
}

fn nanos(millis: i64) -> i64 {
    millis * 1_000_000
}

/// The plugin's own statistics, with the sums of groups.
fn statistics(log: &[Line]) -> Option<BTreeMap<String, u64>> {
    let counters = log.iter().filter_map(|line| fluent_bit::statistics(line.message())).flatten();
    let mut stats = BTreeMap::new();
    for (name, count) in counters {
        *stats.entry(name.to_owned()).or_default() += count;
        if let Some((group, _)) = name.split_once('.') {
            *stats.entry(format!("{group}.total")).or_default() += count;
        }
    }
    (!stats.is_empty()).then_some(stats)
}
