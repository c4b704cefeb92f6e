//! `kaudit-filter test`: unit tests of a configuration.

mod junit;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use host_kit::config::{SiblingFiles, read_text};
use kaudit_filter::config::{self, Config};
use kaudit_workbench::suite::{self, ConfigSource, Coverage, Suite, TestResult};

use crate::check;
use crate::config::unreadable;
use crate::outcome::{Outcome, eprintln_line};
use junit::junit;

/// Runs unit tests of a configuration
///
/// A test contains records and the expected verdict for each: kept, with these values; dropped,
/// for this reason; suppressed, this many times; and the summaries and reports that are sent at
/// each time. Each test has its own filter and its own clock. Every record of a step is accounted
/// for: a result that the step does not expect is a difference.
///
/// PATH is a test file, or a folder; in a folder, every .yaml and .yml file with a list of `tests`
/// is run:
///
///   config: ../kaudit.yaml              path of the configuration, relative to this file; or its text
///   now: 2026-03-17T12:00:00Z           start time of each test
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
///     - name: an exec is selected by rule 100002 of the policy
///       steps:
///         - record: {kind: Event, apiVersion: audit.k8s.io/v1, verb: get,
///             objectRef: {resource: pods, subresource: exec}}
///           rules:
///             - 100002
///
/// Input of a step: `record`, `records` or `file` (one record per line), and `times`
/// (repetitions); `at`, a time after `now` such as 90s, or `end`, the shutdown of the filter.
/// With `base: NAME` a record also has those members of the record NAME in the file's map `bases`
/// that it does not have itself.
/// Expectations: `kept` (values of the entries by path, a number, or `all`), `dropped` (a reason,
/// or reasons with numbers), `suppressed`, `passed`, `summary` and `report` (values, or a list of
/// them), and `rules`: the ids of the rules that select the step's audit events, `[]` for none.
/// With `rules` alone the verdicts are not compared.
///
/// After the tests their coverage is printed: the parts of the configuration that they exercise.
#[derive(clap::Args)]
#[command(after_long_help = EXIT_CODES, verbatim_doc_comment)]
pub struct Args {
    /// Replace the expectations in the test files by the actual results
    #[arg(long)]
    bless: bool,

    /// List every rule and every condition of a policy that no test exercises
    ///
    /// A rule is exercised if it selects an event, a condition if it is true for one event and false for another.
    #[arg(long)]
    coverage: bool,

    /// Also write a `JUnit` report to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Test files, and folders that contain them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

const EXIT_CODES: &str = "Exit codes:
  0  every test passed, or was blessed
  1  a test failed, or a test file or configuration has errors
  2  wrong usage, or a file could not be read or written";

/// Runs the command.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let mut tests = Tests::default();
    for path in &args.paths {
        tests.outcome = tests.outcome.max(find_files(path, &mut tests.files));
    }
    for file in std::mem::take(&mut tests.files) {
        if let Err(outcome) = tests.run_file(&file, args.bless) {
            tests.outcome = tests.outcome.max(outcome);
        }
    }
    if tests.ran.iter().any(|test| !test.differences.is_empty()) {
        tests.outcome = tests.outcome.max(Outcome::Mistakes);
    }
    if let Some(file) = &args.junit
        && let Err(error) = junit(&tests.ran).map_err(io::Error::other).and_then(|text| fs::write(file, text))
    {
        eprintln_line(format_args!("{}: cannot write: {error}", file.display()));
        return Ok(Outcome::Failed);
    }
    if tests.ran.is_empty() {
        return Ok(tests.outcome.max(Outcome::Mistakes));
    }
    let mut out = suite::text(&tests.ran, check::coloured());
    for (name, (config, coverage)) in &tests.configs {
        out.push('\n');
        out.push_str(&coverage.text(name, config, args.coverage));
    }
    io::stdout().write_all(out.as_bytes())?;
    Ok(tests.outcome)
}

#[derive(Default)]
struct Tests {
    files: Vec<PathBuf>,
    /// The tested configurations and their coverage, by name.
    configs: BTreeMap<String, (Config, Coverage)>,
    ran: Vec<TestResult>,
    outcome: Outcome,
}

impl Tests {
    fn run_file(&mut self, file: &Path, bless: bool) -> Result<(), Outcome> {
        let name = file.to_string_lossy();
        let text = text(file, &name)?;
        let suite = Suite::read(&name, &text, &SiblingFiles::of(file)).map_err(mistakes)?;
        let (named, config) = configuration(file, &suite)?;
        let (config, coverage) = self.configs.entry(named).or_insert_with(|| (config, Coverage::default()));
        let large = |error| mistakes(vec![format!("{name}: error: {error}")]);
        let mut ran = suite.run(config, coverage).map_err(large)?;
        if bless && ran.iter().any(|test| !test.differences.is_empty()) {
            let text = suite::blessed(&text, &ran);
            // The file is replaced only if the new text can be parsed.
            let suite = Suite::read(&name, &text, &SiblingFiles::of(file)).map_err(|lines| {
                eprintln_line(format_args!("{name}: not blessed: the updated file would have errors"));
                mistakes(lines)
            })?;
            fs::write(file, &text).map_err(|error| {
                eprintln_line(format_args!("{name}: cannot write: {error}"));
                Outcome::Failed
            })?;
            eprintln_line(format_args!(
                "{name}: expectations updated with the actual results; review the change"
            ));
            ran = suite.run(config, coverage).map_err(large)?;
            for test in ran.iter().filter(|test| !test.can_be_blessed()) {
                eprintln_line(format_args!(
                    "{name}:{}: not blessed: write each key of a step on its own line, records first",
                    test.line
                ));
            }
        }
        self.ran.extend(ran);
        Ok(())
    }
}

/// Reads the configuration of a suite; returns it with its name.
fn configuration(file: &Path, suite: &Suite) -> Result<(String, Config), Outcome> {
    let (path, text) = match &suite.config {
        ConfigSource::Inline(text) => (file.to_owned(), text.clone()),
        ConfigSource::File(path) => {
            let path = sibling(file, path);
            let text = text(&path, &path.to_string_lossy())?;
            (path, text)
        }
    };
    let name = path.to_string_lossy().into_owned();
    let reading = config::read(&name, &text, &SiblingFiles::of(&path));
    let lines = reading.diagnostics.iter().map(ToString::to_string);
    match reading.config {
        Some(config) => Ok((name, config)),
        None => Err(mistakes(lines.collect())),
    }
}

/// Resolves a path relative to the folder of a file.
/// `folder/..` is removed, for readable messages.
fn sibling(file: &Path, path: &str) -> PathBuf {
    let mut sibling = file.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(path).components() {
        // The parent of a symlink's target is another folder.
        let up = part.as_os_str() == ".." && sibling.file_name().is_some() && !sibling.is_symlink();
        if up {
            sibling.pop();
        } else {
            sibling.push(part);
        }
    }
    sibling
}

fn mistakes(lines: Vec<String>) -> Outcome {
    for line in lines {
        eprintln_line(format_args!("{line}"));
    }
    Outcome::Mistakes
}

fn text(file: &Path, name: &str) -> Result<String, Outcome> {
    read_text(file).map_err(|error| unreadable(name, &error))
}

/// Collects the test files at a path.
fn find_files(path: &Path, found: &mut Vec<PathBuf>) -> Outcome {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Outcome::Done;
    }
    let before = found.len();
    let tests = |text: &str| text.lines().any(|line| line.starts_with("tests:"));
    if let Err(error) = check::walk(path, &tests, found) {
        eprintln_line(format_args!("{}: cannot read: {error}", path.display()));
        return Outcome::Failed;
    }
    if found.len() == before {
        eprintln_line(format_args!(
            "{}: no test file found in this folder: none has a list of `tests`",
            path.display()
        ));
        return Outcome::Failed;
    }
    Outcome::Done
}
