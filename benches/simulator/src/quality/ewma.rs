//! A control chart for each user and kind: the exponentially weighted mean and variance of the counts.

use std::collections::BTreeMap;

use super::detector::{Detector, Method, PERIOD_MS};
use super::features::Tally;
use super::windowed::{Rule, Windowed};
use crate::kind::DetectionKind;

/// Reports a count that is many standard deviations above a user's mean.
///
/// Counts are replaced by their square roots, whose variance does not grow with the mean; the logarithm would not be the
/// same on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Ewma {
    /// The number of standard deviations.
    pub z: f64,
    /// The weight of a window.
    pub alpha: f64,
}

impl Default for Ewma {
    fn default() -> Self {
        Self { z: 6.0, alpha: 0.01 }
    }
}

/// The smallest count that is reported.
const FLOOR: u32 = 3;

/// The smallest standard deviation: a series of zeros has none.
const MIN_DEVIATION: f64 = 0.25;

/// How long a cluster is observed before anything is reported.
const WARM_UP_MS: i64 = 86_400_000;

/// The most empty windows that are applied one by one; after them the mean is as good as zero.
const MAX_EMPTY: i64 = 3_000;

impl Method for Ewma {
    fn name(&self) -> &'static str {
        "EWMA"
    }

    fn detector(&self, _: &str) -> Box<dyn Detector> {
        Box::new(Windowed::new(State { settings: *self, begin: None, series: BTreeMap::new() }))
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Series {
    mean: f64,
    variance: f64,
    /// The end of the last window with events.
    last: i64,
}

impl Series {
    fn add(&mut self, value: f64, alpha: f64) {
        let difference = value - self.mean;
        self.mean += alpha * difference;
        self.variance = (1.0 - alpha) * (self.variance + alpha * difference * difference);
    }

    /// Adds the empty windows since the last one with events.
    fn advance(&mut self, end: i64, alpha: f64) {
        let empty = (end - self.last) / PERIOD_MS - 1;
        for _ in 0..empty.clamp(0, MAX_EMPTY) {
            self.add(0.0, alpha);
        }
        self.last = end;
    }

    fn z(&self, value: f64) -> f64 {
        (value - self.mean) / self.variance.sqrt().max(MIN_DEVIATION)
    }
}

#[derive(Debug)]
struct State {
    settings: Ewma,
    begin: Option<i64>,
    series: BTreeMap<(u32, DetectionKind), Series>,
}

impl Rule for State {
    fn exceeds(&mut self, key: (u32, DetectionKind), end: i64, tally: &Tally) -> bool {
        let begin = *self.begin.get_or_insert(end);
        let count = tally.statistic(key.1);
        let value = f64::from(count).sqrt();
        let series = self.series.entry(key).or_insert(Series { last: begin, ..Series::default() });
        series.advance(end, self.settings.alpha);
        let z = series.z(value);
        series.add(value, self.settings.alpha);
        count >= FLOOR && z >= self.settings.z && end - begin >= WARM_UP_MS
    }
}
