//! What Lua calls when it loads the module: `luaopen_kaudit`, written by mlua's macro. The only unsafe code, and none of
//! it is ours: the exported function relies on Lua's promise to call it with a valid state.

use mlua::Lua;
use mlua::prelude::{LuaResult, LuaTable};

/// Opens the module.
#[mlua::lua_module(name = "kaudit")]
fn entry_point(lua: &Lua) -> LuaResult<LuaTable> {
    crate::open(lua)
}
