//! Tokens, and values of single members: the output of both readers.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::SyntaxError;
use super::escape::{canonical_prefix, unescape, unescape_each};
use super::number::Number;
use super::remark::{REMARK, char_prefix, original_length};

/// One token of a body, in document order.
#[derive(Clone, Copy, Debug)]
pub enum Token<'a> {
    /// A map begins.
    Map,
    /// A list begins.
    List,
    /// The innermost map or list ends.
    End,
    /// A key; its value follows.
    Key(Str<'a>),
    /// A key that is a number, which only `MessagePack` has.
    #[cfg(feature = "msgpack")]
    NumberKey(Number<'a>),
    /// A string.
    Str(Str<'a>),
    /// A number.
    Number(Number<'a>),
    /// A boolean.
    Bool(bool),
    /// Null.
    Null,
    /// An extension type of `MessagePack`: its number and its length in bytes.
    ///
    /// JSON has no form for the content.
    #[cfg(feature = "msgpack")]
    Extension(i8, usize),
}

/// A source of tokens: the reader of an encoding, or a document.
pub trait Reader<'a> {
    /// Returns the next token of the value; `None` after its end.
    ///
    /// # Errors
    /// The encoding is invalid.
    fn next(&mut self) -> Result<Option<Token<'a>>, SyntaxError>;

    /// Skips the innermost map or list, which the last token began, and checks it.
    ///
    /// # Errors
    /// As [`Reader::next`].
    fn skip(&mut self) -> Result<(), SyntaxError> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next()? {
                Some(Token::Map | Token::List) => depth = depth.saturating_add(1),
                Some(Token::End) | None => depth = depth.saturating_sub(1),
                Some(_) => (),
            }
        }
        Ok(())
    }
}

/// Reads the list that the last token began, if all its elements are bytes.
///
/// Journald exports long or unprintable text in this form. Returns the bytes, and whether the list was read to its end;
/// of an invalid list, the bytes before the error. Returns `None` if the list is empty or has an element that is not a
/// byte.
#[inline(never)]
pub(super) fn read_bytes<'a>(reader: &mut impl Reader<'a>) -> Option<(Vec<u8>, bool)> {
    let mut bytes = Vec::new();
    let complete = loop {
        match reader.next() {
            Ok(Some(Token::Number(number))) => bytes.push(number.as_i64()?.try_into().ok()?),
            Ok(Some(Token::End)) => break true,
            Ok(Some(_)) => return None,
            Ok(None) | Err(_) => break false,
        }
    };
    (!bytes.is_empty()).then_some((bytes, complete))
}

/// The value of a member.
///
/// Maps and lists are given as their bytes, which are checked and can be read separately.
#[derive(Clone, Copy, Debug, Default)]
pub enum Value<'a> {
    /// There is no such member.
    #[default]
    Absent,
    /// Null, or a value without a JSON form.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number<'a>),
    /// A string.
    Str(Str<'a>),
    /// A map, from its first byte to its last.
    Map(&'a [u8]),
    /// A list, from its first byte to its last.
    List(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Returns the string; `None` for any other value.
    pub fn text(self) -> Option<Str<'a>> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }
}

/// Receives the members of a record, each by the meaning of its key.
///
/// Decision: strings without escape sequences, as most values are, have a method of their own. A [`Value`] of them
/// would be written to memory for each member.
pub(crate) trait MemberVisitor<'a, M> {
    /// Whether the record may be sent unchanged, so that its nested maps are checked for duplicate keys. If not, the
    /// properties of its scan are incomplete.
    const VERBATIM: bool = true;

    /// Receives a string without escape sequences.
    fn text(&mut self, meaning: M, text: &'a [u8]);

    /// Receives any other value.
    fn value(&mut self, meaning: M, value: Value<'a>);
}

/// A borrowed string, with or without JSON's escape sequences.
///
/// The bytes should be UTF-8.
#[derive(Clone, Copy, Debug)]
pub enum Str<'a> {
    /// The string itself.
    Plain(&'a [u8]),
    /// The content of a JSON string, with valid but unresolved escape sequences.
    Escaped(&'a [u8]),
}

impl<'a> Str<'a> {
    /// Returns the string with escape sequences resolved.
    ///
    /// They are resolved into `scratch`. Bytes that are not UTF-8 become U+FFFD there.
    pub fn decode<'s>(self, scratch: &'s mut String) -> &'s str
    where
        'a: 's,
    {
        match self {
            Self::Plain(bytes) => utf8(bytes).unwrap_or_else(|| {
                scratch.clear();
                push_lossy(bytes, scratch);
                scratch
            }),
            Self::Escaped(bytes) => {
                scratch.clear();
                unescape(&String::from_utf8_lossy(bytes), scratch);
                scratch
            }
        }
    }

    /// Calls `on` with the string in pieces, until it returns `false`.
    ///
    /// Escape sequences are resolved.
    pub(crate) fn pieces(self, on: &mut dyn FnMut(&[u8]) -> bool) {
        match self {
            Self::Plain(bytes) => {
                on(bytes);
            }
            Self::Escaped(bytes) => {
                unescape_each(&String::from_utf8_lossy(bytes), &mut |piece| on(piece.as_bytes()));
            }
        }
    }

    /// Returns the spelling of the string's first `longest` bytes, and their number.
    ///
    /// The string has to be JSON text with the encoder's own escape sequences.
    pub(crate) fn source_beginning(self, longest: usize) -> (&'a [u8], usize) {
        match self {
            Self::Plain(bytes) => {
                let kept = char_prefix(bytes, longest);
                (kept, kept.len())
            }
            Self::Escaped(bytes) => canonical_prefix(bytes, longest),
        }
    }

    /// Returns the string truncated to `longest` bytes, and how many were removed.
    ///
    /// Nothing is removed if the remark about it would be longer.
    pub(crate) fn truncated(self, longest: usize) -> (Cow<'a, str>, usize) {
        let long = longest.saturating_add(REMARK);
        match self {
            Self::Plain(bytes) if bytes.len() > long => {
                let kept = char_prefix(bytes, longest);
                (Self::Plain(kept).into(), original_length(bytes.len(), bytes).saturating_sub(kept.len()))
            }
            Self::Plain(_) => (self.into(), 0),
            Self::Escaped(source) => {
                let mut text = String::new();
                self.decode(&mut text);
                if text.len() <= long {
                    return (Cow::Owned(text), 0);
                }
                let all = original_length(text.len(), source);
                text.truncate(text.floor_char_boundary(longest));
                let removed = all.saturating_sub(text.len());
                (Cow::Owned(text), removed)
            }
        }
    }

    /// Returns the string's bytes in the record, if it has no escape sequences.
    pub(crate) fn plain(self) -> Option<&'a [u8]> {
        match self {
            Self::Plain(bytes) => Some(bytes),
            Self::Escaped(_) => None,
        }
    }

    /// Returns the bytes of the record that spell the string, without quotes or length.
    pub(crate) fn source(self) -> &'a [u8] {
        let (Self::Plain(bytes) | Self::Escaped(bytes)) = self;
        bytes
    }
}

impl<'a> From<Str<'a>> for Cow<'a, str> {
    fn from(text: Str<'a>) -> Self {
        match text {
            Str::Plain(bytes) => utf8(bytes).map_or_else(|| String::from_utf8_lossy(bytes), Cow::Borrowed),
            Str::Escaped(_) => {
                let mut decoded = String::new();
                text.decode(&mut decoded);
                Cow::Owned(decoded)
            }
        }
    }
}

/// Returns bytes as text; `None` if they are not UTF-8.
pub(crate) fn utf8(bytes: &[u8]) -> Option<&str> {
    simdutf8::basic::from_utf8(bytes).ok()
}

fn push_lossy(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}
