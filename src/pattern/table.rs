//! Patterns as tables: automata that were built, minimised and written down beforehand, and are searched in place.
//!
//! Tables stand in the order in which a filter under construction asks for its patterns. A set has its words first, even
//! if there are none, and then an automaton of the patterns that have no word. Decision: a form of our own,
//! not `regex-automata`'s, whose reader and searches would be a sixth of a guest; a state is two bytes, and a search takes
//! an interpreter a dozen instructions for each byte of the text. A table is its form, one byte ([`WORDS`] or
//! [`AUTOMATON`]), its length, four, and what is in it; all numbers are little-endian, and those in an automaton have two
//! bytes:
//!
//! | part | bytes |
//! |---|---|
//! | how many patterns, matching states, columns | 2 each |
//! | the column of each byte | 256 |
//! | the state in which a search begins behind each column | 2 × columns |
//! | for each matching state, a bit for each pattern that it matches | ⌈patterns ÷ 8⌉ × matching states |
//! | for each state, the next by column | 2 × columns × states |
//!
//! The last column is the text's edge. State 0 is dead; those that match come next. A state matches one byte late, so that
//! the automaton has seen what stands behind a match.

use core::ops::{ControlFlow, Range};

use super::literal::Literals;
use super::{Automaton, BuildError, Find, More, Set, Source, Test};

/// Words, which need no automaton.
pub(super) const WORDS: u8 = 0;
/// An automaton.
pub(super) const AUTOMATON: u8 = 1;

/// One automaton.
pub(crate) struct Dfa {
    column: &'static [u8; 256],
    columns: usize,
    /// As many states from 1 on match.
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

    /// The column of the text's edge.
    fn edge(&self) -> usize {
        self.columns.wrapping_sub(1)
    }

    fn column(&self, byte: u8) -> usize {
        self.column.get(usize::from(byte)).copied().map_or(0, usize::from)
    }

    /// The state in which a search begins behind a byte, or at the text's edge.
    fn start(&self, behind: Option<&u8>) -> usize {
        let column = behind.map_or(self.edge(), |byte| self.column(*byte));
        // A table is checked to be whole when it is baked; of a damaged one a search finds nothing.
        number(self.starts, column).unwrap_or(DEAD)
    }

    #[inline]
    fn next(&self, state: usize, column: usize) -> usize {
        number(self.next, state.wrapping_mul(self.columns).wrapping_add(column)).unwrap_or(DEAD)
    }

    fn matches(&self, state: usize) -> bool {
        state.wrapping_sub(1) < self.matching
    }

    /// Whether a pattern occurs.
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
    fn note(&self, state: usize, found: &mut [u8]) {
        let Some(index) = state.checked_sub(1).filter(|index| *index < self.matching) else { return };
        // A damaged table may be of no pattern at all, and there are no chunks of nothing.
        let width = self.patterns.div_ceil(8).max(1);
        let bits = self.found.chunks_exact(width).nth(index).unwrap_or_default();
        found.iter_mut().zip(bits).for_each(|(all, bits)| *all |= bits);
    }

    /// The end of the leftmost match that begins at `at` or later.
    fn end(&self, text: &[u8], at: usize) -> Option<usize> {
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

    /// The beginning of the match that ends at `end` and begins at `at` or later, for an automaton that reads backwards.
    fn begin(&self, text: &[u8], at: usize, end: usize) -> Option<usize> {
        let mut state = self.start(text.get(end));
        let mut begin = None;
        for (index, byte) in text.get(at..end)?.iter().enumerate().rev() {
            state = self.next(state, self.column(*byte));
            if state == DEAD {
                return begin;
            }
            if self.matches(state) {
                begin = Some(at.wrapping_add(index).wrapping_add(1));
            }
        }
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let last = self.next(state, before.map_or(self.edge(), |byte| self.column(*byte)));
        if self.matches(last) { Some(at) } else { begin }
    }
}

/// The number at an index.
#[inline]
fn number(bytes: &[u8], index: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(*bytes.get(index.wrapping_mul(2)..)?.first_chunk()?)))
}

/// An automaton of several patterns, and those that were found.
pub(crate) struct Many {
    dfa: Dfa,
    /// A bit for each.
    found: Box<[u8]>,
}

impl Many {
    /// Tells the patterns that occur.
    pub fn which(&mut self, text: &[u8], mut on: impl FnMut(usize)) {
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
                dfa.note(state, found);
            }
        }
        dfa.note(dfa.next(state, dfa.edge()), found);
        for (at, byte) in found.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            (0..8)
                .filter(|bit| byte >> bit & 1 == 1)
                .for_each(|bit: usize| on(at.wrapping_mul(8).wrapping_add(bit)));
        }
    }
}

/// A pair of automata: one finds a match's end, the other its beginning.
pub(crate) struct Pair {
    forwards: Dfa,
    backwards: Dfa,
}

impl Pair {
    /// Whether there is a match, or an empty one within a character.
    pub fn occurs(&self, text: &[u8]) -> bool {
        self.forwards.end(text, 0).is_some()
    }

    /// Calls `on` for each match, from left to right, until it breaks. No two overlap.
    pub fn each(&self, text: &str, mut on: impl FnMut(Range<usize>) -> ControlFlow<()>) -> ControlFlow<()> {
        let bytes = text.as_bytes();
        let (mut at, mut last) = (0, None);
        while let Some(end) = self.forwards.end(bytes, at) {
            let begin = self.backwards.begin(bytes, at, end).unwrap_or(end);
            let nothing = begin == end && (last == Some(end) || !text.is_char_boundary(end));
            if !nothing {
                on(begin..end)?;
                last = Some(end);
            }
            at = if nothing { end.wrapping_add(1) } else { end };
        }
        ControlFlow::Continue(())
    }
}

/// Reads one table after the other.
pub(crate) struct Tables {
    rest: &'static [u8],
}

impl Tables {
    /// Tables one behind the other.
    pub fn new(bytes: &'static [u8]) -> Self {
        Self { rest: bytes }
    }

    fn next(&mut self) -> Result<Table, BuildError> {
        let mut next = || {
            let ([form, length @ ..], rest) = self.rest.split_first_chunk::<5>()?;
            let (table, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
            self.rest = rest;
            match *form {
                WORDS => Literals::from_bytes(table).map(Table::Words),
                AUTOMATON => Dfa::of(table).map(Table::Dfa),
                _ => None,
            }
        };
        next().ok_or_else(damaged)
    }

    fn dfa(&mut self) -> Result<Dfa, BuildError> {
        match self.next()? {
            Table::Dfa(dfa) => Ok(dfa),
            Table::Words(_) => Err(damaged()),
        }
    }
}

/// What one table is of.
enum Table {
    Words(Literals),
    Dfa(Dfa),
}

impl Source for Tables {
    fn test(&mut self, _: &str) -> Result<Test, BuildError> {
        Ok(match self.next()? {
            Table::Words(words) => Test::Literals(words),
            Table::Dfa(dfa) => Test::Table(dfa),
        })
    }

    fn find(&mut self, _: &str) -> Result<Find, BuildError> {
        Ok(Find::Table(Pair { forwards: self.dfa()?, backwards: self.dfa()? }))
    }

    fn set(&mut self, patterns: &[&str]) -> Result<Set, BuildError> {
        let Table::Words(literals) = self.next()? else { return Err(damaged()) };
        let places = literals.others(patterns.len());
        if places.is_empty() {
            return Ok(Set { literals, more: None });
        }
        let dfa = self.dfa()?;
        if dfa.patterns != places.len() {
            return Err(damaged());
        }
        let found = vec![0; places.len().div_ceil(8)].into_boxed_slice();
        Ok(Set { literals, more: Some(More { automaton: Automaton::Table(Many { dfa, found }), places }) })
    }
}

/// What is wrong with a baked configuration that cannot be read.
pub(crate) fn damaged() -> BuildError {
    BuildError("the baked configuration is damaged, or of another version; bake it again".to_owned())
}
