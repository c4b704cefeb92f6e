//! Unit tests of a configuration, as YAML that an operator writes: records, when they arrive, and what must become of
//! each.
//!
//! Every record of a step and every entry that the filter adds there is accounted for: what a step does not expect is a
//! difference, so that a test cannot pass by saying little.

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
pub use run::Ran;

/// One file of tests.
#[derive(Debug)]
pub struct Suite {
    /// The file's name.
    pub name: String,
    /// The configuration that is tested.
    pub config: Source,
    cases: Vec<Case>,
}

/// Where a suite's configuration stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// In this file, its path relative to the suite's.
    File(String),
    /// In the suite itself.
    Inline(String),
}

/// One test: a new filter, and steps through its life.
#[derive(Debug)]
struct Case {
    name: String,
    line: usize,
    steps: Vec<Step>,
}

/// Records that arrive at one moment, or a moment alone, and what is expected.
#[derive(Debug)]
struct Step {
    place: Place,
    at: At,
    records: Vec<String>,
    expected: Expected,
}

/// When a step happens.
#[derive(Clone, Copy, Debug)]
enum At {
    Time(Time),
    /// The filter goes, and says what it owes.
    End,
}

/// Where a step stands in its file, and where what it expects does.
#[derive(Clone, Debug)]
struct Place {
    /// Lines count from 1, columns from 0.
    line: usize,
    /// The column of the step's keys, where they stand on lines of their own.
    column: Option<usize>,
    /// The keys of expectations, by line.
    expectations: Vec<usize>,
    /// The last key's line.
    last: usize,
}

/// What a step expects.
#[derive(Debug, Default)]
struct Expected {
    /// How many of each verdict: `kept`, `dropped: reason`, `suppressed`, `passed`; `None`: all of them. A batch has a
    /// verdict for each item.
    verdicts: BTreeMap<String, Option<u64>>,
    /// Values of every entry of the step, by path.
    kept: Vec<(String, Value)>,
    /// Values of the summaries that leave, in order.
    summaries: Vec<Vec<(String, Value)>>,
    /// Values of the count reports that leave, in order.
    reports: Vec<Vec<(String, Value)>>,
    /// Nothing is written down.
    unstated: bool,
}

/// What a step gave.
#[derive(Debug, Default)]
struct Found {
    verdicts: BTreeMap<String, u64>,
    entries: Vec<Value>,
    summaries: Vec<Value>,
    reports: Vec<Value>,
    /// The explanation of each verdict, in order.
    told: Vec<(String, String)>,
}

/// A value of an entry by its path; a text that is JSON in a string is looked into.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => value.get(key),
    })
}
