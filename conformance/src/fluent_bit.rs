//! Fluent Bit's native plugin as a host: the built file, in a driver process that loads it as Fluent Bit does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::case::{Case, Need, Record};
use crate::driver::{Driver, Outcome, Run};
use crate::program::wait;

/// The plugin under one layout of the host's structures.
#[derive(Debug)]
pub struct FluentBit {
    name: &'static str,
    layout: &'static str,
    driver: PathBuf,
    plugin: PathBuf,
    scratch: PathBuf,
}

impl FluentBit {
    /// Hosts by the layouts that the driver knows, for the plugin at `plugin`; files of the running case go into
    /// directories under `scratch`.
    pub fn all(driver: &Path, plugin: &Path, scratch: &Path) -> [Self; 2] {
        [("fluent-bit-2.2", "2.2"), ("fluent-bit-3.2", "3.2")].map(|(name, layout)| Self {
            name,
            layout,
            driver: driver.to_owned(),
            plugin: plugin.to_owned(),
            scratch: scratch.join(name),
        })
    }

    fn answer(&self, case: &Case) -> io::Result<Outcome> {
        fs::create_dir_all(&self.scratch)?;
        let file = |name: &str| self.scratch.join(name);
        fs::write(file("config.yaml"), &case.config)?;
        fs::write(file("requests"), requests(case, &file("config.yaml")))?;
        let mut command = Command::new(&self.driver);
        command.args(["--layout", self.layout]).arg(&self.plugin).stdin(File::open(file("requests"))?);
        command.stdout(File::create(file("stdout"))?).stderr(File::create(file("stderr"))?);
        let status = wait(&mut command)?;
        let answers = String::from_utf8_lossy(&fs::read(file("stdout"))?).into_owned();
        let Some(status) = status else { return Ok(Outcome::Crashed("no answer in time".to_owned())) };
        if answers.lines().any(|line| line == "refused") {
            let logged = answers.lines().filter_map(|line| line.strip_prefix("log "));
            return Ok(Outcome::Refused(logged.map(str::to_owned).collect()));
        }
        if !status.success() || !answers.lines().any(|line| line == "stopped") {
            let said = String::from_utf8_lossy(&fs::read(file("stderr"))?).into_owned();
            return Ok(Outcome::Crashed(format!("{status}: {said}")));
        }
        let said = fs::read(file("stderr"))?;
        let lines = answers.lines().filter_map(|line| line.strip_prefix("event ")?.split_once(' '));
        Ok(Outcome::Ran(Run {
            lines: lines.map(|(_, body)| envelope(body).unwrap_or_else(|| body.into())).collect(),
            verdicts: None,
            stats: statistics(&answers),
            log: answers
                .lines()
                .filter_map(|line| Some(line.strip_prefix("log ")?.into()))
                .chain([said])
                .collect(),
        }))
    }
}

impl Driver for FluentBit {
    fn name(&self) -> &'static str {
        self.name
    }

    fn capabilities(&self) -> &'static [Need] {
        &[Need::Arrival, Need::Bounds, Need::Bulk, Need::Own, Need::Batch]
    }

    fn skips(&self, case: &Case) -> Option<&'static str> {
        let moves = case.needs().contains(&Need::Arrival) || !case.own.is_empty();
        (moves && !case.envelopes.is_empty())
            .then_some("entries leave at different times, and the host emits envelopes for each chunk")
    }

    fn run(&mut self, case: &Case) -> Outcome {
        self.answer(case)
            .unwrap_or_else(|error| Outcome::Crashed(format!("{}: {error}", self.driver.display())))
    }
}

/// The case as the driver's requests: records that arrive together are a chunk. At the end time goes on, until
/// everything that the filter owes has left.
fn requests(case: &Case, config: &Path) -> String {
    let mut text = format!("option config_file {}\noption stats_interval 1d\n", config.display());
    let at = |text: &mut String, ms: i64| writeln!(text, "now {ms}000000");
    let _ = at(&mut text, case.records[0].at_ms);
    text += "start\n";
    for chunk in case.records.chunk_by(|one, other| one.at_ms == other.at_ms) {
        let _ = at(&mut text, chunk[0].at_ms);
        for Record { bytes, .. } in chunk {
            // Between the tokens of a JSON value a line's end is as good as a space, and within them there is none.
            let json = String::from_utf8_lossy(bytes).replace(['\n', '\r'], " ");
            let _ = writeln!(text, "event {json}");
        }
        text += "call\n";
    }
    if !case.own.is_empty() {
        for minutes in [2, 125] {
            let _ = at(&mut text, case.end_ms() + minutes * 60_000);
            text += "call\n";
        }
    }
    text + "stop\n"
}

/// The body of a request that an event stands for.
fn envelope(body: &str) -> Option<Vec<u8>> {
    let event: serde_json::Value = serde_json::from_str(body).ok()?;
    event.get("headers")?;
    Some(event.get("body")?.as_str()?.into())
}

/// The plugin's own statistics; it has none to tell when nothing was dropped or suppressed.
fn statistics(answers: &str) -> Option<BTreeMap<String, u64>> {
    let told =
        answers.lines().filter_map(|line| Some(line.strip_prefix("log ")?.split_once("statistics: ")?.1));
    let counters =
        told.flat_map(|counters| counters.split(' ')).filter_map(|counter| counter.split_once('='));
    let mut stats = BTreeMap::new();
    for (name, count) in counters {
        let count: u64 = count.parse().ok()?;
        *stats.entry(name.to_owned()).or_default() += count;
        if let Some((group, _)) = name.split_once('.') {
            *stats.entry(format!("{group}.total")).or_default() += count;
        }
    }
    (!stats.is_empty()).then_some(stats)
}
