//! Automata in the bytes of a table, and their searches.
//!
//! A search reads a table in place. [`table`](super::table) describes its bytes.

use alloc::boxed::Box;
use core::ops::{ControlFlow, Range};

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
    pub fn of(table: &'static [u8]) -> Option<Self> {
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
    /// Returns the set of an automaton; `None` if it does not have this number of patterns.
    pub fn new(dfa: Dfa, patterns: usize) -> Option<Self> {
        let found = vec![0; patterns.div_ceil(8)].into_boxed_slice();
        (dfa.patterns == patterns).then_some(Self { dfa, found })
    }

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
    pub forwards: Dfa,
    pub backwards: Dfa,
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
