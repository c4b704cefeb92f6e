//! Patterns that are alternatives of literals, each optionally anchored.
//!
//! For example `^system:` or `^exec|unsafe$|secret`. Most patterns of data filters are of this form. One or two
//! comparisons decide them, where an automaton has to be initialised for each text and then takes a step for each byte.
//! Anchored literals are found by binary search, so that a thousand cost about ten comparisons.
//!
//! Decision: not the meta engine of `regex-automata` with its prefilters, which takes 11 % more instructions for the
//! guard's `msgpack-dropped`, 8 % for `json-dropped` and 7 % for `integrations-1000`.

#![expect(clippy::inline_always, reason = "called for each finding's entity, measured")]

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// The maximum number of unanchored literals.
///
/// For more, an automaton is faster, which reads a text once for all of them.
#[cfg(feature = "compile")]
const MAX_LITERALS: usize = 16;

/// The literals of some patterns.
pub(crate) struct LiteralSet {
    prefixes: AffixIndex,
    suffixes: AffixIndex,
    infixes: Vec<AnchoredLiteral>,
}

/// Literals that are anchored at the same end of a text.
///
/// They are sorted by their bytes, read from that end.
struct AffixIndex {
    entries: Vec<AffixEntry>,
    /// Whether they are anchored at, and read from, the end of a text.
    backwards: bool,
    /// The first bytes of the literals from that end, a bit per value of six bits.
    /// A bit is set if it is the lowest six bits of a first byte. Most texts begin with none of these bytes.
    first_bytes: u64,
}

struct AffixEntry {
    /// See [`key`].
    key: u64,
    /// The number of unused low bits of `key`.
    shift: u32,
    /// Whether a match of the key is a match of the literal.
    decided_by_key: bool,
    literal: AnchoredLiteral,
    /// The index of the longest proper prefix in the list.
    /// Following these links enumerates all prefixes of this literal.
    next_prefix: Option<usize>,
}

/// A literal, and the ends of the text at which it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AnchoredLiteral {
    pattern: u16,
    at_start: bool,
    at_end: bool,
    bytes: Cow<'static, [u8]>,
}

impl LiteralSet {
    fn new(literals: Vec<AnchoredLiteral>) -> Self {
        let (infixes, literals): (Vec<_>, Vec<_>) =
            literals.into_iter().partition(|literal| !literal.at_start && !literal.at_end);
        let (prefixes, suffixes) = literals.into_iter().partition(|literal| literal.at_start);
        Self {
            prefixes: AffixIndex::new(prefixes, false),
            suffixes: AffixIndex::new(suffixes, true),
            infixes,
        }
    }

    /// Returns whether a pattern matches.
    pub fn is_match(&self, text: &[u8]) -> bool {
        let mut found = false;
        self.for_each_found(text, |_| found = true);
        found
    }

    /// Calls `on` with the index of each pattern that matches.
    ///
    /// A pattern of several literals may be reported more than once.
    #[inline]
    pub fn for_each_found(&self, text: &[u8], mut on: impl FnMut(usize)) {
        self.prefixes.for_each_found(text, &mut on);
        self.suffixes.for_each_found(text, &mut on);
        for literal in self.infixes.iter().filter(|literal| literal.is_in(text)) {
            on(usize::from(literal.pattern));
        }
    }

    /// Returns the indices of the patterns, of this number, that have no literal here.
    pub fn other_patterns(&self, patterns: usize) -> Vec<usize> {
        let mut other_patterns = vec![true; patterns];
        for literal in self.literals() {
            other_patterns.get_mut(usize::from(literal.pattern)).into_iter().for_each(|other| *other = false);
        }
        other_patterns.iter().enumerate().filter_map(|(pattern, other)| other.then_some(pattern)).collect()
    }

    fn literals(&self) -> impl Iterator<Item = &AnchoredLiteral> {
        let indexed = self.prefixes.entries.iter().chain(&self.suffixes.entries).map(|entry| &entry.literal);
        indexed.chain(&self.infixes)
    }
}

impl AffixIndex {
    fn new(mut literals: Vec<AnchoredLiteral>, at_end: bool) -> Self {
        literals.sort_by(|one, other| compare(&one.bytes, &other.bytes, at_end));
        let mut entries: Vec<AffixEntry> = Vec::new();
        for literal in literals {
            // The longest prefix is the literal before this one, or one of the prefixes of that.
            let mut next_prefix = entries.len().checked_sub(1);
            while let Some(before) = next_prefix.and_then(|position| entries.get(position)) {
                let bytes = &*before.literal.bytes;
                if if at_end { literal.bytes.ends_with(bytes) } else { literal.bytes.starts_with(bytes) } {
                    break;
                }
                next_prefix = before.next_prefix;
            }
            let missing = 8_u32.saturating_sub(u32::try_from(literal.bytes.len()).unwrap_or(8));
            let decided_by_key = literal.bytes.len() <= 8 && !(literal.at_start && literal.at_end);
            entries.push(AffixEntry {
                key: key(&literal.bytes, at_end),
                shift: missing.wrapping_mul(8),
                decided_by_key,
                literal,
                next_prefix,
            });
        }
        let first_bytes = entries.iter().fold(0, |all, entry| {
            let bytes = &entry.literal.bytes;
            // An empty literal matches every text.
            all | end_byte(bytes, at_end).map_or(u64::MAX, |byte| 1_u64.wrapping_shl(byte))
        });
        Self { entries, backwards: at_end, first_bytes }
    }

    /// Calls `on` with the pattern of each literal that the text has at this end.
    #[inline(always)]
    fn for_each_found(&self, text: &[u8], mut on: impl FnMut(usize)) {
        let byte = end_byte(text, self.backwards);
        if byte.is_some_and(|byte| self.first_bytes.wrapping_shr(byte) & 1 == 0) {
            return;
        }
        let mut next = self.longest_match(text);
        while let Some(entry) = next {
            on(usize::from(entry.literal.pattern));
            next = self.longest_matching_prefix(entry, text);
        }
    }

    /// Returns the longest literal that the text has at this end.
    #[inline(always)]
    fn longest_match(&self, text: &[u8]) -> Option<&AffixEntry> {
        let key = key(text, self.backwards);
        let up_to = self.entries.partition_point(|entry| {
            entry.key < key || entry.key == key && compare(&entry.literal.bytes, text, self.backwards).is_le()
        });
        let last = self.entries.get(up_to.checked_sub(1)?)?;
        if last.is_in(text, key) { Some(last) } else { self.longest_matching_prefix(last, text) }
    }

    /// Returns the longest prefix of a literal that the text has at this end.
    #[inline(always)]
    fn longest_matching_prefix(&self, entry: &AffixEntry, text: &[u8]) -> Option<&AffixEntry> {
        let mut next = self.entries.get(entry.next_prefix?)?;
        while !next.literal.is_in(text) {
            next = self.entries.get(next.next_prefix?)?;
        }
        Some(next)
    }
}

impl AffixEntry {
    /// Returns whether a text with this key has the literal.
    #[inline(always)]
    fn is_in(&self, text: &[u8], key: u64) -> bool {
        // An empty literal has no bits to compare.
        let begins = (key ^ self.key).checked_shr(self.shift).unwrap_or(0) == 0;
        begins && (self.decided_by_key && self.literal.bytes.len() <= text.len() || self.literal.is_in(text))
    }
}

/// Returns the byte at an end.
#[inline(always)]
fn end_byte(text: &[u8], at_end: bool) -> Option<u32> {
    if at_end { text.last() } else { text.first() }.copied().map(u32::from)
}

/// Returns the first eight bytes, or the last ones reversed, as a number.
///
/// Numbers have the order of the bytes, unless the numbers are equal.
#[inline(always)]
fn key(text: &[u8], at_end: bool) -> u64 {
    if at_end {
        return match text.last_chunk() {
            Some(last) => u64::from_le_bytes(*last),
            None => short_key(text.iter().rev(), text.len()),
        };
    }
    match text.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => short_key(text.iter(), text.len()),
    }
}

/// Returns the key of fewer than eight bytes, padded with zeros.
#[inline(never)]
fn short_key<'a>(bytes: impl Iterator<Item = &'a u8>, length: usize) -> u64 {
    let all = bytes.fold(0, |key: u64, byte| key << 8 | u64::from(*byte));
    let missing = 8_usize.saturating_sub(length).wrapping_mul(8);
    u32::try_from(missing).ok().and_then(|missing| all.checked_shl(missing)).unwrap_or(0)
}

/// Compares two literals with equal keys, read from one end or the other.
#[inline(never)]
fn compare(one: &[u8], other: &[u8], at_end: bool) -> Ordering {
    if at_end { one.iter().rev().cmp(other.iter().rev()) } else { one.cmp(other) }
}

impl AnchoredLiteral {
    #[inline]
    fn is_in(&self, text: &[u8]) -> bool {
        match (self.at_start, self.at_end) {
            (true, true) => text == &*self.bytes,
            (true, false) => text.starts_with(&self.bytes),
            (false, true) => text.ends_with(&self.bytes),
            (false, false) => self.occurs_within(text),
        }
    }

    fn occurs_within(&self, text: &[u8]) -> bool {
        let Some((first, rest)) = self.bytes.split_first() else { return true };
        let mut left = text;
        while let Some((byte, after)) = left.split_first() {
            if byte == first && after.starts_with(rest) {
                return true;
            }
            left = after;
        }
        false
    }
}

/// The baked form of literals.
///
/// For each: the pattern's number (two bytes, little-endian), its anchors (1: start, 2: end, 3: both), its length and
/// its bytes.
#[cfg(feature = "tables")]
impl LiteralSet {
    pub fn from_bytes(bytes: &'static [u8]) -> Option<Self> {
        let mut literals = Vec::new();
        let mut rest = bytes;
        while let Some(([low, high, anchors, length], after)) = rest.split_first_chunk() {
            let (literal, after) = after.split_at_checked(usize::from(*length))?;
            let (at_start, at_end) = (anchors & 1 != 0, anchors & 2 != 0);
            let pattern = u16::from_le_bytes([*low, *high]);
            literals.push(AnchoredLiteral { pattern, at_start, at_end, bytes: Cow::Borrowed(literal) });
            rest = after;
        }
        rest.is_empty().then(|| Self::new(literals))
    }

    #[cfg(feature = "bake")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for AnchoredLiteral { pattern, at_start, at_end, bytes: literal } in self.literals() {
            let anchors = u8::from(*at_start) | u8::from(*at_end) << 1;
            bytes.extend_from_slice(&pattern.to_le_bytes());
            // `LiteralSet::of` accepts no longer literal.
            bytes.extend([anchors, u8::try_from(literal.len()).unwrap_or(u8::MAX)]);
            bytes.extend_from_slice(literal);
        }
        bytes
    }
}

#[cfg(feature = "compile")]
impl LiteralSet {
    /// Returns the literals of the patterns that are alternatives of literals.
    pub fn of(patterns: &[&str]) -> Self {
        let mut all = Vec::new();
        let mut infixes = 0_usize;
        for (index, pattern) in patterns.iter().enumerate() {
            let Some((index, literals)) = u16::try_from(index).ok().zip(AnchoredLiteral::of(pattern)) else {
                continue;
            };
            let more = literals.iter().filter(|literal| !literal.at_start && !literal.at_end).count();
            if infixes.saturating_add(more) <= MAX_LITERALS {
                infixes = infixes.saturating_add(more);
                all.extend(literals.into_iter().map(|literal| AnchoredLiteral { pattern: index, ..literal }));
            }
        }
        Self::new(all)
    }
}

#[cfg(feature = "compile")]
impl AnchoredLiteral {
    /// Splits a pattern into literals.
    ///
    /// `None` if the pattern is of another form, or a literal is too long.
    fn of(pattern: &str) -> Option<Vec<Self>> {
        let literals = Self::all(&regex_syntax::parse(pattern).ok()?)?;
        literals.iter().all(|literal| u8::try_from(literal.bytes.len()).is_ok()).then_some(literals)
    }

    /// Splits an expression into literals; `None` if it is of another form.
    fn all(hir: &regex_syntax::hir::Hir) -> Option<Vec<Self>> {
        use regex_syntax::hir::{HirKind, Look};

        let anchored = |literal: &[u8], at_start, at_end| Self {
            pattern: 0,
            at_start,
            at_end,
            bytes: Cow::Owned(literal.to_vec()),
        };
        Some(match hir.kind() {
            HirKind::Empty => vec![anchored(b"", false, false)],
            HirKind::Literal(literal) => vec![anchored(&literal.0, false, false)],
            HirKind::Look(Look::Start) => vec![anchored(b"", true, false)],
            HirKind::Look(Look::End) => vec![anchored(b"", false, true)],
            HirKind::Capture(capture) => Self::all(&capture.sub)?,
            HirKind::Alternation(branches) => {
                let mut all = Vec::new();
                for branch in branches {
                    all.extend(Self::all(branch)?);
                }
                all
            }
            HirKind::Concat(parts) => {
                let mut all = vec![anchored(b"", false, false)];
                for part in parts {
                    let next = Self::all(part)?;
                    let pairs = all.iter().flat_map(|one| next.iter().map(|other| one.followed_by(other)));
                    all = pairs.collect::<Option<_>>()?;
                    if all.len() > MAX_LITERALS {
                        return None;
                    }
                }
                all
            }
            _ => return None,
        })
    }

    /// Concatenates two literals; `None` if an anchor would be inside the result.
    fn followed_by(&self, other: &Self) -> Option<Self> {
        let infixes = self.at_end && !other.bytes.is_empty() || other.at_start && !self.bytes.is_empty();
        let both = Self {
            pattern: 0,
            at_start: self.at_start || other.at_start,
            at_end: self.at_end || other.at_end,
            bytes: [&*self.bytes, &*other.bytes].concat().into(),
        };
        (!infixes).then_some(both)
    }
}

#[cfg(all(test, feature = "compile"))]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_an_automaton_finds_them() {
        let texts = [
            "",
            "a",
            "exec",
            "exec into pod",
            "no exec",
            "un",
            "unsafe",
            "very unsafe",
            "unsafe x",
            "secret",
            "the secrets",
            "system:",
            "system:node",
            "a system:node",
            "admin",
            "admins",
            "abc",
            "axc",
            "é",
            "xéy",
            "éa",
            // These begin or end with bytes that have the lowest six bits of the bytes of `é` and `a`.
            "Ci",
            "!i",
            "C!",
        ];
        let patterns = [
            "",
            "^",
            "$",
            "^$",
            "^system:",
            "^exec|unsafe$|secret",
            "^(?:admin|system:node)$",
            "(ab|x)c",
            "^(un|)safe$",
            "a(b|xx)c$",
            "é",
            "^system:|^admin$",
            "ab|ab",
            "(?:^a|bc)",
            "^é|a$",
            "^a|é$",
        ];
        let whole = LiteralSet::of(&patterns);
        assert!(whole.other_patterns(patterns.len()).is_empty());
        for text in texts {
            let mut found_patterns: Vec<usize> = Vec::new();
            whole.for_each_found(text.as_bytes(), |pattern| found_patterns.push(pattern));
            for (index, pattern) in patterns.iter().enumerate() {
                let regex = crate::pattern::single(pattern).expect("a pattern");
                let literals = LiteralSet::of(&[pattern]);
                assert_eq!(
                    literals.is_match(text.as_bytes()),
                    regex.is_match(text),
                    "`{pattern}` in `{text}`"
                );
                assert_eq!(
                    found_patterns.contains(&index),
                    regex.is_match(text),
                    "`{pattern}` of all in `{text}`"
                );
            }
        }
        let more = ["a.c", "a+", "(?i)a", "[ab]", "\\bword", "(?m)^a", "a$b", "a^b", "x?", "(a|b)c"];
        assert_eq!(LiteralSet::of(&more).other_patterns(more.len()), (0..more.len()).collect::<Vec<_>>());
    }

    #[test]
    fn words_are_found_among_any_number_of_others() {
        let numbers: Vec<String> = (0..3000).map(|number| number.to_string()).collect();
        let forms: [fn(&str) -> String; 3] = [
            |number| format!("^{number}"),
            |number| format!("{number}$"),
            |number| format!("^the first {number}$"),
        ];
        let patterns: Vec<String> =
            forms.iter().flat_map(|form| numbers.iter().map(|number| form(number))).collect();
        let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let literals = LiteralSet::of(&patterns);
        assert!(literals.other_patterns(patterns.len()).is_empty());
        for text in [
            "",
            "0",
            "12",
            "299",
            "2999",
            "29999",
            "x12",
            "12x",
            "the first 7",
            "the first 2999",
            "the last 31",
        ] {
            let mut found_patterns = Vec::new();
            literals.for_each_found(text.as_bytes(), |pattern| found_patterns.push(pattern));
            found_patterns.sort_unstable();
            let expected = |(index, pattern): (usize, &&str)| {
                let number = numbers[index % 3000].as_str();
                let found = match index / 3000 {
                    0 => text.starts_with(number),
                    1 => text.ends_with(number),
                    _ => text.strip_prefix("the first ") == Some(number),
                };
                assert!(pattern.contains(number));
                found.then_some(index)
            };
            let expected: Vec<usize> = patterns.iter().enumerate().filter_map(expected).collect();
            assert_eq!(found_patterns, expected, "{text}");
        }
    }

    #[cfg(feature = "bake")]
    #[test]
    fn words_are_baked_and_read_again() {
        let literals = LiteralSet::of(&["^system:|^admin$", "unsafe$|exec", ""]);
        let bytes: &'static [u8] = Box::leak(literals.to_bytes().into_boxed_slice());
        let again = LiteralSet::from_bytes(bytes).expect("whole");
        assert!(again.literals().eq(literals.literals()));
        assert!(LiteralSet::from_bytes(&bytes[..bytes.len() - 1]).is_none());
    }
}
