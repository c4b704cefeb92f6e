//! A borrowed view of one record, in JSON text or `MessagePack`, and the readers of both encodings.
//!
//! The members of a record are taken in one scan that checks the whole body and copies nothing. A body that has to
//! change (redaction, truncation, another encoding) is read once more into a [`Document`].
//!
//! Each encoding has one reader that contains its grammar ([`json`], [`msgpack`]). Everything else is built on their
//! tokens: members, documents, duplicate keys, encoders.

mod document;
mod duplicates;
mod error;
mod json;
mod key_cache;
#[cfg(feature = "msgpack")]
mod msgpack;
mod quality;
mod simd;
#[cfg(test)]
mod tests;
mod token;

pub use document::{Document, Event};
pub(crate) use document::{
    Edit, Limits, REMARK, Unchanged, beginning, escaped_length, is_own_key, original_length, remark,
    twice_escaped_length,
};
pub use error::{SyntaxError, SyntaxErrorKind};
pub(crate) use json::{JsonReader, Part, Spelling, first_bytes, unescape};
pub(crate) use key_cache::{KeyCache, Keys};
#[cfg(feature = "msgpack")]
pub(crate) use msgpack::MsgPackReader;
pub use quality::Quality;
pub(crate) use simd::{is_ascii, is_plain, plain_length};
pub use token::{Number, Reader, Str, Token, Value};
pub(crate) use token::{Take, utf8};

/// The key under which the filter adds everything that it adds to a text.
pub const OWN_KEY: &str = "kaudit_filter";

/// The greatest depth of a record. kAudit nests four levels deep; a record that is deeper is not read.
///
/// Decision: Fluent Bit 2.2 and 3.2 read 32 levels, and the rest of a chunk after a deeper value is lost silently
/// (`MSGPACK_EMBED_STACK_SIZE`; tried). An event and an entry take two of them, a mark that contains a part of the body
/// two more, and other filters may take some.
pub const MAX_DEPTH: usize = 24;

/// How a record is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON text.
    Json,
    /// `MessagePack`.
    #[cfg(feature = "msgpack")]
    MsgPack,
}

/// A record: the bytes of one value in one encoding. They need not be valid.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    encoding: Encoding,
    bytes: &'a [u8],
}

/// What a scan of a record's members returns besides them.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// The record without white space around it.
    pub body: Record<'a>,
    quality: Quality,
    /// Whether no string has escape sequences, so that each may stand in JSON as it is.
    plain: bool,
    /// Of a `MessagePack` record: what [`msgpack::is_utf8`] takes.
    #[cfg(feature = "msgpack")]
    high: usize,
}

impl<'a> Record<'a> {
    /// A record of JSON text, which should be UTF-8 and may have white space around it.
    pub fn json(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { encoding: Encoding::Json, bytes: text.as_ref() }
    }

    /// A record of exactly one `MessagePack` value.
    #[cfg(feature = "msgpack")]
    pub fn msgpack(bytes: &'a [u8]) -> Self {
        Self { encoding: Encoding::MsgPack, bytes }
    }

    /// A record in an encoding.
    #[cfg(feature = "msgpack")]
    pub(crate) fn new(encoding: Encoding, bytes: &'a [u8]) -> Self {
        Self { encoding, bytes }
    }

    /// Splits the first `MessagePack` value off; its inside is not checked.
    ///
    /// # Errors
    /// The bytes are not a whole value.
    #[cfg(feature = "msgpack")]
    pub fn split_msgpack(bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), SyntaxError> {
        let rest = msgpack::after(bytes)?;
        Ok((bytes.get(..bytes.len().saturating_sub(rest.len())).unwrap_or_default(), rest))
    }

    /// A record in the same encoding, such as the bytes of a [`Value::Map`] in this one.
    #[must_use]
    pub fn inner(self, bytes: &'a [u8]) -> Self {
        Self { bytes, ..self }
    }

    /// The encoding.
    pub fn encoding(self) -> Encoding {
        self.encoding
    }

    /// The bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Checks the whole record.
    ///
    /// # Errors
    /// It is not a map, or its encoding is broken.
    pub fn check(self) -> Result<Scan<'a>, SyntaxError> {
        self.each_member(&mut |_, _| ())
    }

    /// Takes the members in order, each by what its key means, and checks the whole record. The first of two equal keys
    /// comes first.
    #[inline]
    pub(crate) fn members<K: Keys>(
        self,
        cache: &mut KeyCache<K>,
        take: &mut impl Take<'a, K::Meaning>,
    ) -> Result<Scan<'a>, SyntaxError> {
        match self.encoding {
            Encoding::Json => json::members(self.bytes, cache, take),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::members(self.bytes, cache, take),
        }
    }

    /// Calls `on` for each member, and checks the whole record.
    fn each_member(self, on: &mut dyn FnMut(Str<'a>, Value<'a>)) -> Result<Scan<'a>, SyntaxError> {
        match self.encoding {
            Encoding::Json => json::each_member(self.bytes, on),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::each_member(self.bytes, on),
        }
    }

    /// As [`Self::members`], of JSON text that has anything after the record, which is returned.
    pub(crate) fn first_members<K: Keys>(
        self,
        cache: &mut KeyCache<K>,
        take: &mut impl Take<'a, K::Meaning>,
    ) -> Result<(Scan<'a>, &'a [u8]), SyntaxError> {
        json::first_members(self.bytes, cache, take)
    }

    /// The first value in JSON text, and what follows it.
    pub(crate) fn first_value(self) -> Result<(Value<'a>, &'a [u8]), SyntaxError> {
        json::first_value(self.bytes)
    }

    /// The record as a value of any type.
    ///
    /// # Errors
    /// It is broken.
    pub(crate) fn value(self) -> Result<Value<'a>, SyntaxError> {
        match self.encoding {
            Encoding::Json => json::value(self.bytes),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::value(self.bytes),
        }
    }

    /// Whether the record is text, even if it is broken.
    pub(crate) fn is_text(self) -> bool {
        self.encoding == Encoding::Json
    }

    /// The bytes that the record spells, if it is a list of bytes.
    pub(crate) fn byte_list(self) -> Option<Vec<u8>> {
        match self.encoding {
            Encoding::Json => json::first_bytes(self.bytes).map(|(bytes, _)| bytes),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::byte_list(self.bytes),
        }
    }

    /// The value of the first member with this key; `Absent` if the record has none or is not a map.
    pub(crate) fn member(self, key: &str) -> Value<'a> {
        let mut first = Value::Absent;
        let scan = self.each_member(&mut |name, value| {
            if matches!(first, Value::Absent) && name.decode(&mut String::new()) == key {
                first = value;
            }
        });
        scan.map_or(Value::Absent, |_| first)
    }

    /// The value of the key whose name ends before this offset of a valid record, without reading a map or list. If no
    /// name ends there, it is any value, or `Null`.
    pub(crate) fn value_after_key(self, end: usize) -> Value<'a> {
        let rest = self.bytes.get(end..).unwrap_or_default();
        match self.encoding {
            Encoding::Json => json::value_after_key(rest),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::value_head(rest),
        }
    }

    /// The elements of a valid list.
    pub(crate) fn elements(self) -> Elements<'a> {
        match self.encoding {
            Encoding::Json => Elements { rest: self, left: u32::MAX },
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => {
                let (left, rest) = msgpack::list_head(self.bytes);
                Elements { rest: self.inner(rest), left }
            }
        }
    }

    /// Reads the record into a document: of a record that is broken or too deep, what can be read of it.
    pub(crate) fn read(self, limits: Limits, edit: &mut dyn Edit) -> (Document<'a>, bool) {
        match self.encoding {
            Encoding::Json => Document::read_within(&mut JsonReader::new(self.bytes), limits, edit),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => Document::read_within(&mut MsgPackReader::new(self.bytes), limits, edit),
        }
    }

    /// The record as a document.
    pub fn document(self) -> Document<'a> {
        self.read(Limits::NONE, &mut Unchanged).0
    }

    /// The record as a document, its strings truncated to so many bytes.
    pub(crate) fn truncated_document(self, longest: usize) -> Document<'a> {
        let mut document = self.document();
        document.truncate(longest);
        document
    }

    /// Calls `on` with each part of JSON text, of another encoding with none, until it returns `false`.
    pub(crate) fn parts(self, on: &mut dyn FnMut(Part<'a>) -> bool) {
        match self.encoding {
            Encoding::Json => json::parts(self.bytes, on),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => (),
        }
    }

    /// Calls `on` with each token of `MessagePack`, of another encoding with none, until it returns `false`.
    #[cfg_attr(not(feature = "msgpack"), expect(unused_variables, reason = "there is no other encoding"))]
    pub(crate) fn tokens(self, on: &mut dyn FnMut(Token<'a>) -> bool) {
        match self.encoding {
            Encoding::Json => (),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => {
                let mut reader = MsgPackReader::new(self.bytes);
                while let Ok(Some(token)) = reader.next()
                    && on(token)
                {}
            }
        }
    }

    /// As [`Self::tokens`], with events whose strings are truncated, and the number of bytes that are removed from each.
    pub(crate) fn events(self, longest: usize, on: &mut impl FnMut(&Event<'_>, usize) -> bool) {
        self.tokens(&mut |token| match token {
            Token::Str(text) => {
                let (text, removed) = text.truncated(longest);
                on(&Event::Str(text), removed)
            }
            other => on(&other.into(), 0),
        });
    }

    /// Calls `on` with each string of `MessagePack` that is a value, and with how many bytes of the record there are from
    /// its head to the end, and after it.
    #[cfg(feature = "msgpack")]
    pub(crate) fn strings(self, on: &mut dyn FnMut(&'a [u8], usize, usize)) {
        msgpack::strings(self.bytes, on);
    }
}

/// The elements of a list.
pub(crate) struct Elements<'a> {
    rest: Record<'a>,
    /// How many are left at most.
    left: u32,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (value, rest) = match self.rest.encoding {
            Encoding::Json => json::element(self.rest.bytes),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::first_value(self.rest.bytes),
        }?;
        self.rest.bytes = rest;
        Some(value)
    }
}

impl Scan<'_> {
    /// Whether no string of the record is spelled otherwise in JSON.
    pub(crate) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Whether all strings of the record are known to be UTF-8.
    pub(crate) fn is_utf8(&self) -> bool {
        self.body.encoding == Encoding::Json && !self.quality.has(Quality::NOT_UTF8)
    }

    /// The record's properties. What the scan put off is checked now: short strings of `MessagePack`, and duplicate keys
    /// that it could not rule out.
    #[inline]
    pub fn quality(&self) -> Quality {
        let quality =
            if self.quality.has(Quality::MAYBE_DUPLICATE) { self.exact_quality() } else { self.quality };
        match self.body.encoding {
            Encoding::Json => quality,
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack if msgpack::is_utf8(self.body.bytes, self.high) => quality,
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => quality.and(Quality::NOT_UTF8),
        }
    }

    #[cold]
    fn exact_quality(&self) -> Quality {
        let bytes = self.body.bytes;
        let found = match self.body.encoding {
            Encoding::Json => duplicates::has_duplicates(&mut JsonReader::new(bytes)),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => duplicates::has_duplicates(&mut MsgPackReader::new(bytes)),
        };
        let mut quality = self.quality;
        quality.remove(Quality::MAYBE_DUPLICATE);
        if found {
            quality.add(Quality::DUPLICATE_KEY);
        }
        quality
    }
}

/// A finding's body, copied into its entry unchanged or rewritten.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// A map whose bytes are copied where the entry has the same encoding.
    Verbatim(Record<'a>),
    /// The same, of which each string that is longer is truncated to so many bytes and a remark. Boxed, since an entry is
    /// moved and few are truncated.
    Truncated(Box<(Record<'a>, usize)>),
    /// A body that changed.
    Document(Document<'a>),
}

/// The content of a body.
#[derive(Clone, Copy)]
pub(crate) enum BodyView<'b> {
    /// A record whose strings are truncated to so many bytes.
    Record(Record<'b>, usize),
    /// Events.
    Document(&'b [Event<'b>]),
}

impl<'a> Body<'a> {
    /// The content. Decision: by value. Encoders that pass references to an entry on, even where it is rarely rewritten,
    /// have it copied once more.
    #[inline]
    pub(crate) fn view(&self) -> BodyView<'_> {
        match self {
            Self::Verbatim(record) => BodyView::Record(*record, usize::MAX),
            Self::Truncated(body) => BodyView::Record(body.0, body.1),
            Self::Document(document) => BodyView::Document(&document.events),
        }
    }

    /// The body as a document.
    pub fn into_document(self) -> Document<'a> {
        match self {
            Self::Verbatim(record) => record.document(),
            Self::Truncated(body) => body.0.truncated_document(body.1),
            Self::Document(document) => document,
        }
    }
}
