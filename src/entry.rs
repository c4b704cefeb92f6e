//! One Coralogix log entry: a small header and a reference to the body.
//!
//! The body's bytes are copied once into the output. Everything that the filter adds to them is under one key,
//! `kaudit_filter`, inserted after the last member. Sources: Coralogix's `/logs/v1/singles` and `/logs/v1/bulk` pages,
//! and the limits that IBM documents for Cloud Logs, the same product; for OTLP see `otlp`.

mod encode;
mod json;
#[cfg(all(feature = "msgpack", feature = "otlp"))]
mod log_group;
mod mark;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(feature = "otlp")]
mod otlp;
mod out;
mod truncate;

use alloc::vec::Vec;

use crate::config::{Severity, TextForm};
use crate::record::{Body, Document, Encoding, Event};

pub use crate::record::OWN_KEY;
pub use mark::Mark;
pub use out::Out;
pub(crate) use truncate::Misfit;

/// The maximum length of a name or label in characters.
///
/// Coralogix does not index a longer value.
pub(crate) const LABEL_CHARS: usize = 256;

/// The maximum length of a name or label as JSON, in bytes.
///
/// A control character takes six bytes. With all names and labels at this size, the smallest entry that can be
/// configured still has space for a text.
pub(crate) const LABEL_BYTES: usize = 1024;

/// A finished entry, which can be written in any encoding.
#[derive(Debug)]
pub struct Entry<'a> {
    pub(crate) timestamp_ms: i64,
    pub(crate) arrival_ns: i64,
    pub(crate) severity: Severity,
    pub(crate) labels: Labels<'a>,
    pub(crate) text: TextForm,
    pub(crate) body: Body<'a>,
    /// The filter's own data under [`OWN_KEY`]: a map, or an empty document for none.
    pub(crate) marks: Document<'a>,
}

/// Labels of an entry in UTF-8, each at most [`LABEL_CHARS`] long.
///
/// An empty label is omitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels<'a> {
    pub names: &'a Names,
    pub category: &'a [u8],
    pub class: &'a [u8],
    pub method: &'a [u8],
    pub thread: &'a [u8],
    /// Whether the labels are known to need no escape sequences in JSON.
    ///
    /// Decision: a search for such characters costs a kept record 5 % of its instructions.
    pub plain: bool,
}

/// The names of an entry. Many entries share them, so they are encoded once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    application: Vec<u8>,
    subsystem: Vec<u8>,
    computer: Vec<u8>,
    /// The finding's cluster; empty unless the shape is OTLP.
    cluster: Vec<u8>,
    /// The names without the cluster as JSON members, each after a comma, without the last closing quote.
    json: Vec<u8>,
    #[cfg(feature = "msgpack")]
    msgpack: Vec<u8>,
    /// The beginning of a `ResourceLogs` object of these names.
    #[cfg(feature = "otlp")]
    otlp: Vec<u8>,
    /// The names as attributes of a resource, a `MessagePack` map.
    #[cfg(all(feature = "msgpack", feature = "otlp"))]
    log_group: Vec<u8>,
}

impl<'a> Labels<'a> {
    /// Returns names and labels.
    pub(crate) fn each(self) -> [&'a [u8]; 8] {
        let Names { application, subsystem, computer, cluster, .. } = self.names;
        [application, subsystem, computer, cluster, self.category, self.class, self.method, self.thread]
    }

    /// Returns an upper bound of the size of names and labels as JSON.
    fn json_bound(self) -> usize {
        self.names.json.len().wrapping_add(4 * LABEL_BYTES)
    }
}

/// Returns a label as a string. Labels are always UTF-8.
fn text(label: &[u8]) -> &str {
    core::str::from_utf8(label).unwrap_or_default()
}

impl<'a> Entry<'a> {
    /// Returns the entry's timestamp in milliseconds since 1970 (UTC).
    pub fn timestamp_ms(&self) -> i64 {
        self.timestamp_ms
    }

    /// Returns the time of arrival in nanoseconds since 1970 (UTC).
    pub fn arrival_ns(&self) -> i64 {
        self.arrival_ns
    }

    /// Returns the entry's severity.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Returns `applicationName`, which is never empty.
    pub fn application(&self) -> &str {
        text(&self.labels.names.application)
    }

    /// Returns `subsystemName`, which is never empty.
    pub fn subsystem(&self) -> &str {
        text(&self.labels.names.subsystem)
    }

    /// Returns `computerName`, which is empty if the entry has none.
    pub fn computer(&self) -> &str {
        text(&self.labels.names.computer)
    }

    /// Returns the finding's cluster, redacted; it is empty for none, and in every shape but OTLP.
    pub fn cluster(&self) -> &str {
        text(&self.labels.names.cluster)
    }

    /// Returns `category`, `className`, `methodName` and `threadId` with their names.
    ///
    /// A label is empty if the entry does not have it.
    pub fn labels(&self) -> [(&'static str, &str); 4] {
        let Labels { category, class, method, thread, .. } = self.labels;
        [
            ("category", text(category)),
            ("className", text(class)),
            ("methodName", text(method)),
            ("threadId", text(thread)),
        ]
    }

    /// Returns the form in which `text` is written.
    pub fn text_form(&self) -> TextForm {
        self.text
    }

    /// Returns the body: the record's own bytes, or a document if it had to change.
    pub fn body(&self) -> &Body<'a> {
        &self.body
    }

    /// Returns the filter's own data under [`OWN_KEY`].
    ///
    /// It is a map, or an empty document for none.
    pub fn marks(&self) -> &Document<'a> {
        &self.marks
    }

    /// Adds a mark under [`OWN_KEY`].
    pub(crate) fn mark(&mut self, mark: Mark, value: Document<'a>) {
        if self.marks.events.is_empty() {
            self.marks = Document::map([]);
        }
        self.marks.insert(mark.key(), value);
    }

    /// Returns whether the entry is certainly at most `max` bytes of JSON.
    ///
    /// Only the lengths of its parts are used. Most entries are far below the maximum.
    #[inline]
    pub(crate) fn surely_fits(&self, max: usize) -> bool {
        /// The size of all members except names, labels, text and marks.
        const HEADER: usize = 256;
        let Body::Verbatim(record) = &self.body else { return false };
        // A byte of a MessagePack string may become six, one of JSON text inside a string two, and both together seven.
        let growth: usize = match (record.encoding(), self.text) {
            (Encoding::Json, TextForm::Object) => 1,
            (Encoding::Json, TextForm::String) => 2,
            #[cfg(feature = "msgpack")]
            (Encoding::MsgPack, _) => 7,
        };
        // Marks are a few numbers and names, unless they contain a part of the finding.
        let marks = self.marks.events.len();
        let others = self.labels.json_bound().wrapping_add(HEADER).wrapping_add(marks.wrapping_mul(64));
        marks <= 16 && record.bytes().len().saturating_mul(growth).saturating_add(others) <= max
    }

    /// Marks the entry as truncated; returns whether it was not marked before.
    ///
    /// `bytes` is its size before truncation.
    pub(crate) fn mark_truncated(&mut self, bytes: usize) -> bool {
        if self.is_marked(Mark::Truncated) {
            return false;
        }
        self.mark(Mark::Truncated, Document::map([("bytes", Document::uint(bytes as u64))]));
        true
    }

    fn is_marked(&self, mark: Mark) -> bool {
        self.marks.events.iter().any(|event| matches!(event, Event::Key(key) if key == mark.key()))
    }
}
