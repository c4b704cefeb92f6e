//! Keys of bounded tables: a keyed hash of 128 bits instead of the key's text.
//!
//! Keys are chosen by users of a cluster, who may make them long or try to make them collide. A [`Digest`] has a fixed
//! size for any key, and two keys share one only by chance: among a million keys with a probability of 10⁻²⁷.
//!
//! Decision: SipHash-1-3, which the standard library's maps use for the same purpose, with 128 bits of output. It is a
//! pseudo-random function with a published analysis; `foldhash` and `ahash` make no such claim (`foldhash` calls itself
//! minimally resistant and needs a static seed; `ahash` has 64 bits). A key of 20 bytes takes 18 ns, one of 80 bytes 35
//! ns. The project's own hash that it replaced took 8 and 12 ns, `ahash` 4 and 11 ns. A record of 220 bytes under a
//! limit by entity takes 2,314 instructions instead of 2,219, and 195 ns in either case.

use core::hash::{BuildHasherDefault, Hash, Hasher};

use hashbrown::HashMap;
#[cfg(feature = "detect")]
use siphasher::sip128::Hasher128 as _;
use siphasher::sip128::SipHasher13;

/// The secret that makes a table's digests unpredictable.
#[derive(Clone, Copy)]
pub(crate) struct Secret {
    keys: [u64; 2],
}

impl Secret {
    /// Derives the secret from a seed of the host's randomness.
    pub fn new(seed: u64) -> Self {
        // Any injective choice is sufficient: the output reveals nothing about the key.
        Self { keys: [seed, !seed] }
    }

    /// Returns the digest of one text.
    #[inline]
    pub fn digest(self, text: &[u8]) -> Digest {
        let [one, two] = self.keys;
        let hash = SipHasher13::new_with_keys(one, two).hash(text);
        Digest { index: hash.h1, rest: hash.h2 }
    }

    /// Returns the digest of several texts. Their lengths separate them.
    #[cfg(feature = "detect")]
    pub fn digest_of(self, texts: &[&str]) -> Digest {
        let [one, two] = self.keys;
        let mut hasher = SipHasher13::new_with_keys(one, two);
        for text in texts {
            hasher.write(&(text.len() as u64).to_le_bytes());
            hasher.write(text.as_bytes());
        }
        let hash = hasher.finish128();
        Digest { index: hash.h1, rest: hash.h2 }
    }
}

/// The fixed-size identity of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    /// The bits that index a table.
    index: u64,
    rest: u64,
}

#[cfg(feature = "detect")]
impl Digest {
    /// Returns the digest of a part of what this digest identifies, by the number of the part.
    pub fn numbered(self, number: u8) -> Self {
        // An odd factor spreads the parts over a table; any injective choice is sufficient.
        let spread = u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self { index: self.index ^ spread, rest: self.rest ^ u64::from(number) }
    }

    /// Returns the bytes of the digest.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.index) << 64 | u128::from(self.rest)).to_be_bytes()
    }

    /// Returns the digest with these bytes.
    pub fn of_bytes(bytes: [u8; 16]) -> Self {
        let number = u128::from_be_bytes(bytes);
        let half = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0);
        Self { index: half(number >> 64), rest: half(number) }
    }

    /// Returns 64 bits of the digest, for small sets.
    pub fn short(self) -> u64 {
        self.rest
    }

    /// Whether a digest is in one quarter of all; each round has other quarters.
    pub fn is_in_quarter(self, round: u32) -> bool {
        self.rest.rotate_right(round.wrapping_mul(2)).trailing_zeros() >= 2
    }
}

impl Hash for Digest {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.index);
    }
}

/// A map of digests, which are not hashed again.
pub(crate) type DigestMap<V> = HashMap<Digest, V, BuildHasherDefault<DigestHasher>>;

/// A hasher that returns a digest's own bits.
#[derive(Default)]
pub(crate) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty(), "only digests are keys here");
    }

    #[inline]
    fn write_u64(&mut self, index: u64) {
        self.0 = index;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_digest_depends_on_each_byte_and_on_the_seed() {
        let long = "x".repeat(400);
        let mut texts: Vec<String> = (0..=400).map(|length| long[..length].to_owned()).collect();
        texts.extend((0..400).map(|at| format!("{}y{}", &long[..at], &long[at + 1..])));
        let mut all: HashSet<Digest, BuildHasherDefault<DigestHasher>> = HashSet::default();
        for seed in [0, 1, u64::MAX, 1 << 63] {
            for text in &texts {
                assert!(all.insert(Secret::new(seed).digest(text.as_bytes())), "{seed} {text}");
            }
        }
        assert_eq!(Secret::new(7).digest(b"a").index, Secret::new(7).digest(b"a").index);
    }
}
