//! Lua's C interface, as far as mlua's safe one is not enough: the only unsafe code.
//!
//! `luaopen_kaudit` is written by mlua's macro. `skip_memory_check`: Vector sets Lua no limit of memory, and where it
//! sets none for itself, mlua takes an allocation to succeed, too.
//!
//! A [`Table`] is read on Lua's own stack. Through mlua's safe interface each value takes a reference and a protected
//! call, which made the table way slower than a script in Lua.

use std::ffi::c_int;
use std::slice;

use mlua::Lua;
use mlua::ffi::{self, lua_Integer, lua_State};
use mlua::prelude::{LuaResult, LuaTable};

/// Opens the module.
#[mlua::lua_module(name = "kaudit", skip_memory_check)]
fn entry_point(lua: &Lua) -> LuaResult<LuaTable> {
    crate::open(lua)
}

/// A value, for as long as it is looked at.
#[derive(Clone, Copy)]
pub enum Value<'v> {
    Table(&'v Table),
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
    /// Its place on the stack, counted from the bottom; nothing that is still needed stands above it.
    place: c_int,
}

/// Reads a table. `read` must not panic.
pub fn read(lua: &Lua, table: &LuaTable, read: impl FnOnce(&Table)) -> LuaResult<()> {
    // SAFETY: mlua promises a valid state, in which the table stands alone on the stack, and runs the closure protected;
    // the closure leaves nothing but the table there, which is popped, so that mlua takes it for no result.
    unsafe {
        lua.exec_raw(table, |state| {
            read(&Table { state, place: 1 });
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
    pub fn elements(&self, length: usize, mut on: impl FnMut(Value<'_>) -> bool) -> bool {
        if !self.reserve() {
            return false;
        }
        for index in 1..=lua_Integer::try_from(length).unwrap_or(0) {
            // SAFETY: the table stands at its place, and a slot above it was asked for; what was pushed is popped.
            let whole = unsafe {
                ffi::lua_rawgeti(self.state, self.place, index);
                let whole = with_value(self.state, self.place + 1, &mut on);
                ffi::lua_pop(self.state, 1);
                whole
            };
            if !whole {
                return false;
            }
        }
        true
    }

    /// Calls `on` with each key and its value until it gives `false`; whether it never did.
    pub fn members(&self, mut on: impl FnMut(Value<'_>, Value<'_>) -> bool) -> bool {
        if !self.reserve() {
            return false;
        }
        // SAFETY: the table stands at its place, and the two slots above it were asked for. The key stays as it is, a
        // string is not made of it, and nobody can change the table meanwhile: so `lua_next` raises no error.
        unsafe {
            ffi::lua_pushnil(self.state);
            while ffi::lua_next(self.state, self.place) != 0 {
                let key = scalar(self.state, self.place + 1);
                let whole = with_value(self.state, self.place + 2, |value| on(key, value));
                if !whole {
                    ffi::lua_pop(self.state, 2);
                    return false;
                }
                ffi::lua_pop(self.state, 1);
            }
        }
        true
    }

    /// Makes room on the stack for a key and a value.
    fn reserve(&self) -> bool {
        // SAFETY: a valid state, and this call raises no error.
        unsafe { ffi::lua_checkstack(self.state, 2) != 0 }
    }
}

/// Calls `on` with the value on top of the stack.
///
/// # Safety
/// The state is valid, and the place is that of the value on top.
unsafe fn with_value(state: *mut lua_State, place: c_int, on: impl FnOnce(Value<'_>) -> bool) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        if ffi::lua_type(state, place) == ffi::LUA_TTABLE {
            return on(Value::Table(&Table { state, place }));
        }
        on(scalar(state, place))
    }
}

/// The value at a place, if it is no table.
///
/// # Safety
/// The state is valid and has a value at the place, which stays there while it is looked at: so long do the bytes of a
/// string.
unsafe fn scalar<'v>(state: *mut lua_State, place: c_int) -> Value<'v> {
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
            _ => Value::Nil,
        }
    }
}
