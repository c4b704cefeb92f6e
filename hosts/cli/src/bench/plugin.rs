//! An agent's plugin as a target: it filters the records in its driver, which measures the rounds itself.

use std::path::Path;
use std::time::Duration;

use kaudit_driver::guest::Directory;
use kaudit_driver::{self as driver, Client, Start};
use kaudit_measure::{Corpus, Record};
use serde_json::json;

use crate::outcome::Halt;
use crate::via::Via;

/// A plugin in its driver, which holds the records.
pub struct Plugin {
    via: Via,
    client: Client,
    start: Start,
    _directory: Option<Directory>,
    records: usize,
    /// Resident memory before the first filter was built.
    before_kb: u64,
}

/// The results of a round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// CPU time per record, nanoseconds.
    pub ns: f64,
    /// The number of entries, summaries included, and of records that passed.
    pub emitted: u64,
    /// The growth of the process's resident memory.
    pub resident_kb: u64,
}

/// The time limit of a round: a gigabyte of records, interpreted.
const LIMIT: Duration = Duration::from_hours(1);

impl Plugin {
    /// Starts the driver and sends it the records.
    ///
    /// # Errors
    /// A file is missing, or the driver cannot be started.
    pub fn start(via: Via, config: Option<&Path>, corpus: &Corpus) -> Result<Self, Halt> {
        let mut client = via.driver(None)?.with_limit(LIMIT);
        let (mut start, directory) = via.start(config)?;
        if via == Via::FluentBit {
            // The intervals of its statistics and of reloading begin here.
            start.at = corpus.chunks.first().map_or(0, |chunk| chunk.at.nanos());
        }
        let record = |record: &Record| match via {
            // Fluent Bit passes only objects to its filters.
            Via::Wasm if !record.json.starts_with('{') => json!({ "log": record.json }).to_string(),
            _ => record.json.clone(),
        };
        for chunk in &corpus.chunks {
            let records = chunk.records.iter().map(|given| driver::Record::Text(record(given))).collect();
            client.hold(chunk.at.nanos(), records).map_err(|error| via.halt(error))?;
        }
        let before_kb = client.resident_kb().map_err(|error| via.halt(error))?;
        Ok(Self { via, client, start, _directory: directory, records: corpus.records, before_kb })
    }

    /// Filters all records with a filter that is warmed up.
    ///
    /// # Errors
    /// The plugin refuses the configuration, or the driver failed.
    pub fn round(&mut self) -> Result<Round, Halt> {
        let round = self.client.round(self.start.clone()).map_err(|error| self.via.halt(error))?;
        #[expect(clippy::cast_precision_loss, reason = "printed with few digits")]
        let ns = round.nanos as f64 / self.records as f64;
        let resident_kb = round.resident_kb.saturating_sub(self.before_kb);
        Ok(Round { ns, emitted: round.events, resident_kb })
    }
}
