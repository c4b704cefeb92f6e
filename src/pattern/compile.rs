//! Patterns compiled where they are used.

use regex_automata::meta::{self, Cache, Config};
use regex_automata::{Input, MatchKind, PatternSet};

use super::literal::Literals;
use super::{Automaton, BuildError, Find, More, Set, Source, Test};

pub(super) use regex_automata::meta::Regex;

/// A compiled pattern may take so much; a repetition such as `(\w{1000}){1000}` is refused instead.
pub(super) const SIZE_LIMIT: usize = 10 << 20;

/// What a lazy automaton may keep of its states before it starts anew.
const CACHE: usize = 2 << 20;

fn config() -> Config {
    Config::new()
        .nfa_size_limit(Some(SIZE_LIMIT))
        .onepass_size_limit(Some(1 << 20))
        .hybrid_cache_capacity(CACHE)
}

/// A pattern to search for, or to replace.
pub(crate) fn single(pattern: &str) -> Result<Regex, Box<meta::BuildError>> {
    Regex::builder().configure(config()).build(pattern).map_err(Box::new)
}

/// Many patterns, of which a search tells all that occur.
pub(crate) fn set<P: AsRef<str>>(patterns: &[P]) -> Result<Regex, Box<meta::BuildError>> {
    Regex::builder().configure(config().match_kind(MatchKind::All)).build_many(patterns).map_err(Box::new)
}

/// Compiles each pattern as it is asked for.
pub(crate) struct Compile;

impl Source for Compile {
    fn test(&mut self, pattern: &str) -> Result<Test, BuildError> {
        let literals = Literals::of(&[pattern]);
        Ok(if literals.others(1).is_empty() {
            Test::Literals(literals)
        } else {
            Test::Compiled(single(pattern)?)
        })
    }

    fn find(&mut self, pattern: &str) -> Result<Find, BuildError> {
        Ok(Find::Compiled(single(pattern)?))
    }

    fn set(&mut self, patterns: &[&str]) -> Result<Set, BuildError> {
        let literals = Literals::of(patterns);
        let places = literals.others(patterns.len());
        let more = if places.is_empty() {
            None
        } else {
            Some(More { automaton: Many::of(patterns, &places)?, places })
        };
        Ok(Set { literals, more })
    }
}

impl From<Box<meta::BuildError>> for BuildError {
    fn from(error: Box<meta::BuildError>) -> Self {
        Self(format!("the patterns are too large together: {error}"))
    }
}

/// Many patterns and what a search needs.
pub(super) struct Many {
    regex: Regex,
    cache: Cache,
    found: PatternSet,
}

impl Many {
    /// An automaton of the patterns at these places.
    fn of(patterns: &[&str], places: &[usize]) -> Result<Automaton, BuildError> {
        let patterns: Vec<&str> = places.iter().filter_map(|place| patterns.get(*place).copied()).collect();
        let regex = set(&patterns)?;
        let (cache, found) = (regex.create_cache(), PatternSet::new(regex.pattern_len()));
        Ok(Automaton::Compiled(Box::new(Self { regex, cache, found })))
    }

    /// Tells the patterns that occur.
    pub fn which(&mut self, text: &[u8], mut on: impl FnMut(usize)) {
        let Self { regex, cache, found } = self;
        if regex.pattern_len() == 1 {
            // The overlapping search of one pattern would read the whole text; this one stops at the first match.
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
