//! `run --via`: the records go through the very file that an agent loads, in a driver that loads it as the agent does.
//!
//! The driver is a process apart, so that a crash of the plugin is an error like others. Driver and plugin are beside this
//! program, where `cargo xtask dist` puts them; `kaudit_driver` has the protocol.

use std::borrow::Cow;
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
use crate::run::{Halt, Recognition, Sink};
use crate::{Outcome, say};

/// What the records go through.
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
    /// The word of the command line, the driver program and the plugin; the engine has neither.
    fn names(self) -> Option<(&'static str, &'static str, &'static str)> {
        match self {
            Self::Engine => None,
            Self::FluentBit => Some(("fluent-bit", "kaudit-fluent-bit-driver", "flb-filter_kaudit.so")),
            Self::Vector => Some(("vector", "kaudit-vector-driver", "kaudit.so")),
            Self::Wasm => Some(("wasm", "kaudit-wamr-driver", "kaudit.wasm")),
        }
    }

    /// The word of the command line.
    pub fn word(self) -> &'static str {
        self.names().map_or("engine", |(word, ..)| word)
    }

    /// Starts the driver with the plugin, `file` or the one beside this program.
    ///
    /// # Errors
    /// A file is missing, or the driver cannot be started.
    pub fn driver(self, file: Option<&Path>) -> Result<Client, Halt> {
        let Some((word, driver, plugin)) = self.names() else {
            return Err(Halt::Failed("--via engine: loads no plugin".to_owned()));
        };
        let own = std::env::current_exe().map_err(|error| self.halt(error.into()))?;
        let driver = own.with_file_name(driver);
        let file = match file {
            // A bare name would be looked for among the system's libraries.
            Some(file) => std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
            None => own.with_file_name(plugin),
        };
        for (what, path) in [("driver program", &driver), ("plugin", &file)] {
            if !path.is_file() {
                let path = path.display();
                let message = format!("no {what} `{path}`; `cargo xtask dist` builds it into dist/");
                return Err(Halt::Failed(format!("--via {word}: {message}")));
            }
        }
        if self == Self::Vector && !file.ends_with(plugin) {
            let message =
                format!("--plugin {}: expected a file `{plugin}`, by which Lua finds it", file.display());
            return Err(Halt::Failed(message));
        }
        Client::start(&driver, &[file]).map_err(|error| self.halt(error))
    }

    /// What an instance with a configuration file is started with, and the directory that it may read until the end. In
    /// 1970 the guest is old enough to limit rates from the first record on.
    ///
    /// # Errors
    /// The configuration cannot be copied.
    pub fn start(self, config: Option<&Path>) -> Result<(Start, Option<Directory>), Halt> {
        if self == Self::Wasm {
            let directory = Directory::new(config).map_err(|error| self.halt(error.into()))?;
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

    /// Why a run ends.
    pub fn halt(self, error: Error) -> Halt {
        match error {
            Error::Refused(lines) => {
                Halt::Refused(severe(&lines).map(|line| line.message().to_owned()).collect())
            }
            Error::Failed(error) => Halt::Failed(format!("--via {}: {error}", self.word())),
        }
    }

    /// The line for an event: the envelope in it, or Vector's message, or all of it.
    fn line(self, body: &str) -> Cow<'_, str> {
        let line = match self {
            Self::FluentBit => fluent_bit::envelope(body),
            Self::Vector => serde_json::from_str::<Value>(body)
                .ok()
                .and_then(|log| Some(log.get("message")?.as_str()?.to_owned())),
            Self::Engine | Self::Wasm => None,
        };
        line.map_or(Cow::Borrowed(body), Cow::Owned)
    }
}

/// Errors and warnings.
fn severe(lines: &[Line]) -> impl Iterator<Item = &Line> {
    lines.iter().filter(|line| line.level <= Level::Warning)
}

/// A plugin in its driver.
pub struct Plugin<W> {
    via: Via,
    client: Client,
    _directory: Option<Directory>,
    out: W,
    /// The next chunk, its length in bytes, and when it arrives.
    chunk: Vec<Record>,
    bytes: usize,
    at: Time,
    report: RunReport,
    failed: bool,
}

/// Agents' chunks are of about 2 MB.
const FULL: usize = 2 << 20;

/// How far Fluent Bit's clock is advanced after the last record, seconds, so that pending summaries and reports are emitted:
/// the plugin writes them into chunks, and after the last there is none.
const DRAIN: [i64; 3] = [2 * 60, 125 * 60, 25 * 60 * 60];

impl<W: Write> Plugin<W> {
    /// Starts the plugin, `file` or the one beside this program, in its driver. Lines are written to `out`.
    ///
    /// # Errors
    /// A file is missing, or the plugin refuses the configuration.
    pub fn start(via: Via, file: Option<&Path>, config: Option<&Path>, out: W) -> Result<Self, Halt> {
        let mut client = via.driver(file)?;
        let (start, directory) = via.start(config)?;
        let log = client.start_instance(start).map_err(|error| via.halt(error))?;
        severe(&log).for_each(|line| say(format_args!("{}", line.message())));
        let report =
            RunReport { via: via.word(), records: 0, lines: 0, malformed: 0, statistics: BTreeMap::new() };
        let (chunk, at) = (Vec::new(), Time::from_nanos(0));
        Ok(Self { via, client, _directory: directory, out, chunk, bytes: 0, at, report, failed: false })
    }

    /// The accounting of the run, after its end.
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
            // Fluent Bit goes on with the next.
            self.failed = true;
            let number = before + lost.record as u64 + 1;
            say(format_args!("--via {}: record {number} is lost: {}", self.via.word(), lost.reason));
        }
        self.log(&log);
        Ok(())
    }

    /// Writes each event on one line: within JSON a line's end is white space.
    fn write(&mut self, events: &[Event]) -> Result<(), Halt> {
        for event in events {
            self.report.lines += 1;
            writeln!(self.out, "{}", self.via.line(&event.body).replace(['\n', '\r'], " "))?;
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
            say(format_args!("{}", line.message()));
        }
    }
}

impl<W: Write> Sink for Plugin<W> {
    fn record(&mut self, piece: &Piece<'_>, now: Time) -> Result<Recognition, Halt> {
        if !self.chunk.is_empty() && (self.at != now || self.bytes > FULL) {
            self.call(self.at)?;
        }
        self.at = now;
        self.bytes += piece.bytes.len();
        self.report.records += 1;
        self.chunk.push(if self.via == Via::FluentBit && piece.fault.is_some() {
            // Fluent Bit's inputs put lines there.
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
            say(format_args!("{}", errors.trim_end()));
        }
        self.out.flush()?;
        Ok(if self.failed { Outcome::Failed } else { Outcome::Done })
    }
}

/// The accounting of a run through a plugin: what was put in and came out, and the plugin's own counters.
pub struct RunReport {
    /// The word of the command line.
    pub via: &'static str,
    /// Records put in.
    pub records: u64,
    /// Lines that left: entries, or envelopes of them, and records that passed.
    pub lines: u64,
    /// Records that are malformed by the engine's verdict.
    pub malformed: u64,
    /// Counters by name, `group.name` in a group; none: the plugin reported nothing.
    pub statistics: BTreeMap<String, u64>,
}

impl RunReport {
    /// Records of which the plugin tells nothing: Fluent Bit's is silent about an interval in which nothing was dropped or
    /// suppressed.
    fn untold(&self) -> u64 {
        self.records.saturating_sub(self.statistics.get("records").copied().unwrap_or(0))
    }

    /// One line of JSON.
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
            "untold": self.untold(),
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
        if self.untold() > 0 {
            row(
                2,
                "untold",
                self.untold(),
                if self.via == "wasm" {
                    "by the guest, which has nobody to tell it"
                } else {
                    "by the plugin, in a time in which nothing was dropped or suppressed"
                },
            )?;
        }
        Ok(())
    }
}
