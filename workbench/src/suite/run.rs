//! Runs tests, each through a filter of its own, and says what differs.

use std::collections::BTreeMap;

use host_kit::{Emission, Session};
use kaudit_filter::config::{Config, Severity};
use kaudit_filter::entry::OWN_KEY;
use kaudit_filter::explain::{Explainer, Outcome};
use kaudit_filter::record::Record;
use kaudit_filter::{BuildError, Time};
use serde_json::Value;

use super::{At, Case, Coverage, Expected, Found, Step, Suite, at};
use crate::explain;

/// What became of one test.
#[derive(Debug)]
pub struct Ran {
    /// Its name.
    pub name: String,
    /// The suite's file.
    pub file: String,
    /// Where it begins.
    pub line: usize,
    /// What differs, step by step; empty: the test passed.
    pub differences: Vec<Difference>,
    /// The steps that differ, or that expect nothing, with what they gave.
    pub(super) blessings: Vec<(super::Place, Vec<String>)>,
}

/// How a step differs.
#[derive(Debug)]
pub struct Difference {
    /// The step's line.
    pub line: usize,
    /// The lines of the difference: `- ` is expected, `+ ` was found.
    pub lines: Vec<String>,
    /// Why a record was not treated as expected.
    pub why: Option<String>,
}

impl Suite {
    /// Runs every test against the configuration, and notes what they exercise.
    ///
    /// # Errors
    /// The configuration's patterns are too large together.
    pub fn run(&self, config: &Config, coverage: &mut Coverage) -> Result<Vec<Ran>, BuildError> {
        self.cases.iter().map(|case| self.case(case, config, coverage)).collect()
    }

    fn case(&self, case: &Case, config: &Config, coverage: &mut Coverage) -> Result<Ran, BuildError> {
        // The same every time: the seed only protects against names that strangers choose.
        let mut session = Session::new(Explainer::new(config, 0)?, config).without_envelopes();
        let mut ran = Ran {
            name: case.name.clone(),
            file: self.name.clone(),
            line: case.line,
            differences: Vec::new(),
            blessings: Vec::new(),
        };
        let mut last = Time::from_millis(0);
        for step in &case.steps {
            let found = live(step, &mut session, config, coverage, &mut last);
            let lines = differences(&step.expected, &found);
            if lines.is_empty() {
                continue;
            }
            ran.blessings.push((step.place.clone(), as_expected(&step.expected, &found)));
            // One with a verdict that is not expected, or else one that left with other values.
            let unexpected = found.told.iter().find(|(verdict, _)| !expects(&step.expected, verdict));
            let other = || {
                let differs =
                    found.entries.iter().any(|entry| !values(&step.expected.kept, entry).is_empty());
                found.told.iter().find(|(verdict, _)| differs && verdict == "kept")
            };
            let why = unexpected.or_else(other).map(|(_, told)| told.clone());
            ran.differences.push(Difference { line: step.place.line, lines, why });
        }
        Ok(ran)
    }
}

/// Lives through one step.
fn live(
    step: &Step,
    session: &mut Session<Explainer>,
    config: &Config,
    coverage: &mut Coverage,
    last: &mut Time,
) -> Found {
    let mut found = Found::default();
    if let At::Time(now) = step.at {
        *last = now;
        session.due(now, |own| found.own(&own));
    }
    for record in &step.records {
        for explanation in session.explain(Record::json(record), *last) {
            coverage.note(&explanation);
            let verdict = explain::verdict(&explanation.outcome);
            *found.verdicts.entry(verdict.clone()).or_default() += 1;
            let text = explain::text(&explanation, "the first such record", config, false);
            found.told.push((verdict, text));
            if let Outcome::Kept(entry) = &explanation.outcome {
                found.entries.push(parsed(entry));
            }
        }
        session.due(*last, |own| found.own(&own));
    }
    if let At::End = step.at {
        session.finish(*last, |own| found.own(&own));
    }
    found
}

impl Found {
    fn own(&mut self, emission: &Emission<'_>) {
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

/// An entry, its text looked into where it is JSON in a string.
fn parsed(json: &str) -> Value {
    let mut entry: Value = serde_json::from_str(json).unwrap_or_default();
    if let Some(text) = entry["text"].as_str().and_then(|text| serde_json::from_str(text).ok()) {
        entry["text"] = text;
    }
    entry
}

fn expects(expected: &Expected, verdict: &str) -> bool {
    expected.verdicts.contains_key(verdict)
}

/// What is expected and not found, and what is found and not expected.
fn differences(expected: &Expected, found: &Found) -> Vec<String> {
    let mut lines = Vec::new();
    // The records, and of batches their items.
    let all: u64 = found.verdicts.values().sum();
    let mut verdicts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (verdict, count) in &expected.verdicts {
        verdicts.entry(verdict).or_default().0 = count.unwrap_or(all);
    }
    for (verdict, count) in &found.verdicts {
        verdicts.entry(verdict).or_default().1 = *count;
    }
    for (sign, which) in [("-", 0), ("+", 1)] {
        for (verdict, counts) in verdicts.iter().filter(|(_, (one, other))| one != other) {
            let count = if which == 0 { counts.0 } else { counts.1 };
            if count > 0 {
                lines.push(format!("{sign} {count} {verdict}"));
            }
        }
    }
    let mut told = false;
    for entry in &found.entries {
        let different = values(&expected.kept, entry);
        // Of many entries that differ the first says enough.
        if !different.is_empty() && !told {
            lines.extend(different);
            told = true;
        }
    }
    for (word, expected, found) in
        [("summary", &expected.summaries, &found.summaries), ("report", &expected.reports, &found.reports)]
    {
        for index in 0..expected.len().max(found.len()) {
            match (expected.get(index), found.get(index)) {
                (Some(expected), Some(found)) => {
                    lines.extend(
                        values(expected, found)
                            .iter()
                            .map(|line| format!("{} in the {word}: {}", &line[..1], &line[2..])),
                    );
                }
                (Some(expected), None) => lines.push(format!("- {word}: {}", flow(expected))),
                (None, Some(found)) => lines.push(format!("+ {word}: {found}")),
                (None, None) => {}
            }
        }
    }
    lines
}

/// The values that are not as expected.
fn values(expected: &[(String, Value)], found: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (path, wanted) in expected {
        let value = named(path, at(found, path));
        if value.as_ref() != Some(wanted) && at(found, path) != Some(wanted) {
            lines.push(format!("- {path}: {wanted}"));
            lines.push(value.map_or_else(|| format!("+ no {path}"), |value| format!("+ {path}: {value}")));
        }
    }
    lines
}

/// A severity is told by its name.
fn named(path: &str, value: Option<&Value>) -> Option<Value> {
    use Severity::{Critical, Debug, Error, Info, Verbose, Warn};
    let name = value.and_then(Value::as_u64).filter(|_| path == "severity").and_then(|number| {
        [Debug, Verbose, Info, Warn, Error, Critical].into_iter().find(|severity| *severity as u64 == number)
    });
    name.map(|severity| explain::severity(severity).into()).or_else(|| value.cloned())
}

/// The lines that would have been as expected.
fn as_expected(expected: &Expected, found: &Found) -> Vec<String> {
    let mut lines = Vec::new();
    let single = found.verdicts.len() == 1;
    let mut dropped = Vec::new();
    for (verdict, count) in &found.verdicts {
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
    for (word, key, expected, found) in [
        ("summary", "suppressed", &expected.summaries, &found.summaries),
        ("report", "count", &expected.reports, &found.reports),
    ] {
        let all = found.iter().enumerate().map(|(index, found)| {
            let paths = expected.get(index).map_or_else(
                || vec![key.to_owned()],
                |expected| expected.iter().map(|(path, _)| path.clone()).collect(),
            );
            flow(
                &paths
                    .into_iter()
                    .filter_map(|path| Some((path.clone(), at(found, &path)?.clone())))
                    .collect::<Vec<_>>(),
            )
        });
        let all: Vec<String> = all.collect();
        match &all[..] {
            [] => {}
            [one] => lines.push(format!("{word}: {one}")),
            many => lines.push(format!("{word}: [{}]", many.join(", "))),
        }
    }
    lines
}

/// The values of the first entry at the paths that were expected, or those that are worth expecting.
fn kept(expected: &Expected, found: &Found) -> String {
    let Some(entry) = found.entries.first() else { return "all".to_owned() };
    let worth = ["severity".to_owned(), "subsystemName".to_owned()];
    let asked: Vec<String> = expected.kept.iter().map(|(path, _)| path.clone()).collect();
    let paths = if asked.is_empty() && expected.unstated { &worth[..] } else { &asked[..] };
    let all_have = |path: &String| {
        let value = named(path, at(entry, path))?;
        let same = found.entries.iter().all(|other| named(path, at(other, path)).as_ref() == Some(&value));
        same.then(|| (path.clone(), value))
    };
    let values: Vec<_> = paths.iter().filter_map(all_have).collect();
    if values.is_empty() { "all".to_owned() } else { flow(&values) }
}

/// Values as a flow map.
fn flow(values: &[(String, Value)]) -> String {
    let plain = |text: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
            && !["true", "false", "null", "yes", "no", "on", "off"].contains(&text)
    };
    let members = values.iter().map(|(path, value)| match value.as_str() {
        Some(text) if plain(text) => format!("{path}: {text}"),
        // JSON is YAML.
        _ => format!("{path}: {value}"),
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}
