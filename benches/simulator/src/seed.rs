//! Seeds in two disjoint sets, and the independent streams of numbers that a seed gives.

use std::ops::Range;

use kaudit_measure::random::Random;

/// A seed with which thresholds may be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TuningSeed(u32);

/// A seed with which results are measured. No function that chooses a threshold accepts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestSeed(u32);

impl TuningSeed {
    /// The numbers of these seeds.
    pub const RANGE: Range<u32> = 0..10_000;
    /// The first of these seeds.
    pub const FIRST: Self = Self(0);

    /// Returns the seed with this number, if it is in the range.
    pub fn new(number: u32) -> Option<Self> {
        Self::RANGE.contains(&number).then_some(Self(number))
    }
}

impl TestSeed {
    /// The numbers of these seeds.
    pub const RANGE: Range<u32> = 10_000..20_000;

    /// Returns the seed with this number, if it is in the range.
    pub fn new(number: u32) -> Option<Self> {
        Self::RANGE.contains(&number).then_some(Self(number))
    }
}

const _: () = assert!(TuningSeed::RANGE.end <= TestSeed::RANGE.start, "the sets of seeds overlap");

/// A seed of either set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u32);

impl Seed {
    /// Returns the seed with this number, if it is in one of the sets.
    pub fn of(number: u32) -> Option<Self> {
        TuningSeed::new(number).map(Self::from).or_else(|| TestSeed::new(number).map(Self::from))
    }

    /// Returns the number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Returns the name of its set.
    pub const fn set(self) -> &'static str {
        if self.0 < TuningSeed::RANGE.end { "tuning" } else { "test" }
    }
}

impl From<TuningSeed> for Seed {
    fn from(seed: TuningSeed) -> Self {
        Self(seed.0)
    }
}

impl From<TestSeed> for Seed {
    fn from(seed: TestSeed) -> Self {
        Self(seed.0)
    }
}

/// The purpose of a stream of numbers. Streams are independent: an attack leaves the ordinary events unchanged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Cluster,
    Machines,
    Automation,
    People,
    Habits,
    Attacks,
    Resampling,
}

/// A stream of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Stream(Random);

impl Stream {
    /// Returns the stream of a purpose; `parts` are numbers such as a cluster, a person and an hour.
    pub fn new(seed: Seed, purpose: Purpose, parts: &[i64]) -> Self {
        let mut random = Random(u64::from(seed.0));
        for part in [purpose as i64].iter().chain(parts) {
            random = Random(random.bits() ^ part.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        Self(random)
    }

    /// Returns 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.0.below(u64::from(end.max(1)))).unwrap_or_default()
    }

    /// Returns a number from `low` to `high`, without the latter.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).unwrap_or_default().max(1);
        low + i64::try_from(self.0.below(span)).unwrap_or_default()
    }

    /// Returns `true` for this number in a thousand.
    pub fn permille(&mut self, share: u32) -> bool {
        self.below(1000) < share
    }

    /// Returns one of the values, which are at least one.
    pub fn of<'v, T>(&mut self, values: &'v [T]) -> &'v T {
        let end = u32::try_from(values.len()).unwrap_or(u32::MAX);
        &values[self.below(end) as usize]
    }

    /// Returns a value by its weight.
    pub fn weighted<'v, T>(&mut self, values: &'v [(u32, T)]) -> &'v T {
        let mut left = self.below(values.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in values {
            if left < *weight {
                return value;
            }
            left -= weight;
        }
        &values[0].1
    }
}

/// Returns a digest of bytes: FNV-1a.
pub(crate) fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_in_one_set() {
        for (number, tuning, test, set) in [
            (0, true, false, Some("tuning")),
            (9_999, true, false, Some("tuning")),
            (10_000, false, true, Some("test")),
            (19_999, false, true, Some("test")),
            (20_000, false, false, None),
        ] {
            assert_eq!(TuningSeed::new(number).is_some(), tuning, "{number}");
            assert_eq!(TestSeed::new(number).is_some(), test, "{number}");
            assert_eq!(Seed::of(number).map(Seed::set), set, "{number}");
        }
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_parts() {
        let seed = |number| Seed::of(number).unwrap();
        let first = |seed, purpose, parts: &[i64]| Stream::new(seed, purpose, parts).bits();
        let values = [
            first(seed(1), Purpose::Machines, &[0, 1]),
            first(seed(2), Purpose::Machines, &[0, 1]),
            first(seed(1), Purpose::People, &[0, 1]),
            first(seed(1), Purpose::Machines, &[1, 0]),
            first(seed(1), Purpose::Machines, &[0, 1, 0]),
        ];
        for (at, value) in values.iter().enumerate() {
            assert!(!values[..at].contains(value), "{at}");
        }
        assert_eq!(values[0], first(seed(1), Purpose::Machines, &[0, 1]));
    }
}
