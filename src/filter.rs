//! The only room that knows the order: scan, recognise, match, count, limit, shape.
//!
//! [`Filter::new`] can fail; [`Filter::process`] cannot. A verdict borrows the record and the filter's own buffers, so
//! a dropped record costs no allocation and a kept one none but what its change (redaction, truncation) needs.

#![expect(clippy::inline_always, reason = "each member of a record comes by here, measured")]

#[cfg(feature = "compile")]
pub mod explain;
mod labels;

use crate::config::{By, Config, Guard, Keys, OnStale, Report, Severity, Shape, TextForm, Unrecognised};
use crate::counts::{self, Counts};
use crate::entry::{Entry, Labels};
use crate::finding::{Field, Fields, Key, Kind, Question};
use crate::limit::{Limiter, Summary};
use crate::matcher::Matcher;
use crate::pattern::{BuildError, Source};
use crate::record::{Body, Json, KnownKeys, Malformed, NOT_AN_OBJECT, Record, Tape, Text, Value};
use crate::redact::Redactor;
use crate::severity::{Flags, Table};
use crate::stats::{Reason, Stats};
use crate::time::{self, Time};
use labels::{Namer, Texts};

/// The engine, built from a checked configuration.
pub struct Filter {
    integrations: Vec<Integration>,
    matcher: Matcher,
    severity: Table,
    limiter: Limiter<Note>,
    counts: Counts<Note>,
    shaper: Shaper,
    unrecognised: Unrecognised,
    one_slot: bool,
    keeps: bool,
    stats: Stats,
    keys: KnownKeys<(Key, u8)>,
    scratch: Scratch,
}

#[derive(PartialEq, Eq)]
struct Integration {
    name: String,
    kind: Kind,
    report: Report,
}

/// What became of a record.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// It leaves as this entry.
    Kept(Entry<'a>),
    /// It leaves no trace but a count.
    Dropped(Reason),
    /// A rate limit holds it back; a summary will speak of it.
    Suppressed,
    /// It is not a finding and stays in the stream as it is.
    Passed,
}

/// The labels of a finding that is gone.
type Noted = [Box<[u8]>; 7];

/// What a summary or report remembers of the findings it speaks of.
struct Note {
    severity: Severity,
    labels: Noted,
    sample: Tape<'static>,
}

/// Buffers that live on from record to record.
#[derive(Default)]
struct Scratch {
    inner: String,
    entity: String,
    rule: String,
    key: String,
    labels: Texts,
    /// The labels of what a summary or report speaks of.
    noted: Noted,
}

impl Filter {
    /// Compiles a configuration. `seed` protects the tables of limiter keys against names chosen to collide; a host
    /// takes it from its system's randomness.
    ///
    /// # Errors
    /// The patterns are too large together; one that is too large alone was reported when the configuration was read.
    #[cfg(feature = "compile")]
    pub fn new(config: &Config, seed: u64) -> Result<Self, BuildError> {
        Self::build(config, seed, &mut crate::pattern::Compile)
    }

    /// Builds a filter with patterns from wherever they come.
    pub(crate) fn build(config: &Config, seed: u64, source: &mut impl Source) -> Result<Self, BuildError> {
        let limits = &config.rate_limit;
        Ok(Self {
            integrations: config
                .integrations
                .iter()
                .map(|integration| Integration {
                    name: integration.name.clone(),
                    kind: integration.kind,
                    report: integration.filter.report,
                })
                .collect(),
            matcher: Matcher::new(&config.integrations, source)?,
            severity: Table::new(&config.severity, source)?,
            limiter: Limiter::new(
                config.integrations.iter().map(|integration| integration.rate_limit),
                limits.max_keys,
                limits.summary_every_ns,
                seed,
            ),
            counts: Counts::new(limits.max_keys, limits.summary_every_ns, seed),
            shaper: Shaper {
                namer: Namer::new(&config.coralogix),
                redactor: Redactor::new(&config.redact, source)?,
                guard: config.guard.clone(),
                keys: config.coralogix.keys,
                text: match config.coralogix.shape {
                    Shape::Singles => config.coralogix.text,
                    // Coralogix takes nothing but a string in an envelope.
                    Shape::Bulk => TextForm::String,
                },
            },
            unrecognised: config.unrecognised,
            one_slot: false,
            keeps: true,
            stats: Stats::default(),
            keys: KnownKeys::new(Key::of),
            scratch: Scratch::default(),
        })
    }

    /// Takes over another configuration. The counters go on. An integration that is still there with the same name,
    /// type, report and limit keeps the state of its limit and its counts; what is owed of one that is not still
    /// leaves when its time comes.
    ///
    /// # Errors
    /// As [`Filter::new`]; the filter is then as it was.
    #[cfg(feature = "compile")]
    pub fn replace(&mut self, config: &Config, seed: u64) -> Result<(), BuildError> {
        let new = Self::new(config, seed)?;
        let Self { integrations, limiter, counts, stats, one_slot, keeps, .. } =
            core::mem::replace(self, new);
        (self.stats, self.one_slot, self.keeps) = (stats, one_slot, keeps);
        let mut places = Vec::new();
        for (index, integration) in integrations.into_iter().enumerate() {
            let rule = limiter.rule(index);
            let same = self.integrations.iter().enumerate().position(|(place, other)| {
                *other == integration && self.limiter.rule(place) == rule && !places.contains(&Some(place))
            });
            places.push(same.or_else(|| {
                // One that has gone has a place behind those that are matched, until nothing is owed of it.
                let owes = limiter.owes(index) || counts.owes(index);
                owes.then(|| {
                    self.integrations.push(integration);
                    self.integrations.len().saturating_sub(1)
                })
            }));
        }
        self.limiter.adopt(limiter, &places);
        self.counts.adopt(counts, &places);
        Ok(())
    }

    /// Tells the filter that its host gives back at most one entry for a record. A summary or report that has waited
    /// for a dropped record's slot for as long as `summary-every` then leaves on the next finding that is kept, as a
    /// remark in its text.
    pub fn one_slot(&mut self) {
        self.one_slot = true;
    }

    /// Tells the filter whether it will live to speak of what it keeps back: if not, no limit applies, and what would
    /// be counted is sent. A new filter keeps.
    pub fn keep_back(&mut self, keeps: bool) {
        self.keeps = keeps;
    }

    /// Whether the configuration has the filter keep anything back: limits or count reports.
    pub fn may_keep_back(&self) -> bool {
        let counts = |integration: &Integration| integration.report == Report::Count;
        self.limiter.is_needed() || self.integrations.iter().any(counts)
    }

    /// Decides what becomes of one record that arrived `now`.
    pub fn process<'a>(&'a mut self, record: &mut impl Record<'a>, now: Time) -> Verdict<'a> {
        let Self {
            integrations,
            matcher,
            severity,
            limiter,
            counts,
            shaper,
            unrecognised,
            stats,
            keys,
            scratch,
            one_slot,
            keeps,
        } = self;
        stats.records = stats.records.saturating_add(1);
        let Scratch { inner, entity, rule, key, labels, .. } = scratch;
        let mut seen = Seen::default();
        let (kind, embedded) = match find(record, keys, &mut seen, inner) {
            Ok(found) => found,
            Err(error) => return wrap(record, &seen, error, *unrecognised, shaper, stats, labels, now),
        };
        let fields = &seen.fields;
        let question = Question {
            kind,
            etype: fields.etype(),
            category: fields.category(),
            confidence: fields.confidence(),
            entity: fields.utf8(fields.entity_field(kind), entity).unwrap_or_default(),
            rule: fields.utf8(Field::Rule, rule).unwrap_or_default(),
        };
        let claimed = match matcher.claim(&question) {
            Ok(claimed) => claimed,
            Err(reason) => return dropped(reason, stats),
        };
        let time = shaper.time(fields, now);
        if time.off.is_some() && shaper.guard.on_stale == OnStale::Drop {
            return dropped(Reason::Stale, stats);
        }
        let (name, report) = integrations
            .get(claimed)
            .map_or(("", Report::Details), |integration| (&*integration.name, integration.report));
        let source = labels::Source { fields, kind: Some(kind), other: "", integration: name };
        let mut severity_of = |count| {
            let non_authorized = fields.truth(Field::NonAuthorized) == Some(true);
            severity.of(&question, Flags { non_authorized, count })
        };
        let is_count = kind == Kind::Selection && fields.is_count();

        if *keeps && report == Report::Count && kind == Kind::Selection && !is_count {
            let dimensions = shaper.dimensions(fields);
            let dimensions = dimensions.each_ref().map(String::as_str);
            let severity = severity_of(true);
            let new = || shaper.note(&source, severity);
            let note = counts.add(claimed, dimensions, time.finding_ms, now, new);
            note.severity = note.severity.max(severity);
            return dropped(Reason::Counted, stats);
        }
        let key = match limiter.by(claimed) {
            Some(By::Entity) => question.entity,
            Some(By::Rule) => fields.utf8(kind.subject_field(), key).unwrap_or_default(),
            Some(By::Cluster) => fields.utf8(Field::Cluster, key).unwrap_or_default(),
            Some(By::None) | None => b"",
        };
        if *keeps && let Err(tally) = limiter.admit(claimed, key, now) {
            let severity = severity_of(is_count);
            let note = tally.note.get_or_insert_with(|| shaper.note(&source, severity));
            note.severity = note.severity.max(severity);
            stats.suppressed = stats.suppressed.saturating_add(1);
            return Verdict::Suppressed;
        }

        let severity = severity_of(is_count);
        let labels = shaper.namer.label(&source, &shaper.redactor, labels);
        let (body, clean) = match &embedded {
            Some(json) => (json.body(), json.is_clean()),
            None => (record.body(), record.is_clean()),
        };
        let mut entry = shaper.entry(time.entry_ms, severity, labels, body);
        time.mark(&mut entry, stats);
        if *one_slot {
            if let Some(summary) = limiter.overdue(now) {
                stats.summarise(summary.tally.count);
                if let Some((text, ..)) = shaper.summary_text(integrations, summary) {
                    entry.mark("summary", text);
                }
            }
            if let Some(report) = counts.overdue(now) {
                stats.report(report.count);
                entry.mark("counted", Shaper::report_text(report.start_ms, report.dimensions, report.count));
            }
        }
        shaper.finish(&mut entry, clean, seen.own, Redaction::Fields, stats);
        stats.keep(Some(kind));
        Verdict::Kept(entry)
    }

    /// The next entry that the filter owes of its own and whose time has come: a summary of suppressed findings, or a
    /// count report. To be asked again until there is none.
    pub fn due(&mut self, now: Time) -> Option<Entry<'_>> {
        self.own(now, false)
    }

    /// The next entry that the filter still owes, whatever its time: to be asked, until there is none, before the
    /// filter goes.
    pub fn finish(&mut self, now: Time) -> Option<Entry<'_>> {
        self.own(now, true)
    }

    fn own(&mut self, now: Time, all: bool) -> Option<Entry<'_>> {
        if let Some(summary) = self.limiter.summary(now, all) {
            self.stats.summarise(summary.tally.count);
            return self.summary(summary, now);
        }
        let report = self.counts.report(now, all)?;
        self.stats.report(report.count);
        Some(self.report(report, now))
    }

    fn summary(&mut self, summary: Summary<Note>, now: Time) -> Option<Entry<'_>> {
        let Self { integrations, shaper, stats, scratch, .. } = self;
        let (text, severity, labels) = shaper.summary_text(integrations, summary)?;
        scratch.noted = labels;
        let body = Body::Tape(Tape::map([]));
        let mut entry = shaper.entry(now.millis(), severity, Labels::from(&scratch.noted), body);
        entry.mark("summary", text);
        shaper.finish(&mut entry, true, false, Redaction::Done, stats);
        Some(entry)
    }

    fn report(&mut self, report: counts::Report<Note>, now: Time) -> Entry<'_> {
        let Self { integrations, shaper, stats, scratch, .. } = self;
        let counts::Report { integration, start_ms, dimensions, count, note } = report;
        scratch.noted = note.labels;
        let name = integrations.get(integration).map_or("", |integration| &integration.name);
        let text = Shaper::report_text(start_ms, dimensions, count);
        let time = shaper.placed(start_ms, now);
        let mut entry =
            shaper.entry(time.entry_ms, note.severity, Labels::from(&scratch.noted), Body::Tape(text));
        time.mark(&mut entry, stats);
        entry.mark("report", Tape::str("count"));
        entry.mark("integration", Tape::str(name.to_owned()));
        shaper.finish(&mut entry, true, false, Redaction::Done, stats);
        entry
    }

    /// An entry that tells counters, such as those of the last minute ([`Stats::since`]); it is not counted itself.
    pub fn statistics(&mut self, stats: &Stats, now: Time) -> Entry<'_> {
        let Self { shaper, scratch, .. } = self;
        let source =
            labels::Source { fields: &Fields::default(), kind: None, other: "statistics", integration: "" };
        let labels = shaper.namer.label(&source, &shaper.redactor, &mut scratch.labels);
        let mut entry = shaper.entry(now.millis(), Severity::Info, labels, Body::Tape(Tape::map([])));
        let mut told = Tape::map([]);
        for (group, counters) in stats.told() {
            let mut tape = Tape::map([]);
            for (name, count) in counters {
                let tape = if group.is_empty() { &mut told } else { &mut tape };
                tape.insert(name, Tape::uint(count));
            }
            if !group.is_empty() {
                told.insert(group, tape);
            }
        }
        entry.mark("statistics", told);
        entry
    }

    /// The counters since the filter was built.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// The time that a finding in JSON text gives of itself, in a log agent's line or not: what a host that replays
/// findings takes for their arrival. `None`: the record is no finding, or has no time.
pub fn time_of(text: &str) -> Option<Time> {
    let mut scratch = String::new();
    let mut seen = Seen::default();
    find(&mut Json::new(text), &mut KnownKeys::new(Key::of), &mut seen, &mut scratch).ok()?;
    own_ms(&seen.fields).map(Time::from_millis)
}

/// A finding's `time`, or else its `timestamp`.
fn own_ms(fields: &Fields<'_>) -> Option<i64> {
    let mut scratch = String::new();
    fields.integer(Field::Time).or_else(|| time::parse(fields.text(Field::Timestamp, &mut scratch)?))
}

/// What a scan of the top level collects.
#[derive(Default)]
struct Seen<'a> {
    fields: Fields<'a>,
    /// The first text that may hold a whole finding: a log agent's line that begins as an object does.
    line: Option<Text<'a>>,
    /// Whether a list stands where batches have theirs.
    batch: bool,
    /// Whether the filter's own key is there already.
    own: bool,
    /// A bit for each name that was there, other than a field's.
    others: [u64; 4],
}

impl<'a> Seen<'a> {
    /// Takes a value; whether its key was not there before.
    #[inline(always)]
    fn take(&mut self, (meaning, name): (Key, u8), value: Value<'a>) -> bool {
        match meaning {
            Key::Field(field) => return self.fields.offer(field, value),
            Key::Line => {
                if let Value::Text(text) = value
                    && self.line.is_none()
                    && begins_object(text)
                {
                    self.line = Some(text);
                }
            }
            Key::Batch => self.batch |= matches!(value, Value::List),
            Key::Own => self.own = true,
        }
        self.is_new(name)
    }

    #[cold]
    fn is_new(&mut self, name: u8) -> bool {
        let [word, bit] = [name / 64, name % 64].map(usize::from);
        let Some(word) = self.others.get_mut(word) else { return false };
        let new = *word >> bit & 1 == 0;
        *word |= 1 << bit;
        new
    }
}

/// Whether a text may be an object, as far as can be seen without resolving escapes.
fn begins_object(text: Text<'_>) -> bool {
    let bytes = match text {
        Text::Plain(text) | Text::Escaped(text) => text.as_bytes(),
        Text::Bytes(bytes) => bytes,
    };
    // A line may begin with an escaped line break.
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'\\'))
}

/// Recognises a record as a finding, or as a line that holds one; `seen` is then the finding's.
///
/// # Errors
/// It is neither; what is wrong with it, unless it is an object like any other.
fn find<'a>(
    record: &mut impl Record<'a>,
    keys: &mut KnownKeys<(Key, u8)>,
    seen: &mut Seen<'a>,
    scratch: &'a mut String,
) -> Result<(Kind, Option<Json<'a>>), Option<Malformed>> {
    record.scan(keys, |key, value| seen.take(key, value)).map_err(Some)?;
    if let Some(kind) = seen.fields.kind() {
        return Ok((kind, None));
    }
    let line = seen.line.ok_or(None)?.decode(scratch).trim();
    let mut json = Json::new(line);
    let mut inside = Seen::default();
    // A line that is no JSON is no mistake of the record's: it stays a text in it.
    json.scan(keys, |key, value| inside.take(key, value)).map_err(|_| None)?;
    let kind = inside.fields.kind().ok_or(None)?;
    *seen = inside;
    Ok((kind, Some(json)))
}

fn dropped<'a>(reason: Reason, stats: &mut Stats) -> Verdict<'a> {
    stats.drop(reason);
    Verdict::Dropped(reason)
}

#[expect(clippy::too_many_arguments, reason = "the filter's parts, each borrowed on its own")]
fn wrap<'a>(
    record: &impl Record<'a>,
    seen: &Seen<'a>,
    malformed: Option<Malformed>,
    policy: Unrecognised,
    shaper: &'a Shaper,
    stats: &mut Stats,
    texts: &'a mut Texts,
    now: Time,
) -> Verdict<'a> {
    match policy {
        Unrecognised::Wrap => (),
        Unrecognised::Pass => {
            stats.passed = stats.passed.saturating_add(1);
            return Verdict::Passed;
        }
        Unrecognised::Drop => {
            stats.drop(Reason::Unrecognised);
            return Verdict::Dropped(Reason::Unrecognised);
        }
    }
    // A broken record's fields are not believed.
    let none = Fields::default();
    let fields = if malformed.is_some() { &none } else { &seen.fields };
    let source = labels::Source { fields, kind: None, other: "unrecognised", integration: "" };
    let labels = shaper.namer.label(&source, &shaper.redactor, texts);
    let (body, clean, word) = match malformed {
        None => (record.body(), record.is_clean(), if seen.batch { "batch" } else { "not-a-finding" }),
        Some(error) => {
            let word = if error.what == NOT_AN_OBJECT { "not-an-object" } else { "malformed" };
            (Body::Tape(Tape::map([("message", Tape::str(record.lossy_text()))])), true, word)
        }
    };
    let mut entry = shaper.entry(now.millis(), Severity::Info, labels, body);
    entry.mark("unrecognised", Tape::str(word));
    if let Some(error) = malformed.filter(|_| word == "malformed") {
        entry.mark("error", Tape::str(error.to_string()));
    }
    shaper.finish(&mut entry, clean, seen.own && malformed.is_none(), Redaction::Everything, stats);
    stats.keep(None);
    Verdict::Kept(entry)
}

/// What shapes an entry, whatever it is of.
struct Shaper {
    namer: Namer,
    redactor: Redactor,
    guard: Guard,
    keys: Keys,
    text: TextForm,
}

/// What redaction looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redaction {
    /// The fields that rules name.
    Fields,
    /// Every string.
    Everything,
    /// Nothing: the text is made of redacted values.
    Done,
}

/// A finding's time, placed among those that Coralogix accepts.
struct Placed {
    finding_ms: i64,
    entry_ms: i64,
    /// The mark and its word, when the two differ.
    off: Option<&'static str>,
    missing: bool,
}

impl Placed {
    fn mark(&self, entry: &mut Entry<'_>, stats: &mut Stats) {
        if let Some(word) = self.off {
            entry.mark("clamped", Tape::str(word));
            stats.clamped = stats.clamped.saturating_add(1);
        }
        if self.missing {
            entry.mark("time", Tape::str("missing"));
        }
    }
}

impl Shaper {
    /// What tells the counts of one report apart.
    const DIMENSIONS: [Field; 4] = [Field::Cluster, Field::Principal, Field::Rule, Field::ResourceNamespace];

    fn dimensions(&self, fields: &Fields<'_>) -> [String; 4] {
        Self::DIMENSIONS.map(|field| {
            let mut text = String::new();
            labels::push(field, fields, &self.redactor, &mut text);
            text
        })
    }

    /// What a summary says, the highest severity of what it speaks of, and the labels of the first.
    fn summary_text(
        &self,
        integrations: &[Integration],
        summary: Summary<Note>,
    ) -> Option<(Tape<'static>, Severity, Noted)> {
        let Summary { integration, by, key, tally } = summary;
        let Note { severity, labels, sample } = tally.note?;
        let name = integrations.get(integration).map_or("", |integration| &integration.name);
        let mut text = Tape::map([("integration", Tape::str(name.to_owned())), ("by", Tape::str(by.word()))]);
        if let Some(mut key) = key.map(String::from) {
            self.redactor.everything_in(&mut key);
            text.insert("key", Tape::str(key));
        }
        text.insert("suppressed", Tape::uint(tally.count));
        text.insert("first", Tape::int(tally.first.millis()));
        text.insert("last", Tape::int(tally.last.millis()));
        text.insert("sample", sample);
        Some((text, severity, labels))
    }

    /// A count report as kAudit writes them.
    fn report_text(start_ms: i64, dimensions: counts::Dimensions, count: u64) -> Tape<'static> {
        let mut text = Tape::map([]);
        // kAudit's own counts mix spellings: `resource_namespace` beside `count-period`.
        let keys = ["cluster", "principal", "rule", "resource_namespace"];
        for (key, value) in keys.into_iter().zip(dimensions) {
            if !value.is_empty() {
                text.insert(key, Tape::str(String::from(value)));
            }
        }
        text.insert("time", Tape::int(start_ms));
        text.insert("timestamp", Tape::str(time::format(start_ms)));
        text.insert("count", Tape::uint(count));
        text.insert("count-period", Tape::int(counts::PERIOD_MS));
        text
    }

    fn time(&self, fields: &Fields<'_>, now: Time) -> Placed {
        match own_ms(fields) {
            Some(finding_ms) => self.placed(finding_ms, now),
            None => Placed { finding_ms: now.millis(), entry_ms: now.millis(), off: None, missing: true },
        }
    }

    fn placed(&self, finding_ms: i64, now: Time) -> Placed {
        let age = now.millis().saturating_sub(finding_ms);
        let off = if age > self.guard.max_age_ms {
            Some("too-old")
        } else if age.saturating_neg() > self.guard.max_ahead_ms {
            Some("too-far-ahead")
        } else {
            None
        };
        let entry_ms = if off.is_some() { now.millis() } else { finding_ms };
        Placed { finding_ms, entry_ms, off, missing: false }
    }

    fn entry<'a>(
        &self,
        timestamp_ms: i64,
        severity: Severity,
        labels: Labels<'a>,
        body: Body<'a>,
    ) -> Entry<'a> {
        Entry { timestamp_ms, severity, labels, text: self.text, body, marks: Tape::default() }
    }

    /// Everything that may change the text, and the counts of it.
    fn finish(&self, entry: &mut Entry<'_>, clean: bool, own: bool, redaction: Redaction, stats: &mut Stats) {
        let redact = match redaction {
            Redaction::Fields => self.redactor.may_apply(&entry.body),
            Redaction::Everything => !self.redactor.is_empty(),
            Redaction::Done => false,
        };
        if !clean || own || redact || self.keys == Keys::Snake {
            let mut tape = core::mem::replace(&mut entry.body, Body::Json("")).into_tape();
            if own {
                entry.mark("previous", tape.take_own());
            }
            let changed = match redaction {
                Redaction::Fields if redact => self.redactor.body(&mut tape),
                Redaction::Everything if redact => self.redactor.everything(&mut tape),
                _ => 0,
            };
            if changed > 0 {
                entry.mark("redacted", Tape::uint(changed));
                stats.redacted = stats.redacted.saturating_add(1);
            }
            if self.keys == Keys::Snake {
                tape.snake_keys();
            }
            entry.body = Body::Tape(tape);
        }
        if entry.fit(self.guard.max_entry_bytes) {
            stats.truncated = stats.truncated.saturating_add(1);
        }
    }
}
