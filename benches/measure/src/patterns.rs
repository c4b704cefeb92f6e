//! The cost and the effect of each integration and each of its patterns.
//!
//! The engine matches a finding against all integrations at once, so an integration has no cost of its own. Reported is
//! what can be measured with other configurations: for an integration, the findings that match it and their time; for a
//! pattern, the time of a search for it alone, the number of findings that contain it, and the number of findings whose
//! result changes without it.

use kaudit_filter::config::{Config, DataFilter, Guard, Integration, Report, Shape, Template, Unrecognised};
use kaudit_filter::finding::Kind;
use kaudit_filter::record::Record as FilterRecord;
use kaudit_filter::{BuildError, Filter, Time, Verdict};
use kaudit_timing::{cpu_nanos, interleave, quantile};
use serde::Serialize;
use serde_json::json;

use crate::corpus::{Corpus, Record};
use crate::encoding::msgpack;
use crate::engine::{RecordCost, RecordVerdict};

/// The maximum number of findings that patterns are measured on, sampled evenly.
const SAMPLE: usize = 5_000;
/// The maximum number of patterns: each requires filters of its own.
const MAX_PATTERNS: usize = 200;
/// How often a search is measured.
const ROUNDS: usize = 7;

/// An integration on these records.
#[derive(Debug, Serialize)]
pub struct IntegrationCost {
    /// Its name.
    pub name: String,
    /// Its type.
    pub r#type: &'static str,
    /// The number of findings that match it.
    pub claims: usize,
    /// How many of them were kept.
    pub kept: usize,
    /// How many of them a rate limit suppressed.
    pub suppressed: usize,
    /// The median of their time, nanoseconds; `None` without findings.
    pub ns: Option<f64>,
    /// Their share of the time of all records.
    pub share: f64,
}

/// A pattern of an integration.
#[derive(Debug, Serialize)]
pub struct PatternCost {
    /// The integration's name.
    pub integration: String,
    /// The option.
    pub option: &'static str,
    /// The pattern.
    pub pattern: String,
    /// The number of sampled findings of the integration's type.
    pub findings: usize,
    /// How many of them contain the pattern.
    pub found: usize,
    /// How many of them have another result without the pattern.
    pub decides: usize,
    /// The time of a search for the pattern alone, nanoseconds.
    pub ns: f64,
}

/// The result of matching a finding against the integrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MatchResult {
    Matched(usize),
    Dropped(usize),
    Other,
}

/// Returns the findings and the time of each integration, from the costs of all records.
///
/// # Errors
/// A filter cannot be built.
pub fn integrations(
    config: &Config,
    corpus: &Corpus,
    costs: &[RecordCost],
) -> Result<Vec<IntegrationCost>, BuildError> {
    let mut matching = Matching::new(config)?;
    let results: Vec<_> = corpus.each().map(|(record, at)| matching.of(&record.msgpack, at)).collect();
    let total: f64 = costs.iter().map(|cost| cost.ns).sum();
    let one = |(index, integration): (usize, &Integration)| {
        let own = || {
            let matched = |(_, result): &(_, &MatchResult)| **result == MatchResult::Matched(index);
            costs.iter().zip(&results).filter(matched).map(|(cost, _)| cost)
        };
        let count = |verdict| own().filter(|cost| cost.verdict == verdict).count();
        let mut ns: Vec<f64> = own().map(|cost| cost.ns).collect();
        ns.sort_by(f64::total_cmp);
        IntegrationCost {
            name: integration.name.clone(),
            r#type: integration.kind.name(),
            claims: ns.len(),
            kept: count(RecordVerdict::Kept),
            suppressed: count(RecordVerdict::Suppressed),
            ns: (!ns.is_empty()).then(|| quantile(&ns, 0.5)),
            // The sum of no numbers is a negative zero.
            share: (ns.iter().sum::<f64>() / total).max(0.0),
        }
    };
    let running = config.integrations.iter().enumerate().filter(|(_, integration)| integration.applies);
    Ok(running.map(one).collect())
}

/// Returns the patterns, the most expensive first, and the number of patterns beyond the maximum.
///
/// # Errors
/// A filter cannot be built.
pub fn patterns(config: &Config, corpus: &Corpus) -> Result<(Vec<PatternCost>, usize), BuildError> {
    let samples = Kind::ALL.iter().map(|kind| sample(*kind, corpus)).collect::<Result<Vec<_>, _>>()?;
    let mut costs = Vec::new();
    let mut beyond = 0;
    let all = |config: &Config, sample: &[Sample<'_>]| -> Result<Vec<MatchResult>, BuildError> {
        let mut matching = Matching::new(config)?;
        Ok(sample.iter().map(|one| matching.of(&one.record.msgpack, one.at)).collect())
    };
    let befores = samples.iter().map(|sample| all(config, sample)).collect::<Result<Vec<_>, _>>()?;
    for (index, integration) in config.integrations.iter().enumerate().filter(|(_, one)| one.applies) {
        let (sample, before) = (&samples[integration.kind as usize], &befores[integration.kind as usize]);
        for (number, option) in OPTIONS.into_iter().enumerate() {
            let Some(pattern) = clause(&integration.filter, number).cloned() else { continue };
            if costs.len() == MAX_PATTERNS {
                beyond += 1;
                continue;
            }
            let mut without = config.clone();
            *clause_mut(&mut without.integrations[index].filter, number) = None;
            let after = all(&without, sample)?;
            let (found, ns) = search(integration.kind, number, &pattern, sample)?;
            costs.push(PatternCost {
                integration: integration.name.clone(),
                option,
                pattern,
                findings: sample.len(),
                found,
                decides: before.iter().zip(&after).filter(|(before, after)| before != after).count(),
                ns,
            });
        }
    }
    costs.sort_by(|a, b| b.ns.total_cmp(&a.ns));
    Ok((costs, beyond))
}

/// The clauses of a data filter that are patterns. An odd number rejects a finding that contains the pattern.
const OPTIONS: [&str; 4] = ["entity-match", "entity-no-match", "rules-match", "rules-no-match"];

fn clause(filter: &DataFilter, number: usize) -> Option<&String> {
    [&filter.entity_match, &filter.entity_no_match, &filter.rules_match, &filter.rules_no_match][number]
        .as_ref()
}

fn clause_mut(filter: &mut DataFilter, number: usize) -> &mut Option<String> {
    let DataFilter { entity_match, entity_no_match, rules_match, rules_no_match, .. } = filter;
    let clauses: [_; 4] = [entity_match, entity_no_match, rules_match, rules_no_match];
    clauses.into_iter().nth(number).expect("one of four")
}

/// Returns how many findings contain a pattern, and the time of a search for it, nanoseconds.
///
/// There are two integrations: the first rejects a finding that contains the pattern, the second accepts it. So each
/// finding is kept, with and without the pattern, and the difference of the times is the time of the search.
fn search(
    kind: Kind,
    number: usize,
    pattern: &str,
    sample: &[Sample<'_>],
) -> Result<(usize, f64), BuildError> {
    let with = |pattern: Option<String>| {
        let mut filter = DataFilter::default();
        *clause_mut(&mut filter, number | 1) = pattern;
        let mut config = only(kind, filter);
        config.integrations.extend(only(kind, DataFilter::default()).integrations);
        Matching::new(&config)
    };
    let mut both = [with(None)?, with(Some(pattern.to_owned()))?];
    let [_, searching] = &mut both;
    let contains = |one: &&Sample<'_>| searching.of(&one.record.msgpack, one.at) == MatchResult::Matched(1);
    let found = sample.iter().filter(contains).count();
    let series = interleave(ROUNDS, both.len(), |target| {
        let start = cpu_nanos();
        for one in sample {
            std::hint::black_box(both[target].of(&one.small, one.at));
        }
        #[expect(clippy::cast_precision_loss, reason = "printed with few digits")]
        Ok::<_, BuildError>((cpu_nanos() - start) as f64 / sample.len().max(1) as f64)
    })?;
    // Disturbances only ever add to the minimum of each.
    Ok((found, (series[1].quantile(0.0) - series[0].quantile(0.0)).max(0.0)))
}

/// A finding that patterns are measured on.
struct Sample<'c> {
    record: &'c Record,
    at: Time,
    /// A finding of the same kind, entity and rule and nothing else, so that a search is much of its cost.
    small: Vec<u8>,
}

/// Returns findings of a kind, sampled evenly.
fn sample(kind: Kind, corpus: &Corpus) -> Result<Vec<Sample<'_>>, BuildError> {
    let mut matching = Matching::new(&only(kind, DataFilter::default()))?;
    let mut found = Vec::new();
    for (record, at) in corpus.each() {
        matching.0.process(FilterRecord::msgpack(&record.msgpack), at, |verdict| {
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
            let small = msgpack(&small.to_string()).unwrap_or_default();
            found.push(Sample { record, at, small });
        });
    }
    let step = found.len().div_ceil(SAMPLE).max(1);
    Ok(found.into_iter().step_by(step).collect())
}

/// Returns a configuration with one integration of a kind.
fn only(kind: Kind, filter: DataFilter) -> Config {
    let mut integration = Integration::new(kind, "");
    integration.filter = filter;
    let mut config = Config::default();
    config.integrations.push(integration);
    config
}

/// A filter that returns the integration of a finding: the subsystem's name is its index.
struct Matching(Filter);

impl Matching {
    fn new(config: &Config) -> Result<Self, BuildError> {
        let mut config = config.clone();
        config.coralogix.subsystem_name = Template::parse("{integration}").expect("a placeholder");
        config.coralogix.shape = Shape::Singles;
        config.guard = Guard::default();
        config.unrecognised = Unrecognised::Drop;
        config.redact.clear();
        for (index, integration) in config.integrations.iter_mut().enumerate() {
            integration.name = index.to_string();
            integration.rate_limit = None;
            integration.filter.report = Report::Details;
        }
        Ok(Self(Filter::new(&config, 7)?))
    }

    /// Returns the result of the last finding of a record.
    fn of(&mut self, msgpack: &[u8], at: Time) -> MatchResult {
        let mut last = MatchResult::Other;
        self.0.process(FilterRecord::msgpack(msgpack), at, |verdict| {
            last = match verdict {
                Verdict::Kept(entry) => {
                    entry.subsystem().parse().map_or(MatchResult::Other, MatchResult::Matched)
                }
                Verdict::Dropped(reason) => MatchResult::Dropped(reason as usize),
                Verdict::Suppressed | Verdict::Passed => MatchResult::Other,
            };
        });
        last
    }
}
