//! Fluent Bit's plugin, chunk by chunk.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use kaudit_filter::Time;
use serde_json::{Value, json};

use super::{Driver, Lines, Plugin, Told, ended};
use crate::input::Piece;
use crate::run::{Halt, Recognition, Sink};
use crate::{Outcome, say};

/// The plugin in its driver.
pub struct FluentBit<W> {
    driver: Driver,
    lines: Lines<W>,
    /// The requests that make the next chunk, and the time at which it comes; `None`: it is empty.
    chunk: Vec<u8>,
    at: Option<Time>,
    records: u64,
    statistics: BTreeMap<String, u64>,
    failed: bool,
}

/// Fluent Bit's chunks are of about 2 MB.
const FULL: usize = 2 << 20;

/// How far time goes on after the last record, so that the summaries and reports that are owed leave: the plugin writes
/// them into chunks, and after the last there is none.
const ON: [i64; 3] = [2 * 60, 125 * 60, 25 * 60 * 60];

impl<W: Write> FluentBit<W> {
    /// Starts the plugin with a configuration file, or none.
    pub fn start(driver: Driver, config: Option<&Path>, lines: Lines<W>) -> Result<Self, Halt> {
        let mut host = Self {
            driver,
            lines,
            chunk: Vec::new(),
            at: None,
            records: 0,
            statistics: BTreeMap::new(),
            failed: false,
        };
        let file =
            config.map(|config| format!("option config_file {}\n", config.display())).unwrap_or_default();
        let requests = format!("option stats_interval 1d\noption reload_interval 1d\n{file}start\n");
        host.driver.send(requests.as_bytes())?;
        let mut logged = Vec::new();
        let word = loop {
            let line = host.driver.line()?;
            match log(&line) {
                Some((level, text)) if level <= WARNING => logged.push(text.to_owned()),
                Some(_) => {}
                None => break line,
            }
        };
        match word.as_str() {
            "started" => {
                for line in &logged {
                    say(format_args!("{line}"));
                }
                Ok(host)
            }
            "refused" => Err(Halt::Refused(logged)),
            other => Err(host.driver.strange(other)),
        }
    }

    /// Lets the plugin filter the chunk, and writes what the host would go on with.
    fn call(&mut self, now: Time) -> Result<(), Halt> {
        let mut requests = format!("now {}\n", now.nanos()).into_bytes();
        requests.append(&mut self.chunk);
        requests.extend_from_slice(b"call\n");
        self.at = None;
        self.driver.send(&requests)?;
        loop {
            let line = self.answer()?;
            match line.split_once(' ') {
                Some(("event", event)) => {
                    let (_, body) = event.split_once(' ').ok_or_else(|| self.driver.strange(&line))?;
                    self.lines.write(envelope(body).as_deref().unwrap_or(body))?;
                }
                None if line == "done" => return Ok(()),
                None if ["untouched", "dropped", "replaced"].contains(&&*line) => {}
                _ => return Err(self.driver.strange(&line)),
            }
        }
    }

    /// The next line that is not one of the log's.
    fn answer(&mut self) -> Result<String, Halt> {
        loop {
            let line = self.driver.line()?;
            let Some((level, text)) = log(&line) else { return Ok(line) };
            if let Some(counters) = text.strip_prefix("statistics: ") {
                for (name, count) in counters.split(' ').filter_map(|counter| counter.split_once('=')) {
                    *self.statistics.entry(name.to_owned()).or_default() += count.parse().unwrap_or(0);
                }
            } else if level <= WARNING {
                self.failed |= level < WARNING;
                say(format_args!("{text}"));
            }
        }
    }
}

/// `FLB_LOG_WARN`; errors are below.
const WARNING: u8 = 2;

/// The level and text of a line of the log, without the instance's name.
fn log(line: &str) -> Option<(u8, &str)> {
    let (level, text) = line.strip_prefix("log ")?.split_once(' ')?;
    let text =
        text.strip_prefix("[filter:").and_then(|text| text.split_once("] ")).map_or(text, |(_, text)| text);
    Some((level.parse().ok()?, text))
}

/// The envelope that an event stands for in `shape: bulk`.
fn envelope(body: &str) -> Option<String> {
    let event: Value = serde_json::from_str(body).ok()?;
    event.get("headers")?;
    Some(event.get("body")?.as_str()?.to_owned())
}

impl<W: Write> Sink for FluentBit<W> {
    /// A line that is no JSON object comes under `log`, where Fluent Bit's inputs put lines.
    fn record(&mut self, piece: &Piece<'_>, now: Time) -> Result<Recognition, Halt> {
        let text = String::from_utf8_lossy(piece.bytes);
        if let Some(at) = self.at.filter(|at| *at != now || self.chunk.len() > FULL) {
            self.call(at)?;
        }
        if self.at.is_none() {
            // An event has the time of the clock.
            writeln!(self.chunk, "now {}", now.nanos())?;
            self.at = Some(now);
        }
        self.records += 1;
        if piece.fault.is_none() && text.starts_with('{') {
            writeln!(self.chunk, "event {}", text.replace(['\n', '\r'], " "))?;
        } else {
            writeln!(self.chunk, "event {}", json!({ "log": text }))?;
        }
        Ok(Recognition::Unknown)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        if let Some(at) = self.at {
            self.call(at)?;
        }
        Ok(self.lines.out.flush()?)
    }

    fn finish(&mut self, now: Time) -> Result<Outcome, Halt> {
        self.flush()?;
        for seconds in ON {
            self.call(Time::from_nanos(now.nanos().saturating_add(seconds * 1_000_000_000)))?;
        }
        self.driver.send(b"stop\n")?;
        let answer = self.answer()?;
        if answer != "stopped" {
            return Err(self.driver.strange(&answer));
        }
        self.lines.out.flush()?;
        Ok(ended(self.failed))
    }
}

impl<W: Write> Plugin for FluentBit<W> {
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
