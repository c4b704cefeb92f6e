//! The only module that knows the order of the stages: read, recognise, match, count, limit, shape.
//!
//! [`Filter::new`] can fail; [`Filter::process`] cannot. A verdict borrows the record and the filter's own buffers, so
//! a dropped record costs no allocation and a kept one none but those that its change (redaction, truncation) needs.

#[cfg(feature = "compile")]
pub mod explain;
mod labels;
mod shape;
mod transit;

use crate::config::{By, Config, OnStale, Report, Severity, Unrecognised};
use crate::counts::{self, Counts};
use crate::entry::{Entry, Labels, Names};
use crate::finding::{Field, Fields, Kind, MatchInput};
use crate::limit::{Limiter, Refused, Summary};
use crate::matcher::Matcher;
use crate::pattern::{BuildError, Source as PatternSource};
use crate::record::{Body, Document, Encoding, Record, SyntaxErrorKind};
use crate::redact::Scope;
use crate::severity::{Flags, Table};
use crate::source::{Content, Found, Members, Other, Sink, Source};
use crate::stats::{Reason, Stats};
use crate::time::Time;
use labels::{Sample, Texts};
use shape::{EventTime, OriginalBody, Shaper};

/// The engine, built from a checked configuration.
pub struct Filter {
    stages: Stages,
    stats: Stats,
    source: Source,
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
    single_output: bool,
    suppression: bool,
}

#[derive(PartialEq, Eq)]
struct Integration {
    name: String,
    kind: Kind,
    report: Report,
}

/// Index of the matching integration; its name is resolved lazily.
#[derive(Clone, Copy)]
struct IntegrationRef<'s> {
    integrations: &'s [Integration],
    index: usize,
}

impl<'s> IntegrationRef<'s> {
    fn name(self) -> &'s str {
        self.integrations.get(self.index).map_or("", |integration| &integration.name)
    }
}

/// The outcome for one finding, or for a record that contains none.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// It is sent as this entry.
    Kept(Entry<'a>),
    /// It is not sent; its reason is counted.
    Dropped(Reason),
    /// A rate limit suppresses it; a summary will count it.
    Suppressed,
    /// The record stays in the stream as it is: it contains no finding, or is an entry of the filter's own.
    Passed,
}

/// The labels of a finding, copied.
type OwnedLabels = [Box<[u8]>; 7];

/// What a report or summary remembers of its findings: the highest severity, and the labels of the first.
struct Note {
    severity: Severity,
    labels: OwnedLabels,
}

impl Note {
    /// Adds another finding.
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

/// Buffers that are reused from record to record.
#[derive(Default)]
struct Scratch {
    entity: String,
    rule: String,
    key: String,
    labels: Texts,
    /// Names and labels of a summary or report.
    names: Names,
    owned: OwnedLabels,
}

impl Scratch {
    /// Restores names and labels that were copied.
    fn restore_labels(&mut self, owned: OwnedLabels) -> Labels<'_> {
        self.owned = owned;
        let [application, subsystem, computer, category, class, method, thread] = &self.owned;
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
    pub(crate) fn build(
        config: &Config,
        seed: u64,
        source: &mut impl PatternSource,
    ) -> Result<Self, BuildError> {
        Ok(Self {
            stages: Stages::new(config, seed, source)?,
            stats: Stats::default(),
            source: Source::new(&config.look_in),
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

    /// Disables the cache of keys, which changes costs and nothing else: for tests that compare.
    #[cfg(feature = "compile")]
    #[doc(hidden)]
    pub fn disable_key_cache(&mut self, config: &Config) {
        self.source = Source::uncached(&config.look_in);
    }

    /// Says that the host returns at most one entry for each record.
    ///
    /// A summary or report that has waited for the slot of a dropped record for as long as `summary-every` is then
    /// attached to the next finding that is kept. A record with several findings is not split: it is kept as one entry
    /// that contains them all, marked `batch`.
    pub fn set_single_output(&mut self) {
        self.stages.single_output = true;
    }

    /// Enables or disables limits and count reports, for a host that may end before it can send a summary. A new
    /// filter has them enabled.
    pub fn set_suppression_enabled(&mut self, enabled: bool) {
        self.stages.suppression = enabled;
    }

    /// Whether the configuration has limits or count reports.
    pub fn may_suppress(&self) -> bool {
        let counts = |integration: &Integration| integration.report == Report::Count;
        self.stages.limiter.is_needed() || self.stages.integrations.iter().any(counts)
    }

    /// Decides about a record that arrived `now`: calls `on` once for each finding in it, in order, or once for a record
    /// that contains none.
    #[inline]
    pub fn process(&mut self, record: Record<'_>, now: Time, on: impl FnMut(Verdict<'_>)) {
        let Self { stages, stats, source, scratch } = self;
        let mut members = Members::default();
        let scanned = source.members(record, &mut members);
        let mut judge = Judge { stages, stats, scratch, now, on, judged: 0 };
        match (&scanned, members.fields.kind()) {
            (Ok(scan), Some(kind)) => {
                let copies = source.copies(&members, scan.body);
                judge.finding(&Found { kind, members: &members, scan, copies });
            }
            _ => source.search(record, scanned, &members, &mut judge),
        }
        let judged = judge.judged;
        stats.count_record(judged);
    }

    /// Returns the next summary of suppressed findings or count report that is due. To be called until there is none.
    pub fn due(&mut self, now: Time) -> Option<Entry<'_>> {
        self.own(now, false)
    }

    /// Returns the next pending summary or report, due or not. To be called on shutdown until there is none.
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
        let labels = scratch.restore_labels(labels);
        let mut entry = shaper.entry(now.millis(), severity, labels, Body::Document(Document::map([])));
        entry.mark("summary", text);
        shaper.fit(&mut entry, &Fields::default(), stats);
        Some(entry)
    }

    fn report(&mut self, report: counts::Report<Note>, now: Time) -> Entry<'_> {
        let Self { stages: Stages { integrations, shaper, .. }, stats, scratch, .. } = self;
        let counts::Report { integration, start_ms, dimensions, count, note } = report;
        let labels = scratch.restore_labels(note.labels);
        let name = IntegrationRef { integrations, index: integration }.name();
        let text = Shaper::report_text(start_ms, dimensions, count);
        let time = shaper.guarded(start_ms, now.millis());
        let mut entry = shaper.entry(time.entry_ms, note.severity, labels, Body::Document(text));
        time.mark(&mut entry, stats);
        entry.mark("report", Document::str("count"));
        entry.mark("integration", Document::str(name.to_owned()));
        shaper.fit(&mut entry, &Fields::default(), stats);
        entry
    }

    /// An entry that tells counters, such as those of the last minute ([`Stats::since`]); it is not counted itself.
    pub fn statistics(&mut self, stats: &Stats, now: Time) -> Entry<'_> {
        let Self { stages: Stages { shaper, .. }, scratch, .. } = self;
        let source =
            labels::Source { fields: &Fields::default(), kind: None, other: "statistics", integration: None };
        let labels = shaper.labels(&source, &mut scratch.labels);
        let mut entry = shaper.entry(now.millis(), Severity::Info, labels, Body::Document(Document::map([])));
        let mut all = Document::map([]);
        for (group, counters) in stats.non_zero() {
            let mut members = Document::map([]);
            for (name, count) in counters {
                let map = if group.is_empty() { &mut all } else { &mut members };
                map.insert(name, Document::uint(count));
            }
            if !group.is_empty() {
                all.insert(group, members);
            }
        }
        entry.mark("statistics", all);
        entry
    }

    /// The counters since the filter was built.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// Judges what the source finds, and passes the verdicts on.
struct Judge<'f, F> {
    stages: &'f mut Stages,
    stats: &'f mut Stats,
    scratch: &'f mut Scratch,
    now: Time,
    on: F,
    /// The number of verdicts.
    judged: u64,
}

impl<F: FnMut(Verdict<'_>)> Sink for Judge<'_, F> {
    #[inline]
    fn finding(&mut self, found: &Found<'_, '_>) {
        let Self { stages, stats, scratch: Scratch { entity, rule, key, labels, .. }, now, on, judged } =
            self;
        *judged = judged.saturating_add(1);
        let finding = Finding::of(found, entity, rule);
        match stages.decide(&finding, key, *now) {
            Ok(admitted) => {
                stats.keep(Some(found.kind));
                on(Verdict::Kept(stages.shape(&finding, &admitted, labels, stats, *now)));
            }
            Err(rejected) => on(rejected.counted(stats)),
        }
    }

    fn other(&mut self, other: &Other<'_, '_>) {
        let Self { stages, stats, scratch, now, on, judged } = self;
        *judged = judged.saturating_add(1);
        on(stages.other(other, &mut scratch.labels, stats, *now));
    }

    fn passes(&mut self, record: Record<'_>) -> bool {
        let passes = self.stages.shaper.passes(record, self.now);
        if passes {
            self.judged = self.judged.saturating_add(1);
            self.stats.passed = self.stats.passed.saturating_add(1);
            (self.on)(Verdict::Passed);
        }
        passes
    }

    fn takes_batches(&self) -> bool {
        !self.stages.single_output
    }
}

/// A finding, and its properties that filters and severity rows match on.
#[derive(Clone, Copy)]
struct Finding<'f, 'a> {
    found: &'f Found<'f, 'a>,
    fields: &'f Fields<'a>,
    input: MatchInput<'f>,
}

impl<'f, 'a: 'f> Finding<'f, 'a> {
    #[inline]
    fn of(found: &'f Found<'_, 'a>, entity: &'f mut String, rule: &'f mut String) -> Self {
        let (kind, fields) = (found.kind, &found.members.fields);
        let input = MatchInput {
            kind,
            etype: fields.etype(),
            category: fields.category(),
            confidence: fields.confidence(),
            entity: fields.utf8(fields.entity_field(kind), entity).unwrap_or_default(),
            rule: fields.utf8(Field::Rule, rule).unwrap_or_default(),
        };
        Self { found, fields, input }
    }

    /// Whether it is a count of selections.
    fn is_count(&self) -> bool {
        self.input.kind == Kind::Selection && self.fields.is_count()
    }

    fn flags(&self, count: bool) -> Flags {
        Flags { non_authorized: self.fields.truth(Field::NonAuthorized) == Some(true), count }
    }

    /// What its labels are taken from.
    fn source<'s>(&self, integration: IntegrationRef<'s>) -> labels::Source<'s, 'a>
    where
        'f: 's,
    {
        let kind = Some(self.input.kind);
        labels::Source { fields: self.fields, kind, other: "", integration: Some(integration) }
    }
}

/// A finding that is sent.
struct Admitted {
    integration: usize,
    time: EventTime,
    severity: Severity,
}

/// Why a finding is not sent.
enum Rejected {
    Dropped(Reason),
    Suppressed,
}

impl From<Reason> for Rejected {
    fn from(reason: Reason) -> Self {
        Self::Dropped(reason)
    }
}

impl Rejected {
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

impl Stages {
    fn new(config: &Config, seed: u64, source: &mut impl PatternSource) -> Result<Self, BuildError> {
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
            single_output: false,
            suppression: true,
        })
    }

    /// Takes over what goes on under another configuration.
    #[cfg(feature = "compile")]
    fn adopt(&mut self, old: Self) {
        let Self { integrations, limiter, counts, single_output, suppression, .. } = old;
        (self.single_output, self.suppression) = (single_output, suppression);
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

    /// Decides whether a finding is sent.
    #[cfg_attr(target_family = "wasm", inline(never))] // three kilobytes of the guest
    #[cfg_attr(not(target_family = "wasm"), inline)]
    fn decide(
        &mut self,
        finding: &Finding<'_, '_>,
        key: &mut String,
        now: Time,
    ) -> Result<Admitted, Rejected> {
        let integration = self.matcher.claim(&finding.input)?;
        let time = self.shaper.time(finding.fields, finding.found.scan.body, now);
        if time.out_of_range.is_some() && self.shaper.guard.on_stale == OnStale::Drop {
            return Err(Reason::Stale.into());
        }
        if self.suppression {
            if self.is_counted(integration, finding) {
                return Err(self.count(integration, *finding, time.finding_ms, now).into());
            }
            self.limit(integration, finding, key, now)?;
        }
        let severity = self.severity.of(&finding.input, finding.flags(finding.is_count()));
        Ok(Admitted { integration, time, severity })
    }

    /// Whether a finding's integration has it counted.
    fn is_counted(&self, integration: usize, finding: &Finding<'_, '_>) -> bool {
        let counts = |one: &Integration| one.report == Report::Count;
        finding.input.kind == Kind::Selection
            && self.integrations.get(integration).is_some_and(counts)
            && !finding.is_count()
    }

    /// Adds a finding to a count.
    #[inline(never)]
    fn count(&mut self, index: usize, finding: Finding<'_, '_>, time_ms: i64, now: Time) -> Reason {
        let dimensions = self.shaper.dimensions(finding.fields, &mut self.dimensions);
        let severity = self.severity.of(&finding.input, finding.flags(true));
        let integration = IntegrationRef { integrations: &self.integrations, index };
        let first = || self.shaper.note(&finding.source(integration), severity);
        self.counts.add(index, dimensions, time_ms, now, first, |note| note.further(severity));
        Reason::Counted
    }

    /// Asks the limit of a finding's integration; what it refuses is noted for a summary.
    #[inline]
    fn limit(
        &mut self,
        index: usize,
        finding: &Finding<'_, '_>,
        key: &mut String,
        now: Time,
    ) -> Result<(), Rejected> {
        let Finding { fields, input, .. } = finding;
        let admitted = self.limiter.admit(
            index,
            |by| match by {
                By::Entity => input.entity,
                By::Rule => fields.utf8(input.kind.subject_field(), key).unwrap_or_default(),
                By::Cluster => fields.utf8(Field::Cluster, key).unwrap_or_default(),
                By::None => b"",
            },
            now,
        );
        let Err(Refused { tally, key }) = admitted else { return Ok(()) };
        let severity = self.severity.of(input, finding.flags(finding.is_count()));
        let integration = IntegrationRef { integrations: &self.integrations, index };
        self.shaper.remember(&mut tally.note, &finding.source(integration), key, severity);
        Err(Rejected::Suppressed)
    }

    /// The entry of a finding that is sent.
    #[cfg_attr(target_family = "wasm", inline(never))] // three kilobytes of the guest
    #[cfg_attr(not(target_family = "wasm"), inline)]
    fn shape<'a>(
        &'a mut self,
        finding: &Finding<'_, 'a>,
        admitted: &Admitted,
        texts: &'a mut Texts,
        stats: &mut Stats,
        now: Time,
    ) -> Entry<'a> {
        let Admitted { integration: index, time, severity } = admitted;
        let integration = IntegrationRef { integrations: &self.integrations, index: *index };
        let labels = self.shaper.namer.label(&finding.source(integration), &self.shaper.redactor, texts);
        let Found { scan, members, copies, .. } = finding.found;
        let mut entry = self.shaper.entry(time.entry_ms, *severity, labels, Body::Verbatim(scan.body));
        time.mark(&mut entry, stats);
        if self.single_output && (self.limiter.owes_any() || self.counts.owes_any()) {
            self.mark_overdue(&mut entry, stats, now);
        }
        let original = OriginalBody {
            scan,
            quality: scan.quality(),
            fields: finding.fields,
            own: members.own,
            texts: members.has_candidates(),
            copies,
        };
        self.shaper.finish(&mut entry, &original, Scope::Fields, stats);
        entry
    }

    /// Attaches a summary and a report that have waited for a slot of their own for too long.
    #[cold]
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

    /// The verdict for a record that contains no finding, or for an item that is none.
    fn other<'a>(
        &'a mut self,
        other: &Other<'_, 'a>,
        texts: &'a mut Texts,
        stats: &mut Stats,
        now: Time,
    ) -> Verdict<'a> {
        match self.unrecognised {
            Unrecognised::Drop => return Rejected::Dropped(Reason::Unrecognised).counted(stats),
            Unrecognised::Pass if !other.item => {
                stats.passed = stats.passed.saturating_add(1);
                return Verdict::Passed;
            }
            // An item cannot stay in the stream as it is, since the record does not.
            Unrecognised::Wrap | Unrecognised::Pass => stats.keep(None),
        }
        let word = match other.error {
            _ if other.batch => "batch",
            Some(error) if error.kind == SyntaxErrorKind::NotAnObject => "not-an-object",
            Some(_) => "malformed",
            None => "not-a-finding",
        };
        // The fields of a broken record are not used.
        let none = Fields::default();
        let fields = match (&other.content, other.members) {
            (Content::Object(_), Some(members)) => &members.fields,
            _ => &none,
        };
        let source = labels::Source { fields, kind: None, other: "unrecognised", integration: None };
        let labels = self.shaper.labels(&source, texts);
        let body = Body::Document(Document::default());
        let mut entry = self.shaper.entry(now.millis(), Severity::Info, labels, body);
        entry.mark("unrecognised", Document::str(word));
        if let Some(error) = other.error.filter(|_| word == "malformed") {
            entry.mark("error", Document::str(error.to_string()));
        }
        match other.content {
            Content::Object(scan) => {
                let own = other.members.is_some_and(|members| members.own);
                let original = OriginalBody {
                    scan: &scan,
                    quality: scan.quality(),
                    fields,
                    own,
                    texts: true,
                    copies: &[],
                };
                entry.body = Body::Verbatim(scan.body);
                self.shaper.finish(&mut entry, &original, Scope::Everything, stats);
            }
            Content::Text(text) => self.shaper.message(&mut entry, text, stats),
            Content::Value(record) if record.encoding() == Encoding::Json => {
                self.shaper.message(&mut entry, record.bytes(), stats);
            }
            Content::Value(record) => self.shaper.unreadable(&mut entry, record, stats),
        }
        Verdict::Kept(entry)
    }
}

/// Reads the times that findings give of themselves: for a host that replays findings, their arrival.
pub struct FindingTimes(Source);

impl FindingTimes {
    /// For findings where a configuration looks for them.
    pub fn new(config: &Config) -> Self {
        Self(Source::new(&config.look_in))
    }

    /// The time of the record's first finding that has one; `None` if there is none.
    pub fn first(&mut self, record: Record<'_>) -> Option<Time> {
        let mut first = FirstTime(None);
        self.0.read(record, &mut first);
        first.0
    }
}

/// Keeps the time of the first finding that has one.
struct FirstTime(Option<Time>);

impl Sink for FirstTime {
    fn finding(&mut self, found: &Found<'_, '_>) {
        let time = shape::own_time(&found.members.fields, found.scan.body, |_| true);
        self.0 = self.0.or(time.map(Time::from_millis));
    }

    fn other(&mut self, _: &Other<'_, '_>) {}

    fn passes(&mut self, _: Record<'_>) -> bool {
        false
    }

    fn takes_batches(&self) -> bool {
        true
    }
}
