//! Lua's C interface, as far as mlua's safe one is not enough: the only unsafe code.
//!
//! A [`Table`] is read on Lua's own stack. Through mlua's safe interface each value takes a reference and a protected
//! call, which made the table way slower than a script in Lua.

#![expect(unsafe_code, reason = "Lua's interface is in C")]

mod export;

use std::ffi::c_int;
use std::slice;

use mlua::Lua;
use mlua::ffi::{self, lua_Integer, lua_State};
use mlua::prelude::{LuaResult, LuaTable};

/// A value, for as long as it is looked at.
pub enum Value<'v> {
    Table(&'v mut Table),
    Str(&'v [u8]),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// What has no place in an event: nil in a list, a function and the like.
    Nil,
}

/// A table on Lua's stack.
pub struct Table {
    state: *mut lua_State,
    /// Its place on the stack, counted from the bottom. It is on top: what a walk puts above it is gone when the walk ends,
    /// and until then it is borrowed.
    place: c_int,
}

/// Reads a table. `read` must not panic.
pub fn read(lua: &Lua, table: &LuaTable, read: impl FnOnce(&mut Table)) -> LuaResult<()> {
    // SAFETY: mlua promises a valid state, in which the table stands alone on the stack, and runs the closure protected;
    // the closure leaves nothing but the table there, which is popped, so that mlua takes it for no result.
    unsafe {
        lua.exec_raw(table, |state| {
            read(&mut Table { state, place: 1 });
            ffi::lua_pop(state, 1);
        })
    }
}

impl Table {
    /// How many elements a list has; 0: the table is none.
    pub fn length(&self) -> usize {
        // SAFETY: the table stands at its place for as long as it is borrowed, and no metamethod is asked.
        unsafe { ffi::lua_rawlen(self.state, self.place) }
    }

    /// Calls `on` with each of so many elements until it gives `false`; whether it never did.
    pub fn elements(&mut self, length: usize, mut on: impl FnMut(Value<'_>) -> bool) -> bool {
        let Self { state, place } = *self;
        let mut inner = Self { state, place: place + 1 };
        // SAFETY: the table is on top, where it stays; the slot above it is asked for, and empty again after each turn.
        unsafe {
            if ffi::lua_checkstack(state, 1) == 0 {
                return false;
            }
            for index in 1..=lua_Integer::try_from(length).unwrap_or(0) {
                ffi::lua_rawgeti(state, place, index);
                let whole = on(value(state, place + 1, Some(&mut inner)));
                ffi::lua_pop(state, 1);
                if !whole {
                    return false;
                }
            }
        }
        true
    }

    /// Calls `on` with each key and its value until it gives `false`; whether it never did. A key that is a table is nil.
    pub fn members(&mut self, mut on: impl FnMut(Value<'_>, Value<'_>) -> bool) -> bool {
        let Self { state, place } = *self;
        let mut inner = Self { state, place: place + 2 };
        // SAFETY: the table is on top, where it stays; the two slots above it, for a key and its value, are asked for. The
        // key is not changed into a string, and nobody can change the table meanwhile: so `lua_next` raises no error.
        unsafe {
            if ffi::lua_checkstack(state, 2) == 0 {
                return false;
            }
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, place) != 0 {
                if !on(value(state, place + 1, None), value(state, place + 2, Some(&mut inner))) {
                    ffi::lua_pop(state, 2);
                    return false;
                }
                ffi::lua_pop(state, 1);
            }
        }
        true
    }
}

/// The value at a place. `table` is that place, as what a table there is read by.
///
/// # Safety
/// The state is valid and has a value at the place, which stays there while it is looked at: so long do the bytes of a
/// string.
#[inline(always)]
unsafe fn value(state: *mut lua_State, place: c_int, table: Option<&mut Table>) -> Value<'_> {
    // SAFETY: the caller's promise, and each value is read as the type it has.
    unsafe {
        match ffi::lua_type(state, place) {
            ffi::LUA_TSTRING => {
                let mut length = 0;
                let text = ffi::lua_tolstring(state, place, &raw mut length);
                Value::Str(slice::from_raw_parts(text.cast(), length))
            }
            ffi::LUA_TNUMBER if ffi::lua_isinteger(state, place) != 0 => {
                Value::Int(ffi::lua_tointeger(state, place))
            }
            ffi::LUA_TNUMBER => Value::Float(ffi::lua_tonumber(state, place)),
            ffi::LUA_TBOOLEAN => Value::Bool(ffi::lua_toboolean(state, place) != 0),
            ffi::LUA_TTABLE => table.map_or(Value::Nil, Value::Table),
            _ => Value::Nil,
        }
    }
}
