//! The numbers of a target's rounds, and the comparison of two targets. Nothing is assumed about the noise.

/// One number per round.
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

    /// Returns the median; NaN without rounds.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Returns a quantile, interpolated; NaN without rounds.
    pub fn quantile(&self, share: f64) -> f64 {
        quantile(&self.sorted(), share)
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        Self(numbers.into_iter().collect())
    }
}

/// Returns a quantile of sorted numbers, interpolated; NaN without numbers.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index below 2^52"
)]
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let index = share.clamp(0.0, 1.0) * last as f64;
    let (below, above) = (index.floor() as usize, index.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * index.fract()
}

/// How much the second of two interleaved series exceeds the first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The median of the rounds' differences, as a share of the first.
    pub median: f64,
    /// The interval of the true median, with 95 % confidence; `None`: too few rounds.
    pub interval: Option<(f64, f64)>,
}

impl Difference {
    /// Compares two series of the same rounds.
    pub fn of(first: &Series, second: &Series) -> Self {
        let shares: Series =
            first.0.iter().zip(&second.0).map(|(first, second)| second / first - 1.0).collect();
        let sorted = shares.sorted();
        let interval = excluded(sorted.len()).map(|count| (sorted[count], sorted[sorted.len() - 1 - count]));
        Self { median: shares.median(), interval }
    }

    /// Whether the difference is significant: the interval does not contain 0.
    pub fn is_beyond_noise(&self) -> bool {
        self.interval.is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }
}

/// Returns how many sorted numbers may be excluded at each end, so that the rest spans the median with 95 % confidence.
///
/// This is the sign test, which assumes nothing but independent rounds. It takes at least six.
#[expect(clippy::cast_precision_loss, reason = "few rounds")]
fn excluded(count: usize) -> Option<usize> {
    // The probability that the first `number + 1` of a sorted series all are on one side of the median.
    let mut combinations = 1.0;
    let mut probability = 0.0;
    let mut found = None;
    for number in 0..count {
        probability += combinations * 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
        if 2.0 * probability > 0.05 {
            break;
        }
        found = Some(number);
        combinations *= (count - number) as f64 / (number + 1) as f64;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(numbers: impl IntoIterator<Item = f64>) -> Series {
        numbers.into_iter().collect()
    }

    #[test]
    fn quantiles_are_interpolated() {
        let series = series([4.0, 1.0, 3.0, 2.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|share| series.quantile(share).to_string()), ["1", "2.5", "4"]);
        assert!(Series::default().median().is_nan());
    }

    #[test]
    fn intervals_follow_from_the_sign_test() {
        // From the binomial distribution: 2 · 0.5^6 = 0.031; of eleven, 2 · (1 + 11) / 2^11 = 0.012 and with 55 more 0.065.
        for (count, expected) in
            [(5, None), (6, Some(0)), (8, Some(0)), (9, Some(1)), (11, Some(1)), (12, Some(2))]
        {
            assert_eq!(excluded(count), expected, "{count}");
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
}
