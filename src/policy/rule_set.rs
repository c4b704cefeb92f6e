//! Sets of the rules that are reported, by their position among these.

use alloc::boxed::Box;

/// A set with a bit for each rule.
///
/// Decision: the first word is not on the heap. Most policies have at most 64 reported rules, and each of their sets is
/// one access of memory.
#[derive(Clone)]
pub(super) struct Bits {
    first: u64,
    further: Box<[u64]>,
}

impl Bits {
    /// Returns the empty set for this number of rules.
    pub(super) fn empty(rules: usize) -> Self {
        Self { first: 0, further: vec![0; rules.div_ceil(64).saturating_sub(1)].into() }
    }

    /// Returns the set of all rules of this number.
    pub(super) fn full(rules: usize) -> Self {
        let mut bits = Self::empty(rules);
        (0..rules).for_each(|rule| bits.insert(rule));
        bits
    }

    fn word_of(&mut self, rule: usize) -> Option<&mut u64> {
        match (rule / 64).checked_sub(1) {
            None => Some(&mut self.first),
            Some(index) => self.further.get_mut(index),
        }
    }

    pub(super) fn insert(&mut self, rule: usize) {
        self.word_of(rule).into_iter().for_each(|word| *word |= 1 << (rule % 64));
    }

    pub(super) fn remove(&mut self, rule: usize) {
        self.word_of(rule).into_iter().for_each(|word| *word &= !(1 << (rule % 64)));
    }

    pub(super) fn clear(&mut self) {
        self.first = 0;
        self.further.fill(0);
    }

    /// Replaces each word by a function of itself and the word of another set.
    #[inline]
    fn combine(&mut self, other: &Self, function: impl Fn(u64, u64) -> u64) {
        self.first = function(self.first, other.first);
        self.further.iter_mut().zip(&other.further).for_each(|(word, other)| *word = function(*word, *other));
    }

    pub(super) fn copy_from(&mut self, other: &Self) {
        self.combine(other, |_, other| other);
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.combine(other, |word, other| word & !other);
    }

    fn add(&mut self, other: &Self) {
        self.combine(other, |word, other| word | other);
    }

    /// Replaces the set by the rules of `all` that are not in it.
    pub(super) fn complement_within(&mut self, all: &Self) {
        self.combine(all, |word, all| all & !word);
    }

    /// Removes the rules that are in `needed` and not in `allowed`.
    pub(super) fn retain_allowed(&mut self, needed: &Self, allowed: &Self) {
        self.first &= !needed.first | allowed.first;
        for ((word, needed), allowed) in self.further.iter_mut().zip(&needed.further).zip(&allowed.further) {
            *word &= !needed | allowed;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first == 0 && self.further.iter().all(|word| *word == 0)
    }

    pub(super) fn intersects(&self, other: &Self) -> bool {
        let mut further = self.further.iter().zip(&other.further);
        self.first & other.first != 0 || further.any(|(word, other)| word & other != 0)
    }

    /// Returns the first rule from a position on that is in this set and in another.
    pub(super) fn next_common(&self, other: &Self, from: usize) -> Option<usize> {
        let mut below = u64::MAX.checked_shl(u32::try_from(from % 64).ok()?)?;
        let first = core::iter::once((&self.first, &other.first));
        let words = first.chain(self.further.iter().zip(&other.further));
        for (index, (word, other)) in words.enumerate().skip(from / 64) {
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
            Self::Many(rules) => bits.add(rules),
        }
    }

    pub(super) fn remove_from(&self, bits: &mut Bits) {
        match self {
            Self::Few(rules) => rules.iter().for_each(|rule| bits.remove((*rule).into())),
            Self::Many(rules) => bits.subtract(rules),
        }
    }
}
