//! A filter at work in a page: what became of each record, and of all.

use kaudit_filter::Time;
use kaudit_filter::config::{self, Config, NoFiles};
use kaudit_filter::entry::Entry;
use kaudit_filter::explain::{Explainer, Outcome};
use kaudit_filter::finding::Kind;
use kaudit_filter::stats::Reason;
use kaudit_workbench::explain;
use serde_json::{Map, Value, json};

use crate::remarks::NAME;

/// Seeds the tables of limiter keys. Whoever chooses names that collide in them slows down their own page.
const SEED: u64 = 0;

/// A filter that explains what it does.
pub struct Trial {
    config: Config,
    explainer: Explainer,
    /// Entries that left.
    entries: u64,
}

impl Trial {
    /// A new filter with the configuration of this text.
    ///
    /// # Errors
    /// The configuration has errors, a line for each.
    pub fn new(text: &str) -> Result<Self, String> {
        let reading = config::read(NAME, text, &NoFiles);
        let config = reading.config.ok_or_else(|| {
            reading.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        })?;
        let explainer = Explainer::new(&config, SEED).map_err(|error| error.to_string())?;
        Ok(Self { config, explainer, entries: 0 })
    }

    /// What becomes of a record that arrives `now`: an object with `verdict` (`kept`, `dropped`, `suppressed` or
    /// `passed`), the `reason` of a drop and what it means (`help`), the `fields` that decide, the `way` to the verdict
    /// as rows of a label and words, the `entry` of a kept record as its JSON text, and the texts of the filter's `own`
    /// entries that are due.
    pub fn take(&mut self, record: &str, now: Time) -> Value {
        let told = self.explainer.explain(record, now);
        let fields: Map<String, Value> =
            told.fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
        let mut answer = json!({
            "verdict": explain::word(&told.outcome),
            "fields": fields,
            "way": explain::way(&told, &self.config),
        });
        match told.outcome {
            Outcome::Kept(entry) => {
                self.entries += 1;
                answer["entry"] = entry.into();
            }
            Outcome::Dropped(reason) => {
                answer["reason"] = reason.label().into();
                answer["help"] = reason.help().into();
            }
            Outcome::Suppressed | Outcome::Passed => {}
        }
        let mut own = Vec::new();
        while let Some(entry) = self.explainer.due(now) {
            own.push(text(&entry));
        }
        self.entries += own.len() as u64;
        answer["own"] = own.into();
        answer
    }

    /// The texts of the entries that the filter still owes at the end: summaries and count reports.
    pub fn finish(&mut self, now: Time) -> Value {
        let mut own = Vec::new();
        while let Some(entry) = self.explainer.finish(now) {
            own.push(text(&entry));
        }
        self.entries += own.len() as u64;
        own.into()
    }

    /// The counters, named as in the program's `--summary json`; every one is there, zero or not.
    pub fn account(&self) -> Value {
        let stats = self.explainer.stats();
        let mut kept = Map::from_iter([("total".to_owned(), stats.kept().into())]);
        kept.extend(Kind::ALL.iter().map(|kind| (kind.word().to_owned(), stats.kept_of(*kind).into())));
        kept.insert("unrecognised".to_owned(), stats.wrapped.into());
        let mut dropped = Map::from_iter([("total".to_owned(), stats.dropped().into())]);
        dropped.extend(
            Reason::ALL.iter().map(|reason| (reason.label().to_owned(), stats.dropped_for(*reason).into())),
        );
        json!({
            "records": stats.records,
            "kept": kept,
            "dropped": dropped,
            "suppressed": stats.suppressed,
            "passed": stats.passed,
            "entries": self.entries,
            "summaries": stats.summaries,
            "summarised": stats.summarised,
            "reports": stats.reports,
            "reported": stats.reported,
            "clamped": stats.clamped,
            "truncated": stats.truncated,
            "redacted": stats.redacted,
        })
    }
}

/// An entry as JSON.
fn text(entry: &Entry<'_>) -> String {
    let mut json = Vec::new();
    entry.write_json(&mut json);
    String::from_utf8_lossy(&json).into_owned()
}
