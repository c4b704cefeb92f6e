//! The only room that knows the order: scan, recognise, match, count, limit, shape.
//!
//! [`Filter::new`] can fail; [`Filter::process`] cannot. A verdict borrows the record and the filter's own buffers, so
//! a dropped record costs no allocation and a kept one none but what its change (redaction, truncation) needs.

#![expect(clippy::inline_always, reason = "each member of a record comes by here, measured")]

#[cfg(feature = "compile")]
pub mod explain;
mod labels;
mod shape;

use crate::config::{By, Config, OnStale, Report, Severity, Unrecognised};
use crate::counts::{self, Counts};
use crate::entry::{Entry, Labels, Names};
use crate::finding::{Field, Fields, Key, Kind, Question};
use crate::limit::{Limiter, Refused, Summary};
use crate::matcher::Matcher;
use crate::pattern::{BuildError, Source};
use crate::record::{Body, Json, KnownKeys, Malformed, NOT_AN_OBJECT, Record, Tape, Text, Value};
use crate::severity::{Flags, Table};
use crate::stats::{Reason, Stats};
use crate::time::{self, Time};
use labels::{Sample, Texts};
use shape::{Placed, Redaction, Shaper};

/// The engine, built from a checked configuration.
pub struct Filter {
    stages: Stages,
    stats: Stats,
    keys: KnownKeys<Key>,
    scratch: Scratch,
}

/// What decides about a finding, and shapes what leaves.
struct Stages {
    integrations: Vec<Integration>,
    matcher: Matcher,
    severity: Table,
    limiter: Limiter<Sampled>,
    counts: Counts<Note>,
    /// The dimensions of the finding that is being counted.
    dimensions: [String; 4],
    shaper: Shaper,
    unrecognised: Unrecognised,
    one_slot: bool,
    keeps: bool,
}

#[derive(PartialEq, Eq)]
struct Integration {
    name: String,
    kind: Kind,
    report: Report,
}

/// The integration at a place, whose name is looked up where it is asked for.
#[derive(Clone, Copy)]
struct Claim<'s> {
    integrations: &'s [Integration],
    place: usize,
}

impl<'s> Claim<'s> {
    /// None.
    const NOBODY: Self = Self { integrations: &[], place: 0 };

    fn name(self) -> &'s str {
        self.integrations.get(self.place).map_or("", |integration| &integration.name)
    }
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

/// What a report or summary remembers of the findings it speaks of: the highest severity, and the labels of the first.
struct Note {
    severity: Severity,
    labels: Noted,
}

impl Note {
    /// Another finding of which is spoken.
    fn further(&mut self, severity: Severity) {
        self.severity = self.severity.max(severity);
    }
}

/// A summary's note, with a few fields of the first finding.
struct Sampled {
    note: Note,
    /// The key that was held back, if there are redactions: overwritten before it is cut.
    key: Option<Box<str>>,
    sample: Sample,
}

/// Buffers that live on from record to record.
#[derive(Default)]
struct Scratch {
    inner: String,
    entity: String,
    rule: String,
    key: String,
    labels: Texts,
    /// Names and labels of what a summary or report speaks of.
    names: Names,
    noted: Noted,
}

impl Scratch {
    /// Names and labels of a finding that is gone.
    fn hold(&mut self, noted: Noted) -> Labels<'_> {
        self.noted = noted;
        let [application, subsystem, computer, category, class, method, thread] = &self.noted;
        self.names.set([application, subsystem, computer]);
        Labels { names: &self.names, category, class, method, thread, plain: false }
    }
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
        Ok(Self {
            stages: Stages::new(config, seed, source)?,
            stats: Stats::default(),
            keys: KnownKeys::new(Key::of),
            scratch: Scratch { labels: Texts::lasting(), ..Scratch::default() },
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
        let old = core::mem::replace(self, new);
        self.stats = old.stats;
        self.stages.adopt(old.stages);
        Ok(())
    }

    /// Tells the filter that its host gives back at most one entry for a record. A summary or report that has waited
    /// for a dropped record's slot for as long as `summary-every` then leaves on the next finding that is kept, as a
    /// remark in its text.
    pub fn one_slot(&mut self) {
        self.stages.one_slot = true;
    }

    /// Tells the filter whether it will live to speak of what it keeps back: if not, no limit applies, and what would
    /// be counted is sent. A new filter keeps.
    pub fn keep_back(&mut self, keeps: bool) {
        self.stages.keeps = keeps;
    }

    /// Whether the configuration has the filter keep anything back: limits or count reports.
    pub fn may_keep_back(&self) -> bool {
        let counts = |integration: &Integration| integration.report == Report::Count;
        self.stages.limiter.is_needed() || self.stages.integrations.iter().any(counts)
    }

    /// Decides what becomes of one record that arrived `now`.
    #[inline]
    pub fn process<'a>(&'a mut self, record: &mut impl Record<'a>, now: Time) -> Verdict<'a> {
        let Self { stages, stats, keys, scratch } = self;
        let Scratch { inner, entity, rule, key, labels, .. } = scratch;
        stats.records = stats.records.saturating_add(1);
        let mut seen = Seen::default();
        let mut inside = None;
        let (kind, seen, embedded) = match find(record, keys, &mut seen, &mut inside, inner) {
            Ok(found) => found,
            Err(error) => return stages.other(record, &seen, error, labels, stats, now),
        };
        let finding = Finding::of(kind, &seen.fields, entity, rule);
        let leaving = match stages.decide(&finding, key, now) {
            Ok(leaving) => leaving,
            Err(gone) => return gone.counted(stats),
        };
        let (body, clean) = match &embedded {
            Some(json) => (json.body(), json.is_clean()),
            None => (record.body(), record.is_clean()),
        };
        let came = Came { body, clean, own: seen.own };
        stats.keep(Some(kind));
        Verdict::Kept(stages.shape(&finding, leaving, came, labels, stats, now))
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
        if let Some(summary) = self.stages.limiter.summary(now, all) {
            self.stats.summarise(summary.tally.count);
            return self.summary(summary, now);
        }
        let report = self.stages.counts.report(now, all)?;
        self.stats.report(report.count);
        Some(self.report(report, now))
    }

    fn summary(&mut self, summary: Summary<Sampled>, now: Time) -> Option<Entry<'_>> {
        let Self { stages: Stages { integrations, shaper, .. }, stats, scratch, .. } = self;
        let (text, Note { severity, labels }) = shaper.summary_text(integrations, summary)?;
        let labels = scratch.hold(labels);
        let body = Body::Tape(Tape::map([]));
        let mut entry = shaper.entry(now.millis(), severity, labels, body);
        entry.mark("summary", text);
        shaper.finish(&mut entry, true, false, Redaction::Done, stats);
        Some(entry)
    }

    fn report(&mut self, report: counts::Report<Note>, now: Time) -> Entry<'_> {
        let Self { stages: Stages { integrations, shaper, .. }, stats, scratch, .. } = self;
        let counts::Report { integration, start_ms, dimensions, count, note } = report;
        let labels = scratch.hold(note.labels);
        let name = Claim { integrations, place: integration }.name();
        let text = Shaper::report_text(start_ms, dimensions, count);
        let time = shaper.placed(start_ms, now);
        let mut entry = shaper.entry(time.entry_ms, note.severity, labels, Body::Tape(text));
        time.mark(&mut entry, stats);
        entry.mark("report", Tape::str("count"));
        entry.mark("integration", Tape::str(name.to_owned()));
        shaper.finish(&mut entry, true, false, Redaction::Done, stats);
        entry
    }

    /// An entry that tells counters, such as those of the last minute ([`Stats::since`]); it is not counted itself.
    pub fn statistics(&mut self, stats: &Stats, now: Time) -> Entry<'_> {
        let Self { stages: Stages { shaper, .. }, scratch, .. } = self;
        let source = labels::Source {
            fields: &Fields::default(),
            clean: false,
            kind: None,
            other: "statistics",
            claim: Claim::NOBODY,
        };
        let labels = shaper.labels(&source, &mut scratch.labels);
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

/// A recognised record, and what is asked of it.
#[derive(Clone, Copy)]
struct Finding<'f, 'a> {
    fields: &'f Fields<'a>,
    question: Question<'f>,
}

impl<'f, 'a: 'f> Finding<'f, 'a> {
    #[inline(always)]
    fn of(kind: Kind, fields: &'f Fields<'a>, entity: &'f mut String, rule: &'f mut String) -> Self {
        let question = Question {
            kind,
            etype: fields.etype(),
            category: fields.category(),
            confidence: fields.confidence(),
            entity: fields.utf8(fields.entity_field(kind), entity).unwrap_or_default(),
            rule: fields.utf8(Field::Rule, rule).unwrap_or_default(),
        };
        Self { fields, question }
    }

    /// Whether it is a count of selections.
    #[inline(always)]
    fn is_count(&self) -> bool {
        self.question.kind == Kind::Selection && self.fields.is_count()
    }

    #[inline(always)]
    fn flags(&self, count: bool) -> Flags {
        Flags { non_authorized: self.fields.truth(Field::NonAuthorized) == Some(true), count }
    }

    /// What its labels are taken from; `clean` tells of its body.
    fn source<'s>(&self, clean: bool, claim: Claim<'s>) -> labels::Source<'s, 'a>
    where
        'f: 's,
    {
        labels::Source { fields: self.fields, clean, kind: Some(self.question.kind), other: "", claim }
    }
}

/// A finding that leaves.
struct Leaving {
    claimed: usize,
    time: Placed,
    severity: Severity,
}

/// The body of a record that leaves, as it came.
struct Came<'a> {
    body: Body<'a>,
    /// Whether it may leave so.
    clean: bool,
    /// Whether the filter's own key is in it.
    own: bool,
}

/// Why a finding does not leave.
enum Gone {
    Dropped(Reason),
    Suppressed,
}

impl From<Reason> for Gone {
    fn from(reason: Reason) -> Self {
        Self::Dropped(reason)
    }
}

impl Gone {
    fn counted<'a>(self, stats: &mut Stats) -> Verdict<'a> {
        match self {
            Self::Dropped(reason) => {
                stats.drop(reason);
                Verdict::Dropped(reason)
            }
            Self::Suppressed => {
                stats.suppressed = stats.suppressed.saturating_add(1);
                Verdict::Suppressed
            }
        }
    }
}

/// The time that a finding in JSON text gives of itself, in a log agent's line or not: what a host that replays
/// findings takes for their arrival. `None`: the record is no finding, or has no time.
pub fn time_of(text: &str) -> Option<Time> {
    let mut scratch = String::new();
    let mut seen = Seen::default();
    let mut inside = None;
    let mut keys = KnownKeys::new(Key::of);
    let (_, seen, _) = find(&mut Json::new(text), &mut keys, &mut seen, &mut inside, &mut scratch).ok()?;
    own_ms(&seen.fields).map(Time::from_millis)
}

/// A finding's `time`, or else its `timestamp`.
fn own_ms(fields: &Fields<'_>) -> Option<i64> {
    fields.integer(Field::Time).or_else(|| timestamp_ms(fields))
}

#[cold]
fn timestamp_ms(fields: &Fields<'_>) -> Option<i64> {
    let mut scratch = String::new();
    time::parse(fields.text(Field::Timestamp, &mut scratch)?)
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
}

impl<'a> Seen<'a> {
    #[inline(always)]
    fn take(&mut self, key: Key, value: Value<'a>) {
        if !self.fields.offer(key, value) && key != Key::NOTHING {
            self.take_other(key, value.text(), matches!(value, Value::List));
        }
    }

    #[cold]
    fn take_other(&mut self, key: Key, text: Option<Text<'a>>, is_list: bool) {
        match key {
            Key::LINE => self.line = self.line.or(text.filter(|text| begins_object(*text))),
            Key::BATCH => self.batch |= is_list,
            _ => self.own = true,
        }
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

/// A kind of finding, what was seen of it, and the text of a line that holds it.
type Found<'s, 'a> = (Kind, &'s Seen<'a>, Option<Json<'a>>);

/// Recognises a record as a finding, or as a line that holds one. What is seen of the record is left in `seen`, and of
/// the line in `inside`: a hundred words, which are not copied.
///
/// # Errors
/// It is neither; what is wrong with it, unless it is an object like any other.
fn find<'s, 'a>(
    record: &mut impl Record<'a>,
    keys: &mut KnownKeys<Key>,
    seen: &'s mut Seen<'a>,
    inside: &'s mut Option<Seen<'a>>,
    scratch: &'a mut String,
) -> Result<Found<'s, 'a>, Option<Malformed>> {
    record.scan(keys, |key, value| seen.take(key, value)).map_err(Some)?;
    if let Some(kind) = seen.fields.kind() {
        return Ok((kind, seen, None));
    }
    let mut json = match seen.line.ok_or(None)? {
        Text::Bytes(line) => Json::of_bytes(line, scratch),
        line => Json::new(line.decode(scratch)),
    };
    let inside = inside.insert(Seen::default());
    // A line that is no JSON is no mistake of the record's: it stays a text in it.
    json.scan(keys, |key, value| inside.take(key, value)).map_err(|_| None)?;
    let kind = inside.fields.kind().ok_or(None)?;
    Ok((kind, inside, Some(json)))
}

impl Stages {
    fn new(config: &Config, seed: u64, source: &mut impl Source) -> Result<Self, BuildError> {
        let limits = &config.rate_limit;
        let integrations = config.integrations.iter().map(|integration| Integration {
            name: integration.name.clone(),
            kind: integration.kind,
            report: integration.filter.report,
        });
        Ok(Self {
            integrations: integrations.collect(),
            matcher: Matcher::new(&config.integrations, source)?,
            severity: Table::new(&config.severity, source)?,
            limiter: Limiter::new(
                config.integrations.iter().map(|integration| integration.rate_limit),
                limits.max_keys,
                limits.summary_every_ns,
                seed,
            ),
            counts: Counts::new(limits.max_keys, limits.summary_every_ns, seed),
            dimensions: Default::default(),
            shaper: Shaper::new(config, source)?,
            unrecognised: config.unrecognised,
            one_slot: false,
            keeps: true,
        })
    }

    /// Takes over what goes on under another configuration.
    #[cfg(feature = "compile")]
    fn adopt(&mut self, old: Self) {
        let Self { integrations, limiter, counts, one_slot, keeps, .. } = old;
        (self.one_slot, self.keeps) = (one_slot, keeps);
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
    }

    /// Whether a finding leaves.
    #[inline(always)]
    fn decide(&mut self, finding: &Finding<'_, '_>, key: &mut String, now: Time) -> Result<Leaving, Gone> {
        let claimed = self.matcher.claim(&finding.question)?;
        let time = self.shaper.time(finding.fields, now);
        if time.off.is_some() && self.shaper.guard.on_stale == OnStale::Drop {
            return Err(Reason::Stale.into());
        }
        if self.keeps {
            if self.is_counted(claimed, finding) {
                return Err(self.count(claimed, *finding, time.finding_ms, now).into());
            }
            self.limit(claimed, finding, key, now)?;
        }
        let severity = self.severity.of(&finding.question, finding.flags(finding.is_count()));
        Ok(Leaving { claimed, time, severity })
    }

    /// Whether a finding's integration has it counted.
    fn is_counted(&self, claimed: usize, finding: &Finding<'_, '_>) -> bool {
        let counts = |one: &Integration| one.report == Report::Count;
        finding.question.kind == Kind::Selection
            && self.integrations.get(claimed).is_some_and(counts)
            && !finding.is_count()
    }

    /// Lets a finding go into a count.
    #[inline(never)]
    fn count(&mut self, claimed: usize, finding: Finding<'_, '_>, time_ms: i64, now: Time) -> Reason {
        let dimensions = self.shaper.dimensions(finding.fields, &mut self.dimensions);
        let severity = self.severity.of(&finding.question, finding.flags(true));
        let claim = Claim { integrations: &self.integrations, place: claimed };
        let first = || self.shaper.note(&finding.source(false, claim), severity);
        self.counts.add(claimed, dimensions, time_ms, now, first, |note| note.further(severity));
        Reason::Counted
    }

    /// Lets a finding pass its integration's limit, or holds it back.
    #[inline(always)]
    fn limit(
        &mut self,
        claimed: usize,
        finding: &Finding<'_, '_>,
        key: &mut String,
        now: Time,
    ) -> Result<(), Gone> {
        let Finding { fields, question, .. } = finding;
        let admitted = self.limiter.admit(
            claimed,
            |by| match by {
                By::Entity => question.entity,
                By::Rule => fields.utf8(question.kind.subject_field(), key).unwrap_or_default(),
                By::Cluster => fields.utf8(Field::Cluster, key).unwrap_or_default(),
                By::None => b"",
            },
            now,
        );
        let Err(Refused { tally, key }) = admitted else { return Ok(()) };
        let severity = self.severity.of(question, finding.flags(finding.is_count()));
        let claim = Claim { integrations: &self.integrations, place: claimed };
        self.shaper.remember(&mut tally.note, &finding.source(false, claim), key, severity);
        Err(Gone::Suppressed)
    }

    /// The entry of a finding that leaves.
    #[inline(always)]
    fn shape<'a>(
        &'a mut self,
        finding: &Finding<'_, 'a>,
        leaving: Leaving,
        came: Came<'a>,
        texts: &'a mut Texts,
        stats: &mut Stats,
        now: Time,
    ) -> Entry<'a> {
        let Leaving { claimed, time, severity } = leaving;
        let Came { body, clean, own } = came;
        let claim = Claim { integrations: &self.integrations, place: claimed };
        let labels = self.shaper.namer.label(&finding.source(clean, claim), &self.shaper.redactor, texts);
        let mut entry = self.shaper.entry(time.entry_ms, severity, labels, body);
        entry.digits = time.digits(finding.fields);
        time.mark(&mut entry, stats);
        if self.one_slot && (self.limiter.owes_any() || self.counts.owes_any()) {
            self.mark_overdue(&mut entry, stats, now);
        }
        self.shaper.finish(&mut entry, clean, own, Redaction::Fields, stats);
        entry
    }

    /// Marks an entry that leaves with what is owed and has waited for a slot of its own for too long.
    #[inline(never)]
    fn mark_overdue(&mut self, entry: &mut Entry<'_>, stats: &mut Stats, now: Time) {
        if let Some(summary) = self.limiter.overdue(now) {
            stats.summarise(summary.tally.count);
            if let Some((text, ..)) = self.shaper.summary_text(&self.integrations, summary) {
                entry.mark("summary", text);
            }
        }
        if let Some(report) = self.counts.overdue(now) {
            stats.report(report.count);
            entry.mark("counted", Shaper::report_text(report.start_ms, report.dimensions, report.count));
        }
    }

    /// What becomes of a record that is no finding.
    fn other<'a>(
        &'a mut self,
        record: &impl Record<'a>,
        seen: &Seen<'a>,
        malformed: Option<Malformed>,
        texts: &'a mut Texts,
        stats: &mut Stats,
        now: Time,
    ) -> Verdict<'a> {
        match self.unrecognised {
            Unrecognised::Wrap => stats.keep(None),
            Unrecognised::Pass => {
                stats.passed = stats.passed.saturating_add(1);
                return Verdict::Passed;
            }
            Unrecognised::Drop => return Gone::Dropped(Reason::Unrecognised).counted(stats),
        }
        let (body, clean, word) = match malformed {
            None => (record.body(), record.is_clean(), if seen.batch { "batch" } else { "not-a-finding" }),
            Some(error) => {
                let word = if error.what == NOT_AN_OBJECT { "not-an-object" } else { "malformed" };
                (Body::Tape(Tape::map([("message", Tape::str(record.lossy_text()))])), true, word)
            }
        };
        // A broken record's fields are not believed.
        let none = Fields::default();
        let fields = if malformed.is_some() { &none } else { &seen.fields };
        let source =
            labels::Source { fields, clean, kind: None, other: "unrecognised", claim: Claim::NOBODY };
        let labels = self.shaper.labels(&source, texts);
        let mut entry = self.shaper.entry(now.millis(), Severity::Info, labels, body);
        entry.mark("unrecognised", Tape::str(word));
        if let Some(error) = malformed.filter(|_| word == "malformed") {
            entry.mark("error", Tape::str(error.to_string()));
        }
        let own = seen.own && malformed.is_none();
        self.shaper.finish(&mut entry, clean, own, Redaction::Everything, stats);
        Verdict::Kept(entry)
    }
}
