//! Parts of events that are known to have no signal.
//!
//! Machines repeat the same few outcomes and agents. Decision: a stored spelling instead of computing the fields for each
//! event; nothing depends on what is stored.

use alloc::vec::Vec;

use core::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use crate::audit::RawPart;

/// The number of parts that are stored. Few in tests, where they replace each other.
const SLOTS: usize = if cfg!(test) { 2 } else { 512 };

/// The maximum length of a stored part, in bytes. An outcome with the reason of RBAC has some 250.
const MAX_LENGTH: usize = 512;

/// Recent parts without a signal, in at most 300 kB: 512 slots of 40 bytes and a part.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    hasher: FixedState,
    /// Empty until the first part. A part replaces another one.
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    hash: u64,
    tag: u8,
    /// Empty: the slot is unused.
    bytes: Vec<u8>,
}

impl Quiet {
    /// Whether a part is known to have no signal.
    #[inline]
    pub fn contains(&self, part: RawPart<'_>) -> bool {
        let hash = self.hasher.hash_one(part.bytes);
        self.slots.get(index(hash)).is_some_and(|slot| {
            slot.hash == hash && slot.tag == part.tag && slot.bytes == part.bytes && !part.bytes.is_empty()
        })
    }

    /// Stores a part without a signal.
    pub fn insert(&mut self, part: RawPart<'_>) {
        if part.bytes.len() > MAX_LENGTH {
            return;
        }
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, Slot::default());
        }
        let hash = self.hasher.hash_one(part.bytes);
        if let Some(slot) = self.slots.get_mut(index(hash)) {
            (slot.hash, slot.tag) = (hash, part.tag);
            slot.bytes.clear();
            // Otherwise a longer part doubles the capacity, beyond the maximum.
            slot.bytes.reserve_exact(part.bytes.len());
            slot.bytes.extend_from_slice(part.bytes);
        }
    }
}

fn index(hash: u64) -> usize {
    usize::try_from(hash.checked_rem(SLOTS as u64).unwrap_or(0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_not_larger_than_a_part() {
        let mut quiet = Quiet::default();
        for length in 1..=MAX_LENGTH {
            quiet.insert(RawPart { tag: 0, bytes: &vec![b'x'; length] });
        }
        assert!(quiet.slots.iter().all(|slot| slot.bytes.capacity() <= MAX_LENGTH));
    }
}
