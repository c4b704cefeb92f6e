//! Truncates the longest strings of a body no more than its entry requires to fit.
//!
//! Coralogix answers 200 and drops an entry that is too large, so such an entry is truncated here.
//!
//! Decision: one length for all strings, computed from their sizes. Truncating only the longest string would fail for
//! many strings of medium length, and truncating at the end would remove whole fields.
//!
//! Decision: the body is measured in one pass that stores only references to its long strings, and it is truncated
//! while it is written. A document of its events took up to 60 times the memory of the record, and each attempt copied
//! it: a record above the maximum cost up to ten times one below it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Entry, json};
use crate::config::TextForm;
use crate::record::{
    Body, Document, JsonPart, JsonString, REMARK, Str, Token, char_prefix, escaped_length, original_length,
    remark, twice_escaped_length,
};

/// The number of times that the length is computed again before it is halved.
///
/// That is necessary if the beginnings of strings have more escape sequences than the rest.
const TRIES: usize = 4;

/// The reason why an entry with truncated strings does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// The entry is too large even without its strings.
    /// It may fit if keys are truncated as well.
    Keys,
    /// The entry is too large even with truncated keys.
    /// Measuring stopped at the maximum.
    Structure,
    /// The header, the marks and the remarks make the entry too large.
    Strings,
}

/// Truncates the strings of a body until the entry is at most `max` bytes of JSON.
///
/// The entry is unchanged on error.
pub(super) fn to_size(entry: &mut Entry<'_>, max: usize) -> Result<(), Misfit> {
    let around = size_without_body(entry);
    let sizes = BodySizes::of(&entry.body, entry.text, max)?;
    // A comma precedes the marks, except in an empty map.
    let comma = usize::from(sizes.size() > 2 && !entry.marks.events.is_empty());
    let length = sizes.length_within(max.saturating_sub(around.saturating_add(comma)));
    let length = length.ok_or(Misfit::Strings)?;
    match &mut entry.body {
        Body::Verbatim(record) => entry.body = Body::Truncated(Box::new((*record, length))),
        Body::Truncated(_) => (),
        Body::Document(document) => document.truncate(length),
    }
    Ok(())
}

/// Returns the size of an entry without its body and the comma after it.
fn size_without_body(entry: &mut Entry<'_>) -> usize {
    let body = core::mem::replace(&mut entry.body, Body::Document(Document::map([])));
    let around = entry.length().saturating_sub(2);
    entry.body = body;
    around
}

/// The size of a body as JSON, and its strings that are long enough to truncate.
struct BodySizes<'a> {
    form: TextForm,
    /// Returns the size of bytes inside a string.
    inside: fn(&[u8]) -> usize,
    /// The size of a string's quotes.
    quotes: usize,
    /// Whether a comma precedes the next token.
    comma: bool,
    /// The size without the content of strings; keys count at most `longest_key` bytes.
    structure: usize,
    longest_key: usize,
    /// The size of the bytes of keys beyond `longest_key`.
    keys: usize,
    /// The size of all strings.
    strings: usize,
    /// The long strings. When all are known they are sorted, the longest first.
    long: Vec<LongString<'a>>,
}

/// A long string, its length in bytes, and its size as JSON.
struct LongString<'a> {
    length: usize,
    size: usize,
    text: Str<'a>,
    /// Whether the string is JSON text in the encoder's own spelling.
    is_canonical: bool,
}

impl<'a> BodySizes<'a> {
    /// Measures a body whose structure is at most `max` bytes.
    fn of(body: &'a Body<'_>, form: TextForm, max: usize) -> Result<Self, Misfit> {
        let (inside, quotes): (fn(&[u8]) -> usize, _) = match form {
            TextForm::Object => (escaped_length, 2),
            TextForm::String => (twice_escaped_length, 4),
        };
        let mut sizes = Self {
            form,
            inside,
            quotes,
            comma: false,
            structure: 0,
            longest_key: max / 256,
            keys: 0,
            strings: 0,
            long: Vec::new(),
        };
        match body {
            Body::Verbatim(record) => {
                record.parts(&mut |part| sizes.part(part) <= max);
                record.tokens(&mut |token| sizes.token(token) <= max);
            }
            // An entry is measured once, before it is truncated.
            Body::Truncated(_) => return Err(Misfit::Strings),
            Body::Document(document) => document.tokens(&mut |token| sizes.token(token) <= max),
        }
        if sizes.structure > max {
            return Err(Misfit::Structure);
        }
        if sizes.structure.saturating_add(sizes.keys) > max {
            return Err(Misfit::Keys);
        }
        sizes.long.sort_unstable_by_key(|text| core::cmp::Reverse((text.length, text.size)));
        Ok(sizes)
    }

    /// Adds a part of JSON text; returns the size of the structure.
    fn part(&mut self, part: JsonPart<'a>) -> usize {
        match part {
            JsonPart::Structure(bytes) => {
                let spaces = bytes.iter().filter(|byte| byte.is_ascii_whitespace()).count();
                self.grow(bytes.len().saturating_sub(spaces));
            }
            JsonPart::Key(key) => self.key(self.json_string(key).size),
            JsonPart::Text(text) => self.text(self.json_string(text)),
        }
        self.structure
    }

    /// Adds a token of another body; returns the size of the structure.
    fn token(&mut self, token: Token<'a>) -> usize {
        self.grow(usize::from(self.comma && !matches!(token, Token::End)));
        self.comma = !matches!(token, Token::Map | Token::List | Token::Key(_));
        match token {
            Token::Map | Token::List | Token::End => self.grow(1),
            Token::Key(key) => {
                self.key(self.measured(key).size);
                self.grow(1);
            }
            Token::Str(text) => self.text(self.measured(text)),
            Token::Number(number) => self.grow(json::number_length(number)),
            Token::Bool(false) => self.grow(5),
            Token::Bool(true) | Token::Null => self.grow(4),
            // A body with these is a document, in which they are strings.
            #[cfg(feature = "msgpack")]
            Token::NumberKey(_) | Token::Extension(..) => (),
        }
        self.structure
    }

    fn grow(&mut self, bytes: usize) {
        self.structure = self.structure.saturating_add(bytes);
    }

    fn key(&mut self, size: usize) {
        let rest = size.saturating_sub(self.longest_key);
        self.keys = self.keys.saturating_add(rest);
        self.grow(size.saturating_sub(rest).saturating_add(self.quotes));
    }

    fn text(&mut self, text: LongString<'a>) {
        self.strings = self.strings.saturating_add(text.size);
        self.grow(self.quotes);
        if text.length > REMARK {
            self.long.push(text);
        }
    }

    fn json_string(&self, JsonString { text, canonical_length }: JsonString<'a>) -> LongString<'a> {
        canonical_length.map_or_else(
            || self.measured(text),
            |length| LongString { length, size: self.source_size(text.source()), text, is_canonical: true },
        )
    }

    fn measured(&self, text: Str<'a>) -> LongString<'a> {
        let (mut length, mut size) = (0_usize, 0_usize);
        text.pieces(&mut |piece| {
            length = length.saturating_add(piece.len());
            size = size.saturating_add((self.inside)(piece));
            true
        });
        LongString { length, size, text, is_canonical: false }
    }

    /// Returns the size of text in its JSON spelling.
    fn source_size(&self, source: &[u8]) -> usize {
        match self.form {
            TextForm::Object => source.len(),
            TextForm::String => escaped_length(source),
        }
    }

    /// Returns the maximum string length with which the body is at most `max` bytes.
    ///
    /// Returns `None` if there is none.
    fn length_within(&self, max: usize) -> Option<usize> {
        let mut excess = self.size().saturating_sub(max);
        if excess == 0 {
            return Some(usize::MAX);
        }
        let mut length = self.length_removing(excess)?;
        for tries in 0_usize.. {
            let more = self.size_with(length).saturating_sub(max);
            if more == 0 {
                return Some(length);
            }
            if length == 0 {
                break;
            }
            excess = excess.saturating_add(more);
            let computed = self.length_removing(excess).filter(|_| tries < TRIES);
            length = computed.map_or(length / 2, |computed| computed.min(length.saturating_sub(1)));
        }
        None
    }

    fn size(&self) -> usize {
        self.structure.saturating_add(self.keys).saturating_add(self.strings)
    }

    /// Returns the body's size with strings truncated to `length` bytes and a remark.
    fn size_with(&self, length: usize) -> usize {
        let long = self.long.iter().take_while(|text| text.length > length.saturating_add(REMARK));
        long.fold(self.size(), |sum, text| {
            sum.saturating_sub(text.size).saturating_add(self.truncated(text, length))
        })
    }

    /// Returns the size of a string truncated to `length` bytes.
    fn truncated(
        &self,
        LongString { length: all, text, is_canonical, .. }: &LongString<'_>,
        length: usize,
    ) -> usize {
        let all = original_length(*all, text.source());
        let remark = |kept| remark(all.saturating_sub(kept)).len();
        if *is_canonical {
            let (source, kept) = text.source_beginning(length);
            return self.source_size(source).saturating_add(remark(kept));
        }
        let (mut left, mut kept, mut size) = (length, 0_usize, 0_usize);
        text.pieces(&mut |piece| {
            let beginning = char_prefix(piece, left);
            left = left.saturating_sub(piece.len());
            kept = kept.saturating_add(beginning.len());
            size = size.saturating_add((self.inside)(beginning));
            left > 0
        });
        size.saturating_add(remark(kept))
    }

    /// Estimates the maximum string length that removes `excess` bytes from the body.
    ///
    /// The estimate uses the sizes of the strings. Returns `None` if no length is sufficient.
    fn length_removing(&self, excess: usize) -> Option<usize> {
        let mut bytes = 0_usize;
        let mut size = 0_usize;
        let mut rest = self.long.iter();
        let mut count = 0_usize;
        while let Some(longest) = rest.next() {
            count = count.saturating_add(1);
            bytes = bytes.saturating_add(longest.length);
            size = size.saturating_add(longest.size);
            // Strings truncated to a length between this string's and the next one's become equal.
            let next = rest.as_slice().first().map_or(0, |next| next.length.saturating_add(REMARK));
            let target = size.saturating_sub(excess).saturating_sub(count.saturating_mul(REMARK));
            // The bytes for the remaining size, by the share of escape sequences in these strings.
            let left = (target as u128).saturating_mul(bytes as u128).checked_div(size as u128);
            let left = left.and_then(|left| usize::try_from(left).ok()).unwrap_or(0);
            let length = left.checked_div(count).unwrap_or(0);
            if size > excess.saturating_add(count.saturating_mul(REMARK))
                && length.saturating_add(REMARK) >= next
            {
                return Some(length.min(longest.length.saturating_sub(1)));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
