//! Reads records of any encoding with the reader of their encoding.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

#[cfg(feature = "msgpack")]
use super::Reader as _;
#[cfg(feature = "msgpack")]
use super::msgpack::{self, MsgPackReader};
use super::{
    Document, Edit, Encoding, Event, JsonPart, JsonReader, KeyCache, KeySet, Limits, MemberVisitor, NoEdits,
    Quality, Record, Scan, Str, SyntaxError, Token, Value, duplicates, json,
};

impl<'a> Record<'a> {
    /// Splits off the first `MessagePack` value, without checking its content.
    ///
    /// # Errors
    /// The bytes are not a complete value.
    #[cfg(feature = "msgpack")]
    pub fn split_msgpack(bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), SyntaxError> {
        let rest = msgpack::skip_value(bytes)?;
        Ok((bytes.get(..bytes.len().saturating_sub(rest.len())).unwrap_or_default(), rest))
    }

    /// Checks the whole record.
    ///
    /// # Errors
    /// The record is not a map, or its encoding is invalid.
    pub fn check(self) -> Result<Scan<'a>, SyntaxError> {
        self.each_member(&mut |_, _| ())
    }

    /// Passes the members in order to `visitor`, and checks the whole record.
    ///
    /// Each member is given by the meaning of its key. Of two duplicate keys, the first in the record is given first.
    #[inline]
    pub(crate) fn members<K: KeySet>(
        self,
        cache: &mut KeyCache<K>,
        visitor: &mut impl MemberVisitor<'a, K::Meaning>,
    ) -> Result<Scan<'a>, SyntaxError> {
        match self.encoding {
            Encoding::Json => json::members(self.bytes, cache, visitor),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::members(self.bytes, cache, visitor),
        }
    }

    /// Calls `on` for each member, and checks the whole record.
    ///
    /// Members before a syntax error are given as well.
    pub(crate) fn each_member(self, on: &mut dyn FnMut(Str<'a>, Value<'a>)) -> Result<Scan<'a>, SyntaxError> {
        match self.encoding {
            Encoding::Json => json::each_member(self.bytes, on),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::each_member(self.bytes, on),
        }
    }

    /// Does the same as [`Self::members`] for the first record in JSON text.
    ///
    /// Returns the text after the record as well.
    pub(crate) fn first_members<K: KeySet>(
        self,
        cache: &mut KeyCache<K>,
        visitor: &mut impl MemberVisitor<'a, K::Meaning>,
    ) -> Result<(Scan<'a>, &'a [u8]), SyntaxError> {
        json::first_members(self.bytes, cache, visitor)
    }

    /// Returns the first value in JSON text, and the text after it.
    pub(crate) fn first_value(self) -> Result<(Value<'a>, &'a [u8]), SyntaxError> {
        json::first_value(self.bytes)
    }

    /// Returns the record as a value of any type.
    ///
    /// # Errors
    /// The encoding is invalid.
    pub(crate) fn value(self) -> Result<Value<'a>, SyntaxError> {
        match self.encoding {
            Encoding::Json => json::value(self.bytes),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::value(self.bytes),
        }
    }

    /// Returns the bytes of a list of byte values; `None` for any other record.
    pub(crate) fn byte_list(self) -> Option<Vec<u8>> {
        match self.encoding {
            Encoding::Json => json::first_byte_list(self.bytes).map(|(bytes, _)| bytes),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::byte_list(self.bytes),
        }
    }

    /// Returns the value of the first member with this key.
    ///
    /// Returns `Absent` if the record has no such member or is not a map. It is not checked beyond the member.
    pub(crate) fn member(self, key: &str) -> Value<'a> {
        self.find_member(&mut |name| match name {
            Str::Plain(name) => name == key.as_bytes(),
            Str::Escaped(_) => name.decode(&mut String::new()) == key,
        })
    }

    /// Returns the value of the first member whose key is wanted, otherwise as [`Self::member`].
    pub(crate) fn find_member(self, is_wanted: &mut dyn FnMut(Str<'a>) -> bool) -> Value<'a> {
        match self.encoding() {
            Encoding::Json => json::find_member(self.bytes(), is_wanted),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::find_member(self.bytes(), is_wanted),
        }
        .unwrap_or_default()
    }

    /// Returns the value of the key that ends at offset `end` of a valid record.
    ///
    /// A map or list is returned without its content. If no key ends there, the result is any value, or `Null`.
    pub(crate) fn value_after_key(self, end: usize) -> Value<'a> {
        let rest = self.bytes.get(end..).unwrap_or_default();
        match self.encoding {
            Encoding::Json => json::value_after_key(rest),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => msgpack::value_head(rest),
        }
    }

    /// Iterates over the elements of a valid list.
    pub(crate) fn elements(self) -> Elements<'a> {
        match self.encoding {
            Encoding::Json => Elements { rest: self, remaining: u32::MAX },
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => {
                let (remaining, rest) = msgpack::list_head(self.bytes);
                Elements { rest: self.inner(rest), remaining }
            }
        }
    }

    /// Reads the record into a document, and returns whether it was read completely.
    ///
    /// An invalid or too deep record is read up to its error.
    pub(crate) fn read(self, limits: Limits, edit: &mut dyn Edit) -> (Document<'a>, bool) {
        match self.encoding {
            Encoding::Json => Document::read_within(&mut JsonReader::new(self.bytes), limits, edit),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => Document::read_within(&mut MsgPackReader::new(self.bytes), limits, edit),
        }
    }

    /// Returns the record as a document.
    pub fn document(self) -> Document<'a> {
        self.read(Limits::NONE, &mut NoEdits).0
    }

    /// Returns the record as a document with strings truncated to `longest` bytes.
    pub(crate) fn truncated_document(self, longest: usize) -> Document<'a> {
        let mut document = self.document();
        document.truncate(longest);
        document
    }

    /// Calls `on` with each part of JSON text, until it returns `false`.
    ///
    /// Does nothing for other encodings.
    pub(crate) fn parts(self, on: &mut dyn FnMut(JsonPart<'a>) -> bool) {
        match self.encoding {
            Encoding::Json => json::parts(self.bytes, on),
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack => (),
        }
    }

    /// Calls `on` with each token of `MessagePack`, until it returns `false`.
    ///
    /// Does nothing for other encodings.
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

    /// Calls `on` with each event, and with the number of bytes removed from it.
    ///
    /// Strings are truncated to `longest` bytes. Otherwise as [`Self::tokens`].
    pub(crate) fn events(self, longest: usize, on: &mut impl FnMut(&Event<'_>, usize) -> bool) {
        self.tokens(&mut |token| match token {
            Token::Str(text) => {
                let (text, removed) = text.truncated(longest);
                on(&Event::Str(text), removed)
            }
            other => on(&other.into(), 0),
        });
    }

    /// Calls `on` with each `MessagePack` string that is a value.
    ///
    /// The two numbers are the bytes of the record from the string's head to the end, and after the string.
    #[cfg(feature = "msgpack")]
    pub(crate) fn strings(self, on: &mut dyn FnMut(&'a [u8], usize, usize)) {
        msgpack::strings(self.bytes, on);
    }
}

/// Iterates over the elements of a list.
pub(crate) struct Elements<'a> {
    rest: Record<'a>,
    /// The maximum number of elements that remain.
    remaining: u32,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.remaining = self.remaining.checked_sub(1)?;
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
    /// Returns the record's properties.
    ///
    /// Runs the checks that the scan postponed: UTF-8 in short strings of `MessagePack`, and duplicate keys that the
    /// cheap filter could not rule out.
    #[inline]
    pub fn quality(&self) -> Quality {
        let quality =
            if self.quality.has(Quality::MAYBE_DUPLICATE) { self.exact_quality() } else { self.quality };
        match self.body.encoding {
            Encoding::Json => quality,
            #[cfg(feature = "msgpack")]
            Encoding::MsgPack if msgpack::is_utf8(self.body.bytes, self.high_bytes) => quality,
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

/// The body of a finding, copied into its entry unchanged or rewritten.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// A map whose bytes are copied if the entry has the same encoding.
    Verbatim(Record<'a>),
    /// A map whose longer strings are truncated to this many bytes and a remark.
    ///
    /// Boxed: entries are moved, and few are truncated.
    Truncated(Box<(Record<'a>, usize)>),
    /// A body that was changed.
    Document(Document<'a>),
}

/// The content of a body.
#[derive(Clone, Copy)]
pub(crate) enum BodyView<'b> {
    /// A record whose strings are truncated to this many bytes.
    Record(Record<'b>, usize),
    /// Events.
    Document(&'b [Event<'b>]),
}

impl<'a> Body<'a> {
    /// Returns the content.
    ///
    /// Decision: by value. Encoders that pass on references to an entry, even on cold paths, have it copied once more.
    #[inline]
    pub(crate) fn view(&self) -> BodyView<'_> {
        match self {
            Self::Verbatim(record) => BodyView::Record(*record, usize::MAX),
            Self::Truncated(body) => BodyView::Record(body.0, body.1),
            Self::Document(document) => BodyView::Document(&document.events),
        }
    }

    /// Returns the body as a document.
    pub fn into_document(self) -> Document<'a> {
        match self {
            Self::Verbatim(record) => record.document(),
            Self::Truncated(body) => body.0.truncated_document(body.1),
            Self::Document(document) => document,
        }
    }
}
