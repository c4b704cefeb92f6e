//! One Coralogix log entry: a small header and a reference to the body.
//!
//! The body's bytes are copied once into the output; everything that the filter adds to them is under one key,
//! `kaudit_filter`, inserted after the last member. Facts: Coralogix's `/logs/v1/singles` and `/logs/v1/bulk` pages
//! and the limits that IBM Cloud Logs, the same product, states.

mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
mod truncate;

use crate::config::{Severity, TextForm};
use crate::record::{Body, Document, Encoding, Event};

pub use crate::record::OWN_KEY;
pub(crate) use truncate::Misfit;

/// The longest name or label, in characters: beyond it Coralogix does not index a value.
pub(crate) const LABEL_CHARS: usize = 256;

/// The longest name or label as JSON, in bytes: control characters take six each. All names and labels together leave
/// room for a text in the smallest entry that can be configured.
pub(crate) const LABEL_BYTES: usize = 1024;

/// A finished entry, to be written in the encoding the host wants.
#[derive(Debug)]
pub struct Entry<'a> {
    pub(crate) timestamp_ms: i64,
    pub(crate) severity: Severity,
    pub(crate) labels: Labels<'a>,
    pub(crate) text: TextForm,
    pub(crate) body: Body<'a>,
    /// What the filter adds under [`OWN_KEY`]: a map, or an empty document for nothing.
    pub(crate) marks: Document<'a>,
}

/// Labels of an entry, in UTF-8; an empty label is left out. Each is at most [`LABEL_CHARS`] long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels<'a> {
    pub names: &'a Names,
    pub category: &'a [u8],
    pub class: &'a [u8],
    pub method: &'a [u8],
    pub thread: &'a [u8],
    /// Whether the labels are known to need no escape sequences in JSON.
    ///
    /// Decision: looking for them costs a kept record 5 % of its instructions.
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

    /// An upper bound of the size of names and labels as JSON.
    fn json_bound(self) -> usize {
        self.names.json.len().wrapping_add(4 * LABEL_BYTES)
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

    /// The finding: the record's own bytes, or a document if something had to change.
    pub fn body(&self) -> &Body<'a> {
        &self.body
    }

    /// What the filter adds to the body under [`OWN_KEY`]: a map, or an empty document for nothing.
    pub fn marks(&self) -> &Document<'a> {
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

    /// Adds a mark under [`OWN_KEY`].
    pub(crate) fn mark(&mut self, key: &'static str, value: Document<'a>) {
        if self.marks.events.is_empty() {
            self.marks = Document::map([]);
        }
        self.marks.insert(key, value);
    }

    /// Whether the entry is at most `max` bytes of JSON, as far as its parts' lengths show. Most entries are far below
    /// the maximum.
    #[inline]
    pub(crate) fn surely_fits(&self, max: usize) -> bool {
        /// The members besides names, labels, text and marks.
        const HEADER: usize = 256;
        let Body::Verbatim(record) = &self.body else { return false };
        // A byte of a string in MessagePack may become six; one of JSON text within a string, two; both, seven.
        let growth: usize = match (record.encoding(), self.text) {
            (Encoding::Json, TextForm::Object) => 1,
            (Encoding::Json, TextForm::String) => 2,
            #[cfg(feature = "msgpack")]
            (Encoding::MsgPack, _) => 7,
        };
        // Marks are a few numbers and words, unless they contain a part of the finding.
        let marks = self.marks.events.len();
        let others = self.labels.json_bound().wrapping_add(HEADER).wrapping_add(marks.wrapping_mul(64));
        marks <= 16 && record.bytes().len().saturating_mul(growth).saturating_add(others) <= max
    }

    /// The entry's size as JSON, bytes.
    pub(crate) fn length(&self) -> usize {
        let mut length = 0_usize;
        let mut put = |bytes: &[u8]| {
            length = length.saturating_add(bytes.len());
            true
        };
        json::entry(self, &mut Sink::new(&mut put));
        length
    }

    /// Marks the entry as cut; returns whether it was not yet. `bytes` is its size before.
    pub(crate) fn mark_truncated(&mut self, bytes: usize) -> bool {
        if self.is_marked("truncated") {
            return false;
        }
        self.mark("truncated", Document::map([("bytes", Document::uint(bytes as u64))]));
        true
    }

    fn is_marked(&self, mark: &str) -> bool {
        self.marks.events.iter().any(|event| matches!(event, Event::Key(key) if key == mark))
    }

    /// Truncates the longest strings of the body until the entry is at most `max` bytes of JSON.
    pub(crate) fn cut(&mut self, max: usize) -> Result<(), Misfit> {
        truncate::cut(self, max)
    }

    /// The beginning of the body as JSON text, at most `max` bytes.
    pub(crate) fn beginning(&self, max: usize) -> String {
        let mut bytes: Vec<u8> = Vec::with_capacity(max);
        let mut put = |piece: &[u8]| {
            let room = max.saturating_sub(bytes.len());
            bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
            bytes.len() < max
        };
        json::beginning(self.body.view(), &mut Sink::new(&mut put));
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

/// Passes on what is written, for rare paths: their code exists once and not for each encoder.
struct Sink<'s> {
    /// Takes bytes; returns whether it takes more.
    put: &'s mut dyn FnMut(&[u8]) -> bool,
    takes_more: bool,
}

impl<'s> Sink<'s> {
    fn new(put: &'s mut dyn FnMut(&[u8]) -> bool) -> Self {
        Self { put, takes_more: true }
    }
}

impl Out for Sink<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.takes_more = (self.put)(bytes);
    }
}

/// Where an encoder writes: a buffer of the host's, or a counter.
pub trait Out {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Out for &mut dyn Out {
    fn put(&mut self, bytes: &[u8]) {
        (**self).put(bytes);
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
