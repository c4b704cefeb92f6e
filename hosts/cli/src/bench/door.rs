//! What records go through: the engine here, or an agent's plugin in its driver program, which times itself.

use std::path::Path;

use super::corpus::Corpus;
use crate::run::Halt;
use crate::via::{self, Driver, Via};

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

/// A plugin in its driver. All drivers understand the same requests, one a line:
///
/// | request | meaning |
/// |---|---|
/// | `chunk NANOSECONDS` | begins a chunk that arrives at this time |
/// | `record TEXT` | a record of it; JSON, or a line of text |
/// | `resident` | answered with `resident KB`, the process's memory |
/// | `round` | a new filter, warmed up, sees all chunks; answered with `round NANOSECONDS LEFT RESIDENT_KB`, or `refused` or `failed` and a line of words |
pub struct Plugin {
    driver: Driver,
    records: usize,
    /// Resident memory before the first filter was made.
    before_kb: u64,
}

impl Plugin {
    /// Starts the driver and hands it the records.
    ///
    /// # Errors
    /// A file is missing, or the driver cannot be started.
    pub fn start(via: Via, config: Option<&Path>, corpus: &Corpus) -> Result<Self, Halt> {
        let found = via::find(via, None)?;
        let mut arguments = vec!["--rounds".into()];
        if let Some(config) = config {
            arguments.extend(["--config".into(), std::path::absolute(config)?]);
        }
        arguments.push(found.plugin);
        let mut driver = Driver::start(found.word, &found.driver, &arguments)?;
        for chunk in &corpus.chunks {
            let mut requests = format!("chunk {}\n", chunk.at.nanos()).into_bytes();
            for record in &chunk.records {
                requests.extend_from_slice(b"record ");
                requests.extend_from_slice(record.json.as_bytes());
                requests.push(b'\n');
            }
            driver.send(&requests)?;
        }
        driver.send(b"resident\n")?;
        let answer = driver.line()?;
        let before_kb = answer.strip_prefix("resident ").and_then(|kb| kb.parse().ok());
        let before_kb = before_kb.ok_or_else(|| driver.strange(&answer))?;
        Ok(Self { driver, records: corpus.records, before_kb })
    }
}

impl Door for Plugin {
    fn round(&mut self) -> Result<Round, Halt> {
        self.driver.send(b"round\n")?;
        let answer = self.driver.line()?;
        let words: Vec<&str> = answer.splitn(2, ' ').collect();
        match words[..] {
            ["refused", mistake] => Err(Halt::Refused(vec![mistake.to_owned()])),
            ["failed", error] => Err(Halt::Failed(format!("--via {}: {error}", self.driver.word))),
            ["round", numbers] => {
                let numbers: Vec<u64> = numbers.split(' ').filter_map(|number| number.parse().ok()).collect();
                let [ns, left, resident] = numbers[..] else { return Err(self.driver.strange(&answer)) };
                #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
                let ns = ns as f64 / self.records as f64;
                Ok(Round { ns, left, resident_kb: Some(resident.saturating_sub(self.before_kb)) })
            }
            _ => Err(self.driver.strange(&answer)),
        }
    }
}
