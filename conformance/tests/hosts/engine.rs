//! The engine within this process: with JSON text, and with `MessagePack` as a log agent passes it.

use std::collections::BTreeMap;

use conformance::case::{Case, Need, Record};
use conformance::driver::{Driver, Outcome, Run};
use host_kit::{Emission, Session, counters};
use kaudit_filter::config::{self, Config};
use kaudit_filter::entry::Entry;
use kaudit_filter::record;
use kaudit_filter::{BuildError, Filter, Time};

use crate::msgpack;

/// The encoding of records and entries.
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
    /// Returns the engine with JSON text.
    pub fn json() -> Self {
        Self { encoding: Encoding::Json }
    }

    /// Returns the engine with `MessagePack`.
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
            Encoding::Json => {
                &[Need::Arrival, Need::Text, Need::Bounds, Need::Bulk, Need::Otlp, Need::Own, Need::Batch]
            }
            Encoding::MsgPack => {
                &[Need::Arrival, Need::Bounds, Need::Bulk, Need::Otlp, Need::Own, Need::Batch]
            }
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
        let lines = fed.emitted.into_iter().map(|emitted| match self.encoding {
            Encoding::MsgPack if emitted.passed => msgpack::decode(&emitted.bytes),
            _ => emitted.bytes,
        });
        let (verdicts, stats) = (Some(fed.verdicts), Some(fed.stats));
        Outcome::Ran(Run { lines: lines.collect(), verdicts, stats, ..Run::default() })
    }
}

/// Reads a configuration of one file, or returns its mistakes.
pub fn read(text: &str) -> Result<Config, Vec<String>> {
    let reading = config::read("config.yaml", text, &config::NoFiles);
    reading.config.ok_or_else(|| reading.diagnostics.iter().map(ToString::to_string).collect())
}

/// The output of a filter.
pub struct Fed {
    /// The emitted lines, in order.
    pub emitted: Vec<Emitted>,
    /// The verdicts in order: one for each record, or for each item of a batch.
    pub verdicts: Vec<String>,
    /// The filter's counters.
    pub stats: BTreeMap<String, u64>,
}

/// An emitted line.
pub struct Emitted {
    /// An entry or envelope as JSON, or the bytes of a record that passed.
    pub bytes: Vec<u8>,
    /// When it was emitted, epoch milliseconds.
    pub at_ms: i64,
    /// Whether it is an unchanged record.
    pub passed: bool,
}

/// Filters records, each with its arrival, with a new filter.
pub fn feed(config: &Config, encoding: Encoding, records: &[(Vec<u8>, i64)]) -> Result<Fed, BuildError> {
    let mut session = Session::new(Filter::new(config, 0)?, config);
    let mut lines = Lines { encoding, at_ms: 0, emitted: Vec::new() };
    let mut verdicts = Vec::new();
    for (bytes, at_ms) in records {
        lines.at_ms = *at_ms;
        let now = Time::from_millis(*at_ms);
        let record = match encoding {
            Encoding::Json => record::Record::json(bytes),
            Encoding::MsgPack => record::Record::msgpack(bytes),
        };
        session.record(record, now, |emission| verdicts.extend(lines.take(&emission, bytes)));
        session.due(now, |own| drop(lines.take(&own, bytes)));
    }
    session.finish(Time::from_millis(lines.at_ms), |own| drop(lines.take(&own, &[])));
    let stats =
        counters::all(session.stats()).iter().map(|counter| (counter.label(), counter.count)).collect();
    Ok(Fed { emitted: lines.emitted, verdicts, stats })
}

struct Lines {
    encoding: Encoding,
    at_ms: i64,
    emitted: Vec<Emitted>,
}

impl Lines {
    /// Stores what is emitted. Returns the verdict of a record.
    fn take(&mut self, emission: &Emission<'_>, record: &[u8]) -> Option<String> {
        Some(match emission {
            Emission::Entry(entry) => {
                self.entry(entry);
                "kept".to_owned()
            }
            Emission::Grouped(_) => "kept".to_owned(),
            Emission::Envelope(envelope) => {
                self.push(envelope.clone(), false);
                return None;
            }
            Emission::Dropped(reason) => format!("dropped: {}", reason.label()),
            Emission::Suppressed => "suppressed".to_owned(),
            Emission::Passed => {
                self.push(record.to_owned(), true);
                "passed".to_owned()
            }
        })
    }

    fn entry(&mut self, entry: &Entry<'_>) {
        let mut line = Vec::new();
        match self.encoding {
            Encoding::Json => entry.write_json(&mut line),
            Encoding::MsgPack => {
                entry.write_msgpack(&mut line);
                line = msgpack::decode(&line);
            }
        }
        self.push(line, false);
    }

    fn push(&mut self, bytes: Vec<u8>, passed: bool) {
        self.emitted.push(Emitted { bytes, at_ms: self.at_ms, passed });
    }
}
