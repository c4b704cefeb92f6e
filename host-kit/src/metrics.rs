//! The metrics of a filter: one table of families, and their samples.
//!
//! Names, types and labels are a stable interface; `docs/metrics.md` is generated from the table. A host calls
//! [`Metrics::each`] and writes the samples in the form of its agent.
//!
//! Decision: the label sets are known when the filter starts, and each call of [`Metrics::each`] returns all of them in the
//! same order. Fluent Bit before 5.0 reads its metrics from another thread without a lock, so that no series may be added
//! later; and a series that exists from the start has a rate at its first count.

mod family;
mod table;

use kaudit_filter::{Filter, RuleCount, Time};

pub use family::{Family, Label, MetricType, NAMESPACE, OTHER_RULES};
pub use table::Unfiltered;
use table::{Loads, Source, TABLE};

/// The maximum number of rules that have series of their own, in the order of the policy.
///
/// A policy may have 4,096 rules, and each has two series on each node. The default policy reports 50.
pub const MAX_RULES: usize = 256;

/// Returns all families, in the order of [`Metrics::each`].
pub fn families() -> impl Iterator<Item = &'static Family> {
    TABLE.iter().map(|(family, _)| family)
}

/// The series of a filter, and the counts of its host.
#[derive(Debug)]
pub struct Metrics {
    /// The chunks that the host passed unfiltered.
    pub unfiltered: Unfiltered,
    loads: Loads,
    /// The series of rules; the last one is [`OTHER_RULES`].
    rules: Vec<RuleSeries>,
    /// For each rule of the policy, the index of its series.
    series_of_rules: Vec<usize>,
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
            loads: Loads { loaded: 0, refused: 0, loaded_at_seconds: 0, last_successful: true },
            rules,
            series_of_rules: Vec::new(),
        };
        metrics.load(filter, now);
        metrics
    }

    /// Counts a configuration that is in use from now on.
    fn load(&mut self, filter: &Filter, now: Time) {
        self.loads.loaded = self.loads.loaded.saturating_add(1);
        self.loads.last_successful = true;
        self.loads.loaded_at_seconds = u64::try_from(now.millis() / 1000).unwrap_or(0);
        let other = self.rules.len().saturating_sub(1);
        let series = |rule: RuleCount<'_>| self.rules.iter().position(|series| series.name == rule.name);
        self.series_of_rules = filter.rule_counts().map(|rule| series(rule).unwrap_or(other)).collect();
    }

    /// Counts a configuration that was refused because of mistakes.
    pub fn refuse(&mut self) {
        self.loads.refused = self.loads.refused.saturating_add(1);
        self.loads.last_successful = false;
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
            series_fill: filter.series_fill(),
            loads: self.loads,
            unfiltered: self.unfiltered,
            rules: names.zip(self.rule_sums(filter)).collect(),
        };
        for (family, samples) in TABLE {
            samples(&source, &mut |labels, value| on(family, labels, value));
        }
    }
}
