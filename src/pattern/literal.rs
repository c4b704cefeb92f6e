//! Patterns that are nothing but words, at the beginning, at the end or anywhere: `^system:`, `^exec|unsafe$|secret`.
//!
//! Most patterns of data filters are such. A comparison or two answers them, where an automaton has to be set up for
//! each text and then takes a step for each byte. Words at an end are looked up among each other, so that a thousand cost
//! some ten comparisons.

#![expect(clippy::inline_always, reason = "each finding's entity comes by here, measured")]

use core::cmp::Ordering;
use std::borrow::Cow;

/// With more words than this that may appear anywhere an automaton, which reads a text once for all of them, is quicker.
#[cfg(feature = "compile")]
const MOST: usize = 16;

/// The words of some patterns.
pub(crate) struct Literals {
    starts: End,
    ends: End,
    within: Vec<Word>,
}

/// Words that stand at one end of a text, in the order of their bytes from that end on.
struct End {
    words: Vec<Sorted>,
    /// Whether they are read from a text's end.
    backwards: bool,
    /// Which bytes a word has at this end, by their lowest six bits: most texts begin with none of them.
    outermost: u64,
}

struct Sorted {
    /// See [`key`].
    key: u64,
    /// By how many bits a key has more than the word.
    shift: u32,
    /// Whether a text that has the key's bytes has the word.
    is_key: bool,
    word: Word,
    /// The place of the longest other word with which this one begins: all others that a text begins with, too, are found
    /// behind each other.
    shorter: Option<usize>,
}

/// A word, and where in a text it has to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    pattern: u16,
    at_start: bool,
    at_end: bool,
    bytes: Cow<'static, [u8]>,
}

impl Literals {
    fn new(words: Vec<Word>) -> Self {
        let (within, words): (Vec<_>, Vec<_>) =
            words.into_iter().partition(|word| !word.at_start && !word.at_end);
        let (starts, ends) = words.into_iter().partition(|word| word.at_start);
        Self { starts: End::new(starts, false), ends: End::new(ends, true), within }
    }

    /// Whether a pattern occurs.
    pub fn is_match(&self, text: &[u8]) -> bool {
        let mut found = false;
        self.which(text, |_| found = true);
        found
    }

    /// The patterns that occur; one of several words may be told more than once.
    #[inline]
    pub fn which(&self, text: &[u8], mut on: impl FnMut(usize)) {
        self.starts.each(text, &mut on);
        self.ends.each(text, &mut on);
        for word in self.within.iter().filter(|word| word.is_in(text)) {
            on(usize::from(word.pattern));
        }
    }

    /// Those of so many patterns of which nothing is here.
    pub fn others(&self, patterns: usize) -> Vec<usize> {
        let mut others = vec![true; patterns];
        for word in self.words() {
            others.get_mut(usize::from(word.pattern)).into_iter().for_each(|other| *other = false);
        }
        others.iter().enumerate().filter_map(|(pattern, other)| other.then_some(pattern)).collect()
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        let sorted = self.starts.words.iter().chain(&self.ends.words).map(|sorted| &sorted.word);
        sorted.chain(&self.within)
    }
}

impl End {
    fn new(mut words: Vec<Word>, at_end: bool) -> Self {
        words.sort_by(|one, other| compare(&one.bytes, &other.bytes, at_end));
        let mut sorted: Vec<Sorted> = Vec::new();
        for word in words {
            // Another that this one begins with is the one before it, or one with which that begins.
            let mut shorter = sorted.len().checked_sub(1);
            while let Some(before) = shorter.and_then(|place| sorted.get(place)) {
                let bytes = &*before.word.bytes;
                if if at_end { word.bytes.ends_with(bytes) } else { word.bytes.starts_with(bytes) } {
                    break;
                }
                shorter = before.shorter;
            }
            let missing = 8_u32.saturating_sub(u32::try_from(word.bytes.len()).unwrap_or(8));
            let is_key = word.bytes.len() <= 8 && !(word.at_start && word.at_end);
            sorted.push(Sorted {
                key: key(&word.bytes, at_end),
                shift: missing.wrapping_mul(8),
                is_key,
                word,
                shorter,
            });
        }
        let outermost = sorted.iter().fold(0, |all, sorted| {
            let bytes = &sorted.word.bytes;
            // Any text has a word of no length.
            all | outermost(bytes, at_end).map_or(u64::MAX, |byte| 1_u64.wrapping_shl(byte))
        });
        Self { words: sorted, backwards: at_end, outermost }
    }

    /// Tells the patterns whose words a text has at this end.
    #[inline(always)]
    fn each(&self, text: &[u8], mut on: impl FnMut(usize)) {
        let byte = outermost(text, self.backwards);
        if byte.is_some_and(|byte| self.outermost.wrapping_shr(byte) & 1 == 0) {
            return;
        }
        let mut next = self.longest(text);
        while let Some(sorted) = next {
            on(usize::from(sorted.word.pattern));
            next = self.shorter(sorted, text);
        }
    }

    /// The longest word that a text has at this end.
    #[inline(always)]
    fn longest(&self, text: &[u8]) -> Option<&Sorted> {
        let key = key(text, self.backwards);
        let up_to = self.words.partition_point(|sorted| {
            sorted.key < key || sorted.key == key && compare(&sorted.word.bytes, text, self.backwards).is_le()
        });
        let last = self.words.get(up_to.checked_sub(1)?)?;
        if last.is_in(text, key) { Some(last) } else { self.shorter(last, text) }
    }

    /// The longest of those with which a word begins that the text has, too.
    #[inline(always)]
    fn shorter(&self, word: &Sorted, text: &[u8]) -> Option<&Sorted> {
        let mut next = self.words.get(word.shorter?)?;
        while !next.word.is_in(text) {
            next = self.words.get(next.shorter?)?;
        }
        Some(next)
    }
}

impl Sorted {
    /// Whether a text with this key has the word.
    #[inline(always)]
    fn is_in(&self, text: &[u8], key: u64) -> bool {
        // A word of no length has no bits to compare.
        let begins = (key ^ self.key).checked_shr(self.shift).unwrap_or(0) == 0;
        begins && (self.is_key && self.word.bytes.len() <= text.len() || self.word.is_in(text))
    }
}

/// The byte at an end.
#[inline(always)]
fn outermost(text: &[u8], at_end: bool) -> Option<u32> {
    if at_end { text.last() } else { text.first() }.copied().map(u32::from)
}

/// The first eight bytes, or the last ones backwards, as a number: in the order of the bytes, where they differ.
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

/// The same of less than eight bytes, with zeros for those that are missing.
#[inline(never)]
fn short_key<'a>(bytes: impl Iterator<Item = &'a u8>, length: usize) -> u64 {
    let all = bytes.fold(0, |key: u64, byte| key << 8 | u64::from(*byte));
    let missing = 8_usize.saturating_sub(length).wrapping_mul(8);
    u32::try_from(missing).ok().and_then(|missing| all.checked_shl(missing)).unwrap_or(0)
}

/// The order of two words that begin alike, read from one end or the other.
#[inline(never)]
fn compare(one: &[u8], other: &[u8], at_end: bool) -> Ordering {
    if at_end { one.iter().rev().cmp(other.iter().rev()) } else { one.cmp(other) }
}

impl Word {
    #[inline]
    fn is_in(&self, text: &[u8]) -> bool {
        match (self.at_start, self.at_end) {
            (true, true) => text == &*self.bytes,
            (true, false) => text.starts_with(&self.bytes),
            (false, true) => text.ends_with(&self.bytes),
            (false, false) => self.is_within(text),
        }
    }

    fn is_within(&self, text: &[u8]) -> bool {
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

/// Words are baked as: the pattern's number (two bytes, the lower first), where it stands (1: at the start, 2: at the end,
/// 3: both), its length and its bytes.
#[cfg(feature = "tables")]
impl Literals {
    pub fn from_bytes(bytes: &'static [u8]) -> Option<Self> {
        let mut words = Vec::new();
        let mut rest = bytes;
        while let Some(([low, high, place, length], after)) = rest.split_first_chunk() {
            let (word, after) = after.split_at_checked(usize::from(*length))?;
            let (at_start, at_end) = (place & 1 != 0, place & 2 != 0);
            let pattern = u16::from_le_bytes([*low, *high]);
            words.push(Word { pattern, at_start, at_end, bytes: Cow::Borrowed(word) });
            rest = after;
        }
        rest.is_empty().then(|| Self::new(words))
    }

    #[cfg(feature = "bake")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Word { pattern, at_start, at_end, bytes: word } in self.words() {
            let place = u8::from(*at_start) | u8::from(*at_end) << 1;
            bytes.extend_from_slice(&pattern.to_le_bytes());
            // No word is longer than `Literals::of` takes.
            bytes.extend([place, u8::try_from(word.len()).unwrap_or(u8::MAX)]);
            bytes.extend_from_slice(word);
        }
        bytes
    }
}

#[cfg(feature = "compile")]
impl Literals {
    /// The words of those patterns that are nothing but words.
    pub fn of(patterns: &[&str]) -> Self {
        let mut all = Vec::new();
        let mut within = 0_usize;
        for (index, pattern) in patterns.iter().enumerate() {
            let Some((index, words)) = u16::try_from(index).ok().zip(Word::of(pattern)) else { continue };
            let more = words.iter().filter(|word| !word.at_start && !word.at_end).count();
            if within.saturating_add(more) <= MOST {
                within = within.saturating_add(more);
                all.extend(words.into_iter().map(|word| Word { pattern: index, ..word }));
            }
        }
        Self::new(all)
    }
}

#[cfg(feature = "compile")]
impl Word {
    /// What a pattern finds, word by word; `None` where that cannot be told so, or a word is too long.
    fn of(pattern: &str) -> Option<Vec<Self>> {
        let words = Self::all(&regex_syntax::parse(pattern).ok()?)?;
        words.iter().all(|word| u8::try_from(word.bytes.len()).is_ok()).then_some(words)
    }

    /// What an expression finds, word by word; `None` where that cannot be told so.
    fn all(hir: &regex_syntax::hir::Hir) -> Option<Vec<Self>> {
        use regex_syntax::hir::{HirKind, Look};

        let word = |word: &[u8], at_start, at_end| Self {
            pattern: 0,
            at_start,
            at_end,
            bytes: Cow::Owned(word.to_vec()),
        };
        Some(match hir.kind() {
            HirKind::Empty => vec![word(b"", false, false)],
            HirKind::Literal(literal) => vec![word(&literal.0, false, false)],
            HirKind::Look(Look::Start) => vec![word(b"", true, false)],
            HirKind::Look(Look::End) => vec![word(b"", false, true)],
            HirKind::Capture(capture) => Self::all(&capture.sub)?,
            HirKind::Alternation(branches) => {
                let mut all = Vec::new();
                for branch in branches {
                    all.extend(Self::all(branch)?);
                }
                all
            }
            HirKind::Concat(parts) => {
                let mut all = vec![word(b"", false, false)];
                for part in parts {
                    let next = Self::all(part)?;
                    let pairs = all.iter().flat_map(|one| next.iter().map(|other| one.then(other)));
                    all = pairs.collect::<Option<_>>()?;
                    if all.len() > MOST {
                        return None;
                    }
                }
                all
            }
            _ => return None,
        })
    }

    /// This word and another behind it; `None` where an end of the text would have to be within.
    fn then(&self, other: &Self) -> Option<Self> {
        let within = self.at_end && !other.bytes.is_empty() || other.at_start && !self.bytes.is_empty();
        let both = Self {
            pattern: 0,
            at_start: self.at_start || other.at_start,
            at_end: self.at_end || other.at_end,
            bytes: [&*self.bytes, &*other.bytes].concat().into(),
        };
        (!within).then_some(both)
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
            // Other bytes at their ends, with the lowest six bits of those of `é` and `a`.
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
        let whole = Literals::of(&patterns);
        assert!(whole.others(patterns.len()).is_empty());
        for text in texts {
            let mut told: Vec<usize> = Vec::new();
            whole.which(text.as_bytes(), |pattern| told.push(pattern));
            for (index, pattern) in patterns.iter().enumerate() {
                let regex = crate::pattern::single(pattern).expect("a pattern");
                let literals = Literals::of(&[pattern]);
                assert_eq!(
                    literals.is_match(text.as_bytes()),
                    regex.is_match(text),
                    "`{pattern}` in `{text}`"
                );
                assert_eq!(told.contains(&index), regex.is_match(text), "`{pattern}` of all in `{text}`");
            }
        }
        let more = ["a.c", "a+", "(?i)a", "[ab]", "\\bword", "(?m)^a", "a$b", "a^b", "x?", "(a|b)c"];
        assert_eq!(Literals::of(&more).others(more.len()), (0..more.len()).collect::<Vec<_>>());
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
        let literals = Literals::of(&patterns);
        assert!(literals.others(patterns.len()).is_empty());
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
            let mut told = Vec::new();
            literals.which(text.as_bytes(), |pattern| told.push(pattern));
            told.sort_unstable();
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
            assert_eq!(told, expected, "{text}");
        }
    }

    #[cfg(feature = "bake")]
    #[test]
    fn words_are_baked_and_read_again() {
        let literals = Literals::of(&["^system:|^admin$", "unsafe$|exec", ""]);
        let bytes: &'static [u8] = Box::leak(literals.to_bytes().into_boxed_slice());
        let again = Literals::from_bytes(bytes).expect("whole");
        assert!(again.words().eq(literals.words()));
        assert!(Literals::from_bytes(&bytes[..bytes.len() - 1]).is_none());
    }
}
