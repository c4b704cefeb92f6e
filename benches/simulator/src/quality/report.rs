//! The tables as text of 80 columns, and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::judge::JudgedAttack;
use super::run::{Measurement, Setting};
use super::statistics::{Interval, bootstrap_mean, wilson};
use crate::attack::ATTACKS;
use crate::kind::DetectionKind;
use crate::seed::Seed;

/// The results of several methods.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The set of the seeds: tuning or test.
    pub set: &'static str,
    /// The numbers of the seeds.
    pub seeds: Vec<u32>,
    /// Clusters of each seed.
    pub clusters: u32,
    /// Days for learning.
    pub learn_days: u32,
    /// Days that were measured, with attacks and again without.
    pub days: u32,
    /// Attacks on each day and cluster.
    pub attacks_per_day: u32,
    /// The results.
    pub methods: Vec<MethodReport>,
}

/// The results of a method. Intervals are of 95 %: Wilson's for shares, a bootstrap over clusters for rates.
#[derive(Clone, Debug, Serialize)]
pub struct MethodReport {
    /// The name.
    pub method: String,
    /// The share of detections in attacked periods that an attack explains.
    pub precision: Interval,
    /// The share of attacks that were detected at all.
    pub recall: Interval,
    /// The share of attacks, without slow ones, that were detected within two windows.
    pub in_two_windows: Interval,
    /// The share of attacks with a detection of an expected kind.
    pub named: Interval,
    /// The median of the windows until the first detection, of the detected attacks.
    pub median_windows: Option<u32>,
    /// The 90th percentile.
    pub p90_windows: Option<u32>,
    /// Detections per cluster and day of quiet periods.
    pub false_per_day: Interval,
    /// The same by kind.
    pub false_per_day_by_kind: BTreeMap<&'static str, f64>,
    /// The results by kind of attack.
    pub attacks: Vec<AttackReport>,
}

/// The results for a kind of attack.
#[derive(Clone, Debug, Serialize)]
pub struct AttackReport {
    /// The kind's name.
    pub kind: &'static str,
    /// The number of attacks.
    pub attacks: u32,
    /// The share that was detected.
    pub recall: Interval,
}

impl Report {
    /// Summarises measurements.
    pub fn new(seeds: &[Seed], setting: Setting, measurements: &[Measurement]) -> Self {
        let set = match seeds {
            [first, rest @ ..] if rest.iter().all(|seed| seed.set() == first.set()) => first.set(),
            [] => "no",
            _ => "mixed",
        };
        Self {
            set,
            seeds: seeds.iter().map(|seed| seed.number()).collect(),
            clusters: setting.clusters,
            learn_days: setting.learn_days,
            days: setting.days,
            attacks_per_day: setting.attacks_per_day,
            methods: measurements.iter().map(|one| method_report(one, setting.days)).collect(),
        }
    }

    /// Returns the report as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Returns the report as text of at most 80 columns.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let Self { set, seeds, clusters, learn_days, days, attacks_per_day, .. } = self;
        let _ = writeln!(
            text,
            "{} {set} seeds, {clusters} cluster(s) each: {learn_days} days of learning, then {days} days with\n{attacks_per_day} attacks a day, and the same days without. Intervals of 95 %.\n",
            seeds.len(),
        );
        self.write_methods(&mut text);
        self.write_attacks(&mut text);
        self.write_kinds(&mut text);
        text
    }

    fn write_methods(&self, text: &mut String) {
        let titles = ["precision", "recall", "in 2 windows", "false/day"];
        let _ = write!(text, "{:<12}", "method");
        for title in titles {
            let _ = write!(text, " {title:<15}");
        }
        let _ = writeln!(text, "{:>4}", "p50");
        for method in &self.methods {
            let shares = [method.precision, method.recall, method.in_two_windows].map(percent);
            let median = method.median_windows.map_or_else(|| "-".to_owned(), |windows| windows.to_string());
            let rate = rate(method.false_per_day);
            let _ = write!(text, "{:<12}", method.method);
            for cell in shares.iter().chain([&rate]) {
                let _ = write!(text, " {cell:<15}");
            }
            let _ = writeln!(text, "{median:>4}");
        }
        let _ = writeln!(
            text,
            "\nprecision: of the attacked days. in 2 windows: without slow attacks. false/day:\nper cluster on quiet days. p50: windows until the first detection, the median.\n"
        );
    }

    /// Writes the names of the methods as the titles of columns.
    fn write_names(&self, text: &mut String) {
        for method in self.methods.iter().take(COLUMNS) {
            let _ = write!(text, " {:>11}", method.method);
        }
    }

    fn write_attacks(&self, text: &mut String) {
        let _ = write!(text, "{:<27}{:>4}", "recall by attack, %", "n");
        self.write_names(text);
        text.push('\n');
        let Some(first) = self.methods.first() else { return };
        for (at, attack) in first.attacks.iter().enumerate() {
            let _ = write!(text, "{:<27}{:>4}", attack.kind, attack.attacks);
            for method in self.methods.iter().take(COLUMNS) {
                let _ = write!(text, " {:>11}", percent(method.attacks[at].recall));
            }
            text.push('\n');
        }
        text.push('\n');
    }

    fn write_kinds(&self, text: &mut String) {
        let _ = write!(text, "{:<31}", "false per day by kind");
        self.write_names(text);
        text.push('\n');
        for kind in DetectionKind::ALL.iter().chain([&DetectionKind::Other]) {
            let rate = |method: &MethodReport| method.false_per_day_by_kind.get(kind.name()).copied();
            if self.methods.iter().all(|method| rate(method).is_none()) {
                continue;
            }
            let _ = write!(text, "{:<31}", kind.name());
            for method in self.methods.iter().take(COLUMNS) {
                let _ = write!(text, " {:>11.2}", rate(method).unwrap_or_default());
            }
            text.push('\n');
        }
    }
}

/// The number of methods whose columns fit into 80; JSON contains all.
const COLUMNS: usize = 4;

/// Returns a share in percent with its interval.
fn percent(Interval { value, low, high }: Interval) -> String {
    format!("{:.0} {:.0}-{:.0}", value * 100.0, low * 100.0, high * 100.0)
}

/// Returns a rate with its interval; below ten with two decimals.
fn rate(Interval { value, low, high }: Interval) -> String {
    if high < 10.0 {
        format!("{value:.2} {low:.2}-{high:.2}")
    } else {
        format!("{value:.1} {low:.1}-{high:.1}")
    }
}

fn method_report(measurement: &Measurement, days: u32) -> MethodReport {
    let units = &measurement.units;
    let attacks: Vec<&JudgedAttack> = units.iter().flat_map(|unit| &unit.judged.attacks).collect();
    let hits: u32 = units.iter().map(|unit| unit.judged.hits).sum();
    let misfires: u32 = units.iter().map(|unit| unit.judged.misfires).sum();
    let share = |counts: &dyn Fn(&JudgedAttack) -> bool, of: &dyn Fn(&JudgedAttack) -> bool| {
        let of: Vec<&&JudgedAttack> = attacks.iter().filter(|attack| of(attack)).collect();
        wilson(count(of.iter().filter(|attack| counts(attack)).count()), count(of.len()))
    };
    let mut windows: Vec<u32> = attacks.iter().filter_map(|attack| attack.windows).collect();
    windows.sort_unstable();
    let days = f64::from(days.max(1));
    let rates: Vec<f64> =
        units.iter().map(|unit| f64::from(unit.quiet.values().sum::<u32>()) / days).collect();
    let mut by_kind = BTreeMap::new();
    for (kind, number) in units.iter().flat_map(|unit| &unit.quiet) {
        *by_kind.entry(kind.name()).or_insert(0.0) +=
            f64::from(*number) / days / f64::from(count(units.len()).max(1));
    }
    let is_detected = |attack: &JudgedAttack| attack.windows.is_some();
    let kinds = ATTACKS.iter().map(|kind| AttackReport {
        kind: kind.name,
        attacks: count(attacks.iter().filter(|attack| attack.kind == kind.name).count()),
        recall: share(&is_detected, &|attack| attack.kind == kind.name),
    });
    MethodReport {
        method: measurement.method.clone(),
        precision: wilson(hits, hits + misfires),
        recall: share(&is_detected, &|_| true),
        in_two_windows: share(&|attack| attack.windows.is_some_and(|number| number <= 2), &|attack| {
            !attack.slow
        }),
        named: share(&|attack| attack.is_named, &|_| true),
        median_windows: windows.get(windows.len() / 2).copied(),
        p90_windows: windows.get(windows.len() * 9 / 10).copied(),
        false_per_day: bootstrap_mean(&rates),
        false_per_day_by_kind: by_kind,
        attacks: kinds.collect(),
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
