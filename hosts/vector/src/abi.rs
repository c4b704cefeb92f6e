//! Lua's C interface, as far as mlua's safe one is not enough: the only unsafe code.
//!
//! `luaopen_kaudit` is written by mlua's macro. `skip_memory_check`: Vector sets Lua no limit of memory, and where it
//! sets none for itself, mlua takes an allocation to succeed, too.
//!
//! [`walk`] reads a table on Lua's own stack. Through mlua's safe interface each value takes a reference and a protected
//! call, which made the table way slower than a script in Lua.

use std::ffi::c_int;
use std::slice;

use mlua::Lua;
use mlua::ffi::{self, lua_State};
use mlua::prelude::{LuaResult, LuaTable};

/// Opens the module.
#[mlua::lua_module(name = "kaudit", skip_memory_check)]
fn entry_point(lua: &Lua) -> LuaResult<LuaTable> {
    crate::open(lua)
}

/// What a walk meets. A map's keys and values take turns.
#[derive(Clone, Copy, Debug)]
pub enum Token<'a> {
    /// A table without a first element begins.
    Map,
    /// A table of so many elements begins.
    List(usize),
    /// The innermost table ends.
    End,
    Str(&'a [u8]),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// What has no place in an event: nil in a list, a function and the like.
    Nil,
}

/// Walks a table and all that is in it; whether it nests no deeper than `depth`. `on` must not panic.
pub fn walk(lua: &Lua, table: &LuaTable, depth: u32, on: &mut dyn FnMut(Token<'_>)) -> LuaResult<bool> {
    let mut whole = false;
    // SAFETY: mlua promises a valid state with the table on top and runs the closure protected; the closure owns
    // nothing, and leaves the stack as it found it but for the table, which mlua takes for no result.
    unsafe {
        lua.exec_raw::<()>(table, |state| {
            whole = self::table(state, depth, on);
            ffi::lua_pop(state, 1);
        })?;
    }
    Ok(whole)
}

/// The table on top of the stack, which stays as it is.
///
/// # Safety
/// The state is valid and a table on top. Nothing that is called here raises an error: no table changes while it is
/// walked, no number becomes a string, nothing is allocated but stack that was asked for.
unsafe fn table(state: *mut lua_State, depth: u32, on: &mut dyn FnMut(Token<'_>)) -> bool {
    // SAFETY: the caller's promise; three slots are asked for and at most two used: a key, and a value above it.
    unsafe {
        if depth == 0 || ffi::lua_checkstack(state, 3) == 0 {
            return false;
        }
        let length = ffi::lua_rawlen(state, -1);
        if length > 0 {
            on(Token::List(length));
            for index in 1..=ffi::lua_Integer::try_from(length).unwrap_or(0) {
                ffi::lua_rawgeti(state, -1, index);
                let whole = value(state, depth, on);
                ffi::lua_pop(state, 1);
                if !whole {
                    return false;
                }
            }
        } else {
            on(Token::Map);
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, -2) != 0 {
                on(scalar(state, -2));
                let whole = value(state, depth, on);
                ffi::lua_pop(state, 1);
                if !whole {
                    ffi::lua_pop(state, 1);
                    return false;
                }
            }
        }
    }
    on(Token::End);
    true
}

/// The value on top of the stack, which stays as it is.
///
/// # Safety
/// The state is valid and has a value on top.
unsafe fn value(state: *mut lua_State, depth: u32, on: &mut dyn FnMut(Token<'_>)) -> bool {
    // SAFETY: the caller's promise, and the type is asked for first.
    unsafe {
        if ffi::lua_type(state, -1) == ffi::LUA_TTABLE {
            return table(state, depth - 1, on);
        }
        on(scalar(state, -1));
    }
    true
}

/// The value at an index, if it is no table.
///
/// # Safety
/// The state is valid and has a value at the index, which stays there while the token is looked at: so long do the
/// bytes of a string.
unsafe fn scalar<'a>(state: *mut lua_State, index: c_int) -> Token<'a> {
    // SAFETY: the caller's promise, and each value is read as the type it has.
    unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TSTRING => {
                let mut length = 0;
                let text = ffi::lua_tolstring(state, index, &raw mut length);
                Token::Str(slice::from_raw_parts(text.cast(), length))
            }
            ffi::LUA_TNUMBER if ffi::lua_isinteger(state, index) != 0 => {
                Token::Int(ffi::lua_tointeger(state, index))
            }
            ffi::LUA_TNUMBER => Token::Float(ffi::lua_tonumber(state, index)),
            ffi::LUA_TBOOLEAN => Token::Bool(ffi::lua_toboolean(state, index) != 0),
            _ => Token::Nil,
        }
    }
}
