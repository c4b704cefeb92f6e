//! The whole way to a verdict, for those who ask why: what a record was recognised as, which clause of which
//! integration refused it and on what text, the limit it met, the severity row that fired, what was changed.
//!
//! The verdict itself is [`Filter::process`]'s, so an explanation cannot tell of another than an agent would see. The way
//! to it is asked of the same stages with one integration, one severity row, one redaction each. Decision: no hook in
//! the stages, which would cost the many records that nobody asks about.

use crate::config::{By, Config, Integration, OnStale, Redaction, Report, Severity, SeverityRow};
use crate::entry::Entry;
use crate::finding::{Field, Fields, Key, Kind, Question};
use crate::limit::Room;
use crate::matcher::Matcher;
use crate::pattern::{BuildError, Compile, Find, Source};
use crate::record::{Event, Json, KnownKeys, Number, Record};
use crate::redact::Redactor;
use crate::severity::{self, Flags, Table};
use crate::stats::{Reason, Stats};
use crate::time::Time;

use super::{Filter, Seen, Verdict, find, own_ms};

/// What became of a record, and why.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What the record is.
    pub recognised: Recognised,
    /// The finding's fields that decide, by name, those that it has.
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
        /// Whether it stands in a log agent's line, as a text.
        embedded: bool,
    },
    /// Something else, and why.
    Other {
        /// What it lacks, or what is wrong with it.
        because: String,
    },
}

/// An integration, and how it stands to the finding.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its place in the list.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// The line on which it begins.
    pub line: usize,
    /// How it stands to the finding.
    pub stands: Stands,
    /// Its clauses in the order they are asked, up to the one that refused.
    pub clauses: Vec<Clause>,
}

/// How an integration stands to a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It is of another type.
    OtherType,
    /// It is none that the filter stands in for.
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
    /// What it says: words or a pattern.
    pub says: String,
    /// What it looked at; empty: the finding has no such field.
    pub looked_at: String,
    /// What the pattern found there.
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
    /// The value of that; empty for the whole integration.
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

/// A filter that explains what it does.
pub struct Explainer {
    filter: Filter,
    config: Config,
    alone: Vec<Alone>,
    rows: Vec<Table>,
    redactors: Vec<Redactor>,
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
        Ok(Self {
            filter: Filter::new(config, seed)?,
            config: config.clone(),
            alone: alone.collect::<Result<_, _>>()?,
            rows,
            redactors,
        })
    }

    /// Decides about a record that arrived `now`, as [`Filter::process`] does, and tells the way.
    pub fn explain(&mut self, text: &str, now: Time) -> Explanation {
        let mut scratch = String::new();
        let (mut seen, mut inside) = (Seen::default(), None);
        let (mut record, mut keys) = (Json::new(text), KnownKeys::new(Key::of));
        let mut told = match find(&mut record, &mut keys, &mut seen, &mut inside, &mut scratch) {
            Ok((kind, seen, embedded)) => {
                let body = embedded.as_ref().map_or_else(|| record.body(), Record::body);
                let mut told = self.finding(kind, &seen.fields, now);
                told.recognised = Recognised::Finding {
                    kind,
                    because: because(kind, &seen.fields),
                    embedded: embedded.is_some(),
                };
                let mut tape = body.into_tape();
                for (rule, redactor) in self.redactors.iter().enumerate() {
                    let values = redactor.body(&mut tape);
                    told.changes.extend((values > 0).then_some(Change::Redacted { rule, values }));
                }
                told
            }
            Err(malformed) => {
                let because = match malformed {
                    Some(error) => error.to_string(),
                    None if seen.batch => {
                        "a list of findings in one record; split it before the filter".to_owned()
                    }
                    None => lacks(&seen.fields),
                };
                let mut told = Explanation::of(Recognised::Other { because });
                if malformed.is_none() {
                    let mut tape = record.body().into_tape();
                    for (rule, redactor) in self.redactors.iter().enumerate() {
                        let values = redactor.everything(&mut tape);
                        told.changes.extend((values > 0).then_some(Change::Redacted { rule, values }));
                    }
                }
                told
            }
        };
        match self.filter.process(&mut Json::new(text), now) {
            Verdict::Kept(entry) => {
                told.changes.extend(changes(&entry));
                let mut json = Vec::new();
                entry.write_json(&mut json);
                told.outcome = Outcome::Kept(String::from_utf8_lossy(&json).into_owned());
            }
            Verdict::Dropped(reason) => told.outcome = Outcome::Dropped(reason),
            Verdict::Suppressed => told.outcome = Outcome::Suppressed,
            Verdict::Passed => told.outcome = Outcome::Passed,
        }
        if !matches!(told.outcome, Outcome::Kept(_)) {
            told.changes.clear();
        }
        told
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

    fn finding(&mut self, kind: Kind, fields: &Fields<'_>, now: Time) -> Explanation {
        let (mut entity, mut rule, mut key) = (String::new(), String::new(), String::new());
        let entity = fields.utf8(fields.entity_field(kind), &mut entity).unwrap_or_default();
        let rule = fields.utf8(Field::Rule, &mut rule).unwrap_or_default();
        let question = Question {
            kind,
            etype: fields.etype(),
            category: fields.category(),
            confidence: fields.confidence(),
            entity,
            rule,
        };
        let mut told = Explanation::of(Recognised::Other { because: String::new() });
        told.fields = deciding(kind, fields);
        let integrations = self.config.integrations.iter().zip(&mut self.alone).enumerate();
        for (index, (integration, alone)) in integrations {
            let mut step = alone.ask(index, integration, &question, fields);
            let claimed = told.integrations.iter().any(|step| step.stands == Stands::Claims);
            if step.stands == Stands::Claims && claimed {
                step.stands = Stands::TooLate;
            }
            told.integrations.push(step);
        }
        let placed = self.filter.stages.shaper.time(fields, now);
        (told.time_ms, told.stale) = (own_ms(fields), placed.off);
        let claims =
            told.integrations.iter().find(|step| step.stands == Stands::Claims).map(|step| step.index);
        let Some(claims) = claims else { return told };
        if told.stale.is_some() && self.config.guard.on_stale == OnStale::Drop {
            return told;
        }
        let is_count = kind == Kind::Selection && fields.is_count();
        let report = self.config.integrations.get(claims).map(|integration| integration.filter.report);
        let counted = report == Some(Report::Count) && kind == Kind::Selection && !is_count;
        told.severity = self.severity(&question, fields, is_count || counted);
        if counted {
            return told;
        }
        if let Some(limit) = self.filter.stages.limiter.rule(claims) {
            let key = match limit.by {
                By::Entity => entity,
                By::Rule => fields.utf8(kind.subject_field(), &mut key).unwrap_or_default(),
                By::Cluster => fields.utf8(Field::Cluster, &mut key).unwrap_or_default(),
                By::None => b"",
            };
            let Room { free, wait_ns, suppressed } = self.filter.stages.limiter.look(claims, key, now);
            told.limit = Some(LimitMet {
                limit: limit.limit,
                period_ns: limit.period_ns,
                by: limit.by,
                key: String::from_utf8_lossy(key).into_owned(),
                free,
                wait_ns,
                suppressed,
            });
        }
        told
    }

    fn severity(
        &mut self,
        question: &Question<'_>,
        fields: &Fields<'_>,
        count: bool,
    ) -> Option<SeverityChosen> {
        let flags = Flags { non_authorized: fields.truth(Field::NonAuthorized) == Some(true), count };
        let severity = self.filter.stages.severity.of(question, flags);
        let place = self.rows.iter_mut().position(|row| row.of(question, flags) == FITS)?;
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
        question: &Question<'_>,
        fields: &Fields<'_>,
    ) -> Step {
        let mut step = Step {
            index,
            name: integration.name.clone(),
            kind: integration.kind,
            line: integration.line,
            stands: Stands::OtherType,
            clauses: Vec::new(),
        };
        if integration.kind != question.kind {
            return step;
        }
        let refused = self.matcher.claim(question).err();
        step.stands = match refused {
            _ if !integration.applies => Stands::DoesNotApply,
            Some(reason) => Stands::Refuses(reason),
            None if integration.stopped => Stands::Stopped,
            None => Stands::Claims,
        };
        for clause in self.clauses(integration, question, fields) {
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
        question: &Question<'_>,
        fields: &Fields<'_>,
    ) -> Vec<Clause> {
        let filter = &integration.filter;
        let mut clauses = Vec::new();
        let mut words = |reason: Reason, words: Vec<&str>, field| {
            if !words.is_empty() {
                let looked_at = fields.text(field, &mut String::new()).unwrap_or_default().to_owned();
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
        for (reason, says, pattern, looked_at) in [
            (Reason::EntityMatch, &filter.entity_match, entity_match, question.entity),
            (Reason::EntityNoMatch, &filter.entity_no_match, entity_no_match, question.entity),
            (Reason::RulesMatch, &filter.rules_match, rules_match, question.rule),
            (Reason::RulesNoMatch, &filter.rules_no_match, rules_no_match, question.rule),
        ] {
            let (Some(says), Some(pattern)) = (says, pattern) else { continue };
            let looked_at = String::from_utf8_lossy(looked_at);
            let found = pattern.first(&looked_at).and_then(|range| looked_at.get(range)).map(str::to_owned);
            clauses.push(Clause {
                name: reason.label(),
                says: says.clone(),
                looked_at: looked_at.into_owned(),
                found,
                holds: true,
            });
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
fn deciding(kind: Kind, fields: &Fields<'_>) -> Vec<(&'static str, String)> {
    let subject = kind.subject_field();
    let all: &[Field] = match kind {
        Kind::Detection => &[Field::Etype, Field::Category, Field::Confidence],
        Kind::Selection => &[Field::NonAuthorized, Field::Count],
        Kind::Activity => &[Field::NonAuthorized],
    };
    let all = [Field::Cluster, fields.entity_field(kind), subject].into_iter().chain(all.iter().copied());
    all.filter_map(|field| Some((field.name(), fields.text(field, &mut String::new())?.to_owned()))).collect()
}

/// What the filter says in an entry that it changed; redactions are told by rule instead.
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
