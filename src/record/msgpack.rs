//! The reader of `MessagePack`, the encoding of Fluent Bit's events.

use alloc::vec::Vec;

use super::duplicates::may_have_duplicates;
use super::key_cache::{Cursor, KeyCache, KeySet, RawKey};
use super::simd::is_ascii;
use super::token::read_bytes;
use super::{
    MAX_DEPTH, MemberVisitor, Number, Quality, Reader, Record, Scan, Str, SyntaxError, SyntaxErrorKind,
    Token, Value,
};

const _: () = assert!(MAX_DEPTH <= 32, "a bit for each");

/// Reads one `MessagePack` value, token by token.
#[derive(Clone)]
pub(crate) struct MsgPackReader<'a> {
    input: &'a [u8],
    /// The unread bytes.
    rest: &'a [u8],
    /// The number of remaining members or elements of each open map or list.
    remaining: [u32; MAX_DEPTH],
    /// The open containers that are maps, and those whose next token is a value.
    maps: u32,
    values: u32,
    depth: usize,
    started: bool,
    quality: Quality,
    /// The expected number of bytes with the highest bit set.
    ///
    /// It is exact for the bytes that [`members`] has read, if all short strings are ASCII.
    high_bytes: usize,
}

/// The beginning of a value: the head of a container, or a whole token.
enum Head<'a> {
    Map(u32),
    List(u32),
    Token(Token<'a>),
}

impl<'a> MsgPackReader<'a> {
    /// Creates a reader of the value at the beginning of `bytes`.
    ///
    /// Anything may follow the value.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            input: bytes,
            rest: bytes,
            remaining: [0; MAX_DEPTH],
            maps: 0,
            values: 0,
            depth: 0,
            started: false,
            quality: Quality::default(),
            high_bytes: 0,
        }
    }

    /// Returns the result of a scan.
    fn scan(&self) -> Scan<'a> {
        Scan {
            body: Record::msgpack(self.input),
            quality: self.quality,
            plain: false,
            high_bytes: self.high_bytes,
        }
    }

    /// Returns an error at the current position.
    #[cold]
    pub fn error(&self, kind: SyntaxErrorKind) -> SyntaxError {
        SyntaxError { kind, offset: self.input.len().saturating_sub(self.rest.len()) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SyntaxError> {
        let (bytes, rest) =
            self.rest.split_first_chunk().ok_or_else(|| self.error(SyntaxErrorKind::EndsEarly))?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn bytes(&mut self, length: u32) -> Result<&'a [u8], SyntaxError> {
        let (bytes, rest) = self
            .rest
            .split_at_checked(length as usize)
            .ok_or_else(|| self.error(SyntaxErrorKind::EndsEarly))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u32, SyntaxError> {
        self.array::<1>().map(|[byte]| u32::from(byte))
    }

    fn u16(&mut self) -> Result<u32, SyntaxError> {
        self.array().map(|bytes| u32::from(u16::from_be_bytes(bytes)))
    }

    fn u32(&mut self) -> Result<u32, SyntaxError> {
        self.array().map(u32::from_be_bytes)
    }

    fn str(&mut self, length: u32) -> Result<Head<'a>, SyntaxError> {
        let bytes = self.bytes(length)?;
        self.quality.add(utf8_quality(bytes));
        Ok(Head::Token(Token::Str(Str::Plain(bytes))))
    }

    fn bin(&mut self, length: u32) -> Result<Head<'a>, SyntaxError> {
        self.quality.add(Quality::NO_JSON_TYPE);
        Ok(Head::Token(Token::Str(Str::Plain(self.bytes(length)?))))
    }

    fn ext(&mut self, length: u32) -> Result<Head<'a>, SyntaxError> {
        self.quality.add(Quality::NO_JSON_TYPE);
        let [kind] = self.array()?;
        let bytes = self.bytes(length)?;
        Ok(Head::Token(Token::Extension(i8::from_be_bytes([kind]), bytes.len())))
    }

    fn float(&mut self, value: f64) -> Head<'a> {
        if !value.is_finite() {
            self.quality.add(Quality::NUMBER_RANGE);
        }
        Head::Token(Token::Number(Number::Float(value)))
    }

    /// Reads one value; of a map or list only its head. This is the whole grammar.
    fn head(&mut self) -> Result<Head<'a>, SyntaxError> {
        let [head] = self.array()?;
        let low = |mask: u8| u32::from(head & mask);
        let int = |value| Head::Token(Token::Number(Number::Int(value)));
        Ok(match head {
            0x00..=0x7f => int(i64::from(head)),
            0x80..=0x8f => Head::Map(low(0x0f)),
            0x90..=0x9f => Head::List(low(0x0f)),
            0xa0..=0xbf => self.str(low(0x1f))?,
            0xc0 => Head::Token(Token::Null),
            0xc1 => return Err(self.error(SyntaxErrorKind::UnusedByte)),
            0xc2 | 0xc3 => Head::Token(Token::Bool(head == 0xc3)),
            0xc4 => self.u8().and_then(|length| self.bin(length))?,
            0xc5 => self.u16().and_then(|length| self.bin(length))?,
            0xc6 => self.u32().and_then(|length| self.bin(length))?,
            0xc7 => self.u8().and_then(|length| self.ext(length))?,
            0xc8 => self.u16().and_then(|length| self.ext(length))?,
            0xc9 => self.u32().and_then(|length| self.ext(length))?,
            0xca => {
                let value = f32::from_be_bytes(self.array()?);
                self.float(f64::from(value))
            }
            0xcb => {
                let value = f64::from_be_bytes(self.array()?);
                self.float(value)
            }
            0xcc => int(i64::from(self.u8()?)),
            0xcd => int(i64::from(self.u16()?)),
            0xce => int(i64::from(self.u32()?)),
            0xcf => Head::Token(Token::Number(unsigned(u64::from_be_bytes(self.array()?)))),
            0xd0 => int(i64::from(i8::from_be_bytes(self.array()?))),
            0xd1 => int(i64::from(i16::from_be_bytes(self.array()?))),
            0xd2 => int(i64::from(i32::from_be_bytes(self.array()?))),
            0xd3 => int(i64::from_be_bytes(self.array()?)),
            0xd4 => self.ext(1)?,
            0xd5 => self.ext(2)?,
            0xd6 => self.ext(4)?,
            0xd7 => self.ext(8)?,
            0xd8 => self.ext(16)?,
            0xd9 => self.u8().and_then(|length| self.str(length))?,
            0xda => self.u16().and_then(|length| self.str(length))?,
            0xdb => self.u32().and_then(|length| self.str(length))?,
            0xdc => Head::List(self.u16()?),
            0xdd => Head::List(self.u32()?),
            0xde => Head::Map(self.u16()?),
            0xdf => Head::Map(self.u32()?),
            0xe0..=0xff => int(i64::from(i8::from_be_bytes([head]))),
        })
    }

    /// Reads a value; of a map or list only its head.
    fn value(&mut self) -> Result<Token<'a>, SyntaxError> {
        match self.head()? {
            Head::Map(count) => self.begin(count, true).map(|()| Token::Map),
            Head::List(count) => self.begin(count, false).map(|()| Token::List),
            Head::Token(token) => Ok(token),
        }
    }

    fn begin(&mut self, left: u32, map: bool) -> Result<(), SyntaxError> {
        let Some(slot) = self.remaining.get_mut(self.depth) else {
            return Err(self.error(SyntaxErrorKind::TooDeep));
        };
        *slot = left;
        let bit = bit_of(self.depth);
        self.maps = if map { self.maps | bit } else { self.maps & !bit };
        self.values &= !bit;
        self.depth = self.depth.wrapping_add(1);
        Ok(())
    }

    /// Reads the head of a record, the outermost map; returns its member count.
    #[inline]
    fn record_start(&mut self) -> Result<u32, SyntaxError> {
        self.begin(0, true)?;
        match self.head()? {
            Head::Map(count) => Ok(count),
            _ => Err(SyntaxError { kind: SyntaxErrorKind::NotAnObject, offset: 0 }),
        }
    }

    /// Reads a key. A key of another type is returned as a string or a number.
    fn key(&mut self) -> Result<Token<'a>, SyntaxError> {
        let Head::Token(token) = self.head()? else {
            return Err(self.error(SyntaxErrorKind::ContainerKey));
        };
        let key = match token {
            Token::Str(key) => return Ok(Token::Key(key)),
            Token::Number(number) => {
                self.quality.add(Quality::NO_JSON_TYPE);
                return Ok(Token::NumberKey(number));
            }
            Token::Bool(true) => "true",
            Token::Bool(false) => "false",
            Token::Extension(..) => "extension",
            _ => "null",
        };
        self.quality.add(Quality::NO_JSON_TYPE);
        Ok(Token::Key(Str::Plain(key.as_bytes())))
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
        let start = self.rest;
        let Token::Key(Str::Plain(key)) = self.key()? else {
            return Ok(cache.look_up(cursor, b"", None));
        };
        let source = start.get(..start.len().saturating_sub(self.rest.len())).unwrap_or_default();
        // Only the shortest form of a key is cached: one spelling for each key.
        let is_shortest = match source {
            [0xa0..=0xbf, ..] => true,
            [0xd9, length, ..] => *length >= 32,
            _ => false,
        };
        // Only ASCII is cached: the byte count in `members` relies on it.
        let raw = RawKey::new(source).filter(|_| is_shortest && is_ascii(key));
        Ok(cache.look_up(cursor, key, raw))
    }

    /// Reads the value of a member. A map or list is checked and skipped, with its keys if `verbatim`.
    #[cold]
    fn member_value(&mut self, verbatim: bool) -> Result<Value<'a>, SyntaxError> {
        let start = self.rest;
        Ok(match self.value()? {
            Token::Str(text) => Value::Str(text),
            Token::Number(number) if number.is_finite() => Value::Number(number),
            Token::Bool(value) => Value::Bool(value),
            token @ (Token::Map | Token::List) => {
                if verbatim {
                    self.nested()?;
                } else {
                    self.started = true;
                    self.skip()?;
                }
                let bytes = start.get(..start.len().saturating_sub(self.rest.len())).unwrap_or_default();
                if matches!(token, Token::Map) { Value::Map(bytes) } else { Value::List(bytes) }
            }
            _ => Value::Null,
        })
    }

    /// Adds the bytes between `start` and the current position to the count.
    ///
    /// A key or value begins at `start`, whose head was already counted.
    fn count_read_bytes(&mut self, start: &[u8]) {
        self.high_bytes = self.high_bytes.wrapping_add(high_bytes_before(start, self.rest)).wrapping_sub(1);
    }

    /// Skips the most common tokens of the innermost map or list; returns whether it ends.
    ///
    /// It stops at any other token, which `next` reads or reports.
    #[inline]
    fn skip_common(&mut self) -> bool {
        let Some(outer) = self.depth.checked_sub(1) else { return false };
        let Some(left) = self.remaining.get_mut(outer) else { return false };
        let bit = bit_of(outer);
        let is_map = self.maps & bit != 0;
        let (mut is_value, mut rest, mut remaining) = (self.values & bit != 0, self.rest, *left);
        while is_value || remaining > 0 {
            rest = match rest {
                [0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff, after @ ..] => after,
                // An empty map or list. It is not a key.
                [0x80 | 0x90, after @ ..] if (is_value || !is_map) && self.depth < MAX_DEPTH => after,
                _ => match short_string(rest) {
                    Some((_, after)) => after,
                    None => break,
                },
            };
            remaining = remaining.wrapping_sub(u32::from(!is_value));
            is_value = is_map && !is_value;
        }
        (self.rest, *left) = (rest, remaining);
        self.values = if is_value { self.values | bit } else { self.values & !bit };
        let ends = remaining == 0 && !is_value;
        if ends {
            self.depth = outer;
        }
        ends
    }

    /// Skips the innermost map or list, checking it for duplicate keys.
    fn nested(&mut self) -> Result<(), SyntaxError> {
        self.started = true;
        if may_have_duplicates(self)? {
            self.quality.add(Quality::MAYBE_DUPLICATE);
        }
        Ok(())
    }
}

/// Calls `on` with each string that is a value.
///
/// The two numbers are the bytes from the string's head to the end, and after the string.
pub(super) fn strings<'a>(bytes: &'a [u8], on: &mut dyn FnMut(&'a [u8], usize, usize)) {
    let mut reader = MsgPackReader::new(bytes);
    loop {
        let head = reader.rest.len();
        match reader.next() {
            Ok(Some(Token::Str(text))) => on(text.source(), head, reader.rest.len()),
            Ok(Some(_)) => (),
            _ => return,
        }
    }
}

impl<'a> Reader<'a> for MsgPackReader<'a> {
    fn next(&mut self) -> Result<Option<Token<'a>>, SyntaxError> {
        let Some(outer) = self.depth.checked_sub(1) else {
            let first = !core::mem::replace(&mut self.started, true);
            return if first { self.value().map(Some) } else { Ok(None) };
        };
        let bit = bit_of(outer);
        if self.values & bit != 0 {
            self.values &= !bit;
            return self.value().map(Some);
        }
        let left = self.remaining.get_mut(outer);
        let Some((left, fewer)) = left.and_then(|left| left.checked_sub(1).map(|fewer| (left, fewer))) else {
            self.depth = outer;
            return Ok(Some(Token::End));
        };
        *left = fewer;
        let is_map = self.maps & bit != 0;
        if is_map {
            self.values |= bit;
            self.key()
        } else {
            self.value()
        }
        .map(Some)
    }

    fn skip(&mut self) -> Result<(), SyntaxError> {
        let depth = self.depth;
        while self.depth >= depth {
            if !self.skip_common() {
                self.next()?;
            }
        }
        Ok(())
    }
}

/// Returns the bit of a depth, which is below 32.
fn bit_of(depth: usize) -> u32 {
    u32::try_from(depth).map_or(0, |depth| 1_u32.wrapping_shl(depth))
}

/// Returns the bytes after the first value, skipped without a depth limit.
///
/// # Errors
/// The bytes are not a complete value.
pub(crate) fn skip_value(bytes: &[u8]) -> Result<&[u8], SyntaxError> {
    let mut reader = MsgPackReader::new(bytes);
    let mut rest = bytes;
    let mut left = 1_u64;
    while let Some(less) = left.checked_sub(1) {
        left = less;
        if let Some((_, after)) = short_string(rest) {
            rest = after;
            continue;
        }
        reader.rest = rest;
        left = match reader.head()? {
            Head::Map(count) => less.saturating_add(u64::from(count) << 1),
            Head::List(count) => less.saturating_add(u64::from(count)),
            Head::Token(_) => less,
        };
        rest = reader.rest;
    }
    Ok(rest)
}

/// Passes the members of the record in order to `visitor`.
///
/// Otherwise as [`super::json::members`]. The result contains the number of bytes with the highest bit set, if all
/// short strings are ASCII; [`is_utf8`] compares it.
///
/// Decision: short strings are checked together, and only in kept records, so that a dropped record pays nothing for
/// it.
#[inline(never)]
pub(crate) fn members<'a, K: KeySet, V: MemberVisitor<'a, K::Meaning>>(
    bytes: &'a [u8],
    cache: &mut KeyCache<K>,
    visitor: &mut V,
) -> Result<Scan<'a>, SyntaxError> {
    let mut reader = MsgPackReader::new(bytes);
    let count = reader.record_start()?;
    let mut rest = reader.rest;
    let mut cursor = cache.start(false);
    let mut expected = cache.expected(&cursor);
    // The head of each map, key and value has the bit. Values that the reader reads are counted as a whole.
    reader.high_bytes =
        high_bytes_in(u64::from(count)).wrapping_add(1).wrapping_add((count as usize).wrapping_mul(2));
    let mut left = count;
    while left > 0 {
        left = left.wrapping_sub(1);
        let meaning;
        if let Some((cached, later)) = expected.split_first()
            && let Some(after) = cached.follow(rest)
        {
            (expected, rest) = (later, after);
            meaning = cached.meaning;
        } else {
            reader.rest = rest;
            meaning = reader.member_key(cache, &mut cursor, expected.len())?;
            if V::VERBATIM {
                reader.count_read_bytes(rest);
            }
            rest = reader.rest;
            expected = cache.expected(&cursor);
        }
        if let Some((text, after)) = short_string(rest) {
            visitor.text(meaning, text);
            rest = after;
        } else if let Some((value, number, after)) = common_value(rest) {
            visitor.value(meaning, value);
            reader.high_bytes = reader.high_bytes.wrapping_add(high_bytes_in(number));
            rest = after;
        } else {
            reader.rest = rest;
            visitor.value(meaning, reader.member_value(V::VERBATIM)?);
            if V::VERBATIM {
                reader.count_read_bytes(rest);
            }
            rest = reader.rest;
        }
    }
    if cursor.maybe_duplicate {
        reader.quality.add(Quality::MAYBE_DUPLICATE);
    }
    reader.rest = rest;
    if !rest.is_empty() {
        return Err(reader.error(SyntaxErrorKind::TrailingBytes));
    }
    Ok(reader.scan())
}

/// Calls `on` for each member of the record, without a cache.
///
/// Returns the properties, in which duplicate keys are not yet checked, and the count that [`is_utf8`] takes.
pub(crate) fn each_member<'a>(
    bytes: &'a [u8],
    on: &mut dyn FnMut(Str<'a>, Value<'a>),
) -> Result<Scan<'a>, SyntaxError> {
    let mut reader = MsgPackReader::new(bytes);
    let count = reader.record_start()?;
    for _ in 0..count {
        let key = match reader.key()? {
            Token::Key(key) => key,
            _ => Str::Plain(b""),
        };
        on(key, reader.member_value(true)?);
    }
    if !reader.rest.is_empty() {
        return Err(reader.error(SyntaxErrorKind::TrailingBytes));
    }
    reader.quality.add(Quality::MAYBE_DUPLICATE);
    // The reader has checked every string.
    reader.high_bytes = count_high_bytes(bytes);
    Ok(reader.scan())
}

/// Returns the value of the first member of the record whose key is wanted.
///
/// The record is not checked beyond it.
pub(crate) fn find_member<'a>(
    bytes: &'a [u8],
    is_wanted: &mut dyn FnMut(Str<'a>) -> bool,
) -> Result<Value<'a>, SyntaxError> {
    let mut reader = MsgPackReader::new(bytes);
    for _ in 0..reader.record_start()? {
        if matches!(reader.key()?, Token::Key(key) if is_wanted(key)) {
            return reader.member_value(false);
        }
        reader.rest = skip_value(reader.rest)?;
    }
    Ok(Value::Absent)
}

/// Splits off a string of less than 128 bytes, as most keys and values are.
#[inline(always)]
fn short_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match *bytes {
        [head @ 0xa0..=0xbf, ref rest @ ..] => rest.split_at_checked(usize::from(head & 0x1f)),
        [0xd9, length @ ..0x80, ref rest @ ..] => rest.split_at_checked(usize::from(length)),
        _ => None,
    }
}

/// Returns whether all strings of a valid record are UTF-8.
///
/// `expected` is the count that [`members`] returned for the record.
pub(crate) fn is_utf8(bytes: &[u8], expected: usize) -> bool {
    count_high_bytes(bytes) == expected || are_utf8(bytes)
}

/// Counts the bytes of a word that have their highest bit set.
#[inline(always)]
fn high_bytes_in(word: u64) -> usize {
    let ones = u64::from_ne_bytes([1; 8]);
    ((word >> 7 & ones).wrapping_mul(ones) >> 56) as usize
}

/// Counts the bytes with the highest bit set in `all` before its suffix `rest`.
fn high_bytes_before(all: &[u8], rest: &[u8]) -> usize {
    count_high_bytes(all.get(..all.len().wrapping_sub(rest.len())).unwrap_or_default())
}

/// Counts the bytes that have their highest bit set.
#[inline(never)]
fn count_high_bytes(bytes: &[u8]) -> usize {
    // Chunks of a size at which the sum of bytes cannot overflow, and that the vector length divides.
    let count = |chunk: &[u8]| chunk.iter().fold(0_u8, |sum, byte| sum.wrapping_add(byte >> 7));
    bytes.chunks(224).fold(0, |sum, chunk| sum.wrapping_add(usize::from(count(chunk))))
}

/// Returns whether all strings of a valid value are UTF-8.
#[inline(never)]
fn are_utf8(bytes: &[u8]) -> bool {
    let mut reader = MsgPackReader::new(bytes);
    while let Ok(Some(_)) = reader.next() {}
    !reader.quality.has(Quality::NOT_UTF8)
}

/// Splits off an unsigned integer, a boolean or a longer string: most other values.
///
/// The number in the middle is the bytes after the head that are not part of a string, as an integer.
///
/// Decision: with the reader instead, `msgpack-dropped` takes 3,160 instead of 2,856 instructions.
#[inline(always)]
fn common_value(bytes: &[u8]) -> Option<(Value<'_>, u64, &[u8])> {
    let (head, rest) = bytes.split_first()?;
    let int = |number| Value::Number(Number::Int(number));
    Some(match head {
        0xc2 | 0xc3 => (Value::Bool(*head == 0xc3), 0, rest),
        0xcc => {
            let (&number, rest) = rest.split_first()?;
            (int(i64::from(number)), u64::from(number), rest)
        }
        0xcd => {
            let (number, rest) = rest.split_first_chunk()?;
            let number = u16::from_be_bytes(*number);
            (int(i64::from(number)), u64::from(number), rest)
        }
        0xce => {
            let (number, rest) = rest.split_first_chunk()?;
            let number = u32::from_be_bytes(*number);
            (int(i64::from(number)), u64::from(number), rest)
        }
        0xcf => {
            let (number, rest) = rest.split_first_chunk()?;
            let number = u64::from_be_bytes(*number);
            (Value::Number(unsigned(number)), number, rest)
        }
        0xda => {
            let (length, rest) = rest.split_first_chunk()?;
            let length = u16::from_be_bytes(*length);
            let (text, rest) = rest.split_at_checked(usize::from(length))?;
            (Value::Str(Str::Plain(text)), u64::from(length), rest)
        }
        _ => return None,
    })
}

fn utf8_quality(text: &[u8]) -> Quality {
    if is_ascii(text) || simdutf8::basic::from_utf8(text).is_ok() {
        Quality::default()
    } else {
        Quality::NOT_UTF8
    }
}

fn unsigned(value: u64) -> Number<'static> {
    i64::try_from(value).map_or(Number::Uint(value), Number::Int)
}

/// Returns the bytes of a list of byte values (see [`read_bytes`]).
pub(crate) fn byte_list(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = MsgPackReader::new(bytes);
    let Ok(Some(Token::List)) = reader.next() else { return None };
    read_bytes(&mut reader).map(|(bytes, _)| bytes)
}

/// Returns the number and the bytes of a list's elements; zero for other values.
pub(crate) fn list_head(bytes: &[u8]) -> (u32, &[u8]) {
    let mut reader = MsgPackReader::new(bytes);
    match reader.head() {
        Ok(Head::List(count)) => (count, reader.rest),
        _ => (0, &[]),
    }
}

/// Returns the value at the beginning of `bytes`, and the bytes after it.
pub(crate) fn first_value(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let mut reader = MsgPackReader::new(bytes);
    let value = reader.member_value(true).ok()?;
    Some((value, reader.rest))
}

/// Reads `bytes` as one value.
pub(crate) fn value(bytes: &[u8]) -> Result<Value<'_>, SyntaxError> {
    let mut reader = MsgPackReader::new(bytes);
    let value = reader.member_value(true)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(reader.error(SyntaxErrorKind::TrailingBytes)) }
}

/// Returns the value at the beginning of `bytes`; `Null` if there is none.
///
/// A map or list is returned without its content.
pub(crate) fn value_head(bytes: &[u8]) -> Value<'_> {
    match MsgPackReader::new(bytes).head() {
        Ok(Head::Map(_)) => Value::Map(&[]),
        Ok(Head::List(_)) => Value::List(&[]),
        Ok(Head::Token(Token::Str(text))) => Value::Str(text),
        Ok(Head::Token(Token::Number(number))) => Value::Number(number),
        _ => Value::Null,
    }
}
