//! The baselines of all series, in a table of bounded size.

use alloc::vec::Vec;

use super::baseline::Baseline;
use crate::digest::{Digest, DigestMap};

/// The baselines by the digest of their series.
#[derive(Debug)]
pub(super) struct Baselines {
    series: DigestMap<Baseline>,
    max: usize,
    /// The number of times that baselines were dropped.
    rounds: u32,
}

impl Baselines {
    pub fn new(max: usize) -> Self {
        Self { series: DigestMap::default(), max, rounds: 0 }
    }

    pub fn max(&self) -> usize {
        self.max
    }

    pub fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// Returns the baseline of a series, a new one if it is not known; `None`: the table is full.
    ///
    /// The second value is the number of baselines that were dropped to make space.
    pub fn of(&mut self, series: Digest) -> (Option<&mut Baseline>, usize) {
        let mut dropped = 0;
        if self.series.len() >= self.max && !self.series.contains_key(&series) {
            dropped = self.drop_idle();
            if dropped == 0 {
                return (None, 0);
            }
        }
        (Some(self.series.entry(series).or_default()), dropped)
    }

    /// Returns all baselines, in any order.
    pub fn all(&self) -> impl Iterator<Item = (Digest, Baseline)> {
        self.series.iter().map(|(digest, baseline)| (*digest, *baseline))
    }

    /// Drops the baselines that were idle longest, about a quarter; returns their number.
    fn drop_idle(&mut self) -> usize {
        let before = self.series.len();
        let mut last: Vec<u32> = self.series.values().map(|baseline| baseline.last).collect();
        let (_, limit, _) = last.select_nth_unstable(before >> 2);
        let limit = *limit;
        let round = self.rounds;
        self.rounds = round.wrapping_add(1);
        // Of equally idle ones a quarter, by a property that does not depend on the order of the table.
        self.series.retain(|digest, baseline| {
            baseline.last > limit || baseline.last == limit && !digest.is_in_quarter(round)
        });
        before.saturating_sub(self.series.len())
    }

    /// Returns the number of baselines.
    pub fn len(&self) -> usize {
        self.series.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Secret;

    fn digest(name: u32) -> Digest {
        Secret::new(7).digest(&name.to_le_bytes())
    }

    #[test]
    fn the_baselines_that_were_idle_longest_are_dropped() {
        let mut baselines = Baselines::new(1_000);
        for name in 0..1_000 {
            baselines.of(digest(name)).0.expect("there is space").learn(name + 1, 1);
        }
        let (new, dropped) = baselines.of(digest(1_000));
        assert!(new.is_some() && (250..=251).contains(&dropped), "{dropped}");
        assert_eq!(baselines.len(), 1_001 - dropped);
        for (name, is_known) in [(0, false), (249, false), (251, true), (999, true)] {
            assert_eq!(baselines.series.contains_key(&digest(name)), is_known, "{name}");
        }
    }

    #[test]
    fn of_equally_idle_baselines_a_quarter_is_dropped() {
        let mut baselines = Baselines::new(1_000);
        for name in 0..100_000 {
            baselines.of(digest(name)).0.expect("space was made").learn(5, 1);
            assert!(baselines.len() <= 1_000);
        }
        assert!(baselines.rounds < 600, "{} rounds", baselines.rounds);
    }
}
