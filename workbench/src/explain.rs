//! Prints an explanation, as text and as JSON.

use std::fmt::Write as _;

use kaudit_filter::config::{By, Config, Severity};
use kaudit_filter::explain::{Change, Clause, Explanation, LimitMet, Outcome, Recognised, Standing, Step};
use kaudit_filter::stats::Reason;
use serde_json::{Map, Value, json};

use crate::style::{Paint, Style};

/// The word for what became of a record: `kept`, `dropped`, `suppressed` or `passed`.
pub fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Kept(_) => "kept",
        Outcome::Dropped(_) => "dropped",
        Outcome::Suppressed => "suppressed",
        Outcome::Passed => "passed",
    }
}

/// The verdict as cases and tests write it: `dropped: entity-no-match`.
pub fn verdict(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Dropped(reason) => format!("dropped: {}", reason.label()),
        _ => word(outcome).to_owned(),
    }
}

/// The name of a severity.
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Debug => "debug",
        Severity::Verbose => "verbose",
        Severity::Info => "info",
        Severity::Warn => "warn",
        Severity::Error => "error",
        Severity::Critical => "critical",
    }
}

/// The position of a record and, in a batch, of an item: `findings.ndjson:3, item 2 of 5`. Items count from 0.
pub fn position(file: &str, line: u64, item: usize, items: usize) -> String {
    if items > 1 { format!("{file}:{line}, item {} of {items}", item + 1) } else { format!("{file}:{line}") }
}

/// An explanation as text; `place` names the record.
pub fn text(told: &Explanation, place: &str, config: &Config, colour: bool) -> String {
    let paint = Paint(colour);
    let style = match &told.outcome {
        Outcome::Kept(_) => Style::Good,
        Outcome::Dropped(_) => Style::Bad,
        Outcome::Suppressed | Outcome::Passed => Style::Middling,
    };
    let mut lines = vec![format!("{place}: {}", paint.with(style, &verdict(&told.outcome)))];
    lines.extend(rows(told, config, paint).into_iter().map(|(label, text)| format!("  {label:<10}{text}")));
    lines.push(String::new());
    lines.join("\n") + "\n"
}

/// The way to the verdict in rows: a label, or none where a row goes on, and words with the user's text in backticks.
pub fn way(told: &Explanation, config: &Config) -> Vec<(&'static str, String)> {
    rows(told, config, Paint(false))
}

fn rows(told: &Explanation, config: &Config, paint: Paint) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Outcome::Dropped(reason) = &told.outcome {
        rows.push(("", reason.help().to_owned()));
    }
    rows.push(("record", recognised(&told.recognised)));
    if !told.fields.is_empty() {
        let fields: Vec<String> =
            told.fields.iter().map(|(name, value)| format!("{name} {}", quote(value))).collect();
        rows.push(("", fields.join(", ")));
    }
    for step in &told.integrations {
        if step.standing != Standing::OtherType {
            integration(step, paint, &mut rows);
        }
    }
    let others: Vec<&str> = told
        .integrations
        .iter()
        .filter(|step| step.standing == Standing::OtherType)
        .map(|step| &*step.name)
        .collect();
    if !others.is_empty() {
        rows.push(("", paint.with(Style::Faint, &format!("of another type: {}", others.join(", ")))));
    }
    if let Some(limit) = &told.limit {
        rows.push(("limit", met(limit, told.outcome == Outcome::Suppressed)));
    }
    let matters = matches!(told.outcome, Outcome::Kept(_) | Outcome::Dropped(Reason::Stale));
    if let Some(stale) = told.stale.filter(|_| matters) {
        rows.push(("time", format!("{}, by the guard", stale.replace('-', " "))));
    }
    if let Some(chosen) = &told.severity {
        let row_of = match (chosen.row, chosen.builtin) {
            (Some(row), _) => format!("of the row severity[{row}]"),
            (None, Some(builtin)) => format!("of the built-in table, row {}", builtin + 1),
            (None, None) => "of no row".to_owned(),
        };
        rows.push(("severity", format!("{}, {row_of}", severity(chosen.severity))));
    }
    rows.extend(told.changes.iter().map(|change| ("changed", changed(change, config))));
    rows
}

fn recognised(recognised: &Recognised) -> String {
    match recognised {
        Recognised::Finding { kind, because, path } => {
            format!("a finding of {}{}: {because}", kind.word(), inside(path))
        }
        Recognised::Other { because, path, searched } => {
            format!("not a finding{}: {because}{}", inside(path), searched_in(searched))
        }
        Recognised::OwnOutput => OWN_OUTPUT.to_owned(),
    }
}

/// Why an entry of the filter's own passes unchanged.
const OWN_OUTPUT: &str =
    "output of this filter: it meets Coralogix's contract and contains nothing to redact";

/// The path in a record; nothing for the record itself.
fn inside(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(" in {}", quote(path)) }
}

/// The first paths that were searched, and how many others.
fn searched_in(paths: &[String]) -> String {
    /// How many paths are printed.
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

fn integration(step: &Step, paint: Paint, rows: &mut Vec<(&'static str, String)>) {
    let (style, stands) = match step.standing {
        Standing::Claims => (Style::Good, "claims it"),
        Standing::Refuses(_) => (Style::Bad, "refuses it"),
        Standing::Stopped => (Style::Bad, "would claim it, and is stopped"),
        Standing::DoesNotApply => (Style::Faint, "does not apply: its target is not Coralogix"),
        Standing::TooLate => (Style::Faint, "accepts it too, after the one that claimed it"),
        Standing::OtherType => return,
    };
    let head = format!("{} (line {}) {}", quote(&step.name), step.line, paint.with(style, stands));
    rows.push(("asked", head));
    if matches!(step.standing, Standing::DoesNotApply | Standing::TooLate) {
        return;
    }
    for clause in &step.clauses {
        rows.push(("", format!("  {}", asked(clause, paint))));
    }
}

fn asked(clause: &Clause, paint: Paint) -> String {
    let mark = if clause.holds { paint.with(Style::Good, "yes") } else { paint.with(Style::Bad, "no ") };
    let looked_at = if clause.looked_at.is_empty() {
        "nothing, the field is absent".to_owned()
    } else {
        quote(&clause.looked_at)
    };
    let found = match &clause.found {
        Some(found) => format!("finds {} in {looked_at}", paint.with(Style::Strong, &quote(found))),
        None if clause.name.contains("match") => format!("finds nothing in {looked_at}"),
        None => format!("is asked of {looked_at}"),
    };
    format!("{mark} {:<16}{} {found}", clause.name, quote(&clause.says))
}

fn met(limit: &LimitMet, suppressed: bool) -> String {
    let key = match limit.by {
        By::None => "for the whole integration".to_owned(),
        by => format!("for {} {}", by.word(), quote(&limit.key)),
    };
    let mut text = format!("{} in {} {key}", limit.limit, period(limit.period_ns));
    if suppressed {
        write!(text, ": none is left, the next passes in {}", period(limit.wait_ns)).unwrap_or_default();
    } else {
        write!(text, ": {} could pass at this moment", limit.free).unwrap_or_default();
    }
    if limit.suppressed > 0 {
        write!(text, "; {} suppressed since the last summary", limit.suppressed).unwrap_or_default();
    }
    text
}

fn changed(change: &Change, config: &Config) -> String {
    match change {
        Change::Clamped => "its timestamp is the time of arrival; the text keeps its own".to_owned(),
        Change::NoTime => "it has no time of its own, and takes the time of arrival".to_owned(),
        Change::Redacted { rule, values } => {
            let field = config.redact.get(*rule).map_or("", |redaction| &redaction.field);
            let values = if *values == 1 { "one value".to_owned() } else { format!("{values} values") };
            format!("{values} overwritten by redact[{rule}], of {}", quote(field))
        }
        Change::Truncated { bytes } => format!("its text was cut: the entry had {bytes} bytes"),
    }
}

/// Nanoseconds in the largest unit that tells them apart.
fn period(nanoseconds: u64) -> String {
    let millis = nanoseconds.div_ceil(1_000_000);
    let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s")];
    match units.into_iter().find(|(unit, _)| millis >= *unit && millis.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None if millis < 1000 => format!("{millis}ms"),
        None => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
    }
}

/// The user's text, on one line and not too long.
fn quote(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut quoted: String =
        text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(LONGEST).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

/// An explanation as a JSON object; of a record that is a batch, the item with this number of so many, from 0.
pub fn json(told: &Explanation, file: &str, line: u64, item: usize, items: usize) -> Value {
    let fields: Map<String, Value> =
        told.fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    let recognised = match &told.recognised {
        Recognised::Finding { kind, because, path } => {
            json!({"finding": true, "kind": kind.word(), "because": because, "path": path})
        }
        Recognised::Other { because, path, searched } => {
            json!({"finding": false, "because": because, "path": path, "searched": searched})
        }
        Recognised::OwnOutput => json!({"finding": false, "because": OWN_OUTPUT, "path": "", "searched": []}),
    };
    let reason = match &told.outcome {
        Outcome::Dropped(reason) => Value::from(reason.label()),
        _ => Value::Null,
    };
    let entry = match &told.outcome {
        Outcome::Kept(entry) => serde_json::from_str(entry).unwrap_or_default(),
        _ => Value::Null,
    };
    let limit = told.limit.as_ref().map(|limit| {
        json!({
            "limit": limit.limit,
            "period-ms": limit.period_ns / 1_000_000,
            "by": limit.by.word(),
            "key": limit.key,
            "free": limit.free,
            "wait-ms": limit.wait_ns.div_ceil(1_000_000),
            "suppressed": limit.suppressed,
        })
    });
    let chosen = told.severity.as_ref().map(
        |chosen| json!({"severity": severity(chosen.severity), "row": chosen.row, "builtin": chosen.builtin}),
    );
    json!({
        "file": file,
        "line": line,
        "item": item + 1,
        "items": items,
        "verdict": word(&told.outcome),
        "reason": reason,
        "recognised": recognised,
        "fields": fields,
        "integrations": told.integrations.iter().map(step_json).collect::<Vec<_>>(),
        "time-ms": told.time_ms,
        "stale": told.stale,
        "limit": limit,
        "severity": chosen,
        "changes": told.changes.iter().map(change_json).collect::<Vec<_>>(),
        "entry": entry,
    })
}

fn step_json(step: &Step) -> Value {
    let stands = match step.standing {
        Standing::OtherType => "other-type",
        Standing::DoesNotApply => "does-not-apply",
        Standing::Refuses(_) => "refuses",
        Standing::Stopped => "stopped",
        Standing::Claims => "claims",
        Standing::TooLate => "too-late",
    };
    let refused = match step.standing {
        Standing::Refuses(reason) => Value::from(reason.label()),
        _ => Value::Null,
    };
    let clauses = step.clauses.iter().map(|clause| {
        json!({
            "clause": clause.name,
            "says": clause.says,
            "looked-at": clause.looked_at,
            "found": clause.found,
            "holds": clause.holds,
        })
    });
    json!({
        "index": step.index,
        "name": step.name,
        "type": step.kind.word(),
        "line": step.line,
        "stands": stands,
        "refused-by": refused,
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
