//! Unit tests of a configuration, in YAML.
//! A test consists of records, their times of arrival, and their expected verdicts.
//!
//! Every record of a step and every entry that the filter adds there is accounted for: a result that a step does not
//! expect is a difference. So a test cannot pass because it expects little.

mod bless;
mod coverage;
mod read;
mod report;
mod run;

use std::collections::BTreeMap;

use kaudit_filter::Time;
use serde_json::Value;

pub use bless::blessed;
pub use coverage::Coverage;
pub use report::{junit, text};
pub use run::TestResult;

/// One file of tests.
#[derive(Debug)]
pub struct Suite {
    /// The file's name.
    pub name: String,
    /// The tested configuration.
    pub config: ConfigSource,
    cases: Vec<Case>,
}

/// The source of a suite's configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfigSource {
    /// A file, by its path relative to the suite's.
    File(String),
    /// The text in the suite itself.
    Inline(String),
}

/// One test: a new filter, and steps in time.
#[derive(Debug)]
struct Case {
    name: String,
    line: usize,
    steps: Vec<Step>,
}

/// Records that arrive at one moment, with their expected results.
/// A step may also have no records.
#[derive(Debug)]
struct Step {
    position: StepPosition,
    time: StepTime,
    records: Vec<String>,
    expected: Expected,
}

/// The time of a step.
#[derive(Clone, Copy, Debug)]
enum StepTime {
    Time(Time),
    /// The filter shuts down and emits all pending summaries and reports.
    End,
}

/// The position of a step and of its expectations in the file.
#[derive(Clone, Debug)]
struct StepPosition {
    /// Lines count from 1, columns from 0.
    line: usize,
    /// The column of the step's keys, if each has a line of its own.
    column: Option<usize>,
    /// The lines of the expectations' keys.
    expectations: Vec<usize>,
    /// The line of the last key.
    last: usize,
}

/// The expected results of a step.
#[derive(Debug, Default)]
struct Expected {
    /// The number of each verdict; `None`: all records.
    /// Verdicts are `kept`, `dropped: reason`, `suppressed` and `passed`. A batch has a verdict for each item.
    verdicts: BTreeMap<String, Option<u64>>,
    /// The values of every entry of the step, by path.
    kept: Vec<(String, Value)>,
    /// The values of the emitted summaries, in order.
    summaries: Vec<Vec<(String, Value)>>,
    /// The values of the emitted count reports, in order.
    reports: Vec<Vec<(String, Value)>>,
    /// The step has no expectations.
    is_empty: bool,
}

/// The actual results of a step.
#[derive(Debug, Default)]
struct StepResult {
    verdicts: BTreeMap<String, u64>,
    entries: Vec<Value>,
    summaries: Vec<Value>,
    reports: Vec<Value>,
    /// Each verdict with its explanation, in order.
    explanations: Vec<(String, String)>,
}

/// Returns a value of an entry by its path.
fn value_at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => value.get(key),
    })
}
