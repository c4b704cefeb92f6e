//! Patterns as tables: automata that are built and minimised in advance.
//!
//! A search reads a table in place. Tables are in the order in which a filter under construction requests its patterns. A
//! set has a table of literals first, even if it is empty, and then an automaton of the patterns that have no literals.
//! Decision: not the sparse automata of `regex-automata` (feature `dfa-search`). They save 250 lines here and in `bake`,
//! and `kaudit-base.wasm` has 300,004 bytes with them instead of 265,747, 13 % more.
//!
//! A table is its form, one byte ([`LITERALS`] or [`AUTOMATON`]), the length of its content, four bytes, and its content.
//! All numbers are little-endian, and those in an automaton have two bytes:
//!
//! | part | bytes |
//! |---|---|
//! | the numbers of patterns, matching states, columns | 2 each |
//! | the column of each byte | 256 |
//! | the start state of a search after each column | 2 × columns |
//! | for each matching state, a bit for each pattern that it matches | ⌈patterns ÷ 8⌉ × matching states |
//! | for each state, the next state by column | 2 × columns × states |
//!
//! The last column is the text's edge. State 0 is dead; the matching states come next. A state matches one byte late, so
//! that the automaton has read the byte after a match.

use alloc::borrow::ToOwned as _;

use super::dfa::{Dfa, DfaPair, TableSet};
use super::literal::LiteralSet;
use super::{Automaton, BuildError, OtherPatterns, PatternFinder, PatternSet, PatternSource, PatternTest};

/// The form of literals, which need no automaton.
pub(super) const LITERALS: u8 = 0;
/// The form of an automaton.
pub(super) const AUTOMATON: u8 = 1;

/// Reads the tables in the order in which they were written.
pub(crate) struct TableReader {
    rest: &'static [u8],
}

impl TableReader {
    /// Reads concatenated tables.
    pub fn new(bytes: &'static [u8]) -> Self {
        Self { rest: bytes }
    }

    fn next(&mut self) -> Result<BakedTable, BuildError> {
        let mut next = || {
            let ([form, length @ ..], rest) = self.rest.split_first_chunk::<5>()?;
            let (table, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            self.rest = rest;
            match *form {
                LITERALS => LiteralSet::from_bytes(table).map(BakedTable::Literals),
                AUTOMATON => Dfa::of(table).map(BakedTable::Dfa),
                _ => None,
            }
        };
        next().ok_or_else(damaged)
    }

    fn dfa(&mut self) -> Result<Dfa, BuildError> {
        match self.next()? {
            BakedTable::Dfa(dfa) => Ok(dfa),
            BakedTable::Literals(_) => Err(damaged()),
        }
    }
}

/// The content of one table.
enum BakedTable {
    Literals(LiteralSet),
    Dfa(Dfa),
}

impl PatternSource for TableReader {
    fn test(&mut self, _: &str) -> Result<PatternTest, BuildError> {
        Ok(match self.next()? {
            BakedTable::Literals(words) => PatternTest::Literals(words),
            BakedTable::Dfa(dfa) => PatternTest::Table(dfa),
        })
    }

    fn find(&mut self, _: &str) -> Result<PatternFinder, BuildError> {
        Ok(PatternFinder::Table(DfaPair { forwards: self.dfa()?, backwards: self.dfa()? }))
    }

    fn set(&mut self, patterns: &[&str]) -> Result<PatternSet, BuildError> {
        let BakedTable::Literals(literals) = self.next()? else { return Err(damaged()) };
        let indices = literals.other_patterns(patterns.len());
        if indices.is_empty() {
            return Ok(PatternSet { literals, others: None });
        }
        let set = TableSet::new(self.dfa()?, indices.len()).ok_or_else(damaged)?;
        Ok(PatternSet { literals, others: Some(OtherPatterns { automaton: Automaton::Table(set), indices }) })
    }
}

/// Returns the error for a baked configuration that cannot be read.
pub(crate) fn damaged() -> BuildError {
    BuildError("the baked configuration is damaged, or of another version; bake it again".to_owned())
}
