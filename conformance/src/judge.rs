//! Compares a host's output with the expectations of a case, and checks every line against the contract.

use std::collections::{BTreeMap, VecDeque};

use contract::Limits;
use serde_json::Value;

use crate::case::{Case, Expected, Pattern, Record};
use crate::driver::Run;
use crate::otlp::{self, Decoded};

/// Returns every fault of a run; empty: the host conforms.
pub fn judge(case: &Case, run: &Run) -> Vec<String> {
    let mut wrong = Vec::new();
    judge_verdicts(case, run, &mut wrong);
    judge_stats(case, run, &mut wrong);
    judge_lines(case, run, &mut wrong);
    wrong
}

fn judge_verdicts(case: &Case, run: &Run, wrong: &mut Vec<String>) {
    let Some(verdicts) = &run.verdicts else { return };
    let count = case.outcomes().count();
    if verdicts.len() != count {
        wrong.push(format!("expected {count} verdicts, found {}", verdicts.len()));
    }
    let mut verdicts = verdicts.iter();
    for (index, record) in case.records.iter().enumerate() {
        for (item, (expected, verdict)) in record.outcomes.iter().zip(verdicts.by_ref()).enumerate() {
            if expected.verdict != *verdict {
                let item = if record.is_batch() { format!(", item {item}") } else { String::new() };
                wrong.push(format!(
                    "record {index}{item}: expected {}, was {verdict}: {}",
                    expected.verdict,
                    excerpt(&record.bytes)
                ));
            }
        }
    }
}

fn judge_stats(case: &Case, run: &Run, wrong: &mut Vec<String>) {
    let Some(stats) = &run.stats else { return };
    let mut expected = case.stats.clone();
    for (name, count) in from_verdicts(case) {
        expected.insert(name, count);
    }
    for (name, &count) in &expected {
        let found = stats.get(name).copied().unwrap_or(0);
        if found != count {
            wrong.push(format!("statistics: {name}: expected {count}, was {found}"));
        }
    }
    for (name, count) in stats.iter().filter(|(name, count)| name.starts_with("dropped.") && **count > 0) {
        if !expected.contains_key(name) {
            wrong.push(format!("statistics: {name}: expected none, was {count}"));
        }
    }
}

/// Returns the counters that follow from the verdicts, including sums.
fn from_verdicts(case: &Case) -> BTreeMap<String, u64> {
    let names = ["kept.total", "dropped.total", "suppressed", "passed", "batches", "batch-items"];
    let mut counters: BTreeMap<String, u64> = names.map(|name| (name.to_owned(), 0)).into();
    let mut count = |name: &str| *counters.entry(name.to_owned()).or_default() += 1;
    for record in &case.records {
        count("records");
        if record.is_batch() {
            count("batches");
            record.outcomes.iter().for_each(|_| count("batch-items"));
        }
        for Expected { verdict, .. } in &record.outcomes {
            match verdict.strip_prefix("dropped: ") {
                Some(reason) => {
                    count("dropped.total");
                    count(&format!("dropped.{reason}"));
                }
                None if verdict == "kept" => count("kept.total"),
                None => count(verdict),
            }
        }
    }
    // Every detection is sent.
    *counters.entry("kept.total".to_owned()).or_default() +=
        case.stats.get("detected.total").copied().unwrap_or(0);
    // Every suppressed finding is counted in a summary.
    counters.insert("summarised".to_owned(), counters["suppressed"]);
    counters
}

/// A record or an item of a batch with an emitted line, and its expected outcome.
type EmittedItem<'a> = (&'a Record, &'a Expected);

fn judge_lines(case: &Case, run: &Run, wrong: &mut Vec<String>) {
    let end = Limits { now_ms: case.end_ms(), max_entry_bytes: case.max_entry_bytes };
    let decoded = if case.is_otlp() { decoded(run, &end, wrong) } else { Vec::new() };
    let mut lines: Vec<Line<'_>> = if case.is_otlp() {
        decoded.iter().map(|(bytes, log)| Line::of(bytes, log.as_ref())).collect()
    } else {
        run.lines.iter().map(|bytes| Line::new(bytes)).collect()
    };
    let mut emitted: Vec<EmittedItem<'_>> =
        case.outcomes().filter(|(_, expected)| expected.is_emitted()).collect();
    let is_bulk = !case.envelopes.is_empty();
    let is_grouped = is_bulk || case.is_otlp();
    // A record that passes may be an envelope or an entry of a filter: this run did not emit it.
    let passed: Vec<Line<'_>> =
        emitted.iter().filter(|(_, e)| e.verdict == "passed").map(|(r, _)| Line::new(&r.bytes)).collect();
    let is_passed = |line: &Line<'_>| passed.iter().any(|passed| passed.is_same(line));
    if is_grouped {
        // Among envelopes, which are emitted late, records that pass have no order.
        for expected in &passed {
            match lines.iter().position(|line| expected.is_same(line)) {
                Some(at) => drop(lines.remove(at)),
                None => wrong.push(format!("a record that passes is missing: {}", excerpt(expected.bytes))),
            }
        }
        emitted.retain(|(_, expected)| expected.verdict != "passed");
    }
    let (own, rest): (Vec<&Line<'_>>, Vec<&Line<'_>>) =
        lines.iter().partition(|line| line.is_own() && (is_grouped || !is_passed(line)));
    let (envelopes, entries): (Vec<&Line<'_>>, Vec<&Line<'_>>) =
        rest.into_iter().partition(|line| line.is_envelope() && (is_grouped || !is_passed(line)));

    if is_bulk {
        for entry in &entries {
            wrong.push(format!("an entry outside an envelope: {}", excerpt(entry.bytes)));
        }
        judge_envelopes(case, emitted.len() + case.own.len(), &envelopes, wrong);
    } else {
        for envelope in &envelopes {
            wrong.push(format!("an unexpected envelope: {}", excerpt(envelope.bytes)));
        }
        let expected = emitted.iter().map(|(_, expected)| &expected.entry);
        let entries = if case.is_otlp() { in_order(entries, expected) } else { entries };
        judge_entries(case, &emitted, &entries, wrong);
    }
    for line in &envelopes {
        complain(contract::check_envelope(line.bytes, &end), line, wrong);
        let logs =
            line.value.iter().flat_map(|envelope| envelope["logEntries"].as_array().into_iter().flatten());
        logs.for_each(|log| judge_time(log, line, wrong));
    }

    // In envelopes the filter's own entries are among the others.
    if !is_bulk {
        if own.len() != case.own.len() {
            wrong.push(format!(
                "expected {} of the filter's own entries, found {}:",
                case.own.len(),
                own.len()
            ));
            wrong.extend(own.iter().map(|line| format!("  {}", excerpt(line.bytes))));
        }
        let own = if case.is_otlp() { in_order(own.clone(), case.own.iter()) } else { own.clone() };
        for (index, (pattern, line)) in case.own.iter().zip(&own).enumerate() {
            fit(pattern, line, &format!("own entry {index}"), wrong);
        }
    }
    for line in &own {
        complain(contract::check_entry(line.bytes, &end), line, wrong);
        line.value.iter().for_each(|entry| judge_time(entry, line, wrong));
    }
}

/// Returns the lines of a run in OTLP: each log record as an entry, and the other lines unchanged.
fn decoded(run: &Run, limits: &Limits, wrong: &mut Vec<String>) -> Vec<(Vec<u8>, Option<Decoded>)> {
    let mut lines = Vec::new();
    for line in &run.lines {
        match otlp::decode(line, limits, wrong) {
            Some(logs) => lines.extend(logs.into_iter().map(|log| (log.entry.to_string().into(), Some(log)))),
            None => lines.push((line.clone(), None)),
        }
    }
    lines
}

/// Arranges lines in the order of their expectations.
///
/// Requests group log records by their resource: only within a resource are they in the order of their arrival.
fn in_order<'l>(lines: Vec<&'l Line<'l>>, expected: impl Iterator<Item = &'l Pattern>) -> Vec<&'l Line<'l>> {
    let mut groups: Vec<(Vec<Value>, VecDeque<&Line<'_>>)> = Vec::new();
    for line in lines {
        let resource = line.resource();
        match groups.iter_mut().find(|(other, _)| *other == resource) {
            Some((_, group)) => group.push_back(line),
            None => groups.push((resource, [line].into())),
        }
    }
    let mut arranged = Vec::new();
    for pattern in expected {
        let fits = |line: &Line<'_>| {
            let mut wrong = Vec::new();
            fit(pattern, line, "", &mut wrong);
            wrong.is_empty()
        };
        let first = groups.iter().position(|(_, group)| group.front().is_some_and(|line| fits(line)));
        let group = first.or_else(|| groups.iter().position(|(_, group)| !group.is_empty()));
        arranged.extend(group.and_then(|at| groups[at].1.pop_front()));
    }
    arranged.extend(groups.into_iter().flat_map(|(_, group)| group));
    arranged
}

/// Coralogix accepts an entry without a time, and sets its time of arrival; the filter always has a better one.
fn judge_time(entry: &Value, line: &Line<'_>, wrong: &mut Vec<String>) {
    if entry.get("timestamp").is_none() {
        wrong.push(format!("an entry without a timestamp: {}", excerpt(line.bytes)));
    }
}

fn judge_entries(case: &Case, emitted: &[EmittedItem<'_>], entries: &[&Line<'_>], wrong: &mut Vec<String>) {
    if emitted.len() != entries.len() {
        wrong.push(format!("expected {} lines, found {}:", emitted.len(), entries.len()));
        wrong.extend(entries.iter().map(|line| format!("  {}", excerpt(line.bytes))));
    }
    for (index, ((record, expected), line)) in emitted.iter().zip(entries).enumerate() {
        match (expected.verdict.as_str(), record.is_batch()) {
            ("passed", false) => {
                if !Line::new(&record.bytes).is_same(line) {
                    wrong.push(format!(
                        "line {index}: expected the unchanged record, found {}",
                        excerpt(line.bytes)
                    ));
                }
            }
            ("passed", true) => {
                if !expected.entry.matches_all() {
                    fit(&expected.entry, line, &format!("line {index}"), wrong);
                }
            }
            _ => {
                fit(&expected.entry, line, &format!("entry {index}"), wrong);
                let limits = Limits { now_ms: record.at_ms, max_entry_bytes: case.max_entry_bytes };
                complain(contract::check_entry(line.bytes, &limits), line, wrong);
                line.value.iter().for_each(|entry| judge_time(entry, line, wrong));
                if line.arrival_ns.is_some_and(|arrival| arrival != record.at_ms * 1_000_000) {
                    wrong.push(format!(
                        "entry {index}: observed at {:?}, not at its arrival",
                        line.arrival_ns
                    ));
                }
            }
        }
    }
}

fn judge_envelopes(case: &Case, entries: usize, envelopes: &[&Line<'_>], wrong: &mut Vec<String>) {
    let found: usize =
        envelopes.iter().filter_map(|line| Some(line.value.as_ref()?["logEntries"].as_array()?.len())).sum();
    if found != entries {
        wrong.push(format!("expected {entries} entries in all envelopes, found {found}"));
    }
    if envelopes.len() != case.envelopes.len() {
        wrong.push(format!("expected {} envelopes, found {}", case.envelopes.len(), envelopes.len()));
    }
    for (index, (pattern, line)) in case.envelopes.iter().zip(envelopes).enumerate() {
        fit(pattern, line, &format!("envelope {index}"), wrong);
    }
}

fn complain(violations: Vec<contract::Violation>, line: &Line<'_>, wrong: &mut Vec<String>) {
    wrong.extend(
        violations.into_iter().map(|violation| format!("contract: {violation}: {}", excerpt(line.bytes))),
    );
}

/// An emitted line, and its value if it is JSON.
struct Line<'a> {
    bytes: &'a [u8],
    value: Option<Value>,
    /// The time of arrival in nanoseconds, if it is a log record of OTLP.
    arrival_ns: Option<i64>,
}

impl<'a> Line<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, value: contract::parse(bytes).ok(), arrival_ns: None }
    }

    /// Returns a line of a run in OTLP. Expectations also see the cluster in the attributes of the resource.
    fn of(bytes: &'a [u8], log: Option<&Decoded>) -> Self {
        let mut line = Self::new(bytes);
        if let (Some(log), Some(Value::Object(entry))) = (log, &mut line.value) {
            line.arrival_ns = Some(log.arrival_ns);
            if !log.cluster.is_null() {
                entry.insert("cluster".to_owned(), log.cluster.clone());
            }
        }
        line
    }

    /// Returns the values that log records of one resource have in common.
    fn resource(&self) -> Vec<Value> {
        let names = ["applicationName", "subsystemName", "computerName", "cluster"];
        let value = |name| self.value.as_ref().and_then(|value| value.get(name)).cloned();
        names.into_iter().map(|name| value(name).unwrap_or_default()).collect()
    }

    /// Returns whether both are the same JSON, or the same bytes if they are not JSON.
    fn is_same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Some(one), Some(other)) => same(one, other),
            _ => self.bytes == other.bytes,
        }
    }

    /// Returns whether it is an entry of the filter's own, not of one record.
    fn is_own(&self) -> bool {
        let at = |path| self.value.as_ref().is_some_and(|value| get(value, path).is_some());
        at("text.kaudit_filter.summary")
            || at("text.kaudit_filter.report")
            || at("text.kaudit_filter.detection")
    }

    fn is_envelope(&self) -> bool {
        self.value.as_ref().is_some_and(|value| value.get("logEntries").is_some())
    }
}

fn fit(pattern: &Pattern, line: &Line<'_>, place: &str, wrong: &mut Vec<String>) {
    let Some(found) = &line.value else {
        wrong.push(format!("{place}: is not JSON: {}", excerpt(line.bytes)));
        return;
    };
    if let Some(whole) = &pattern.whole {
        differ(whole, found, place, wrong);
    }
    for (path, expected) in &pattern.has {
        match get(found, path) {
            Some(value) => differ(expected, &value, &format!("{place}: {path}"), wrong),
            None => wrong.push(format!("{place}: {path}: expected {}, is absent", short(expected))),
        }
    }
    for path in &pattern.lacks {
        if let Some(value) = get(found, path) {
            wrong.push(format!("{place}: {path}: must be absent, found {}", short(&value)));
        }
    }
    for (path, like) in &pattern.like {
        match get(found, path) {
            Some(Value::String(text)) if like.0.is_match(&text) => {}
            Some(value) => {
                wrong.push(format!(
                    "{place}: {path}: expected a match of {}, found {}",
                    like.0,
                    short(&value)
                ));
            }
            None => wrong.push(format!("{place}: {path}: expected a match of {}, found nothing", like.0)),
        }
    }
}

/// Returns the value at a path of keys and indices joined by dots; a string within the path is parsed as JSON.
fn get(value: &Value, path: &str) -> Option<Value> {
    path.split('.').try_fold(value.clone(), |value, step| match value {
        Value::Object(map) => map.get(step).cloned(),
        Value::Array(list) => list.get(step.parse::<usize>().ok()?).cloned(),
        Value::String(text) => serde_json::from_str::<Value>(&text).ok()?.get(step).cloned(),
        _ => None,
    })
}

/// Adds a fault for each path at which two values differ.
fn differ(expected: &Value, found: &Value, place: &str, wrong: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                match found.get(key) {
                    Some(found) => differ(value, found, &format!("{place}.{key}"), wrong),
                    None => wrong.push(format!("{place}.{key}: expected {}, is absent", short(value))),
                }
            }
            for (key, value) in found.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                wrong.push(format!("{place}.{key}: must be absent, found {}", short(value)));
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                differ(expected, found, &format!("{place}.{index}"), wrong);
            }
        }
        _ if same(expected, found) => {}
        _ => wrong.push(format!("{place}: expected {}, is {}", short(expected), short(found))),
    }
}

/// Returns whether two values are equal as JSON: members in any order, numbers by their value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || (one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

fn short(value: &Value) -> String {
    excerpt(value.to_string().as_bytes())
}

/// Returns bytes for a message: as text, on one line, truncated.
fn excerpt(bytes: &[u8]) -> String {
    const LONGEST: usize = 300;
    let text = String::from_utf8_lossy(bytes).replace('\n', "\\n");
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], bytes.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::parse;

    const ENTRY: &str = r#"{"applicationName":"crm","subsystemName":"kaudit-detections","severity":5,
        "timestamp":1583078400000,"text":{"eid":"johnD","n":[1,2.0]}}"#;

    fn case(expected: &str) -> Case {
        let text = format!(
            "[[case]]\nname = 'a'\nconfig = ''\nnow = 2020-03-01T16:00:00Z\nrecord = [{{ text = '{{\"eid\":1}}', {expected} }}]"
        );
        parse("group", &text).unwrap().remove(0)
    }

    fn run(line: &str, verdict: &str, stats: &[(&str, u64)]) -> Run {
        Run {
            lines: vec![line.replace('\n', "").into_bytes()],
            verdicts: Some(vec![verdict.to_owned()]),
            stats: Some(stats.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()),
            ..Run::default()
        }
    }

    const KEPT: &[(&str, u64)] = &[("records", 1), ("kept.total", 1)];

    #[test]
    fn a_correct_run_has_no_faults() {
        for expected in [
            "verdict = 'kept'",
            "has = { severity = 5.0, 'text.eid' = 'johnD', 'text.n' = [1, 2] }, lacks = ['computerName', 'text.eid.x']",
            "like = { subsystemName = '^kaudit-' }",
            &format!("entry = '''{ENTRY}'''"),
        ] {
            assert_eq!(judge(&case(expected), &run(ENTRY, "kept", KEPT)), [""; 0], "{expected}");
        }
        let as_string = r#"{"applicationName":"a","subsystemName":"b","severity":5,"timestamp":1583078400000,"text":"{\"eid\":1}"}"#;
        assert_eq!(judge(&case("has = { 'text.eid' = 1 }"), &run(as_string, "kept", KEPT)), [""; 0]);
        let passed = run("{ \"eid\": 1.0 }", "passed", &[("records", 1), ("passed", 1)]);
        assert_eq!(judge(&case("verdict = 'passed'"), &passed), [""; 0]);
    }

    #[test]
    fn the_items_of_a_batch_are_judged_in_order() {
        let case = case(
            "batch = [{ has = { 'text.eid' = 'johnD' } }, { verdict = 'dropped: x' }, { verdict = 'passed', has = { a = 1 } }, { verdict = 'suppressed' }]",
        );
        let verdicts = ["kept", "dropped: x", "passed", "suppressed"];
        let stats = [
            ("records", 1),
            ("batches", 1),
            ("batch-items", 4),
            ("kept.total", 1),
            ("dropped.total", 1),
            ("dropped.x", 1),
            ("passed", 1),
            ("suppressed", 1),
            ("summarised", 1),
        ];
        let good = Run {
            verdicts: Some(verdicts.map(str::to_owned).to_vec()),
            lines: vec![ENTRY.replace('\n', "").into_bytes(), br#"{"a":1}"#.to_vec()],
            ..run(ENTRY, "kept", &stats)
        };
        assert_eq!(judge(&case, &good), [""; 0]);
        let mut swapped = Run { lines: good.lines.iter().rev().cloned().collect(), ..Run::default() };
        swapped.verdicts = Some(["kept", "passed", "dropped: x"].map(str::to_owned).to_vec());
        swapped.stats = Some(stats[..1].iter().map(|(name, count)| ((*name).to_owned(), *count)).collect());
        let wrong = judge(&case, &swapped).join("\n");
        for complaint in [
            "expected 4 verdicts, found 3",
            "record 0, item 1: expected dropped: x, was passed: {\"eid\":1}",
            "statistics: batches: expected 1, was 0",
            "statistics: batch-items: expected 4, was 0",
            "entry 0: text.eid: expected \"johnD\", is absent",
            "line 1: a: expected 1, is absent",
        ] {
            assert!(wrong.contains(complaint), "{wrong:?} does not contain {complaint:?}");
        }
    }

    #[test]
    fn a_passed_record_may_be_an_entry_of_a_filter() {
        let own = r#"{"text":{"kaudit_filter":{"summary":{}}}}"#;
        let envelope = r#"{"logEntries":[]}"#;
        for (sections, ends) in [
            ("", None),
            (
                "envelope = [{ has = { applicationName = 'a' } }]",
                Some(r#"{"applicationName":"a","subsystemName":"b","logEntries":[]}"#),
            ),
        ] {
            let text = format!(
                "[[case]]\nname = 'a'\nconfig = ''\nnow = 2020-03-01T16:00:00Z\n{sections}\n\
                 record = [{{ text = '{own}', verdict = 'passed' }}, {{ text = '{envelope}', verdict = 'passed' }}]"
            );
            let case = parse("group", &text).unwrap().remove(0);
            let lines = [own, envelope].into_iter().chain(ends);
            let good = Run { lines: lines.map(|line| line.as_bytes().to_vec()).collect(), ..Run::default() };
            let wrong = judge(&case, &good);
            assert!(wrong.iter().all(|what| what.starts_with("contract: /logEntries")), "{wrong:?}");
            let lost = Run { lines: good.lines[1..].to_vec(), ..Run::default() };
            assert!(judge(&case, &lost).len() > wrong.len(), "the first is missing");
        }
    }

    #[test]
    fn each_difference_is_reported() {
        let other = ENTRY.replace("johnD", "other");
        let ahead = ENTRY.replace("1583078400000", "1683078400000");
        let summary = ENTRY.replace("\"eid\"", "\"kaudit_filter\":{\"summary\":{}},\"eid\"");
        let kept = |line: &str| run(line, "kept", KEPT);
        let table = [
            ("verdict = 'suppressed'", kept(ENTRY), "record 0: expected suppressed, was kept"),
            ("verdict = 'suppressed'", kept(ENTRY), "statistics: suppressed: expected 1, was 0"),
            ("verdict = 'suppressed'", kept(ENTRY), "expected 0 lines, found 1"),
            ("verdict = 'dropped: etype'", kept(ENTRY), "statistics: dropped.etype: expected 1, was 0"),
            (
                "verdict = 'kept'",
                run(ENTRY, "kept", &[("records", 1), ("kept.total", 1), ("dropped.x", 2)]),
                "dropped.x: expected none",
            ),
            ("verdict = 'kept'", kept(&ahead), "contract: timestamp is more than 4 hours ahead"),
            ("verdict = 'kept'", kept("hello"), "entry 0: is not JSON: hello"),
            (
                "verdict = 'kept'",
                kept(&ENTRY.replace("\"timestamp\":1583078400000,", "")),
                "an entry without a timestamp",
            ),
            ("verdict = 'kept'", kept(&summary), "expected 0 of the filter's own entries, found 1"),
            ("verdict = 'kept'", kept(r#"{"logEntries":[]}"#), "an unexpected envelope"),
            ("verdict = 'passed'", kept(ENTRY), "expected the unchanged record"),
            ("has = { severity = 6 }", kept(ENTRY), "entry 0: severity: expected 6, is 5"),
            ("has = { threadId = 'x' }", kept(ENTRY), "entry 0: threadId: expected \"x\", is absent"),
            ("has = { 'text.n' = [1] }", kept(ENTRY), "entry 0: text.n: expected [1], is [1,2.0]"),
            ("lacks = ['text.eid']", kept(ENTRY), "entry 0: text.eid: must be absent, found \"johnD\""),
            ("like = { 'text.eid' = '^x' }", kept(ENTRY), "expected a match of ^x, found \"johnD\""),
            (
                &format!("entry = '''{ENTRY}'''"),
                kept(&other),
                "entry 0.text.eid: expected \"johnD\", is \"other\"",
            ),
        ];
        for (expected, run, complaint) in &table {
            let wrong = judge(&case(expected), run).join("\n");
            assert!(wrong.contains(complaint), "{expected}: {wrong:?} does not contain {complaint:?}");
        }
    }
}
