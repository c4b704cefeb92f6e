//! Stores the latest entries, and counts all.

use std::collections::VecDeque;
use std::fmt;

use kaudit_filter::Time;
use serde::Serialize;
use serde_json::{Value, json};

use super::document::searchable;
use super::entry::Entry;
use super::facets::{self, Filter};
use super::hints;
use super::query::Query;

/// A received entry.
struct Received {
    /// Its number in order of arrival, from 1.
    number: u64,
    at: Time,
    entry: Entry,
    /// The entry in the form that Coralogix searches.
    document: Value,
}

/// The conditions of a search.
#[derive(Debug, Default)]
pub struct Search {
    pub query: Option<Query>,
    /// Exact values of facets; all must match.
    pub filters: Vec<Filter>,
    pub verdict: Option<Verdict>,
}

/// The verdict of the contract about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    Rejected,
}

/// Counters since the start of the endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Ingestion requests.
    pub requests: u64,
    /// Rejected requests.
    pub refused: u64,
    /// Requests with an injected fault.
    pub faults: u64,
    /// Entries that conform to the contract.
    pub accepted: u64,
    /// Entries that violate the contract.
    pub rejected: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "requests   {:>9}", self.requests)?;
        writeln!(f, "  refused  {:>9}   rejected as a whole", self.refused)?;
        writeln!(f, "  faults   {:>9}   injected by --fault", self.faults)?;
        writeln!(f, "entries    {:>9}", self.accepted + self.rejected)?;
        writeln!(f, "  accepted {:>9}", self.accepted)?;
        write!(f, "  rejected {:>9}   Coralogix would drop or alter them and answer 200", self.rejected)
    }
}

/// The latest entries, and the counters.
pub struct Store {
    /// The maximum number of entries.
    keep: usize,
    entries: VecDeque<Received>,
    bytes: usize,
    /// The counters, also of entries that are no longer stored.
    pub counts: Counts,
}

/// The maximum total size of the stored entries, in bytes of their text.
const MAX_BYTES: usize = 64 << 20;
/// The maximum number of entries in a response.
const MAX_SHOWN: usize = 500;

impl Store {
    /// Returns a store for the latest `keep` entries.
    pub fn new(keep: usize) -> Self {
        Self { keep, entries: VecDeque::new(), bytes: 0, counts: Counts::default() }
    }

    /// Stores and counts an entry.
    pub fn push(&mut self, entry: Entry, at: Time) {
        let counter =
            if entry.reasons.is_empty() { &mut self.counts.accepted } else { &mut self.counts.rejected };
        *counter += 1;
        let number = self.counts.accepted + self.counts.rejected;
        self.bytes += entry.size;
        let document = searchable(&entry, at);
        self.entries.push_back(Received { number, at, entry, document });
        while self.entries.len() > self.keep || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= oldest.entry.size;
        }
    }

    /// Returns the entries that match, the latest first, with counts by facet.
    ///
    /// `rejected` is the number of rejected entries among those that match in every other respect. A query without
    /// results has `hints`.
    pub fn search(&self, search: &Search) -> Value {
        let matching = self.entries.iter().rev().filter(|received| received.matches(search));
        let (found, others): (Vec<_>, Vec<_>) =
            matching.partition(|received| search.verdict.is_none_or(|verdict| received.verdict() == verdict));
        let rejected = found.iter().chain(&others).filter(|received| received.verdict() == Verdict::Rejected);
        let hints = match &search.query {
            Some(query) if found.is_empty() => hints::explain(query, &self.documents(search.verdict)),
            _ => Vec::new(),
        };
        json!({
            "found": found.len(),
            "rejected": rejected.count(),
            "kept": self.entries.len(),
            "entries": found.iter().take(MAX_SHOWN).map(|received| received.json()).collect::<Vec<_>>(),
            "facets": facets::count(found.iter().map(|received| &received.document)),
            "hints": hints,
        })
    }

    /// Returns the entries with this verdict, or all, in the form that Coralogix searches.
    pub fn documents(&self, verdict: Option<Verdict>) -> Vec<Value> {
        let entries = self.entries.iter();
        let entries = entries.filter(|received| verdict.is_none_or(|verdict| received.verdict() == verdict));
        entries.map(|received| received.document.clone()).collect()
    }
}

impl Received {
    fn verdict(&self) -> Verdict {
        if self.entry.reasons.is_empty() { Verdict::Accepted } else { Verdict::Rejected }
    }

    /// Returns whether the entry matches in every respect but its verdict.
    fn matches(&self, search: &Search) -> bool {
        search.query.as_ref().is_none_or(|query| query.matches(&self.document))
            && search.filters.iter().all(|filter| filter.matches(&self.document))
    }

    fn json(&self) -> Value {
        let Entry { value, reasons, form, .. } = &self.entry;
        let verdict = match self.verdict() {
            Verdict::Accepted => "accepted",
            Verdict::Rejected => "rejected",
        };
        json!({
            "number": self.number,
            "received": self.at.millis(),
            "form": form.label(),
            "verdict": verdict,
            "reasons": reasons,
            "entry": value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::route::Form;
    use super::*;

    fn entry(text: &Value, size: usize) -> Entry {
        Entry::new(json!({"severity": 5, "text": text}), size, Form::Singles, &[])
    }

    #[test]
    fn the_latest_are_kept_and_all_are_counted() {
        let mut store = Store::new(3);
        for number in 0..10 {
            store.push(entry(&json!({"n": number}), 100), Time::from_millis(0));
        }
        assert_eq!((store.counts.accepted, store.entries.len(), store.bytes), (10, 3, 300));
        assert_eq!(store.search(&Search::default())["entries"][0]["number"], 10);
        store.push(entry(&json!({"n": 11}), MAX_BYTES), Time::from_millis(0));
        assert_eq!((store.counts.accepted, store.entries.len(), store.bytes), (11, 1, MAX_BYTES));
    }

    #[test]
    fn entries_are_searched_by_query_filter_and_verdict() {
        for text in [json!({"eid": "johnD"}), json!("{\"eid\":\"johnD\"}")] {
            let mut store = Store::new(10);
            store.push(entry(&text, 1), Time::from_millis(0));
            let rejected =
                Entry { reasons: vec!["too old".to_owned()], ..entry(&json!({"eid": "johnD"}), 1) };
            store.push(rejected, Time::from_millis(0));
            store.push(entry(&json!("johnD was here"), 1), Time::from_millis(0));
            let search = |query: &str, filters: &[&str], verdict| {
                let query = (!query.is_empty()).then(|| Query::parse(query).unwrap());
                let filters = filters.iter().map(|filter| Filter::parse(filter).unwrap()).collect();
                store.search(&Search { query, filters, verdict })
            };
            let accepted = Some(Verdict::Accepted);
            assert_eq!(search("eid:johnD", &[], accepted)["found"], 1);
            assert_eq!(search("johnD", &[], accepted)["found"], 2);
            assert_eq!(search("text:here AND coralogix.metadata.severity:5", &[], None)["found"], 1);
            let rejected = search("endpoint.reasons:old", &[], Some(Verdict::Rejected));
            assert_eq!((&rejected["found"], &rejected["rejected"]), (&json!(1), &json!(1)));
            assert_eq!(search("", &["user:johnD"], accepted)["found"], 1);
            assert_eq!(search("", &["user:johnD", "severity:critical"], accepted)["found"], 0);
            assert_eq!(search("", &[], None)["found"], 3);
            assert_eq!(search("", &[], None)["hints"], json!([]));
            assert_eq!((store.documents(accepted).len(), store.documents(None).len()), (2, 3));
            let none = search("Eid:johnD", &[], accepted);
            assert!(none["hints"][0].as_str().unwrap().contains("did you mean `eid`?"), "{none}");
        }
    }
}
