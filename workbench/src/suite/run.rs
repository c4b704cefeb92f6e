//! Runs tests, each with a filter of its own, and reports the differences.

use std::collections::{BTreeMap, BTreeSet};

use host_kit::{Emission, Session};
use kaudit_filter::config::{Config, Severity};
use kaudit_filter::entry::OWN_KEY;
use kaudit_filter::explain::{Explainer, Explanation, Outcome, Recognised};
use kaudit_filter::policy::{Rule, Truth};
use kaudit_filter::record::Record;
use kaudit_filter::{BuildError, Time};
use serde_json::Value;

use super::coverage::Coverage;
use super::model::{Case, EventResult, Expected, Step, StepPosition, StepResult, StepTime, Suite, value_at};
use crate::explain;

/// The result of one test.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// The test's name.
    pub name: String,
    /// The suite's file.
    pub file: String,
    /// The line on which the test begins.
    pub line: usize,
    /// The differences, step by step; empty: the test passed.
    pub differences: Vec<Difference>,
    /// The steps that differ or expect nothing, with their actual results.
    pub(super) blessings: Vec<(StepPosition, Vec<String>)>,
}

/// The difference between expected and actual results of a step.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The step's line.
    pub line: usize,
    /// The lines of the difference: `- ` is expected, `+ ` was found.
    pub lines: Vec<String>,
    /// The explanation of a record with an unexpected result.
    pub explanation: Option<String>,
}

impl Suite {
    /// Runs every test against the configuration, and records the coverage.
    ///
    /// # Errors
    /// The configuration's patterns are too large in total.
    pub fn run(&self, config: &Config, coverage: &mut Coverage) -> Result<Vec<TestResult>, BuildError> {
        self.cases.iter().map(|case| self.case(case, config, coverage)).collect()
    }

    fn case(&self, case: &Case, config: &Config, coverage: &mut Coverage) -> Result<TestResult, BuildError> {
        // A fixed seed makes runs reproducible: it only protects against names that attackers choose.
        let mut session = Session::new(Explainer::new(config, 0)?, config).without_envelopes();
        let mut result = TestResult {
            name: case.name.clone(),
            file: self.name.clone(),
            line: case.line,
            differences: Vec::new(),
            blessings: Vec::new(),
        };
        let mut last = Time::from_millis(0);
        for step in &case.steps {
            let found = run_step(step, &mut session, config, coverage, &mut last);
            let lines = differences(&step.expected, &found, config);
            if lines.is_empty() {
                continue;
            }
            let actual = matching_expectations(&step.expected, &found, config);
            result.blessings.push((step.position.clone(), actual));
            // A record with an unexpected verdict, or else one whose entry has other values.
            let unexpected = found.explanations.iter().find(|(verdict, _)| {
                step.expected.compares_verdicts() && !step.expected.verdicts.contains_key(verdict)
            });
            let other = || {
                let differs = found
                    .entries
                    .iter()
                    .any(|entry| !different_values(&step.expected.kept, entry).is_empty());
                found.explanations.iter().find(|(verdict, _)| differs && verdict == "kept")
            };
            let explanation = unexpected.or_else(other).map(|(_, explanation)| explanation.clone());
            result.differences.push(Difference { line: step.position.line, lines, explanation });
        }
        Ok(result)
    }
}

/// Runs one step.
fn run_step(
    step: &Step,
    session: &mut Session<Explainer>,
    config: &Config,
    coverage: &mut Coverage,
    last: &mut Time,
) -> StepResult {
    let mut found = StepResult::default();
    if let StepTime::Time(now) = step.time {
        *last = now;
        session.due(now, |own| found.add_own_entry(&own));
    }
    for record in &step.records {
        for explanation in session.explain(Record::json(record), *last) {
            coverage.record(&explanation);
            found.add_rules(&explanation);
            let verdict = explain::verdict(&explanation.outcome);
            *found.verdicts.entry(verdict.clone()).or_default() += 1;
            let text = explain::text(&explanation, "the first such record", config, false);
            found.explanations.push((verdict, text));
            if let Outcome::Kept(entry) = &explanation.outcome {
                found.entries.push(parsed(entry));
            }
        }
        session.due(*last, |own| found.add_own_entry(&own));
    }
    if let StepTime::End = step.time {
        session.finish(*last, |own| found.add_own_entry(&own));
    }
    found
}

impl Expected {
    /// Whether the verdicts of the records are compared.
    fn compares_verdicts(&self) -> bool {
        self.rules.is_none() || !self.verdicts.is_empty()
    }
}

impl StepResult {
    /// Adds the rules of an audit event.
    fn add_rules(&mut self, explanation: &Explanation) {
        if explanation.rules.is_empty() && !matches!(explanation.recognised, Recognised::Event { .. }) {
            self.other_records += 1;
            return;
        }
        let event = EventResult {
            rules: explanation.rules.clone(),
            skipped: explain::not_evaluated(&explanation.outcome),
        };
        // An event has an explanation for each rule that selects it.
        if self.events.last() != Some(&event) {
            self.events.push(event);
        }
    }

    /// Returns the rules that select an event of the step, in the order of the policy.
    fn selecting<'c>(&self, config: &'c Config) -> Vec<&'c Rule> {
        let evaluated = self.events.iter().filter(|event| event.skipped.is_none());
        let indices: BTreeSet<usize> = evaluated
            .flat_map(|event| &event.rules)
            .filter(|rule| rule.value == Truth::True)
            .map(|rule| rule.rule)
            .collect();
        let rules = config.audit.iter().flat_map(|audit| audit.policy.rules.iter().enumerate());
        rules.filter(|(index, rule)| rule.status && indices.contains(index)).map(|(_, rule)| rule).collect()
    }

    /// Returns the name of the rule with this id, and why it selects no event of the step.
    fn why_not(&self, id: &str, config: &Config) -> String {
        let Some(audit) = &config.audit else { return ": the configuration has no policy".to_owned() };
        let rules = &audit.policy.rules;
        let Some((index, rule)) = rules.iter().enumerate().find(|(_, rule)| rule.id == id) else {
            return ": no rule of the policy has this id".to_owned();
        };
        if !rule.status {
            return format!(" `{}`: it has `status: false`", rule.name);
        }
        let true_conditions = |event: &&EventResult| {
            let rule = event.rules.iter().find(|rule| rule.rule == index);
            let conditions = rule.into_iter().flat_map(|rule| &rule.conditions);
            conditions.filter(|condition| condition.value == Truth::True).count()
        };
        // The first of the events that fulfil most of the conditions.
        let reason = match self.events.iter().rev().max_by_key(true_conditions) {
            None => "no record is an audit event".to_owned(),
            Some(EventResult { skipped: Some(reason), .. }) => {
                format!("the event is not evaluated (`{}`)", reason.label())
            }
            Some(event) => explain::refuting_condition(index, &event.rules, audit),
        };
        format!(" `{}`: {reason}", rule.name)
    }

    fn add_own_entry(&mut self, emission: &Emission<'_>) {
        let Emission::Entry(entry) = emission else { return };
        let mut json = Vec::new();
        entry.write_json(&mut json);
        let entry = parsed(&String::from_utf8_lossy(&json));
        match entry["text"][OWN_KEY]["summary"].as_object() {
            Some(summary) => self.summaries.push(Value::Object(summary.clone())),
            None => self.reports.push(entry["text"].clone()),
        }
    }
}

/// Parses an entry; a text that is JSON in a string is parsed as well.
fn parsed(json: &str) -> Value {
    let mut entry: Value = serde_json::from_str(json).unwrap_or_default();
    if let Some(text) = entry["text"].as_str().and_then(|text| serde_json::from_str(text).ok()) {
        entry["text"] = text;
    }
    entry
}

/// Returns the expected rules that select no event, and the others that select one.
fn rule_differences(expected: &[String], found: &StepResult, config: &Config) -> Vec<String> {
    let selecting = found.selecting(config);
    let missing = expected.iter().filter(|id| !selecting.iter().any(|rule| rule.id == **id));
    let missing = missing.map(|id| format!("- rule {id}{}", found.why_not(id, config)));
    let others = selecting.iter().filter(|rule| !expected.contains(&rule.id));
    let others = others.map(|rule| format!("+ rule {} `{}`", rule.id, rule.name));
    let no_events = (found.other_records > 0).then(|| match found.other_records {
        1 => "+ 1 record that is not an audit event".to_owned(),
        several => format!("+ {several} records that are not audit events"),
    });
    missing.chain(others).chain(no_events).collect()
}

/// Returns the expected results not found, and the results not expected.
fn differences(expected: &Expected, found: &StepResult, config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(rules) = &expected.rules {
        lines.extend(rule_differences(rules, found, config));
    }
    // The number of records, or items of batches.
    let all: u64 = found.verdicts.values().sum();
    let mut verdicts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (verdict, count) in &expected.verdicts {
        verdicts.entry(verdict).or_default().0 = count.unwrap_or(all);
    }
    for (verdict, count) in &found.verdicts {
        verdicts.entry(verdict).or_default().1 = *count;
    }
    if !expected.compares_verdicts() {
        verdicts.clear();
    }
    for (sign, which) in [("-", 0), ("+", 1)] {
        for (verdict, counts) in verdicts.iter().filter(|(_, (one, other))| one != other) {
            let count = if which == 0 { counts.0 } else { counts.1 };
            if count > 0 {
                lines.push(format!("{sign} {count} {verdict}"));
            }
        }
    }
    let mut is_printed = false;
    for entry in &found.entries {
        let different = different_values(&expected.kept, entry);
        // Only the first of several different entries is printed.
        if !different.is_empty() && !is_printed {
            lines.extend(different);
            is_printed = true;
        }
    }
    for (key, expected, found) in
        [("summary", &expected.summaries, &found.summaries), ("report", &expected.reports, &found.reports)]
    {
        for index in 0..expected.len().max(found.len()) {
            match (expected.get(index), found.get(index)) {
                (Some(expected), Some(found)) => {
                    lines.extend(
                        different_values(expected, found)
                            .iter()
                            .map(|line| format!("{} in the {key}: {}", &line[..1], &line[2..])),
                    );
                }
                (Some(expected), None) => lines.push(format!("- {key}: {}", flow_map(expected))),
                (None, Some(found)) => lines.push(format!("+ {key}: {found}")),
                (None, None) => {}
            }
        }
    }
    lines
}

/// Returns the values that differ from the expected ones.
fn different_values(expected: &[(String, Value)], found: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, wanted) in expected {
        let value = with_severity_name(path, value_at(found, path));
        if value.as_ref() != Some(wanted) && value_at(found, path) != Some(wanted) {
            lines.push(format!("- {path}: {wanted}"));
            lines.push(value.map_or_else(|| format!("+ no {path}"), |value| format!("+ {path}: {value}")));
        }
    }
    lines
}

/// Returns a value, with the name of a severity instead of its number.
fn with_severity_name(path: &str, value: Option<&Value>) -> Option<Value> {
    use Severity::{Critical, Debug, Error, Info, Verbose, Warn};
    let name = value.and_then(Value::as_u64).filter(|_| path == "severity").and_then(|number| {
        [Debug, Verbose, Info, Warn, Error, Critical].into_iter().find(|severity| *severity as u64 == number)
    });
    name.map(|severity| severity.name().into()).or_else(|| value.cloned())
}

/// Returns the expectations that match the actual results.
fn matching_expectations(expected: &Expected, found: &StepResult, config: &Config) -> Vec<String> {
    let mut lines = Vec::new();
    if expected.rules.is_some() || expected.is_empty && !found.events.is_empty() {
        let ids = found.selecting(config).into_iter().map(|rule| yaml_id(&rule.id));
        lines.push(format!("rules: [{}]", ids.collect::<Vec<_>>().join(", ")));
    }
    let single = found.verdicts.len() == 1;
    let mut dropped = Vec::new();
    for (verdict, count) in found.verdicts.iter().filter(|_| expected.compares_verdicts()) {
        match verdict.strip_prefix("dropped: ") {
            Some(reason) if single => lines.push(format!("dropped: {reason}")),
            Some(reason) => dropped.push(format!("{reason}: {count}")),
            None if verdict == "kept" && single => lines.push(format!("kept: {}", kept(expected, found))),
            None if single => lines.push(format!("{verdict}: all")),
            None => lines.push(format!("{verdict}: {count}")),
        }
    }
    if !dropped.is_empty() {
        lines.push(format!("dropped: {{{}}}", dropped.join(", ")));
    }
    for (key, default_path, expected, found) in [
        ("summary", "suppressed", &expected.summaries, &found.summaries),
        ("report", "count", &expected.reports, &found.reports),
    ] {
        let all = found.iter().enumerate().map(|(index, found)| {
            let paths = expected.get(index).map_or_else(
                || vec![default_path.to_owned()],
                |expected| expected.iter().map(|(path, _)| path.clone()).collect(),
            );
            flow_map(
                &paths
                    .into_iter()
                    .filter_map(|path| Some((path.clone(), value_at(found, &path)?.clone())))
                    .collect::<Vec<_>>(),
            )
        });
        let all: Vec<String> = all.collect();
        match &all[..] {
            [] => {}
            [one] => lines.push(format!("{key}: {one}")),
            many => lines.push(format!("{key}: [{}]", many.join(", "))),
        }
    }
    lines
}

/// Returns the first entry's values at the expected paths, or default paths.
fn kept(expected: &Expected, found: &StepResult) -> String {
    let Some(entry) = found.entries.first() else { return "all".to_owned() };
    let default_paths = ["severity".to_owned(), "subsystemName".to_owned()];
    let expected_paths: Vec<String> = expected.kept.iter().map(|(path, _)| path.clone()).collect();
    let paths =
        if expected_paths.is_empty() && expected.is_empty { &default_paths[..] } else { &expected_paths[..] };
    let all_have = |path: &String| {
        let value = with_severity_name(path, value_at(entry, path))?;
        let same = found
            .entries
            .iter()
            .all(|other| with_severity_name(path, value_at(other, path)).as_ref() == Some(&value));
        same.then(|| (path.clone(), value))
    };
    let values: Vec<_> = paths.iter().filter_map(all_have).collect();
    if values.is_empty() { "all".to_owned() } else { flow_map(&values) }
}

/// Returns the id of a rule as YAML.
fn yaml_id(id: &str) -> String {
    if id.bytes().all(|byte| byte.is_ascii_digit()) { id.to_owned() } else { Value::from(id).to_string() }
}

/// Returns values as a YAML flow map.
fn flow_map(values: &[(String, Value)]) -> String {
    let is_plain = |text: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text)
    };
    let members = values.iter().map(|(path, value)| match value.as_str() {
        Some(text) if is_plain(text) => format!("{path}: {text}"),
        // JSON is YAML.
        _ => format!("{path}: {value}"),
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}
