//! The filter as a Lua C module, `kaudit.so`, for Vector's `lua` transform (Lua 5.4).
//!
//! Two ways in. *Text*: the event has an undecoded line in `log.message`; the finished entry's text replaces it, and nothing
//! else of the event is touched. A log that is a line itself (Vector's log namespace) becomes such an event. *Table*: other components decoded the event, and
//! `log` itself is the record; the entry is built around it. For envelopes (`shape: bulk`) an entry is a table either way,
//! since only from tables does Vector's sink build a list within an envelope. A record with several findings becomes one event
//! for each entry.
//!
//! The native steps (`step`) say what becomes of an event's log; `kaudit.lua`, compiled in, puts that in its place, emits
//! it and guards every step, so that no error loses an event. Decision: the guards are Lua rather than Rust, because an
//! error may come from Vector's own `emit`, and what such an error is only Lua's `pcall` knows in either direction.

mod abi;
mod clock;
mod options;
mod pack;
mod step;
mod table;

use mlua::prelude::{LuaFunction, LuaResult, LuaTable, LuaValue};
use mlua::{IntoLua as _, Lua};

use step::Step;
use table::Builder;

/// What `require("kaudit")` gives.
fn open(lua: &Lua) -> LuaResult<LuaTable> {
    // A mistake is a value here, and becomes an error in Lua: so it is plain text, whoever shows it.
    let new = lua.create_function(|lua, (options, builder): (LuaValue, LuaFunction)| {
        match Step::new(&options, Builder(builder)) {
            Ok(step) => Ok((step.into_lua(lua)?, None)),
            Err(mistakes) => Ok((LuaValue::Nil, Some(mistakes))),
        }
    })?;
    lua.load(include_str!("kaudit.lua")).set_name("=kaudit").call(new)
}
