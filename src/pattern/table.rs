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

use core::ops::{ControlFlow, Range};

use super::literal::LiteralSet;
use super::{Automaton, BuildError, OtherPatterns, PatternFinder, PatternSet, PatternSource, PatternTest};

/// The form of literals, which need no automaton.
pub(super) const LITERALS: u8 = 0;
/// The form of an automaton.
pub(super) const AUTOMATON: u8 = 1;

/// An automaton in the bytes of a table.
pub(crate) struct Dfa {
    column: &'static [u8; 256],
    columns: usize,
    /// The number of matching states; they follow state 0.
    matching: usize,
    patterns: usize,
    starts: &'static [u8],
    found: &'static [u8],
    next: &'static [u8],
}

const DEAD: usize = 0;

impl Dfa {
    fn of(table: &'static [u8]) -> Option<Self> {
        let (head, rest) = table.split_at_checked(6)?;
        let (patterns, matching, columns) = (number(head, 0)?, number(head, 1)?, number(head, 2)?);
        let (column, rest) = rest.split_first_chunk()?;
        let (starts, rest) = rest.split_at_checked(columns.checked_mul(2)?)?;
        let (found, next) = rest.split_at_checked(patterns.div_ceil(8).checked_mul(matching)?)?;
        Some(Self { column, columns, matching, patterns, starts, found, next })
    }

    /// Returns the column of the text's edge.
    fn edge(&self) -> usize {
        self.columns.wrapping_sub(1)
    }

    fn column(&self, byte: u8) -> usize {
        self.column.get(usize::from(byte)).copied().map_or(0, usize::from)
    }

    /// Returns the start state of a search after a byte, or at the text's edge.
    fn start(&self, previous: Option<&u8>) -> usize {
        let column = previous.map_or(self.edge(), |byte| self.column(*byte));
        // A table is validated when it is baked; a search of a damaged one finds no match.
        number(self.starts, column).unwrap_or(DEAD)
    }

    #[inline]
    fn next(&self, state: usize, column: usize) -> usize {
        number(self.next, state.wrapping_mul(self.columns).wrapping_add(column)).unwrap_or(DEAD)
    }

    fn matches(&self, state: usize) -> bool {
        state.wrapping_sub(1) < self.matching
    }

    /// Whether a pattern matches.
    pub fn is_match(&self, text: &[u8]) -> bool {
        let mut state = self.start(None);
        for byte in text {
            state = self.next(state, self.column(*byte));
            if state <= self.matching {
                return state != DEAD;
            }
        }
        self.matches(self.next(state, self.edge()))
    }

    /// Adds the patterns that a state matches.
    #[cold]
    fn add_matches(&self, state: usize, found: &mut [u8]) {
        let Some(index) = state.checked_sub(1).filter(|index| *index < self.matching) else { return };
        // A damaged table may have no patterns, and a chunk size of 0 is not allowed.
        let width = self.patterns.div_ceil(8).max(1);
        let bits = self.found.chunks_exact(width).nth(index).unwrap_or_default();
        found.iter_mut().zip(bits).for_each(|(all, bits)| *all |= bits);
    }

    /// Returns the end of the leftmost match that begins at `at` or later.
    fn match_end(&self, text: &[u8], at: usize) -> Option<usize> {
        let rest = text.get(at..)?;
        let mut state = self.start(at.checked_sub(1).and_then(|before| text.get(before)));
        let mut end = None;
        for (index, byte) in rest.iter().enumerate() {
            state = self.next(state, self.column(*byte));
            if state == DEAD {
                return end;
            }
            if self.matches(state) {
                end = Some(at.wrapping_add(index));
            }
        }
        if self.matches(self.next(state, self.edge())) { Some(text.len()) } else { end }
    }

    /// Returns the start of the match that ends at `end` and begins at `at` or later.
    ///
    /// For an automaton that reads backwards.
    fn match_start(&self, text: &[u8], at: usize, end: usize) -> Option<usize> {
        let mut state = self.start(text.get(end));
        let mut start = None;
        for (index, byte) in text.get(at..end)?.iter().enumerate().rev() {
            state = self.next(state, self.column(*byte));
            if state == DEAD {
                return start;
            }
            if self.matches(state) {
                start = Some(at.wrapping_add(index).wrapping_add(1));
            }
        }
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let last = self.next(state, before.map_or(self.edge(), |byte| self.column(*byte)));
        if self.matches(last) { Some(at) } else { start }
    }
}

/// Returns the number at an index.
#[inline]
fn number(bytes: &[u8], index: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(*bytes.get(index.wrapping_mul(2)..)?.first_chunk()?)))
}

/// An automaton of several patterns, and the buffer of a search.
pub(crate) struct TableSet {
    dfa: Dfa,
    /// A bit for each pattern.
    found: Box<[u8]>,
}

impl TableSet {
    /// Calls `on` with the index of each pattern that matches.
    pub fn for_each_found(&mut self, text: &[u8], mut on: impl FnMut(usize)) {
        let Self { dfa, found } = self;
        if dfa.patterns == 1 {
            if dfa.is_match(text) {
                on(0);
            }
            return;
        }
        found.fill(0);
        let mut state = dfa.start(None);
        for byte in text {
            state = dfa.next(state, dfa.column(*byte));
            if state <= dfa.matching {
                dfa.add_matches(state, found);
            }
        }
        dfa.add_matches(dfa.next(state, dfa.edge()), found);
        for (at, byte) in found.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            (0..8)
                .filter(|bit| byte >> bit & 1 == 1)
                .for_each(|bit: usize| on(at.wrapping_mul(8).wrapping_add(bit)));
        }
    }
}

/// Two automata: one finds the end of a match, the other its start.
pub(crate) struct DfaPair {
    forwards: Dfa,
    backwards: Dfa,
}

impl DfaPair {
    /// Whether there is a match, or an empty one within a character.
    pub fn occurs(&self, text: &[u8]) -> bool {
        self.forwards.match_end(text, 0).is_some()
    }

    /// Calls `on` for each match, from left to right, until it breaks.
    ///
    /// Matches do not overlap.
    pub fn each(&self, text: &str, mut on: impl FnMut(Range<usize>) -> ControlFlow<()>) -> ControlFlow<()> {
        let bytes = text.as_bytes();
        let (mut at, mut last) = (0, None);
        while let Some(end) = self.forwards.match_end(bytes, at) {
            let begin = self.backwards.match_start(bytes, at, end).unwrap_or(end);
            let empty = begin == end && (last == Some(end) || !text.is_char_boundary(end));
            if !empty {
                on(begin..end)?;
                last = Some(end);
            }
            at = if empty { end.wrapping_add(1) } else { end };
        }
        ControlFlow::Continue(())
    }
}

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
        let dfa = self.dfa()?;
        if dfa.patterns != indices.len() {
            return Err(damaged());
        }
        let found = vec![0; indices.len().div_ceil(8)].into_boxed_slice();
        Ok(PatternSet {
            literals,
            others: Some(OtherPatterns { automaton: Automaton::Table(TableSet { dfa, found }), indices }),
        })
    }
}

/// Returns the error for a baked configuration that cannot be read.
pub(crate) fn damaged() -> BuildError {
    BuildError("the baked configuration is damaged, or of another version; bake it again".to_owned())
}
