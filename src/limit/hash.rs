//! Where a key stands in a table: hashed with a seed, so that nobody can choose keys that stand in each other's way.
//!
//! Decision: a hash of our own. Those that multiply 64 bits by 64 need some twenty steps for it where there is no such
//! instruction, as in WebAssembly; here eight bytes of a key are two halves that are multiplied.

use core::hash::{BuildHasher, Hasher};

/// Makes hashers of one seed.
#[derive(Clone, Copy)]
pub(super) struct Seed(u64);

/// The golden ratio's odd neighbour: each bit of a word reaches the upper half of the product.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Seed {
    pub fn new(seed: u64) -> Self {
        // However few of the seed's bits are set, both halves begin with many.
        Self(spread(seed ^ SPREAD))
    }
}

impl BuildHasher for Seed {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher(self.0)
    }
}

pub(super) struct KeyHasher(u64);

impl KeyHasher {
    /// Who does not know what is here does not know which other word would bring the same.
    #[inline]
    fn add(&mut self, word: u64) {
        let both = self.0 ^ word;
        let product = (both & 0xffff_ffff).wrapping_mul(both >> 32);
        self.0 = product.wrapping_add(both.rotate_left(23));
    }
}

impl Hasher for KeyHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        if rest.is_empty() {
            return;
        }
        // The last word may overlap the one before: the length is hashed, too.
        self.add(match bytes.last_chunk() {
            Some(last) => u64::from_le_bytes(*last),
            None => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        });
    }

    #[inline]
    fn write_usize(&mut self, length: usize) {
        self.add(length as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        spread(self.0)
    }
}

/// A table takes the lowest bits, and the highest.
#[inline]
fn spread(word: u64) -> u64 {
    let word = (word ^ word >> 32).wrapping_mul(SPREAD);
    word ^ word >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of these keys share the lowest twelve bits of their hash with another, and how many the whole.
    fn shared(seed: u64, keys: &[Vec<u8>]) -> [usize; 2] {
        [0xfff, u64::MAX].map(|mask| {
            let mut hashes: Vec<u64> =
                keys.iter().map(|key| Seed::new(seed).hash_one(&**key) & mask).collect();
            hashes.sort_unstable();
            hashes.dedup();
            keys.len() - hashes.len()
        })
    }

    #[test]
    fn keys_are_spread_whatever_they_have_in_common() {
        let forms: [fn(u64) -> Vec<u8>; 6] = [
            |number| format!("user-{number}@example.com").into_bytes(),
            |number| format!("system:serviceaccount:team-{number}:runner").into_bytes(),
            |number| number.to_le_bytes().to_vec(),
            |number| (number << 52).to_le_bytes().to_vec(),
            // The same difference twice.
            |number| [number << 51, number << 51].map(u64::to_le_bytes).concat(),
            |number| vec![b'a'; usize::try_from(number).expect("few") / 10],
        ];
        for (index, form) in forms.into_iter().enumerate() {
            let mut keys: Vec<Vec<u8>> = (0..1000).map(form).collect();
            keys.dedup();
            for seed in [0, 1, 7, u64::MAX, 0x1234_5678_9abc_def0] {
                let [low, whole] = shared(seed, &keys);
                // Of a thousand in 4,096 places some 113 share one.
                assert!(low < 160 && whole == 0, "form {index}, seed {seed}: {low} {whole}");
            }
        }
    }

    #[test]
    fn another_seed_makes_other_neighbours() {
        let keys: Vec<Vec<u8>> =
            (0..100_000_u32).map(|number| format!("key-{number}").into_bytes()).collect();
        let place = |seed: u64, key: &Vec<u8>| Seed::new(seed).hash_one(&**key) & 0xfff;
        let first = place(1, &keys[0]);
        let neighbours: Vec<Vec<u8>> = keys.into_iter().filter(|key| place(1, key) == first).collect();
        assert!(neighbours.len() > 10);
        let [shared, _] = shared(2, &neighbours);
        assert!(shared < 3, "{shared} of {} are neighbours with another seed, too", neighbours.len());
    }
}
