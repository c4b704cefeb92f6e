//! Stores the latest entries, and counts all.

use std::collections::VecDeque;
use std::fmt;

use kaudit_filter::Time;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::query::Query;
use super::request::Entry;

/// A received entry.
struct Received {
    /// Its number in order of arrival, from 1.
    number: u64,
    at: Time,
    entry: Entry,
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
        write!(f, "  rejected {:>9}   coralogix would drop or alter them and answer 200", self.rejected)
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
        self.entries.push_back(Received { number, at, entry });
        while self.entries.len() > self.keep || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.bytes -= oldest.entry.size;
        }
    }

    /// Returns the accepted entries that match the query, the latest first.
    /// Without a query, it returns all entries.
    ///
    /// A query does not match rejected entries, which Coralogix would not have stored.
    pub fn search(&self, query: Option<&Query>) -> Value {
        let found: Vec<&Received> = self
            .entries
            .iter()
            .rev()
            .filter(|received| {
                query.is_none_or(|query| {
                    received.entry.reasons.is_empty()
                        && query.matches(&searchable(&received.entry.value, received.at))
                })
            })
            .collect();
        let shown = found.iter().take(MAX_SHOWN).map(|received| received.json());
        json!({"found": found.len(), "kept": self.entries.len(), "entries": shown.collect::<Vec<_>>()})
    }
}

impl Received {
    fn json(&self) -> Value {
        let Entry { value, reasons, .. } = &self.entry;
        let verdict = if reasons.is_empty() { "accepted" } else { "rejected" };
        json!({
            "number": self.number,
            "received": self.at.millis(),
            "verdict": verdict,
            "reasons": reasons,
            "entry": value,
        })
    }
}

/// Returns an entry in the form that Coralogix searches.
/// The members of its text are at the top level, its labels under `coralogix`.
///
/// An entry without a time has the time of its arrival.
fn searchable(entry: &Value, arrival: Time) -> Value {
    let text = match &entry["text"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| text.clone().into()),
        text => text.clone(),
    };
    let mut document = match text {
        Value::Object(members) => members,
        text => Map::from_iter([("text".to_owned(), text)]),
    };
    let labels = entry.as_object().into_iter().flatten().filter(|(name, _)| *name != "text");
    let mut metadata: Map<String, Value> =
        labels.map(|(name, value)| (name.clone(), value.clone())).collect();
    let nanoseconds = metadata.get("hiResTimestamp").and_then(|text| text.as_str()?.parse::<i64>().ok());
    let timestamp = metadata
        .remove("timestamp")
        .unwrap_or_else(|| nanoseconds.map_or(arrival, Time::from_nanos).millis().into());
    document.insert("coralogix".to_owned(), json!({"metadata": metadata, "timestamp": timestamp}));
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &Value, size: usize) -> Entry {
        Entry { value: json!({"severity": 5, "text": text}), size, reasons: Vec::new(), clauses: Vec::new() }
    }

    #[test]
    fn the_latest_are_kept_and_all_are_counted() {
        let mut store = Store::new(3);
        for number in 0..10 {
            store.push(entry(&json!({"n": number}), 100), Time::from_millis(0));
        }
        assert_eq!((store.counts.accepted, store.entries.len(), store.bytes), (10, 3, 300));
        assert_eq!(store.search(None)["entries"][0]["number"], 10);
        store.push(entry(&json!({"n": 11}), MAX_BYTES), Time::from_millis(0));
        assert_eq!((store.counts.accepted, store.entries.len(), store.bytes), (11, 1, MAX_BYTES));
    }

    #[test]
    fn text_is_searched_in_every_form() {
        for text in [json!({"eid": "johnD"}), json!("{\"eid\":\"johnD\"}")] {
            let mut store = Store::new(10);
            store.push(entry(&text, 1), Time::from_millis(0));
            let rejected =
                Entry { reasons: vec!["too old".to_owned()], ..entry(&json!({"eid": "johnD"}), 1) };
            store.push(rejected, Time::from_millis(0));
            store.push(entry(&json!("johnD was here"), 1), Time::from_millis(0));
            let count = |query: &str| store.search(Some(&Query::parse(query).unwrap()))["found"].clone();
            assert_eq!(count("eid:johnD"), 1);
            assert_eq!(count("johnD"), 2);
            assert_eq!(count("text:here AND coralogix.metadata.severity:5"), 1);
            assert_eq!(store.search(None)["found"], 3);
        }
    }

    #[test]
    fn an_entry_without_a_time_has_its_arrival_time() {
        let arrival = Time::from_millis(1_583_078_400_000);
        for (entry, time) in [
            (json!({"text": "a"}), 1_583_078_400_000_i64),
            (json!({"text": "a", "hiResTimestamp": "1583078399123456789"}), 1_583_078_399_123),
            (json!({"text": "a", "timestamp": 5, "hiResTimestamp": "1583078399123456789"}), 5),
        ] {
            assert_eq!(searchable(&entry, arrival)["coralogix"]["timestamp"], time, "{entry}");
        }
    }
}
