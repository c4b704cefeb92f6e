//! Builds entries: their time, summary and report texts, and body changes.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::{String, ToString as _};

use super::integration::{CompiledIntegration, IntegrationRef};
use super::labels::{self, LabelBuffers, LabelSource, Namer};
use super::pending::{PendingMeta, SampleFields, SuppressedSample};
use crate::config::{Config, Guard, KeyStyle, Severity, Shape, TextForm};
use crate::counts::{self, DIMENSIONS};
use crate::entry::{Entry, Labels, Mark, Misfit};
use crate::finding::{Field, Fields, Instant};
use crate::limit::{self, Summary};
use crate::pattern::{self, BuildError};
use crate::record::{Body, Document, Event, Limits, Quality, Record, Scan, Value, is_own_key};
use crate::redact::{Editor, Redactor, Scope};
use crate::stats::Stats;
use crate::time::{self, Time};

/// The settings and compiled rules that apply to every entry.
pub(super) struct Shaper {
    pub namer: Namer,
    pub redactor: Redactor,
    pub guard: Guard,
    keys: KeyStyle,
    text: TextForm,
}

/// The body as it arrived, with the results of its scan.
pub(super) struct OriginalBody<'s, 'a> {
    pub scan: &'s Scan<'a>,
    pub quality: Quality,
    pub fields: &'s Fields<'a>,
    /// Whether it contains the filter's own key.
    pub has_own_key: bool,
    /// Whether it contains a text or object of unknown content, such as a log line.
    pub has_text: bool,
    /// The keys of members that are raw copies of the finding.
    pub copies: &'s [String],
}

/// A body that was read into a document.
struct ReadBody<'a> {
    document: Document<'a>,
    /// Whether the document contains all members.
    complete: bool,
    /// Whether anything was truncated: a string, or the body itself.
    truncated: bool,
    /// The number of redacted values.
    redacted: u64,
}

/// A finding's time, clamped to the range that Coralogix accepts.
pub(super) struct EventTime {
    pub finding_ms: i64,
    pub entry_ms: i64,
    /// The mark to set if the two differ.
    pub out_of_range: Option<&'static str>,
    /// The mark for a time that is missing, unreadable or in an unusual format.
    time_mark: Option<&'static str>,
}

impl EventTime {
    #[inline]
    pub fn mark(&self, entry: &mut Entry<'_>, stats: &mut Stats) {
        if self.out_of_range.is_some() || self.time_mark.is_some() {
            self.mark_unusual(entry, stats);
        }
    }

    #[cold]
    fn mark_unusual(&self, entry: &mut Entry<'_>, stats: &mut Stats) {
        if let Some(mark) = self.out_of_range {
            entry.mark(Mark::Clamped, Document::str(mark));
            stats.clamped = stats.clamped.saturating_add(1);
        }
        if let Some(mark) = self.time_mark {
            entry.mark(Mark::Time, Document::str(mark));
        }
    }
}

/// Returns the finding's own time in milliseconds, if it can be read.
pub(super) fn finding_time(
    fields: &Fields<'_>,
    body: Record<'_>,
    accepts: impl Fn(i64) -> bool,
) -> Option<i64> {
    // Only the encoding of the record is used.
    match fields.time(body.encoding(), accepts) {
        Instant::Read(reading) => Some(reading.millis),
        Instant::Missing | Instant::Unreadable => None,
    }
}

impl Shaper {
    pub fn new(config: &Config, source: &mut impl pattern::PatternSource) -> Result<Self, BuildError> {
        Ok(Self {
            namer: Namer::new(&config.coralogix),
            redactor: Redactor::new(&config.redact, source)?,
            guard: config.guard.clone(),
            keys: config.coralogix.keys,
            text: match config.coralogix.shape {
                Shape::Singles => config.coralogix.text,
                // In an envelope Coralogix accepts only a string.
                Shape::Bulk => TextForm::String,
                // A body of OTLP contains values of any type.
                Shape::Otlp => TextForm::Object,
            },
        })
    }

    /// Returns names and labels; see [`Namer::label`].
    #[inline(never)]
    pub fn labels<'a>(&self, source: &LabelSource<'_, 'a>, buffers: &'a mut LabelBuffers) -> Labels<'a> {
        self.namer.label(source, &self.redactor, buffers)
    }

    /// Returns the dimensions of a count report.
    /// They are borrowed from the record or from `texts`.
    pub fn dimensions<'t>(
        &self,
        fields: &Fields<'t>,
        texts: &'t mut [String; DIMENSIONS],
    ) -> [&'t [u8]; DIMENSIONS] {
        let [cluster, principal, rule, namespace, caller] = texts;
        let rules = self.redactor.rules();
        let of = |field, text| labels::field_text(field, fields, rules, text);
        [
            of(Field::Cluster, cluster),
            of(Field::Principal, principal),
            of(Field::Rule, rule),
            of(Field::ResourceNamespace, namespace),
            of(Field::CallerIp, caller),
        ]
    }

    /// Returns the text of a summary, and the metadata of its findings.
    pub fn summary_document(
        &self,
        integrations: &[CompiledIntegration],
        summary: Summary<SuppressedSample>,
    ) -> Option<(Document<'static>, PendingMeta)> {
        let Summary { integration, by, tally } = summary;
        let SuppressedSample { meta, key: redacted, sample } = tally.meta?;
        let name = IntegrationRef { integrations, index: integration }.name();
        let mut text = Document::map([
            ("integration", Document::str(name.to_owned())),
            ("by", Document::str(by.name())),
        ]);
        match tally.key {
            limit::LimiterKey::All => (),
            limit::LimiterKey::Others => text.insert("others", Document { events: vec![Event::Bool(true)] }),
            limit::LimiterKey::One(key) => {
                let key = redacted.unwrap_or_else(|| {
                    // The finding may have been suppressed under a configuration without redactions.
                    let mut key = String::from(key);
                    self.redactor.redact_all_in(&mut key);
                    key.into()
                });
                text.insert("key", Document::str(String::from(key)));
            }
        }
        text.insert("suppressed", Document::uint(tally.count));
        text.insert("first", Document::int(tally.first.millis()));
        text.insert("last", Document::int(tally.last.millis()));
        text.insert("sample", sample.document());
        Some((text, meta))
    }

    /// Returns a count report in kAudit's format.
    pub fn report_document(start_ms: i64, dimensions: counts::Dimensions, count: u64) -> Document<'static> {
        let mut text = Document::map([]);
        // kAudit's own counts mix spellings: `resource_namespace`, but `count-period`.
        let keys = ["cluster", "principal", "rule", "resource_namespace", "caller_ip"];
        if dimensions.is_none() {
            text.insert("others", Document { events: vec![Event::Bool(true)] });
        }
        for (key, value) in keys.into_iter().zip(dimensions.into_iter().flatten()) {
            if !value.is_empty() {
                text.insert(key, Document::str(String::from(value)));
            }
        }
        text.insert("time", Document::int(start_ms));
        text.insert("timestamp", Document::str(time::format(start_ms)));
        text.insert("count", Document::uint(count));
        text.insert("count-period", Document::int(counts::PERIOD_MS));
        text
    }

    #[inline]
    pub fn time(&self, fields: &Fields<'_>, body: Record<'_>, now: Time) -> EventTime {
        let now_ms = now.millis();
        let (finding_ms, time_mark) =
            match fields.time(body.encoding(), |millis| self.is_in_range(millis, now_ms)) {
                Instant::Read(reading) => (reading.millis, reading.unit.mark()),
                Instant::Missing => (now_ms, Some("missing")),
                Instant::Unreadable => (now_ms, Some("unreadable")),
            };
        EventTime { time_mark, ..self.clamped_time(finding_ms, now_ms) }
    }

    /// Returns whether Coralogix accepts a time at `now_ms`.
    #[inline]
    pub fn is_in_range(&self, millis: i64, now_ms: i64) -> bool {
        let Guard { max_age_ms, max_ahead_ms, .. } = self.guard;
        // Tests both ends of the accepted range in one comparison.
        let range = max_age_ms.wrapping_add(max_ahead_ms).cast_unsigned();
        millis.wrapping_sub(now_ms.wrapping_sub(max_age_ms)).cast_unsigned() <= range
    }

    /// Clamps a time: one that Coralogix would reject becomes the time of arrival.
    #[inline]
    pub fn clamped_time(&self, finding_ms: i64, now_ms: i64) -> EventTime {
        let (entry_ms, out_of_range) = if self.is_in_range(finding_ms, now_ms) {
            (finding_ms, None)
        } else {
            (now_ms, Some(if finding_ms < now_ms { "too-old" } else { "too-far-ahead" }))
        };
        EventTime { finding_ms, entry_ms, out_of_range, time_mark: None }
    }

    /// Returns an entry without marks; `times` are its own, in milliseconds, and the time of arrival.
    pub fn entry<'a>(
        &self,
        (timestamp_ms, now): (i64, Time),
        severity: Severity,
        labels: Labels<'a>,
        body: Body<'a>,
    ) -> Entry<'a> {
        let arrival_ns = now.nanos();
        Entry {
            timestamp_ms,
            arrival_ns,
            severity,
            labels,
            text: self.text,
            body,
            marks: Document::default(),
        }
    }

    /// Applies every necessary change to an entry's body.
    /// The changes are redaction, removal of raw copies and of the filter's own key, spelling of keys, and size.
    /// `scope` selects the values that redaction applies to.
    #[inline]
    pub fn apply_changes<'a>(
        &self,
        entry: &mut Entry<'a>,
        original: &OriginalBody<'_, 'a>,
        scope: Scope,
        stats: &mut Stats,
    ) {
        let OriginalBody { scan, quality, has_own_key, has_text, copies, .. } = original;
        let redact = !self.redactor.is_empty()
            && (scope == Scope::Everything
                || *has_text
                || *has_own_key
                || !quality.verbatim()
                || self.redactor.may_apply(scan.body, scan.is_plain()));
        if redact || *has_own_key || !quality.verbatim() || !copies.is_empty() || self.keys == KeyStyle::Snake
        {
            self.rewrite(entry, original, redact.then_some(scope), scope, stats);
        }
        if !entry.surely_fits(self.guard.max_entry_bytes) {
            self.fit_within(entry, (original.fields, scope), stats);
        }
    }

    #[inline(never)]
    fn rewrite<'a>(
        &self,
        entry: &mut Entry<'a>,
        original: &OriginalBody<'_, 'a>,
        redact: Option<Scope>,
        scope: Scope,
        stats: &mut Stats,
    ) {
        let mut editor = Editor::new(&self.redactor, redact);
        let body = self.read(original.scan.body, &mut editor);
        self.replace(entry, original, body, scope, stats);
    }

    /// Replaces the entry's body by the document that was read from it.
    /// Separate from [`Shaper::rewrite`]: otherwise the frame of this function in the guest would exist while the body
    /// is read.
    #[inline(never)]
    fn replace<'a>(
        &self,
        entry: &mut Entry<'a>,
        original: &OriginalBody<'_, 'a>,
        ReadBody { mut document, complete, truncated, redacted }: ReadBody<'a>,
        scope: Scope,
        stats: &mut Stats,
    ) {
        if original.has_own_key {
            let mut previous = None;
            while let Some(value) = document.remove(is_own_key) {
                previous = previous.or(Some(value));
            }
            // It may be missing from a body that was not read completely.
            if let Some(previous) = previous {
                mark_previous(entry, previous, stats);
            }
        }
        for copy in original.copies {
            document.remove(|key| key == copy);
        }
        mark_redacted(entry, redacted, stats);
        if self.keys == KeyStyle::Snake {
            document.snake_keys();
        }
        entry.body = Body::Document(document);
        if truncated {
            entry.mark_truncated(original.scan.body.bytes().len());
            stats.truncated = stats.truncated.saturating_add(1);
        }
        if !complete {
            self.reduce(entry, (original.fields, scope));
        }
    }

    /// Reads a body; strings of a body larger than an entry are truncated.
    /// Decision: memory is bounded by the largest entry and not by the record, since a document takes up to 32 times
    /// the memory of the bytes that it is read from.
    fn read<'a>(&self, record: Record<'a>, editor: &mut Editor<'_>) -> ReadBody<'a> {
        let max = self.guard.max_entry_bytes;
        if record.bytes().len() <= max {
            let (document, complete) = record.read(Limits::NONE, editor);
            return ReadBody { document, complete, truncated: !complete, redacted: editor.changed };
        }
        let mut read =
            ReadBody { document: Document::default(), complete: false, truncated: true, redacted: 0 };
        for string in [max, max / 16, max / 256] {
            editor.start();
            let limits = Limits { string, structure: max, total: max.saturating_mul(4) };
            let (document, complete) = record.read(limits, editor);
            // A string truncated to the size of an entry does not fit into one: `fit` marks that entry.
            let truncated = !complete || string < max;
            read = ReadBody { document, complete, truncated, redacted: editor.changed };
            if complete {
                break;
            }
        }
        read
    }

    /// Makes a text the body: a line, or a record that is not JSON.
    pub fn set_text_body<'a>(&self, entry: &mut Entry<'a>, text: &'a [u8], stats: &mut Stats) {
        let mut message = String::from_utf8_lossy(text);
        if let Some(new) = self.redactor.redact_all(&message) {
            message = new.into();
            mark_redacted(entry, 1, stats);
        }
        entry.body = Body::Document(Document::map([("message", Document::str(message))]));
        self.fit(entry, &Fields::default(), stats);
    }

    /// Makes the readable part of a malformed record the body.
    pub fn set_unreadable_body<'a>(&self, entry: &mut Entry<'a>, record: Record<'a>, stats: &mut Stats) {
        let scope = (!self.redactor.is_empty()).then_some(Scope::Everything);
        let mut editor = Editor::new(&self.redactor, scope);
        let ReadBody { document: read, truncated, redacted, .. } = self.read(record, &mut editor);
        if truncated && record.bytes().len() > self.guard.max_entry_bytes {
            entry.mark_truncated(record.bytes().len());
            stats.truncated = stats.truncated.saturating_add(1);
        }
        mark_redacted(entry, redacted, stats);
        let read = if read.events.is_empty() {
            Document::str(format!("[{} bytes that cannot be read]", record.bytes().len()))
        } else {
            read
        };
        entry.body = Body::Document(Document::map([("message", read)]));
        self.fit(entry, &Fields::default(), stats);
    }

    /// Truncates the longest strings of an entry's text until it fits.
    /// If its keys and numbers alone are too large, only the known fields and the beginning of the text are kept.
    pub fn fit<'a>(&self, entry: &mut Entry<'a>, fields: &Fields<'a>, stats: &mut Stats) {
        self.fit_within(entry, (fields, Scope::Everything), stats);
    }

    #[cold]
    fn fit_within<'a>(&self, entry: &mut Entry<'a>, fields: (&Fields<'a>, Scope), stats: &mut Stats) {
        let max = self.guard.max_entry_bytes;
        let length = entry.length();
        if length <= max {
            return;
        }
        if entry.mark_truncated(length) {
            stats.truncated = stats.truncated.saturating_add(1);
        }
        if !self.truncate(entry) {
            self.reduce(entry, fields);
            // This fits: known fields are short, and the beginning can be truncated to any length.
            let _ = entry.truncate_to(max);
        }
    }

    /// Truncates the strings of an entry; returns whether it fits.
    fn truncate(&self, entry: &mut Entry<'_>) -> bool {
        let max = self.guard.max_entry_bytes;
        let Err(misfit) = entry.truncate_to(max) else { return true };
        let Body::Verbatim(record) = entry.body else { return false };
        if record.bytes().len() <= max {
            return false;
        }
        match misfit {
            Misfit::Keys => {
                let read = self.read(record, &mut Editor::new(&self.redactor, None));
                entry.body = Body::Document(read.document);
                read.complete && entry.truncate_to(max).is_ok()
            }
            Misfit::Structure => {
                // The beginning then contains more of the structure.
                entry.body = Body::Truncated(Box::new((record, max / 256)));
                false
            }
            Misfit::Strings => false,
        }
    }

    /// Reduces a body to the known fields and the beginning of its text.
    /// `scope` selects the values that redaction applies to.
    fn reduce(&self, entry: &mut Entry<'_>, (fields, scope): (&Fields<'_>, Scope)) {
        let beginning = entry.json_prefix(self.guard.max_entry_bytes);
        let mut reduced = Document::map([]);
        for &field in Field::ALL {
            let mut text = String::new();
            match scope {
                Scope::Fields => labels::push_field(field, fields, &self.redactor, &mut text),
                Scope::Everything => labels::push_unrecognised(field, fields, &self.redactor, &mut text),
            }
            match (fields.get(field), fields.integer(field)) {
                _ if text.is_empty() => (),
                (Value::Number(_), Some(number)) if number.to_string() == text => {
                    reduced.insert(field.name(), Document::int(number));
                }
                _ => reduced.insert(field.name(), Document::str(text)),
            }
        }
        reduced.insert("message", Document::str(beginning));
        entry.body = Body::Document(reduced);
    }

    /// Returns the metadata of a pending report for its first finding.
    pub fn pending_meta(&self, source: &LabelSource<'_, '_>, severity: Severity) -> PendingMeta {
        let mut buffers = LabelBuffers::default();
        let labels = self.labels(source, &mut buffers).each();
        PendingMeta::new(severity, labels)
    }

    /// Returns the metadata of a pending summary for its first finding.
    fn suppressed_sample(
        &self,
        source: &LabelSource<'_, '_>,
        key: &[u8],
        severity: Severity,
    ) -> SuppressedSample {
        let key = (!self.redactor.is_empty()).then(|| {
            let mut key = String::from_utf8_lossy(key).into_owned();
            self.redactor.redact_all_in(&mut key);
            limit::truncated_key(&key)
        });
        let sample = SampleFields::of(source.fields, &self.redactor);
        SuppressedSample { meta: self.pending_meta(source, severity), key, sample }
    }

    /// Adds a suppressed finding to the metadata of its summary.
    /// It stores data of the first finding, and the highest severity of all.
    #[inline(never)]
    pub fn add_suppressed(
        &self,
        meta: &mut Option<SuppressedSample>,
        source: &LabelSource<'_, '_>,
        key: &[u8],
        severity: Severity,
    ) {
        meta.get_or_insert_with(|| self.suppressed_sample(source, key, severity)).meta.add_severity(severity);
    }
}

/// Attaches the metadata of a previous filter, if it is small.
fn mark_previous<'a>(entry: &mut Entry<'a>, mut previous: Document<'a>, stats: &mut Stats) {
    /// The maximum size as JSON, in bytes.
    const MAX_BYTES: usize = 1024;
    if previous.size() > MAX_BYTES || previous.events.len() > 64 {
        previous = Document::str("too large to keep");
        stats.truncated = stats.truncated.saturating_add(1);
    }
    entry.mark(Mark::Previous, previous);
}

/// Marks an entry in which values were redacted, and counts it.
fn mark_redacted(entry: &mut Entry<'_>, values: u64, stats: &mut Stats) {
    if values > 0 {
        entry.mark(Mark::Redacted, Document::uint(values));
        stats.redacted = stats.redacted.saturating_add(1);
    }
}
