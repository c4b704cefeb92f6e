//! The results of recent searches and evaluations.
//!
//! Most events are a machine's and repeat the same few users, addresses, agents and answers. Equal values have equal
//! results, so nothing depends on what is stored.
//!
//! Decision: together with the reading of events (`Recogniser::event`) the guard's `audit-json-dropped` takes 11,835 instead
//! of 25,459 instructions, and `audit-msgpack-dropped` 9,778 instead of 24,611.

use alloc::string::String;
use alloc::vec::Vec;

use core::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use super::rule_set::Bits;
use crate::audit::RawPart;
use crate::pattern::PatternSet;

/// The patterns that occur in recent values of one field, in at most 200 kB.
#[derive(Default)]
pub(super) struct RecentValues {
    hasher: FixedState,
    /// Empty until the first search. A value replaces another one.
    slots: Vec<FoundPatterns>,
}

/// A value, and the patterns that occur in it. The value is empty if the slot is unused.
#[derive(Clone, Default)]
struct FoundPatterns {
    value: String,
    found: Vec<usize>,
}

/// The rules that recent values of one part of an event refute, in at most 600 kB, and a bit for each rule and slot.
#[derive(Default)]
pub(super) struct RecentParts {
    hasher: FixedState,
    /// Empty until the first part. A part replaces another one.
    slots: Vec<RefutedRules>,
}

/// A part, and the rules that it refutes.
#[derive(Clone, Default)]
struct RefutedRules {
    /// Differs for most other parts, whose bytes are then not read.
    hash: u64,
    tag: u8,
    /// `None`: the slot is unused.
    refuted: Option<Bits>,
    bytes: Vec<u8>,
}

impl RecentValues {
    /// The number of values that are stored. Few in tests, where they replace each other.
    const SLOTS: usize = if cfg!(test) { 2 } else { 256 };
    /// The maximum length of a stored value, in bytes.
    const MAX_LENGTH: usize = 128;
    /// The maximum number of patterns stored for a value.
    const MAX_FOUND: usize = 8;

    /// Calls `on` with each pattern that occurs in a value; it may be given more than once.
    #[inline]
    pub(super) fn search(&mut self, value: &str, patterns: &mut PatternSet, on: &mut impl FnMut(usize)) {
        if value.len() > Self::MAX_LENGTH {
            return patterns.for_each_found(value.as_bytes(), on);
        }
        let hash = self.hasher.hash_one(value);
        let Some(FoundPatterns { value: known, found }) = slot(&mut self.slots, Self::SLOTS, hash) else {
            return;
        };
        if *known != value {
            found.clear();
            patterns.for_each_found(value.as_bytes(), |pattern| found.push(pattern));
            known.clear();
            known.push_str(value);
        }
        found.iter().copied().for_each(on);
        if found.len() > Self::MAX_FOUND {
            // No value that is searched is empty.
            known.clear();
            found.clear();
            found.shrink_to(8 * Self::MAX_FOUND);
        }
    }
}

impl RecentParts {
    /// The number of parts that are stored. Few in tests, where they replace each other.
    const SLOTS: usize = if cfg!(test) { 2 } else { 512 };
    /// The maximum length of a stored part, in bytes. The user of a pod's token has some 650.
    const MAX_LENGTH: usize = 1024;

    /// Whether a part is short enough to be stored.
    pub(super) fn may_store(part: &RawPart<'_>) -> bool {
        part.bytes.len() <= Self::MAX_LENGTH
    }

    /// Returns the rules that a part refutes, if they are stored.
    #[inline]
    pub(super) fn refuted(&mut self, part: RawPart<'_>) -> Option<&Bits> {
        let hash = self.hasher.hash_one(part.bytes);
        let slot = slot(&mut self.slots, Self::SLOTS, hash)?;
        let is_equal = slot.hash == hash && slot.tag == part.tag && slot.bytes == part.bytes;
        if is_equal { slot.refuted.as_ref() } else { None }
    }

    /// Stores the rules that a part refutes.
    pub(super) fn store(&mut self, part: RawPart<'_>, refuted: &Bits) {
        let hash = self.hasher.hash_one(part.bytes);
        let Some(slot) = slot(&mut self.slots, Self::SLOTS, hash) else { return };
        (slot.hash, slot.tag) = (hash, part.tag);
        slot.bytes.clear();
        slot.bytes.extend_from_slice(part.bytes);
        match &mut slot.refuted {
            Some(known) => known.copy_from(refuted),
            None => slot.refuted = Some(refuted.clone()),
        }
    }
}

/// Returns the slot of a hash; creates all `count` slots first.
#[inline]
fn slot<T: Clone + Default>(slots: &mut Vec<T>, count: usize, hash: u64) -> Option<&mut T> {
    if slots.is_empty() {
        slots.resize(count, T::default());
    }
    let index = hash.checked_rem(u64::try_from(count).ok()?)?;
    slots.get_mut(usize::try_from(index).ok()?)
}
