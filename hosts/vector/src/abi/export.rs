//! The function `luaopen_kaudit`, which Lua looks up in the file; mlua's macro writes it.
//!
//! `skip_memory_check`: Vector sets Lua no limit of memory, and without one of its own mlua expects allocations to succeed,
//! too.

use mlua::Lua;
use mlua::prelude::{LuaResult, LuaTable};

/// Opens the module.
#[mlua::lua_module(name = "kaudit", skip_memory_check)]
fn entry_point(lua: &Lua) -> LuaResult<LuaTable> {
    crate::open(lua)
}
