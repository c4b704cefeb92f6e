//! Lua as Vector makes it. The only unsafe code.

#![expect(unsafe_code, reason = "a C module is loaded")]

use mlua::{Lua, LuaOptions, StdLib};

/// A Lua that loads C modules: made as the `lua` transform makes its own.
pub fn lua() -> Lua {
    // SAFETY: unsafe is what a C module may do to this process, and the one loaded here is the module under test.
    unsafe { Lua::unsafe_new_with(StdLib::ALL_SAFE, LuaOptions::default()) }
}
