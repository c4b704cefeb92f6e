//! What each integration and each of its patterns does on these records, and what it costs.
//!
//! The engine asks all integrations at once, so none has a cost of its own within a run. What is told instead can be
//! measured: of an integration, the findings that it claims and the time that these took; of a pattern, what a search
//! for it alone costs, in how many findings it occurs, and how many would fare otherwise without it. All by running the
//! engine with other configurations.

use kaudit_bench::rounds::{Series, cpu_ns, turns};
use kaudit_filter::config::{Config, DataFilter, Guard, Integration, Report, Shape, Template, Unrecognised};
use kaudit_filter::finding::Kind;
use kaudit_filter::record::Record as FilterRecord;
use kaudit_filter::{Filter, Time, Verdict};
use serde::Serialize;
use serde_json::json;

use super::corpus::{Corpus, Record};
use super::engine::{Fate, Single};
use crate::run::Halt;

/// Patterns are looked at on so many findings at most, taken evenly.
const SAMPLE: usize = 5_000;
/// So many clauses at most: each is a filter of its own.
const CLAUSES: usize = 200;
/// How often a search is measured.
const ROUNDS: usize = 7;

/// An integration on these records.
#[derive(Debug, Serialize)]
pub struct Claimer {
    /// Its name.
    pub name: String,
    /// Its type.
    pub r#type: &'static str,
    /// Findings that it claims.
    pub claims: usize,
    /// Of these, how many were kept.
    pub kept: usize,
    /// How many a limit held back.
    pub suppressed: usize,
    /// The median of what they took, nanoseconds; `None`: it claims none.
    pub ns: Option<f64>,
    /// Their share of the time of all records.
    pub share: f64,
}

/// A pattern of an integration.
#[derive(Debug, Serialize)]
pub struct Clause {
    /// The integration's name.
    pub integration: String,
    /// The option.
    pub option: &'static str,
    /// The pattern.
    pub pattern: String,
    /// Findings of the integration's type that were looked at.
    pub findings: usize,
    /// In how many of them it occurs.
    pub found: usize,
    /// How many of them would fare otherwise without it.
    pub decides: usize,
    /// What a search for it alone costs, nanoseconds.
    pub ns: f64,
}

/// What became of a finding as far as integrations decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Claimed(usize),
    Dropped(usize),
    Other,
}

/// Each integration's part; `singles` are the records one by one.
pub fn integrations(config: &Config, corpus: &Corpus, singles: &[Single]) -> Result<Vec<Claimer>, Halt> {
    let mut decider = Decider::new(config)?;
    let decisions: Vec<_> = corpus.each().map(|(record, at)| decider.decide(record, at)).collect();
    let total: f64 = singles.iter().map(|single| single.ns).sum();
    let one = |(index, integration): (usize, &Integration)| {
        let own = || {
            let claimed = singles.iter().zip(&decisions);
            claimed
                .filter(move |(_, decision)| **decision == Decision::Claimed(index))
                .map(|(single, _)| single)
        };
        let of = |fate| own().filter(|single| single.fate == fate).count();
        let mut ns: Vec<f64> = own().map(|single| single.ns).collect();
        ns.sort_by(f64::total_cmp);
        Claimer {
            name: integration.name.clone(),
            r#type: integration.kind.name(),
            claims: ns.len(),
            kept: of(Fate::Kept),
            suppressed: of(Fate::Suppressed),
            ns: (!ns.is_empty()).then(|| kaudit_bench::rounds::quantile(&ns, 0.5)),
            // Nothing sums up to a negative zero.
            share: (ns.iter().sum::<f64>() / total).max(0.0),
        }
    };
    let running = config.integrations.iter().enumerate().filter(|(_, integration)| integration.applies);
    Ok(running.map(one).collect())
}

/// The patterns, the dearest first; and how many there are beyond those that were looked at.
pub fn patterns(config: &Config, corpus: &Corpus) -> Result<(Vec<Clause>, usize), Halt> {
    let samples = Kind::ALL.iter().map(|kind| sample(*kind, corpus)).collect::<Result<Vec<_>, _>>()?;
    let mut clauses = Vec::new();
    let mut beyond = 0;
    let decide_all = |config: &Config, sample: &[Sample<'_>]| -> Result<Vec<Decision>, Halt> {
        let mut decider = Decider::new(config)?;
        Ok(sample.iter().map(|one| decider.decide(one.record, one.at)).collect())
    };
    let befores = samples.iter().map(|sample| decide_all(config, sample)).collect::<Result<Vec<_>, _>>()?;
    for (index, integration) in config.integrations.iter().enumerate().filter(|(_, one)| one.applies) {
        let (sample, before) = (&samples[integration.kind as usize], &befores[integration.kind as usize]);
        for (place, name) in CLAUSE_NAMES.into_iter().enumerate() {
            let Some(pattern) = clause(&integration.filter, place).cloned() else { continue };
            if clauses.len() == CLAUSES {
                beyond += 1;
                continue;
            }
            let mut without = config.clone();
            *clause_mut(&mut without.integrations[index].filter, place) = None;
            let after = decide_all(&without, sample)?;
            let (found, ns) = alone(integration.kind, place, &pattern, sample)?;
            clauses.push(Clause {
                integration: integration.name.clone(),
                option: name,
                pattern,
                findings: sample.len(),
                found,
                decides: before.iter().zip(&after).filter(|(before, after)| before != after).count(),
                ns,
            });
        }
    }
    clauses.sort_by(|a, b| b.ns.total_cmp(&a.ns));
    Ok((clauses, beyond))
}

const CLAUSE_NAMES: [&str; 4] = ["entity-match", "entity-no-match", "rules-match", "rules-no-match"];

fn clause(filter: &DataFilter, place: usize) -> Option<&String> {
    [&filter.entity_match, &filter.entity_no_match, &filter.rules_match, &filter.rules_no_match][place]
        .as_ref()
}

fn clause_mut(filter: &mut DataFilter, place: usize) -> &mut Option<String> {
    let DataFilter { entity_match, entity_no_match, rules_match, rules_no_match, .. } = filter;
    let clauses: [_; 4] = [entity_match, entity_no_match, rules_match, rules_no_match];
    clauses.into_iter().nth(place).expect("one of four")
}

/// In how many findings a pattern occurs, and what looking for it costs more than not looking.
///
/// Two integrations: where the pattern occurs, the first refuses the finding and the second claims it. So each finding
/// is claimed and shaped, and the search makes the difference.
fn alone(kind: Kind, place: usize, pattern: &str, sample: &[Sample<'_>]) -> Result<(usize, f64), Halt> {
    let with = |pattern: Option<String>| {
        let mut filter = DataFilter::default();
        *clause_mut(&mut filter, place | 1) = pattern;
        let mut config = only(kind, filter);
        config.integrations.extend(only(kind, DataFilter::default()).integrations);
        Decider::new(&config)
    };
    let mut deciders = [with(None)?, with(Some(pattern.to_owned()))?];
    let [_, looking] = &mut deciders;
    let found =
        sample.iter().filter(|one| looking.decide(one.record, one.at) == Decision::Claimed(1)).count();
    let mut series = [Series::default(), Series::default()];
    for round in 0..ROUNDS {
        for turn in turns(round, 2) {
            let start = cpu_ns();
            for one in sample {
                std::hint::black_box(deciders[turn].decide_on(&one.small, one.at));
            }
            #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
            series[turn].push((cpu_ns() - start) as f64 / sample.len().max(1) as f64);
        }
    }
    // The least of each: what disturbs only ever adds.
    Ok((found, (series[1].quantile(0.0) - series[0].quantile(0.0)).max(0.0)))
}

/// A finding to look at patterns on.
struct Sample<'c> {
    record: &'c Record,
    at: Time,
    /// A finding of the same kind, entity and rule and nothing else, so that a search is much of its cost.
    small: Vec<u8>,
}

/// The findings of a kind, evenly taken.
fn sample(kind: Kind, corpus: &Corpus) -> Result<Vec<Sample<'_>>, Halt> {
    let mut decider = Decider::new(&only(kind, DataFilter::default()))?;
    let mut found = Vec::new();
    for (record, at) in corpus.each() {
        decider.0.process(FilterRecord::msgpack(&record.msgpack), at, |verdict| {
            let Verdict::Kept(entry) = verdict else { return };
            if entry.subsystem() != "0" {
                return;
            }
            let [.., (_, rule), (_, entity)] = entry.labels();
            let small = match kind {
                Kind::Detection => json!({"eid": entity, "etype": "principal"}),
                Kind::Selection => json!({"principal": entity, "rule": rule, "verb": "get"}),
                Kind::Activity => json!({"principal": entity, "id": "1", "verb": "get"}),
            };
            let small = kaudit_bench::msgpack(&small.to_string()).unwrap_or_default();
            found.push(Sample { record, at, small });
        });
    }
    let step = found.len().div_ceil(SAMPLE).max(1);
    Ok(found.into_iter().step_by(step).collect())
}

/// One integration of this kind.
fn only(kind: Kind, filter: DataFilter) -> Config {
    let mut integration = Integration::new(kind, "");
    integration.filter = filter;
    let mut config = Config::default();
    config.integrations.push(integration);
    config
}

/// A filter that tells which integration claims a finding: its number is the subsystem's name.
struct Decider(Filter);

impl Decider {
    fn new(config: &Config) -> Result<Self, Halt> {
        let mut config = config.clone();
        config.coralogix.subsystem_name =
            Template::parse("{integration}").map_err(|error| Halt::Failed(error.message))?;
        config.coralogix.shape = Shape::Singles;
        config.guard = Guard::default();
        config.unrecognised = Unrecognised::Drop;
        config.redact.clear();
        for (index, integration) in config.integrations.iter_mut().enumerate() {
            integration.name = index.to_string();
            integration.rate_limit = None;
            integration.filter.report = Report::Details;
        }
        let filter = Filter::new(&config, 7);
        Ok(Self(filter.map_err(|error| Halt::Refused(vec![format!("kaudit-filter: {error}")]))?))
    }

    fn decide(&mut self, record: &Record, at: Time) -> Decision {
        self.decide_on(&record.msgpack, at)
    }

    fn decide_on(&mut self, msgpack: &[u8], at: Time) -> Decision {
        let mut last = Decision::Other;
        self.0.process(FilterRecord::msgpack(msgpack), at, |verdict| {
            last = match verdict {
                Verdict::Kept(entry) => entry.subsystem().parse().map_or(Decision::Other, Decision::Claimed),
                Verdict::Dropped(reason) => Decision::Dropped(reason as usize),
                Verdict::Suppressed | Verdict::Passed => Decision::Other,
            };
        });
        last
    }
}
