//! The parts of Lua's C interface that mlua's safe one lacks: the only unsafe code.
//!
//! A [`Table`] is read on Lua's own stack. Through mlua's safe interface each value takes a reference and a protected
//! call, which made the table mode slower than a script in Lua.

#![expect(unsafe_code, reason = "Lua's interface is in C")]

mod export;

use std::ffi::c_int;
use std::slice;

use mlua::Lua;
use mlua::ffi::{self, lua_Integer, lua_State};
use mlua::prelude::{LuaResult, LuaTable};

/// A value on Lua's stack, borrowed.
pub enum Value<'v> {
    Table(&'v mut Table),
    Str(&'v [u8]),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// A value that an event cannot contain: nil in a list, a function and others.
    Nil,
}

/// A table on Lua's stack.
pub struct Table {
    state: *mut lua_State,
    /// Its index on the stack, counted from the bottom.
    ///
    /// It is on top: a walk pops the values that it pushes above it, and borrows the table until then.
    index: c_int,
}

/// Reads a table. `read` must not panic.
pub fn read(lua: &Lua, table: &LuaTable, read: impl FnOnce(&mut Table)) -> LuaResult<()> {
    // SAFETY: mlua promises a valid state, in which the table is alone on the stack, and runs the closure protected;
    // the closure leaves only the table there, which is popped, so that mlua returns no result.
    unsafe {
        lua.exec_raw(table, |state| {
            read(&mut Table { state, index: 1 });
            ffi::lua_pop(state, 1);
        })
    }
}

impl Table {
    /// Returns the number of elements of a list; 0: the table is not a list.
    pub fn length(&self) -> usize {
        // SAFETY: the table is at its index for as long as it is borrowed, and no metamethod is called.
        unsafe { ffi::lua_rawlen(self.state, self.index) }
    }

    /// Calls `on` with each of the first `length` elements until it returns `false`; returns whether it never did.
    pub fn elements(&mut self, length: usize, mut on: impl FnMut(Value<'_>) -> bool) -> bool {
        let Self { state, index } = *self;
        let mut inner = Self { state, index: index + 1 };
        // SAFETY: the table stays on top; the slot above it is reserved, and empty again after each iteration.
        unsafe {
            if ffi::lua_checkstack(state, 1) == 0 {
                return false;
            }
            for element in 1..=lua_Integer::try_from(length).unwrap_or(0) {
                ffi::lua_rawgeti(state, index, element);
                let whole = on(value(state, index + 1, Some(&mut inner)));
                ffi::lua_pop(state, 1);
                if !whole {
                    return false;
                }
            }
        }
        true
    }

    /// Calls `on` with each key and its value until it returns `false`; returns whether it never did.
    ///
    /// A key that is a table is passed as nil.
    pub fn members(&mut self, mut on: impl FnMut(Value<'_>, Value<'_>) -> bool) -> bool {
        let Self { state, index } = *self;
        let mut inner = Self { state, index: index + 2 };
        // SAFETY: the table stays on top; the two slots above it, for a key and its value, are reserved. The key is not
        // converted to a string, and no code can change the table meanwhile, so `lua_next` raises no error.
        unsafe {
            if ffi::lua_checkstack(state, 2) == 0 {
                return false;
            }
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, index) != 0 {
                if !on(value(state, index + 1, None), value(state, index + 2, Some(&mut inner))) {
                    ffi::lua_pop(state, 2);
                    return false;
                }
                ffi::lua_pop(state, 1);
            }
        }
        true
    }
}

/// Returns the value at an index. `table` is the reader of that index, for a value that is a table.
///
/// # Safety
/// The state is valid and has a value at the index, which stays there while the result is borrowed; so do the bytes of
/// a string.
#[inline(always)]
unsafe fn value(state: *mut lua_State, index: c_int, table: Option<&mut Table>) -> Value<'_> {
    // SAFETY: the caller's promise, and each value is read as the type it has.
    unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TSTRING => {
                let mut length = 0;
                let text = ffi::lua_tolstring(state, index, &raw mut length);
                Value::Str(slice::from_raw_parts(text.cast(), length))
            }
            ffi::LUA_TNUMBER if ffi::lua_isinteger(state, index) != 0 => {
                Value::Int(ffi::lua_tointeger(state, index))
            }
            ffi::LUA_TNUMBER => Value::Float(ffi::lua_tonumber(state, index)),
            ffi::LUA_TBOOLEAN => Value::Bool(ffi::lua_toboolean(state, index) != 0),
            ffi::LUA_TTABLE => table.map_or(Value::Nil, Value::Table),
            _ => Value::Nil,
        }
    }
}
