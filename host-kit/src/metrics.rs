//! The metrics of a filter: one table of families, and their samples.
//!
//! Names, types and labels are a stable interface; `docs/metrics.md` is generated from the table. A host calls
//! [`Metrics::each`] and writes the samples in the form of its agent.
//!
//! Decision: the label sets are known when the filter starts, and each call of [`Metrics::each`] returns all of them in the
//! same order. Fluent Bit before 5.0 reads its metrics from another thread without a lock, so that no series may be added
//! later; and a series that exists from the start has a rate at its first count.

use kaudit_filter::finding::Kind;
use kaudit_filter::stats::{Reason, Stats};
use kaudit_filter::{Filter, RuleCount, Time};

/// The prefix of all names.
pub const NAMESPACE: &str = "kaudit";

/// The value of the label `rule` for all rules without a series of their own.
pub const OTHER_RULES: &str = "other";

/// The maximum number of rules that have series of their own, in the order of the policy.
///
/// A policy may have 4,096 rules, and each has two series on each node. The default policy reports 50.
pub const MAX_RULES: usize = 256;

/// A metric: all samples of one name.
#[derive(Debug)]
pub struct Family {
    /// The name after the prefix: `records_total`. See [`Family::full_name`].
    pub name: &'static str,
    /// Counter or gauge.
    pub metric_type: MetricType,
    /// The meaning, in one line.
    pub help: &'static str,
    /// The labels, in the order of a sample's values.
    pub labels: &'static [Label],
    /// An example in `PromQL`.
    pub query: &'static str,
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricType {
    /// A sum that starts at 0 with the filter and never decreases.
    Counter,
    /// The present value.
    Gauge,
}

/// A label of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// The name.
    pub name: &'static str,
    values: Values,
}

#[derive(Clone, Copy, Debug)]
enum Values {
    Listed(&'static [&'static str]),
    Kinds,
    Reasons,
    Rules,
}

impl Family {
    /// Returns the name with the prefix, as in Prometheus: `kaudit_records_total`.
    pub fn full_name(&self) -> String {
        format!("{NAMESPACE}_{}", self.name)
    }
}

impl MetricType {
    /// Returns the name of the type in Prometheus' text format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

impl Label {
    /// Returns all values that the label can have; `None`: the names of the policy's rules, and [`OTHER_RULES`].
    pub fn values(&self) -> Option<Vec<&'static str>> {
        match self.values {
            Values::Listed(values) => Some(values.to_vec()),
            Values::Kinds => Some(Kind::ALL.iter().map(|kind| kind.name()).chain([UNRECOGNISED]).collect()),
            Values::Reasons => Some(Reason::ALL.iter().map(|reason| reason.label()).collect()),
            Values::Rules => None,
        }
    }
}

/// The value of the label `kind` for kept records that are not findings.
const UNRECOGNISED: &str = "unrecognised";

const fn listed(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values: Values::Listed(values) }
}

const VERDICT: Label = listed("verdict", &["kept", "dropped", "suppressed", "passed", "batch"]);
const REASON: Label = Label { name: "reason", values: Values::Reasons };
const KIND: Label = Label { name: "kind", values: Values::Kinds };
const ORIGIN: Label = listed("origin", &["finding", "summary", "report"]);
const BY: Label = listed("by", &["summary", "report"]);
const CHANGE: Label = listed("change", &["clamped", "truncated", "redacted"]);
const RULE: Label = Label { name: "rule", values: Values::Rules };
const RESULT: Label = listed("result", &["loaded", "refused"]);
const CAUSE: Label = listed("cause", &["malformed", "panicked", "memory", "failed"]);

/// Reports the label values and the value of a sample. An empty label value means that the sample has no such label.
type Report<'r> = dyn FnMut(&[&str], u64) + 'r;

/// A family, and the function that reports its samples.
type Row = (Family, fn(&Source<'_>, &mut Report<'_>));

static TABLE: &[Row] = &[
    (
        Family {
            name: "records_total",
            metric_type: MetricType::Counter,
            help: "Records and items of batches, by verdict; dropped ones by reason, kept ones by kind.",
            labels: &[VERDICT, REASON, KIND],
            query: "sum by (verdict, reason, kind) (rate(kaudit_records_total[5m]))",
        },
        |source, report| {
            let stats = source.stats;
            for &kind in Kind::ALL {
                report(&["kept", "", kind.name()], stats.kept_of(kind));
            }
            report(&["kept", "", UNRECOGNISED], stats.wrapped);
            for &reason in Reason::ALL {
                report(&["dropped", reason.label(), ""], stats.dropped_for(reason));
            }
            report(&["suppressed", "", ""], stats.suppressed);
            report(&["passed", "", ""], stats.passed);
            report(&["batch", "", ""], stats.batches);
        },
    ),
    (
        Family {
            name: "received_records_total",
            metric_type: MetricType::Counter,
            help: "Records received from the agent.",
            labels: &[],
            query: "sum(rate(kaudit_received_records_total[5m]))",
        },
        |source, report| report(&[], source.stats.records),
    ),
    (
        Family {
            name: "batch_items_total",
            metric_type: MetricType::Counter,
            help: "Items of records that contain several findings; with the received records, the sum of all verdicts.",
            labels: &[],
            query: "sum(rate(kaudit_batch_items_total[5m]))",
        },
        |source, report| report(&[], source.stats.batch_items),
    ),
    (
        Family {
            name: "entries_total",
            metric_type: MetricType::Counter,
            help: "Entries for Coralogix: of kept findings and records, summaries of suppressed findings, count reports.",
            labels: &[ORIGIN],
            query: "sum by (origin) (increase(kaudit_entries_total[1h]))",
        },
        |source, report| {
            report(&["finding"], source.stats.kept());
            report(&["summary"], source.stats.summaries);
            report(&["report"], source.stats.reports);
        },
    ),
    (
        Family {
            name: "reported_findings_total",
            metric_type: MetricType::Counter,
            help: "Suppressed findings in summaries, and counted findings in count reports.",
            labels: &[BY],
            query: "sum by (by) (increase(kaudit_reported_findings_total[1h]))",
        },
        |source, report| {
            report(&["summary"], source.stats.summarised);
            report(&["report"], source.stats.reported);
        },
    ),
    (
        Family {
            name: "pending_findings",
            metric_type: MetricType::Gauge,
            help: "Suppressed or counted findings that no summary or count report contains yet.",
            labels: &[BY],
            query: "sum by (by) (kaudit_pending_findings)",
        },
        |source, report| {
            let stats = source.stats;
            report(&["summary"], stats.suppressed.saturating_sub(stats.summarised));
            report(&["report"], stats.dropped_for(Reason::Counted).saturating_sub(stats.reported));
        },
    ),
    (
        Family {
            name: "modified_entries_total",
            metric_type: MetricType::Counter,
            help: "Entries with a replaced timestamp (clamped), a truncated text, or redacted values.",
            labels: &[CHANGE],
            query: "sum by (change) (increase(kaudit_modified_entries_total[1h]))",
        },
        |source, report| {
            report(&["clamped"], source.stats.clamped);
            report(&["truncated"], source.stats.truncated);
            report(&["redacted"], source.stats.redacted);
        },
    ),
    (
        Family {
            name: "rule_selections_total",
            metric_type: MetricType::Counter,
            help: "Audit events that a rule of the policy selected.",
            labels: &[RULE],
            query: "topk(10, sum by (rule) (increase(kaudit_rule_selections_total[1d])))",
        },
        |source, report| {
            for (name, [selected, _]) in &source.rules {
                report(&[name], *selected);
            }
        },
    ),
    (
        Family {
            name: "rule_undecided_total",
            metric_type: MetricType::Counter,
            help: "Audit events for which a rule could not be decided, because the request body or another part is missing.",
            labels: &[RULE],
            query: "sum by (rule) (increase(kaudit_rule_undecided_total[1d])) > 0",
        },
        |source, report| {
            for (name, [_, undecided]) in &source.rules {
                report(&[name], *undecided);
            }
        },
    ),
    (
        Family {
            name: "limiter_keys",
            metric_type: MetricType::Gauge,
            help: "Keys in the table of rate limits.",
            labels: &[],
            query: "kaudit_limiter_keys / kaudit_limiter_max_keys",
        },
        |source, report| report(&[], source.limiter_fill.0 as u64),
    ),
    (
        Family {
            name: "limiter_max_keys",
            metric_type: MetricType::Gauge,
            help: "Maximum of keys in the table of rate limits (rate-limit.max-keys); further keys share one limit.",
            labels: &[],
            query: "max(kaudit_limiter_max_keys)",
        },
        |source, report| report(&[], source.limiter_fill.1 as u64),
    ),
    (
        Family {
            name: "config_loads_total",
            metric_type: MetricType::Counter,
            help: "Configurations that were loaded, at the start or later, or refused because of mistakes.",
            labels: &[RESULT],
            query: "sum by (result) (increase(kaudit_config_loads_total[1h]))",
        },
        |source, report| {
            report(&["loaded"], source.metrics.loaded);
            report(&["refused"], source.metrics.refused);
        },
    ),
    (
        Family {
            name: "config_loaded_timestamp_seconds",
            metric_type: MetricType::Gauge,
            help: "Time at which the configuration in use was loaded, in seconds since 1970.",
            labels: &[],
            query: "time() - kaudit_config_loaded_timestamp_seconds",
        },
        |source, report| report(&[], source.metrics.loaded_at_seconds),
    ),
    (
        Family {
            name: "unfiltered_chunks_total",
            metric_type: MetricType::Counter,
            help: "Chunks that passed through unfiltered after a failure. In Vector, each event is a chunk.",
            labels: &[CAUSE],
            query: "sum by (cause) (increase(kaudit_unfiltered_chunks_total[1h])) > 0",
        },
        |source, report| {
            let Unfiltered { malformed, panicked, memory, failed } = source.metrics.unfiltered;
            report(&["malformed"], malformed);
            report(&["panicked"], panicked);
            report(&["memory"], memory);
            report(&["failed"], failed);
        },
    ),
];

/// Returns all families, in the order of [`Metrics::each`].
pub fn families() -> impl Iterator<Item = &'static Family> {
    TABLE.iter().map(|(family, _)| family)
}

/// The values from which samples are made.
struct Source<'s> {
    stats: &'s Stats,
    limiter_fill: (usize, usize),
    metrics: &'s Metrics,
    /// The names of the rules with series, and the events that they selected and could not decide.
    rules: Vec<(&'s str, [u64; 2])>,
}

/// The series of a filter, and the counts of its host.
#[derive(Debug)]
pub struct Metrics {
    /// The chunks that the host passed unfiltered.
    pub unfiltered: Unfiltered,
    loaded: u64,
    refused: u64,
    loaded_at_seconds: u64,
    /// The series of rules; the last one is [`OTHER_RULES`].
    rules: Vec<RuleSeries>,
    /// For each rule of the policy, the index of its series.
    series_of_rules: Vec<usize>,
}

/// The numbers of chunks that passed through unfiltered, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfiltered {
    /// The chunk is not the agent's encoding.
    pub malformed: u64,
    /// The filter's own code panicked.
    pub panicked: u64,
    /// The memory for the result could not be allocated.
    pub memory: u64,
    /// Another error, such as a value that an event of Vector cannot contain.
    pub failed: u64,
}

/// The series of a rule.
#[derive(Debug)]
struct RuleSeries {
    name: String,
    /// The events that it selected and could not decide under earlier configurations: a filter counts them again from 0
    /// when its configuration is replaced.
    earlier: [u64; 2],
}

impl Metrics {
    /// Returns the metrics of a filter that was built `now`. The rules of its policy get series.
    pub fn new(filter: &Filter, now: Time) -> Self {
        let reported = filter.rule_counts().filter(|rule| rule.status && rule.name != OTHER_RULES);
        let names = reported.take(MAX_RULES).map(|rule| rule.name).chain([OTHER_RULES]);
        let rules = names.map(|name| RuleSeries { name: name.to_owned(), earlier: [0; 2] }).collect();
        let mut metrics = Self {
            unfiltered: Unfiltered::default(),
            loaded: 0,
            refused: 0,
            loaded_at_seconds: 0,
            rules,
            series_of_rules: Vec::new(),
        };
        metrics.load(filter, now);
        metrics
    }

    /// Counts a configuration that is in use from now on.
    fn load(&mut self, filter: &Filter, now: Time) {
        self.loaded = self.loaded.saturating_add(1);
        self.loaded_at_seconds = u64::try_from(now.millis() / 1000).unwrap_or(0);
        let other = self.rules.len().saturating_sub(1);
        let series = |rule: RuleCount<'_>| self.rules.iter().position(|series| series.name == rule.name);
        self.series_of_rules = filter.rule_counts().map(|rule| series(rule).unwrap_or(other)).collect();
    }

    /// Counts a configuration that was refused because of mistakes.
    pub fn refuse(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// Replaces the configuration of a session, and counts it. Rules without series are counted as [`OTHER_RULES`].
    ///
    /// # Errors
    /// The same as for [`crate::Session::replace`]; nothing is counted then, and the session is unchanged.
    #[cfg(feature = "compile")]
    pub fn replace(
        &mut self,
        session: &mut crate::Session,
        config: &kaudit_filter::config::Config,
        seed: u64,
        now: Time,
    ) -> Result<(), kaudit_filter::BuildError> {
        let earlier: Vec<[u64; 2]> = self.rule_sums(session.engine());
        session.replace(config, seed)?;
        for (series, earlier) in self.rules.iter_mut().zip(earlier) {
            series.earlier = earlier;
        }
        self.load(session.engine(), now);
        Ok(())
    }

    /// Returns the counts of each series of rules, under all configurations.
    fn rule_sums(&self, filter: &Filter) -> Vec<[u64; 2]> {
        let mut sums: Vec<[u64; 2]> = self.rules.iter().map(|series| series.earlier).collect();
        for (rule, series) in filter.rule_counts().zip(&self.series_of_rules) {
            if let Some([selected, undecided]) = sums.get_mut(*series) {
                *selected = selected.saturating_add(rule.selected);
                *undecided = undecided.saturating_add(rule.undecided);
            }
        }
        sums
    }

    /// Calls `on` with the family, the label values and the value of each sample, zero or not.
    ///
    /// The order and the labels are the same in each call. An empty label value means that the sample has no such label.
    pub fn each(&self, filter: &Filter, mut on: impl FnMut(&'static Family, &[&str], u64)) {
        let names = self.rules.iter().map(|series| &*series.name);
        let source = Source {
            stats: filter.stats(),
            limiter_fill: filter.limiter_fill(),
            metrics: self,
            rules: names.zip(self.rule_sums(filter)).collect(),
        };
        for (family, samples) in TABLE {
            samples(&source, &mut |labels, value| on(family, labels, value));
        }
    }
}
