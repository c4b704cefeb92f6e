//! Intervals of confidence, at 95 %.

use serde::Serialize;

use crate::seed::{Purpose, Seed, Stream, TuningSeed};

/// An estimate and its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The quantile of the normal distribution for 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Returns the share of successes with Wilson's interval; without trials it is unknown: 0 to 1.
pub fn wilson(successes: u32, trials: u32) -> Interval {
    if trials == 0 {
        return Interval { value: 0.0, low: 0.0, high: 1.0 };
    }
    let (n, share) = (f64::from(trials), f64::from(successes) / f64::from(trials));
    let centre = share + Z * Z / (2.0 * n);
    let margin = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let divisor = 1.0 + Z * Z / n;
    Interval {
        value: share,
        low: ((centre - margin) / divisor).max(0.0),
        high: ((centre + margin) / divisor).min(1.0),
    }
}

/// The number of resamples of the bootstrap.
const RESAMPLES: usize = 2_000;

/// Returns the mean with the percentile interval of a bootstrap over the values, which are independent clusters.
pub fn bootstrap_mean(values: &[f64]) -> Interval {
    let mean = |sum: f64, count: usize| sum / f64::from(u32::try_from(count.max(1)).unwrap_or(u32::MAX));
    let value = mean(values.iter().sum(), values.len());
    if values.is_empty() {
        return Interval { value, low: 0.0, high: 0.0 };
    }
    let mut random = Stream::new(Seed::from(TuningSeed::FIRST), Purpose::Resampling, &[]);
    let mut means: Vec<f64> =
        (0..RESAMPLES).map(|_| mean(values.iter().map(|_| *random.of(values)).sum(), values.len())).collect();
    means.sort_by(f64::total_cmp);
    Interval { value, low: means[RESAMPLES / 40], high: means[RESAMPLES - 1 - RESAMPLES / 40] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_has_the_published_values() {
        // Newcombe, 1998: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (successes, trials, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let interval = wilson(successes, trials);
            assert!((interval.low - low).abs() < 1e-4 && (interval.high - high).abs() < 1e-4, "{interval:?}");
        }
        assert_eq!(wilson(0, 0), Interval { value: 0.0, low: 0.0, high: 1.0 });
    }

    #[test]
    fn the_bootstrap_contains_the_mean_and_repeats() {
        let values: Vec<f64> = (0..30).map(|number| f64::from(number % 5)).collect();
        let interval = bootstrap_mean(&values);
        assert!(
            interval.low < 2.0 && interval.high > 2.0 && interval.high - interval.low < 1.5,
            "{interval:?}"
        );
        assert_eq!(interval, bootstrap_mean(&values));
        assert_eq!(bootstrap_mean(&[3.0, 3.0]), Interval { value: 3.0, low: 3.0, high: 3.0 });
    }
}
