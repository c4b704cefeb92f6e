//! The view over `MessagePack`, the encoding of Fluent Bit's events.
//!
//! A scan checks the structure, and whether the record is what most are: a flat map of ASCII strings, numbers and the
//! like. A second look, at kept records only ([`Record::is_clean`]), tells whether a key stands twice, and of any other
//! record whether each string is UTF-8 and each key a string.

#![expect(clippy::inline_always, reason = "a member of a record costs a call less, measured")]

use std::borrow::Cow;

use super::repeats::Repeats;
use super::{Body, Event, MAX_DEPTH, Malformed, NOT_AN_OBJECT, Number, Record, Text, Value};

/// One record as a `MessagePack` map.
#[derive(Clone, Debug)]
pub struct MsgPack<'a> {
    bytes: &'a [u8],
    /// Whether a scan found nothing but the common.
    common: bool,
}

impl<'a> MsgPack<'a> {
    /// A view of exactly one value.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, common: false }
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

    /// Whether no key stands twice in a flat map.
    fn keys_are_new(&self) -> bool {
        let mut reader = Reader::new(self.bytes);
        let Ok(Token::Map(members)) = reader.token() else { return false };
        let mut repeats = Repeats::new();
        (0..members).all(|_| {
            matches!(reader.key(), Ok(Text::Bytes(key)) if repeats.is_new(key)) && reader.pass().is_ok()
        })
    }

    /// The value's bytes.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> Record<'a> for MsgPack<'a> {
    fn scan<M>(
        &mut self,
        means: impl Fn(Text<'a>) -> Option<M>,
        mut take: impl FnMut(M, Value<'a>),
    ) -> Result<(), Malformed> {
        let mut reader = Reader::new(self.bytes);
        let Token::Map(members) = reader.token()? else {
            return Err(Malformed { offset: 0, what: NOT_AN_OBJECT });
        };
        for _ in 0..members {
            match means(reader.key()?) {
                Some(meaning) => take(meaning, reader.value()?),
                None => reader.pass()?,
            }
        }
        self.common = reader.common;
        if reader.rest.is_empty() { Ok(()) } else { Err(reader.malformed("expected the end of the record")) }
    }

    fn is_clean(&self) -> bool {
        if self.common {
            return self.keys_are_new();
        }
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

/// A token as a string, where only a string will do.
fn as_text<'a>(token: &Token<'a>) -> Cow<'a, str> {
    match *token {
        Token::Str(bytes) | Token::Bin(bytes) => String::from_utf8_lossy(bytes),
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
            Token::Str(bytes) => Self::Text(Text::Bytes(bytes)),
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
    /// Whether all that was read is what nearly all is: nothing nested, strings of ASCII, numbers and the like.
    common: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { all: bytes, rest: bytes, common: true }
    }

    /// A key. One that is no string names no field; it is passed over.
    #[inline(always)]
    fn key(&mut self) -> Result<Text<'a>, Malformed> {
        if let Some(bytes) = self.short() {
            return Ok(Text::Bytes(bytes));
        }
        self.odd_key()
    }

    /// A key other than a short string.
    #[inline(never)]
    fn odd_key(&mut self) -> Result<Text<'a>, Malformed> {
        match self.token()? {
            Token::Str(bytes) => Ok(Text::Bytes(bytes)),
            Token::Map(_) | Token::List(_) => Err(self.malformed(NESTED_KEY)),
            _ => {
                self.common = false;
                Ok(Text::Plain(""))
            }
        }
    }

    /// One value; a nested one is checked and passed over.
    #[inline(always)]
    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        if let Some(bytes) = self.short() {
            return Ok(Value::Text(Text::Bytes(bytes)));
        }
        self.odd_value()
    }

    /// One value other than a short string.
    #[inline(never)]
    fn odd_value(&mut self) -> Result<Value<'a>, Malformed> {
        let token = self.token()?;
        if let Some(frame) = Frame::of(&token) {
            self.common = false;
            self.inside(frame, 1, &mut |_| ())?;
        }
        Ok(token.into())
    }

    /// One value that nobody wants.
    #[inline(always)]
    fn pass(&mut self) -> Result<(), Malformed> {
        if self.short().is_some() { Ok(()) } else { self.odd_value().map(drop) }
    }

    /// A string of less than 32 bytes: what most keys and values are.
    #[inline(always)]
    fn short(&mut self) -> Option<&'a [u8]> {
        let (head @ 0xa0..=0xbf, rest) = self.rest.split_first()? else { return None };
        let (text, rest) = rest.split_at_checked(usize::from(head & 0x1f))?;
        self.common &= is_ascii(text);
        self.rest = rest;
        Some(text)
    }

    fn str(&mut self, length: u32) -> Result<Token<'a>, Malformed> {
        let bytes = self.bytes(length)?;
        self.common &= is_ascii(bytes);
        Ok(Token::Str(bytes))
    }

    fn bin(&mut self, length: u32) -> Result<Token<'a>, Malformed> {
        self.common = false;
        self.bytes(length).map(Token::Bin)
    }

    fn float(&mut self, value: f64) -> Token<'a> {
        self.common &= value.is_finite();
        Token::Number(Number::Float(value))
    }

    fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { offset: self.all.len().saturating_sub(self.rest.len()), what }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(|| self.malformed(ENDS))?;
        self.rest = rest;
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
        self.common = false;
        let [kind] = self.array()?;
        Ok(Token::Ext(i8::from_be_bytes([kind]), self.bytes(length)?))
    }

    /// Passes over one value of any depth.
    fn skip(&mut self) -> Result<(), Malformed> {
        let mut wanted = 1_u64;
        while let Some(left) = wanted.checked_sub(1) {
            let inside = match self.token()? {
                Token::Map(count) => u64::from(count).saturating_mul(2),
                Token::List(count) => u64::from(count),
                _ => 0,
            };
            wanted = left.saturating_add(inside);
        }
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

/// Whether a string is ASCII. Most are short: two overlapping reads see them whole.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    let high = |word: u64| word & u64::from_ne_bytes([0x80; 8]);
    if bytes.len() > 16 {
        return bytes.is_ascii();
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return high(u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last)) == 0;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return high(u64::from(u32::from_ne_bytes(*first) | u32::from_ne_bytes(*last))) == 0;
    }
    bytes.iter().all(u8::is_ascii)
}

const ENDS: &str = "the record ends early";
const NESTED_KEY: &str = "a key that is a map or list";

fn unsigned(value: u64) -> Number<'static> {
    i64::try_from(value).map_or(Number::Uint(value), Number::Int)
}

/// An open map or list: how many keys and values are still to come.
#[derive(Clone, Copy, Default)]
struct Frame {
    left: u64,
    map: bool,
}

impl Frame {
    fn of(head: &Token<'_>) -> Option<Self> {
        match *head {
            Token::Map(count) => Some(Self { left: u64::from(count).saturating_mul(2), map: true }),
            Token::List(count) => Some(Self { left: u64::from(count), map: false }),
            _ => None,
        }
    }
}
