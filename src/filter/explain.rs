//! Explains a verdict with every check that led to it.
//! An explanation contains the kind of the record and the path of the finding, the clause of each integration that
//! rejected it with the tested text, the state of the limit, the severity row and all changes.
//!
//! The verdict comes from the same code that [`Filter::process`] uses. The checks are repeated with one integration,
//! one severity row and one redaction rule each. Decision: no hook in the stages, which would cost time for all records
//! that are not explained.
//!
//! An explanation contains no value that `redact` overwrites: fields and matched texts are redacted by the rules of
//! their field, the limiter key by all rules.

use alloc::borrow::ToOwned as _;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

#[cfg(feature = "otlp")]
use crate::config::Shape;
use crate::config::{By, Config, Integration, OnStale, Redaction, Report, Severity, SeverityRow};
use crate::entry::Entry;
#[cfg(feature = "otlp")]
use crate::envelope::Form;
use crate::finding::{DetectionKind, Field, Fields, Instant, Kind, MatchInput};
use crate::limit::LimitStatus;
use crate::matcher::Matcher;
use crate::pattern::{BuildError, PatternCompiler, PatternFinder, PatternSource};
use crate::policy::{ExplainedRule, SeenValue};
use crate::record::{Event, Limits, Number, Record, Value};
use crate::redact::{Editor, Redactor, Scope};
use crate::severity::{self, SeverityFlags, SeverityTable};
use crate::source::{Content, Found, FoundEvent, NotAFinding, PathStep, Recogniser, Sink};
use crate::stats::{Reason, Stats};
use crate::time::Time;

use super::events::EventExplainer;
use super::{Filter, Judge, Verdict};

/// The outcome of a record, and the reasons for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The kind of the record.
    pub recognised: Recognised,
    /// The fields that can decide, by name, redacted; only those present.
    pub fields: Vec<(&'static str, String)>,
    /// Every integration, in the order in which they are checked.
    pub integrations: Vec<Step>,
    /// The finding's own time in milliseconds since 1970; `None`: it has none.
    pub time_ms: Option<i64>,
    /// `too-old` or `too-far-ahead` if the time is out of the guard's range.
    pub stale: Option<&'static str>,
    /// The rate limit that was applied, in its state before this finding.
    pub limit: Option<LimitCheck>,
    /// The severity row that matched.
    pub severity: Option<SeverityMatch>,
    /// The changes that were made to the entry.
    pub changes: Vec<Change>,
    /// Every rule of the policy with its conditions and the values seen, if the record is an audit event.
    pub rules: Vec<ExplainedRule>,
    /// The kinds of detections that an audit event contributes to, each with its value, redacted; it may be empty.
    pub contributions: Vec<(DetectionKind, String)>,
    /// Its verdict.
    pub outcome: Outcome,
    /// In the shape otlp, the `ResourceLogs` object as which its entry is sent.
    #[cfg(feature = "otlp")]
    pub resource_logs: Option<String>,
}

/// The kind of a record.
#[derive(Clone, Debug)]
pub enum Recognised {
    /// A finding.
    Finding {
        /// The kind of finding.
        kind: Kind,
        /// The keys that identify it, such as "`etype` and `eid`".
        because: &'static str,
        /// Its path in the record; empty for the record itself.
        /// Example: `records[0].properties.log`. `#2` is the second object or line of a text.
        path: String,
    },
    /// Not a finding.
    Other {
        /// The missing keys, or the error.
        because: String,
        /// The path of an item of a batch; empty for a record.
        path: String,
        /// The paths that were searched for a finding.
        searched: Vec<String>,
    },
    /// A Kubernetes audit event that becomes no finding.
    Event {
        /// Its path in the record; empty for the record itself.
        path: String,
    },
    /// An entry of the filter's own that passes unchanged.
    OwnOutput,
}

/// An integration, and the result of matching the finding against it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Step {
    /// The index in the list of integrations.
    pub index: usize,
    /// The integration's name.
    pub name: String,
    /// The integration's type.
    pub kind: Kind,
    /// The line of the configuration on which the integration begins.
    pub line: usize,
    /// The result of the match.
    pub result: MatchResult,
    /// The clauses in the order of the checks, up to the one that rejected.
    pub clauses: Vec<Clause>,
}

/// The result of matching a finding against an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchResult {
    /// The integration is of another type.
    OtherType,
    /// The integration's target is not Coralogix.
    DoesNotApply,
    /// A clause rejects the finding.
    Rejects(Reason),
    /// The integration accepts the finding, but is stopped.
    Stopped,
    /// The integration is the first that accepts the finding, and gets it.
    Matches,
    /// The integration accepts the finding, but an earlier one gets it.
    Shadowed,
}

/// A clause of a data filter that was checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Clause {
    /// The clause's name in the configuration, which is also the reason of drops.
    pub name: &'static str,
    /// The clause's list of values, or its pattern.
    pub expected: String,
    /// The tested text, redacted; empty if the finding has no such field.
    pub tested: String,
    /// The pattern's first match in the tested text.
    /// If redaction overwrote the match, all of the tested text.
    pub matched: Option<String>,
    /// Whether the clause accepts the finding.
    pub accepts: bool,
}

/// The state of a rate limit when it was applied to a finding.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LimitCheck {
    /// The number of findings allowed in a period.
    pub limit: u32,
    /// The period, in nanoseconds.
    pub period_ns: u64,
    /// The property whose values have a limit of their own.
    pub by: By,
    /// The value of that property, redacted; empty for the whole integration.
    pub key: String,
    /// The number of findings that could pass now.
    pub free: u32,
    /// The time until the next finding can pass, in nanoseconds; 0: now.
    pub wait_ns: u64,
    /// The number of findings suppressed since the last summary.
    pub suppressed: u64,
}

/// The row of the severity table that matched.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SeverityMatch {
    /// The severity of the row.
    pub severity: Severity,
    /// The index of the operator's row; `None` for a built-in row.
    pub row: Option<usize>,
    /// The index of the built-in row, if no row of the operator's matched and the policy's rule states no severity.
    pub builtin: Option<usize>,
}

/// A change of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The timestamp is the time of arrival, since the finding's own is out of range.
    Clamped,
    /// The finding has no time; the timestamp is the time of arrival.
    NoTime,
    /// Values were overwritten by a redaction rule.
    Redacted {
        /// The index of the rule in the list.
        rule: usize,
        /// The number of values.
        values: u64,
    },
    /// The text was truncated.
    Truncated {
        /// The size of the entry before truncation.
        bytes: u64,
    },
}

/// The outcome of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The record is sent as this entry, in JSON.
    Kept(String),
    /// The record is dropped.
    Dropped(Reason),
    /// A rate limit suppresses the finding.
    Suppressed,
    /// The record stays in the stream unchanged.
    Passed,
}

/// A filter that explains its verdicts.
pub struct Explainer {
    filter: Filter,
    recogniser: Recogniser,
    checks: Checks,
}

/// The stages in parts: one integration, row or rule at a time.
struct Checks {
    config: Config,
    singles: Vec<SingleIntegration>,
    rows: Vec<SeverityTable>,
    redactors: Vec<Redactor>,
    events: Option<EventExplainer>,
}

/// A sink that explains everything the source finds in one record.
struct ExplainSink<'e> {
    filter: &'e mut Filter,
    checks: &'e mut Checks,
    record: Record<'e>,
    now: Time,
    path: Vec<String>,
    searched: Vec<String>,
    all: Vec<Explanation>,
}

impl ExplainSink<'_> {
    fn path(&self) -> String {
        self.path.concat().trim_start_matches('.').to_owned()
    }

    /// Returns the path of a finding.
    /// The search reports no step for the key of an object that no path of `look-in` names.
    fn path_of(&self, finding: Record<'_>) -> String {
        let path = self.path();
        if path.is_empty() && finding.bytes().len() < self.record.bytes().len() {
            return self.key_of(finding).unwrap_or_default();
        }
        path
    }

    /// Returns the key of the record's member that is this object.
    fn key_of(&self, object: Record<'_>) -> Option<String> {
        let document = self.record.document();
        let mut depth = 0_usize;
        document.events.iter().zip(document.events.iter().skip(1)).find_map(|events| {
            match events.0 {
                Event::Map(_) | Event::List(_) => depth = depth.saturating_add(1),
                Event::End => depth = depth.saturating_sub(1),
                Event::Key(key) if depth == 1 && matches!(events.1, Event::Map(_)) => {
                    let Value::Map(bytes) = self.record.member(key) else { return None };
                    return core::ptr::eq(bytes.as_ptr(), object.bytes().as_ptr()).then(|| key.to_string());
                }
                _ => (),
            }
            None
        })
    }

    /// Runs the filter's own `Judge` and adds its verdict.
    fn judge(
        &mut self,
        mut explanation: Explanation,
        judge: impl FnOnce(&mut Judge<'_, &mut dyn FnMut(Verdict<'_>)>),
    ) {
        let Filter { stages, stats, scratch, .. } = self.filter;
        #[cfg(feature = "otlp")]
        let shape = self.checks.config.coralogix.shape;
        let mut on = |verdict: Verdict<'_>| match verdict {
            Verdict::Kept(entry) => {
                explanation.changes.extend(changes(&entry));
                let mut json = Vec::new();
                entry.write_json(&mut json);
                explanation.outcome = Outcome::Kept(String::from_utf8_lossy(&json).into_owned());
                #[cfg(feature = "otlp")]
                if shape == Shape::Otlp {
                    explanation.resource_logs = Some(resource_logs(&entry));
                }
            }
            Verdict::Dropped(reason) => explanation.outcome = Outcome::Dropped(reason),
            Verdict::Suppressed => explanation.outcome = Outcome::Suppressed,
            Verdict::Passed => explanation.outcome = Outcome::Passed,
        };
        let on: &mut dyn FnMut(Verdict<'_>) = &mut on;
        let (events, collected) = (None, Vec::new());
        judge(&mut Judge { stages, events, stats, scratch, now: self.now, on, verdicts: 0, collected });
        if !matches!(explanation.outcome, Outcome::Kept(_)) {
            explanation.changes.clear();
        }
        self.all.push(explanation);
    }
}

impl Sink for ExplainSink<'_> {
    fn finding(&mut self, found: &Found<'_, '_>) {
        let (kind, fields, record) = (found.kind, &found.members.fields, found.scan.body);
        let mut explanation = self.checks.finding(self.filter, kind, fields, record, self.now);
        explanation.recognised =
            Recognised::Finding { kind, because: identifying_keys(kind, fields), path: self.path_of(record) };
        explanation.changes = self.checks.redactions(record, Scope::Fields);
        // The rule's severity replaces the built-in rows.
        let of_rule = found.rule.and_then(|rule| rule.severity);
        if let (Some(severity), Some(chosen)) = (of_rule, &mut explanation.severity)
            && chosen.row.is_none()
        {
            *chosen = SeverityMatch { severity, row: None, builtin: None };
        }
        self.judge(explanation, |judge| judge.finding(found));
    }

    fn event(&mut self, event: &FoundEvent<'_, '_>) {
        let path = self.path_of(event.record);
        let mut rules = self.checks.events.as_mut().map(|events| events.explain(event)).unwrap_or_default();
        let redactor = &self.filter.stages.shaper.redactor;
        #[cfg(feature = "detect")]
        let contributions = {
            let events = self.checks.events.as_mut();
            let mut all = events.map(|events| events.contributions(event)).unwrap_or_default();
            for (_, value) in &mut all {
                redactor.redact_all_in(value);
            }
            all
        };
        #[cfg(not(feature = "detect"))]
        let contributions = Vec::new();
        for condition in rules.iter_mut().flat_map(|rule| &mut rule.conditions) {
            match &mut condition.seen {
                Some(SeenValue::Text(text)) => redactor.redact_all_in(text),
                Some(SeenValue::List(texts)) => {
                    for text in texts {
                        redactor.redact_all_in(text);
                    }
                }
                Some(SeenValue::Absent | SeenValue::Unknown) | None => (),
            }
        }
        let Some(mut events) = self.filter.events.take() else { return };
        let evaluated = events.evaluate(event, self.now, &mut |found| {
            self.finding(found);
            if let Some(explanation) = self.all.last_mut() {
                let because =
                    if found.rule.is_some() { "a rule selects the audit event" } else { "an audit event" };
                explanation.recognised =
                    Recognised::Finding { kind: found.kind, because, path: path.clone() };
                explanation.rules.clone_from(&rules);
                explanation.contributions.clone_from(&contributions);
            }
        });
        self.filter.events = Some(events);
        if let Ok(undecided) = evaluated {
            let stats = &mut self.filter.stats;
            stats.undecided = stats.undecided.saturating_add(undecided);
        } else {
            let mut explanation = Explanation::of(Recognised::Event { path });
            explanation.rules = rules;
            explanation.contributions = contributions;
            self.judge(explanation, |judge| judge.evaluated(evaluated));
        }
    }

    fn legacy_event(&mut self) {
        let explanation = Explanation::of(Recognised::Event { path: self.path() });
        self.judge(explanation, |judge| judge.reject(Reason::LegacyEvent));
    }

    fn not_a_finding(&mut self, other: &NotAFinding<'_, '_>) {
        let none = Fields::default();
        let fields = other.members.map_or(&none, |members| &members.fields);
        let because = match other.error {
            Some(error) => error.to_string(),
            None if other.batch => {
                "it contains several findings, and the host returns one entry for a record".to_owned()
            }
            None if matches!(other.content, Content::Text(_)) => "a text without a finding".to_owned(),
            None => missing_keys(fields),
        };
        let searched = if other.item { Vec::new() } else { core::mem::take(&mut self.searched) };
        let mut explanation = Explanation::of(Recognised::Other { because, path: self.path(), searched });
        if let Content::Object(scan) = other.content {
            explanation.changes = self.checks.redactions(scan.body, Scope::Everything);
        }
        self.judge(explanation, |judge| judge.not_a_finding(other));
    }

    fn passes(&mut self, record: Record<'_>) -> bool {
        let mut passes = false;
        let before = self.all.len();
        self.judge(Explanation::of(Recognised::OwnOutput), |judge| passes = judge.passes(record));
        if !passes {
            self.all.truncate(before);
        }
        passes
    }

    fn takes_batches(&self) -> bool {
        !self.filter.stages.single_output
    }

    fn enter(&mut self, step: PathStep<'_>) {
        /// The maximum number of reported paths.
        const REPORTED: usize = 16;
        self.path.push(match step {
            PathStep::Key(key) => format!(".{key}"),
            PathStep::Index(index) => format!("[{index}]"),
            PathStep::Part(0) => String::new(),
            PathStep::Part(part) => format!("#{}", part.saturating_add(1)),
        });
        let path = self.path();
        if self.searched.len() < REPORTED && !path.is_empty() && !self.searched.contains(&path) {
            self.searched.push(path);
        }
    }

    fn leave(&mut self) {
        self.path.pop();
    }
}

/// The compiled data filter of one integration.
struct SingleIntegration {
    matcher: Matcher,
    entity: [Option<PatternFinder>; 2],
    rule: [Option<PatternFinder>; 2],
}

impl Explainer {
    /// Compiles a configuration as [`Filter::new`] does, and its parts separately.
    ///
    /// # Errors
    /// The same as for [`Filter::new`].
    pub fn new(config: &Config, seed: u64) -> Result<Self, BuildError> {
        let source = &mut PatternCompiler;
        let rows = config.severity.iter().cloned().chain(severity::builtin_severities());
        let rows = rows.map(|row| {
            SeverityTable::from_rows(
                core::iter::once(SeverityRow { severity: Some(ROW_MATCHES), ..row }),
                source,
            )
        });
        let rows = rows.collect::<Result<_, _>>()?;
        let redactors =
            config.redact.iter().map(|rule: &Redaction| Redactor::new(core::slice::from_ref(rule), source));
        let redactors = redactors.collect::<Result<_, _>>()?;
        let singles =
            config.integrations.iter().map(|integration| SingleIntegration::new(integration, source));
        let singles = singles.collect::<Result<_, _>>()?;
        let events = config.audit.as_ref().map(EventExplainer::new);
        Ok(Self {
            filter: Filter::new(config, seed)?,
            recogniser: Recogniser::new(&config.look_in, config.audit.is_some()),
            checks: Checks { config: config.clone(), singles, rows, redactors, events: events.transpose()? },
        })
    }

    /// Decides about a record that arrived at `now`, as [`Filter::process`] does.
    /// Returns an explanation for each verdict.
    pub fn explain(&mut self, record: Record<'_>, now: Time) -> Vec<Explanation> {
        let mut explain = ExplainSink {
            filter: &mut self.filter,
            checks: &mut self.checks,
            record,
            now,
            path: Vec::new(),
            searched: Vec::new(),
            all: Vec::new(),
        };
        self.recogniser.read(record, &mut explain);
        let all = explain.all;
        self.filter.stats.count_record(all.len() as u64);
        all
    }

    /// Same as [`Filter::due`].
    pub fn due(&mut self, now: Time) -> Option<Entry<'_>> {
        self.filter.due(now)
    }

    /// Same as [`Filter::finish`].
    pub fn finish(&mut self, now: Time) -> Option<Entry<'_>> {
        self.filter.finish(now)
    }

    /// Same as [`Filter::stats`].
    pub fn stats(&self) -> &Stats {
        self.filter.stats()
    }
}

impl Checks {
    /// Returns the number of values that each redaction rule changes in a body.
    fn redactions(&self, record: Record<'_>, scope: Scope) -> Vec<Change> {
        let each = self.redactors.iter().enumerate().filter_map(|(rule, redactor)| {
            let mut editor = Editor::new(redactor, Some(scope));
            record.read(Limits::NONE, &mut editor);
            (editor.changed > 0).then_some(Change::Redacted { rule, values: editor.changed })
        });
        each.collect()
    }

    fn finding(
        &mut self,
        filter: &mut Filter,
        kind: Kind,
        fields: &Fields<'_>,
        record: Record<'_>,
        now: Time,
    ) -> Explanation {
        let (mut entity, mut rule, mut key) = (String::new(), String::new(), String::new());
        let entity = fields.utf8(fields.entity_field(kind), &mut entity).unwrap_or_default();
        let rule = fields.utf8(Field::Rule, &mut rule).unwrap_or_default();
        let input = MatchInput {
            kind,
            etype: fields.etype(),
            category: fields.category(),
            confidence: fields.confidence(),
            entity,
            rule,
        };
        let mut explanation = Explanation::of(Recognised::OwnOutput);
        let redactor = &filter.stages.shaper.redactor;
        explanation.fields = decisive_fields(kind, fields, redactor);
        let integrations = self.config.integrations.iter().zip(&mut self.singles).enumerate();
        for (index, (integration, single)) in integrations {
            let mut step = single.step(index, integration, &input, fields, redactor);
            let matched = explanation.integrations.iter().any(|step| step.result == MatchResult::Matches);
            if step.result == MatchResult::Matches && matched {
                step.result = MatchResult::Shadowed;
            }
            explanation.integrations.push(step);
        }
        let time = filter.stages.shaper.time(fields, record, now);
        explanation.stale = time.out_of_range;
        explanation.time_ms = match fields
            .time(record.encoding(), |millis| filter.stages.shaper.is_in_range(millis, now.millis()))
        {
            Instant::Read(reading) => Some(reading.millis),
            Instant::Missing | Instant::Unreadable => None,
        };
        let matching = explanation
            .integrations
            .iter()
            .find(|step| step.result == MatchResult::Matches)
            .map(|step| step.index);
        let Some(matching) = matching else { return explanation };
        if explanation.stale.is_some() && self.config.guard.on_stale == OnStale::Drop {
            return explanation;
        }
        let is_count = kind == Kind::Selection && fields.is_count();
        let report = self.config.integrations.get(matching).map(|integration| integration.filter.report);
        let counted = report == Some(Report::Count) && kind == Kind::Selection && !is_count;
        explanation.severity = self.severity(filter, &input, fields, is_count || counted);
        if counted {
            return explanation;
        }
        if let Some(limit) = filter.stages.limiter.rule(matching) {
            let key = match limit.by {
                By::Entity => entity,
                By::Rule => fields.utf8(kind.subject_field(), &mut key).unwrap_or_default(),
                By::Cluster => fields.utf8(Field::Cluster, &mut key).unwrap_or_default(),
                By::None => b"",
            };
            let LimitStatus { free, wait_ns, suppressed } = filter.stages.limiter.status(matching, key, now);
            let mut key = String::from_utf8_lossy(key).into_owned();
            filter.stages.shaper.redactor.redact_all_in(&mut key);
            explanation.limit = Some(LimitCheck {
                limit: limit.limit,
                period_ns: limit.period_ns,
                by: limit.by,
                key,
                free,
                wait_ns,
                suppressed,
            });
        }
        explanation
    }

    fn severity(
        &mut self,
        filter: &mut Filter,
        input: &MatchInput<'_>,
        fields: &Fields<'_>,
        count: bool,
    ) -> Option<SeverityMatch> {
        let flags = SeverityFlags { non_authorized: fields.truth(Field::NonAuthorized) == Some(true), count };
        let severity = filter.stages.severity.lookup(input, flags, None);
        let index = self.rows.iter_mut().position(|row| row.lookup(input, flags, None) == ROW_MATCHES)?;
        let builtin = index.checked_sub(self.config.severity.len());
        Some(SeverityMatch { severity, row: builtin.is_none().then_some(index), builtin })
    }
}

/// The severity of a row that is tested in a table of its own.
/// If the row does not match, the table returns `Info` instead.
const ROW_MATCHES: Severity = Severity::Debug;

impl Explanation {
    fn of(recognised: Recognised) -> Self {
        Self {
            recognised,
            fields: Vec::new(),
            integrations: Vec::new(),
            time_ms: None,
            stale: None,
            limit: None,
            severity: None,
            changes: Vec::new(),
            rules: Vec::new(),
            contributions: Vec::new(),
            outcome: Outcome::Passed,
            #[cfg(feature = "otlp")]
            resource_logs: None,
        }
    }
}

#[cfg(feature = "otlp")]
fn resource_logs(entry: &Entry<'_>) -> String {
    let mut json = Vec::new();
    Form::ResourceLogs.write_one(entry, &mut json);
    String::from_utf8_lossy(&json).into_owned()
}

impl SingleIntegration {
    fn new(integration: &Integration, source: &mut PatternCompiler) -> Result<Self, BuildError> {
        let running = Integration { applies: true, stopped: false, ..integration.clone() };
        let filter = &integration.filter;
        let mut pattern =
            |pattern: &Option<String>| pattern.as_deref().map(|pattern| source.find(pattern)).transpose();
        let entity = [pattern(&filter.entity_match)?, pattern(&filter.entity_no_match)?];
        let rule = [pattern(&filter.rules_match)?, pattern(&filter.rules_no_match)?];
        Ok(Self { matcher: Matcher::new(&[running], source)?, entity, rule })
    }

    fn step(
        &mut self,
        index: usize,
        integration: &Integration,
        input: &MatchInput<'_>,
        fields: &Fields<'_>,
        redactor: &Redactor,
    ) -> Step {
        let mut step = Step {
            index,
            name: integration.name.clone(),
            kind: integration.kind,
            line: integration.line,
            result: MatchResult::OtherType,
            clauses: Vec::new(),
        };
        if integration.kind != input.kind {
            return step;
        }
        let rejected_by = self.matcher.first_match(input).err();
        step.result = match rejected_by {
            _ if !integration.applies => MatchResult::DoesNotApply,
            Some(reason) => MatchResult::Rejects(reason),
            None if integration.stopped => MatchResult::Stopped,
            None => MatchResult::Matches,
        };
        for clause in self.clauses(integration, input, fields, redactor) {
            let last = rejected_by.is_some_and(|reason| reason.label() == clause.name);
            step.clauses.push(Clause { accepts: !last, ..clause });
            if last {
                break;
            }
        }
        step
    }

    /// Returns the integration's clauses in the order of the checks.
    fn clauses(
        &self,
        integration: &Integration,
        input: &MatchInput<'_>,
        fields: &Fields<'_>,
        redactor: &Redactor,
    ) -> Vec<Clause> {
        let filter = &integration.filter;
        let mut clauses = Vec::new();
        let mut list_clause = |reason: Reason, values: Vec<&str>, field| {
            if !values.is_empty() {
                let tested = redacted_text(fields, field, redactor).unwrap_or_default();
                let expected = values.join(", ");
                clauses.push(Clause { name: reason.label(), expected, tested, matched: None, accepts: true });
            }
        };
        list_clause(Reason::Etype, filter.etype.iter().map(|value| value.name()).collect(), Field::Etype);
        list_clause(
            Reason::Category,
            filter.category.iter().map(|value| value.name()).collect(),
            Field::Category,
        );
        list_clause(
            Reason::Confidence,
            filter.confidence.iter().map(|value| value.name()).collect(),
            Field::Confidence,
        );
        let [entity_match, entity_no_match] = &self.entity;
        let [rules_match, rules_no_match] = &self.rule;
        let entity = (fields.entity_field(input.kind), input.entity);
        let rule = (Field::Rule, input.rule);
        for (reason, expected, pattern, (field, text)) in [
            (Reason::EntityMatch, &filter.entity_match, entity_match, entity),
            (Reason::EntityNoMatch, &filter.entity_no_match, entity_no_match, entity),
            (Reason::RulesMatch, &filter.rules_match, rules_match, rule),
            (Reason::RulesNoMatch, &filter.rules_no_match, rules_no_match, rule),
        ] {
            let (Some(expected), Some(pattern)) = (expected, pattern) else { continue };
            let text = String::from_utf8_lossy(text);
            let matched = pattern.first(&text).and_then(|range| text.get(range));
            let mut tested = text.clone().into_owned();
            redactor.redact_field(field, &mut tested);
            // Nor may a part of a secret be printed.
            let matched = matched.map(|part| if tested.contains(part) { part } else { &tested });
            let matched = matched.map(str::to_owned);
            clauses.push(Clause {
                name: reason.label(),
                expected: expected.clone(),
                tested,
                matched,
                accepts: true,
            });
        }
        clauses
    }
}

/// Returns the keys that identify a finding of this kind.
fn identifying_keys(kind: Kind, fields: &Fields<'_>) -> &'static str {
    match kind {
        Kind::Detection => "it has `etype` and `eid`",
        Kind::Selection if fields.is_count() => "it has `rule` and `count`",
        Kind::Selection if has(fields, Field::Id) => "it has `rule` and `id`",
        Kind::Selection => "it has `rule` and `verb`",
        Kind::Activity => "it has `id` and `verb`, and no `rule`",
    }
}

/// Returns the keys that a record lacks to be a finding.
fn missing_keys(fields: &Fields<'_>) -> String {
    let (etype, eid) = (has(fields, Field::Etype), has(fields, Field::Eid));
    let (id, verb) = (has(fields, Field::Id), has(fields, Field::Verb));
    let missing = match (etype, eid, has(fields, Field::Rule), id, verb) {
        (true, false, ..) => "it has `etype`, but no `eid`",
        (false, true, ..) => "it has `eid`, but no `etype`",
        (_, _, true, ..) => "it has `rule`, but none of `count`, `id` and `verb`",
        (_, _, _, true, false) => "it has `id`, but neither `rule` nor `verb`",
        (_, _, _, false, true) => "it has `verb`, but no `id`",
        _ => "it has none of the keys of a finding: `etype` and `eid`, `rule`, or `id` and `verb`",
    };
    missing.to_owned()
}

fn has(fields: &Fields<'_>, field: Field) -> bool {
    fields.text(field, &mut String::new()).is_some()
}

/// Returns the fields that clauses, limits and severity rows test.
fn decisive_fields(kind: Kind, fields: &Fields<'_>, redactor: &Redactor) -> Vec<(&'static str, String)> {
    let subject = kind.subject_field();
    let all: &[Field] = match kind {
        Kind::Detection => &[Field::Etype, Field::Category, Field::Confidence],
        Kind::Selection => &[Field::NonAuthorized, Field::Count],
        Kind::Activity => &[Field::NonAuthorized],
    };
    let all = [Field::Cluster, fields.entity_field(kind), subject].into_iter().chain(all.iter().copied());
    all.filter_map(|field| Some((field.name(), redacted_text(fields, field, redactor)?))).collect()
}

/// Returns the text of a field, redacted.
fn redacted_text(fields: &Fields<'_>, field: Field, redactor: &Redactor) -> Option<String> {
    let mut text = fields.text(field, &mut String::new())?.to_owned();
    redactor.redact_field(field, &mut text);
    Some(text)
}

/// Returns the changes that an entry's marks contain.
/// Redactions are reported by rule instead.
fn changes(entry: &Entry<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut events = entry.marks.events.iter();
    let mut depth = 0_usize;
    let mut truncated = false;
    while let Some(event) = events.next() {
        match event {
            Event::Map(_) | Event::List(_) => depth = depth.saturating_add(1),
            Event::End => depth = depth.saturating_sub(1),
            Event::Key(key) if depth == 1 => {
                truncated = key == "truncated";
                changes.extend((key == "clamped").then_some(Change::Clamped));
                changes.extend((key == "time").then_some(Change::NoTime));
            }
            Event::Key(key) if truncated && key == "bytes" => {
                let bytes = match events.next() {
                    Some(Event::Number(Number::Uint(bytes))) => *bytes,
                    Some(Event::Number(number)) => {
                        number.as_i64().and_then(|bytes| bytes.try_into().ok()).unwrap_or(0)
                    }
                    _ => 0,
                };
                changes.push(Change::Truncated { bytes });
            }
            _ => {}
        }
    }
    changes
}
