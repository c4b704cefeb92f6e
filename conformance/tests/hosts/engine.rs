//! The engine within this process: over JSON text, and over `MessagePack` as a log agent hands it.

use std::collections::BTreeMap;

use conformance::case::{Case, Need, Record};
use conformance::driver::{Driver, Outcome, Run};
use kaudit_filter::bulk::Grouper;
use kaudit_filter::config::{self, Config, Shape};
use kaudit_filter::entry::Entry;
use kaudit_filter::record::{Json, MsgPack};
use kaudit_filter::stats::{Reason, Stats};
use kaudit_filter::{Filter, Time, Verdict};

use crate::msgpack;

/// How records go in and entries come out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Json,
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
            Encoding::Json => &[Need::Arrival, Need::Text, Need::Bounds, Need::Bulk, Need::Own],
            // Envelopes are JSON.
            Encoding::MsgPack => &[Need::Arrival, Need::Bounds, Need::Own],
        }
    }

    fn run(&mut self, case: &Case) -> Outcome {
        match read(&case.config) {
            Ok(config) => run(case, &config, self.encoding),
            Err(remarks) => Outcome::Refused(remarks),
        }
    }
}

/// A configuration of one file, or what is wrong with it.
pub fn read(text: &str) -> Result<Config, Vec<String>> {
    let reading = config::read("config.yaml", text, &config::NoFiles);
    reading.config.ok_or_else(|| reading.diagnostics.iter().map(ToString::to_string).collect())
}

fn run(case: &Case, config: &Config, encoding: Encoding) -> Outcome {
    let mut filter = match Filter::new(config, 0) {
        Ok(filter) => filter,
        Err(error) => return Outcome::Refused(vec![error.to_string()]),
    };
    let mut lines = Lines::new(encoding, config.coralogix.shape);
    let mut verdicts = Vec::new();
    let mut now = Time::from_millis(case.end_ms());
    for record in &case.records {
        now = Time::from_millis(record.at_ms);
        verdicts.push(lines.take(&mut filter, record, now));
        while let Some(entry) = filter.due(now) {
            lines.entry(&entry);
        }
    }
    while let Some(entry) = filter.finish(now) {
        lines.entry(&entry);
    }
    Outcome::Ran(Run { lines: lines.finish(), verdicts: Some(verdicts), stats: Some(stats(filter.stats())) })
}

/// What leaves.
struct Lines {
    encoding: Encoding,
    written: Vec<Vec<u8>>,
    grouper: Option<Grouper>,
}

impl Lines {
    fn new(encoding: Encoding, shape: Shape) -> Self {
        Self { encoding, written: Vec::new(), grouper: (shape == Shape::Bulk).then(Grouper::default) }
    }

    fn take(&mut self, filter: &mut Filter, record: &Record, now: Time) -> String {
        let text;
        let encoded;
        let verdict = match self.encoding {
            Encoding::Json => {
                // What is no UTF-8 is the host's to mend: JSON is text.
                text = String::from_utf8_lossy(&record.bytes);
                filter.process(&mut Json::new(&text), now)
            }
            Encoding::MsgPack => {
                encoded = msgpack::encode(&record.bytes);
                filter.process(&mut MsgPack::new(&encoded), now)
            }
        };
        match verdict {
            Verdict::Kept(entry) => {
                self.entry(&entry);
                "kept".to_owned()
            }
            Verdict::Dropped(reason) => format!("dropped: {}", reason.label()),
            Verdict::Suppressed => "suppressed".to_owned(),
            Verdict::Passed => {
                self.written.push(record.bytes.clone());
                "passed".to_owned()
            }
        }
    }

    fn entry(&mut self, entry: &Entry<'_>) {
        if let Some(grouper) = &mut self.grouper {
            self.written.extend(grouper.push(entry));
            return;
        }
        let mut line = Vec::new();
        match self.encoding {
            Encoding::Json => entry.write_json(&mut line),
            Encoding::MsgPack => {
                entry.write_msgpack(&mut line);
                line = msgpack::decode(&line);
            }
        }
        self.written.push(line);
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        while let Some(envelope) = self.grouper.as_mut().and_then(Grouper::close) {
            self.written.push(envelope);
        }
        self.written
    }
}

fn stats(stats: &Stats) -> BTreeMap<String, u64> {
    let mut counters: BTreeMap<String, u64> = [
        ("records", stats.records),
        ("kept.total", stats.kept()),
        ("dropped.total", stats.dropped()),
        ("suppressed", stats.suppressed),
        ("passed", stats.passed),
        ("summaries", stats.summaries),
        ("summarised", stats.summarised),
        ("reports", stats.reports),
        ("clamped", stats.clamped),
        ("truncated", stats.truncated),
        ("redacted", stats.redacted),
    ]
    .map(|(name, count)| (name.to_owned(), count))
    .into();
    counters.extend(
        Reason::ALL.iter().map(|reason| (format!("dropped.{}", reason.label()), stats.dropped_for(*reason))),
    );
    counters
}
