//! Explains a verdict: what a record was recognised as and where, which clause of which integration refused it and on
//! what text, the limit it met, the severity row that applied, what was changed.
//!
//! The verdict itself is that of the same judge that [`Filter::process`] uses. The checks that led to it are repeated with
//! one integration, one severity row and one redaction each. Decision: no hook in the stages, which would cost all the
//! records that are not explained.
//!
//! An explanation contains no value that `redact` overwrites: fields and texts that clauses matched are overwritten by
//! the rules of their field, the key of a limit by all rules.

use crate::config::{By, Config, Integration, OnStale, Redaction, Report, Severity, SeverityRow};
use crate::entry::Entry;
use crate::finding::{Field, Fields, Instant, Kind, MatchInput};
use crate::limit::Room;
use crate::matcher::Matcher;
use crate::pattern::{BuildError, Compile, Find, Source};
use crate::record::{Event, Limits, Number, Record, Value};
use crate::redact::{Editor, Redactor, Scope};
use crate::severity::{self, Flags, Table};
use crate::source::Step as PathStep;
use crate::source::{Content, Found, Other, Sink, Source as RecordSource};
use crate::stats::{Reason, Stats};
use crate::time::Time;

use super::{Filter, Judge, Verdict};

/// What became of a record, and why.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What the record is.
    pub recognised: Recognised,
    /// The finding's fields that decide, by name, redacted; those that it has.
    pub fields: Vec<(&'static str, String)>,
    /// Every integration, in the order in which they are asked.
    pub integrations: Vec<Step>,
    /// The finding's own time, milliseconds since 1970; `None`: it has none.
    pub time_ms: Option<i64>,
    /// `too-old` or `too-far-ahead`, where the finding is out of the guard's bounds.
    pub stale: Option<&'static str>,
    /// The limit that it met, as it was before.
    pub limit: Option<LimitMet>,
    /// The severity row that fired.
    pub severity: Option<SeverityChosen>,
    /// What was changed on the way out.
    pub changes: Vec<Change>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a record is.
#[derive(Clone, Debug)]
pub enum Recognised {
    /// A finding.
    Finding {
        /// Its kind.
        kind: Kind,
        /// The keys that make it one, such as "`etype` and `eid`".
        because: &'static str,
        /// Its path in the record, such as `records[0].properties.log`; empty if it is the record itself. `#2` is the
        /// second object or line of a text.
        path: String,
    },
    /// Something else, and why.
    Other {
        /// What it lacks, or what is wrong with it.
        because: String,
        /// The path of an item of a batch; empty for a record.
        path: String,
        /// The paths at which a finding was searched for.
        searched: Vec<String>,
    },
    /// An entry of the filter's own that passes unchanged.
    OwnOutput,
}

/// An integration, and what it did with the finding.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its index in the list.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// The line on which it begins.
    pub line: usize,
    /// What it did with the finding.
    pub standing: Standing,
    /// Its clauses in the order they are asked, up to the one that refused.
    pub clauses: Vec<Clause>,
}

/// What an integration did with a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is of another type.
    OtherType,
    /// Its target is not Coralogix.
    DoesNotApply,
    /// A clause refuses the finding.
    Refuses(Reason),
    /// It would accept the finding, and is stopped.
    Stopped,
    /// It claims the finding.
    Claims,
    /// It would accept the finding, which an earlier one claims.
    TooLate,
}

/// A clause that was asked.
#[derive(Clone, Debug)]
pub struct Clause {
    /// Its name, as in the configuration; the reason of drops has the same.
    pub name: &'static str,
    /// Its words or its pattern.
    pub says: String,
    /// The field's text, redacted; empty if the finding has no such field.
    pub looked_at: String,
    /// The pattern's first match in it. If redaction overwrote the match, all of `looked_at`.
    pub found: Option<String>,
    /// Whether it lets the finding through.
    pub holds: bool,
}

/// A rate limit as a finding met it.
#[derive(Clone, Debug)]
pub struct LimitMet {
    /// How many in a period.
    pub limit: u32,
    /// The period, nanoseconds.
    pub period_ns: u64,
    /// What shares it.
    pub by: By,
    /// The value of that, redacted; empty for the whole integration.
    pub key: String,
    /// How many could pass at this moment.
    pub free: u32,
    /// How long, in nanoseconds, until one passes; 0 when one does now.
    pub wait_ns: u64,
    /// How many have been suppressed since the last summary.
    pub suppressed: u64,
}

/// The row of the severity table that fired.
#[derive(Clone, Debug)]
pub struct SeverityChosen {
    /// What it gave.
    pub severity: Severity,
    /// The operator's row, by its place, or a built-in one.
    pub row: Option<usize>,
    /// The built-in row, by its place, where no row of the operator's fits.
    pub builtin: Option<usize>,
}

/// What was changed in an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its timestamp is the time of arrival.
    Clamped,
    /// It has no time of its own, and takes the time of arrival.
    NoTime,
    /// So many values were overwritten by the redaction of this place.
    Redacted {
        /// The redaction's place in the list.
        rule: usize,
        /// How many values.
        values: u64,
    },
    /// Its text was cut; it had so many bytes.
    Truncated {
        /// Before.
        bytes: u64,
    },
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It leaves as this entry, JSON.
    Kept(String),
    /// It is dropped.
    Dropped(Reason),
    /// A limit holds it back.
    Suppressed,
    /// It stays in the stream as it is.
    Passed,
}

/// A filter that explains its verdicts.
pub struct Explainer {
    filter: Filter,
    source: RecordSource,
    checks: Checks,
}

/// The stages once more, in their parts.
struct Checks {
    config: Config,
    alone: Vec<Alone>,
    rows: Vec<Table>,
    redactors: Vec<Redactor>,
}

/// Explains what a source finds in one record.
struct Explain<'e> {
    filter: &'e mut Filter,
    checks: &'e mut Checks,
    record: Record<'e>,
    now: Time,
    path: Vec<String>,
    searched: Vec<String>,
    all: Vec<Explanation>,
}

impl Explain<'_> {
    fn path(&self) -> String {
        self.path.concat().trim_start_matches('.').to_owned()
    }

    /// The path of a finding. The key of an object that no path of `look-in` names is not a step of the search.
    fn path_of(&self, finding: Record<'_>) -> String {
        let path = self.path();
        if path.is_empty() && finding.bytes().len() < self.record.bytes().len() {
            return self.key_of(finding).unwrap_or_default();
        }
        path
    }

    /// The key of the record's member that is this object.
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

    /// Has the filter's own judge decide, and adds its verdict.
    fn judge(
        &mut self,
        mut explanation: Explanation,
        judge: impl FnOnce(&mut Judge<'_, &mut dyn FnMut(Verdict<'_>)>),
    ) {
        let Filter { stages, stats, scratch, .. } = self.filter;
        let mut on = |verdict: Verdict<'_>| match verdict {
            Verdict::Kept(entry) => {
                explanation.changes.extend(changes(&entry));
                let mut json = Vec::new();
                entry.write_json(&mut json);
                explanation.outcome = Outcome::Kept(String::from_utf8_lossy(&json).into_owned());
            }
            Verdict::Dropped(reason) => explanation.outcome = Outcome::Dropped(reason),
            Verdict::Suppressed => explanation.outcome = Outcome::Suppressed,
            Verdict::Passed => explanation.outcome = Outcome::Passed,
        };
        let on: &mut dyn FnMut(Verdict<'_>) = &mut on;
        judge(&mut Judge { stages, stats, scratch, now: self.now, on, judged: 0 });
        if !matches!(explanation.outcome, Outcome::Kept(_)) {
            explanation.changes.clear();
        }
        self.all.push(explanation);
    }
}

impl Sink for Explain<'_> {
    fn finding(&mut self, found: &Found<'_, '_>) {
        let (kind, fields, record) = (found.kind, &found.members.fields, found.scan.body);
        let mut explanation = self.checks.finding(self.filter, kind, fields, record, self.now);
        explanation.recognised =
            Recognised::Finding { kind, because: because(kind, fields), path: self.path_of(record) };
        explanation.changes = self.checks.redactions(record, Scope::Fields);
        self.judge(explanation, |judge| judge.finding(found));
    }

    fn other(&mut self, other: &Other<'_, '_>) {
        let none = Fields::default();
        let fields = other.members.map_or(&none, |members| &members.fields);
        let because = match other.error {
            Some(error) => error.to_string(),
            None if other.batch => {
                "it contains several findings, and the host returns one entry for a record".to_owned()
            }
            None if matches!(other.content, Content::Text(_)) => "a text without a finding".to_owned(),
            None => lacks(fields),
        };
        let searched = if other.item { Vec::new() } else { core::mem::take(&mut self.searched) };
        let mut explanation = Explanation::of(Recognised::Other { because, path: self.path(), searched });
        if let Content::Object(scan) = other.content {
            explanation.changes = self.checks.redactions(scan.body, Scope::Everything);
        }
        self.judge(explanation, |judge| judge.other(other));
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
        /// How many paths are reported.
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

/// One integration's clauses.
struct Alone {
    matcher: Matcher,
    entity: [Option<Find>; 2],
    rule: [Option<Find>; 2],
}

impl Explainer {
    /// Compiles a configuration, as [`Filter::new`] does and once more in its parts.
    ///
    /// # Errors
    /// As [`Filter::new`].
    pub fn new(config: &Config, seed: u64) -> Result<Self, BuildError> {
        let source = &mut Compile;
        let rows = config.severity.iter().cloned().chain(severity::builtin());
        let rows = rows
            .map(|row| Table::of_rows(core::iter::once(SeverityRow { severity: Some(FITS), ..row }), source));
        let rows = rows.collect::<Result<_, _>>()?;
        let redactors =
            config.redact.iter().map(|rule: &Redaction| Redactor::new(core::slice::from_ref(rule), source));
        let redactors = redactors.collect::<Result<_, _>>()?;
        let alone = config.integrations.iter().map(|integration| Alone::new(integration, source));
        let alone = alone.collect::<Result<_, _>>()?;
        Ok(Self {
            filter: Filter::new(config, seed)?,
            source: RecordSource::new(&config.look_in),
            checks: Checks { config: config.clone(), alone, rows, redactors },
        })
    }

    /// Decides about a record that arrived `now`, as [`Filter::process`] does. Returns an explanation for each verdict.
    pub fn explain(&mut self, record: Record<'_>, now: Time) -> Vec<Explanation> {
        let mut explain = Explain {
            filter: &mut self.filter,
            checks: &mut self.checks,
            record,
            now,
            path: Vec::new(),
            searched: Vec::new(),
            all: Vec::new(),
        };
        self.source.read(record, &mut explain);
        let all = explain.all;
        self.filter.stats.count_record(all.len() as u64);
        all
    }

    /// As [`Filter::due`].
    pub fn due(&mut self, now: Time) -> Option<Entry<'_>> {
        self.filter.due(now)
    }

    /// As [`Filter::finish`].
    pub fn finish(&mut self, now: Time) -> Option<Entry<'_>> {
        self.filter.finish(now)
    }

    /// As [`Filter::stats`].
    pub fn stats(&self) -> &Stats {
        self.filter.stats()
    }
}

impl Checks {
    /// What each redaction changes in a body.
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
        let mut told = Explanation::of(Recognised::OwnOutput);
        let redactor = &filter.stages.shaper.redactor;
        told.fields = deciding(kind, fields, redactor);
        let integrations = self.config.integrations.iter().zip(&mut self.alone).enumerate();
        for (index, (integration, alone)) in integrations {
            let mut step = alone.ask(index, integration, &input, fields, redactor);
            let claimed = told.integrations.iter().any(|step| step.standing == Standing::Claims);
            if step.standing == Standing::Claims && claimed {
                step.standing = Standing::TooLate;
            }
            told.integrations.push(step);
        }
        let time = filter.stages.shaper.time(fields, record, now);
        told.stale = time.out_of_range;
        told.time_ms = match fields
            .time(record.encoding(), |millis| filter.stages.shaper.is_in_range(millis, now.millis()))
        {
            Instant::Read(reading) => Some(reading.millis),
            Instant::Missing | Instant::Unreadable => None,
        };
        let claims =
            told.integrations.iter().find(|step| step.standing == Standing::Claims).map(|step| step.index);
        let Some(claims) = claims else { return told };
        if told.stale.is_some() && self.config.guard.on_stale == OnStale::Drop {
            return told;
        }
        let is_count = kind == Kind::Selection && fields.is_count();
        let report = self.config.integrations.get(claims).map(|integration| integration.filter.report);
        let counted = report == Some(Report::Count) && kind == Kind::Selection && !is_count;
        told.severity = self.severity(filter, &input, fields, is_count || counted);
        if counted {
            return told;
        }
        if let Some(limit) = filter.stages.limiter.rule(claims) {
            let key = match limit.by {
                By::Entity => entity,
                By::Rule => fields.utf8(kind.subject_field(), &mut key).unwrap_or_default(),
                By::Cluster => fields.utf8(Field::Cluster, &mut key).unwrap_or_default(),
                By::None => b"",
            };
            let Room { free, wait_ns, suppressed } = filter.stages.limiter.look(claims, key, now);
            let mut key = String::from_utf8_lossy(key).into_owned();
            filter.stages.shaper.redactor.everything_in(&mut key);
            told.limit = Some(LimitMet {
                limit: limit.limit,
                period_ns: limit.period_ns,
                by: limit.by,
                key,
                free,
                wait_ns,
                suppressed,
            });
        }
        told
    }

    fn severity(
        &mut self,
        filter: &mut Filter,
        input: &MatchInput<'_>,
        fields: &Fields<'_>,
        count: bool,
    ) -> Option<SeverityChosen> {
        let flags = Flags { non_authorized: fields.truth(Field::NonAuthorized) == Some(true), count };
        let severity = filter.stages.severity.of(input, flags);
        let place = self.rows.iter_mut().position(|row| row.of(input, flags) == FITS)?;
        let builtin = place.checked_sub(self.config.severity.len());
        Some(SeverityChosen { severity, row: builtin.is_none().then_some(place), builtin })
    }
}

/// What a row gives that is asked alone; where it does not fit, the table gives another.
const FITS: Severity = Severity::Debug;

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
            outcome: Outcome::Passed,
        }
    }
}

impl Alone {
    fn new(integration: &Integration, source: &mut Compile) -> Result<Self, BuildError> {
        let running = Integration { applies: true, stopped: false, ..integration.clone() };
        let filter = &integration.filter;
        let mut pattern =
            |pattern: &Option<String>| pattern.as_deref().map(|pattern| source.find(pattern)).transpose();
        let entity = [pattern(&filter.entity_match)?, pattern(&filter.entity_no_match)?];
        let rule = [pattern(&filter.rules_match)?, pattern(&filter.rules_no_match)?];
        Ok(Self { matcher: Matcher::new(&[running], source)?, entity, rule })
    }

    fn ask(
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
            standing: Standing::OtherType,
            clauses: Vec::new(),
        };
        if integration.kind != input.kind {
            return step;
        }
        let refused = self.matcher.claim(input).err();
        step.standing = match refused {
            _ if !integration.applies => Standing::DoesNotApply,
            Some(reason) => Standing::Refuses(reason),
            None if integration.stopped => Standing::Stopped,
            None => Standing::Claims,
        };
        for clause in self.clauses(integration, input, fields, redactor) {
            let last = refused.is_some_and(|reason| reason.label() == clause.name);
            step.clauses.push(Clause { holds: !last, ..clause });
            if last {
                break;
            }
        }
        step
    }

    /// The clauses that the integration has, in the order in which they are asked.
    fn clauses(
        &self,
        integration: &Integration,
        input: &MatchInput<'_>,
        fields: &Fields<'_>,
        redactor: &Redactor,
    ) -> Vec<Clause> {
        let filter = &integration.filter;
        let mut clauses = Vec::new();
        let mut words = |reason: Reason, words: Vec<&str>, field| {
            if !words.is_empty() {
                let looked_at = redacted(fields, field, redactor).unwrap_or_default();
                let says = words.join(", ");
                clauses.push(Clause { name: reason.label(), says, looked_at, found: None, holds: true });
            }
        };
        words(Reason::Etype, filter.etype.iter().map(|word| word.word()).collect(), Field::Etype);
        words(Reason::Category, filter.category.iter().map(|word| word.word()).collect(), Field::Category);
        words(
            Reason::Confidence,
            filter.confidence.iter().map(|word| word.word()).collect(),
            Field::Confidence,
        );
        let [entity_match, entity_no_match] = &self.entity;
        let [rules_match, rules_no_match] = &self.rule;
        let entity = (fields.entity_field(input.kind), input.entity);
        let rule = (Field::Rule, input.rule);
        for (reason, says, pattern, (field, text)) in [
            (Reason::EntityMatch, &filter.entity_match, entity_match, entity),
            (Reason::EntityNoMatch, &filter.entity_no_match, entity_no_match, entity),
            (Reason::RulesMatch, &filter.rules_match, rules_match, rule),
            (Reason::RulesNoMatch, &filter.rules_no_match, rules_no_match, rule),
        ] {
            let (Some(says), Some(pattern)) = (says, pattern) else { continue };
            let text = String::from_utf8_lossy(text);
            let found = pattern.first(&text).and_then(|range| text.get(range));
            let mut looked_at = text.clone().into_owned();
            redactor.field(field, &mut looked_at);
            // A part of a secret is not printed either.
            let found = found.map(|found| if looked_at.contains(found) { found } else { &looked_at });
            let found = found.map(str::to_owned);
            clauses.push(Clause { name: reason.label(), says: says.clone(), looked_at, found, holds: true });
        }
        clauses
    }
}

/// The keys that make a finding of this kind.
fn because(kind: Kind, fields: &Fields<'_>) -> &'static str {
    match kind {
        Kind::Detection => "it has `etype` and `eid`",
        Kind::Selection if fields.is_count() => "it has `rule` and `count`",
        Kind::Selection if has(fields, Field::Id) => "it has `rule` and `id`",
        Kind::Selection => "it has `rule` and `verb`",
        Kind::Activity => "it has `id` and `verb`, and no `rule`",
    }
}

/// What a record lacks to be a finding.
fn lacks(fields: &Fields<'_>) -> String {
    let (etype, eid) = (has(fields, Field::Etype), has(fields, Field::Eid));
    let (id, verb) = (has(fields, Field::Id), has(fields, Field::Verb));
    let lacks = match (etype, eid, has(fields, Field::Rule), id, verb) {
        (true, false, ..) => "it has `etype`, but no `eid`",
        (false, true, ..) => "it has `eid`, but no `etype`",
        (_, _, true, ..) => "it has `rule`, but none of `count`, `id` and `verb`",
        (_, _, _, true, false) => "it has `id`, but neither `rule` nor `verb`",
        (_, _, _, false, true) => "it has `verb`, but no `id`",
        _ => "it has none of the keys of a finding: `etype` and `eid`, `rule`, or `id` and `verb`",
    };
    lacks.to_owned()
}

fn has(fields: &Fields<'_>, field: Field) -> bool {
    fields.text(field, &mut String::new()).is_some()
}

/// The fields that clauses, limits and severity rows look at.
fn deciding(kind: Kind, fields: &Fields<'_>, redactor: &Redactor) -> Vec<(&'static str, String)> {
    let subject = kind.subject_field();
    let all: &[Field] = match kind {
        Kind::Detection => &[Field::Etype, Field::Category, Field::Confidence],
        Kind::Selection => &[Field::NonAuthorized, Field::Count],
        Kind::Activity => &[Field::NonAuthorized],
    };
    let all = [Field::Cluster, fields.entity_field(kind), subject].into_iter().chain(all.iter().copied());
    all.filter_map(|field| Some((field.name(), redacted(fields, field, redactor)?))).collect()
}

/// The text of a field, redacted.
fn redacted(fields: &Fields<'_>, field: Field, redactor: &Redactor) -> Option<String> {
    let mut text = fields.text(field, &mut String::new())?.to_owned();
    redactor.field(field, &mut text);
    Some(text)
}

/// The changes that an entry's marks report; redactions are reported by rule instead.
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
