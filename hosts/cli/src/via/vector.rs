//! Vector's module, in one run: the driver takes all events at once.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use kaudit_filter::Time;
use serde_json::{Map, Value, json};

use super::{Driver, Lines, Plugin, Told, ended};
use crate::Outcome;
use crate::input::Piece;
use crate::run::{Halt, Recognition, Sink};

/// The module in its driver.
pub struct Vector<W> {
    driver: Driver,
    lines: Lines<W>,
    module: PathBuf,
    config: Option<PathBuf>,
    events: Vec<Value>,
    records: u64,
    statistics: BTreeMap<String, u64>,
}

impl<W: Write> Vector<W> {
    /// A run with a configuration file, or none.
    pub fn new(driver: Driver, module: &Path, config: Option<&Path>, lines: Lines<W>) -> Self {
        Self {
            driver,
            lines,
            module: module.to_owned(),
            config: config.map(Path::to_owned),
            events: Vec::new(),
            records: 0,
            statistics: BTreeMap::new(),
        }
    }
}

impl<W: Write> Sink for Vector<W> {
    /// A record comes as its line, in `message`.
    fn record(&mut self, piece: &Piece<'_>, now: Time) -> Result<Recognition, Halt> {
        let text = String::from_utf8_lossy(piece.bytes);
        self.records += 1;
        self.events.push(json!({ "log": { "message": text }, "at": now.millis() }));
        Ok(Recognition::Unknown)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        Ok(())
    }

    fn finish(&mut self, _: Time) -> Result<Outcome, Halt> {
        let mut options = Map::new();
        options.extend(self.config.iter().map(|file| ("config_file".to_owned(), json!(file))));
        let events = std::mem::take(&mut self.events);
        let request = json!({ "module": self.module, "options": options, "events": events });
        self.driver.send(format!("{request}\n").as_bytes())?;
        let line = self.driver.line()?;
        let answer: Value = serde_json::from_str(&line).map_err(|_| self.driver.strange(&line))?;
        if let Some(mistakes) = answer["refused"].as_str() {
            return Err(Halt::Refused(mistakes.lines().map(str::to_owned).collect()));
        }
        if let Some(error) = answer["failed"].as_str() {
            return Err(Halt::Failed(format!("--via vector: {error}")));
        }
        let Some(events) = answer["ran"]["events"].as_array() else {
            return Err(self.driver.strange(&line));
        };
        for event in events {
            match event["message"].as_str() {
                Some(message) => self.lines.write(message)?,
                None => self.lines.write(&event.to_string())?,
            }
        }
        self.lines.out.flush()?;
        for (name, count) in answer["ran"]["stats"].as_object().into_iter().flatten() {
            if let Some(count) = count.as_u64() {
                self.statistics.insert(name.clone(), count);
            }
            for (member, count) in count.as_object().into_iter().flatten() {
                self.statistics.insert(format!("{name}.{member}"), count.as_u64().unwrap_or(0));
            }
        }
        Ok(ended(false))
    }
}

impl<W: Write> Plugin for Vector<W> {
    fn told(&self) -> Told {
        Told {
            via: self.driver.word,
            records: self.records,
            lines: self.lines.count,
            malformed: 0,
            statistics: self.statistics.clone(),
        }
    }
}
