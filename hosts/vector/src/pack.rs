//! Reads a Lua table into `MessagePack`, the engine's view of decoded records.
//!
//! What a table means is Vector's rule: with a first element it is a list, with the six keys of a date a timestamp, else
//! a map; so an empty list is an empty map. Decision: a copy in a buffer that lives on, rather than a view of the table
//! itself: a view had to walk the whole record, too, and would hold a reference into Lua for every string.

use mlua::Lua;
use mlua::prelude::{LuaError, LuaResult, LuaTable};

use crate::abi::{self, Token};

/// How deep a table is read: beyond what the engine takes for a finding, so that it says so, and an end for a table that
/// contains itself.
const MAX_DEPTH: u32 = 160;

/// Writes a table into the emptied buffer.
pub fn table(lua: &Lua, table: &LuaTable, out: &mut Vec<u8>) -> LuaResult<()> {
    out.clear();
    let mut packer = Packer { out, open: Vec::new() };
    if abi::walk(lua, table, MAX_DEPTH, &mut |token| packer.take(token))? {
        return Ok(());
    }
    Err(LuaError::runtime("the record is nested too deep"))
}

struct Packer<'o> {
    out: &'o mut Vec<u8>,
    open: Vec<Open>,
}

/// A table that has begun.
struct Open {
    /// Where its bytes begin.
    at: usize,
    /// Keys and values of a map so far; of a list, none is counted.
    tokens: Option<u32>,
    date: Date,
}

const SHORT: u8 = 0xA0;
const NIL: u8 = 0xC0;
const STR: u8 = 0xDB;
const LIST: u8 = 0xDD;
const MAP: u8 = 0xDF;

impl Packer<'_> {
    fn take(&mut self, token: Token<'_>) {
        if !matches!(token, Token::End) {
            self.count(token);
        }
        match token {
            Token::Map => self.begin(MAP, 0, Some(0)),
            Token::List(length) => self.begin(LIST, length, None),
            Token::End => self.end(),
            Token::Str(bytes) => self.text(bytes),
            Token::Int(number) => self.scalar(0xD3, number.to_be_bytes()),
            Token::Float(number) => self.scalar(0xCB, number.to_be_bytes()),
            Token::Bool(value) => self.out.push(if value { 0xC3 } else { 0xC2 }),
            Token::Nil => self.out.push(NIL),
        }
    }

    fn count(&mut self, token: Token<'_>) {
        if let Some(Open { tokens: Some(tokens), date, .. }) = self.open.last_mut() {
            if *tokens % 2 == 0 {
                date.key(token);
            } else {
                date.value(token);
            }
            *tokens = tokens.saturating_add(1);
        }
    }

    fn begin(&mut self, kind: u8, length: usize, tokens: Option<u32>) {
        self.open.push(Open { at: self.out.len(), tokens, date: Date::default() });
        self.head(kind, length);
    }

    fn end(&mut self) {
        let Some(Open { at, tokens: Some(tokens), date }) = self.open.pop() else { return };
        if let Some(date) = date.rfc3339() {
            self.out.truncate(at);
            self.text(date.as_bytes());
        } else if let Some(length) = self.out.get_mut(at + 1..at + 5) {
            length.copy_from_slice(&(tokens / 2).to_be_bytes());
        }
    }

    fn text(&mut self, bytes: &[u8]) {
        match u8::try_from(bytes.len()) {
            // The shortest form, which the engine reads quickest.
            Ok(length @ 0..=31) => self.out.push(SHORT | length),
            Ok(length) => self.out.extend([0xD9, length]),
            Err(_) => self.head(STR, bytes.len()),
        }
        self.out.extend_from_slice(bytes);
    }

    /// A header of 32 bits: more than 4 GB no event has.
    fn head(&mut self, kind: u8, length: usize) {
        self.out.push(kind);
        self.out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn scalar(&mut self, kind: u8, bytes: [u8; 8]) {
        self.out.push(kind);
        self.out.extend(bytes);
    }
}

/// What a map may be instead: the keys of a date, as far as they came.
#[derive(Default)]
struct Date {
    /// The part whose value comes next.
    next: Option<usize>,
    parts: [Option<i64>; Self::KEYS.len()],
}

impl Date {
    const KEYS: [&[u8]; 7] = [b"year", b"month", b"day", b"hour", b"min", b"sec", b"nanosec"];

    fn key(&mut self, key: Token<'_>) {
        self.next = match key {
            Token::Str(key) => Self::KEYS.iter().position(|known| *known == key),
            _ => None,
        };
    }

    fn value(&mut self, value: Token<'_>) {
        if let (Some(part), Token::Int(value)) = (self.next.and_then(|next| self.parts.get_mut(next)), value)
        {
            *part = Some(value);
        }
    }

    /// The date as RFC 3339, if all but its fraction is there.
    fn rfc3339(&self) -> Option<String> {
        let [year, month, day, hour, min, sec, nanos] = self.parts;
        let (year, month, day, hour, min, sec) = (year?, month?, day?, hour?, min?, sec?);
        let nanos = nanos.unwrap_or(0);
        Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{min:02}:{sec:02}.{nanos:09}Z"))
    }
}
