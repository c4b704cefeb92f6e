//! Vector's module as a host: the built `kaudit.so` in a Lua configured as Vector configures it, in a process of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::case::{Case, Need};
use crate::driver::{Driver, Outcome, Run};
use crate::program::flatten;

/// How events come in and leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A line in `log.message`.
    Text,
    /// Decoded, in `log` itself.
    Table,
}

/// The module in its host process.
#[derive(Debug)]
pub struct Vector {
    way: Way,
    built: Built,
    scratch: PathBuf,
    /// Started at the first case, and again where a case ended it.
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Builds the module and the program that loads it, into the directory `target`: two builds, since the features of a
/// Lua that is embedded exclude those of a module.
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
    let host = target.join("vector-host");
    cargo("Cargo.toml", target)?;
    cargo("host/Cargo.toml", &host)?;
    // The name by which Lua looks for the module.
    let module = host.join("debug/lua/kaudit.so");
    fs::create_dir_all(module.with_file_name(""))?;
    // Beside and then in place: another test may have loaded the old one.
    let fresh = module.with_extension(format!("{}", std::process::id()));
    fs::copy(target.join("debug/libkaudit.so"), &fresh)?;
    fs::rename(fresh, &module)?;
    Ok(Built { module, host: host.join("debug/kaudit-vector-host") })
}

/// What [`build`] built.
#[derive(Clone, Debug)]
pub struct Built {
    /// The module.
    pub module: PathBuf,
    /// The program that loads it.
    pub host: PathBuf,
}

impl Vector {
    /// The module in its program; files of the running case go into `scratch`.
    pub fn new(way: Way, built: &Built, scratch: &Path) -> Self {
        Self { way, built: built.clone(), scratch: scratch.to_owned(), process: None }
    }

    /// Puts one request to the host process, as `hosts/vector/host` describes it, and gives its answer.
    ///
    /// # Errors
    /// The process cannot be started or died.
    pub fn ask(&mut self, options: &Value, events: &[Value]) -> io::Result<Value> {
        let request = json!({ "module": self.built.module, "options": options, "events": events });
        let process = match &mut self.process {
            Some(process) => process,
            none => none.insert(Process::start(&self.built.host)?),
        };
        let answer = process.ask(&request);
        if answer.is_err() {
            self.process = None;
        }
        answer
    }

    fn case(&mut self, case: &Case) -> io::Result<Outcome> {
        fs::create_dir_all(&self.scratch)?;
        let config = self.scratch.join("config.yaml");
        fs::write(&config, &case.config)?;
        let (options, event): (Value, fn(&[u8]) -> Value) = match self.way {
            Way::Text => (json!({ "config_file": config }), |bytes| match std::str::from_utf8(bytes) {
                Ok(text) => json!({ "log": {}, "message": text }),
                Err(_) => json!({ "log": {}, "message": bytes }),
            }),
            Way::Table => (
                json!({ "config_file": config, "way": "table" }),
                |bytes| json!({ "log": serde_json::from_slice::<Value>(bytes).unwrap_or_default() }),
            ),
        };
        let events = case.records.iter().map(|record| {
            let mut event = event(&record.bytes);
            event["at"] = record.at_ms.into();
            event
        });
        let answer = self.ask(&options, &events.collect::<Vec<_>>())?;
        Ok(self.outcome(&answer))
    }

    fn outcome(&self, answer: &Value) -> Outcome {
        if let Some(mistakes) = answer["refused"].as_str() {
            return Outcome::Refused(mistakes.lines().map(str::to_owned).collect());
        }
        let (Some(events), Some(verdicts)) =
            (answer["ran"]["events"].as_array(), answer["ran"]["verdicts"].as_array())
        else {
            return Outcome::Crashed(answer["failed"].to_string());
        };
        let mut stats = BTreeMap::new();
        flatten("", &answer["ran"]["stats"], &mut stats);
        let word = |verdict: &Value| verdict.as_str().unwrap_or_default().to_owned();
        Outcome::Ran(Run {
            lines: events.iter().map(|event| self.line(event)).collect(),
            verdicts: Some(verdicts.iter().map(word).collect()),
            stats: Some(stats),
            ..Run::default()
        })
    }

    /// An event as the sink encodes it.
    fn line(&self, event: &Value) -> Vec<u8> {
        match (self.way, event["message"].as_str()) {
            (Way::Text, Some(message)) => message.as_bytes().to_vec(),
            _ => event.to_string().into_bytes(),
        }
    }
}

impl Process {
    fn start(host: &Path) -> io::Result<Self> {
        let mut child = Command::new(host).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let piped = || io::Error::other("the process has no pipes");
        let requests = child.stdin.take().ok_or_else(piped)?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(piped)?);
        Ok(Self { child, requests, answers })
    }

    fn ask(&mut self, request: &Value) -> io::Result<Value> {
        // Where the process died on this request, its status says how.
        let _ = writeln!(self.requests, "{request}");
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(io::Error::other(format!("the process died: {}", self.child.wait()?)));
        }
        serde_json::from_str(&answer).map_err(io::Error::other)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Driver for Vector {
    fn name(&self) -> &'static str {
        match self.way {
            Way::Text => "vector-text",
            Way::Table => "vector-table",
        }
    }

    fn capabilities(&self) -> &'static [Need] {
        match self.way {
            Way::Text => &[Need::Arrival, Need::Text, Need::Bounds, Need::Own, Need::Batch],
            Way::Table => &[Need::Arrival, Need::Bounds, Need::Own, Need::Batch],
        }
    }

    fn skips(&self, case: &Case) -> Option<&'static str> {
        match self.way {
            Way::Text => None,
            Way::Table => case.outcomes().find_map(|(record, expected)| {
                let by_letters = expected.entry.like.contains_key("text");
                let order =
                    by_letters.then_some("a text is compared by its letters, and a table has no order");
                order.or_else(|| foreign(&record.bytes))
            }),
        }
    }

    fn run(&mut self, case: &Case) -> Outcome {
        self.case(case).unwrap_or_else(|error| Outcome::Crashed(error.to_string()))
    }
}

/// Why a record cannot reach the module as a table and be the same.
fn foreign(record: &[u8]) -> Option<&'static str> {
    match contract::parse(record) {
        Ok(value @ Value::Object(_)) => foreign_value(&value),
        Ok(_) => Some("a record is no object, and Vector's log is one"),
        Err(_) => Some("a record is not strict JSON, which a table cannot be"),
    }
}

fn foreign_value(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => Some("a record holds null, which Vector hands to Lua as an empty string"),
        Value::Array(items) if items.is_empty() => {
            Some("a record holds an empty list, which in Lua is an empty map")
        }
        Value::Number(number) if number.as_i64().is_none() && number.is_u64() => {
            Some("a record holds a whole number beyond Lua's")
        }
        Value::Array(items) => items.iter().find_map(foreign_value),
        Value::Object(members) => {
            let keys: BTreeSet<String> = members.keys().map(|key| key.replace('-', "_")).collect();
            (keys.len() < members.len())
                .then_some("a record has a key in both spellings, and a table has no first one")
                .or_else(|| members.values().find_map(foreign_value))
        }
        _ => None,
    }
}
