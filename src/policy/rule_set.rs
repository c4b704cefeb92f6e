//! Sets of the rules that are reported, by their position among these.

use alloc::boxed::Box;

/// A set with a bit for each rule.
#[derive(Clone)]
pub(super) struct Bits(Box<[u64]>);

impl Bits {
    /// Returns the empty set for this number of rules.
    pub(super) fn empty(rules: usize) -> Self {
        Self(vec![0; rules.div_ceil(64)].into())
    }

    /// Returns the set of all rules of this number.
    pub(super) fn full(rules: usize) -> Self {
        let mut bits = Self::empty(rules);
        (0..rules).for_each(|rule| bits.insert(rule));
        bits
    }

    pub(super) fn insert(&mut self, rule: usize) {
        self.0.get_mut(rule / 64).into_iter().for_each(|word| *word |= 1 << (rule % 64));
    }

    pub(super) fn remove(&mut self, rule: usize) {
        self.0.get_mut(rule / 64).into_iter().for_each(|word| *word &= !(1 << (rule % 64)));
    }

    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }

    pub(super) fn copy_from(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word = *other);
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
    }

    /// Replaces the set by the rules of `all` that are not in it.
    pub(super) fn complement_within(&mut self, all: &Self) {
        self.0.iter_mut().zip(&all.0).for_each(|(word, all)| *word = all & !*word);
    }

    /// Removes the rules that are in `needed` and not in `allowed`.
    pub(super) fn retain_allowed(&mut self, needed: &Self, allowed: &Self) {
        for ((word, needed), allowed) in self.0.iter_mut().zip(&needed.0).zip(&allowed.0) {
            *word &= !needed | allowed;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(word, other)| word & other != 0)
    }

    /// Returns the first rule from a position on that is in this set and in another.
    pub(super) fn next_common(&self, other: &Self, from: usize) -> Option<usize> {
        let mut below = u64::MAX.checked_shl(u32::try_from(from % 64).ok()?)?;
        for (index, (word, other)) in self.0.iter().zip(&other.0).enumerate().skip(from / 64) {
            let word = word & other & core::mem::replace(&mut below, u64::MAX);
            if word != 0 {
                return Some(index.saturating_mul(64).saturating_add(word.trailing_zeros() as usize));
            }
        }
        None
    }
}

/// A set that does not change: the positions of few rules, or a bit for each rule.
pub(super) enum RuleSet {
    Few(Box<[u16]>),
    Many(Bits),
}

impl RuleSet {
    /// Creates the set of these rules, out of a number of `rules`.
    pub(super) fn new(members: &[usize], rules: usize) -> Self {
        if members.len() <= rules.div_ceil(64) {
            return Self::Few(members.iter().filter_map(|rule| u16::try_from(*rule).ok()).collect());
        }
        let mut bits = Bits::empty(rules);
        for rule in members {
            bits.insert(*rule);
        }
        Self::Many(bits)
    }

    pub(super) fn add_to(&self, bits: &mut Bits) {
        match self {
            Self::Few(rules) => rules.iter().for_each(|rule| bits.insert((*rule).into())),
            Self::Many(rules) => bits.0.iter_mut().zip(&rules.0).for_each(|(word, rules)| *word |= rules),
        }
    }

    pub(super) fn remove_from(&self, bits: &mut Bits) {
        match self {
            Self::Few(rules) => rules.iter().for_each(|rule| bits.remove((*rule).into())),
            Self::Many(rules) => bits.subtract(rules),
        }
    }
}
