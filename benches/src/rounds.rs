//! Timing rounds for a machine with other load: interleaved targets, medians, distribution-free intervals.
//!
//! Decision: CPU time of this thread instead of elapsed time, since a thread that waits uses no CPU; for single
//! records, which are shorter than that clock's precision, the minimum of several times.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// Returns the CPU time of this thread, in nanoseconds.
pub fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |part: i64| u64::try_from(part).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// Returns the clock for times below a microsecond.
#[expect(clippy::disallowed_methods, reason = "this function measures time")]
pub fn clock() -> Instant {
    Instant::now()
}

/// Returns the order of the targets in a round: forwards, backwards, forwards…
pub fn turns(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |turn| if round.is_multiple_of(2) { turn } else { count - 1 - turn })
}

/// A series with one number per round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series(Vec<f64>);

impl Series {
    /// Adds the number of a round.
    pub fn push(&mut self, number: f64) {
        self.0.push(number);
    }

    /// Returns the numbers in the order of the rounds.
    pub fn rounds(&self) -> &[f64] {
        &self.0
    }

    /// Returns the median; NaN of an empty series.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Returns the quantile of this share, interpolated.
    pub fn quantile(&self, share: f64) -> f64 {
        quantile(&self.sorted(), share)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// Returns the quantile of this share of sorted numbers, interpolated; NaN if there are none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index below 2^52"
)]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

/// The difference between two interleaved series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The median of the rounds' differences, as a share of the first.
    pub median: f64,
    /// The 95 % confidence interval of the median; `None`: too few rounds.
    pub interval: Option<(f64, f64)>,
}

impl Difference {
    /// Returns the difference of two series of the same rounds.
    pub fn of(first: &Series, second: &Series) -> Self {
        let mut shares = Series::default();
        first.0.iter().zip(&second.0).for_each(|(first, second)| shares.push(second / first - 1.0));
        let sorted = shares.sorted();
        let cut = trimmed(sorted.len());
        let interval = cut.map(|cut| (sorted[cut], sorted[sorted.len() - 1 - cut]));
        Self { median: shares.median(), interval }
    }

    /// Returns whether the difference is significant.
    pub fn is_beyond_noise(&self) -> bool {
        self.interval.is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }
}

/// Returns how many of `count` sorted numbers to omit at either end, so that the rest spans the median with 95 %
/// confidence.
///
/// This is the sign test, which requires only independent rounds; it needs at least six.
#[expect(clippy::cast_precision_loss, reason = "few rounds")]
fn trimmed(count: usize) -> Option<usize> {
    // The probability that the first `cut + 1` of a sorted series are all on one side of the median.
    let mut ways = 1.0;
    let mut chance = 0.0;
    let mut found = None;
    for cut in 0..count {
        chance += ways * 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
        if 2.0 * chance > 0.05 {
            break;
        }
        found = Some(cut);
        ways *= (count - cut) as f64 / (cut + 1) as f64;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(numbers: impl IntoIterator<Item = f64>) -> Series {
        Series(numbers.into_iter().collect())
    }

    #[test]
    fn quantiles_lie_between() {
        let series = series([4.0, 1.0, 3.0, 2.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|share| series.quantile(share).to_string()), ["1", "2.5", "4"]);
        assert!(Series::default().median().is_nan());
    }

    #[test]
    fn intervals_follow_from_the_sign_test() {
        // From the binomial distribution: 2 · 0.5^6 = 0.031; of eleven, 2 · (1 + 11) / 2^11 = 0.012 and with 55 more 0.065.
        for (count, cut) in
            [(5, None), (6, Some(0)), (8, Some(0)), (9, Some(1)), (11, Some(1)), (12, Some(2))]
        {
            assert_eq!(trimmed(count), cut, "{count}");
        }
    }

    #[test]
    fn a_difference_is_distinguished_from_noise() {
        let drifting = |factor: f64| series((0..11).map(|round| factor * (100.0 + f64::from(round))));
        let slower = Difference::of(&drifting(1.0), &drifting(1.1));
        assert!(slower.is_beyond_noise() && (slower.median - 0.1).abs() < 1e-9, "{slower:?}");
        let uneven = series((0..11).map(|round| if round % 2 == 0 { 90.0 } else { 112.0 }));
        assert!(!Difference::of(&series([100.0; 11]), &uneven).is_beyond_noise());
        assert_eq!(Difference::of(&series([1.0]), &series([2.0])).interval, None);
    }

    #[test]
    fn every_second_round_is_reversed() {
        assert_eq!(turns(0, 3).chain(turns(1, 3)).collect::<Vec<_>>(), [0, 1, 2, 2, 1, 0]);
    }

    #[test]
    fn work_uses_cpu_time() {
        let before = cpu_ns();
        let sum: u64 = std::hint::black_box((0..2_000_000_u64).map(std::hint::black_box).sum());
        assert!(sum > 0 && cpu_ns() > before);
    }
}
