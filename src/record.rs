//! A borrowed view of one record, over JSON text ([`Json`]) or `MessagePack` ([`MsgPack`]).
//!
//! A view scans the top level once, checks the whole body on the way and copies nothing. Where a body has to change
//! (redaction, truncation, another encoding), it is read once more into a [`Tape`]; nothing else parses deeper.

mod decimal;
mod json;
mod keys;
#[cfg(feature = "msgpack")]
mod msgpack;
mod name;
mod plain;
mod repeats;
mod tape;

use core::fmt;
use std::borrow::Cow;

pub use json::Json;
pub use keys::KnownKeys;
#[cfg(feature = "msgpack")]
pub use msgpack::MsgPack;
pub use name::Name;
pub(crate) use name::Words;
pub(crate) use plain::plain_length;
pub use tape::{Event, Tape};

/// The key under which everything stands that the filter adds to a text.
pub const OWN_KEY: &str = "kaudit_filter";

/// How deep a body may nest. kAudit nests four deep; what nests deeper than this is not a finding.
///
/// Decision: Fluent Bit 2.2 and 3.2 read 32 levels, and what stands in a chunk behind more is lost without a word
/// (`MSGPACK_EMBED_STACK_SIZE`; tried). An event and an entry take two of them, a mark that holds a part of the body two
/// more, and other filters may take some.
pub const MAX_DEPTH: usize = 24;

/// What [`Malformed`] says of a record that is no object.
pub(crate) const NOT_AN_OBJECT: &str = "expected an object";

/// A view of one record: what the engine asks of a host's data.
pub trait Record<'a> {
    /// Takes the members of the top level in order, each by what its key means, and checks the whole record.
    ///
    /// # Errors
    /// The record is not an object, or its encoding is broken.
    fn scan<M: Copy>(
        &mut self,
        keys: &mut KnownKeys<M>,
        take: impl FnMut(M, Value<'a>),
    ) -> Result<(), Malformed>;

    /// Checks the whole record and takes nothing.
    ///
    /// # Errors
    /// As [`Record::scan`].
    fn check(&mut self) -> Result<(), Malformed> {
        self.scan(&mut KnownKeys::new(|_| ()), |(), _| ())
    }

    /// Whether the body may leave as the bytes it came in; asked after a scan, and only of records that are kept. A
    /// body that is legal but that some reader would refuse (a lone surrogate, a key that is no string) may not.
    fn is_clean(&self) -> bool;

    /// The bytes of the body; asked after a scan that went well.
    fn body(&self) -> Body<'a>;

    /// The whole record as text, for a record that cannot be scanned.
    fn lossy_text(&self) -> String;
}

/// A finding's bytes, as they came or as they had to be rewritten.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// A JSON object in UTF-8, without white space around it.
    Json(&'a [u8]),
    /// A `MessagePack` map.
    #[cfg(feature = "msgpack")]
    MsgPack(&'a [u8]),
    /// A body that changed.
    Tape(Tape<'a>),
}

impl<'a> Body<'a> {
    /// The bytes of a body that did not change.
    pub(crate) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Json(text) => Some(text),
            #[cfg(feature = "msgpack")]
            Self::MsgPack(bytes) => Some(bytes),
            Self::Tape(_) => None,
        }
    }

    /// The value of the key whose name ends before this byte of a clean body. Where no name ends it is what stands there,
    /// whatever that is, or null.
    pub(crate) fn behind_key(&self, end: usize) -> Value<'a> {
        match self {
            Self::Json(text) => json::behind_key(text, end),
            #[cfg(feature = "msgpack")]
            Self::MsgPack(bytes) => msgpack::value(bytes.get(end..).unwrap_or_default()),
            Self::Tape(_) => Value::Null,
        }
    }

    /// The body in its editable form.
    pub fn into_tape(self) -> Tape<'a> {
        match self {
            Self::Json(text) => Tape::from_json(text),
            #[cfg(feature = "msgpack")]
            Self::MsgPack(bytes) => Tape::from_msgpack(bytes),
            Self::Tape(tape) => tape,
        }
    }
}

/// A borrowed string.
#[derive(Clone, Copy, Debug)]
pub enum Text<'a> {
    /// The string itself.
    Plain(&'a str),
    /// A JSON string's inside, with escapes that are valid but not yet resolved.
    Escaped(&'a str),
    /// Bytes that ought to be UTF-8, not yet looked at.
    Bytes(&'a [u8]),
}

impl<'a> Text<'a> {
    /// The string itself; escapes are resolved into `scratch`, and what is not UTF-8 becomes U+FFFD there.
    pub fn decode<'s>(self, scratch: &'s mut String) -> &'s str
    where
        'a: 's,
    {
        match self {
            Self::Plain(text) => text,
            Self::Escaped(text) => {
                scratch.clear();
                json::unescape(text, scratch);
                scratch
            }
            Self::Bytes(bytes) => simdutf8::basic::from_utf8(bytes).unwrap_or_else(|_| {
                scratch.clear();
                push_lossy(bytes, scratch);
                scratch
            }),
        }
    }

    /// The string's bytes, which are UTF-8: as [`Text::decode`], but what is ASCII is not read twice.
    #[inline]
    pub(crate) fn utf8<'s>(self, scratch: &'s mut String) -> &'s [u8]
    where
        'a: 's,
    {
        match self {
            Self::Plain(text) => text.as_bytes(),
            Self::Bytes(bytes) if is_ascii(bytes) => bytes,
            _ => self.decode(scratch).as_bytes(),
        }
    }

    /// How many bytes it takes in the record, without quotes or a head.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Plain(text) | Self::Escaped(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// The string's bytes, unless it takes work to see them.
    pub(crate) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Plain(text) => Some(text.as_bytes()),
            Self::Escaped(_) => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }
}

/// Whether a string is ASCII. Most are short: two overlapping reads see them whole.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    let high = |word: u64| word & u64::from_ne_bytes([0x80; 8]);
    if bytes.len() > 16 {
        let (words, _) = bytes.as_chunks();
        let all = words.iter().fold(0, |all, word| all | u64::from_ne_bytes(*word));
        let last = bytes.last_chunk().copied().map_or(0, u64::from_ne_bytes);
        return high(all | last) == 0;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return high(u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last)) == 0;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return high(u64::from(u32::from_ne_bytes(*first) | u32::from_ne_bytes(*last))) == 0;
    }
    bytes.iter().fold(0, |all, byte| all | byte) < 0x80
}

/// Bytes as text, for [`Json::new`]; what is no UTF-8 becomes U+FFFD.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    simdutf8::basic::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn push_lossy(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// A top-level member's value.
///
/// Decision: a kind of string is a kind of value, so that both take one tag; each member of a record is stored as one.
/// Where there is room in two words, the compiler puts a number's tag and this one into one, which an interpreter of
/// WebAssembly takes six steps to tell apart.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(target_family = "wasm", repr(u8))]
pub enum Value<'a> {
    /// Null, or absent.
    Null,
    /// An object, not looked into.
    Map,
    /// An array, not looked into.
    List,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number<'a>),
    /// The inside of JSON's string, with escapes that are valid but not yet resolved.
    Escaped(&'a str),
    /// The bytes of JSON's string, which has no escapes.
    Plain(&'a [u8]),
    /// A string's bytes, which ought to be UTF-8 and are not yet looked at.
    Bytes(&'a [u8]),
}

const _: () = assert!(size_of::<Value<'_>>() <= 24, "a tag and two words");

impl<'a> Value<'a> {
    /// The string, if it is one.
    pub fn text(self) -> Option<Text<'a>> {
        match self {
            Self::Plain(bytes) | Self::Bytes(bytes) => Some(Text::Bytes(bytes)),
            Self::Escaped(text) => Some(Text::Escaped(text)),
            _ => None,
        }
    }
}

impl<'a> From<Text<'a>> for Value<'a> {
    fn from(text: Text<'a>) -> Self {
        match text {
            Text::Plain(text) => Self::Plain(text.as_bytes()),
            Text::Escaped(text) => Self::Escaped(text),
            Text::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// A number, in the form it came.
#[derive(Clone, Copy, Debug)]
pub enum Number<'a> {
    /// A whole number.
    Int(i64),
    /// A whole number; used above the range of `Int`.
    Uint(u64),
    /// A finite number.
    #[cfg(feature = "msgpack")]
    Float(f64),
    /// JSON's spelling of a number, kept to the letter.
    Raw(&'a [u8]),
    /// The same, where it is known to be digits and nothing else, the first no zero.
    Digits(&'a [u8]),
}

impl Number<'_> {
    /// The number as a whole one, its fraction cut off; `None` outside the range.
    #[inline(always)]
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::Uint(value) => i64::try_from(value).ok(),
            #[cfg(feature = "msgpack")]
            Self::Float(value) => truncate(value),
            Self::Raw(text) | Self::Digits(text) => plain::whole(text).or_else(|| odd_whole(text)),
        }
    }
}

#[inline(never)]
fn odd_whole(text: &[u8]) -> Option<i64> {
    let text = spelled(text);
    text.parse().ok().or_else(|| decimal::whole(text))
}

/// A number's spelling, which is ASCII, as text.
pub(crate) fn spelled(number: &[u8]) -> &str {
    core::str::from_utf8(number).unwrap_or_default()
}

/// Beyond 2^53 a float no longer holds every whole number, and no time or count of ours is that large.
#[cfg(feature = "msgpack")]
fn truncate(value: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked, and the fraction is to go")]
    (value.abs() <= EXACT).then_some(value as i64)
}

impl fmt::Display for Number<'_> {
    /// As JSON spells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Uint(value) => write!(f, "{value}"),
            #[cfg(feature = "msgpack")]
            // `{:?}` is the shortest spelling that reads back the same, in exponent form where that is shorter.
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Raw(text) | Self::Digits(text) => f.write_str(spelled(text)),
        }
    }
}

/// Why a record cannot be scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The byte at which the scan stopped.
    pub offset: usize,
    /// What was expected or found there.
    pub what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.offset)
    }
}
