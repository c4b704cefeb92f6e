//! The results as data, and as JSON.

use std::collections::BTreeMap;

use kaudit_timing::{Difference, Series, machine, quantile};
use serde::Serialize;

use crate::corpus::Corpus;
use crate::engine::{RecordCost, RecordVerdict};
use crate::patterns::{IntegrationCost, PatternCost};

/// All results; times are CPU time per record, nanoseconds.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The version of the filter.
    pub version: &'static str,
    /// The machine.
    pub machine: String,
    /// The origin of the records.
    pub source: String,
    /// The number of records.
    pub records: usize,
    /// The number of records that are not JSON objects.
    pub malformed: usize,
    /// Their length as JSON.
    pub bytes: usize,
    /// The load that cores are calculated for, records per second.
    pub load: f64,
    /// The baseline: copying the JSON of the records.
    pub copy: Spread,
    /// The configuration, and the one that it is compared with.
    pub configurations: Vec<Measured>,
    /// The difference of the second configuration from the first, by target.
    pub differences: Vec<Compared>,
    /// The targets that could not be measured, with the reason.
    pub absent: Vec<String>,
}

/// One configuration.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// Its file.
    pub name: String,
    /// By target.
    pub through: Vec<Target>,
    /// The engine in detail, by encoding.
    pub details: Vec<EngineDetail>,
    /// By integration; the times refer to the last encoding.
    pub integrations: Vec<IntegrationCost>,
    /// By pattern, the most expensive first.
    pub patterns: Vec<PatternCost>,
    /// The number of patterns that were not measured.
    pub patterns_beyond: usize,
}

/// The median and the quartiles of the rounds.
#[derive(Debug, Serialize)]
pub struct Spread {
    /// The median.
    pub ns: f64,
    /// The lower quartile.
    pub lower_quartile: f64,
    /// The upper quartile.
    pub upper_quartile: f64,
    /// All rounds, in their order.
    pub rounds: Vec<f64>,
}

impl Spread {
    fn of(series: &Series) -> Self {
        Self {
            ns: series.median(),
            lower_quartile: series.quantile(0.25),
            upper_quartile: series.quantile(0.75),
            rounds: series.rounds().to_vec(),
        }
    }
}

/// A measured target: the engine, or a plugin in its driver.
#[derive(Debug, Serialize)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// The cost of a record.
    #[serde(flatten)]
    pub spread: Spread,
    /// Records per second and core.
    pub records_per_second: f64,
    /// Megabytes of JSON per second and core.
    pub megabytes_per_second: f64,
    /// The cost as a multiple of the baseline.
    pub times_copy: f64,
    /// Cores for the load.
    pub processors: f64,
    /// The number of entries, summaries included, and of records that passed.
    pub left: u64,
    /// The maximum growth of the resident memory of a plugin's process, kB; `None` for the engine.
    pub resident_kb: Option<u64>,
}

impl Target {
    /// Returns a target; [`Report::new`] adds what depends on the records.
    pub fn new(name: &'static str, ns: &Series, left: u64, resident_kb: Option<u64>) -> Self {
        let spread = Spread::of(ns);
        let records_per_second = 1e9 / spread.ns;
        Self {
            name,
            spread,
            records_per_second,
            megabytes_per_second: 0.0,
            times_copy: 0.0,
            processors: 0.0,
            left,
            resident_kb,
        }
    }
}

/// The engine in detail.
#[derive(Debug, Serialize)]
pub struct EngineDetail {
    /// Its name.
    pub name: &'static str,
    /// Percentiles of the records measured separately: share, nanoseconds.
    pub percentiles: Vec<(f64, f64)>,
    /// By verdict.
    pub verdicts: Vec<VerdictCost>,
}

/// The records of one verdict.
#[derive(Debug, Serialize)]
pub struct VerdictCost {
    /// The verdict, with the reason of a drop.
    pub verdict: String,
    /// The number of records.
    pub records: usize,
    /// The median of their times.
    pub ns: f64,
    /// Their share of the time of all records.
    pub share: f64,
}

/// The reported percentiles.
const PERCENTILES: [f64; 6] = [0.1, 0.5, 0.9, 0.99, 0.999, 1.0];

impl EngineDetail {
    /// Summarises the costs of all records.
    pub fn new(name: &'static str, costs: &[RecordCost]) -> Self {
        let sorted = |costs: &mut dyn Iterator<Item = &RecordCost>| {
            let mut ns: Vec<f64> = costs.map(|cost| cost.ns).collect();
            ns.sort_by(f64::total_cmp);
            ns
        };
        let all = sorted(&mut costs.iter());
        let total: f64 = all.iter().sum();
        let mut counts: BTreeMap<RecordVerdict, usize> = BTreeMap::new();
        for cost in costs {
            *counts.entry(cost.verdict).or_default() += 1;
        }
        let verdict = |(verdict, records): (RecordVerdict, usize)| {
            let ns = sorted(&mut costs.iter().filter(|cost| cost.verdict == verdict));
            let share = ns.iter().sum::<f64>() / total;
            VerdictCost { verdict: verdict.label(), records, ns: quantile(&ns, 0.5), share }
        };
        Self {
            name,
            percentiles: PERCENTILES.map(|share| (share, quantile(&all, share))).to_vec(),
            verdicts: counts.into_iter().map(verdict).collect(),
        }
    }
}

/// A target of both configurations.
#[derive(Debug, Serialize)]
pub struct Compared {
    /// The target.
    pub name: &'static str,
    /// The median of the rounds' differences, as a share of the first.
    pub median: f64,
    /// The interval of the true median, with 95 % confidence.
    pub interval: Option<(f64, f64)>,
    /// Whether the difference is significant.
    pub beyond_noise: bool,
}

impl Compared {
    /// Returns the conclusion for people.
    pub fn conclusion(&self) -> &'static str {
        match (self.interval, self.beyond_noise, self.median > 0.0) {
            (None, ..) => "too few rounds",
            (_, false, _) => "within the noise",
            (_, _, true) => "slower, beyond the noise",
            (_, _, false) => "faster, beyond the noise",
        }
    }
}

impl Report {
    /// Combines the results; `pairs` are the targets of two configurations.
    #[expect(clippy::cast_precision_loss, reason = "printed with few digits")]
    pub fn new<'a>(
        corpus: &Corpus,
        load: f64,
        copy: &Series,
        mut configurations: Vec<Measured>,
        pairs: impl Iterator<Item = (&'static str, &'a Series, &'a Series)>,
        absent: Vec<String>,
    ) -> Self {
        let copy = Spread::of(copy);
        for target in configurations.iter_mut().flat_map(|measured| &mut measured.through) {
            let bytes = corpus.bytes as f64 / corpus.records as f64;
            target.megabytes_per_second = target.records_per_second * bytes / 1e6;
            target.times_copy = target.spread.ns / copy.ns;
            target.processors = load / target.records_per_second;
        }
        let differences = pairs.map(|(name, first, second)| {
            let difference = Difference::of(first, second);
            let beyond_noise = difference.is_beyond_noise();
            Compared { name, median: difference.median, interval: difference.interval, beyond_noise }
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            machine: machine(),
            source: corpus.source.clone(),
            records: corpus.records,
            malformed: corpus.malformed,
            bytes: corpus.bytes,
            load,
            copy,
            configurations,
            differences: differences.collect(),
            absent,
        }
    }
}
