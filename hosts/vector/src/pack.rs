//! Reads a Lua table into `MessagePack`, the engine's view of decoded records.
//!
//! What a table means is Vector's rule: with a first element it is a list, with the six keys of a date a timestamp, else
//! a map; so an empty list is an empty map. Decision: a copy in a buffer that lives on, rather than a view of the table
//! itself: a view had to walk the whole record, too, and would hold a reference into Lua for every string.

use mlua::prelude::{LuaError, LuaResult, LuaString, LuaTable, LuaValue};

use crate::clock;

/// How deep a table is read: beyond what the engine takes for a finding, so that it says so, and below where a table
/// that contains itself would end.
const MAX_DEPTH: usize = 160;

/// Appends a table.
pub fn table(table: &LuaTable, out: &mut Vec<u8>) -> LuaResult<()> {
    nested(table, MAX_DEPTH, out)
}

fn nested(table: &LuaTable, depth: usize, out: &mut Vec<u8>) -> LuaResult<()> {
    let depth = depth.checked_sub(1).ok_or_else(|| LuaError::runtime("the record is nested too deep"))?;
    if table.raw_len() > 0 {
        let mut items = Vec::with_capacity(table.raw_len());
        table.for_each_value(|item: LuaValue| {
            items.push(item);
            Ok(())
        })?;
        head(items.len(), LIST, out)?;
        return items.iter().try_for_each(|item| value(item, depth, out));
    }
    if let Some(date) = clock::rfc3339(table)? {
        return text(date.as_bytes(), out);
    }
    let mut members = Vec::new();
    table.for_each(|key: LuaValue, value: LuaValue| {
        members.push((key, value));
        Ok(())
    })?;
    head(members.len(), MAP, out)?;
    members.iter().try_for_each(|(key, member)| {
        value(key, depth, out)?;
        value(member, depth, out)
    })
}

fn value(value: &LuaValue, depth: usize, out: &mut Vec<u8>) -> LuaResult<()> {
    match value {
        LuaValue::String(string) => return self::string(string, out),
        LuaValue::Table(table) => return nested(table, depth, out),
        LuaValue::Boolean(value) => out.push(if *value { 0xC3 } else { 0xC2 }),
        LuaValue::Integer(number) => scalar(0xD3, number.to_be_bytes(), out),
        LuaValue::Number(number) => scalar(0xCB, number.to_be_bytes(), out),
        // Functions and the like: Vector refuses an event that holds one.
        _ => out.push(0xC0),
    }
    Ok(())
}

fn string(string: &LuaString, out: &mut Vec<u8>) -> LuaResult<()> {
    text(&string.as_bytes(), out)
}

fn text(bytes: &[u8], out: &mut Vec<u8>) -> LuaResult<()> {
    match u8::try_from(bytes.len()) {
        Ok(length) => out.extend([0xD9, length]),
        Err(_) => head(bytes.len(), STR, out)?,
    }
    out.extend_from_slice(bytes);
    Ok(())
}

const STR: u8 = 0xDB;
const LIST: u8 = 0xDD;
const MAP: u8 = 0xDF;

/// A 32-bit header.
fn head(length: usize, kind: u8, out: &mut Vec<u8>) -> LuaResult<()> {
    let length = u32::try_from(length).map_err(LuaError::external)?;
    out.push(kind);
    out.extend(length.to_be_bytes());
    Ok(())
}

fn scalar(kind: u8, bytes: [u8; 8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend(bytes);
}
