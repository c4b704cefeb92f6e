//! Shapes entries: their time, the texts of summaries and counts, and every change of a body.

use super::labels::{self, Namer, Source, Texts};
use super::{Integration, IntegrationRef, Note, Sampled};
use crate::config::{Config, Guard, Keys, Severity, Shape, TextForm};
use crate::counts;
use crate::entry::{Entry, Labels, Misfit};
use crate::finding::{Field, Fields, Instant};
use crate::limit::{self, Summary};
use crate::pattern::{self, BuildError};
use crate::record::{Body, Document, Event, Limits, Quality, Record, Scan, Value, is_own_key};
use crate::redact::{Editor, Redactor, Scope};
use crate::stats::Stats;
use crate::time::{self, Time};

/// What shapes every entry.
pub(super) struct Shaper {
    pub namer: Namer,
    pub redactor: Redactor,
    pub guard: Guard,
    keys: Keys,
    text: TextForm,
}

/// A body as it came, and what is known about it.
pub(super) struct OriginalBody<'s, 'a> {
    pub scan: &'s Scan<'a>,
    pub quality: Quality,
    pub fields: &'s Fields<'a>,
    /// Whether the filter's own key is in it.
    pub own: bool,
    /// Whether there is text or an object that may contain anything, such as a log line.
    pub texts: bool,
    /// The keys of members that are copies of it.
    pub copies: &'s [String],
}

/// What was read of a body.
struct Reading<'a> {
    document: Document<'a>,
    /// Whether all of its members are in the document.
    complete: bool,
    /// Whether a part is missing, of a string or of the whole.
    cut: bool,
    /// How many values were redacted.
    redacted: u64,
}

/// A finding's time, within the range that Coralogix accepts.
pub(super) struct EventTime {
    pub finding_ms: i64,
    pub entry_ms: i64,
    /// The mark, if the two differ.
    pub out_of_range: Option<&'static str>,
    /// The mark for how the finding gives its time, if not as kAudit does.
    spelled: Option<&'static str>,
}

impl EventTime {
    #[inline]
    pub fn mark(&self, entry: &mut Entry<'_>, stats: &mut Stats) {
        if self.out_of_range.is_some() || self.spelled.is_some() {
            self.mark_unusual(entry, stats);
        }
    }

    #[cold]
    fn mark_unusual(&self, entry: &mut Entry<'_>, stats: &mut Stats) {
        if let Some(word) = self.out_of_range {
            entry.mark("clamped", Document::str(word));
            stats.clamped = stats.clamped.saturating_add(1);
        }
        if let Some(word) = self.spelled {
            entry.mark("time", Document::str(word));
        }
    }
}

/// The finding's own time in milliseconds, if it can be read.
pub(super) fn own_time(fields: &Fields<'_>, body: Record<'_>, accepts: impl Fn(i64) -> bool) -> Option<i64> {
    // Only the encoding of the record is used.
    match fields.time(body.encoding(), accepts) {
        Instant::Read(reading) => Some(reading.millis),
        Instant::Missing | Instant::Unreadable => None,
    }
}

impl Shaper {
    pub fn new(config: &Config, source: &mut impl pattern::Source) -> Result<Self, BuildError> {
        Ok(Self {
            namer: Namer::new(&config.coralogix),
            redactor: Redactor::new(&config.redact, source)?,
            guard: config.guard.clone(),
            keys: config.coralogix.keys,
            text: match config.coralogix.shape {
                Shape::Singles => config.coralogix.text,
                // Coralogix takes nothing but a string in an envelope.
                Shape::Bulk => TextForm::String,
            },
        })
    }

    /// Names and labels; see [`Namer::label`].
    #[inline(never)]
    pub fn labels<'a>(&self, source: &Source<'_, 'a>, texts: &'a mut Texts) -> Labels<'a> {
        self.namer.label(source, &self.redactor, texts)
    }

    /// What tells the counts of one report apart, borrowed from the record or from `texts`.
    pub fn dimensions<'t>(&self, fields: &Fields<'t>, texts: &'t mut [String; 4]) -> [&'t [u8]; 4] {
        let [cluster, principal, rule, namespace] = texts;
        let rules = self.redactor.rules();
        let of = |field, text| labels::value(field, fields, rules, text);
        [
            of(Field::Cluster, cluster),
            of(Field::Principal, principal),
            of(Field::Rule, rule),
            of(Field::ResourceNamespace, namespace),
        ]
    }

    /// What a summary says, and what is noted of the findings it speaks of.
    pub fn summary_text(
        &self,
        integrations: &[Integration],
        summary: Summary<Sampled>,
    ) -> Option<(Document<'static>, Note)> {
        let Summary { integration, by, tally } = summary;
        let Sampled { note, key: redacted, sample } = tally.note?;
        let name = IntegrationRef { integrations, index: integration }.name();
        let mut text = Document::map([
            ("integration", Document::str(name.to_owned())),
            ("by", Document::str(by.word())),
        ]);
        match tally.key {
            limit::Key::All => (),
            limit::Key::Others => text.insert("others", Document { events: vec![Event::Bool(true)] }),
            limit::Key::One(key) => {
                let key = redacted.unwrap_or_else(|| {
                    // It may have been suppressed under a configuration without redactions.
                    let mut key = String::from(key);
                    self.redactor.everything_in(&mut key);
                    key.into()
                });
                text.insert("key", Document::str(String::from(key)));
            }
        }
        text.insert("suppressed", Document::uint(tally.count));
        text.insert("first", Document::int(tally.first.millis()));
        text.insert("last", Document::int(tally.last.millis()));
        text.insert("sample", sample.document());
        Some((text, note))
    }

    /// A count report as kAudit writes them.
    pub fn report_text(start_ms: i64, dimensions: counts::Dimensions, count: u64) -> Document<'static> {
        let mut text = Document::map([]);
        // kAudit's own counts mix spellings: `resource_namespace` beside `count-period`.
        let keys = ["cluster", "principal", "rule", "resource_namespace"];
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
        let (reading, spelled) = match fields.time(body.encoding(), |millis| self.is_in_range(millis, now_ms))
        {
            Instant::Read(reading) => (reading.millis, reading.unit.mark()),
            Instant::Missing => (now_ms, Some("missing")),
            Instant::Unreadable => (now_ms, Some("unreadable")),
        };
        EventTime { spelled, ..self.guarded(reading, now_ms) }
    }

    /// Whether Coralogix accepts a time now.
    #[inline]
    pub fn is_in_range(&self, millis: i64, now_ms: i64) -> bool {
        let Guard { max_age_ms, max_ahead_ms, .. } = self.guard;
        // From the oldest that is accepted to the one that is furthest ahead, in one comparison.
        let range = max_age_ms.wrapping_add(max_ahead_ms).cast_unsigned();
        millis.wrapping_sub(now_ms.wrapping_sub(max_age_ms)).cast_unsigned() <= range
    }

    /// A time, replaced by the time of arrival if Coralogix would not accept it.
    #[inline]
    pub fn guarded(&self, finding_ms: i64, now_ms: i64) -> EventTime {
        let (entry_ms, out_of_range) = if self.is_in_range(finding_ms, now_ms) {
            (finding_ms, None)
        } else {
            (now_ms, Some(if finding_ms < now_ms { "too-old" } else { "too-far-ahead" }))
        };
        EventTime { finding_ms, entry_ms, out_of_range, spelled: None }
    }

    pub fn entry<'a>(
        &self,
        timestamp_ms: i64,
        severity: Severity,
        labels: Labels<'a>,
        body: Body<'a>,
    ) -> Entry<'a> {
        Entry { timestamp_ms, severity, labels, text: self.text, body, marks: Document::default() }
    }

    /// Changes an entry's body where it has to be: redaction, copies, the filter's own key, spelling, size. `scope` says
    /// what redaction applies to.
    #[inline]
    pub fn finish<'a>(
        &self,
        entry: &mut Entry<'a>,
        original: &OriginalBody<'_, 'a>,
        scope: Scope,
        stats: &mut Stats,
    ) {
        let OriginalBody { scan, quality, own, texts, copies, .. } = original;
        let redact = !self.redactor.is_empty()
            && (scope == Scope::Everything
                || *texts
                || *own
                || !quality.verbatim()
                || self.redactor.may_apply(scan.body, scan.is_plain()));
        if redact || *own || !quality.verbatim() || !copies.is_empty() || self.keys == Keys::Snake {
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
        let reading = self.read(original.scan.body, &mut editor);
        self.replace(entry, original, reading, scope, stats);
    }

    /// Makes what was read of the original body the body. Apart from [`Shaper::rewrite`], since the frame of the guest's
    /// function would otherwise be there while the body is read.
    #[inline(never)]
    fn replace<'a>(
        &self,
        entry: &mut Entry<'a>,
        original: &OriginalBody<'_, 'a>,
        Reading { mut document, complete, cut, redacted }: Reading<'a>,
        scope: Scope,
        stats: &mut Stats,
    ) {
        if original.own {
            let mut previous = None;
            while let Some(value) = document.remove(is_own_key) {
                previous = previous.or(Some(value));
            }
            // Of a body that was not read to its end it may be missing.
            if let Some(previous) = previous {
                mark_previous(entry, previous, stats);
            }
        }
        for copy in original.copies {
            document.remove(|key| key == copy);
        }
        mark_redacted(entry, redacted, stats);
        if self.keys == Keys::Snake {
            document.snake_keys();
        }
        entry.body = Body::Document(document);
        if cut {
            entry.mark_truncated(original.scan.body.bytes().len());
            stats.truncated = stats.truncated.saturating_add(1);
        }
        if !complete {
            self.reduce(entry, (original.fields, scope));
        }
    }

    /// Reads a body, with its longest strings cut while they are copied if it is larger than an entry can be.
    ///
    /// What is read is bounded by the greatest entry and not by the record: a document takes up to 32 times the memory of
    /// what it is read from.
    fn read<'a>(&self, record: Record<'a>, editor: &mut Editor<'_>) -> Reading<'a> {
        let max = self.guard.max_entry_bytes;
        if record.bytes().len() <= max {
            let (document, complete) = record.read(Limits::NONE, editor);
            return Reading { document, complete, cut: !complete, redacted: editor.changed };
        }
        let mut read = Reading { document: Document::default(), complete: false, cut: true, redacted: 0 };
        for string in [max, max / 16, max / 256] {
            editor.start();
            let limits = Limits { string, structure: max, total: max.saturating_mul(4) };
            let (document, complete) = record.read(limits, editor);
            // A string that is cut to the size of an entry does not fit into one: its entry is marked when it is fitted.
            let cut = !complete || string < max;
            read = Reading { document, complete, cut, redacted: editor.changed };
            if complete {
                break;
            }
        }
        read
    }

    /// Makes a text the body: a line, or a record that is no JSON.
    pub fn message<'a>(&self, entry: &mut Entry<'a>, text: &'a [u8], stats: &mut Stats) {
        let mut message = String::from_utf8_lossy(text);
        if let Some(new) = self.redactor.everything(&message) {
            message = new.into();
            mark_redacted(entry, 1, stats);
        }
        entry.body = Body::Document(Document::map([("message", Document::str(message))]));
        self.fit(entry, &Fields::default(), stats);
    }

    /// Makes what can be read of a broken record the body.
    pub fn unreadable<'a>(&self, entry: &mut Entry<'a>, record: Record<'a>, stats: &mut Stats) {
        let scope = (!self.redactor.is_empty()).then_some(Scope::Everything);
        let mut editor = Editor::new(&self.redactor, scope);
        let Reading { document: read, cut, redacted, .. } = self.read(record, &mut editor);
        if cut && record.bytes().len() > self.guard.max_entry_bytes {
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

    /// Cuts the longest strings of an entry's text until it fits; if its keys and numbers alone are too large, only the
    /// known fields and the beginning of the text are kept.
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
            // It fits: known fields are short, and the beginning can be truncated to any length.
            let _ = entry.cut(max);
        }
    }

    /// Truncates the strings of an entry; returns whether it fits.
    fn truncate(&self, entry: &mut Entry<'_>) -> bool {
        let max = self.guard.max_entry_bytes;
        let Err(misfit) = entry.cut(max) else { return true };
        let Body::Verbatim(record) = entry.body else { return false };
        if record.bytes().len() <= max {
            return false;
        }
        match misfit {
            Misfit::Keys => {
                let read = self.read(record, &mut Editor::new(&self.redactor, None));
                entry.body = Body::Document(read.document);
                read.complete && entry.cut(max).is_ok()
            }
            Misfit::Structure => {
                // More of the structure in the beginning.
                entry.body = Body::Truncated(Box::new((record, max / 256)));
                false
            }
            Misfit::Strings => false,
        }
    }

    /// Reduces a body to the known fields and the beginning of the whole as text. The scope says what redaction applies to.
    fn reduce(&self, entry: &mut Entry<'_>, (fields, scope): (&Fields<'_>, Scope)) {
        let beginning = entry.beginning(self.guard.max_entry_bytes);
        let mut reduced = Document::map([]);
        for &field in Field::ALL {
            let mut text = String::new();
            match scope {
                Scope::Fields => labels::push(field, fields, &self.redactor, &mut text),
                Scope::Everything => labels::push_other(field, fields, &self.redactor, &mut text),
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

    /// Notes a suppressed finding for its summary: the first one's data, the highest severity of all.
    #[inline(never)]
    pub fn remember(
        &self,
        note: &mut Option<Sampled>,
        source: &Source<'_, '_>,
        key: &[u8],
        severity: Severity,
    ) {
        note.get_or_insert_with(|| self.sampled(source, key, severity)).note.further(severity);
    }
}

/// Attaches what another filter had attached, if it is small.
fn mark_previous<'a>(entry: &mut Entry<'a>, mut previous: Document<'a>, stats: &mut Stats) {
    /// The greatest size as JSON, bytes.
    const MOST: usize = 1024;
    if previous.size() > MOST || previous.events.len() > 64 {
        previous = Document::str("too large to keep");
        stats.truncated = stats.truncated.saturating_add(1);
    }
    entry.mark("previous", previous);
}

/// Marks an entry in which values were redacted, and counts it.
fn mark_redacted(entry: &mut Entry<'_>, values: u64, stats: &mut Stats) {
    if values > 0 {
        entry.mark("redacted", Document::uint(values));
        stats.redacted = stats.redacted.saturating_add(1);
    }
}
