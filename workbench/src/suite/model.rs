//! A file of tests, and the results of a step.

use std::collections::BTreeMap;

use kaudit_filter::Time;
use kaudit_filter::policy::ExplainedRule;
use kaudit_filter::stats::Reason;
use serde_json::Value;

/// One file of tests.
#[derive(Debug)]
pub struct Suite {
    /// The file's name.
    pub name: String,
    /// The tested configuration.
    pub config: ConfigSource,
    pub(super) cases: Vec<Case>,
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
pub(super) struct Case {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) steps: Vec<Step>,
}

/// Records that arrive at one moment, with their expected results.
/// A step may also have no records.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) position: StepPosition,
    pub(super) time: StepTime,
    pub(super) records: Vec<String>,
    pub(super) expected: Expected,
}

/// The time of a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum StepTime {
    Time(Time),
    /// The filter shuts down and emits all pending summaries and reports.
    End,
}

/// The position of a step and of its expectations in the file.
#[derive(Clone, Debug)]
pub(super) struct StepPosition {
    /// Lines count from 1, columns from 0.
    pub(super) line: usize,
    /// The column of the step's keys, if each has a line of its own.
    pub(super) column: Option<usize>,
    /// The lines of the expectations' keys.
    pub(super) expectations: Vec<usize>,
    /// The line of the last key.
    pub(super) last: usize,
}

/// The expected results of a step.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// The number of each verdict; `None`: all records.
    /// Verdicts are `kept`, `dropped: reason`, `suppressed` and `passed`. A batch has a verdict for each item.
    pub(super) verdicts: BTreeMap<String, Option<u64>>,
    /// The values of every entry of the step, by path.
    pub(super) kept: Vec<(String, Value)>,
    /// The values of the emitted summaries, in order.
    pub(super) summaries: Vec<Vec<(String, Value)>>,
    /// The values of the emitted count reports, in order.
    pub(super) reports: Vec<Vec<(String, Value)>>,
    /// The ids of the rules that select the step's audit events. Without `verdicts` these are not compared.
    pub(super) rules: Option<Vec<String>>,
    /// The step has no expectations.
    pub(super) is_empty: bool,
}

/// The actual results of a step.
#[derive(Debug, Default)]
pub(super) struct StepResult {
    pub(super) verdicts: BTreeMap<String, u64>,
    pub(super) entries: Vec<Value>,
    pub(super) summaries: Vec<Value>,
    pub(super) reports: Vec<Value>,
    /// Each verdict with its explanation, in order.
    pub(super) explanations: Vec<(String, String)>,
    /// The audit events; several equal ones in a row are one.
    pub(super) events: Vec<EventResult>,
    /// The number of records and items that are no audit events.
    pub(super) other_records: usize,
}

/// The rules of the policy for one audit event.
#[derive(Debug, PartialEq)]
pub(super) struct EventResult {
    /// Every rule, with its conditions.
    pub(super) rules: Vec<ExplainedRule>,
    /// The reason for which the event is not evaluated.
    pub(super) skipped: Option<Reason>,
}

/// Returns a value of an entry by its path.
pub(super) fn value_at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, key| match value {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => value.get(key),
    })
}
