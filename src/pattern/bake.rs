//! Writes the tables that [`table`](super::table) reads.

use alloc::collections::BTreeMap;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use regex_automata::dfa::{Automaton as _, StartKind, dense, regex};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};

use super::compile::PatternCompiler;
use super::literal::LiteralSet;
use super::regex::SIZE_LIMIT;
use super::table::{AUTOMATON, LITERALS};
use super::{BuildError, PatternFinder, PatternSet, PatternSource, PatternTest};

/// The maximum size of a pattern's table.
///
/// A guest may be loaded again for every chunk.
const TABLE_LIMIT: usize = 1 << 20;

type DenseDfa = dense::DFA<Vec<u32>>;

/// Compiles each pattern and appends its table.
#[derive(Default)]
pub(crate) struct PatternBaker {
    /// The tables so far.
    pub tables: Vec<u8>,
}

impl PatternBaker {
    /// Appends an automaton of these patterns.
    fn write(&mut self, dfa: &DenseDfa, anchored: Anchored, patterns: &[&str]) -> Result<(), BuildError> {
        let table = TableLayout::of(dfa, anchored).and_then(|table| table.encode(dfa, patterns.len()));
        let table = table.filter(|table| table.len() <= TABLE_LIMIT).ok_or_else(|| too_large(patterns))?;
        self.append(AUTOMATON, &table);
        Ok(())
    }

    fn append(&mut self, form: u8, table: &[u8]) {
        self.tables.push(form);
        // The size is below 4 GB: `TABLE_LIMIT` was checked.
        self.tables.extend_from_slice(&u32::try_from(table.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.tables.extend_from_slice(table);
    }
}

/// An automaton whose transitions are indexed by byte.
struct TableLayout {
    /// The states in the order of their numbers: dead, matching, others.
    states: Vec<StateID>,
    matching: u16,
    /// The start state of a search after each byte, and after the edge.
    starts: Vec<u16>,
    /// For each state, the next state by byte, and by the edge.
    next: Vec<Vec<u16>>,
}

/// The bytes, followed by the edge of the text.
const SYMBOLS: core::ops::Range<usize> = 0..257;

impl TableLayout {
    /// Lays out an automaton; `None` if it has too many states.
    fn of(dfa: &DenseDfa, anchored: Anchored) -> Option<Self> {
        let byte = |symbol: usize| u8::try_from(symbol).ok();
        let start = |symbol| {
            let config = start::Config::new().anchored(anchored).look_behind(byte(symbol));
            // The automaton was built with these start states, and no byte makes it quit.
            dfa.start_state(&config).ok()
        };
        let next = |state, symbol| {
            byte(symbol).map_or_else(|| dfa.next_eoi_state(state), |byte| dfa.next_state(state, byte))
        };
        let starts = SYMBOLS.map(start).collect::<Option<Vec<_>>>()?;
        let mut reached: BTreeMap<StateID, Vec<StateID>> = BTreeMap::new();
        let mut pending = starts.clone();
        while let Some(state) = pending.pop() {
            if let alloc::collections::btree_map::Entry::Vacant(vacant) = reached.entry(state) {
                let row: Vec<StateID> = SYMBOLS.map(|symbol| next(state, symbol)).collect();
                pending.extend(&row);
                vacant.insert(row);
            }
        }
        let order = |state: &&StateID| (!dfa.is_dead_state(**state), !dfa.is_match_state(**state));
        let mut states: Vec<&StateID> = reached.keys().collect();
        states.sort_by_key(order);
        let first = usize::from(states.first().is_none_or(|state| !dfa.is_dead_state(**state)));
        let numbers: BTreeMap<StateID, u16> = states
            .iter()
            .enumerate()
            .map(|(index, state)| Some((**state, u16::try_from(index.saturating_add(first)).ok()?)))
            .collect::<Option<_>>()?;
        let number = |state: &StateID| numbers.get(state).copied();
        let mut rows = vec![vec![0; SYMBOLS.end]; first];
        for state in &states {
            rows.push(reached.get(state)?.iter().map(number).collect::<Option<_>>()?);
        }
        let matching = states.iter().filter(|state| dfa.is_match_state(***state)).count();
        Some(Self {
            starts: starts.iter().map(number).collect::<Option<_>>()?,
            states: states.into_iter().copied().collect(),
            matching: u16::try_from(matching).ok()?,
            next: rows,
        })
    }

    fn encode(&self, dfa: &DenseDfa, patterns: usize) -> Option<Vec<u8>> {
        let at = |symbol: usize| {
            let rows = self.next.iter().chain([&self.starts]);
            rows.map(|row| row.get(symbol).copied()).collect::<Option<Vec<u16>>>()
        };
        // Symbols with equal transitions share a column; the edge has its own, the last.
        let mut columns: Vec<Vec<u16>> = Vec::new();
        let mut column = Vec::new();
        for symbol in SYMBOLS {
            let this = at(symbol)?;
            let known =
                columns.iter().position(|known| *known == this && symbol != SYMBOLS.end.saturating_sub(1));
            column.push(u8::try_from(known.unwrap_or(columns.len())).ok());
            if known.is_none() {
                columns.push(this);
            }
        }
        column.pop();
        let mut bytes = Vec::new();
        let mut put = |number: u16| bytes.extend_from_slice(&number.to_le_bytes());
        put(u16::try_from(patterns).ok()?);
        put(self.matching);
        put(u16::try_from(columns.len()).ok()?);
        bytes.extend(column.into_iter().collect::<Option<Vec<u8>>>()?);
        for column in &columns {
            bytes.extend_from_slice(&column.last()?.to_le_bytes());
        }
        for state in self.states.iter().filter(|state| dfa.is_match_state(**state)) {
            let mut bits = vec![0_u8; patterns.div_ceil(8)];
            for index in 0..dfa.match_len(*state) {
                let pattern = dfa.match_pattern(*state, index).as_usize();
                *bits.get_mut(pattern / 8)? |= 1 << (pattern % 8);
            }
            bytes.extend(bits);
        }
        for row in 0..self.next.len() {
            for column in &columns {
                bytes.extend_from_slice(&column.get(row)?.to_le_bytes());
            }
        }
        Some(bytes)
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

fn build_dense(patterns: &[&str]) -> Result<DenseDfa, BuildError> {
    dense::Builder::new()
        .configure(config(MatchKind::All))
        .thompson(thompson())
        .build_many(patterns)
        .map_err(|error| refused(patterns, &error))
}

fn too_large(patterns: &[&str]) -> BuildError {
    cannot(
        patterns,
        "its table would be larger than 1 MB; shorten its repetitions, or write `(?-u:\\w)` for `\\w`",
    )
}

fn cannot(patterns: &[&str], why: &str) -> BuildError {
    BuildError(format!("`{}` cannot be baked: {why}", patterns.join("`, `")))
}

fn refused(patterns: &[&str], error: &dense::BuildError) -> BuildError {
    let boundary = |pattern: &&str| pattern.contains("\\b") || pattern.contains("\\B");
    if error.is_size_limit_exceeded() {
        too_large(patterns)
    } else if patterns.iter().any(boundary) {
        cannot(patterns, "a table knows the word boundaries of ASCII only; write `(?-u:\\b)` for `\\b`")
    } else {
        cannot(patterns, &error.to_string())
    }
}

impl PatternSource for PatternBaker {
    fn test(&mut self, pattern: &str) -> Result<PatternTest, BuildError> {
        let literals = LiteralSet::of(&[pattern]);
        if literals.other_patterns(1).is_empty() {
            self.append(LITERALS, &literals.to_bytes());
        } else {
            self.write(&build_dense(&[pattern])?, Anchored::No, &[pattern])?;
        }
        PatternCompiler.test(pattern)
    }

    fn find(&mut self, pattern: &str) -> Result<PatternFinder, BuildError> {
        let built = regex::Builder::new()
            .dense(config(MatchKind::LeftmostFirst))
            .thompson(thompson())
            .build(pattern)
            .map_err(|error| refused(&[pattern], &error))?;
        self.write(built.forward(), Anchored::No, &[pattern])?;
        self.write(built.reverse(), Anchored::Yes, &[pattern])?;
        PatternCompiler.find(pattern)
    }

    fn set(&mut self, patterns: &[&str]) -> Result<PatternSet, BuildError> {
        let literals = LiteralSet::of(patterns);
        self.append(LITERALS, &literals.to_bytes());
        let others = literals.other_patterns(patterns.len()).into_iter();
        let others: Vec<&str> = others.filter_map(|index| patterns.get(index).copied()).collect();
        if !others.is_empty() {
            self.write(&build_dense(&others)?, Anchored::No, &others)?;
        }
        PatternCompiler.set(patterns)
    }
}
