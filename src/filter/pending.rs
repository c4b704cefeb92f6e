//! Metadata of findings that a pending summary or report counts.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::{String, ToString as _};

use super::labels::push_field;
use crate::config::Severity;
use crate::finding::{Field, Fields};
use crate::record::Document;
use crate::redact::Redactor;

/// Owned copies of a finding's labels.
pub(super) type OwnedLabels = [Box<[u8]>; 8];

/// Metadata of a pending summary or report.
/// It has the highest severity of the findings and the labels of the first one.
pub(super) struct PendingMeta {
    pub severity: Severity,
    pub labels: OwnedLabels,
}

impl PendingMeta {
    /// Copies the labels of the first finding, truncated.
    pub fn new(severity: Severity, labels: [&[u8]; 8]) -> Self {
        let limit = length_limit(&labels.map(<[u8]>::len));
        Self { severity, labels: labels.map(|label| truncate_bytes(label, limit).into()) }
    }

    /// Adds the severity of another finding.
    pub fn add_severity(&mut self, severity: Severity) {
        self.severity = self.severity.max(severity);
    }
}

/// Metadata of a pending summary, with some fields of the first finding.
pub(super) struct SuppressedSample {
    pub meta: PendingMeta,
    /// The limiter key if there are redaction rules, redacted and then truncated.
    pub key: Option<Box<str>>,
    pub sample: SampleFields,
}

/// The maximum bytes of one label or field of a pending summary or report.
const MAX_PENDING_TEXT: usize = 256;

/// The maximum bytes of a pending summary's labels in total, and of its fields.
/// Texts of usual lengths are not truncated. Without this limit a key took up to 22 KB, chosen by the sender of the
/// findings.
const MAX_PENDING_TOTAL: usize = 1024;

/// Returns the greatest length limit for which texts fit [`MAX_PENDING_TOTAL`].
/// Long texts are truncated to it, and short ones stay whole.
fn length_limit(lengths: &[usize]) -> usize {
    let total =
        |limit: usize| lengths.iter().fold(0, |sum: usize, length| sum.saturating_add(limit.min(*length)));
    (0..=MAX_PENDING_TEXT).rev().find(|limit| total(*limit) <= MAX_PENDING_TOTAL).unwrap_or(0)
}

/// Truncates UTF-8 to a length in bytes, at a character boundary.
fn truncate_bytes(text: &[u8], length: usize) -> &[u8] {
    let text = core::str::from_utf8(text).unwrap_or_default();
    text.get(..text.floor_char_boundary(length)).unwrap_or(text).as_bytes()
}

/// The fields of a suppressed finding that its summary contains.
/// They are one allocation of at most [`MAX_PENDING_TOTAL`] bytes.
pub(super) struct SampleFields {
    text: Box<str>,
    /// The offset at which each field's text ends.
    ends: [u16; Self::FIELDS.len()],
    /// One bit for each field that is a number.
    numbers: u16,
}

impl SampleFields {
    const FIELDS: [Field; 14] = [
        Field::Time,
        Field::Cluster,
        Field::Etype,
        Field::Eid,
        Field::Category,
        Field::Confidence,
        Field::ShortDoc,
        Field::Principal,
        Field::Rule,
        Field::Verb,
        Field::ResourceType,
        Field::ResourceNamespace,
        Field::ResourceName,
        Field::Id,
    ];

    /// Copies the fields, redacted and then truncated.
    pub fn of(fields: &Fields<'_>, redactor: &Redactor) -> Self {
        let mut texts = [const { String::new() }; Self::FIELDS.len()];
        let mut numbers = 0;
        for (index, (field, text)) in Self::FIELDS.into_iter().zip(&mut texts).enumerate() {
            push_field(field, fields, redactor, text);
            let is_number = fields.integer(field).is_some_and(|number| number.to_string() == *text);
            numbers |= u16::from(is_number).wrapping_shl(u32::try_from(index).unwrap_or(0));
        }
        let limit = length_limit(&texts.each_ref().map(String::len));
        let mut text = String::new();
        let mut ends = [0; Self::FIELDS.len()];
        for (field, end) in texts.iter().zip(&mut ends) {
            text.push_str(field.get(..field.floor_char_boundary(limit)).unwrap_or_default());
            *end = u16::try_from(text.len()).unwrap_or(u16::MAX);
        }
        Self { text: text.into(), ends, numbers }
    }

    /// Returns the fields as a map.
    pub fn document(&self) -> Document<'static> {
        let mut sample = Document::map([]);
        let mut start = 0;
        for (index, (field, end)) in Self::FIELDS.into_iter().zip(self.ends).enumerate() {
            let end = usize::from(end);
            let text = self.text.get(start..end).unwrap_or_default();
            start = end;
            let is_number = self.numbers.wrapping_shr(u32::try_from(index).unwrap_or(0)) & 1 == 1;
            match text.parse() {
                _ if text.is_empty() => (),
                Ok(number) if is_number => sample.insert(field.name(), Document::int(number)),
                _ => sample.insert(field.name(), Document::str(text.to_owned())),
            }
        }
        sample
    }
}
