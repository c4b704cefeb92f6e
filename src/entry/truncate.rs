//! Truncates the longest strings of a body until its entry fits, by as little as possible.
//!
//! Coralogix answers 200 and drops an entry that is too large, so an entry that does not fit is truncated here.
//! Decision: one length for all strings, computed from their sizes. Truncating only the longest string would lose a stack
//! of middling ones, truncating at the end would lose whole fields.
//!
//! Decision: the body is measured in one pass that stores nothing but its long strings, as references, and it is
//! truncated while it is written. A document of its events took up to 60 times the memory of the record, and each trial
//! of a length copied it: a record above the maximum cost up to ten times one below it.

use super::{Entry, json};
use crate::config::TextForm;
use crate::record::{
    Body, Document, Part, REMARK, Spelling, Str, Token, beginning, escaped_length, original_length, remark,
    twice_escaped_length,
};

/// How often the length is computed again where the strings' beginnings have more escape sequences than the rest; then
/// it is halved.
const TRIES: usize = 4;

/// Why an entry does not fit with truncated strings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// Even without its strings; perhaps it fits if keys are truncated, too.
    Keys,
    /// Even without its strings and with truncated keys: reading has stopped at the maximum.
    Structure,
    /// With what surrounds the body and the remarks about truncated strings.
    Strings,
}

/// Truncates the strings of a body until the entry is at most `max` bytes of JSON; the entry is unchanged if that is not
/// possible.
pub(super) fn cut(entry: &mut Entry<'_>, max: usize) -> Result<(), Misfit> {
    let around = around(entry);
    let sizes = Sizes::of(&entry.body, entry.text, max)?;
    // The marks follow a comma, but in an empty map.
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

/// The size of an entry without its body and the comma after it.
fn around(entry: &mut Entry<'_>) -> usize {
    let body = core::mem::replace(&mut entry.body, Body::Document(Document::map([])));
    let around = entry.length().saturating_sub(2);
    entry.body = body;
    around
}

/// The size of a body as JSON, and its strings that are long enough to be truncated.
struct Sizes<'a> {
    form: TextForm,
    /// The size of a byte sequence within a string.
    inside: fn(&[u8]) -> usize,
    /// The size of a string's quotes.
    quotes: usize,
    /// Whether a comma precedes the next token.
    comma: bool,
    /// The size without the content of strings, and with keys of at most `longest_key` bytes.
    structure: usize,
    longest_key: usize,
    /// The size of the rest of longer keys.
    keys: usize,
    /// The size of all strings.
    strings: usize,
    /// The long strings; the longest first when all are known.
    long: Vec<Long<'a>>,
}

/// A long string, its length in bytes, and its size as JSON.
struct Long<'a> {
    length: usize,
    size: usize,
    text: Str<'a>,
    /// Whether it is from JSON text, and spelled there as the encoder spells it.
    spelled: bool,
}

impl<'a> Sizes<'a> {
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
            // It is measured once, before it is truncated.
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
    fn part(&mut self, part: Part<'a>) -> usize {
        match part {
            Part::Structure(bytes) => {
                let spaces = bytes.iter().filter(|byte| byte.is_ascii_whitespace()).count();
                self.grow(bytes.len().saturating_sub(spaces));
            }
            Part::Key(key) => self.key(self.spelled(key).size),
            Part::Text(text) => self.text(self.spelled(text)),
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
            // A body that has them is a document, in which they are strings.
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

    fn text(&mut self, text: Long<'a>) {
        self.strings = self.strings.saturating_add(text.size);
        self.grow(self.quotes);
        if text.length > REMARK {
            self.long.push(text);
        }
    }

    fn spelled(&self, Spelling { text, length }: Spelling<'a>) -> Long<'a> {
        length.map_or_else(
            || self.measured(text),
            |length| Long { length, size: self.source_size(text.source()), text, spelled: true },
        )
    }

    fn measured(&self, text: Str<'a>) -> Long<'a> {
        let (mut length, mut size) = (0_usize, 0_usize);
        text.pieces(&mut |piece| {
            length = length.saturating_add(piece.len());
            size = size.saturating_add((self.inside)(piece));
            true
        });
        Long { length, size, text, spelled: false }
    }

    /// The size of what is spelled as in JSON text.
    fn source_size(&self, source: &[u8]) -> usize {
        match self.form {
            TextForm::Object => source.len(),
            TextForm::String => escaped_length(source),
        }
    }

    /// The greatest length of strings with which the body is at most `room` bytes; `None` if there is none.
    fn length_within(&self, room: usize) -> Option<usize> {
        let mut excess = self.size().saturating_sub(room);
        if excess == 0 {
            return Some(usize::MAX);
        }
        let mut length = self.length_without(excess)?;
        for tries in 0_usize.. {
            let more = self.size_with(length).saturating_sub(room);
            if more == 0 {
                return Some(length);
            }
            if length == 0 {
                break;
            }
            excess = excess.saturating_add(more);
            let computed = self.length_without(excess).filter(|_| tries < TRIES);
            length = computed.map_or(length / 2, |computed| computed.min(length.saturating_sub(1)));
        }
        None
    }

    fn size(&self) -> usize {
        self.structure.saturating_add(self.keys).saturating_add(self.strings)
    }

    /// The body's size with every string truncated to so many bytes and a remark.
    fn size_with(&self, length: usize) -> usize {
        let long = self.long.iter().take_while(|text| text.length > length.saturating_add(REMARK));
        long.fold(self.size(), |sum, text| {
            sum.saturating_sub(text.size).saturating_add(self.truncated(text, length))
        })
    }

    /// The size of a string that is truncated.
    fn truncated(&self, Long { length: all, text, spelled, .. }: &Long<'_>, length: usize) -> usize {
        let all = original_length(*all, text.source());
        let remark = |kept| remark(all.saturating_sub(kept)).len();
        if *spelled {
            let (source, kept) = text.source_beginning(length);
            return self.source_size(source).saturating_add(remark(kept));
        }
        let (mut left, mut kept, mut size) = (length, 0_usize, 0_usize);
        text.pieces(&mut |piece| {
            let beginning = beginning(piece, left);
            left = left.saturating_sub(piece.len());
            kept = kept.saturating_add(beginning.len());
            size = size.saturating_add((self.inside)(beginning));
            left > 0
        });
        size.saturating_add(remark(kept))
    }

    /// The greatest length of strings that makes the body so many bytes smaller, as far as their sizes tell; `None` if no
    /// length does.
    fn length_without(&self, excess: usize) -> Option<usize> {
        let mut bytes = 0_usize;
        let mut size = 0_usize;
        let mut rest = self.long.iter();
        let mut count = 0_usize;
        while let Some(longest) = rest.next() {
            count = count.saturating_add(1);
            bytes = bytes.saturating_add(longest.length);
            size = size.saturating_add(longest.size);
            // Cut to a length between this string's and the next one's, all that are longer become equal.
            let next = rest.as_slice().first().map_or(0, |next| next.length.saturating_add(REMARK));
            let target = size.saturating_sub(excess).saturating_sub(count.saturating_mul(REMARK));
            // Bytes for the size that is left, by the share of escape sequences in these strings.
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
