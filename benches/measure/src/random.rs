//! Numbers from a seed, and the time at which generated records begin.

/// The time of the first record: 2026-03-01T00:00:00Z, in milliseconds since 1970. Each next is a millisecond later.
pub const START_MS: i64 = 1_772_323_200_000;

/// `SplitMix64`, a generator in the public domain: two multiplications per number, and no dependency.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// Returns the next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.bits() % end
    }

    /// Returns one of the words.
    pub fn of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        #[expect(clippy::cast_possible_truncation, reason = "less than the number of words")]
        words[self.below(words.len() as u64) as usize]
    }
}
