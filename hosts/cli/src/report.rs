//! The accounting of a run: what became of every record, as a table or as JSON.

use std::fmt::{self, Write as _};

use host_kit::counters;
use kaudit_filter::finding::Kind;
use kaudit_filter::stats::{Reason, Stats};
use serde_json::{Value, json};

/// The numbers of a run.
pub struct Account<'a> {
    /// The engine's counters.
    pub stats: &'a Stats,
    /// Entries written.
    pub entries: u64,
    /// Envelopes written, in `shape: bulk`.
    pub envelopes: Option<u64>,
    /// Records that are malformed by the engine's verdict.
    pub malformed: u64,
}

impl Account<'_> {
    /// One line of JSON; every number is there, zero or not, so that a script finds it.
    pub fn json(&self) -> Value {
        let mut account = counters::json(self.stats);
        let own = [
            ("entries", json!(self.entries)),
            ("envelopes", json!(self.envelopes)),
            ("malformed", json!(self.malformed)),
        ];
        account.extend(own.map(|(name, count)| (name.to_owned(), count)));
        Value::Object(account)
    }
}

/// Rows of the balance, always shown; the others are where there is something to show.
const ALWAYS: [&str; 6] = ["records", "kept", "dropped", "suppressed", "passed", "entries"];

/// A row of the table: how deep it is indented, what is counted, how many, and a remark.
struct Row(usize, &'static str, u64, String);

impl Account<'_> {
    fn rows(&self) -> Vec<Row> {
        let stats = self.stats;
        let mut rows = vec![Row(
            0,
            "records",
            stats.records,
            remark(self.malformed, format!("{} malformed", self.malformed)),
        )];
        rows.push(Row(0, "batch items", stats.batch_items, "findings and others in batches".to_owned()));
        rows.push(Row(1, "kept", stats.kept(), String::new()));
        rows.extend(Kind::ALL.iter().map(|kind| Row(2, kind.word(), stats.kept_of(*kind), String::new())));
        rows.push(Row(2, "unrecognised", stats.wrapped, "not findings, sent all the same".to_owned()));
        rows.push(Row(1, "dropped", stats.dropped(), String::new()));
        rows.extend(Reason::ALL.iter().map(|reason| {
            let help = reason.help().trim_end_matches('.').replace('`', "");
            Row(2, reason.label(), stats.dropped_for(*reason), help)
        }));
        rows.push(Row(
            1,
            "suppressed",
            stats.suppressed,
            remark(stats.suppressed, "held back by rate limits"),
        ));
        rows.push(Row(1, "passed", stats.passed, remark(stats.passed, "not findings, left as they are")));
        rows.push(Row(1, "batches", stats.batches, "split into their items".to_owned()));
        let envelopes =
            self.envelopes.map_or_else(String::new, |envelopes| format!("in {envelopes} envelopes"));
        rows.push(Row(0, "entries", self.entries, envelopes));
        rows.push(Row(1, "of records", stats.kept(), String::new()));
        let findings = format!("of {} suppressed findings", stats.summarised);
        rows.push(Row(1, "summaries", stats.summaries, findings));
        rows.push(Row(1, "reports", stats.reports, format!("of {} counted findings", stats.reported)));
        rows.push(Row(0, "clamped", stats.clamped, "to their time of arrival".to_owned()));
        rows.push(Row(0, "truncated", stats.truncated, "to the size allowed".to_owned()));
        rows.push(Row(0, "redacted", stats.redacted, "where a pattern was found".to_owned()));
        rows.retain(|row| row.2 > 0 || ALWAYS.contains(&row.1));
        rows
    }
}

/// A remark about what there is; none about nothing.
fn remark(count: u64, words: impl Into<String>) -> String {
    if count == 0 { String::new() } else { words.into() }
}

impl fmt::Display for Account<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Row(depth, label, count, remark) in self.rows() {
            let mut line = String::new();
            write!(
                line,
                "{:indent$}{label:<width$}{count:>9}   {remark}",
                "",
                indent = depth * 2,
                width = 22 - depth * 2
            )?;
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
