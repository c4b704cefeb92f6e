//! Runs of all methods over seeds.

use std::collections::BTreeMap;

use super::detector::{Detection, Detector, Method};
use super::judge::{Judged, judge};
use crate::attack::Attacks;
use crate::calendar::{DAY, START};
use crate::cluster::Size;
use crate::kind::DetectionKind;
use crate::seed::Seed;
use crate::simulation::{Plan, Simulation};

/// The periods of each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Days for learning; their detections do not count.
    pub learn_days: u32,
    /// Days that are measured.
    pub days: u32,
    /// The number of clusters of each seed.
    pub clusters: u32,
    /// The size of each cluster.
    pub size: Size,
    /// Attacks on each day and cluster, in the attacked runs.
    pub attacks_per_day: u32,
}

impl Default for Setting {
    fn default() -> Self {
        Self { learn_days: 8, days: 7, clusters: 1, size: Size::default(), attacks_per_day: 3 }
    }
}

/// The results of a method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// The name of the method.
    pub method: String,
    /// The results of each cluster of each seed.
    pub units: Vec<Unit>,
}

/// The results of a method on one cluster: an attacked period, and the same period without attacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The result of the attacked period.
    pub judged: Judged,
    /// Detections of the quiet period by kind; all of them are false.
    pub quiet: BTreeMap<DetectionKind, u32>,
}

/// Runs all methods over the clusters of the seeds.
pub fn measure(methods: &[Box<dyn Method>], seeds: &[Seed], setting: Setting) -> Vec<Measurement> {
    let mut measurements: Vec<Measurement> = methods
        .iter()
        .map(|method| Measurement { method: method.name().to_owned(), units: Vec::new() })
        .collect();
    for seed in seeds {
        for cluster in 0..setting.clusters {
            for (measurement, unit) in measurements.iter_mut().zip(units(methods, *seed, cluster, setting)) {
                measurement.units.push(unit);
            }
        }
    }
    measurements
}

/// Returns the results of every method for one cluster.
fn units(methods: &[Box<dyn Method>], seed: Seed, cluster: u32, setting: Setting) -> Vec<Unit> {
    let days = setting.learn_days + setting.days;
    let quiet = Plan { seed, days, size: setting.size, attacks: None };
    let attacks = Attacks { from_day: setting.learn_days, per_day: setting.attacks_per_day };
    let attacked = Plan { attacks: Some(attacks), ..quiet };
    let from_ms = (START + i64::from(setting.learn_days) * DAY) / 1000;
    let labels = Simulation::new(attacked, cluster).labels().to_vec();
    let of_quiet = run(methods, Simulation::new(quiet, cluster));
    let of_attacked = run(methods, Simulation::new(attacked, cluster));
    of_quiet
        .iter()
        .zip(&of_attacked)
        .map(|(quiet, attacked)| {
            let mut by_kind = BTreeMap::new();
            for found in quiet.iter().filter(|found| found.time_ms >= from_ms) {
                *by_kind.entry(found.kind).or_default() += 1;
            }
            Unit { judged: judge(attacked, &labels, from_ms), quiet: by_kind }
        })
        .collect()
}

/// Returns the detections of every method.
fn run(methods: &[Box<dyn Method>], simulation: Simulation) -> Vec<Vec<Detection>> {
    let cluster = simulation.cluster().to_owned();
    let mut detectors: Vec<(Box<dyn Detector>, Vec<Detection>)> =
        methods.iter().map(|method| (method.detector(&cluster), Vec::new())).collect();
    for event in simulation {
        for (detector, found) in &mut detectors {
            detector.event(&event, found);
        }
    }
    let finished = detectors.into_iter().map(|(mut detector, mut found)| {
        detector.finish(&mut found);
        found
    });
    finished.collect()
}
