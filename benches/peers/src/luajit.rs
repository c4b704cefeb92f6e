//! A script in LuaJIT, as Fluent Bit runs it.
//!
//! An event's MessagePack becomes a table, the function is called, and its table becomes MessagePack, on the raw stack,
//! as in Fluent Bit's C code. The only unsafe code.

#![expect(unsafe_code, reason = "Lua's interface is in C")]

use std::ffi::c_int;

use mlua::Lua;
use mlua::ffi::{
    LUA_GLOBALSINDEX, LUA_TBOOLEAN, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_State, lua_call,
    lua_createtable, lua_getfield, lua_next, lua_pushboolean, lua_pushlstring, lua_pushnil, lua_pushnumber,
    lua_rawlen, lua_rawset, lua_rawseti, lua_settop, lua_toboolean, lua_tolstring, lua_tonumber, lua_type,
};

use crate::peer::{Answer, Peer};

/// The interpreter with a script.
pub struct LuaJit(Lua);

impl LuaJit {
    /// Loads a script; its name is for errors.
    pub fn new(name: &str, source: &str) -> Self {
        let lua = Lua::new();
        lua.load(source).exec().unwrap_or_else(|error| panic!("{name}: {error}"));
        Self(lua)
    }
}

impl Peer for LuaJit {
    fn answer(&mut self, record: &[u8], now_ms: i64, out: &mut Vec<u8>) -> Answer {
        let mut answer = Answer::NotKept;
        // SAFETY: the closure may leave values on the stack: they are dropped. The record is our own valid MessagePack,
        // so no read exceeds it; an error of Lua is caught around the closure, which owns nothing.
        let ran: mlua::Result<()> = unsafe {
            self.0.exec_raw((), |state| {
                lua_getfield(state, LUA_GLOBALSINDEX, c"cb".as_ptr());
                lua_pushlstring(state, c"kaudit".as_ptr(), 6);
                lua_pushnumber(state, now_ms as f64);
                push(state, &mut &*record);
                lua_call(state, 3, 3);
                if lua_tonumber(state, -3) == 2.0 {
                    write(state, out);
                    answer = Answer::Kept;
                }
                lua_settop(state, 0);
            })
        };
        ran.unwrap_or_else(|error| panic!("the script: {error}"));
        answer
    }
}

/// Pushes the next value.
unsafe fn push(state: *mut lua_State, bytes: &mut &[u8]) {
    // SAFETY: the caller's promise that the value is valid; a table and the current pair take three of the stack's
    // twenty slots.
    unsafe {
        let marker = take(bytes, 1)[0];
        match marker {
            0x00..=0x7f => lua_pushnumber(state, f64::from(marker)),
            0x80..=0x8f => push_map(state, usize::from(marker & 0x0f), bytes),
            0x90..=0x9f => push_list(state, usize::from(marker & 0x0f), bytes),
            0xa0..=0xbf => push_text(state, usize::from(marker & 0x1f), bytes),
            0xc0 => lua_pushnil(state),
            0xc2 | 0xc3 => lua_pushboolean(state, c_int::from(marker == 0xc3)),
            0xca => lua_pushnumber(state, f64::from(f32::from_bits(number(bytes, 4) as u32))),
            0xcb => lua_pushnumber(state, f64::from_bits(number(bytes, 8))),
            0xcc..=0xcf => lua_pushnumber(state, number(bytes, 1 << (marker - 0xcc)) as f64),
            0xd0 => lua_pushnumber(state, f64::from(number(bytes, 1) as i8)),
            0xd1 => lua_pushnumber(state, f64::from(number(bytes, 2) as i16)),
            0xd2 => lua_pushnumber(state, f64::from(number(bytes, 4) as i32)),
            0xd3 => lua_pushnumber(state, number(bytes, 8) as i64 as f64),
            0xd9..=0xdb => {
                let length = number(bytes, 1 << (marker - 0xd9)) as usize;
                push_text(state, length, bytes);
            }
            0xdc | 0xdd => {
                let length = number(bytes, 2 << (marker - 0xdc)) as usize;
                push_list(state, length, bytes);
            }
            0xde | 0xdf => {
                let length = number(bytes, 2 << (marker - 0xde)) as usize;
                push_map(state, length, bytes);
            }
            0xe0..=0xff => lua_pushnumber(state, f64::from(marker as i8)),
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => panic!("not a JSON value: {marker:#x}"),
        }
    }
}

unsafe fn push_map(state: *mut lua_State, length: usize, bytes: &mut &[u8]) {
    // SAFETY: as in `push`.
    unsafe {
        lua_createtable(state, 0, length as c_int);
        for _ in 0..length {
            push(state, bytes);
            push(state, bytes);
            lua_rawset(state, -3);
        }
    }
}

unsafe fn push_list(state: *mut lua_State, length: usize, bytes: &mut &[u8]) {
    // SAFETY: as in `push`.
    unsafe {
        lua_createtable(state, length as c_int, 0);
        for index in 1..=length {
            push(state, bytes);
            lua_rawseti(state, -2, index as i64);
        }
    }
}

unsafe fn push_text(state: *mut lua_State, length: usize, bytes: &mut &[u8]) {
    let text = take(bytes, length);
    // SAFETY: the string has this number of bytes.
    unsafe { lua_pushlstring(state, text.as_ptr().cast(), text.len()) };
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken
}

fn number(bytes: &mut &[u8], length: usize) -> u64 {
    take(bytes, length).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Writes the value on top of the stack, and leaves it there.
unsafe fn write(state: *mut lua_State, out: &mut Vec<u8>) {
    // SAFETY: every slot that is read was just pushed.
    unsafe {
        match lua_type(state, -1) {
            LUA_TBOOLEAN => out.push(if lua_toboolean(state, -1) == 0 { 0xc2 } else { 0xc3 }),
            LUA_TNUMBER => write_number(lua_tonumber(state, -1), out),
            LUA_TSTRING => write_text(state, out),
            LUA_TTABLE => write_table(state, out),
            _ => out.push(0xc0),
        }
    }
}

unsafe fn write_text(state: *mut lua_State, out: &mut Vec<u8>) {
    let mut length = 0;
    // SAFETY: a string is on top, and stays there while its bytes are copied.
    let text = unsafe {
        let text = lua_tolstring(state, -1, &raw mut length);
        std::slice::from_raw_parts(text.cast::<u8>(), length)
    };
    match length {
        0..32 => out.push(0xa0 | length as u8),
        32..256 => out.extend([0xd9, length as u8]),
        _ => {
            out.push(0xdb);
            out.extend((length as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

/// Writes a table; with a first element it is a list.
///
/// The members of a map are counted first, as in Fluent Bit.
unsafe fn write_table(state: *mut lua_State, out: &mut Vec<u8>) {
    // SAFETY: a table is on top; each step of the walk pushes a key and a value, of which the value is popped.
    unsafe {
        let length = lua_rawlen(state, -1);
        let mut members = 0_u32;
        if length == 0 {
            lua_pushnil(state);
            while lua_next(state, -2) != 0 {
                members += 1;
                lua_settop(state, -2);
            }
            out.push(0xdf);
            out.extend(members.to_be_bytes());
        } else {
            out.push(0xdd);
            out.extend((length as u32).to_be_bytes());
        }
        lua_pushnil(state);
        while lua_next(state, -2) != 0 {
            if length == 0 {
                lua_settop(state, -1);
                // The key is below the value; a copy of it on top is written and popped.
                mlua::ffi::lua_pushvalue(state, -2);
                write(state, out);
                lua_settop(state, -2);
            }
            write(state, out);
            lua_settop(state, -2);
        }
    }
}

/// Writes a number, whole numbers as integers.
fn write_number(number: f64, out: &mut Vec<u8>) {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        out.push(0xd3);
        out.extend((number as i64).to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend(number.to_be_bytes());
    }
}
