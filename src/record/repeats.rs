//! Notices keys that stand twice in one map.
//!
//! Such a body is legal, but readers differ: Elasticsearch refuses it, others take the last or the first. It is written
//! anew, the first member of a name kept. Decision: two looks. While a record is scanned, [`Suspicion`] sets a bit for
//! each key that no layout tells apart; only where a bit was set already or a layout suspects a key, and only of a record
//! that is kept, [`Repeats`] looks at all keys again.

#![expect(clippy::inline_always, reason = "every key comes by here, measured")]

use super::{MAX_DEPTH, Name};

/// Bits for the keys of one record that no layout tells apart: a first look, which suspects a few keys wrongly and
/// misses none.
pub(super) struct Suspicion {
    bits: [u64; 16],
    /// Whether a bit was wanted twice.
    any: bool,
    /// How many maps and lists were opened so far.
    opened: u16,
}

impl Suspicion {
    /// Nothing seen yet; the outermost map is open.
    pub fn new() -> Self {
        Self { bits: [0; 16], any: false, opened: 0 }
    }

    /// Whether some key may have stood twice.
    pub fn any(&self) -> bool {
        self.any
    }

    /// Some key may have stood twice.
    pub fn suspect(&mut self) {
        self.any = true;
    }

    /// Takes a key of the outermost map.
    pub fn take(&mut self, key: &Name<'_>) {
        self.set(key.hash());
    }

    /// For the keys of a nested value.
    pub fn inside(&mut self) -> Inside<'_> {
        Inside { suspicion: self, open: [0; MAX_DEPTH], depth: 0 }
    }

    #[inline(always)]
    fn set(&mut self, hash: u64) {
        // Ten bits below those by which the names that mean something are told apart.
        let bit = 1_u64.wrapping_shl((hash >> 50 & 63) as u32);
        let Some(word) = self.bits.get_mut((hash >> 46 & 15) as usize) else { return };
        self.any |= *word & bit != 0;
        *word |= bit;
    }
}

/// The maps and lists that are open around a key of a nested value: the same key in another map is another key.
pub(super) struct Inside<'s> {
    suspicion: &'s mut Suspicion,
    /// The number of each.
    open: [u16; MAX_DEPTH],
    depth: usize,
}

impl Inside<'_> {
    /// A map or list begins.
    pub fn open(&mut self) {
        // After 65,535 of them two may share a number, which makes a key suspected at worst.
        self.suspicion.opened = self.suspicion.opened.wrapping_add(1);
        self.depth = self.depth.saturating_add(1);
        if let Some(number) = self.open.get_mut(self.depth) {
            *number = self.suspicion.opened;
        }
    }

    /// The innermost map or list ends.
    pub fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Takes a key of the innermost map.
    pub fn take(&mut self, key: &[u8]) {
        let number = self.open.get(self.depth).copied().map_or(0, u64::from);
        let hash = Name::of(key).hash().wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        self.suspicion.set(hash);
    }
}

/// How many keys are watched at once: those of all open maps together. kAudit's findings have some thirty.
const ROOM: usize = 96;

/// The keys of the maps that are open. It may suspect a key wrongly (equal hashes, no more room), which costs a body that
/// is written anew and nothing else; it misses none.
pub(super) struct Repeats {
    hashes: [u32; ROOM],
    used: usize,
    /// A bit for each hash that was ever taken.
    filter: [u64; 4],
    /// Where the keys of each open map or list begin, but for the outermost.
    begins: [u8; MAX_DEPTH],
    depth: usize,
}

impl Repeats {
    /// Nothing seen yet; the outermost map is open.
    pub fn new() -> Self {
        Self { hashes: [0; ROOM], used: 0, filter: [0; 4], begins: [0; MAX_DEPTH], depth: 0 }
    }

    /// A map or list begins.
    pub fn open(&mut self) {
        if let Some(begin) = self.begins.get_mut(self.depth) {
            *begin = u8::try_from(self.used).unwrap_or(u8::MAX);
        }
        self.depth = self.depth.saturating_add(1);
    }

    /// The innermost map or list ends.
    pub fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.used = self.begins.get(self.depth).copied().map_or(0, usize::from);
    }

    /// Takes the next key of the innermost map; whether it is surely new there.
    pub fn is_new(&mut self, key: &[u8]) -> bool {
        let hash = hash(key);
        let Some(slot) = self.hashes.get_mut(self.used) else { return false };
        *slot = hash;
        let seen = self.was_taken(hash) && self.among_innermost(hash);
        self.used = self.used.saturating_add(1);
        !seen
    }

    fn was_taken(&mut self, hash: u32) -> bool {
        let bit = 1_u64.wrapping_shl(hash);
        let Some(word) = self.filter.get_mut((hash >> 6 & 3) as usize) else { return true };
        let taken = *word & bit != 0;
        *word |= bit;
        taken
    }

    fn among_innermost(&self, hash: u32) -> bool {
        let outer = self.depth.checked_sub(1);
        let begin = outer.and_then(|outer| self.begins.get(outer)).copied().map_or(0, usize::from);
        self.hashes.get(begin..self.used).is_none_or(|before| before.contains(&hash))
    }
}

/// Eight bytes at a time; the last may overlap those before.
#[inline]
fn hash(key: &[u8]) -> u32 {
    // The golden ratio's odd neighbour: each bit of a word reaches the upper half of the product.
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_right(32);
    let mut hash = key.len() as u64;
    let mut rest = key;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        hash = mix(hash, u64::from_le_bytes(*word));
        rest = after;
    }
    let four = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    let last = match (key.last_chunk::<8>(), rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        (Some(last), ..) => u64::from_le_bytes(*last),
        (_, Some(first), Some(last)) => four(first) << 32 | four(last),
        _ => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    #[expect(clippy::cast_possible_truncation, reason = "any 32 bits will do")]
    let hash = mix(hash, last) as u32;
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspicion_misses_no_key_and_suspects_few() {
        let long = "k".repeat(100);
        let mut wrongly = 0;
        for number in 0..100 {
            let mut suspicion = Suspicion::new();
            let keys: Vec<String> = (0..10).map(|key| format!("key_{number}_{key}")).collect();
            for key in &keys {
                suspicion.take(&Name::of(key.as_bytes()));
            }
            wrongly += u32::from(suspicion.any());
            let mut inside = suspicion.inside();
            for _ in 0..10 {
                inside.open();
                inside.take(b"doc");
                inside.take(long.as_bytes());
                inside.close();
            }
            for key in [&keys[number % 10], &long] {
                let mut suspicion = Suspicion::new();
                let mut inside = suspicion.inside();
                inside.open();
                inside.take(key.as_bytes());
                inside.open();
                inside.take(b"doc");
                inside.close();
                inside.take(key.as_bytes());
                assert!(suspicion.any());
                let mut suspicion = Suspicion::new();
                suspicion.take(&Name::of(key.as_bytes()));
                suspicion.take(&Name::of(key.as_bytes()));
                assert!(suspicion.any());
            }
        }
        assert!(wrongly < 15, "{wrongly}");
    }

    #[test]
    fn a_key_is_new_once_in_each_map() {
        let mut repeats = Repeats::new();
        assert!(repeats.is_new(b"a") && repeats.is_new(b"b"));
        repeats.open();
        assert!(repeats.is_new(b"a") && !repeats.is_new(b"a"));
        repeats.close();
        assert!(!repeats.is_new(b"a") && repeats.is_new(b"c") && !repeats.is_new(b"b"));
    }

    #[test]
    fn what_finds_no_room_is_suspected() {
        let mut repeats = Repeats::new();
        let new = (0..1000_u32).filter(|key| repeats.is_new(&key.to_be_bytes())).count();
        assert_eq!(new, ROOM);
        repeats.open();
        repeats.close();
        assert!(!repeats.is_new(b"x"));
    }
}
