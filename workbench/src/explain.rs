//! Prints an explanation, as text and as JSON.

mod rules;

use std::fmt::Write as _;

use kaudit_filter::config::{By, Config};
use kaudit_filter::explain::{
    Change, Clause, Explanation, LimitCheck, MatchResult, Outcome, Recognised, Step,
};
use kaudit_filter::stats::Reason;
use serde_json::{Map, Value, json};

use crate::lines::{AFTER_LABEL, quote, wrapped};
use crate::style::{Paint, Style};
pub use rules::selecting_rules;
pub(crate) use rules::{not_evaluated, refuting_condition, written_condition};
use rules::{push_rules, rules_json};

/// Returns the name of an outcome: `kept`, `dropped`, `suppressed`, `passed`.
pub fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Kept(_) => "kept",
        Outcome::Dropped(_) => "dropped",
        Outcome::Suppressed => "suppressed",
        Outcome::Passed => "passed",
    }
}

/// Returns the verdict in the form of tests: `dropped: entity-no-match`.
pub fn verdict(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Dropped(reason) => format!("dropped: {}", reason.label()),
        _ => outcome_name(outcome).to_owned(),
    }
}

/// Returns the position of a record, and in a batch of an item.
/// Example: `findings.ndjson:3, item 2 of 5`. `item` counts from 0.
pub fn position(file: &str, line: u64, item: usize, items: usize) -> String {
    if items > 1 { format!("{file}:{line}, item {} of {items}", item + 1) } else { format!("{file}:{line}") }
}

/// Formats an explanation as text; `position` names the record.
pub fn text(explanation: &Explanation, position: &str, config: &Config, colour: bool) -> String {
    let paint = Paint(colour);
    let style = match &explanation.outcome {
        Outcome::Kept(_) => Style::Good,
        Outcome::Dropped(_) => Style::Bad,
        Outcome::Suppressed | Outcome::Passed => Style::Neutral,
    };
    let mut lines = vec![format!("{position}: {}", paint.with(style, &verdict(&explanation.outcome)))];
    for (label, text) in rows(explanation, config, paint) {
        let mut label = label;
        for line in wrapped(&text, AFTER_LABEL) {
            lines.push(format!("  {label:<10}{line}"));
            label = "";
        }
    }
    lines.push(String::new());
    lines.join("\n") + "\n"
}

/// Returns an explanation as rows of a label and a text.
/// The label of a continuation is empty. The user's text is in backticks.
pub fn plain_rows(explanation: &Explanation, config: &Config) -> Vec<(&'static str, String)> {
    rows(explanation, config, Paint(false))
}

fn rows(explanation: &Explanation, config: &Config, paint: Paint) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Outcome::Dropped(reason) = &explanation.outcome {
        rows.push(("", reason.help().to_owned()));
    }
    rows.push(("record", recognised_text(&explanation.recognised)));
    if !explanation.fields.is_empty() {
        let fields: Vec<String> =
            explanation.fields.iter().map(|(name, value)| format!("{name} {}", quote(value))).collect();
        rows.push(("", fields.join(", ")));
    }
    push_rules(explanation, config, paint, &mut rows);
    if not_evaluated(&explanation.outcome).is_none() {
        rows.extend(explanation.contributions.iter().map(|(kind, value)| {
            let value = if value.is_empty() { String::new() } else { format!(", {}", quote(value)) };
            ("detect", format!("counts as {}{value}", kind.name()))
        }));
    }
    for step in &explanation.integrations {
        if step.result != MatchResult::OtherType {
            push_integration(step, paint, &mut rows);
        }
    }
    let others: Vec<&str> = explanation
        .integrations
        .iter()
        .filter(|step| step.result == MatchResult::OtherType)
        .map(|step| &*step.name)
        .collect();
    if !others.is_empty() {
        rows.push(("", paint.with(Style::Faint, &format!("of another type: {}", others.join(", ")))));
    }
    if let Some(limit) = &explanation.limit {
        rows.push(("limit", limit_text(limit, explanation.outcome == Outcome::Suppressed)));
    }
    let matters = matches!(explanation.outcome, Outcome::Kept(_) | Outcome::Dropped(Reason::Stale));
    if let Some(stale) = explanation.stale.filter(|_| matters) {
        rows.push(("time", format!("{} (guard)", stale.replace('-', " "))));
    }
    if let Some(chosen) = &explanation.severity {
        let row_of = match (chosen.row, chosen.builtin) {
            (Some(row), _) => format!("from the row severity[{row}]"),
            (None, Some(builtin)) => format!("from row {} of the built-in table", builtin + 1),
            (None, None) => "stated by the rule of the policy".to_owned(),
        };
        rows.push(("severity", format!("{}, {row_of}", chosen.severity.name())));
    }
    rows.extend(explanation.changes.iter().map(|change| ("changed", change_text(change, config))));
    rows
}

fn recognised_text(recognised: &Recognised) -> String {
    match recognised {
        Recognised::Finding { kind, because, path } => {
            format!("a finding of {}{}: {because}", kind.name(), in_path(path))
        }
        Recognised::Other { because, path, searched } => {
            format!("not a finding{}: {because}{}", in_path(path), searched_in(searched))
        }
        Recognised::Event { path } => format!("an audit event{}", in_path(path)),
        Recognised::OwnOutput => OWN_OUTPUT.to_owned(),
    }
}

/// The reason why an own entry passes unchanged.
const OWN_OUTPUT: &str =
    "output of this filter: it meets Coralogix's contract and contains nothing to redact";

/// Returns ` in` and the path in a record; empty for the record itself.
fn in_path(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" in {}", quote(path)) }
}

/// Returns the first searched paths, and the number of others.
fn searched_in(paths: &[String]) -> String {
    /// The maximum number of printed paths.
    const PRINTED: usize = 4;
    if paths.is_empty() {
        return String::new();
    }
    let printed: Vec<String> = paths.iter().take(PRINTED).map(|path| quote(path)).collect();
    let more = match paths.len().saturating_sub(PRINTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("; searched in {}{more}", printed.join(", "))
}

fn push_integration(step: &Step, paint: Paint, rows: &mut Vec<(&'static str, String)>) {
    let (style, verb) = match step.result {
        MatchResult::Matches => (Style::Good, "matches the finding"),
        MatchResult::Rejects(_) => (Style::Bad, "rejects the finding"),
        MatchResult::Stopped => (Style::Bad, "matches the finding, but is stopped"),
        MatchResult::DoesNotApply => (Style::Faint, "does not apply: its target is not Coralogix"),
        MatchResult::Shadowed => (Style::Faint, "matches the finding, too, but after an earlier integration"),
        MatchResult::OtherType => return,
    };
    // The integrations of a run without a configuration have no line.
    let line = if step.line == 0 { String::new() } else { format!(" (line {})", step.line) };
    let head = format!("{}{line} {}", quote(&step.name), paint.with(style, verb));
    rows.push(("tested", head));
    if matches!(step.result, MatchResult::DoesNotApply | MatchResult::Shadowed) {
        return;
    }
    for clause in &step.clauses {
        rows.push(("", format!("  {}", clause_text(clause, paint))));
    }
}

fn clause_text(clause: &Clause, paint: Paint) -> String {
    let mark = if clause.accepts { paint.with(Style::Good, "yes") } else { paint.with(Style::Bad, "no ") };
    let tested = if clause.tested.is_empty() { "an absent field".to_owned() } else { quote(&clause.tested) };
    let result = match &clause.matched {
        Some(matched) => format!("matches {} in {tested}", paint.with(Style::Strong, &quote(matched))),
        None if clause.name.contains("match") => format!("does not match {tested}"),
        None if clause.accepts => format!("contains {tested}"),
        None => format!("does not contain {tested}"),
    };
    format!("{mark} {:<16}{} {result}", clause.name, quote(&clause.expected))
}

fn limit_text(limit: &LimitCheck, suppressed: bool) -> String {
    let key = match limit.by {
        By::None => "for the whole integration".to_owned(),
        by => format!("for {} {}", by.name(), quote(&limit.key)),
    };
    let mut text = format!("{} in {} {key}", limit.limit, period(limit.period_ns));
    if suppressed {
        write!(text, ": exceeded; the next finding is admitted in {}", period(limit.wait_ns))
            .unwrap_or_default();
    } else {
        write!(text, ": admits {} more now", limit.free).unwrap_or_default();
    }
    if limit.suppressed > 0 {
        write!(text, "; {} suppressed since the last summary", limit.suppressed).unwrap_or_default();
    }
    text
}

fn change_text(change: &Change, config: &Config) -> String {
    match change {
        Change::Clamped => "the timestamp is the arrival time; the text keeps the original time".to_owned(),
        Change::NoTime => "the finding has no time; the timestamp is the arrival time".to_owned(),
        Change::Redacted { rule, values } => {
            let field = config.redact.get(*rule).map_or("", |redaction| &redaction.field);
            let values = if *values == 1 { "one value".to_owned() } else { format!("{values} values") };
            format!("{values} of {} overwritten by redact[{rule}]", quote(field))
        }
        Change::Truncated { bytes } => format!("the text was truncated; the entry had {bytes} bytes"),
    }
}

/// Formats nanoseconds in the largest unit that needs no fraction.
/// Times of a second and more have at most one decimal place.
fn period(nanoseconds: u64) -> String {
    let millis = nanoseconds.div_ceil(1_000_000);
    let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s")];
    match units.into_iter().find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None if millis < 1000 => format!("{millis}ms"),
        None => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
    }
}

/// Returns an explanation as a JSON object.
/// For a batch, it is the verdict of the item with the index `item`, from 0, of `items`.
/// For an audit event, `rules` contains the rules of the policy that are reported, otherwise nothing.
pub fn json(
    explanation: &Explanation,
    config: &Config,
    file: &str,
    line: u64,
    item: usize,
    items: usize,
) -> Value {
    let fields: Map<String, Value> =
        explanation.fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    let recognised = match &explanation.recognised {
        Recognised::Finding { kind, because, path } => {
            json!({"finding": true, "kind": kind.name(), "because": because, "path": path})
        }
        Recognised::Other { because, path, searched } => {
            json!({"finding": false, "because": because, "path": path, "searched": searched})
        }
        Recognised::Event { path } => {
            json!({"finding": false, "because": "an audit event", "path": path, "searched": []})
        }
        Recognised::OwnOutput => json!({"finding": false, "because": OWN_OUTPUT, "path": "", "searched": []}),
    };
    let reason = match &explanation.outcome {
        Outcome::Dropped(reason) => Value::from(reason.label()),
        _ => Value::Null,
    };
    let entry = match &explanation.outcome {
        Outcome::Kept(entry) => serde_json::from_str(entry).unwrap_or_default(),
        _ => Value::Null,
    };
    let limit = explanation.limit.as_ref().map(|limit| {
        json!({
            "limit": limit.limit,
            "period-ms": limit.period_ns / 1_000_000,
            "by": limit.by.name(),
            "key": limit.key,
            "free": limit.free,
            "wait-ms": limit.wait_ns.div_ceil(1_000_000),
            "suppressed": limit.suppressed,
        })
    });
    let chosen = explanation.severity.as_ref().map(
        |chosen| json!({"severity": chosen.severity.name(), "row": chosen.row, "builtin": chosen.builtin}),
    );
    json!({
        "file": file,
        "line": line,
        "item": item + 1,
        "items": items,
        "verdict": outcome_name(&explanation.outcome),
        "reason": reason,
        "recognised": recognised,
        "fields": fields,
        "rules": rules_json(explanation, config),
        "contributions": explanation.contributions.iter().map(|(kind, value)| json!({"kind": kind.name(), "value": value})).collect::<Vec<_>>(),
        "integrations": explanation.integrations.iter().map(step_json).collect::<Vec<_>>(),
        "time-ms": explanation.time_ms,
        "stale": explanation.stale,
        "limit": limit,
        "severity": chosen,
        "changes": explanation.changes.iter().map(change_json).collect::<Vec<_>>(),
        "entry": entry,
    })
}

fn step_json(step: &Step) -> Value {
    let result = match step.result {
        MatchResult::OtherType => "other-type",
        MatchResult::DoesNotApply => "does-not-apply",
        MatchResult::Rejects(_) => "rejects",
        MatchResult::Stopped => "stopped",
        MatchResult::Matches => "matches",
        MatchResult::Shadowed => "shadowed",
    };
    let rejected_by = match step.result {
        MatchResult::Rejects(reason) => Value::from(reason.label()),
        _ => Value::Null,
    };
    let clauses = step.clauses.iter().map(|clause| {
        json!({
            "clause": clause.name,
            "expected": clause.expected,
            "tested": clause.tested,
            "matched": clause.matched,
            "accepts": clause.accepts,
        })
    });
    json!({
        "index": step.index,
        "name": step.name,
        "type": step.kind.name(),
        "line": step.line,
        "result": result,
        "rejected-by": rejected_by,
        "clauses": clauses.collect::<Vec<_>>(),
    })
}

fn change_json(change: &Change) -> Value {
    match change {
        Change::Clamped => json!({"change": "clamped"}),
        Change::NoTime => json!({"change": "no-time"}),
        Change::Redacted { rule, values } => json!({"change": "redacted", "rule": rule, "values": values}),
        Change::Truncated { bytes } => json!({"change": "truncated", "bytes": bytes}),
    }
}
