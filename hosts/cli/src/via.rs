//! `run --via`: filters records with an agent's plugin, in a driver program.
//!
//! The driver is a separate process, so that a crash of the plugin is an ordinary error. Driver and plugin are in the
//! directory of this program, where `cargo xtask dist` writes them; `kaudit_driver` contains the protocol.

mod named;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::path::Path;

use clap::ValueEnum;
use kaudit_driver::guest::{self, Directory};
use kaudit_driver::{Client, Error, Event, Filtered, Level, Line, Record, Start, fluent_bit};
use kaudit_filter::Time;
use serde_json::{Map, Value, json};

use crate::input::Piece;
use crate::outcome::{Halt, Outcome};
use crate::stream::{Recognition, Sink};
use crate::terminal::error_line;

/// The implementation that filters the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// The engine, in this program
    Engine,
    /// Fluent Bit's plugin, flb-filter_kaudit.so
    FluentBit,
    /// Vector's module, kaudit.so
    Vector,
    /// The guest of Fluent Bit's wasm filter, kaudit.wasm
    Wasm,
}

impl Via {
    /// Returns the option value, the driver program and the plugin.
    /// `None` for the engine.
    fn names(self) -> Option<(&'static str, &'static str, &'static str)> {
        match self {
            Self::Engine => None,
            Self::FluentBit => Some(("fluent-bit", "kaudit-fluent-bit-driver", "flb-filter_kaudit.so")),
            Self::Vector => Some(("vector", "kaudit-vector-driver", "kaudit.so")),
            Self::Wasm => Some(("wasm", "kaudit-wamr-driver", "kaudit.wasm")),
        }
    }

    /// Returns the value of the option `--via`.
    pub fn name(self) -> &'static str {
        self.names().map_or("engine", |(name, ..)| name)
    }

    /// Starts the driver with the plugin `file`.
    /// The default is the plugin in the directory of this program.
    ///
    /// # Errors
    /// A file is missing, or the driver cannot be started.
    pub fn driver(self, file: Option<&Path>) -> Result<Client, Halt> {
        let Some((name, driver, plugin)) = self.names() else {
            return Err(Halt::Failed("--via engine: loads no plugin".to_owned()));
        };
        let own = std::env::current_exe().map_err(|error| self.halt(error.into()))?;
        let driver = own.with_file_name(driver);
        let file = match file {
            // The dynamic loader searches a bare name in the system's libraries.
            Some(file) => std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
            None => own.with_file_name(plugin),
        };
        for (role, path) in [("driver program", &driver), ("plugin", &file)] {
            if !path.is_file() {
                let path = path.display();
                let message = format!("{role} not found: `{path}`; `cargo xtask dist` builds it in dist/");
                return Err(Halt::Failed(format!("--via {name}: {message}")));
            }
        }
        if self == Self::Vector && !file.ends_with(plugin) {
            let message = format!(
                "--plugin {}: expected a file with the name `{plugin}`, which Lua requires",
                file.display()
            );
            return Err(Halt::Failed(message));
        }
        Client::start(&driver, &[file]).map_err(|error| self.halt(error))
    }

    /// Returns the start options of an instance, and the directory that it may read.
    ///
    /// The clock starts in 1970, so that the guest, which does not limit rates in its first second, limits the first
    /// record.
    ///
    /// # Errors
    /// The configuration cannot be copied.
    pub fn start(self, config: Option<&Path>) -> Result<(Start, Option<Directory>), Halt> {
        if self == Self::Wasm {
            let directory = named::copied(config).map_err(|error| self.halt(error.into()))?;
            let path = Some(directory.path().to_owned());
            let start = Start { stack: Some(guest::STACK), directory: path, ..Start::default() };
            return Ok((start, Some(directory)));
        }
        let intervals: &[&str] =
            if self == Self::FluentBit { &["stats_interval", "reload_interval"] } else { &[] };
        let config = config.map(|config| ("config_file", json!(config.to_string_lossy())));
        let options = intervals.iter().map(|interval| (*interval, json!("1d"))).chain(config);
        Ok((Start::new(0, options), None))
    }

    /// Converts a driver's error to the reason why a run ends.
    pub fn halt(self, error: Error) -> Halt {
        match error {
            Error::Refused(lines) => {
                Halt::Refused(severe(&lines).map(|line| line.message().to_owned()).collect())
            }
            Error::Failed(error) => Halt::Failed(format!("--via {}: {error}", self.name())),
        }
    }

    /// Returns the output lines for events: resources and envelopes of Fluent Bit, Vector's messages, or the whole events.
    fn lines(self, events: &[Event]) -> Vec<String> {
        let message = |body: &str| {
            let log = serde_json::from_str::<Value>(body).ok()?;
            Some(log.get("message")?.as_str()?.to_owned())
        };
        let body = |event: &Event| event.body.clone();
        match self {
            Self::FluentBit => fluent_bit::lines(events),
            Self::Vector => {
                events.iter().map(|event| message(&event.body).unwrap_or_else(|| body(event))).collect()
            }
            Self::Engine | Self::Wasm => events.iter().map(body).collect(),
        }
    }
}

/// Returns the lines with errors and warnings.
fn severe(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().filter(|line| line.level <= Level::Warning)
}

/// A plugin in its driver.
pub struct Plugin<W> {
    via: Via,
    client: Client,
    _directory: Option<Directory>,
    out: W,
    /// The next chunk, its length in bytes, and its arrival time.
    chunk: Vec<Record>,
    bytes: usize,
    at: Time,
    report: RunReport,
    failed: bool,
}

/// The size in bytes from which on a chunk is filtered, as in the agents.
const CHUNK_BYTES: usize = 2 << 20;

/// Seconds after the last record at which Fluent Bit gets an empty chunk.
/// The plugin writes pending summaries and reports only into chunks.
const DRAIN: [i64; 3] = [2 * 60, 125 * 60, 25 * 60 * 60];

impl<W: Write> Plugin<W> {
    /// Starts the plugin `file` in its driver; lines are written to `out`.
    /// The default is the plugin in the directory of this program.
    ///
    /// # Errors
    /// A file is missing, or the plugin rejects the configuration.
    pub fn start(via: Via, file: Option<&Path>, config: Option<&Path>, out: W) -> Result<Self, Halt> {
        let mut client = via.driver(file)?;
        let (start, directory) = via.start(config)?;
        let log = client.start_instance(start).map_err(|error| via.halt(error))?;
        severe(&log).for_each(|line| error_line(format_args!("{}", line.message())));
        let report =
            RunReport { via: via.name(), records: 0, lines: 0, malformed: 0, statistics: BTreeMap::new() };
        let (chunk, at) = (Vec::new(), Time::from_nanos(0));
        Ok(Self { via, client, _directory: directory, out, chunk, bytes: 0, at, report, failed: false })
    }

    /// Returns the counters of the run, after its end.
    pub fn report(self, malformed: u64) -> RunReport {
        RunReport { malformed, ..self.report }
    }

    /// Filters the chunk.
    fn call(&mut self, now: Time) -> Result<(), Halt> {
        let records = std::mem::take(&mut self.chunk);
        self.bytes = 0;
        let before = self.report.records - records.len() as u64;
        let filtered = self.client.chunk(now.nanos(), records).map_err(|error| self.via.halt(error))?;
        let Filtered { events, lost, log, .. } = filtered;
        self.write(&events)?;
        for lost in lost {
            // Fluent Bit continues with the next record.
            self.failed = true;
            let number = before + lost.record as u64 + 1;
            error_line(format_args!("--via {}: record {number} was lost: {}", self.via.name(), lost.reason));
        }
        self.log(&log);
        Ok(())
    }

    /// Writes events on lines: a line break in JSON is white space.
    fn write(&mut self, events: &[Event]) -> Result<(), Halt> {
        for line in self.via.lines(events) {
            self.report.lines += 1;
            writeln!(self.out, "{}", line.replace(['\n', '\r'], " "))?;
        }
        Ok(())
    }

    /// Adds statistics, and prints errors and warnings.
    fn log(&mut self, lines: &[Line]) {
        for (name, count) in lines.iter().filter_map(|line| fluent_bit::statistics(line.message())).flatten()
        {
            *self.report.statistics.entry(name.to_owned()).or_default() += count;
        }
        for line in severe(lines) {
            self.failed |= line.level == Level::Error;
            error_line(format_args!("{}", line.message()));
        }
    }
}

impl<W: Write> Sink for Plugin<W> {
    fn record(&mut self, piece: &Piece<'_>, now: Time) -> Result<Recognition, Halt> {
        if !self.chunk.is_empty() && (self.at != now || self.bytes > CHUNK_BYTES) {
            self.call(self.at)?;
        }
        self.at = now;
        self.bytes += piece.bytes.len();
        self.report.records += 1;
        self.chunk.push(if self.via == Via::FluentBit && piece.fault.is_some() {
            // Fluent Bit's inputs store lines of text under this key.
            Record::Text(json!({ "log": String::from_utf8_lossy(piece.bytes) }).to_string())
        } else {
            Record::new(piece.bytes)
        });
        Ok(Recognition::Unknown)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        if !self.chunk.is_empty() {
            self.call(self.at)?;
        }
        Ok(self.out.flush()?)
    }

    fn finish(&mut self, now: Time) -> Result<Outcome, Halt> {
        self.flush()?;
        let drain: &[i64] = if self.via == Via::FluentBit { &DRAIN } else { &[] };
        for seconds in drain {
            self.call(Time::from_nanos(now.nanos().saturating_add(seconds * 1_000_000_000)))?;
        }
        let stopped = self.client.stop().map_err(|error| self.via.halt(error))?;
        self.write(&stopped.events)?;
        self.log(&stopped.log);
        self.report.statistics.extend(stopped.statistics);
        let errors = self.client.finish().map_err(|error| self.via.halt(error))?;
        if !errors.is_empty() {
            error_line(format_args!("{}", errors.trim_end()));
        }
        self.out.flush()?;
        Ok(if self.failed { Outcome::Failed } else { Outcome::Done })
    }
}

/// The counters of a run through a plugin.
/// They are records in, lines out, and the plugin's own counters.
pub struct RunReport {
    /// The value of the option `--via`.
    pub via: &'static str,
    /// Records read.
    pub records: u64,
    /// Lines written: entries, or envelopes of them, and records that passed.
    pub lines: u64,
    /// Records that are malformed by the engine's verdict.
    pub malformed: u64,
    /// Counters by name, `group.name` in a group; empty if the plugin reported none.
    pub statistics: BTreeMap<String, u64>,
}

impl RunReport {
    /// Returns the number of records that the plugin's counters do not include.
    /// The guest reports no counters.
    fn uncounted(&self) -> u64 {
        self.records.saturating_sub(self.statistics.get("records").copied().unwrap_or(0))
    }

    /// Returns the counters as one line of JSON.
    pub fn json(&self) -> Value {
        let mut plugin = Map::new();
        for (name, count) in &self.statistics {
            let (members, name) = match name.split_once('.') {
                Some((group, name)) => {
                    (plugin.entry(group).or_insert_with(|| json!({})).as_object_mut(), name)
                }
                None => (Some(&mut plugin), name.as_str()),
            };
            if let Some(members) = members {
                members.insert(name.to_owned(), json!(count));
            }
        }
        json!({
            "via": self.via,
            "records": self.records,
            "lines": self.lines,
            "malformed": self.malformed,
            "uncounted": self.uncounted(),
            "plugin": (!plugin.is_empty()).then_some(plugin),
        })
    }
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |depth: usize, label: &str, count: u64, remark: &str| {
            let line = format!("{:depth$}{label:<width$}{count:>9}   {remark}", "", width = 32 - depth);
            writeln!(f, "{}", line.trim_end())
        };
        let malformed =
            if self.malformed > 0 { format!("{} malformed", self.malformed) } else { String::new() };
        row(0, "records", self.records, &malformed)?;
        row(0, "lines", self.lines, "entries, and records that passed")?;
        for (name, count) in self.statistics.iter().filter(|(_, count)| **count > 0) {
            row(2, name, *count, "")?;
        }
        if self.uncounted() > 0 {
            row(
                2,
                "uncounted",
                self.uncounted(),
                if self.via == "wasm" {
                    "the guest reports no counters"
                } else {
                    "the plugin reported no counters for them"
                },
            )?;
        }
        Ok(())
    }
}
