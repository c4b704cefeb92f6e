//! Reads a Lua table into `MessagePack`, the engine's view of decoded records.
//!
//! The meaning of a table is Vector's: with a first element it is a list, with the six keys of a date a timestamp,
//! otherwise a map; so an empty list is an empty map. Decision: a copy in a buffer that is reused, rather than a view
//! of the table: most of the cost of either is Lua's transfer of a key and a value, and a view would request them
//! twice.

use mlua::Lua;
use mlua::prelude::{LuaError, LuaResult, LuaTable};

use crate::abi::{self, Table, Value};

/// The maximum depth of a table.
///
/// It is above the engine's maximum, so that the engine reports the depth, and it ends the walk of a table that
/// contains itself.
const MAX_DEPTH: u32 = 160;

/// Writes a table into the emptied buffer.
pub fn table(lua: &Lua, table: &LuaTable, out: &mut Vec<u8>) -> LuaResult<()> {
    out.clear();
    let mut whole = false;
    abi::read(lua, table, |table| whole = Packer { out }.table(table, MAX_DEPTH))?;
    if whole { Ok(()) } else { Err(LuaError::runtime("the record is nested too deep")) }
}

/// Returns whether a table is a date.
pub fn is_date(table: &mut Table) -> bool {
    let mut date = Date::default();
    let known = table.members(|key, value| date.take(&key, &value));
    known && date.is_whole()
}

struct Packer<'o> {
    out: &'o mut Vec<u8>,
}

const SHORT: u8 = 0xA0;
const NIL: u8 = 0xC0;
const STR: u8 = 0xDB;
const LIST: u8 = 0xDD;
const MAP: u8 = 0xDF;

impl Packer<'_> {
    /// Writes a table; returns whether it nests no deeper than `depth`.
    fn table(&mut self, table: &mut Table, depth: u32) -> bool {
        if depth == 0 {
            return false;
        }
        let length = table.length();
        if length > 0 {
            self.head(LIST, length);
            return table.elements(length, |value| self.value(value, depth));
        }
        let at = self.out.len();
        self.head(MAP, 0);
        let mut members = 0_u32;
        let mut date = Date::default();
        let whole = table.members(|key, value| {
            members = members.saturating_add(1);
            date.take(&key, &value);
            self.value(key, depth) && self.value(value, depth)
        });
        if date.is_whole() {
            self.out.truncate(at);
            self.date(&date);
        } else if let Some(length) = self.out.get_mut(at + 1..at + 5) {
            length.copy_from_slice(&members.to_be_bytes());
        }
        whole
    }

    #[inline(always)]
    fn value(&mut self, value: Value<'_>, depth: u32) -> bool {
        match value {
            Value::Table(table) => return self.table(table, depth - 1),
            Value::Str(bytes) => self.text(bytes),
            Value::Int(number) => self.scalar(0xD3, number.to_be_bytes()),
            Value::Float(number) => self.scalar(0xCB, number.to_be_bytes()),
            Value::Bool(value) => self.out.push(if value { 0xC3 } else { 0xC2 }),
            Value::Nil => self.out.push(NIL),
        }
        true
    }

    #[inline(always)]
    fn text(&mut self, bytes: &[u8]) {
        match u8::try_from(bytes.len()) {
            // The shortest form, which the engine reads fastest.
            Ok(length @ 0..=31) => self.out.push(SHORT | length),
            Ok(length) => self.out.extend([0xD9, length]),
            Err(_) => self.head(STR, bytes.len()),
        }
        self.out.extend_from_slice(bytes);
    }

    /// Writes a header of 32 bits: no event has more than 4 GB.
    fn head(&mut self, kind: u8, length: usize) {
        let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        self.out.extend([kind, a, b, c, d]);
    }

    fn scalar(&mut self, kind: u8, bytes: [u8; 8]) {
        self.out.push(kind);
        self.out.extend(bytes);
    }

    /// Writes a date as RFC 3339.
    fn date(&mut self, date: &Date) {
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        for (part, (_, place, digits)) in date.parts.iter().zip(Date::PARTS) {
            let mut rest = *part;
            for digit in text.iter_mut().skip(place).take(digits as usize).rev() {
                *digit += u8::try_from(rest % 10).unwrap_or(0);
                rest /= 10;
            }
        }
        self.text(&text);
    }
}

/// The parts of a date found so far; a map with all of them is a timestamp.
#[derive(Default)]
struct Date {
    parts: [u32; Self::PARTS.len()],
    /// A bit for each part that was found.
    came: u8,
}

impl Date {
    /// The parts' keys, with the offset and the number of their digits in RFC 3339.
    const PARTS: [(&[u8], usize, u32); 7] = [
        (b"year", 0, 4),
        (b"month", 5, 2),
        (b"day", 8, 2),
        (b"hour", 11, 2),
        (b"min", 14, 2),
        (b"sec", 17, 2),
        (b"nanosec", 20, 9),
    ];
    /// The bits of all parts but the fraction.
    const WHOLE: u8 = 0b011_1111;

    /// Stores a member; returns whether it is a part.
    fn take(&mut self, key: &Value<'_>, value: &Value<'_>) -> bool {
        let (Value::Str(key), Value::Int(value)) = (key, value) else { return false };
        let Ok(value) = u32::try_from(*value) else { return false };
        let mut parts = Self::PARTS.iter().enumerate();
        let Some((part, (.., digits))) = parts.find(|(_, (name, ..))| name == key) else { return false };
        match self.parts.get_mut(part) {
            Some(place) if value < 10_u32.pow(*digits) => *place = value,
            _ => return false,
        }
        self.came |= 1 << part;
        true
    }

    fn is_whole(&self) -> bool {
        self.came & Self::WHOLE == Self::WHOLE
    }
}
