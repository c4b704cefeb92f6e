//! How the operator's regular expressions are searched: the one place of settings.
//!
//! Patterns search, as kAudit does (unanchored). Time is linear in the text whatever the pattern, and memory is
//! bounded, so neither an operator's pattern nor an attacker's entity can stall the agent.
//!
//! A [`Source`] gives a filter under construction its patterns: compiled there and then (`compile`), or as tables that
//! were compiled before (`table`), for a guest that has neither the stack nor the time to compile.

#[cfg(feature = "bake")]
pub(crate) mod bake;
#[cfg(feature = "compile")]
mod compile;
mod literal;
#[cfg(feature = "tables")]
pub(crate) mod table;

use core::fmt;
use core::ops::Range;

#[cfg(feature = "compile")]
pub(crate) use compile::{Compile, set, single};
use literal::Literals;

/// Where a filter under construction has its patterns from.
pub(crate) trait Source {
    /// A pattern that is to be found, or not.
    fn test(&mut self, pattern: &str) -> Result<Test, BuildError>;
    /// A pattern whose places are to be found.
    fn find(&mut self, pattern: &str) -> Result<Find, BuildError>;
    /// Many patterns, of which a search tells all that occur.
    fn set(&mut self, patterns: &[&str]) -> Result<Set, BuildError>;
}

/// Why a filter cannot be built although its configuration was read without a mistake.
#[derive(Clone, Debug)]
pub struct BuildError(pub(crate) String);

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

/// Whether a pattern occurs.
pub(crate) enum Test {
    Literals(Literals),
    #[cfg(feature = "compile")]
    Compiled(compile::Regex),
    #[cfg(feature = "tables")]
    Table(table::Dfa),
}

impl Test {
    pub fn is_match(&self, text: &[u8]) -> bool {
        match self {
            Self::Literals(literals) => literals.is_match(text),
            #[cfg(feature = "compile")]
            Self::Compiled(regex) => regex.is_match(text),
            #[cfg(feature = "tables")]
            Self::Table(dfa) => dfa.is_match(text),
        }
    }
}

/// Where a pattern occurs.
pub(crate) enum Find {
    #[cfg(feature = "compile")]
    Compiled(compile::Regex),
    #[cfg(feature = "tables")]
    Table(table::Pair),
}

impl Find {
    /// Each place, from left to right; no two overlap.
    pub fn each(&self, text: &str, on: impl FnMut(Range<usize>)) {
        match self {
            #[cfg(feature = "compile")]
            Self::Compiled(regex) => regex.find_iter(text).map(|found| found.range()).for_each(on),
            #[cfg(feature = "tables")]
            Self::Table(pair) => pair.each(text, on),
        }
    }
}

/// Which of several patterns occur.
pub(crate) struct Set {
    automaton: Automaton,
    found: Found,
}

enum Automaton {
    Literals(Literals),
    #[cfg(feature = "compile")]
    Compiled(Box<compile::Many>),
    #[cfg(feature = "tables")]
    Table(table::Dfa),
}

impl Set {
    /// Tells the patterns that occur, by their place in the list.
    pub fn which(&mut self, text: &[u8], on: impl FnMut(usize)) {
        if let Automaton::Literals(literals) = &self.automaton {
            return literals.which(text, on);
        }
        self.found.0.fill(0);
        match &mut self.automaton {
            Automaton::Literals(_) => (),
            #[cfg(feature = "compile")]
            Automaton::Compiled(many) => many.which(text, &mut self.found),
            #[cfg(feature = "tables")]
            Automaton::Table(dfa) => dfa.which(text, &mut self.found),
        }
        self.found.each().for_each(on);
    }
}

/// Patterns by their place in a list, a bit for each.
pub(crate) struct Found(Box<[u8]>);

impl Found {
    fn new(patterns: usize) -> Self {
        Self(vec![0; patterns.div_ceil(8)].into_boxed_slice())
    }

    fn insert(&mut self, pattern: usize) {
        self.insert_eight(pattern / 8, 1 << (pattern % 8));
    }

    fn insert_eight(&mut self, at: usize, bits: u8) {
        if let Some(byte) = self.0.get_mut(at) {
            *byte |= bits;
        }
    }

    fn each(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(at, byte)| {
            let set = (0..8).filter(move |bit| byte >> bit & 1 == 1);
            set.map(move |bit: usize| at.wrapping_mul(8).wrapping_add(bit))
        })
    }
}
