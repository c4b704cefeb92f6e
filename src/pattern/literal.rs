//! Patterns that are nothing but words, at the beginning, at the end or anywhere: `^system:`, `^exec|unsafe$|secret`.
//!
//! Most patterns of data filters are such. A comparison or two answers them, where an automaton has to be set up for
//! each text and then takes a step for each byte.

use std::borrow::Cow;

use super::{Automaton, Set};

/// With more words than this an automaton, which reads a text once for all of them, is quicker.
#[cfg(feature = "compile")]
const MOST: usize = 16;

/// The words of some patterns.
pub(crate) struct Literals {
    words: Vec<Word>,
}

/// A word, and where in a text it has to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    pattern: u8,
    at_start: bool,
    at_end: bool,
    bytes: Cow<'static, [u8]>,
}

impl Literals {
    /// Whether a pattern occurs.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.words.iter().any(|word| word.is_in(text))
    }

    /// The patterns that occur; one of several words may be told more than once.
    pub fn which(&self, text: &[u8], mut on: impl FnMut(usize)) {
        for word in self.words.iter().filter(|word| word.is_in(text)) {
            on(usize::from(word.pattern));
        }
    }
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

impl From<Literals> for Set {
    fn from(literals: Literals) -> Self {
        Self { automaton: Automaton::Literals(literals), found: super::Found::new(0) }
    }
}

/// Words are baked as: the pattern's number, where it stands (1: at the start, 2: at the end, 3: both), its length and
/// its bytes.
#[cfg(feature = "tables")]
impl Literals {
    pub fn from_bytes(bytes: &'static [u8]) -> Option<Self> {
        let mut words = Vec::new();
        let mut rest = bytes;
        while let Some(([pattern, place, length], after)) = rest.split_first_chunk() {
            let (word, after) = after.split_at_checked(usize::from(*length))?;
            let (at_start, at_end) = (place & 1 != 0, place & 2 != 0);
            words.push(Word { pattern: *pattern, at_start, at_end, bytes: Cow::Borrowed(word) });
            rest = after;
        }
        rest.is_empty().then_some(Self { words })
    }

    #[cfg(feature = "bake")]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Word { pattern, at_start, at_end, bytes: word } in &self.words {
            let place = u8::from(*at_start) | u8::from(*at_end) << 1;
            // No word is longer than `Literals::of` takes.
            bytes.extend([*pattern, place, u8::try_from(word.len()).unwrap_or(u8::MAX)]);
            bytes.extend_from_slice(word);
        }
        bytes
    }
}

#[cfg(feature = "compile")]
impl Literals {
    /// The words of these patterns; `None` where one of them is more than words.
    pub fn of(patterns: &[&str]) -> Option<Self> {
        let mut words = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            let hir = regex_syntax::parse(pattern).ok()?;
            for word in Word::all(&hir)? {
                words.push(Word { pattern: u8::try_from(index).ok()?, ..word });
            }
            if words.len() > MOST {
                return None;
            }
        }
        let short = words.iter().all(|word| u8::try_from(word.bytes.len()).is_ok());
        short.then_some(Self { words })
    }
}

#[cfg(feature = "compile")]
impl Word {
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
        ];
        for pattern in patterns {
            let literals = Literals::of(&[pattern]).unwrap_or_else(|| panic!("`{pattern}` is words"));
            let regex = crate::pattern::single(pattern).expect("a pattern");
            for text in texts {
                assert_eq!(
                    literals.is_match(text.as_bytes()),
                    regex.is_match(text),
                    "`{pattern}` in `{text}`"
                );
            }
        }
        for pattern in ["a.c", "a+", "(?i)a", "[ab]", "\\bword", "(?m)^a", "a$b", "a^b", "x?", "(a|b)c"] {
            assert!(Literals::of(&[pattern]).is_none(), "{pattern}");
        }
        let mut told = Vec::new();
        Literals::of(&["^a|b$", "c", "ab"]).expect("words").which(b"ab", |pattern| told.push(pattern));
        assert_eq!(told, [0, 0, 2]);
    }

    #[cfg(feature = "bake")]
    #[test]
    fn words_are_baked_and_read_again() {
        let literals = Literals::of(&["^system:|^admin$", "unsafe$|exec", ""]).expect("words");
        let bytes: &'static [u8] = Box::leak(literals.to_bytes().into_boxed_slice());
        assert_eq!(Literals::from_bytes(bytes).expect("whole").words, literals.words);
        assert!(Literals::from_bytes(&bytes[..bytes.len() - 1]).is_none());
    }
}
