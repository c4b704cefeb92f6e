//! One Coralogix log entry: a small header and a reference to the body.
//!
//! The body's bytes are copied once into the output; what the filter adds to them stands under one key,
//! `kaudit_filter`, spliced in behind the last member. Facts: Coralogix's `/logs/v1/singles` and `/logs/v1/bulk` pages
//! and the limits that IBM Cloud Logs, the same product, states.

mod fit;
mod json;
#[cfg(feature = "msgpack")]
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
    /// Its thirteen digits, where they stand in the record.
    pub(crate) digits: Option<&'a [u8; 13]>,
    pub(crate) severity: Severity,
    pub(crate) labels: Labels<'a>,
    pub(crate) text: TextForm,
    pub(crate) body: Body<'a>,
    /// What the filter adds under [`OWN_KEY`]: a map, or an empty tape for nothing.
    pub(crate) marks: Tape<'a>,
}

/// Labels of an entry, in UTF-8; an empty label is left out. Each is at most [`LABEL_CHARS`] long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels<'a> {
    pub names: &'a Names,
    pub category: &'a [u8],
    pub class: &'a [u8],
    pub method: &'a [u8],
    pub thread: &'a [u8],
    /// Whether these four may stand in a JSON string as they are.
    pub plain: bool,
}

/// The names of an entry, which those of many entries share, so that they are encoded once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    application: Vec<u8>,
    subsystem: Vec<u8>,
    computer: Vec<u8>,
    /// As members of a JSON object, each behind a comma, without the quote that closes the last.
    json: Vec<u8>,
    #[cfg(feature = "msgpack")]
    msgpack: Vec<u8>,
}

impl Names {
    /// Takes names: as labels, the first two never empty.
    pub fn set(&mut self, [application, subsystem, computer]: [&[u8]; 3]) {
        let texts = [(&mut self.application, application), (&mut self.subsystem, subsystem)];
        for (text, new) in texts.into_iter().chain([(&mut self.computer, computer)]) {
            text.clear();
            text.extend_from_slice(new);
        }
        let names = [application, subsystem, computer];
        self.json.clear();
        json::names(names, &mut self.json);
        #[cfg(feature = "msgpack")]
        {
            self.msgpack.clear();
            msgpack::names(names, &mut self.msgpack);
        }
    }

    fn each(&self) -> [&[u8]; 3] {
        [&self.application, &self.subsystem, &self.computer]
    }
}

impl<'a> Labels<'a> {
    /// Names and labels.
    pub(crate) fn each(self) -> [&'a [u8]; 7] {
        let [application, subsystem, computer] = self.names.each();
        [application, subsystem, computer, self.category, self.class, self.method, self.thread]
    }

    /// An upper bound of what names and labels take in JSON: each character of a label may become `\u00XX`.
    fn json_bound(self) -> usize {
        const LABELS: usize = 4 * LABEL_CHARS * 6;
        self.names.json.len().wrapping_add(LABELS)
    }
}

/// A label as a string; it is one, whatever it was made of.
fn text(label: &[u8]) -> &str {
    core::str::from_utf8(label).unwrap_or_default()
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
        text(&self.labels.names.application)
    }

    /// `subsystemName`, never empty.
    pub fn subsystem(&self) -> &str {
        text(&self.labels.names.subsystem)
    }

    /// `computerName`; empty: the entry has none.
    pub fn computer(&self) -> &str {
        text(&self.labels.names.computer)
    }

    /// `category`, `className`, `methodName` and `threadId`, by these names; an empty one the entry does not have.
    pub fn labels(&self) -> [(&'static str, &str); 4] {
        let Labels { category, class, method, thread, .. } = self.labels;
        [
            ("category", text(category)),
            ("className", text(class)),
            ("methodName", text(method)),
            ("threadId", text(thread)),
        ]
    }

    /// What `text` is to be.
    pub fn text_form(&self) -> TextForm {
        self.text
    }

    /// The finding: the record's own bytes, or a tape where something had to change.
    pub fn body(&self) -> &Body<'a> {
        &self.body
    }

    /// What the filter adds to the body under [`OWN_KEY`]: a map, or an empty tape for nothing.
    pub fn marks(&self) -> &Tape<'a> {
        &self.marks
    }

    /// Appends the text, body and marks, as JSON.
    pub fn write_text(&self, out: &mut impl Out) {
        json::text(self, out);
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
    #[cfg(feature = "msgpack")]
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
    #[inline(always)]
    pub(crate) fn fit(&mut self, max: usize) -> bool {
        fit::fit(self, max)
    }
}

/// Where an encoder writes: a buffer of the host's, or a counter.
pub trait Out {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Appends the bytes of each, one behind the other.
    fn put_all(&mut self, pieces: &[&[u8]]) {
        for piece in pieces {
            self.put(piece);
        }
    }
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
