//! The filter as a Lua C module, `kaudit.so`, for Vector's `lua` transform (Lua 5.4).
//!
//! It has two modes. *Text*: the event has an undecoded line in `log.message`; the text of the entry replaces it, and
//! the rest of the event is unchanged. A log that is a line itself (Vector's log namespace) becomes such an event.
//! *Table*: other components decoded the event, and `log` itself is the record; the entry is built around it. For
//! envelopes (`shape: bulk`) an entry is a table in both modes, since Vector's sink builds a list within an envelope
//! only from tables. A record with several findings becomes one event for each entry.
//!
//! The native steps (`step`) return the verdict and the entry for an event's log; `kaudit.lua`, compiled in, replaces
//! the log, emits the event and guards every step, so that no error loses an event. Decision: the guards are Lua rather
//! than Rust, because an error may come from Vector's own `emit`, and only Lua's `pcall` handles such an error in both
//! directions.

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

/// Returns the value of `require("kaudit")`.
fn open(lua: &Lua) -> LuaResult<LuaTable> {
    // A mistake is returned as a value, and Lua raises the error, so that every printer shows it as plain text.
    let new = lua.create_function(|lua, (options, builder): (LuaValue, LuaFunction)| {
        match Step::new(&options, Builder(builder)) {
            Ok(step) => Ok((step.into_lua(lua)?, None)),
            Err(mistakes) => Ok((LuaValue::Nil, Some(mistakes))),
        }
    })?;
    lua.load(include_str!("kaudit.lua")).set_name("=kaudit").call(new)
}
