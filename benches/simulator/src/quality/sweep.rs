//! Thresholds of the baselines, compared on tuning seeds.

use super::detector::Method;
use super::ewma::Ewma;
use super::new_terms::NewTerms;
use super::report::Report;
use super::run::{Setting, measure};
use super::thresholds::Thresholds;
use crate::seed::{Seed, TuningSeed};

/// A method under another name.
struct Named<M>(String, M);

impl<M: Method> Method for Named<M> {
    fn name(&self) -> &str {
        &self.0
    }

    fn detector(&self, cluster: &str) -> Box<dyn super::detector::Detector> {
        self.1.detector(cluster)
    }
}

/// Measures each baseline with several settings. It accepts tuning seeds only.
pub fn sweep(seeds: &[TuningSeed], setting: Setting) -> Report {
    let mut methods: Vec<Box<dyn Method>> = Vec::new();
    for percent in [50, 75, 100, 150, 200] {
        methods.push(Box::new(Named(format!("thresh {percent}%"), Thresholds { percent })));
    }
    for days in [3, 5, 7] {
        methods.push(Box::new(Named(format!("terms {days}d"), NewTerms { days })));
    }
    for (z, alpha) in [(3.0, 0.01), (6.0, 0.01), (10.0, 0.01), (6.0, 0.05), (6.0, 0.002)] {
        methods.push(Box::new(Named(format!("z{z} a{alpha}"), Ewma { z, alpha })));
    }
    let seeds: Vec<Seed> = seeds.iter().map(|seed| Seed::from(*seed)).collect();
    let measurements = measure(&methods, &seeds, setting);
    Report::new(&seeds, setting, &measurements)
}
