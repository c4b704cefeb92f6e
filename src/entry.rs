//! One Coralogix log entry: a small header and a reference to the body.
//!
//! The body's bytes are copied once into the output; what the filter adds to them stands under one key,
//! `kaudit_filter`, spliced in behind the last member. Facts: Coralogix's `/logs/v1/singles` and `/logs/v1/bulk` pages
//! and the limits that IBM Cloud Logs, the same product, states.

mod fit;
mod json;
mod msgpack;

use crate::config::{Severity, TextForm};
use crate::record::{Body, Tape};

pub use crate::record::OWN_KEY;

/// The longest name or label, in characters: beyond it Coralogix does not index a value.
pub(crate) const LABEL_CHARS: usize = 256;

/// A finished entry, to be written in the encoding the host wants.
#[derive(Debug)]
pub struct Entry<'a> {
    pub(crate) timestamp_ms: i64,
    pub(crate) severity: Severity,
    pub(crate) labels: &'a Labels,
    pub(crate) text: TextForm,
    pub(crate) body: Body<'a>,
    /// What the filter adds under [`OWN_KEY`]: a map, or an empty tape for nothing.
    pub(crate) marks: Tape<'a>,
}

/// Names and labels of an entry; an empty label is left out. Each is at most [`LABEL_CHARS`] long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    pub application: String,
    pub subsystem: String,
    pub computer: String,
    pub category: String,
    pub class: String,
    pub method: String,
    pub thread: String,
}

impl Labels {
    pub(crate) fn each(&mut self) -> [&mut String; 7] {
        let Self { application, subsystem, computer, category, class, method, thread } = self;
        [application, subsystem, computer, category, class, method, thread]
    }

    /// The labels below the names, by Coralogix's names for them.
    fn named(&self) -> [(&'static str, &str); 4] {
        [
            ("category", &self.category),
            ("className", &self.class),
            ("methodName", &self.method),
            ("threadId", &self.thread),
        ]
    }

    /// An upper bound of what names and labels take in JSON: each byte may become `\u00XX`.
    fn json_bound(&self) -> usize {
        let lengths = [&self.application, &self.subsystem, &self.computer];
        let named = self.named().map(|(_, label)| label.len());
        lengths.iter().map(|name| name.len()).chain(named).sum::<usize>().saturating_mul(6)
    }
}

impl<'a> Entry<'a> {
    /// The entry's timestamp, milliseconds since 1970 (UTC).
    pub fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms
    }

    /// The entry's severity.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// `applicationName`, never empty.
    pub fn application(&self) -> &str {
        &self.labels.application
    }

    /// `subsystemName`, never empty.
    pub fn subsystem(&self) -> &str {
        &self.labels.subsystem
    }

    /// `computerName`; empty: the entry has none.
    pub fn computer(&self) -> &str {
        &self.labels.computer
    }

    /// Appends the entry as one line of JSON, without the line's end.
    pub fn write_json(&self, out: &mut impl Out) {
        json::entry(self, out);
    }

    /// Appends the beginning of an envelope for entries of these names, up to its first item.
    pub(crate) fn write_bulk_head(&self, out: &mut impl Out) {
        json::bulk_head(self, out);
    }

    /// Appends the entry as an item of an envelope's `logEntries`: without names, its text a string.
    pub fn write_bulk_item(&self, out: &mut impl Out) {
        json::bulk_item(self, out);
    }

    /// Appends the entry as a `MessagePack` map.
    pub fn write_msgpack(&self, out: &mut impl Out) {
        msgpack::entry(self, out);
    }

    /// Adds a remark under [`OWN_KEY`].
    pub(crate) fn mark(&mut self, key: &'static str, value: Tape<'a>) {
        if self.marks.events.is_empty() {
            self.marks = Tape::map([]);
        }
        self.marks.insert(key, value);
    }

    /// Cuts the text until the entry is at most `max` bytes of JSON; whether it had to.
    pub(crate) fn fit(&mut self, max: usize) -> bool {
        fit::fit(self, max)
    }
}

/// Where an encoder writes: a buffer of the host's, or a counter.
pub trait Out {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Out for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts bytes instead of writing them.
#[derive(Default)]
struct Length(usize);

impl Out for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len());
    }
}
