//! Builds and searches the operator's regular expressions, with all settings.
//!
//! Patterns are unanchored searches, as in kAudit. Time is linear in the text for every pattern, and memory is bounded,
//! so neither an operator's pattern nor an attacker's entity can stall the agent.
//!
//! A [`PatternSource`] supplies the patterns of a filter under construction: compiled on the spot (`compile`), or as
//! tables that were compiled before (`table`), for a guest that has neither the stack nor the time to compile.

#[cfg(feature = "bake")]
pub(crate) mod bake;
#[cfg(feature = "compile")]
mod compile;
#[cfg(feature = "tables")]
mod dfa;
mod literal;
#[cfg(feature = "compile")]
mod regex;
#[cfg(feature = "tables")]
pub(crate) mod table;

#[cfg(feature = "compile")]
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{ControlFlow, Range};

#[cfg(feature = "compile")]
pub(crate) use compile::PatternCompiler;
use literal::LiteralSet;
#[cfg(feature = "compile")]
pub(crate) use regex::{set, single};

/// Supplies the patterns of a filter under construction.
pub(crate) trait PatternSource {
    /// Returns a pattern of which only the presence of a match matters.
    fn test(&mut self, pattern: &str) -> Result<PatternTest, BuildError>;
    /// Returns a pattern whose matches are located.
    fn find(&mut self, pattern: &str) -> Result<PatternFinder, BuildError>;
    /// Returns many patterns, of which one search reports all that match.
    fn set(&mut self, patterns: &[&str]) -> Result<PatternSet, BuildError>;
}

/// The reason for which a filter cannot be built from a valid configuration.
#[derive(Clone, Debug)]
pub struct BuildError(pub(crate) String);

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for BuildError {}

/// A pattern that reports whether it matches.
pub(crate) enum PatternTest {
    Literals(LiteralSet),
    #[cfg(feature = "compile")]
    Compiled(regex::Regex),
    #[cfg(feature = "tables")]
    Table(dfa::Dfa),
}

impl PatternTest {
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

/// A pattern that reports the ranges of its matches.
pub(crate) enum PatternFinder {
    #[cfg(feature = "compile")]
    Compiled(regex::Regex),
    #[cfg(feature = "tables")]
    Table(dfa::DfaPair),
}

impl PatternFinder {
    /// Returns whether there may be a match; an empty one within a character counts, too.
    pub fn occurs(&self, text: &str) -> bool {
        #[cfg(test)]
        work::record_search(text.len());
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

    /// Calls `on` for each match, from left to right, until it breaks.
    ///
    /// Matches do not overlap. The search for a match begins at the end of the previous one, and may read all of the
    /// text from there.
    pub fn each(&self, text: &str, mut on: impl FnMut(Range<usize>) -> ControlFlow<()>) -> ControlFlow<()> {
        #[cfg(test)]
        work::record_search(text.len());
        #[cfg(test)]
        let mut on = |found: Range<usize>| {
            let rest = text.len() - found.end;
            on(found).map_continue(|()| work::record_search(rest))
        };
        match self {
            #[cfg(feature = "compile")]
            Self::Compiled(regex) => regex.find_iter(text).try_for_each(|found| on(found.range())),
            #[cfg(feature = "tables")]
            Self::Table(pair) => pair.each(text, &mut on),
        }
    }
}

/// Several patterns that are searched together.
pub(crate) struct PatternSet {
    /// The patterns that are alternatives of literals.
    literals: LiteralSet,
    others: Option<OtherPatterns>,
}

/// The other patterns of a set, as one automaton.
struct OtherPatterns {
    automaton: Automaton,
    /// The index of each in the list of patterns.
    indices: Vec<usize>,
}

enum Automaton {
    #[cfg(feature = "compile")]
    Compiled(Box<regex::CompiledSet>),
    #[cfg(feature = "tables")]
    Table(dfa::TableSet),
}

impl PatternSet {
    /// Calls `on` with the index of each pattern that matches.
    ///
    /// An index may be reported more than once.
    #[inline]
    pub fn for_each_found(&mut self, text: &[u8], mut on: impl FnMut(usize)) {
        self.literals.for_each_found(text, &mut on);
        let Some(OtherPatterns { automaton, indices }) = &mut self.others else { return };
        let on = |pattern: usize| indices.get(pattern).copied().into_iter().for_each(&mut on);
        match automaton {
            #[cfg(feature = "compile")]
            Automaton::Compiled(many) => many.for_each_found(text, on),
            #[cfg(feature = "tables")]
            Automaton::Table(many) => many.for_each_found(text, on),
        }
    }
}

/// Counts the work of searches, for tests of bounds.
///
/// Time differs between machines, so it cannot measure them.
#[cfg(test)]
pub(crate) mod work {
    use core::cell::Cell;

    thread_local! {
        static SEARCHED: Cell<usize> = const { Cell::new(0) };
    }

    /// Records a search that may read this number of bytes.
    pub(super) fn record_search(bytes: usize) {
        SEARCHED.set(SEARCHED.get() + bytes);
    }

    /// Returns the bytes this thread's searches may have read since the last call.
    pub(crate) fn take() -> usize {
        SEARCHED.take()
    }
}

#[cfg(all(test, feature = "compile"))]
mod tests;
