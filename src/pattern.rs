//! How the operator's regular expressions are compiled: the one place of settings.
//!
//! Patterns search, as kAudit does (unanchored). Time is linear in the text whatever the pattern, and memory is
//! bounded, so neither an operator's pattern nor an attacker's entity can stall the agent.

use regex_automata::MatchKind;
use regex_automata::meta::{BuildError, Config, Regex};

/// A compiled pattern may take so much; a repetition such as `(\w{1000}){1000}` is refused instead.
const SIZE_LIMIT: usize = 10 << 20;

/// What a lazy automaton may keep of its states before it starts anew.
const CACHE: usize = 2 << 20;

fn config() -> Config {
    Config::new()
        .nfa_size_limit(Some(SIZE_LIMIT))
        .onepass_size_limit(Some(1 << 20))
        .hybrid_cache_capacity(CACHE)
}

/// A pattern to search for, or to replace.
pub(crate) fn single(pattern: &str) -> Result<Regex, Box<BuildError>> {
    Regex::builder().configure(config()).build(pattern).map_err(Box::new)
}

/// Many patterns, of which a search tells all that occur.
pub(crate) fn set<P: AsRef<str>>(patterns: &[P]) -> Result<Regex, Box<BuildError>> {
    Regex::builder().configure(config().match_kind(MatchKind::All)).build_many(patterns).map_err(Box::new)
}
