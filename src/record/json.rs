//! The reader of JSON text (RFC 8259).
//!
//! It checks the full grammar, because bodies are copied into entries unchanged and Coralogix would drop text that a
//! lenient reader accepts. It uses a stack of [`MAX_DEPTH`] bits, never recursion.

use alloc::string::String;
use alloc::vec::Vec;

use memchr::memchr;

use super::duplicates::may_have_duplicates;
use super::escape::{each_escape, hex4, low_surrogate};
use super::key_cache::{Cursor, KeyCache, KeySet, RawKey};
use super::simd::{ascii_length, digits_length, is_ascii, plain_length};
use super::token::read_bytes;
use super::{
    MAX_DEPTH, MemberVisitor, Number, Quality, Reader, Record, Scan, Str, SyntaxError, SyntaxErrorKind,
    Token, Value,
};

/// Reads one JSON value, token by token.
#[derive(Clone)]
pub(crate) struct JsonReader<'a> {
    text: &'a [u8],
    /// The unread text.
    rest: &'a [u8],
    open: OpenContainers,
    expects: Expects,
    quality: Quality,
    /// Whether a string has escape sequences.
    escapes: bool,
}

/// The part of the grammar that may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// A value: at the start, after a key's colon, or after a comma in a list.
    Value,
    /// The first key or element of a map or list, or its end.
    First,
    /// A comma, or the end of the map or list.
    Comma,
}

/// The open maps and lists, one bit each; the innermost is the lowest bit.
#[derive(Clone, Copy, Default)]
struct OpenContainers {
    maps: u32,
    depth: usize,
}

const _: () = assert!(MAX_DEPTH <= 32, "a bit for each");

impl<'a> JsonReader<'a> {
    /// Creates a reader of the value at the beginning of `text`.
    ///
    /// White space may precede the value, and anything may follow it.
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            rest: text,
            open: OpenContainers::default(),
            expects: Expects::Value,
            quality: Quality::default(),
            escapes: false,
        }
    }

    /// Checks that only white space follows.
    pub fn finish(&mut self) -> Result<(), SyntaxError> {
        self.space();
        if self.rest.is_empty() { Ok(()) } else { Err(self.error(SyntaxErrorKind::TrailingBytes)) }
    }

    /// Returns the record that ends at the current position.
    fn scan(&self) -> Scan<'a> {
        let read = self.text.len().wrapping_sub(self.rest.len());
        Scan {
            body: Record::json(self.text.get(..read).unwrap_or_default().trim_ascii_start()),
            quality: self.quality,
            plain: !self.escapes,
            #[cfg(feature = "msgpack")]
            high_bytes: 0,
        }
    }

    /// Returns an error at the current position.
    #[cold]
    pub fn error(&self, kind: SyntaxErrorKind) -> SyntaxError {
        let kind = if self.rest.is_empty() { SyntaxErrorKind::EndsEarly } else { kind };
        SyntaxError { kind, offset: self.text.len().saturating_sub(self.rest.len()) }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[inline]
    fn step(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    #[inline]
    fn space(&mut self) {
        while let Some((byte @ (b' ' | b'\t' | b'\n' | b'\r'), rest)) = self.rest.split_first() {
            if matches!(byte, b'\n' | b'\r') {
                self.quality.add(Quality::LINE_BREAK);
            }
            self.rest = rest;
        }
    }

    /// Reads the next key of a map and its colon, or the map's end.
    fn key_or_end(&mut self) -> Result<Option<Str<'a>>, SyntaxError> {
        self.space();
        match (self.peek(), self.expects) {
            (Some(b'}'), _) => {
                self.end();
                return Ok(None);
            }
            (Some(b','), Expects::Comma) => {
                self.step();
                self.space();
            }
            (_, Expects::Comma) => return Err(self.error(SyntaxErrorKind::ExpectedMapEnd)),
            _ => (),
        }
        self.key().map(Some)
    }

    /// Reads a key and its colon.
    fn key(&mut self) -> Result<Str<'a>, SyntaxError> {
        if self.peek() != Some(b'"') {
            return Err(self.error(SyntaxErrorKind::ExpectedKey));
        }
        let key = self.string()?;
        if let Str::Escaped(_) = key {
            self.quality.add(Quality::ESCAPED_KEY);
        }
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.error(SyntaxErrorKind::ExpectedColon));
        }
        self.step();
        self.expects = Expects::Value;
        Ok(key)
    }

    /// Reads the next element of a list, or the list's end.
    fn element_or_end(&mut self) -> Result<Token<'a>, SyntaxError> {
        self.space();
        match (self.peek(), self.expects) {
            (Some(b']'), _) => {
                self.end();
                return Ok(Token::End);
            }
            (Some(b','), Expects::Comma) => self.step(),
            (_, Expects::Comma) => return Err(self.error(SyntaxErrorKind::ExpectedListEnd)),
            _ => (),
        }
        self.value()
    }

    fn end(&mut self) {
        self.step();
        self.open.pop();
        self.expects = Expects::Comma;
    }

    /// Reads a value; of a map or list only the opening bracket.
    #[inline]
    fn value(&mut self) -> Result<Token<'a>, SyntaxError> {
        self.space();
        self.expects = Expects::Comma;
        match self.peek() {
            Some(b'"') => self.string().map(Token::Str),
            Some(b'{') => self.begin(true).map(|()| Token::Map),
            Some(b'[') => self.begin(false).map(|()| Token::List),
            Some(b'-' | b'0'..=b'9') => self.number().map(|text| Token::Number(Number::Raw(text))),
            Some(b't') => self.literal(b"true", Token::Bool(true)),
            Some(b'f') => self.literal(b"false", Token::Bool(false)),
            Some(b'n') => self.literal(b"null", Token::Null),
            _ => Err(self.error(SyntaxErrorKind::ExpectedValue)),
        }
    }

    fn begin(&mut self, map: bool) -> Result<(), SyntaxError> {
        if !self.open.push(map) {
            return Err(self.error(SyntaxErrorKind::TooDeep));
        }
        self.step();
        self.expects = Expects::First;
        Ok(())
    }

    fn literal(&mut self, word: &[u8], token: Token<'a>) -> Result<Token<'a>, SyntaxError> {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                Ok(token)
            }
            None if word.starts_with(self.rest) => {
                self.rest = &[];
                Err(self.error(SyntaxErrorKind::EndsEarly))
            }
            None => Err(self.error(SyntaxErrorKind::ExpectedValue)),
        }
    }

    fn number(&mut self) -> Result<&'a [u8], SyntaxError> {
        let start = self.rest;
        if self.peek() == Some(b'-') {
            self.step();
        }
        if self.peek() == Some(b'0') {
            self.step();
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.step();
            if let Some(b'+' | b'-') = self.peek() {
                self.step();
            }
            self.digits()?;
        }
        let text = start.get(..start.len().saturating_sub(self.rest.len())).unwrap_or_default();
        if !Number::Raw(text).is_finite() {
            self.quality.add(Quality::NUMBER_RANGE);
        }
        Ok(text)
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        match digits_length(self.rest) {
            0 => Err(self.error(SyntaxErrorKind::ExpectedDigit)),
            count => {
                self.rest = self.rest.get(count..).unwrap_or_default();
                Ok(())
            }
        }
    }

    /// Reads a string, from its opening quote to its closing one.
    #[inline]
    fn string(&mut self) -> Result<Str<'a>, SyntaxError> {
        if let Some((text, rest)) = ascii_string(self.rest) {
            self.rest = rest;
            return Ok(Str::Plain(text));
        }
        self.slow_string()
    }

    /// Reads a string that is not plain ASCII, or reports its error.
    #[inline(never)]
    fn slow_string(&mut self) -> Result<Str<'a>, SyntaxError> {
        self.step();
        let start = self.rest;
        let mut escaped = false;
        loop {
            self.rest = self.rest.get(plain_length(self.rest)..).unwrap_or_default();
            match self.peek() {
                Some(b'"') => {
                    let text = start.get(..start.len().saturating_sub(self.rest.len())).unwrap_or_default();
                    if simdutf8::basic::from_utf8(text).is_err() {
                        self.quality.add(Quality::NOT_UTF8);
                    }
                    self.step();
                    self.escapes |= escaped;
                    return Ok(if escaped { Str::Escaped(text) } else { Str::Plain(text) });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.step();
                    self.escape()?;
                }
                _ => return Err(self.error(SyntaxErrorKind::ControlCharacter)),
            }
        }
    }

    /// Reads an escape sequence, after its backslash.
    fn escape(&mut self) -> Result<(), SyntaxError> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.step(),
            Some(b'u') => {
                self.step();
                match self.hex()? {
                    0xD800..=0xDBFF => match low_surrogate(self.rest) {
                        Some((_, rest)) => self.rest = rest,
                        None => self.quality.add(Quality::LONE_SURROGATE),
                    },
                    0xDC00..=0xDFFF => self.quality.add(Quality::LONE_SURROGATE),
                    _ => (),
                }
            }
            _ => return Err(self.error(SyntaxErrorKind::UnknownEscape)),
        }
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, SyntaxError> {
        let Some(code) = hex4(self.rest) else {
            if self.rest.len() < 4 && self.rest.iter().all(u8::is_ascii_hexdigit) {
                self.rest = &[];
            }
            return Err(self.error(SyntaxErrorKind::ExpectedHex));
        };
        self.rest = self.rest.get(4..).unwrap_or_default();
        Ok(code)
    }

    /// Reads the value of a member. A map or list is checked and skipped, with its keys if `verbatim`.
    #[cold]
    fn member_value(&mut self, verbatim: bool) -> Result<Value<'a>, SyntaxError> {
        self.space();
        let start = self.rest;
        Ok(match self.value()? {
            Token::Str(text) => Value::Str(text),
            Token::Number(number) => Value::Number(number),
            Token::Bool(value) => Value::Bool(value),
            token @ (Token::Map | Token::List) => {
                if verbatim {
                    self.nested()?;
                } else {
                    self.skip()?;
                }
                let bytes = start.get(..start.len().saturating_sub(self.rest.len())).unwrap_or_default();
                if matches!(token, Token::Map) { Value::Map(bytes) } else { Value::List(bytes) }
            }
            _ => Value::Null,
        })
    }

    /// Skips the innermost map or list, checking it for duplicate keys.
    fn nested(&mut self) -> Result<(), SyntaxError> {
        if may_have_duplicates(self)? {
            self.quality.add(Quality::MAYBE_DUPLICATE);
        }
        Ok(())
    }

    /// Skips tokens in their most common spelling, without white space, until the container at `depth` ends.
    ///
    /// It stops at any other token, which `next` reads or reports.
    fn skip_common(&mut self, depth: usize) {
        let Self { mut rest, mut open, mut expects, .. } = *self;
        while open.depth >= depth {
            let is_map = open.innermost() == Some(true);
            let token = match (rest, expects) {
                ([b',', token @ ..], Expects::Comma) => token,
                ([end @ (b'}' | b']'), after @ ..], Expects::Comma | Expects::First)
                    if is_map == (*end == b'}') =>
                {
                    open.pop();
                    (rest, expects) = (after, Expects::Comma);
                    continue;
                }
                (_, Expects::Comma) => break,
                _ => rest,
            };
            if is_map && expects != Expects::Value {
                let Some((_, [b':', value @ ..])) = ascii_string(token) else { break };
                (rest, expects) = (value, Expects::Value);
                continue;
            }
            let after = match token {
                [b'"', ..] => ascii_string(token).map(|(_, after)| after),
                [b'0'..=b'9', ..] => unsigned_integer(token).map(|(_, after)| after),
                [bracket @ (b'{' | b'['), inside @ ..] => {
                    let mut inner = open;
                    if !inner.push(*bracket == b'{') {
                        break;
                    }
                    (rest, open, expects) = (inside, inner, Expects::First);
                    continue;
                }
                _ => boolean(token).map(|(_, after)| after),
            };
            let Some(after) = after else { break };
            (rest, expects) = (after, Expects::Comma);
        }
        (self.rest, self.open, self.expects) = (rest, open, expects);
    }

    /// Reads the comma or bracket after a member; returns whether the map ends.
    #[cold]
    fn member_end(&mut self) -> Result<bool, SyntaxError> {
        self.space();
        let ends = match self.peek() {
            Some(b',') => false,
            Some(b'}') => true,
            _ => return Err(self.error(SyntaxErrorKind::ExpectedMapEnd)),
        };
        self.step();
        Ok(ends)
    }

    /// Reads a record up to its first key; returns whether it is empty.
    #[inline]
    fn record_start(&mut self) -> Result<bool, SyntaxError> {
        self.space();
        // Line breaks before the body are not part of it.
        self.quality.remove(Quality::LINE_BREAK);
        if self.peek() != Some(b'{') {
            return Err(self.error(SyntaxErrorKind::NotAnObject));
        }
        self.begin(true)?;
        self.space();
        let empty = self.peek() == Some(b'}');
        if empty {
            self.step();
        }
        Ok(empty)
    }

    /// Reads a key that is not the next expected one, and returns its meaning.
    #[cold]
    fn member_key<K: KeySet>(
        &mut self,
        cache: &mut KeyCache<K>,
        cursor: &mut Cursor,
        expected: usize,
    ) -> Result<K::Meaning, SyntaxError> {
        cache.set_expected(cursor, expected);
        if let Some((meaning, rest)) = cache.find_near(cursor, self.rest) {
            self.rest = rest;
            return Ok(meaning);
        }
        self.space();
        let start = self.rest;
        let key = self.key()?;
        let Str::Plain(plain) = key else {
            let mut scratch = String::new();
            return Ok(cache.look_up(cursor, key.decode(&mut scratch).as_bytes(), None));
        };
        let source = start.get(..start.len().saturating_sub(self.rest.len())).unwrap_or_default();
        // Only ASCII with its quotes and colon, and no white space between, is cached: one spelling for each key. Bytes
        // that are not UTF-8 are a property of every record that contains them.
        let is_cached = source.len() == plain.len().wrapping_add(3) && is_ascii(plain);
        let raw = RawKey::new(source).filter(|_| is_cached);
        Ok(cache.look_up(cursor, plain, raw))
    }
}

impl<'a> Reader<'a> for JsonReader<'a> {
    fn next(&mut self) -> Result<Option<Token<'a>>, SyntaxError> {
        match (self.expects, self.open.innermost()) {
            (Expects::Value, _) => self.value(),
            (_, None) => return Ok(None),
            (_, Some(true)) => self.key_or_end().map(|key| key.map_or(Token::End, Token::Key)),
            (_, Some(false)) => self.element_or_end(),
        }
        .map(Some)
    }

    fn skip(&mut self) -> Result<(), SyntaxError> {
        let depth = self.open.depth;
        loop {
            self.skip_common(depth);
            if self.open.depth < depth {
                return Ok(());
            }
            self.next()?;
        }
    }
}

/// Passes the members of the record in `text` in order to `visitor`.
///
/// Each member is given by the meaning of its key. The whole record is checked.
///
/// The loop reads the common forms itself, with the unread text in a register, and calls the reader for all others.
/// Those functions are marked cold: any other call in the loop moves its state to memory, and `json-dropped` takes
/// 3,219 instead of 3,006 instructions, `msgpack-dropped` 2,541 instead of 2,432.
///
/// Decision: if the reader alone reads values, the guard's `json-dropped` takes 6,467 instead of 3,285 instructions.
pub(crate) fn members<'a, K: KeySet>(
    text: &'a [u8],
    cache: &mut KeyCache<K>,
    visitor: &mut impl MemberVisitor<'a, K::Meaning>,
) -> Result<Scan<'a>, SyntaxError> {
    let (scan, rest) = first_members(text, cache, visitor)?;
    if !rest.is_empty() {
        JsonReader { text, rest, ..JsonReader::new(text) }.finish()?;
    }
    Ok(scan)
}

/// Does the same as [`members`] for the first record of `text`.
///
/// Returns the text after the record as well.
#[inline(never)]
pub(crate) fn first_members<'a, K: KeySet, V: MemberVisitor<'a, K::Meaning>>(
    text: &'a [u8],
    cache: &mut KeyCache<K>,
    visitor: &mut V,
) -> Result<(Scan<'a>, &'a [u8]), SyntaxError> {
    let mut reader = JsonReader::new(text);
    let mut ends = reader.record_start()?;
    let mut rest = reader.rest;
    let mut cursor = cache.start(true);
    let mut expected = cache.expected(&cursor);
    while !ends {
        let meaning;
        if let Some((cached, later)) = expected.split_first()
            && let Some(after) = cached.follow(rest)
        {
            (expected, rest) = (later, after);
            meaning = cached.meaning;
        } else {
            reader.rest = rest;
            meaning = reader.member_key(cache, &mut cursor, expected.len())?;
            rest = reader.rest;
            expected = cache.expected(&cursor);
        }
        if let Some((text, after)) = ascii_string(rest) {
            visitor.text(meaning, text);
            rest = after;
        } else if let Some((number, after)) = unsigned_integer(rest) {
            visitor.value(meaning, Value::Number(Number::Raw(number)));
            rest = after;
        } else if let Some((value, after)) = boolean(rest) {
            visitor.value(meaning, Value::Bool(value));
            rest = after;
        } else {
            reader.rest = rest;
            visitor.value(meaning, reader.member_value(V::VERBATIM)?);
            rest = reader.rest;
        }
        (ends, rest) = match rest.split_first() {
            Some((b',', after)) => (false, after),
            Some((b'}', after)) => (true, after),
            _ => {
                reader.rest = rest;
                (reader.member_end()?, reader.rest)
            }
        };
    }
    if cursor.maybe_duplicate {
        reader.quality.add(Quality::MAYBE_DUPLICATE);
    }
    reader.rest = rest;
    Ok((reader.scan(), rest))
}

/// Calls `on` for each member of the record in `text`, without a cache.
///
/// Returns the body and its properties, in which duplicate keys are not yet checked.
pub(crate) fn each_member<'a>(
    text: &'a [u8],
    on: &mut dyn FnMut(Str<'a>, Value<'a>),
) -> Result<Scan<'a>, SyntaxError> {
    let mut reader = JsonReader::new(text);
    if !reader.record_start()? {
        while let Some(key) = reader.key_or_end()? {
            on(key, reader.member_value(true)?);
        }
    }
    reader.quality.add(Quality::MAYBE_DUPLICATE);
    let scan = reader.scan();
    reader.finish()?;
    Ok(scan)
}

/// Returns the value of the first member of the record in `text` whose key is wanted.
///
/// The record is not checked beyond it.
pub(crate) fn find_member<'a>(
    text: &'a [u8],
    is_wanted: &mut dyn FnMut(Str<'a>) -> bool,
) -> Result<Value<'a>, SyntaxError> {
    let mut reader = JsonReader::new(text);
    if !reader.record_start()? {
        while let Some(key) = reader.key_or_end()? {
            if is_wanted(key) {
                return reader.member_value(false);
            }
            if let Token::Map | Token::List = reader.value()? {
                reader.skip()?;
            }
        }
    }
    Ok(Value::Absent)
}

/// Reads `text` as one value.
pub(crate) fn value(text: &[u8]) -> Result<Value<'_>, SyntaxError> {
    let mut reader = JsonReader::new(text);
    let value = reader.member_value(true)?;
    reader.finish()?;
    Ok(value)
}

/// Returns the value at the beginning of `text`, and the text after it.
pub(crate) fn first_value(text: &[u8]) -> Result<(Value<'_>, &[u8]), SyntaxError> {
    let mut reader = JsonReader::new(text);
    let value = reader.member_value(true)?;
    Ok((value, reader.rest))
}

/// Returns the bytes of the list at the beginning of `text`, and the text after it.
///
/// See [`read_bytes`].
pub(crate) fn first_byte_list(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut reader = JsonReader::new(text);
    reader.peek().filter(|byte| *byte == b'[')?;
    reader.begin(false).ok()?;
    read_bytes(&mut reader).map(|(bytes, _)| (bytes, reader.rest))
}

/// Splits off an ASCII string without escape sequences, from its opening quote.
#[inline(always)]
fn ascii_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (b'"', inside) = bytes.split_first()? else { return None };
    let length = ascii_length(inside);
    let b'"' = inside.get(length)? else { return None };
    Some((inside.get(..length)?, inside.get(length.wrapping_add(1)..)?))
}

/// Splits off an integer without a sign, as most numbers are.
#[inline(always)]
fn unsigned_integer(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = digits_length(bytes);
    // Far below the length at which numbers exceed a float's range.
    let is_plain = (1..=32).contains(&length) && bytes.first()? != &b'0';
    bytes.split_at_checked(length).filter(|(_, after)| is_plain && matches!(after, [b',' | b'}', ..]))
}

#[inline(always)]
fn boolean(bytes: &[u8]) -> Option<(bool, &[u8])> {
    match bytes {
        [b't', b'r', b'u', b'e', rest @ ..] => Some((true, rest)),
        [b'f', b'a', b'l', b's', b'e', rest @ ..] => Some((false, rest)),
        _ => None,
    }
}

/// A part of JSON text.
#[derive(Clone, Copy)]
pub(crate) enum JsonPart<'a> {
    /// The text between strings.
    /// It consists of brackets, commas, colons, numbers, literals and white space.
    Structure(&'a [u8]),
    /// A key.
    Key(JsonString<'a>),
    /// A string that is a value.
    Text(JsonString<'a>),
}

/// A string of JSON text, without its quotes.
#[derive(Clone, Copy)]
pub(crate) struct JsonString<'a> {
    pub text: Str<'a>,
    /// The length of the string in bytes, if its spelling is the encoder's.
    /// Every escape sequence then has two bytes.
    pub canonical_length: Option<usize>,
}

/// Calls `on` with each part of valid JSON text, until it returns `false`.
///
/// Decision: parts, not tokens. There may be any number of tokens between two strings, and none of them is truncated.
pub(super) fn parts<'a>(text: &'a [u8], on: &mut dyn FnMut(JsonPart<'a>) -> bool) {
    let mut rest = text;
    loop {
        let (structure, string) =
            rest.split_at_checked(memchr(b'"', rest).unwrap_or(rest.len())).unwrap_or_default();
        if !on(JsonPart::Structure(structure)) || string.is_empty() {
            return;
        }
        let (string, after) = first_string(string);
        rest = after;
        let is_key = rest.trim_ascii_start().first() == Some(&b':');
        if !on(if is_key { JsonPart::Key(string) } else { JsonPart::Text(string) }) {
            return;
        }
    }
}

/// Splits off the valid string at the beginning of a text.
fn first_string(text: &[u8]) -> (JsonString<'_>, &[u8]) {
    let text = text.get(1..).unwrap_or_default();
    let (mut escapes, mut is_short) = (0_usize, true);
    let end = each_escape(text, |_, escape| {
        escapes = escapes.saturating_add(1);
        is_short &= matches!(escape, b'"' | b'\\' | b'n' | b'r' | b't');
        true
    });
    let (inside, after) = text.split_at_checked(end).unwrap_or_default();
    let text = if escapes > 0 { Str::Escaped(inside) } else { Str::Plain(inside) };
    let canonical_length = is_short.then(|| end.saturating_sub(escapes));
    (JsonString { text, canonical_length }, after.get(1..).unwrap_or_default())
}

impl OpenContainers {
    fn push(&mut self, map: bool) -> bool {
        self.depth = self.depth.saturating_add(1);
        self.maps = self.maps << 1 | u32::from(map);
        self.depth <= MAX_DEPTH
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.maps >>= 1;
    }

    /// Returns whether the innermost container is a map; `None` if none is open.
    fn innermost(self) -> Option<bool> {
        (self.depth > 0).then_some(self.maps & 1 == 1)
    }
}

/// Splits off the next element of a valid list.
///
/// `text` begins at the list's opening bracket or after an element.
pub(crate) fn element(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    match text.trim_ascii_start().split_first()? {
        (b'[' | b',', rest) => first_value(rest).ok(),
        _ => None,
    }
}

/// Returns the value after a key's closing quote; `Null` if there is none.
///
/// A map or list is returned without its content.
pub(crate) fn value_after_key(text: &[u8]) -> Value<'_> {
    let Some((b'"', rest)) = text.split_first() else { return Value::Null };
    let Some(rest) = rest.trim_ascii_start().strip_prefix(b":") else { return Value::Null };
    match JsonReader::new(rest).value() {
        Ok(Token::Map) => Value::Map(&[]),
        Ok(Token::List) => Value::List(&[]),
        Ok(Token::Str(text)) => Value::Str(text),
        Ok(Token::Number(number)) => Value::Number(number),
        _ => Value::Null,
    }
}
