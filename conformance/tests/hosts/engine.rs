//! The engine within this process: over JSON text, and over `MessagePack` as a log agent hands it.

use std::collections::BTreeMap;

use conformance::case::{Case, Need, Record};
use conformance::driver::{Driver, Outcome, Run};
use kaudit_filter::bulk::Grouper;
use kaudit_filter::config::{self, Config, Shape};
use kaudit_filter::entry::Entry;
use kaudit_filter::record;
use kaudit_filter::stats::Stats;
use kaudit_filter::{BuildError, Filter, Time, Verdict};

use crate::msgpack;

/// How records go in and entries come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON text.
    Json,
    /// `MessagePack`, as a log agent has it.
    MsgPack,
}

/// The engine in one encoding.
pub struct Engine {
    encoding: Encoding,
}

impl Engine {
    /// The engine over JSON text.
    pub fn json() -> Self {
        Self { encoding: Encoding::Json }
    }

    /// The engine over `MessagePack`.
    pub fn msgpack() -> Self {
        Self { encoding: Encoding::MsgPack }
    }
}

impl Driver for Engine {
    fn name(&self) -> &'static str {
        match self.encoding {
            Encoding::Json => "engine",
            Encoding::MsgPack => "engine-msgpack",
        }
    }

    fn capabilities(&self) -> &'static [Need] {
        match self.encoding {
            Encoding::Json => &[Need::Arrival, Need::Text, Need::Bounds, Need::Bulk, Need::Own, Need::Batch],
            Encoding::MsgPack => &[Need::Arrival, Need::Bounds, Need::Bulk, Need::Own, Need::Batch],
        }
    }

    fn run(&mut self, case: &Case) -> Outcome {
        let config = match read(&case.config) {
            Ok(config) => config,
            Err(remarks) => return Outcome::Refused(remarks),
        };
        let encode = |record: &Record| match self.encoding {
            Encoding::Json => record.bytes.clone(),
            Encoding::MsgPack => msgpack::encode(&record.bytes),
        };
        let records: Vec<_> = case.records.iter().map(|record| (encode(record), record.at_ms)).collect();
        let fed = match feed(&config, self.encoding, &records) {
            Ok(fed) => fed,
            Err(error) => return Outcome::Refused(vec![error.to_string()]),
        };
        let lines = fed.left.into_iter().map(|left| match self.encoding {
            Encoding::MsgPack if left.passed => msgpack::decode(&left.bytes),
            _ => left.bytes,
        });
        let (verdicts, stats) = (Some(fed.verdicts), Some(fed.stats));
        Outcome::Ran(Run { lines: lines.collect(), verdicts, stats, ..Run::default() })
    }
}

/// A configuration of one file, or what is wrong with it.
pub fn read(text: &str) -> Result<Config, Vec<String>> {
    let reading = config::read("config.yaml", text, &config::NoFiles);
    reading.config.ok_or_else(|| reading.diagnostics.iter().map(ToString::to_string).collect())
}

/// What became of records that were fed to a filter.
pub struct Fed {
    /// What left, in order.
    pub left: Vec<Left>,
    /// The verdicts in order: one for each record, or for each item of a batch.
    pub verdicts: Vec<String>,
    /// The filter's counters.
    pub stats: BTreeMap<String, u64>,
}

/// A line that left.
pub struct Left {
    /// An entry or envelope as JSON, or the bytes of a record that passed.
    pub bytes: Vec<u8>,
    /// When it left, epoch milliseconds.
    pub at_ms: i64,
    /// Whether it is a record that passed.
    pub passed: bool,
}

/// Feeds records, each with its arrival, to a new filter.
pub fn feed(config: &Config, encoding: Encoding, records: &[(Vec<u8>, i64)]) -> Result<Fed, BuildError> {
    let mut filter = Filter::new(config, 0)?;
    let grouper = (config.coralogix.shape == Shape::Bulk).then(Grouper::default);
    let mut lines = Lines { encoding, at_ms: 0, left: Vec::new(), grouper };
    let mut verdicts = Vec::new();
    for (bytes, at_ms) in records {
        lines.at_ms = *at_ms;
        verdicts.extend(lines.take(&mut filter, bytes));
        while let Some(entry) = filter.due(Time::from_millis(*at_ms)) {
            lines.entry(&entry);
        }
    }
    while let Some(entry) = filter.finish(Time::from_millis(lines.at_ms)) {
        lines.entry(&entry);
    }
    Ok(Fed { left: lines.finish(), verdicts, stats: stats(filter.stats()) })
}

struct Lines {
    encoding: Encoding,
    at_ms: i64,
    left: Vec<Left>,
    grouper: Option<Grouper>,
}

impl Lines {
    /// Puts a record through the filter; the verdicts on it, or on its items.
    fn take(&mut self, filter: &mut Filter, bytes: &[u8]) -> Vec<String> {
        let now = Time::from_millis(self.at_ms);
        let record = match self.encoding {
            Encoding::Json => record::Record::json(bytes),
            Encoding::MsgPack => record::Record::msgpack(bytes),
        };
        let mut verdicts = Vec::new();
        filter.process(record, now, |verdict| verdicts.push(self.judged(&verdict, bytes)));
        verdicts
    }

    /// Lets leave what a verdict lets leave; the verdict in words.
    fn judged(&mut self, verdict: &Verdict<'_>, bytes: &[u8]) -> String {
        match verdict {
            Verdict::Kept(entry) => {
                self.entry(entry);
                "kept".to_owned()
            }
            Verdict::Dropped(reason) => format!("dropped: {}", reason.label()),
            Verdict::Suppressed => "suppressed".to_owned(),
            Verdict::Passed => {
                self.left.push(Left { bytes: bytes.to_owned(), at_ms: self.at_ms, passed: true });
                "passed".to_owned()
            }
        }
    }

    fn entry(&mut self, entry: &Entry<'_>) {
        let line = match (&mut self.grouper, self.encoding) {
            (Some(grouper), _) => grouper.push(entry),
            (None, Encoding::Json) => {
                let mut line = Vec::new();
                entry.write_json(&mut line);
                Some(line)
            }
            (None, Encoding::MsgPack) => {
                let mut line = Vec::new();
                entry.write_msgpack(&mut line);
                Some(msgpack::decode(&line))
            }
        };
        self.leave(line);
    }

    fn leave(&mut self, line: Option<Vec<u8>>) {
        self.left.extend(line.map(|bytes| Left { bytes, at_ms: self.at_ms, passed: false }));
    }

    fn finish(mut self) -> Vec<Left> {
        while let Some(envelope) = self.grouper.as_mut().and_then(Grouper::close) {
            self.leave(Some(envelope));
        }
        self.left
    }
}

fn stats(stats: &Stats) -> BTreeMap<String, u64> {
    let mut named = BTreeMap::new();
    for (group, counters) in stats.counters() {
        let prefix = if group.is_empty() { String::new() } else { format!("{group}.") };
        if !group.is_empty() {
            named.insert(format!("{prefix}total"), counters.iter().map(|(_, count)| count).sum());
        }
        named.extend(counters.into_iter().map(|(name, count)| (format!("{prefix}{name}"), count)));
    }
    named
}
