//! A borrowed view of one record, in JSON text or `MessagePack`, and its readers.
//!
//! One scan reads the members of a record, checks the whole body and copies nothing. A body that has to change
//! (redaction, truncation, another encoding) is read a second time, into a [`Document`].
//!
//! Each encoding has one reader that contains its grammar (`json`, `msgpack`). Everything else is built on their
//! tokens: members, documents, duplicate keys, encoders. The methods of a [`Record`] that read it are in `read`.

mod document;
mod duplicates;
mod error;
mod escape;
mod json;
mod key_cache;
#[cfg(feature = "msgpack")]
mod msgpack;
mod number;
mod quality;
mod read;
mod remark;
mod simd;
#[cfg(test)]
mod tests;
mod token;

pub use document::{Document, Event};
pub(crate) use document::{Edit, Limits, NoEdits, escaped_length, is_own_key, twice_escaped_length};
pub use error::{SyntaxError, SyntaxErrorKind};
pub(crate) use escape::{push_json_string, unescape};
pub(crate) use json::{JsonPart, JsonReader, JsonString, first_byte_list};
pub(crate) use key_cache::{KeyCache, KeySet};
pub use number::Number;
pub use quality::Quality;
pub use read::Body;
pub(crate) use read::BodyView;
pub(crate) use remark::{REMARK, char_prefix, original_length, remark};
pub(crate) use simd::{is_ascii, is_plain, plain_length};
pub(crate) use token::{MemberVisitor, Reader, Token, utf8};
pub use token::{Str, Value};

/// The key under which the filter adds its own data to a text.
pub const OWN_KEY: &str = "kaudit_filter";

/// The maximum nesting depth of a record. Deeper records are rejected.
///
/// kAudit's findings have four levels.
///
/// Decision: Fluent Bit 2.2 and 3.2 read 32 levels and silently lose the rest of a chunk after a deeper value
/// (`MSGPACK_EMBED_STACK_SIZE`; tried). An event and an entry add two levels, a mark that contains a part of the body
/// two more, and other filters may add some.
pub const MAX_DEPTH: usize = 24;

/// The encoding of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON text.
    Json,
    /// `MessagePack`.
    #[cfg(feature = "msgpack")]
    MsgPack,
}

/// The bytes of one value in one encoding. They need not be valid.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    encoding: Encoding,
    bytes: &'a [u8],
}

/// The body and properties of a record, as its scan returns them.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// The record without the white space around it.
    pub body: Record<'a>,
    quality: Quality,
    /// Whether no string has escape sequences.
    /// Each can then be copied into JSON unchanged.
    plain: bool,
    /// For `MessagePack`, the count that [`msgpack::is_utf8`] takes.
    #[cfg(feature = "msgpack")]
    high_bytes: usize,
}

impl<'a> Record<'a> {
    /// Creates a record of JSON text.
    ///
    /// The text should be UTF-8 and may have white space around it.
    pub fn json(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { encoding: Encoding::Json, bytes: text.as_ref() }
    }

    /// Creates a record of exactly one `MessagePack` value.
    #[cfg(feature = "msgpack")]
    pub fn msgpack(bytes: &'a [u8]) -> Self {
        Self { encoding: Encoding::MsgPack, bytes }
    }

    /// Creates a record in the given encoding.
    #[cfg(feature = "msgpack")]
    pub(crate) fn new(encoding: Encoding, bytes: &'a [u8]) -> Self {
        Self { encoding, bytes }
    }

    /// Creates a record in the same encoding, such as of the bytes of a [`Value::Map`].
    #[must_use]
    pub fn inner(self, bytes: &'a [u8]) -> Self {
        Self { bytes, ..self }
    }

    /// Returns the encoding.
    pub fn encoding(self) -> Encoding {
        self.encoding
    }

    /// Returns the bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether the record is JSON text, valid or not.
    pub(crate) fn is_text(self) -> bool {
        self.encoding == Encoding::Json
    }
}

impl Scan<'_> {
    /// Returns whether the JSON form of every string is the string itself.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Returns whether all strings of the record are known to be UTF-8.
    pub(crate) fn is_utf8(&self) -> bool {
        self.body.encoding == Encoding::Json && !self.quality.has(Quality::NOT_UTF8)
    }
}
