//! The view over `MessagePack`, the encoding of Fluent Bit's events.
//!
//! A scan checks the structure and counts the bytes of it that have their highest bit set. Where a record that is kept
//! has no more of them, all its strings are ASCII; only where it has more, [`Record::is_clean`] looks at each string.

#![expect(clippy::inline_always, reason = "a member of a record costs a call less, measured")]

use std::borrow::Cow;

use super::keys::{Encoded, Place};
use super::repeats::{Repeats, Suspicion};
use super::{Body, Event, KnownKeys, MAX_DEPTH, Malformed, NOT_AN_OBJECT, Name, Number, Record, Value, text};

/// One record as a `MessagePack` map.
#[derive(Clone, Debug)]
pub struct MsgPack<'a> {
    bytes: &'a [u8],
    scanned: Scanned,
}

/// What a scan found out besides.
#[derive(Clone, Copy, Debug)]
enum Scanned {
    /// Every byte with its highest bit set is one of the structure, if there are so many of them; no key stands twice.
    Common { high: usize },
    /// There is something that takes a second look.
    Odd,
}

impl<'a> MsgPack<'a> {
    /// A view of exactly one value.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, scanned: Scanned::Odd }
    }

    /// Splits the first value off, its inside passed over.
    ///
    /// # Errors
    /// The bytes are not a whole value.
    pub fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let mut reader = Reader::new(bytes);
        reader.skip()?;
        let length = bytes.len().saturating_sub(reader.rest.len());
        Ok((Self::new(bytes.get(..length).unwrap_or_default()), reader.rest))
    }

    /// The value's bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    fn is_clean_at_second_look(&self) -> bool {
        let mut clean = true;
        let mut repeats = Repeats::new();
        let walked = Reader::new(self.bytes).walk(&mut |step| {
            match step {
                Step::Value(Token::Map(_) | Token::List(_)) => repeats.open(),
                Step::End => repeats.close(),
                _ => (),
            }
            clean &= match step {
                Step::Key(Token::Str(bytes)) => core::str::from_utf8(bytes).is_ok() && repeats.is_new(bytes),
                Step::Value(Token::Str(bytes)) => core::str::from_utf8(bytes).is_ok(),
                Step::Key(_) | Step::Value(Token::Bin(_) | Token::Ext(..)) => false,
                Step::Value(Token::Number(Number::Float(value))) => value.is_finite(),
                Step::Value(_) | Step::End => true,
            };
        });
        clean && walked.is_ok()
    }
}

impl<'a> Record<'a> for MsgPack<'a> {
    #[inline(never)]
    fn scan<M: Copy>(
        &mut self,
        keys: &mut KnownKeys<M>,
        mut take: impl FnMut(M, Value<'a>),
    ) -> Result<(), Malformed> {
        let mut reader = Reader::new(self.bytes);
        let members = reader.members()?;
        let mut suspicion = Suspicion::new();
        // What is still to be read; the reader has it only while it is asked.
        let mut rest = reader.rest;
        let mut place = keys.begin(rest);
        let mut expected = keys.from(place);
        for _ in 0..members {
            let meaning;
            if let Some((known, later)) = expected.split_first()
                && let Some(after) = known.follows(rest)
            {
                (expected, rest) = (later, after);
                meaning = known.meaning;
            } else {
                reader.rest = rest;
                place = keys.before(place, expected.len());
                (meaning, place) = reader.key(keys, place, &mut suspicion)?;
                expected = keys.from(place);
                rest = reader.rest;
            }
            if let Some((text, after)) = short_string(rest) {
                rest = after;
                take(meaning, Value::Bytes(text));
            } else {
                reader.rest = rest;
                take(meaning, reader.odd_value(&mut suspicion)?);
                rest = reader.rest;
            }
        }
        self.scanned = if reader.odd || suspicion.any() {
            Scanned::Odd
        } else {
            // The reader counted what it was asked for; each key and value besides is a short string.
            let short = (members as usize).wrapping_mul(2).wrapping_sub(reader.asked);
            Scanned::Common { high: reader.high.wrapping_add(short) }
        };
        if rest.is_empty() { Ok(()) } else { Err(reader.malformed("expected the end of the record")) }
    }

    fn is_clean(&self) -> bool {
        match self.scanned {
            Scanned::Common { high } if high_bytes(self.bytes) == high => true,
            _ => self.is_clean_at_second_look(),
        }
    }

    fn body(&self) -> Body<'a> {
        Body::MsgPack(self.bytes)
    }

    fn lossy_text(&self) -> String {
        match Reader::new(self.bytes).token() {
            Ok(Token::Str(bytes) | Token::Bin(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            Ok(Token::Number(number)) => number.to_string(),
            _ => hex(self.bytes),
        }
    }
}

/// A string of less than 128 bytes, which most keys and values are: itself, and what follows it. Of the bytes before it
/// one has its highest bit set.
#[inline(always)]
fn short_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match *bytes {
        [head @ 0xa0..=0xbf, ref rest @ ..] => rest.split_at_checked(usize::from(head & 0x1f)),
        [0xd9, length @ ..0x80, ref rest @ ..] => rest.split_at_checked(usize::from(length)),
        _ => None,
    }
}

/// What most values other than short strings are, booleans, whole numbers and longer strings: the value, how many bytes
/// of its structure have their highest bit set, and what follows it.
#[inline]
fn common(bytes: &[u8]) -> Option<(Value<'_>, usize, &[u8])> {
    let (head, rest) = bytes.split_first()?;
    Some(match head {
        0x00..=0x7f => (Value::Number(Number::Int(i64::from(*head))), 0, rest),
        0xc2 | 0xc3 => (Value::Bool(*head == 0xc3), 1, rest),
        0xcc => {
            let (number, rest) = rest.split_first()?;
            (Value::Number(Number::Int(i64::from(*number))), usize::from(number >> 7).wrapping_add(1), rest)
        }
        0xcd => {
            let (number, rest) = rest.split_first_chunk()?;
            let number = u16::from_be_bytes(*number);
            (Value::Number(Number::Int(i64::from(number))), high_in(u64::from(number)).wrapping_add(1), rest)
        }
        0xcf => {
            let (number, rest) = rest.split_first_chunk()?;
            let number = u64::from_be_bytes(*number);
            (Value::Number(unsigned(number)), high_in(number).wrapping_add(1), rest)
        }
        0xda => {
            let (length, rest) = rest.split_first_chunk()?;
            let length = u16::from_be_bytes(*length);
            let (text, rest) = rest.split_at_checked(usize::from(length))?;
            (Value::Bytes(text), high_in(u64::from(length)).wrapping_add(1), rest)
        }
        _ => return None,
    })
}

/// How many bytes a value has whose first byte says so; 0: it does not.
static SIMPLE: [u8; 256] = {
    let mut lengths = [0; 256];
    let mut rest = lengths.as_mut_slice();
    let mut head = 0_u8;
    while let [length, after @ ..] = rest {
        *length = match head {
            0xa0..=0xbf => (head & 0x1f).wrapping_add(1),
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => 1,
            0xcc | 0xd0 => 2,
            0xcd | 0xd1 => 3,
            0xca | 0xce | 0xd2 => 5,
            0xcb | 0xcf | 0xd3 => 9,
            _ => 0,
        };
        head = head.wrapping_add(1);
        rest = after;
    }
    lengths
};

/// What stands behind a value whose first byte tells its length, or that is a longer string.
#[inline(always)]
fn behind_simple(bytes: &[u8]) -> Option<&[u8]> {
    match (SIMPLE.get(usize::from(*bytes.first()?))?, bytes) {
        (0, [0xd9, length, rest @ ..]) => rest.get(usize::from(*length)..),
        (0, [0xda, high, low, rest @ ..]) => rest.get(usize::from(u16::from_be_bytes([*high, *low]))..),
        (0, _) => None,
        (length, _) => bytes.get(usize::from(*length)..),
    }
}

/// The head of a map or list: how many values stand inside, and what follows the head.
#[inline]
fn head_of_many(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let short = |low: u8| u64::from(low & 0x0f);
    let middle = |high, low| u64::from(u16::from_be_bytes([high, low]));
    let long = |bytes| u64::from(u32::from_be_bytes(bytes));
    Some(match *bytes {
        [head @ 0x80..=0x8f, ref rest @ ..] => (short(head) << 1, rest),
        [head @ 0x90..=0x9f, ref rest @ ..] => (short(head), rest),
        [0xdc, high, low, ref rest @ ..] => (middle(high, low), rest),
        [0xdd, a, b, c, d, ref rest @ ..] => (long([a, b, c, d]), rest),
        [0xde, high, low, ref rest @ ..] => (middle(high, low) << 1, rest),
        [0xdf, a, b, c, d, ref rest @ ..] => (long([a, b, c, d]) << 1, rest),
        _ => return None,
    })
}

const LOW_BITS: u64 = u64::from_ne_bytes([1; 8]);

/// For each of a word's bytes 1 where its highest bit is set.
#[inline(always)]
fn high_bits(word: u64) -> u64 {
    word >> 7 & LOW_BITS
}

/// How many of a word's bytes have their highest bit set.
#[inline(always)]
fn high_in(word: u64) -> usize {
    (high_bits(word).wrapping_mul(LOW_BITS) >> 56) as usize
}

/// How many bytes have their highest bit set.
fn high_bytes(bytes: &[u8]) -> usize {
    let mut count = 0_usize;
    // A byte of the sum counts up to 255 words.
    for words in bytes.chunks(255 * 8) {
        let (words, tail) = words.as_chunks();
        let sum =
            words.iter().fold(0_u64, |sum, word| sum.wrapping_add(high_bits(u64::from_ne_bytes(*word))));
        // Two neighbours may be more than a byte can hold.
        let pairs = (sum & 0x00ff_00ff_00ff_00ff).wrapping_add(sum >> 8 & 0x00ff_00ff_00ff_00ff);
        let tail = tail.iter().fold(0, |sum: usize, byte| sum.wrapping_add(usize::from(byte >> 7)));
        let sum = (pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as usize;
        count = count.wrapping_add(sum).wrapping_add(tail);
    }
    count
}

/// Walks a value known to be valid, such as a body that was scanned. What JSON has no word for becomes a string: keys
/// that are none, binary (as text), extensions (as hex) and floats that are not finite.
pub(super) fn walk<'a>(bytes: &'a [u8], mut on: impl FnMut(Event<'a>)) -> Result<(), Malformed> {
    Reader::new(bytes).walk(&mut |step| {
        on(match step {
            Step::Key(token) => Event::Key(as_text(&token)),
            Step::Value(Token::Nil) => Event::Null,
            Step::Value(Token::Bool(value)) => Event::Bool(value),
            Step::Value(Token::Map(count)) => Event::Map(count),
            Step::Value(Token::List(count)) => Event::List(count),
            Step::Value(Token::Number(number)) if is_finite(number) => Event::Number(number),
            Step::Value(token) => Event::Str(as_text(&token)),
            Step::End => Event::End,
        });
    })
}

/// The value that begins here; null if none does.
pub(super) fn value(bytes: &[u8]) -> Value<'_> {
    Reader::new(bytes).token().map_or(Value::Null, Value::from)
}

/// A token as a string, where only a string will do.
fn as_text<'a>(token: &Token<'a>) -> Cow<'a, str> {
    match *token {
        Token::Str(bytes) | Token::Bin(bytes) => text(bytes),
        Token::Number(number) => Cow::Owned(number.to_string()),
        Token::Bool(value) => Cow::Owned(value.to_string()),
        Token::Ext(kind, bytes) => Cow::Owned(format!("ext({kind}):{}", hex(bytes))),
        Token::Nil => Cow::Borrowed("null"),
        Token::Map(_) => Cow::Borrowed("map"),
        Token::List(_) => Cow::Borrowed("list"),
    }
}

fn is_finite(number: Number<'_>) -> bool {
    !matches!(number, Number::Float(value) if !value.is_finite())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}

enum Token<'a> {
    Nil,
    Bool(bool),
    Number(Number<'a>),
    Str(&'a [u8]),
    Bin(&'a [u8]),
    Ext(i8, &'a [u8]),
    Map(u32),
    List(u32),
}

impl<'a> From<Token<'a>> for Value<'a> {
    fn from(token: Token<'a>) -> Self {
        match token {
            Token::Bool(value) => Self::Bool(value),
            Token::Number(number) if is_finite(number) => Self::Number(number),
            Token::Str(bytes) => Self::Bytes(bytes),
            Token::Map(_) => Self::Map,
            Token::List(_) => Self::List,
            Token::Number(_) | Token::Nil | Token::Bin(_) | Token::Ext(..) => Self::Null,
        }
    }
}

enum Step<'a> {
    Key(Token<'a>),
    Value(Token<'a>),
    End,
}

struct Reader<'a> {
    all: &'a [u8],
    rest: &'a [u8],
    /// How many bytes of the structure have their highest bit set.
    high: usize,
    /// How many keys and values of the top level were read here.
    asked: usize,
    /// Whether there was something that such a count does not cover, or that JSON has no word for.
    odd: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { all: bytes, rest: bytes, high: 0, asked: 0, odd: false }
    }

    /// The head of a record: how many members it has.
    #[inline(always)]
    fn members(&mut self) -> Result<u32, Malformed> {
        // As many members as findings have: one byte has its highest bit set.
        if let [head @ 0x80..=0x8f, rest @ ..]
        | [0xde, 0, head @ ..0x80, rest @ ..]
        | [0xdf, 0, 0, 0, head @ ..0x80, rest @ ..] = self.rest
        {
            (self.high, self.rest) = (1, rest);
            return Ok(u32::from(head & 0x7f));
        }
        match self.token()? {
            Token::Map(members) => Ok(members),
            _ => Err(Malformed { offset: 0, what: NOT_AN_OBJECT }),
        }
    }

    /// A key that was not the next of this place: what it means, and the place behind it.
    #[inline(never)]
    fn key<M: Copy>(
        &mut self,
        keys: &mut KnownKeys<M>,
        place: Place,
        suspicion: &mut Suspicion,
    ) -> Result<(M, Place), Malformed> {
        if let Some((meaning, place, rest)) = keys.skip(place, self.rest) {
            self.rest = rest;
            return Ok((meaning, place));
        }
        let key = match short_string(self.rest) {
            Some((key, rest)) => {
                self.rest = rest;
                key
            }
            None => self.odd_key()?,
        };
        // In whichever of its encodings it came, it has the place of the shortest.
        let head = u8::try_from(key.len()).ok().filter(|length| *length < 32).map(|length| 0xa0 | length);
        let encoded = head.and_then(|head| Encoded::of([&[head], key, b""]));
        Ok(keys.find(place, &Name::of(key), encoded, suspicion))
    }

    /// A key other than a short string. One that is no string names no field; it is passed over.
    fn odd_key(&mut self) -> Result<&'a [u8], Malformed> {
        self.asked = self.asked.wrapping_add(1);
        match self.token()? {
            Token::Str(bytes) => Ok(bytes),
            Token::Map(_) | Token::List(_) => Err(self.malformed(NESTED_KEY)),
            _ => {
                self.odd = true;
                Ok(&[])
            }
        }
    }

    /// One value other than a short string; a nested one is checked and passed over.
    #[inline(never)]
    fn odd_value(&mut self, suspicion: &mut Suspicion) -> Result<Value<'a>, Malformed> {
        self.asked = self.asked.wrapping_add(1);
        if let Some((value, high, rest)) = common(self.rest) {
            self.high = self.high.wrapping_add(high);
            self.rest = rest;
            return Ok(value);
        }
        let token = self.token()?;
        if let Some(frame) = Frame::of(&token) {
            self.nested(frame, suspicion)?;
        }
        Ok(token.into())
    }

    #[inline(never)]
    fn nested(&mut self, frame: Frame, suspicion: &mut Suspicion) -> Result<(), Malformed> {
        let mut keys = suspicion.inside();
        let mut odd = false;
        keys.open();
        self.inside(frame, 1, &mut |step| match step {
            Step::Value(Token::Map(_) | Token::List(_)) => keys.open(),
            Step::End => keys.close(),
            Step::Key(Token::Str(key)) => keys.take(key),
            Step::Key(_) => odd = true,
            Step::Value(_) => (),
        })?;
        self.odd |= odd;
        Ok(())
    }

    fn str(&mut self, length: u32) -> Result<Token<'a>, Malformed> {
        self.bytes(length).map(Token::Str)
    }

    fn bin(&mut self, length: u32) -> Result<Token<'a>, Malformed> {
        self.odd = true;
        self.bytes(length).map(Token::Bin)
    }

    fn float(&mut self, value: f64) -> Token<'a> {
        self.odd |= !value.is_finite();
        Token::Number(Number::Float(value))
    }

    fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { offset: self.all.len().saturating_sub(self.rest.len()), what }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(|| self.malformed(ENDS))?;
        self.rest = rest;
        let high = match bytes.first_chunk() {
            Some(word) => high_in(u64::from_ne_bytes(*word)),
            None => bytes.iter().fold(0, |sum: usize, byte| sum.wrapping_add(usize::from(byte >> 7))),
        };
        self.high = self.high.wrapping_add(high);
        Ok(*bytes)
    }

    fn bytes(&mut self, length: u32) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) =
            self.rest.split_at_checked(length as usize).ok_or_else(|| self.malformed(ENDS))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn u8(&mut self) -> Result<u32, Malformed> {
        self.array::<1>().map(|[byte]| u32::from(byte))
    }

    fn u16(&mut self) -> Result<u32, Malformed> {
        self.array().map(|bytes| u32::from(u16::from_be_bytes(bytes)))
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next token; of a map or list only its head.
    fn token(&mut self) -> Result<Token<'a>, Malformed> {
        let [head] = self.array()?;
        let low = |mask: u8| u32::from(head & mask);
        Ok(match head {
            0x00..=0x7f => Token::Number(Number::Int(i64::from(head))),
            0x80..=0x8f => Token::Map(low(0x0f)),
            0x90..=0x9f => Token::List(low(0x0f)),
            0xa0..=0xbf => self.str(low(0x1f))?,
            0xc0 => Token::Nil,
            0xc1 => return Err(self.malformed("unused byte 0xc1")),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
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
            0xcc => Token::Number(Number::Int(i64::from(self.u8()?))),
            0xcd => Token::Number(Number::Int(i64::from(self.u16()?))),
            0xce => Token::Number(Number::Int(i64::from(self.u32()?))),
            0xcf => Token::Number(unsigned(u64::from_be_bytes(self.array()?))),
            0xd0 => Token::Number(Number::Int(i64::from(i8::from_be_bytes(self.array()?)))),
            0xd1 => Token::Number(Number::Int(i64::from(i16::from_be_bytes(self.array()?)))),
            0xd2 => Token::Number(Number::Int(i64::from(i32::from_be_bytes(self.array()?)))),
            0xd3 => Token::Number(Number::Int(i64::from_be_bytes(self.array()?))),
            0xd4 => self.ext(1)?,
            0xd5 => self.ext(2)?,
            0xd6 => self.ext(4)?,
            0xd7 => self.ext(8)?,
            0xd8 => self.ext(16)?,
            0xd9 => self.u8().and_then(|length| self.str(length))?,
            0xda => self.u16().and_then(|length| self.str(length))?,
            0xdb => self.u32().and_then(|length| self.str(length))?,
            0xdc => Token::List(self.u16()?),
            0xdd => Token::List(self.u32()?),
            0xde => Token::Map(self.u16()?),
            0xdf => Token::Map(self.u32()?),
            0xe0..=0xff => Token::Number(Number::Int(i64::from(i8::from_be_bytes([head])))),
        })
    }

    fn ext(&mut self, length: u32) -> Result<Token<'a>, Malformed> {
        self.odd = true;
        let [kind] = self.array()?;
        Ok(Token::Ext(i8::from_be_bytes([kind]), self.bytes(length)?))
    }

    /// Passes over one value of any depth.
    fn skip(&mut self) -> Result<(), Malformed> {
        let mut wanted = 1_u64;
        // What is still to be read; the reader has it only while it is asked.
        let mut rest = self.rest;
        while let Some(left) = wanted.checked_sub(1) {
            wanted = left;
            if let Some(after) = behind_simple(rest) {
                rest = after;
                continue;
            }
            if let Some((inside, after)) = head_of_many(rest) {
                wanted = wanted.saturating_add(inside);
                rest = after;
                continue;
            }
            self.rest = rest;
            self.token()?;
            rest = self.rest;
        }
        self.rest = rest;
        Ok(())
    }

    /// One value of any depth, step by step.
    fn walk(&mut self, on: &mut impl FnMut(Step<'a>)) -> Result<(), Malformed> {
        let head = self.token()?;
        let frame = Frame::of(&head);
        on(Step::Value(head));
        match frame {
            Some(frame) => self.inside(frame, 0, on),
            None => Ok(()),
        }
    }

    fn inside(
        &mut self,
        outermost: Frame,
        floor: usize,
        on: &mut impl FnMut(Step<'a>),
    ) -> Result<(), Malformed> {
        // The frames open around the current one, those below `floor` left out.
        let mut around = [Frame::default(); MAX_DEPTH];
        let mut depth = floor;
        let mut frame = outermost;
        loop {
            let Some(left) = frame.left.checked_sub(1) else {
                on(Step::End);
                if depth == floor {
                    return Ok(());
                }
                depth = depth.saturating_sub(1);
                frame = around.get(depth).copied().unwrap_or_default();
                continue;
            };
            frame.left = left;
            let is_key = frame.map && left & 1 == 1;
            let token = self.token()?;
            let opened = Frame::of(&token);
            if is_key {
                // A map or list as a key: its inside would have to be a key, too.
                if opened.is_some() {
                    return Err(self.malformed(NESTED_KEY));
                }
                on(Step::Key(token));
                continue;
            }
            on(Step::Value(token));
            if let Some(opened) = opened {
                // The current frame is one level more than those around it.
                let too_deep = depth.saturating_add(1) >= MAX_DEPTH;
                let slot = around
                    .get_mut(depth)
                    .filter(|_| !too_deep)
                    .ok_or_else(|| self.malformed("nested too deep"))?;
                *slot = core::mem::replace(&mut frame, opened);
                depth = depth.saturating_add(1);
            }
        }
    }
}

const ENDS: &str = "the record ends early";
const NESTED_KEY: &str = "a key that is a map or list";

fn unsigned(value: u64) -> Number<'static> {
    i64::try_from(value).map_or(Number::Uint(value), Number::Int)
}

/// An open map or list: how many keys and values are still to come.
#[derive(Clone, Copy, Default)]
struct Frame {
    left: u32,
    map: bool,
}

impl Frame {
    fn of(head: &Token<'_>) -> Option<Self> {
        match *head {
            Token::Map(count) => Some(Self { left: count.saturating_mul(2), map: true }),
            Token::List(count) => Some(Self { left: count, map: false }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_passed_over_as_it_is_walked() {
        let mut whole = 0;
        for head in 0..=u8::MAX {
            for length in 0..80 {
                let mut bytes = vec![0; length + 2];
                (bytes[0], bytes[1]) = (head, 3);
                let (mut one, mut other) = (Reader::new(&bytes), Reader::new(&bytes));
                let (skipped, walked) = (one.skip(), other.walk(&mut |_| ()));
                assert_eq!(skipped.is_ok(), walked.is_ok(), "{head:#x}, {length}");
                if skipped.is_ok() {
                    assert_eq!(one.rest.len(), other.rest.len(), "{head:#x}, {length}");
                    whole += 1;
                }
            }
        }
        assert!(whole > 10_000, "most heads are of whole values: {whole}");
    }
}
