//! The usual values of one series, and the decision whether another value is unusual.

use super::fixed::{Factor, LEVEL_BITS, count_of, level};
use crate::finding::Confidence;

/// The windows within an hour, in which a series is reported once.
const HOUR: u32 = 20;

/// The share of a new value in the fast baseline, as a shift: 1/16, so that half of a value is left after 33 minutes.
const FAST_SHIFT: u32 = 4;
/// 15/16 with 32 fractional bits.
const FAST_DECAY: u32 = 0xF000_0000;
/// The power of two that is a half after 6,720 windows, 14 days; with 32 fractional bits.
const SLOW_DECAY: u32 = 4_294_524_306;

/// The weight of one value in the slow baseline.
const WEIGHT: u32 = 256;
/// The weight below which a series has no history: a single value after 28 days.
const FORGOTTEN: u32 = WEIGHT / 4;

/// The minimum variances of levels, with 16 fractional bits: 0.3² with a history, (1/6)² without.
const KNOWN_VARIANCE: u32 = 5_898;
const NEW_VARIANCE: u32 = 1_820;

/// The squared numbers of standard deviations from which a value is unusual, with its confidence.
const THRESHOLDS: [(u64, Confidence); 3] =
    [(36, Confidence::High), (16, Confidence::Medium), (9, Confidence::Low)];

/// The baselines of one series.
///
/// Levels have 8 fractional bits; moments of the fast baseline 16, sums of the slow one 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Baseline {
    /// The last window in which the series occurred.
    pub last: u32,
    /// The moments of the levels of all windows.
    fast: Moments,
    /// The weighted sums over the windows in which the series occurred.
    weight: u32,
    sum: u32,
    squares: u32,
    /// The last window that was reported, and its value; 0: none.
    reported: u32,
    reported_value: u32,
}

/// A mean and a mean square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Moments {
    mean: u32,
    square: u32,
}

/// An unusual value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unusual {
    pub confidence: Confidence,
    /// The count that is usual when the series occurs; 0 without a history.
    pub expected: u32,
    /// Whether the series has no history.
    pub is_first: bool,
}

impl Moments {
    /// Returns the greatest confidence for which a level exceeds the moments.
    fn exceeded_by(self, level: u32, minimum: u32) -> Option<Confidence> {
        let above = u64::from((level << LEVEL_BITS).checked_sub(self.mean)?);
        // With 16 fractional bits, as the variance.
        let squared = above.saturating_mul(above) >> 16;
        let mean_squared = u64::from(self.mean).saturating_mul(u64::from(self.mean)) >> 16;
        let variance = u64::from(self.square).saturating_sub(mean_squared).max(u64::from(minimum));
        let exceeds = |deviations: u64| squared >= deviations.saturating_mul(variance);
        THRESHOLDS.iter().find(|(deviations, _)| exceeds(*deviations)).map(|(_, confidence)| *confidence)
    }
}

impl Baseline {
    /// Returns the numbers of a snapshot.
    pub fn numbers(&self) -> [u32; 8] {
        let Self { last, fast, weight, sum, squares, reported, reported_value } = *self;
        [last, fast.mean, fast.square, weight, sum, squares, reported, reported_value]
    }

    /// Returns the baseline with these numbers.
    pub fn of_numbers(numbers: [u32; 8]) -> Self {
        let [last, mean, square, weight, sum, squares, reported, reported_value] = numbers;
        Self { last, fast: Moments { mean, square }, weight, sum, squares, reported, reported_value }
    }

    /// Returns whether a value in a window is unusual. The window is not before the last one.
    pub fn judge(&self, window: u32, value: u32) -> Option<Unusual> {
        let idle = window.saturating_sub(self.last).saturating_sub(1);
        let level = level(value);
        let fast = self.fast_after(idle).exceeded_by(level, NEW_VARIANCE)?;
        let (slow, is_first) = match self.slow_after(window.saturating_sub(self.last)) {
            Some(slow) => (slow, false),
            None => (Moments::default(), true),
        };
        let minimum = if is_first { NEW_VARIANCE } else { KNOWN_VARIANCE };
        let confidence = lower(fast, slow.exceeded_by(level, minimum)?);
        Some(Unusual { confidence, expected: count_of(slow.mean >> LEVEL_BITS), is_first })
    }

    /// Whether a value was reported within the last hour, and this one is less than twice as high.
    pub fn is_repetition(&self, window: u32, value: u32) -> bool {
        let is_recent = window.checked_sub(self.reported).is_some_and(|windows| windows < HOUR);
        self.reported > 0 && is_recent && value < self.reported_value.saturating_mul(2)
    }

    /// Remembers that a value was reported.
    pub fn report(&mut self, window: u32, value: u32) {
        (self.reported, self.reported_value) = (window, value);
    }

    /// Learns the value of a window.
    pub fn learn(&mut self, window: u32, value: u32) {
        let passed = window.saturating_sub(self.last);
        let level = level(value);
        let squared = level.saturating_mul(level);
        let Moments { mean, square } = self.fast_after(passed.saturating_sub(1));
        let part = |value: u32| value >> FAST_SHIFT;
        self.fast = Moments {
            mean: mean.saturating_sub(part(mean)).saturating_add(part(level << LEVEL_BITS)),
            square: square.saturating_sub(part(square)).saturating_add(part(squared)),
        };
        let decay = Factor::power(SLOW_DECAY, passed);
        self.weight = decay.of(self.weight).saturating_add(WEIGHT);
        self.sum = decay.of(self.sum).saturating_add(level);
        self.squares = decay.of(self.squares).saturating_add(squared >> LEVEL_BITS);
        self.last = self.last.max(window);
    }

    /// Returns the fast moments after windows in which the series did not occur.
    fn fast_after(&self, idle: u32) -> Moments {
        let decay = Factor::power(FAST_DECAY, idle);
        Moments { mean: decay.of(self.fast.mean), square: decay.of(self.fast.square) }
    }

    /// Returns the slow moments after this number of windows; `None`: there is no history.
    ///
    /// Sums and weight decay alike, so the moments do not change.
    fn slow_after(&self, passed: u32) -> Option<Moments> {
        if Factor::power(SLOW_DECAY, passed).of(self.weight) < FORGOTTEN {
            return None;
        }
        let mean = |sum: u32| {
            let scaled = u64::from(sum) << 16;
            u32::try_from(scaled.checked_div(u64::from(self.weight)).unwrap_or(0)).unwrap_or(u32::MAX)
        };
        Some(Moments { mean: mean(self.sum), square: mean(self.squares) })
    }
}

/// Returns the lower of two confidences.
pub(super) fn lower(one: Confidence, other: Confidence) -> Confidence {
    if one as u8 >= other as u8 { one } else { other }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of an ordinary window.
    const NOW: u32 = 8_794_000;

    /// Returns a baseline after values in windows before [`NOW`].
    fn learned(values: &[(u32, u32)]) -> Baseline {
        let mut baseline = Baseline::default();
        for (before, value) in values {
            baseline.learn(NOW - before, *value);
        }
        baseline
    }

    fn confidence(baseline: &Baseline, value: u32) -> Option<Confidence> {
        baseline.judge(NOW, value).map(|unusual| unusual.confidence)
    }

    #[test]
    fn a_series_without_history_expects_nothing() {
        let none = Baseline::default();
        let unusual = none.judge(NOW, 1);
        assert_eq!(unusual, Some(Unusual { confidence: Confidence::High, expected: 0, is_first: true }));
        let forgotten = learned(&[(28 * 480 + 10, 1)]);
        assert!(forgotten.judge(NOW, 1).is_some_and(|unusual| unusual.is_first));
        let known = learned(&[(27 * 480, 1)]);
        assert_eq!(known.judge(NOW, 1), None);
    }

    #[test]
    fn the_values_of_the_demonstration_have_the_published_results() {
        // 14:36: one command; 15:12: six, four of them different; 15:15: three.
        let all = learned(&[(12, 1)]);
        assert_eq!(confidence(&all, 6), Some(Confidence::High));
        assert_eq!(confidence(&all, 4), Some(Confidence::Medium));
        let mut all = learned(&[(13, 1), (1, 6)]);
        assert_eq!(confidence(&all, 3), None);
        all.learn(NOW, 3);
        assert_eq!(all.judge(NOW + 5, 5), None);
    }

    #[test]
    fn a_steady_series_is_usual_and_a_jump_is_not() {
        let steady: Vec<(u32, u32)> = (1..2000).rev().map(|before| (before, 90 + before % 20)).collect();
        let steady = learned(&steady);
        for (value, expected) in
            [(95, None), (110, None), (150, None), (400, Some(Confidence::High)), (0, None)]
        {
            assert_eq!(confidence(&steady, value), expected, "{value}");
        }
        assert!(steady.judge(NOW, 400).is_some_and(|unusual| (95..105).contains(&unusual.expected)));
    }

    #[test]
    fn a_change_that_lasts_is_reported_for_less_than_an_hour() {
        let mut series = learned(&(1..2000).rev().map(|before| (before, 2)).collect::<Vec<_>>());
        let mut last = None;
        for step in 0..100 {
            if series.judge(NOW + step, 40).is_some() {
                last = Some(step);
            }
            series.learn(NOW + step, 40);
        }
        assert!(last.is_some_and(|last| last < HOUR), "{last:?}");
    }

    #[test]
    fn a_report_is_repeated_after_an_hour_or_if_the_value_doubles() {
        let mut series = Baseline::default();
        assert!(!series.is_repetition(NOW, 5));
        series.report(NOW, 5);
        for (after, value, expected) in
            [(0, 5, true), (1, 9, true), (1, 10, false), (19, 5, true), (20, 5, false)]
        {
            assert_eq!(series.is_repetition(NOW + after, value), expected, "{after} {value}");
        }
        assert!(!series.is_repetition(NOW - 1, 5), "time went backwards");
    }

    #[test]
    fn extreme_values_do_not_overflow() {
        let mut series = Baseline::default();
        for window in (0..30_000).chain([u32::MAX, 0]) {
            assert!(
                series.judge(window, u32::MAX).is_none_or(|unusual| unusual.expected > 0 || unusual.is_first)
            );
            series.learn(window, u32::MAX);
        }
        assert!(count_of(series.slow_after(0).expect("a history").mean >> LEVEL_BITS) > 1 << 31);
    }
}
