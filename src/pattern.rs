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
use core::ops::{ControlFlow, Range};

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
    /// Whether there may be such a place: an empty one within a character counts, too.
    pub fn occurs(&self, text: &str) -> bool {
        #[cfg(test)]
        work::searched(text.len());
        match self {
            #[cfg(feature = "compile")]
            Self::Compiled(regex) => regex.is_match(text),
            #[cfg(feature = "tables")]
            Self::Table(pair) => pair.occurs(text.as_bytes()),
        }
    }

    /// Returns the first match.
    #[cfg(feature = "compile")]
    pub fn first(&self, text: &str) -> Option<Range<usize>> {
        let mut first = None;
        let _ = self.each(text, |found| {
            first = Some(found);
            ControlFlow::Break(())
        });
        first
    }

    /// Calls `on` for each match, from left to right, until it breaks. No two overlap.
    ///
    /// The search for a match begins at the end of the one before, and may read all of the text from there.
    pub fn each(&self, text: &str, mut on: impl FnMut(Range<usize>) -> ControlFlow<()>) -> ControlFlow<()> {
        #[cfg(test)]
        work::searched(text.len());
        #[cfg(test)]
        let mut on = |found: Range<usize>| {
            let rest = text.len() - found.end;
            on(found).map_continue(|()| work::searched(rest))
        };
        match self {
            #[cfg(feature = "compile")]
            Self::Compiled(regex) => regex.find_iter(text).try_for_each(|found| on(found.range())),
            #[cfg(feature = "tables")]
            Self::Table(pair) => pair.each(text, &mut on),
        }
    }
}

/// Which of several patterns occur.
pub(crate) struct Set {
    /// Those that are nothing but words.
    literals: Literals,
    more: Option<More>,
}

/// The other patterns of a set, as one automaton.
struct More {
    automaton: Automaton,
    /// The place of each in the list.
    places: Vec<usize>,
}

enum Automaton {
    #[cfg(feature = "compile")]
    Compiled(Box<compile::Many>),
    #[cfg(feature = "tables")]
    Table(table::Many),
}

impl Set {
    /// Tells the patterns that occur, by their place in the list; one may be told more than once.
    #[inline]
    pub fn which(&mut self, text: &[u8], mut on: impl FnMut(usize)) {
        self.literals.which(text, &mut on);
        let Some(More { automaton, places }) = &mut self.more else { return };
        let on = |pattern: usize| places.get(pattern).copied().into_iter().for_each(&mut on);
        match automaton {
            #[cfg(feature = "compile")]
            Automaton::Compiled(many) => many.which(text, on),
            #[cfg(feature = "tables")]
            Automaton::Table(many) => many.which(text, on),
        }
    }
}

/// What searches cost, for tests of bounds: time differs from machine to machine.
#[cfg(test)]
pub(crate) mod work {
    use std::cell::Cell;

    thread_local! {
        static SEARCHED: Cell<usize> = const { Cell::new(0) };
    }

    /// Notes a search that may read so many bytes.
    pub(super) fn searched(bytes: usize) {
        SEARCHED.set(SEARCHED.get() + bytes);
    }

    /// Returns the bytes that this thread's searches may have read since the last call.
    pub(crate) fn take() -> usize {
        SEARCHED.take()
    }
}
