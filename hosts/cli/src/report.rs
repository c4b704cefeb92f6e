//! The counters of a run, as a table or as JSON.

use std::fmt::{self, Write as _};

use kaudit_filter::RuleCount;
use kaudit_filter::finding::Kind;
use kaudit_filter::stats::{Reason, Stats};
use kaudit_workbench::lines::wrapped;
use serde_json::{Value, json};

/// The counters of a run.
pub struct RunCounters<'a> {
    /// The engine's counters.
    pub stats: &'a Stats,
    /// Entries written.
    pub entries: u64,
    /// Envelopes written, in `shape: bulk`.
    pub envelopes: Option<u64>,
    /// Records that are malformed by the engine's verdict.
    pub malformed: u64,
    /// The rules of the policy.
    pub rules: Vec<RuleCount<'a>>,
}

impl RunCounters<'_> {
    /// Returns the counters as one line of JSON, including those that are zero.
    pub fn json(&self) -> Value {
        let mut counters = host_kit::counters::json(self.stats);
        let own = [
            ("entries", json!(self.entries)),
            ("envelopes", json!(self.envelopes)),
            ("malformed", json!(self.malformed)),
        ];
        counters.extend(own.map(|(name, count)| (name.to_owned(), count)));
        if !self.rules.is_empty() {
            let rules = self.rules.iter().map(|RuleCount { id, name, selected, undecided, .. }| {
                json!({"id": id, "name": name, "selected": selected, "undecided": undecided})
            });
            counters.insert("rules".to_owned(), rules.collect());
        }
        Value::Object(counters)
    }
}

/// Rows that are printed also if they are zero.
const ALWAYS: [&str; 6] = ["records", "kept", "dropped", "suppressed", "passed", "entries"];

/// The columns before a remark.
const REMARK: usize = 34;

/// A row of the table: depth of indentation, label, count, and remark.
struct Row(usize, &'static str, u64, String);

impl RunCounters<'_> {
    fn rows(&self) -> Vec<Row> {
        let stats = self.stats;
        let mut rows = vec![Row(
            0,
            "records",
            stats.records,
            remark(self.malformed, format!("{} malformed", self.malformed)),
        )];
        rows.push(Row(0, "batch items", stats.batch_items, "findings and others in batches".to_owned()));
        rows.push(Row(0, "detections", stats.detected(), "made of audit events".to_owned()));
        rows.push(Row(1, "kept", stats.kept(), String::new()));
        rows.extend(Kind::ALL.iter().map(|kind| Row(2, kind.name(), stats.kept_of(*kind), String::new())));
        rows.push(Row(2, "unrecognised", stats.wrapped, "not findings, sent as entries".to_owned()));
        rows.push(Row(1, "dropped", stats.dropped(), String::new()));
        rows.extend(Reason::ALL.iter().map(|reason| {
            let help = reason.help().trim_end_matches('.').replace('`', "");
            Row(2, reason.label(), stats.dropped_for(*reason), help)
        }));
        rows.push(Row(1, "suppressed", stats.suppressed, remark(stats.suppressed, "by rate limits")));
        rows.push(Row(1, "passed", stats.passed, remark(stats.passed, "not findings, unchanged")));
        rows.push(Row(1, "batches", stats.batches, "split into their items".to_owned()));
        let envelopes =
            self.envelopes.map_or_else(String::new, |envelopes| format!("in {envelopes} envelopes"));
        rows.push(Row(0, "entries", self.entries, envelopes));
        rows.push(Row(1, "of records", stats.kept(), String::new()));
        let findings = format!("of {} suppressed findings", stats.summarised);
        rows.push(Row(1, "summaries", stats.summaries, findings));
        rows.push(Row(1, "reports", stats.reports, format!("of {} counted findings", stats.reported)));
        rows.push(Row(0, "clamped", stats.clamped, "timestamp replaced by the arrival time".to_owned()));
        rows.push(Row(0, "truncated", stats.truncated, "to the maximum size".to_owned()));
        rows.push(Row(0, "undecided", stats.undecided, "rules without the body of their event".to_owned()));
        rows.push(Row(0, "late", stats.detect_late, "events that no detection uses".to_owned()));
        rows.push(Row(0, "overflow", stats.detect_overflow, "of the memory of detections".to_owned()));
        rows.push(Row(0, "redacted", stats.redacted, "at least one value overwritten".to_owned()));
        rows.retain(|row| row.2 > 0 || ALWAYS.contains(&row.1));
        rows
    }
}

/// Returns the remark, or an empty text if the count is zero.
fn remark(count: u64, remark: impl Into<String>) -> String {
    if count == 0 { String::new() } else { remark.into() }
}

impl fmt::Display for RunCounters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row(depth, label, count, remark) in self.rows() {
            let mut line = String::new();
            write!(
                line,
                "{:indent$}{label:<width$}{count:>9}",
                "",
                indent = depth * 2,
                width = 22 - depth * 2
            )?;
            for remark in wrapped(&remark, 80 - REMARK) {
                let _ = write!(line, "   {remark}");
                writeln!(f, "{}", line.trim_end())?;
                line = " ".repeat(REMARK - 3);
            }
        }
        let rules: Vec<_> =
            self.rules.iter().filter(|rule| rule.selected > 0 || rule.undecided > 0).collect();
        if !rules.is_empty() {
            writeln!(f, "\n{:<51}{:>9}{:>12}", "rules of the policy", "selected", "undecided")?;
        }
        for RuleCount { id, name, selected, undecided, .. } in rules {
            writeln!(f, "  {:<49}{selected:>9}{undecided:>12}", format!("{id} {name}"))?;
        }
        Ok(())
    }
}
