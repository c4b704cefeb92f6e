//! `kaudit-filter test`: unit tests of a configuration.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use host_kit::config::{SiblingFiles, read_text};
use kaudit_filter::config::{self, Config};
use kaudit_workbench::suite::{self, ConfigSource, Coverage, Suite, TestResult};

use crate::config::unreadable;
use crate::{Outcome, check, say};

/// Runs unit tests of a configuration
///
/// A test gives records and says what must become of each: kept, with these values; dropped, for this reason;
/// suppressed, so many times; and which summaries and reports leave when. Each test has a filter of its own, and time is
/// what the test says. Every record of a step is accounted for: what a step does not expect is a difference.
///
/// PATH is a file of tests, or a folder whose .yaml and .yml files with a list of `tests` are run:
///
///   config: ../kaudit.yaml              the configuration, its path as seen from this file; or its text
///   now: 2026-03-17T12:00:00Z           when each test begins
///   tests:
///     - name: nodes are silent
///       steps:
///         - record: {etype: principal, eid: "system:node:a", category: anomaly, confidence: high}
///           dropped: entity-no-match
///         - record: {etype: principal, eid: johnD, category: incident, confidence: high}
///           kept: {severity: critical, subsystemName: kaudit-detections}
///     - name: ten exec findings a minute
///       steps:
///         - record: {rule: exec into pod, principal: johnD, verb: create}
///           times: 15
///           kept: 10
///           suppressed: 5
///         - at: 60s
///           summary: {suppressed: 5, key: johnD}
///
/// Of a step: `record`, `records` or `file` (a record a line) and `times`; `at`, a time after `now` such as 90s, or
/// `end`, when the filter goes. Expected: `kept` (values of the entries by path, how many, or `all`), `dropped` (a reason,
/// or reasons and how often), `suppressed`, `passed`, `summary` and `report` (values, or a list of them).
#[derive(clap::Args)]
#[command(after_long_help = EXIT_CODES, verbatim_doc_comment)]
pub struct Args {
    /// Write what was found into the files, in the place of what was expected
    #[arg(long)]
    bless: bool,

    /// Write the results for CI, too, in the form of `JUnit`
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Files of tests, and folders of them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

const EXIT_CODES: &str = "Exit codes:
  0  every test passed, or was blessed
  1  a test failed, or a file of tests or a configuration has errors
  2  wrong usage, or something could not be read or written";

/// Runs the command. An error is one of writing.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let mut tests = Tests::default();
    for path in &args.paths {
        tests.outcome = tests.outcome.max(look(path, &mut tests.files));
    }
    for file in std::mem::take(&mut tests.files) {
        if let Err(outcome) = tests.file(&file, args.bless) {
            tests.outcome = tests.outcome.max(outcome);
        }
    }
    if tests.ran.iter().any(|test| !test.differences.is_empty()) {
        tests.outcome = tests.outcome.max(Outcome::Mistakes);
    }
    if let Some(file) = &args.junit
        && let Err(error) = fs::write(file, suite::junit(&tests.ran))
    {
        say(format_args!("{}: cannot write: {error}", file.display()));
        return Ok(Outcome::Failed);
    }
    if tests.ran.is_empty() {
        return Ok(tests.outcome.max(Outcome::Mistakes));
    }
    let mut out = suite::text(&tests.ran, check::coloured());
    for (name, (config, coverage)) in &tests.configs {
        out.push('\n');
        out.push_str(&coverage.text(name, config));
    }
    io::stdout().write_all(out.as_bytes())?;
    Ok(tests.outcome)
}

#[derive(Default)]
struct Tests {
    files: Vec<PathBuf>,
    /// Each configuration that is tested, by its name.
    configs: BTreeMap<String, (Config, Coverage)>,
    ran: Vec<TestResult>,
    outcome: Outcome,
}

impl Tests {
    fn file(&mut self, file: &Path, bless: bool) -> Result<(), Outcome> {
        let name = file.to_string_lossy();
        let text = text(file, &name)?;
        let suite = Suite::read(&name, &text, &SiblingFiles::of(file)).map_err(mistakes)?;
        let (named, config) = configuration(file, &suite)?;
        let (config, coverage) = self.configs.entry(named).or_insert_with(|| (config, Coverage::default()));
        let large = |error| mistakes(vec![format!("{name}: error: {error}")]);
        let mut ran = suite.run(config, coverage).map_err(large)?;
        if bless && ran.iter().any(|test| !test.differences.is_empty()) {
            let text = suite::blessed(&text, &ran);
            // What cannot be read again must not take the place of what can.
            let suite = Suite::read(&name, &text, &SiblingFiles::of(file)).map_err(|lines| {
                say(format_args!("{name}: not blessed: the file would have mistakes"));
                mistakes(lines)
            })?;
            fs::write(file, &text).map_err(|error| {
                say(format_args!("{name}: cannot write: {error}"));
                Outcome::Failed
            })?;
            say(format_args!("{name}: what was found is now expected; look at what you bless"));
            ran = suite.run(config, coverage).map_err(large)?;
            for test in ran.iter().filter(|test| !test.can_be_blessed()) {
                say(format_args!(
                    "{name}:{}: not blessed: give each key of a step a line of its own, records first",
                    test.line
                ));
            }
        }
        self.ran.extend(ran);
        Ok(())
    }
}

/// The configuration of a suite, and what to call it.
fn configuration(file: &Path, suite: &Suite) -> Result<(String, Config), Outcome> {
    let (path, text) = match &suite.config {
        ConfigSource::Inline(text) => (file.to_owned(), text.clone()),
        ConfigSource::File(path) => {
            let path = beside(file, path);
            let text = text(&path, &path.to_string_lossy())?;
            (path, text)
        }
    };
    let name = path.to_string_lossy().into_owned();
    let reading = config::read(&name, &text, &SiblingFiles::of(&path));
    let said = reading.diagnostics.iter().map(ToString::to_string);
    match reading.config {
        Some(config) => Ok((name, config)),
        None => Err(mistakes(said.collect())),
    }
}

/// A path as seen from a file; folders that it goes up from are left out, for reading.
fn beside(file: &Path, path: &str) -> PathBuf {
    let mut beside = file.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(path).components() {
        // A link may lead elsewhere than its folder's parent.
        let up = part.as_os_str() == ".." && beside.file_name().is_some() && !beside.is_symlink();
        if up {
            beside.pop();
        } else {
            beside.push(part);
        }
    }
    beside
}

fn mistakes(lines: Vec<String>) -> Outcome {
    for line in lines {
        say(format_args!("{line}"));
    }
    Outcome::Mistakes
}

fn text(file: &Path, name: &str) -> Result<String, Outcome> {
    read_text(file).map_err(|error| unreadable(name, &error))
}

/// The files of tests at a path.
fn look(path: &Path, found: &mut Vec<PathBuf>) -> Outcome {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Outcome::Done;
    }
    let before = found.len();
    let tests = |text: &str| text.lines().any(|line| line.starts_with("tests:"));
    if let Err(error) = check::walk(path, &tests, found) {
        say(format_args!("{}: cannot read: {error}", path.display()));
        return Outcome::Failed;
    }
    if found.len() == before {
        say(format_args!("{}: no file has a list of `tests`", path.display()));
        return Outcome::Failed;
    }
    Outcome::Done
}
