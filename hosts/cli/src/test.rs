//! `kaudit-filter test`: unit tests of a configuration.

mod junit;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use host_kit::config::{SiblingFiles, read_text};
use kaudit_filter::config::Config;
use kaudit_workbench::check::CheckReport;
use kaudit_workbench::lines::wrapped;
use kaudit_workbench::suite::{self, ConfigSource, Coverage, Mistake, Suite, TestResult};

use crate::check;
use crate::config::{print_problems, unreadable};
use crate::nearby::NearbyFiles;
use crate::outcome::Outcome;
use crate::output::{Destination, cannot_write};
use crate::terminal::{colours_errors, error_line, is_quiet, note_line};
use junit::junit;

/// Runs unit tests of a configuration
///
/// A test contains records and the expected verdict for each: kept, with these
/// values; dropped, for this reason; suppressed, this many times; and the summaries
/// and reports that are sent at each time. Each test has its own filter and its own
/// clock. Every record of a step is accounted for: a result that the step does not
/// expect is a difference.
///
/// PATH is a test file, or a folder; in a folder, every .yaml and .yml file with a
/// list of `tests` is run:
///
///   config: ../kaudit.yaml     # its path, relative to this file; or its text
///   now: 2026-03-17T12:00:00Z  # the start time of each test
///   tests:
///     - name: nodes are silent
///       steps:
///         - record: {etype: principal, eid: "system:node:a",
///             category: anomaly, confidence: high}
///           dropped: entity-no-match
///         - record: {etype: principal, eid: johnD,
///             category: incident, confidence: high}
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
/// Input of a step: `record`, `records` or `file` (one record per line), and
/// `times` (repetitions); `at`, a time after `now` such as 90s, or `end`, the
/// shutdown of the filter. With `base: NAME` a record also has those members of the
/// record NAME in the file's map `bases` that it does not have itself.
///
/// Expectations: `kept` (values of the entries by path, a number, or `all`),
/// `dropped` (a reason, or reasons with numbers), `suppressed`, `passed`, `summary`
/// and `report` (values, or a list of them), and `rules`: the ids of the rules that
/// select the step's audit events, `[]` for none. With `rules` alone the verdicts
/// are not compared.
///
/// After the tests their coverage is printed: the parts of the configuration that
/// they exercise.
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

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Also write a `JUnit` report to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    #[command(flatten)]
    output: Destination,

    /// Test files, and folders that contain them
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

const EXIT_CODES: &str = "Exit codes:
  0  every test passed, or was blessed
  1  a test failed, or a test file or configuration has errors
  2  wrong usage, or a file could not be read or written";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line per test, and the differences of failed tests
    Text,
    /// One JSON object
    Json,
}

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
        return Ok(cannot_write(file, &error));
    }
    if tests.ran.is_empty() {
        return Ok(tests.outcome.max(Outcome::Mistakes));
    }
    let out = match args.format {
        Format::Text => tests.text(args),
        Format::Json => format!("{:#}\n", suite::json(&tests.ran)),
    };
    Ok(tests.outcome.max(args.output.write(out.as_bytes())?))
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
    /// Returns the results and the coverage; with `--quiet` only failed tests.
    fn text(&self, args: &Args) -> String {
        let coloured = args.output.is_coloured();
        if is_quiet() {
            let failed: Vec<_> =
                self.ran.iter().filter(|test| !test.differences.is_empty()).cloned().collect();
            return if failed.is_empty() { String::new() } else { suite::text(&failed, coloured) };
        }
        let mut out = suite::text(&self.ran, coloured);
        for (name, (config, coverage)) in &self.configs {
            out.push('\n');
            for line in coverage.text(name, config, args.coverage).lines() {
                out.push_str(&(wrapped(line, 80).join("\n") + "\n"));
            }
        }
        out
    }

    fn run_file(&mut self, file: &Path, bless: bool) -> Result<(), Outcome> {
        let name = file.to_string_lossy();
        let text = text(file, &name)?;
        let suite = Suite::read(&name, &text, &SiblingFiles::of(file))
            .map_err(|mistakes| print_mistakes(&name, &text, &mistakes))?;
        let (named, config) = configuration(file, &suite)?;
        let (config, coverage) = self.configs.entry(named).or_insert_with(|| (config, Coverage::default()));
        let large = |error| {
            error_line(format_args!("{name}: error: {error}"));
            Outcome::Mistakes
        };
        let mut ran = suite.run(config, coverage).map_err(large)?;
        if bless && ran.iter().any(|test| !test.differences.is_empty()) {
            let text = suite::blessed(&text, &ran);
            // The file is replaced only if the new text can be parsed.
            let suite = Suite::read(&name, &text, &SiblingFiles::of(file)).map_err(|mistakes| {
                error_line(format_args!("{name}: not blessed: the updated file would have errors"));
                print_mistakes(&name, &text, &mistakes)
            })?;
            fs::write(file, &text).map_err(|error| cannot_write(file, &error))?;
            note_line(format_args!(
                "{name}: expectations updated with the actual results; review the change"
            ));
            ran = suite.run(config, coverage).map_err(large)?;
            for test in ran.iter().filter(|test| !test.can_be_blessed()) {
                error_line(format_args!(
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
    let mut report = CheckReport::default();
    let config = report.read(&name, &text, &NearbyFiles::of(&path));
    let config = config.ok_or_else(|| {
        print_problems(&report);
        Outcome::Mistakes
    })?;
    Ok((name, config))
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

fn print_mistakes(name: &str, text: &str, mistakes: &[Mistake]) -> Outcome {
    let snippets: Vec<_> =
        mistakes.iter().map(|mistake| mistake.text(name, text, colours_errors())).collect();
    error_line(format_args!("{}", snippets.join("\n\n")));
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
        error_line(format_args!("{}: cannot read: {error}", path.display()));
        return Outcome::Failed;
    }
    if found.len() == before {
        error_line(format_args!(
            "{}: no test file found in this folder: none has a list of `tests`",
            path.display()
        ));
        return Outcome::Failed;
    }
    Outcome::Done
}
