//! Patterns as tables: automata that were built, minimised and written down beforehand, and are searched in place.
//!
//! Tables stand in the order in which a filter under construction asks for its patterns. Each is its form and its
//! length, four bytes each, and the automaton, padded to four bytes. Decision: dense where that is small, since an
//! interpreter finds its next state there in a few instructions; sparse otherwise, since a pattern such as `\w+` would
//! take hundreds of kilobytes.

use regex_automata::dfa::{Automaton as _, dense, regex, sparse};
use regex_automata::util::iter::Searcher;
use regex_automata::{Input, PatternID, PatternSet};

use super::literal::Literals;
use super::{Automaton, BuildError, Find, Set, Source, Test};

const DENSE: u32 = 0;
const SPARSE: u32 = 1;
/// Words, which need no automaton.
const LITERALS: u32 = 2;

/// One automaton.
pub(crate) enum Dfa {
    Dense(dense::DFA<&'static [u32]>),
    Sparse(sparse::DFA<&'static [u8]>),
}

impl Dfa {
    /// Whether a pattern occurs.
    pub fn is_match(&self, text: &[u8]) -> bool {
        let input = Input::new(text).earliest(true);
        let found = match self {
            Self::Dense(dfa) => dfa.try_search_fwd(&input),
            Self::Sparse(dfa) => dfa.try_search_fwd(&input),
        };
        // No table has a byte that makes it give up, so a search cannot fail.
        matches!(found, Ok(Some(_)))
    }

    /// Collects the patterns that occur.
    pub fn which(&self, text: &[u8], found: &mut PatternSet) {
        if found.capacity() == 1 {
            if self.is_match(text) {
                found.insert(PatternID::ZERO);
            }
            return;
        }
        let input = Input::new(text);
        let _ = match self {
            Self::Dense(dfa) => dfa.try_which_overlapping_matches(&input, found),
            Self::Sparse(dfa) => dfa.try_which_overlapping_matches(&input, found),
        };
    }

    fn patterns(&self) -> usize {
        match self {
            Self::Dense(dfa) => dfa.pattern_len(),
            Self::Sparse(dfa) => dfa.pattern_len(),
        }
    }
}

/// A pair of automata: one finds a match's end, the other its start.
pub(crate) enum Regex {
    Dense(regex::Regex<dense::DFA<&'static [u32]>>),
    Sparse(regex::Regex<sparse::DFA<&'static [u8]>>),
}

impl Regex {
    /// Each match, from left to right.
    pub fn each(&self, text: &str, mut on: impl FnMut(core::ops::Range<usize>)) {
        let mut searcher = Searcher::new(Input::new(text));
        while let Ok(Some(found)) = searcher.try_advance(|input| match self {
            Self::Dense(regex) => regex.try_search(input),
            Self::Sparse(regex) => regex.try_search(input),
        }) {
            on(found.range());
        }
    }
}

/// Reads one table after the other.
pub(crate) struct Tables {
    rest: &'static [u8],
}

impl Tables {
    /// Tables that begin at an address divisible by four.
    pub fn new(bytes: &'static [u8]) -> Self {
        Self { rest: bytes }
    }

    fn next(&mut self) -> Option<Table> {
        let form = u32::from_le_bytes(*self.take(4)?.first_chunk()?);
        let length = usize::try_from(u32::from_le_bytes(*self.take(4)?.first_chunk()?)).ok()?;
        let bytes = self.take(length.checked_next_multiple_of(4)?)?.get(..length)?;
        match form {
            DENSE => dense::DFA::from_bytes(bytes).ok().map(|(dfa, _)| Table::Dfa(Box::new(Dfa::Dense(dfa)))),
            SPARSE => {
                sparse::DFA::from_bytes(bytes).ok().map(|(dfa, _)| Table::Dfa(Box::new(Dfa::Sparse(dfa))))
            }
            LITERALS => Literals::from_bytes(bytes).map(Table::Literals),
            _ => None,
        }
    }

    fn take(&mut self, length: usize) -> Option<&'static [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

/// What one table is of.
enum Table {
    Dfa(Box<Dfa>),
    Literals(Literals),
}

impl Source for Tables {
    fn test(&mut self, _: &str) -> Result<Test, BuildError> {
        match self.next() {
            Some(Table::Dfa(dfa)) => Ok(Test::Table(dfa)),
            Some(Table::Literals(literals)) => Ok(Test::Literals(literals)),
            None => Err(damaged()),
        }
    }

    fn find(&mut self, _: &str) -> Result<Find, BuildError> {
        let builder = regex::Builder::new();
        let (Some(Table::Dfa(end)), Some(Table::Dfa(start))) = (self.next(), self.next()) else {
            return Err(damaged());
        };
        match (*end, *start) {
            (Dfa::Dense(end), Dfa::Dense(start)) => {
                Ok(Find::Table(Box::new(Regex::Dense(builder.build_from_dfas(end, start)))))
            }
            (Dfa::Sparse(end), Dfa::Sparse(start)) => {
                Ok(Find::Table(Box::new(Regex::Sparse(builder.build_from_dfas(end, start)))))
            }
            _ => Err(damaged()),
        }
    }

    fn set(&mut self, patterns: &[&str]) -> Result<Set, BuildError> {
        match self.next() {
            Some(Table::Dfa(dfa)) if dfa.patterns() == patterns.len() => {
                Ok(Set { automaton: Automaton::Table(dfa), found: PatternSet::new(patterns.len()) })
            }
            Some(Table::Literals(literals)) => Ok(literals.into()),
            _ => Err(damaged()),
        }
    }
}

/// What is wrong with a baked configuration that cannot be read.
pub(crate) fn damaged() -> BuildError {
    BuildError("the baked configuration is damaged, or of another version; bake it again".to_owned())
}

#[cfg(feature = "bake")]
pub(crate) use bake::Bake;

#[cfg(feature = "bake")]
mod bake {
    use regex_automata::MatchKind;
    use regex_automata::dfa::{StartKind, dense, regex};
    use regex_automata::nfa::thompson;

    use crate::pattern::compile::{Compile, SIZE_LIMIT};

    use super::{BuildError, DENSE, Find, LITERALS, Literals, SPARSE, Set, Source, Test};

    /// A larger automaton is written in the sparse form.
    const DENSE_LIMIT: usize = 16 << 10;

    /// No table of a pattern may grow beyond this: every start of the guest reads it.
    const TABLE_LIMIT: usize = 1 << 20;

    /// Compiles each pattern as it is asked for, and writes its table down.
    #[derive(Default)]
    pub(crate) struct Bake {
        /// The tables so far.
        pub tables: Vec<u8>,
    }

    impl Bake {
        fn write(&mut self, dfas: &[&dense::DFA<Vec<u32>>]) -> Result<(), BuildError> {
            let dense = dfas.iter().all(|dfa| dfa.memory_usage() <= DENSE_LIMIT);
            for dfa in dfas {
                if dense {
                    let (bytes, padding) = dfa.to_bytes_little_endian();
                    self.append(DENSE, bytes.get(padding..).unwrap_or_default());
                } else {
                    let sparse = dfa.to_sparse().map_err(|error| BuildError(error.to_string()))?;
                    self.append(SPARSE, &sparse.to_bytes_little_endian());
                }
            }
            Ok(())
        }

        fn append(&mut self, form: u32, bytes: &[u8]) {
            self.tables.extend_from_slice(&form.to_le_bytes());
            // A table beyond 4 GB was refused by its limit.
            self.tables.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
            self.tables.extend_from_slice(bytes);
            self.tables.resize(self.tables.len().next_multiple_of(4), 0);
        }
    }

    fn config(kind: MatchKind) -> dense::Config {
        dense::Config::new()
            .match_kind(kind)
            .start_kind(StartKind::Unanchored)
            .accelerate(false)
            .minimize(true)
            .dfa_size_limit(Some(TABLE_LIMIT))
            .determinize_size_limit(Some(SIZE_LIMIT))
    }

    fn thompson() -> thompson::Config {
        thompson::Config::new().nfa_size_limit(Some(SIZE_LIMIT))
    }

    fn all(patterns: &[&str]) -> Result<dense::DFA<Vec<u32>>, BuildError> {
        dense::Builder::new()
            .configure(config(MatchKind::All))
            .thompson(thompson())
            .build_many(patterns)
            .map_err(|error| refused(patterns, &error))
    }

    fn refused(patterns: &[&str], error: &dense::BuildError) -> BuildError {
        let boundary = |pattern: &&str| pattern.contains("\\b") || pattern.contains("\\B");
        let why = if error.is_size_limit_exceeded() {
            "its table would be larger than 1 MB; shorten its repetitions, or write `(?-u:\\w)` for `\\w`"
                .to_owned()
        } else if patterns.iter().any(boundary) {
            "a table knows the word boundaries of ASCII only; write `(?-u:\\b)` for `\\b`".to_owned()
        } else {
            error.to_string()
        };
        BuildError(format!("`{}` cannot be baked: {why}", patterns.join("`, `")))
    }

    impl Source for Bake {
        fn test(&mut self, pattern: &str) -> Result<Test, BuildError> {
            match Literals::of(&[pattern]) {
                Some(literals) => self.append(LITERALS, &literals.to_bytes()),
                None => self.write(&[&all(&[pattern])?])?,
            }
            Compile.test(pattern)
        }

        fn find(&mut self, pattern: &str) -> Result<Find, BuildError> {
            let built = regex::Builder::new()
                .dense(config(MatchKind::LeftmostFirst))
                .thompson(thompson())
                .build(pattern)
                .map_err(|error| refused(&[pattern], &error))?;
            self.write(&[built.forward(), built.reverse()])?;
            Compile.find(pattern)
        }

        fn set(&mut self, patterns: &[&str]) -> Result<Set, BuildError> {
            match Literals::of(patterns) {
                Some(literals) => self.append(LITERALS, &literals.to_bytes()),
                None => self.write(&[&all(patterns)?])?,
            }
            Compile.set(patterns)
        }
    }
}
