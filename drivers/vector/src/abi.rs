//! Creates a Lua as Vector does. The only unsafe code.

#![expect(unsafe_code, reason = "a C module is loaded")]

use mlua::{Lua, LuaOptions, StdLib};

/// Returns a Lua that loads C modules, created as the `lua` transform creates it.
pub fn lua() -> Lua {
    // SAFETY: a C module may do anything to this process; the only one loaded here is the module under test.
    unsafe { Lua::unsafe_new_with(StdLib::ALL_SAFE, LuaOptions::default()) }
}
