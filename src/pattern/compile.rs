//! Compiles patterns when a filter is built.

use alloc::boxed::Box;
use alloc::vec::Vec;

use regex_automata::meta::{self, Cache, Config};
use regex_automata::{Input, MatchKind};

use super::literal::LiteralSet;
use super::{Automaton, BuildError, OtherPatterns, PatternFinder, PatternSet, PatternSource, PatternTest};

pub(super) use regex_automata::meta::Regex;

/// The maximum size of a compiled pattern, in bytes.
///
/// A repetition such as `(\w{1000}){1000}` is rejected.
pub(super) const SIZE_LIMIT: usize = 10 << 20;

/// The maximum size of a lazy automaton's states before they are cleared.
const CACHE_LIMIT: usize = 2 << 20;

fn config() -> Config {
    Config::new()
        .nfa_size_limit(Some(SIZE_LIMIT))
        .onepass_size_limit(Some(1 << 20))
        .hybrid_cache_capacity(CACHE_LIMIT)
}

/// Compiles a pattern whose matches are searched or replaced.
pub(crate) fn single(pattern: &str) -> Result<Regex, Box<meta::BuildError>> {
    Regex::builder().configure(config()).build(pattern).map_err(Box::new)
}

/// Compiles many patterns, of which one search reports all that match.
pub(crate) fn set<P: AsRef<str>>(patterns: &[P]) -> Result<Regex, Box<meta::BuildError>> {
    Regex::builder().configure(config().match_kind(MatchKind::All)).build_many(patterns).map_err(Box::new)
}

/// Compiles each pattern of a filter under construction.
pub(crate) struct PatternCompiler;

impl PatternSource for PatternCompiler {
    fn test(&mut self, pattern: &str) -> Result<PatternTest, BuildError> {
        let literals = LiteralSet::of(&[pattern]);
        Ok(if literals.other_patterns(1).is_empty() {
            PatternTest::Literals(literals)
        } else {
            PatternTest::Compiled(single(pattern)?)
        })
    }

    fn find(&mut self, pattern: &str) -> Result<PatternFinder, BuildError> {
        Ok(PatternFinder::Compiled(single(pattern)?))
    }

    fn set(&mut self, patterns: &[&str]) -> Result<PatternSet, BuildError> {
        let literals = LiteralSet::of(patterns);
        let indices = literals.other_patterns(patterns.len());
        let others = if indices.is_empty() {
            None
        } else {
            Some(OtherPatterns { automaton: CompiledSet::of(patterns, &indices)?, indices })
        };
        Ok(PatternSet { literals, others })
    }
}

impl From<Box<meta::BuildError>> for BuildError {
    fn from(error: Box<meta::BuildError>) -> Self {
        Self(format!("the patterns are too large together: {error}"))
    }
}

/// Many patterns and the buffers of a search.
pub(super) struct CompiledSet {
    regex: Regex,
    cache: Cache,
    found: regex_automata::PatternSet,
}

impl CompiledSet {
    /// Compiles the patterns at these indices.
    fn of(patterns: &[&str], indices: &[usize]) -> Result<Automaton, BuildError> {
        let patterns: Vec<&str> = indices.iter().filter_map(|place| patterns.get(*place).copied()).collect();
        let regex = set(&patterns)?;
        let (cache, found) = (regex.create_cache(), regex_automata::PatternSet::new(regex.pattern_len()));
        Ok(Automaton::Compiled(Box::new(Self { regex, cache, found })))
    }

    /// Calls `on` with the index of each pattern that matches.
    pub fn for_each_found(&mut self, text: &[u8], mut on: impl FnMut(usize)) {
        let Self { regex, cache, found } = self;
        if regex.pattern_len() == 1 {
            // The overlapping search of one pattern reads the whole text; this one stops at the first match.
            if regex.search_half_with(cache, &Input::new(text).earliest(true)).is_some() {
                on(0);
            }
            return;
        }
        found.clear();
        regex.which_overlapping_matches_with(cache, &Input::new(text), found);
        if !found.is_empty() {
            found.iter().for_each(|pattern| on(pattern.as_usize()));
        }
    }
}
