//! What records go through: the engine here, or an agent's plugin in its driver, which times itself.

use std::path::Path;
use std::time::Duration;

use kaudit_driver::guest::Directory;
use kaudit_driver::{self as driver, Client, Start};
use serde_json::json;

use super::corpus::{Corpus, Record};
use crate::run::Halt;
use crate::via::Via;

/// What takes all records, round after round.
pub trait Door {
    /// All records once, through a filter in working order.
    fn round(&mut self) -> Result<Round, Halt>;
}

/// What a round told.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Nanoseconds of a processor for each record.
    pub ns: f64,
    /// What left: entries, the filter's own among them, and records that passed.
    pub left: u64,
    /// What its process holds in memory more than before the filter was made; `None`: it is this process.
    pub resident_kb: Option<u64>,
}

/// A plugin in its driver, which holds the records.
pub struct Plugin {
    via: Via,
    client: Client,
    start: Start,
    _directory: Option<Directory>,
    records: usize,
    /// Resident memory before the first filter was made.
    before_kb: u64,
}

/// The time that a driver has for a round: a gigabyte of records, interpreted.
const LIMIT: Duration = Duration::from_hours(1);

impl Plugin {
    /// Starts the driver and hands it the records.
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
            // Fluent Bit hands its filter objects only.
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
}

impl Door for Plugin {
    fn round(&mut self) -> Result<Round, Halt> {
        let round = self.client.round(self.start.clone()).map_err(|error| self.via.halt(error))?;
        #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
        let ns = round.nanos as f64 / self.records as f64;
        let resident_kb = round.resident_kb.saturating_sub(self.before_kb);
        Ok(Round { ns, left: round.events, resident_kb: Some(resident_kb) })
    }
}
