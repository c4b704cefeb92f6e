//! Compiled patterns: the automata of `regex-automata`, with all settings.

use alloc::boxed::Box;
use alloc::vec::Vec;

use regex_automata::meta::{self, Cache, Config};
use regex_automata::{Input, MatchKind};

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

/// Many patterns and the buffers of a search.
pub(super) struct CompiledSet {
    regex: Regex,
    cache: Cache,
    found: regex_automata::PatternSet,
}

impl CompiledSet {
    /// Compiles the patterns at these indices.
    pub fn of(patterns: &[&str], indices: &[usize]) -> Result<Box<Self>, Box<meta::BuildError>> {
        let patterns: Vec<&str> = indices.iter().filter_map(|place| patterns.get(*place).copied()).collect();
        let regex = set(&patterns)?;
        let (cache, found) = (regex.create_cache(), regex_automata::PatternSet::new(regex.pattern_len()));
        Ok(Box::new(Self { regex, cache, found }))
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
