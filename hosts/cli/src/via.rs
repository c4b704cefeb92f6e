//! `run --via`: the records go through the very file that an agent loads, in a driver program that loads it as the agent
//! does.
//!
//! The driver is a process apart, so that a crash of the plugin is an error like others. Driver and plugin stand beside
//! this program, as `cargo xtask dist` puts them; the drivers' own documentation describes their requests and answers.

mod fluent_bit;
mod vector;
mod wasm;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::Outcome;
use crate::run::{Halt, Sink};

/// What the records go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// The engine, in this program
    Engine,
    /// Fluent Bit's plugin, flb-filter_kaudit.so
    FluentBit,
    /// Vector's module, kaudit.so; entries leave when the input has ended
    Vector,
    /// The guest of Fluent Bit's wasm filter, kaudit.wasm
    Wasm,
}

impl Via {
    /// The word of the command line, the driver program and the plugin; the engine has neither.
    fn names(self) -> Option<(&'static str, &'static str, &'static str)> {
        match self {
            Self::Engine => None,
            Self::FluentBit => Some(("fluent-bit", "kaudit-fluent-bit-host", "flb-filter_kaudit.so")),
            Self::Vector => Some(("vector", "kaudit-vector-host", "kaudit.so")),
            Self::Wasm => Some(("wasm", "kaudit-wamr-host", "kaudit.wasm")),
        }
    }

    /// The word of the command line.
    pub fn word(self) -> &'static str {
        self.names().map_or("engine", |(word, ..)| word)
    }
}

/// A plugin in its driver.
pub trait Plugin: Sink {
    /// The accounting of the run, after its end, without malformed records.
    fn told(&self) -> Told;
}

/// A driver program and the plugin that it loads.
pub struct Found {
    /// The word of the command line.
    pub word: &'static str,
    /// The driver program.
    pub driver: PathBuf,
    /// The plugin.
    pub plugin: PathBuf,
}

/// Finds the driver and the plugin, `file` or the one beside this program.
///
/// # Errors
/// One of them is missing.
pub fn find(via: Via, file: Option<&Path>) -> Result<Found, Halt> {
    let Some((word, driver, plugin)) = via.names() else {
        return Err(Halt::Failed("--via engine: loads no plugin".to_owned()));
    };
    let absent = |what: &str, path: &Path| {
        let path = path.display();
        Halt::Failed(format!("--via {word}: no {what} `{path}`; `cargo xtask dist` builds it into dist/"))
    };
    let own = std::env::current_exe().map_err(|error| Halt::Failed(format!("--via {word}: {error}")))?;
    let driver = own.with_file_name(driver);
    let file = match file {
        // A bare name would be looked for among the system's libraries.
        Some(file) => std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
        None => own.with_file_name(plugin),
    };
    if !driver.is_file() {
        return Err(absent("driver program", &driver));
    }
    if !file.is_file() {
        return Err(absent("plugin", &file));
    }
    if via == Via::Vector && !file.ends_with(plugin) {
        let message =
            format!("--plugin {}: expected a file `{plugin}`, by which Lua finds it", file.display());
        return Err(Halt::Failed(message));
    }
    Ok(Found { word, driver, plugin: file })
}

/// Starts the driver with the plugin, `file` or the one beside this program. Lines leave to `out`.
///
/// # Errors
/// A file is missing, or the plugin refuses the configuration.
pub fn start<'a>(
    via: Via,
    file: Option<&Path>,
    config: Option<&Path>,
    out: impl Write + 'a,
) -> Result<Box<dyn Plugin + 'a>, Halt> {
    let Found { word, driver, plugin } = find(via, file)?;
    let lines = Lines { out, count: 0 };
    Ok(match via {
        Via::Vector => {
            Box::new(vector::Vector::new(Driver::start(word, &driver, &[])?, &plugin, config, lines))
        }
        Via::Wasm => Box::new(wasm::Wasm::start(Driver::start(word, &driver, &[plugin])?, config, lines)?),
        _ => {
            let driver = Driver::start(word, &driver, &[plugin])?;
            Box::new(fluent_bit::FluentBit::start(driver, config, lines)?)
        }
    })
}

/// A driver's process.
pub struct Driver {
    /// The word of the command line.
    pub word: &'static str,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Driver {
    /// Starts the program.
    pub fn start(word: &'static str, program: &Path, arguments: &[PathBuf]) -> Result<Self, Halt> {
        let start = || {
            let mut command = Command::new(program);
            let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            let piped = || io::Error::other("it has no pipes");
            let requests = child.stdin.take().ok_or_else(piped)?;
            let answers = BufReader::new(child.stdout.take().ok_or_else(piped)?);
            Ok(Self { word, child, requests, answers })
        };
        start().map_err(|error: io::Error| {
            Halt::Failed(format!("--via {word}: cannot start `{}`: {error}", program.display()))
        })
    }

    /// Sends requests. Where the driver is gone, its status tells more than the broken pipe.
    pub fn send(&mut self, requests: &[u8]) -> Result<(), Halt> {
        self.requests.write_all(requests).and_then(|()| self.requests.flush()).map_err(|_| self.dead())
    }

    /// The next line of an answer.
    pub fn line(&mut self) -> Result<String, Halt> {
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(length) if length > 0 && line.ends_with('\n') => {
                line.truncate(line.trim_end().len());
                Ok(line)
            }
            // Cut off within a line, it died as well.
            _ => Err(self.dead()),
        }
    }

    fn dead(&mut self) -> Halt {
        let how = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        Halt::Failed(format!("--via {}: the driver program ended amid the run: {how}", self.word))
    }

    /// An answer that no driver gives.
    pub fn strange(&self, answer: &str) -> Halt {
        Halt::Failed(format!("--via {}: unexpected answer of the driver program: `{answer}`", self.word))
    }
}

/// Where lines go, and how many went.
struct Lines<W> {
    out: W,
    count: u64,
}

impl<W: Write> Lines<W> {
    /// Writes a JSON value on one line: within it a line's end is white space.
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.count += 1;
        writeln!(self.out, "{}", text.replace(['\n', '\r'], " "))
    }
}

/// The accounting of a run through a plugin: what was put in and came out, and the plugin's own counters.
pub struct Told {
    /// The word of the command line.
    pub via: &'static str,
    /// Records put in.
    pub records: u64,
    /// Lines that left: entries, or envelopes of them, and records that passed.
    pub lines: u64,
    /// Records that are malformed by the engine's verdict.
    pub malformed: u64,
    /// Counters by name, `group.name` in a group; none: the plugin told nothing.
    pub statistics: BTreeMap<String, u64>,
}

impl Told {
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

impl fmt::Display for Told {
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

/// The end of a run in which the plugin logged an error of its own, or did not.
fn ended(failed: bool) -> Outcome {
    if failed { Outcome::Failed } else { Outcome::Done }
}
