//! Runs the stages in order: read, recognise, match, count, limit, shape.
//! No other module knows this order.
//!
//! [`Filter::new`] can fail; [`Filter::process`] cannot. A verdict borrows the record and the filter's buffers: a
//! dropped record costs no allocation, and a kept one only the allocations that redaction or truncation need.

#[cfg(feature = "detect")]
mod detections;
mod events;
#[cfg(feature = "compile")]
pub mod explain;
mod integration;
mod labels;
mod pending;
mod shape;
mod transit;

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use crate::config::{By, Config, Guard, OnStale, Report, Severity, Unrecognised};
use crate::counts::{self, Counts};
use crate::entry::{Entry, Labels, Mark, Names};
use crate::finding::{Field, Fields, Kind, MatchInput};
use crate::limit::{LimitExceeded, Limiter, Summary};
use crate::matcher::Matcher;
use crate::pattern::{BuildError, PatternSource};
use crate::record::{Body, Document, Encoding, Record, SyntaxErrorKind};
use crate::redact::Scope;
use crate::severity::{SeverityFlags, SeverityTable};
use crate::source::{Content, EVENTS, Found, FoundEvent, NotAFinding, Recogniser, Sink};
use crate::stats::{Reason, Stats};
use crate::time::Time;
use events::EventStage;
pub use events::RuleCount;
use integration::{CompiledIntegration, IntegrationRef};
use labels::LabelBuffers;
use pending::{OwnedLabels, PendingMeta, SuppressedSample};
use shape::{EventTime, OriginalBody, Shaper};

/// The engine, built from a checked configuration.
pub struct Filter {
    stages: Stages,
    /// `None`: audit events are not evaluated.
    events: Option<Box<EventStage>>,
    stats: Stats,
    recogniser: Recogniser,
    scratch: Scratch,
}

/// The stages that decide about a finding and shape its entry.
struct Stages {
    integrations: Vec<CompiledIntegration>,
    matcher: Matcher,
    severity: SeverityTable,
    limiter: Limiter<SuppressedSample>,
    counts: Counts<PendingMeta>,
    /// Buffers for the dimensions of the finding that is being counted.
    dimensions: [String; counts::DIMENSIONS],
    shaper: Shaper,
    unrecognised: Unrecognised,
    single_output: bool,
    suppression: bool,
}

/// The outcome for one finding, or for a record that contains none.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// The finding is sent as this entry.
    Kept(Entry<'a>),
    /// The finding or record is not sent, and is counted under this reason.
    Dropped(Reason),
    /// A rate limit suppresses the finding; a summary will report it in its count.
    Suppressed,
    /// The record stays in the stream unchanged.
    /// It contains no finding, or is an entry of the filter's own.
    Passed,
}

/// Buffers that are reused for every record.
#[derive(Default)]
struct Scratch {
    entity: String,
    rule: String,
    key: String,
    labels: LabelBuffers,
    /// The names of a summary or report.
    names: Names,
    owned: OwnedLabels,
}

impl Scratch {
    /// Returns copied labels as the labels of an entry.
    fn restore_labels(&mut self, owned: OwnedLabels) -> Labels<'_> {
        self.owned = owned;
        let [application, subsystem, computer, cluster, category, class, method, thread] = &self.owned;
        self.names.set([application, subsystem, computer, cluster]);
        Labels { names: &self.names, category, class, method, thread, plain: false }
    }
}

impl Filter {
    /// Compiles a configuration.
    /// `seed` is the secret of the limiter's and the counts' tables, so that a sender cannot choose names that collide.
    /// A host takes it from the system's random source.
    ///
    /// # Errors
    /// The patterns are too large in total. A single pattern that is too large was reported when the configuration was
    /// read.
    #[cfg(feature = "compile")]
    pub fn new(config: &Config, seed: u64) -> Result<Self, BuildError> {
        Self::build(config, seed, &mut crate::pattern::PatternCompiler)
    }

    /// Builds a filter with patterns from any source: compiled, or read from tables.
    pub(crate) fn build(
        config: &Config,
        seed: u64,
        source: &mut impl PatternSource,
    ) -> Result<Self, BuildError> {
        let activity = config.integrations.iter().any(|one| one.applies && one.kind == Kind::Activity);
        let audit = config.audit.as_ref().filter(|_| EVENTS);
        let events = audit.map(|audit| EventStage::new(audit, activity, seed, source));
        Ok(Self {
            stages: Stages::new(config, seed, source)?,
            events: events.transpose()?.map(Box::new),
            stats: Stats::default(),
            recogniser: Recogniser::new(&config.look_in, EVENTS && config.audit.is_some()),
            scratch: Scratch { labels: LabelBuffers::with_cache(), ..Scratch::default() },
        })
    }

    /// Replaces the configuration.
    /// The counters continue. An integration with the same name, type, report and limit keeps the state of its limit
    /// and its counts. Pending summaries and reports of a removed integration are still emitted when they are due.
    ///
    /// # Errors
    /// The same as for [`Filter::new`]; the filter is then unchanged.
    #[cfg(feature = "compile")]
    pub fn replace(&mut self, config: &Config, seed: u64) -> Result<(), BuildError> {
        let new = Self::new(config, seed)?;
        let old = core::mem::replace(self, new);
        self.stats = old.stats;
        self.stages.adopt(old.stages);
        if let (Some(events), Some(old)) = (&mut self.events, old.events) {
            events.adopt(*old);
        }
        Ok(())
    }

    /// Disables the key cache and the reading of events without other keys, and forgets what the policy found in recent
    /// events, for tests that compare results. They change costs only.
    #[cfg(feature = "compile")]
    #[doc(hidden)]
    pub fn forget_caches(&mut self, config: &Config) {
        self.recogniser = Recogniser::uncached(&config.look_in, config.audit.is_some());
        self.events.iter_mut().for_each(|events| events.forget_recent());
    }

    /// Declares that the host returns at most one entry for each record.
    ///
    /// A summary or report that has waited for the slot of a dropped record for as long as `summary-every` is then
    /// attached to the next finding that is kept. A record with several findings is not split: it is kept as one entry
    /// that contains them all, marked `batch`.
    pub fn set_single_output(&mut self) {
        self.stages.single_output = true;
    }

    /// Enables or disables rate limits and count reports.
    /// A host disables them if it may end before it can send a summary. They are enabled by default.
    pub fn set_suppression_enabled(&mut self, enabled: bool) {
        self.stages.suppression = enabled;
    }

    /// Returns whether the configuration has limits or count reports.
    pub fn may_suppress(&self) -> bool {
        let counts = |integration: &CompiledIntegration| integration.report == Report::Count;
        self.stages.limiter.is_needed() || self.stages.integrations.iter().any(counts)
    }

    /// Decides about a record that arrived at `now`.
    /// Calls `on` once for each finding in the record, in order, or once for a record that contains none.
    #[inline]
    pub fn process(&mut self, record: Record<'_>, now: Time, on: impl FnMut(Verdict<'_>)) {
        let Self { stages, events, stats, recogniser, scratch } = self;
        let events = events.as_deref_mut();
        let mut judge = Judge { stages, events, stats, scratch, now, on, verdicts: 0, collected: Vec::new() };
        recogniser.read(record, &mut judge);
        judge.emit_collected();
        let verdicts = judge.verdicts;
        stats.count_record(verdicts);
    }

    /// Returns the next detection, summary or count report that is due.
    /// Call it until it returns `None`.
    pub fn due(&mut self, now: Time) -> Option<Entry<'_>> {
        self.next_pending(now, false)
    }

    /// Returns the next pending detection, summary or report, due or not.
    /// Call it on shutdown until it returns `None`. It closes the windows of detections.
    pub fn finish(&mut self, now: Time) -> Option<Entry<'_>> {
        self.next_pending(now, true)
    }

    fn next_pending(&mut self, now: Time, all: bool) -> Option<Entry<'_>> {
        #[cfg(feature = "detect")]
        if let Some(made) = self.next_detection(now, all) {
            return self.detection(&made, now);
        }
        if let Some(summary) = self.stages.limiter.summary(now, all) {
            self.stats.summarise(summary.tally.count);
            return self.summary(summary, now);
        }
        let report = self.stages.counts.report(now, all)?;
        self.stats.report(report.count);
        Some(self.report(report, now))
    }

    fn summary(&mut self, summary: Summary<SuppressedSample>, now: Time) -> Option<Entry<'_>> {
        let Self { stages: Stages { integrations, shaper, .. }, stats, scratch, .. } = self;
        let (text, PendingMeta { severity, labels }) = shaper.summary_document(integrations, summary)?;
        let labels = scratch.restore_labels(labels);
        let body = Body::Document(Document::map([]));
        let mut entry = shaper.entry((now.millis(), now), severity, labels, body);
        entry.mark(Mark::Summary, text);
        shaper.fit(&mut entry, &Fields::default(), stats);
        Some(entry)
    }

    fn report(&mut self, report: counts::CountReport<PendingMeta>, now: Time) -> Entry<'_> {
        let Self { stages: Stages { integrations, shaper, .. }, stats, scratch, .. } = self;
        let counts::CountReport { integration, start_ms, dimensions, count, meta } = report;
        let labels = scratch.restore_labels(meta.labels);
        let name = IntegrationRef { integrations, index: integration }.name();
        let text = Shaper::report_document(start_ms, dimensions, count);
        let time = shaper.clamped_time(start_ms, now.millis());
        let mut entry = shaper.entry((time.entry_ms, now), meta.severity, labels, Body::Document(text));
        time.mark(&mut entry, stats);
        entry.mark(Mark::Report, Document::str("count"));
        entry.mark(Mark::Integration, Document::str(name.to_owned()));
        shaper.fit(&mut entry, &Fields::default(), stats);
        entry
    }

    /// Returns an entry that contains counters.
    /// Example: the counters of the last minute ([`Stats::since`]). The entry itself is not counted.
    pub fn statistics(&mut self, stats: &Stats, now: Time) -> Entry<'_> {
        let Self { stages: Stages { shaper, .. }, scratch, .. } = self;
        let source = labels::LabelSource {
            fields: &Fields::default(),
            kind: None,
            other: "statistics",
            integration: None,
        };
        let labels = shaper.labels(&source, &mut scratch.labels);
        let body = Body::Document(Document::map([]));
        let mut entry = shaper.entry((now.millis(), now), Severity::Info, labels, body);
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
        entry.mark(Mark::Statistics, all);
        entry
    }

    /// Returns the counters of the policy's rules, in its order.
    pub fn rule_counts(&self) -> impl Iterator<Item = RuleCount<'_>> {
        self.events.iter().flat_map(|events| events.rule_counts())
    }

    /// Returns the number of keys in the table of rate limits, and the maximum (`rate-limit.max-keys`).
    pub fn limiter_fill(&self) -> (usize, usize) {
        self.stages.limiter.fill()
    }

    /// Returns the configured limits of times and sizes.
    pub fn guard(&self) -> &Guard {
        &self.stages.shaper.guard
    }

    /// Returns the number of series with a baseline, and the maximum (`detect.max-series`); zero without `detect`.
    pub fn series_fill(&self) -> (usize, usize) {
        #[cfg(feature = "detect")]
        if let Some(detector) = self.events.as_ref().and_then(|events| events.detector.as_ref()) {
            return detector.series();
        }
        (0, 0)
    }

    /// Returns the counters since the filter was built.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// Decides about everything that the source finds, and reports the verdicts.
struct Judge<'f, F> {
    stages: &'f mut Stages,
    /// `None` also while an event is evaluated.
    events: Option<&'f mut EventStage>,
    stats: &'f mut Stats,
    scratch: &'f mut Scratch,
    now: Time,
    on: F,
    /// The number of verdicts so far.
    verdicts: u64,
    /// The findings of the record's audit events that are sent, on a host that returns one entry for each record.
    collected: Vec<Collected>,
}

/// A finding of an audit event that is sent together with others.
struct Collected {
    text: Vec<u8>,
    rule: Option<usize>,
    admitted: Admitted,
}

impl<F: FnMut(Verdict<'_>)> Judge<'_, F> {
    /// Counts the result of evaluating an event.
    fn evaluated(&mut self, result: Result<u64, (Reason, u64)>) {
        let (Ok(undecided) | Err((_, undecided))) = result;
        self.stats.undecided = self.stats.undecided.saturating_add(undecided);
        if let Err((reason, _)) = result {
            self.reject(reason);
        }
    }

    fn reject(&mut self, reason: Reason) {
        self.verdicts = self.verdicts.saturating_add(1);
        (self.on)(Rejected::Dropped(reason).count_in(self.stats));
    }

    /// Decides about a finding that was made of an audit event.
    fn event_finding(&mut self, found: &Found<'_, '_>) {
        if !self.stages.single_output {
            return self.finding(found);
        }
        self.verdicts = self.verdicts.saturating_add(1);
        let Scratch { entity, rule, key, .. } = &mut *self.scratch;
        match self.stages.decide(&Finding::of(found, entity, rule), key, self.now) {
            Ok(admitted) => {
                self.stats.keep(Some(found.kind));
                let text = found.scan.body.bytes().to_vec();
                let rule = found.rule.map(|rule| rule.index);
                self.collected.push(Collected { text, rule, admitted });
            }
            Err(rejected) => (self.on)(rejected.count_in(self.stats)),
        }
    }

    /// Emits the findings that were collected, as one entry.
    #[inline]
    fn emit_collected(&mut self) {
        if EVENTS && !self.collected.is_empty() {
            self.emit_all_collected();
        }
    }

    #[cold]
    fn emit_all_collected(&mut self) {
        let Self { stages, events, stats, scratch, now, on, collected, .. } = self;
        let Scratch { entity, rule, labels, .. } = &mut **scratch;
        let Some(events) = events else { return };
        let number = collected.len();
        let severity = collected.iter().map(|one| one.admitted.severity).max();
        let mut all = b"{\"selections\":[".to_vec();
        for (at, one) in collected.iter().enumerate() {
            all.extend_from_slice(if at == 0 { b"" } else { b"," });
            all.extend_from_slice(&one.text);
        }
        all.extend_from_slice(b"]}");
        if let Some(Collected { text, rule: index, mut admitted }) =
            core::mem::take(collected).into_iter().next()
        {
            admitted.severity = severity.unwrap_or(admitted.severity);
            events.read_again(&text, index, &mut |found| {
                if number == 1 {
                    let finding = Finding::of(found, entity, rule);
                    on(Verdict::Kept(stages.shape(&finding, &admitted, labels, Origin::Record, stats, *now)));
                    return;
                }
                let Ok(scan) = Record::json(&all).check() else { return };
                let found = Found { scan: &scan, copies: Vec::new(), rule: None, ..*found };
                let finding = Finding::of(&found, entity, rule);
                let origin = Origin::Selections(number as u64);
                on(Verdict::Kept(stages.shape(&finding, &admitted, labels, origin, stats, *now)));
            });
        }
    }
}

impl<F: FnMut(Verdict<'_>)> Sink for Judge<'_, F> {
    fn event(&mut self, event: &FoundEvent<'_, '_>) {
        let Some(events) = self.events.take().filter(|_| EVENTS) else { return };
        let evaluated = events.evaluate(event, self.now, &mut |found| self.event_finding(found));
        self.events = Some(events);
        self.evaluated(evaluated);
    }

    fn legacy_event(&mut self) {
        self.reject(Reason::LegacyEvent);
    }

    #[inline]
    fn finding(&mut self, found: &Found<'_, '_>) {
        let Self {
            stages, stats, scratch: Scratch { entity, rule, key, labels, .. }, now, on, verdicts, ..
        } = self;
        *verdicts = verdicts.saturating_add(1);
        let finding = Finding::of(found, entity, rule);
        match stages.decide(&finding, key, *now) {
            Ok(admitted) => {
                stats.keep(Some(found.kind));
                on(Verdict::Kept(stages.shape(&finding, &admitted, labels, Origin::Record, stats, *now)));
            }
            Err(rejected) => on(rejected.count_in(stats)),
        }
    }

    fn not_a_finding(&mut self, other: &NotAFinding<'_, '_>) {
        if other.item && self.stages.single_output {
            // Only audit events are split there, and their record is not sent.
            return self.reject(Reason::Unrecognised);
        }
        let Self { stages, stats, scratch, now, on, verdicts, .. } = self;
        *verdicts = verdicts.saturating_add(1);
        on(stages.other(other, &mut scratch.labels, stats, *now));
    }

    fn passes(&mut self, record: Record<'_>) -> bool {
        let passes = self.stages.shaper.passes(record, self.now);
        if passes {
            self.verdicts = self.verdicts.saturating_add(1);
            self.stats.passed = self.stats.passed.saturating_add(1);
            (self.on)(Verdict::Passed);
        }
        passes
    }

    fn takes_batches(&self) -> bool {
        !self.stages.single_output
    }
}

/// A finding with the values that data filters and severity rows match on.
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

    /// Returns whether the finding is a count of selections.
    fn is_count(&self) -> bool {
        self.input.kind == Kind::Selection && self.fields.is_count()
    }

    fn flags(&self, count: bool) -> SeverityFlags {
        SeverityFlags { non_authorized: self.fields.truth(Field::NonAuthorized) == Some(true), count }
    }

    /// Returns the source of the entry's names and labels.
    fn label_source<'s>(&self, integration: IntegrationRef<'s>) -> labels::LabelSource<'s, 'a>
    where
        'f: 's,
    {
        let kind = Some(self.input.kind);
        labels::LabelSource { fields: self.fields, kind, other: "", integration: Some(integration) }
    }
}

/// A finding that is sent.
struct Admitted {
    integration: usize,
    time: EventTime,
    severity: Severity,
}

/// The origin of the body of an entry.
#[derive(Clone, Copy)]
enum Origin {
    /// A finding that was received, or made of one event.
    Record,
    /// Several selections of one event, in a list.
    Selections(u64),
    /// The detector, with the usual count and the time since the first event of the cluster.
    #[cfg(feature = "detect")]
    Detection { expected: u32, history_ms: i64 },
}

/// The reason why a finding is not sent.
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
    fn count_in<'a>(self, stats: &mut Stats) -> Verdict<'a> {
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
        let integrations = config.integrations.iter().map(|integration| CompiledIntegration {
            name: integration.name.clone(),
            kind: integration.kind,
            report: integration.filter.report,
        });
        Ok(Self {
            integrations: integrations.collect(),
            matcher: Matcher::new(&config.integrations, source)?,
            severity: SeverityTable::new(&config.severity, source)?,
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

    /// Takes over state from the stages of the previous configuration.
    #[cfg(feature = "compile")]
    fn adopt(&mut self, old: Self) {
        let Self { integrations, limiter, counts, single_output, suppression, .. } = old;
        (self.single_output, self.suppression) = (single_output, suppression);
        let mut indices = Vec::new();
        for (index, integration) in integrations.into_iter().enumerate() {
            let rule = limiter.rule(index);
            let same = self.integrations.iter().enumerate().position(|(other_index, other)| {
                *other == integration
                    && self.limiter.rule(other_index) == rule
                    && !indices.contains(&Some(other_index))
            });
            indices.push(same.or_else(|| {
                // A removed integration with pending output gets an index after those that are matched.
                let pending = limiter.is_pending(index) || counts.is_pending(index);
                pending.then(|| {
                    self.integrations.push(integration);
                    self.integrations.len().saturating_sub(1)
                })
            }));
        }
        self.limiter.adopt(limiter, &indices);
        self.counts.adopt(counts, &indices);
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
        let integration = self.matcher.first_match(&finding.input)?;
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
        let severity = rule_severity(finding);
        let severity = self.severity.lookup(&finding.input, finding.flags(finding.is_count()), severity);
        Ok(Admitted { integration, time, severity })
    }

    /// Returns whether the finding is counted instead of sent.
    fn is_counted(&self, integration: usize, finding: &Finding<'_, '_>) -> bool {
        let counts = |one: &CompiledIntegration| one.report == Report::Count;
        finding.input.kind == Kind::Selection
            && self.integrations.get(integration).is_some_and(counts)
            && !finding.is_count()
    }

    /// Adds a finding to its count report.
    #[inline(never)]
    fn count(&mut self, index: usize, finding: Finding<'_, '_>, time_ms: i64, now: Time) -> Reason {
        let dimensions = self.shaper.dimensions(finding.fields, &mut self.dimensions);
        let severity = rule_severity(&finding);
        let severity = self.severity.lookup(&finding.input, finding.flags(true), severity);
        let integration = IntegrationRef { integrations: &self.integrations, index };
        let first = || self.shaper.pending_meta(&finding.label_source(integration), severity);
        self.counts.add(index, dimensions, time_ms, now, first, |meta| meta.add_severity(severity));
        Reason::Counted
    }

    /// Applies the integration's rate limit.
    /// A finding that exceeds it is added to a pending summary.
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
        let Err(LimitExceeded { tally, key }) = admitted else { return Ok(()) };
        let severity = rule_severity(finding);
        let severity = self.severity.lookup(input, finding.flags(finding.is_count()), severity);
        let integration = IntegrationRef { integrations: &self.integrations, index };
        self.shaper.add_suppressed(&mut tally.meta, &finding.label_source(integration), key, severity);
        Err(Rejected::Suppressed)
    }

    /// Returns the entry of a finding that is sent.
    #[cfg_attr(target_family = "wasm", inline(never))] // three kilobytes of the guest
    #[cfg_attr(not(target_family = "wasm"), inline)]
    fn shape<'a>(
        &'a mut self,
        finding: &Finding<'_, 'a>,
        admitted: &Admitted,
        buffers: &'a mut LabelBuffers,
        origin: Origin,
        stats: &mut Stats,
        now: Time,
    ) -> Entry<'a> {
        let Admitted { integration: index, time, severity } = admitted;
        let integration = IntegrationRef { integrations: &self.integrations, index: *index };
        let labels =
            self.shaper.namer.label(&finding.label_source(integration), &self.shaper.redactor, buffers);
        let Found { scan, members, copies, .. } = finding.found;
        let body = Body::Verbatim(scan.body);
        let mut entry = self.shaper.entry((time.entry_ms, now), *severity, labels, body);
        time.mark(&mut entry, stats);
        if let Some(rule) = finding.found.rule {
            events::mark_rule(rule, &mut entry);
        }
        match origin {
            Origin::Record => (),
            Origin::Selections(number) => entry.mark(Mark::Selections, Document::uint(number)),
            #[cfg(feature = "detect")]
            Origin::Detection { expected, history_ms } => {
                let expected = ("expected", Document::uint(expected.into()));
                let history = ("history-ms", Document::int(history_ms));
                entry.mark(Mark::Detection, Document::map([expected, history]));
            }
        }
        if self.single_output && (self.limiter.any_pending() || self.counts.any_pending()) {
            self.mark_overdue(&mut entry, stats, now);
        }
        let original = OriginalBody {
            scan,
            quality: scan.quality(),
            fields: finding.fields,
            has_own_key: members.has_own_key,
            has_text: members.has_candidates(),
            copies,
        };
        // The rules of `redact` name fields of a finding, not of a list of findings.
        let is_list = matches!(origin, Origin::Selections(_));
        let scope = if is_list { Scope::Everything } else { Scope::Fields };
        self.shaper.apply_changes(&mut entry, &original, scope, stats);
        entry
    }

    /// Attaches a summary and a report that are overdue to an entry.
    #[cold]
    fn mark_overdue(&mut self, entry: &mut Entry<'_>, stats: &mut Stats, now: Time) {
        if let Some(summary) = self.limiter.overdue(now) {
            stats.summarise(summary.tally.count);
            if let Some((text, ..)) = self.shaper.summary_document(&self.integrations, summary) {
                entry.mark(Mark::Summary, text);
            }
        }
        if let Some(report) = self.counts.overdue(now) {
            stats.report(report.count);
            entry.mark(
                Mark::Counted,
                Shaper::report_document(report.start_ms, report.dimensions, report.count),
            );
        }
    }

    /// Returns the verdict for a record or batch item that is not a finding.
    fn other<'a>(
        &'a mut self,
        other: &NotAFinding<'_, 'a>,
        buffers: &'a mut LabelBuffers,
        stats: &mut Stats,
        now: Time,
    ) -> Verdict<'a> {
        match self.unrecognised {
            Unrecognised::Drop => return Rejected::Dropped(Reason::Unrecognised).count_in(stats),
            Unrecognised::Pass if !other.item => {
                stats.passed = stats.passed.saturating_add(1);
                return Verdict::Passed;
            }
            // An item cannot stay in the stream unchanged, since its record does not.
            Unrecognised::Wrap | Unrecognised::Pass => stats.keep(None),
        }
        let mark = match other.error {
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
        let source = labels::LabelSource { fields, kind: None, other: "unrecognised", integration: None };
        let labels = self.shaper.labels(&source, buffers);
        let body = Body::Document(Document::default());
        let mut entry = self.shaper.entry((now.millis(), now), Severity::Info, labels, body);
        entry.mark(Mark::Unrecognised, Document::str(mark));
        if let Some(error) = other.error.filter(|_| mark == "malformed") {
            entry.mark(Mark::Error, Document::str(error.to_string()));
        }
        match other.content {
            Content::Object(scan) => {
                let has_own_key = other.members.is_some_and(|members| members.has_own_key);
                let original = OriginalBody {
                    scan: &scan,
                    quality: scan.quality(),
                    fields,
                    has_own_key,
                    has_text: true,
                    copies: &[],
                };
                entry.body = Body::Verbatim(scan.body);
                self.shaper.apply_changes(&mut entry, &original, Scope::Everything, stats);
            }
            Content::Text(text) => self.shaper.set_text_body(&mut entry, text, stats),
            Content::Value(record) if record.encoding() == Encoding::Json => {
                self.shaper.set_text_body(&mut entry, record.bytes(), stats);
            }
            Content::Value(record) => self.shaper.set_unreadable_body(&mut entry, record, stats),
        }
        Verdict::Kept(entry)
    }
}

/// Returns the severity that the rule of a selection states, if it does.
#[inline]
fn rule_severity(finding: &Finding<'_, '_>) -> Option<Severity> {
    finding.found.rule?.severity
}

/// Reads the times that findings contain.
/// A host that replays findings uses them as the times of arrival.
pub struct FindingTimes(Recogniser);

impl FindingTimes {
    /// Creates a reader that searches findings as the configuration does.
    pub fn new(config: &Config) -> Self {
        Self(Recogniser::new(&config.look_in, config.audit.is_some()))
    }

    /// Returns the time of the record's first finding that has one.
    pub fn first(&mut self, record: Record<'_>) -> Option<Time> {
        let mut first = FirstTime(None);
        self.0.read(record, &mut first);
        first.0
    }
}

/// A sink that stores the time of the first finding that has one.
struct FirstTime(Option<Time>);

impl Sink for FirstTime {
    fn finding(&mut self, found: &Found<'_, '_>) {
        let time = shape::finding_time(&found.members.fields, found.scan.body, |_| true);
        self.0 = self.0.or(time.map(Time::from_millis));
    }

    fn event(&mut self, event: &FoundEvent<'_, '_>) {
        self.0 = self.0.or_else(|| events::event_time(event));
    }

    fn legacy_event(&mut self) {}

    fn not_a_finding(&mut self, _: &NotAFinding<'_, '_>) {}

    fn passes(&mut self, _: Record<'_>) -> bool {
        false
    }

    fn takes_batches(&self) -> bool {
        true
    }
}
