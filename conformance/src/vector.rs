//! Vector's module as a host.
//!
//! The built `kaudit.so` runs in a Lua configured as Vector configures it, in a process of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use kaudit_driver::{Client, Error, Record, Start};
use serde_json::Value;

use crate::case::{Case, Need};
use crate::driver::{Driver, Outcome, Run};

/// The form of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A line in `log.message`.
    Text,
    /// Decoded, in `log` itself.
    Table,
}

/// The module in its driver.
#[derive(Debug)]
pub struct Vector {
    mode: Mode,
    built: Built,
    scratch: PathBuf,
    /// It is started at the first case, and again after a case that ended it.
    client: Option<Client>,
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Ran {
    /// The emitted events.
    pub events: Vec<Value>,
    /// The verdicts.
    pub verdicts: Vec<String>,
    /// Counters by name, `group.name` in a group.
    pub statistics: BTreeMap<String, u64>,
    /// The metric events at the end.
    pub metrics: Vec<Value>,
}

/// Builds the module and the program that loads it, into the directory `target`.
///
/// These are two builds, since the features of an embedded Lua exclude the features of a module.
///
/// # Errors
/// One of them cannot be built.
pub fn build(target: &Path) -> io::Result<Built> {
    let vector = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hosts/vector");
    let cargo = |manifest: &str, target: &Path| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--locked", "--manifest-path", manifest, "--target-dir"]).arg(target);
        let status = cargo.current_dir(&vector).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("{cargo:?}: {status}"))) }
    };
    let driver = target.join("vector-driver");
    cargo("Cargo.toml", target)?;
    cargo("../../drivers/vector/Cargo.toml", &driver)?;
    // The file name that Lua's `require` searches.
    let module = driver.join("debug/lua/kaudit.so");
    fs::create_dir_all(module.with_file_name(""))?;
    // Written to another name and then renamed: another test may have loaded the old file.
    let fresh = module.with_extension(format!("{}", std::process::id()));
    fs::copy(target.join("debug/libkaudit.so"), &fresh)?;
    fs::rename(fresh, &module)?;
    Ok(Built { module, driver: driver.join("debug/kaudit-vector-driver") })
}

/// The files that [`build`] built.
#[derive(Clone, Debug)]
pub struct Built {
    /// The module.
    pub module: PathBuf,
    /// The program that loads it.
    pub driver: PathBuf,
}

impl Vector {
    /// Returns the module in its program as a host; files of the running case are in `scratch`.
    pub fn new(mode: Mode, built: &Built, scratch: &Path) -> Self {
        Self { mode, built: built.clone(), scratch: scratch.to_owned(), client: None }
    }

    /// Runs records, each with its arrival in milliseconds, through a new filter.
    ///
    /// # Errors
    /// The module refuses the options or fails, or the driver does.
    pub fn ask(&mut self, options: &Value, records: Vec<(i64, Record)>) -> Result<Ran, Error> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(Client::start(&self.built.driver, &[&self.built.module])?),
        };
        let ran = ran(client, options, records);
        if !matches!(ran, Ok(_) | Err(Error::Refused(_))) {
            self.client = None;
        }
        ran
    }

    fn case(&mut self, case: &Case) -> Result<Run, Error> {
        fs::create_dir_all(&self.scratch)?;
        let config = self.scratch.join("config.yaml");
        fs::write(&config, &case.config)?;
        let (options, record): (Value, fn(&[u8]) -> Record) = match self.mode {
            Mode::Text => (serde_json::json!({ "config_file": config }), Record::new),
            Mode::Table => (serde_json::json!({ "config_file": config, "way": "table" }), |bytes| {
                Record::Log(serde_json::from_slice(bytes).unwrap_or_default())
            }),
        };
        let records = case.records.iter().map(|given| (given.at_ms, record(&given.bytes))).collect();
        let Ran { events, verdicts, statistics, .. } = self.ask(&options, records)?;
        Ok(Run {
            lines: events.iter().map(|event| self.line(event)).collect(),
            verdicts: Some(verdicts),
            stats: Some(statistics),
            ..Run::default()
        })
    }

    /// Returns an event as the sink encodes it.
    fn line(&self, event: &Value) -> Vec<u8> {
        let is_text = self.mode == Mode::Text || event.as_object().is_some_and(|log| log.len() == 1);
        match event["message"].as_str() {
            Some(message) if is_text => message.as_bytes().to_vec(),
            _ => event.to_string().into_bytes(),
        }
    }
}

/// Each record is a chunk, so that due entries are emitted after each.
fn ran(client: &mut Client, options: &Value, records: Vec<(i64, Record)>) -> Result<Ran, Error> {
    let options = options.as_object().cloned().unwrap_or_default();
    client.start_instance(Start::new(0, options))?;
    let mut ran = Ran::default();
    let mut events = Vec::new();
    for (at_ms, record) in records {
        let filtered = client.chunk(at_ms * 1_000_000, vec![record])?;
        events.extend(filtered.events);
        ran.verdicts.extend(filtered.verdicts);
    }
    let stopped = client.stop()?;
    events.extend(stopped.events);
    ran.statistics = stopped.statistics;
    ran.metrics = stopped.metrics;
    let values = events.iter().map(|event| serde_json::from_str(&event.body));
    ran.events = values.collect::<Result<_, _>>().map_err(|error| Error::Failed(error.to_string()))?;
    Ok(ran)
}

impl Driver for Vector {
    fn name(&self) -> &'static str {
        match self.mode {
            Mode::Text => "vector-text",
            Mode::Table => "vector-table",
        }
    }

    fn capabilities(&self) -> &'static [Need] {
        match self.mode {
            Mode::Text => &[Need::Arrival, Need::Text, Need::Bounds, Need::Otlp, Need::Own, Need::Batch],
            Mode::Table => &[Need::Arrival, Need::Bounds, Need::Otlp, Need::Own, Need::Batch],
        }
    }

    fn skips(&self, case: &Case) -> Option<&'static str> {
        match self.mode {
            Mode::Text => None,
            Mode::Table => case.outcomes().find_map(|(record, expected)| {
                let by_letters = expected.entry.like.contains_key("text");
                let order = by_letters.then_some("a text is compared by its bytes, and a table has no order");
                order.or_else(|| foreign(&record.bytes))
            }),
        }
    }

    fn run(&mut self, case: &Case) -> Outcome {
        self.case(case).map_or_else(Outcome::from, Outcome::Ran)
    }
}

/// Returns the reason why a record cannot be passed to the module as an equal table.
fn foreign(record: &[u8]) -> Option<&'static str> {
    match contract::parse(record) {
        Ok(value @ Value::Object(_)) => foreign_value(&value),
        Ok(_) => Some("a record is not an object, and Vector's log is one"),
        Err(_) => Some("a record is not strict JSON, which a table cannot be"),
    }
}

fn foreign_value(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => Some("a record contains null, which Vector passes to Lua as an empty string"),
        Value::Array(items) if items.is_empty() => {
            Some("a record contains an empty list, which in Lua is an empty map")
        }
        Value::Number(number) if number.as_i64().is_none() && number.is_u64() => {
            Some("a record contains an integer out of Lua's range")
        }
        Value::Array(items) => items.iter().find_map(foreign_value),
        Value::Object(members) => {
            let keys: BTreeSet<String> = members.keys().map(|key| key.replace('-', "_")).collect();
            (keys.len() < members.len())
                .then_some("a record has a key in both spellings, and a table has no order")
                .or_else(|| members.values().find_map(foreign_value))
        }
        _ => None,
    }
}
