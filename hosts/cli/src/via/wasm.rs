//! The guest of Fluent Bit's wasm filter, record by record.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{Read as _, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use kaudit_filter::Time;

use super::{Driver, Lines, Plugin, Told, ended};
use crate::Outcome;
use crate::input::Piece;
use crate::run::{Halt, Recognition, Sink};

/// What a guest that compiles its patterns needs as its operand stack.
const STACK: u32 = 1 << 20;

/// What runs without a configuration: every finding is sent. The guest sends nothing to a target, but each integration
/// has one.
const EVERYTHING: &str = "integrations:
- {type: detections, target: {target-type: slack, slack-uri: 'https://localhost'}}
- {type: selections, target: {target-type: slack, slack-uri: 'https://localhost'}}
- {type: activity, target: {target-type: slack, slack-uri: 'https://localhost'}}
use: all
";

/// The guest in its driver.
pub struct Wasm<W> {
    driver: Driver,
    lines: Lines<W>,
    /// Where the guest finds its configuration, until the end.
    directory: PathBuf,
    now: Option<Time>,
    records: u64,
    failed: bool,
}

impl<W: Write> Wasm<W> {
    /// Starts the guest with a configuration file; without one it needs one that is baked in.
    pub fn start(driver: Driver, config: Option<&Path>, lines: Lines<W>) -> Result<Self, Halt> {
        let directory = std::env::temp_dir().join(format!("kaudit-wasm-{}", std::process::id()));
        let failed = |error: std::io::Error| Halt::Failed(format!("--via wasm: {error}"));
        // Its user's alone, and new: nobody else has put a link there.
        DirBuilder::new().mode(0o700).create(&directory).map_err(failed)?;
        let mut host = Self { driver, lines, directory, now: None, records: 0, failed: false };
        // The guest knows its configuration by this name; one that is baked in goes before.
        let known = host.directory.join("kaudit.yaml");
        match config {
            Some(config) => fs::copy(config, known).map(drop),
            None => fs::write(known, EVERYTHING),
        }
        .map_err(failed)?;
        // Begun in 1970, it is old enough to hold back what the limits say, from the first record on.
        let start = format!("stack {STACK}\nstart {}\n", host.directory.display());
        host.driver.send(start.as_bytes())?;
        match &*host.driver.line()? {
            "started" => Ok(host),
            // It has said why.
            "refused" => Err(Halt::Refused(Vec::new())),
            other => Err(host.driver.strange(other)),
        }
    }
}

impl<W: Write> Sink for Wasm<W> {
    fn record(&mut self, piece: &Piece<'_>, now: Time) -> Result<Recognition, Halt> {
        let text = String::from_utf8_lossy(piece.bytes);
        self.records += 1;
        if self.now.replace(now) != Some(now) {
            self.driver.send(format!("now {}\n", now.nanos().max(0)).as_bytes())?;
        }
        self.driver.send(format!("record {}\n{text}\n", text.len()).as_bytes())?;
        let line = self.driver.line()?;
        let Some(length) = line.strip_prefix("reply ").and_then(|length| length.parse().ok()) else {
            // Fluent Bit would have lost the record, and gone on.
            self.failed = true;
            crate::say(format_args!("--via wasm: record {} is lost: {line}", self.records));
            return Ok(Recognition::Unknown);
        };
        let mut reply = vec![0; length];
        self.driver.answers.read_exact(&mut reply)?;
        self.driver.line()?;
        if !reply.is_empty() {
            self.lines.write(&String::from_utf8_lossy(&reply))?;
        }
        Ok(Recognition::Unknown)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        Ok(())
    }

    fn finish(&mut self, _: Time) -> Result<Outcome, Halt> {
        self.lines.out.flush()?;
        Ok(ended(self.failed))
    }
}

impl<W: Write> Plugin for Wasm<W> {
    fn told(&self) -> Told {
        Told {
            via: self.driver.word,
            records: self.records,
            lines: self.lines.count,
            malformed: 0,
            statistics: BTreeMap::new(),
        }
    }
}

impl<W> Drop for Wasm<W> {
    fn drop(&mut self) {
        // What the system's own cleaning does otherwise.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
