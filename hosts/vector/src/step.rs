//! The native steps: one event, changed in place, and its verdict; one entry of the filter's own.

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};

use kaudit_filter::config::Shape;
use kaudit_filter::entry::Entry;
use kaudit_filter::record::{Json, MsgPack};
use kaudit_filter::stats::Stats;
use kaudit_filter::{Filter, Verdict};
use mlua::Lua;
use mlua::prelude::{LuaResult, LuaString, LuaTable, LuaUserData, LuaUserDataMethods, LuaValue};

use crate::clock::Clock;
use crate::options::{Options, Way};
use crate::{pack, table};

/// A filter and what stands between it and Lua.
pub struct Step {
    filter: Filter,
    shape: Shape,
    /// The way that was asked for; `None`: each event's own.
    way: Option<Way>,
    /// The way of the last event: that of the filter's own entries.
    last: Way,
    clock: Clock,
    /// What is packed and written, from event to event.
    packed: Vec<u8>,
    written: Vec<u8>,
}

impl Step {
    /// A filter from the options given to `kaudit.new`.
    ///
    /// # Errors
    /// Every mistake, one a line.
    pub fn new(options: &LuaValue) -> Result<Self, String> {
        let Options { config, now, way } = Options::read(options)?;
        let seed = RandomState::new().hash_one(0);
        Ok(Self {
            filter: Filter::new(&config, seed).map_err(|error| error.to_string())?,
            shape: config.coralogix.shape,
            way,
            last: way.unwrap_or(Way::Text),
            clock: Clock { own: now },
            packed: Vec::new(),
            written: Vec::new(),
        })
    }

    /// Changes the event into its entry, where it is kept. Anything but a log passes.
    fn process(&mut self, lua: &Lua, event: &LuaTable) -> LuaResult<(&'static str, Option<&'static str>)> {
        let LuaValue::Table(log) = event.raw_get("log")? else { return Ok(PASSED) };
        let message = match log.raw_get("message")? {
            LuaValue::String(message) if self.way != Some(Way::Table) => Some(message),
            _ => None,
        };
        match message {
            Some(message) if holds_object(&message) || !is_finding(&log)? => {
                self.text(lua, event, &log, &message)
            }
            _ => self.table(lua, event, &log),
        }
    }

    fn text(
        &mut self,
        lua: &Lua,
        event: &LuaTable,
        log: &LuaTable,
        message: &LuaString,
    ) -> LuaResult<Answer> {
        self.last = Way::Text;
        let bytes = message.as_bytes();
        // Looked at once, in large steps, where it is UTF-8, as nearly all is.
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(&bytes),
        };
        let verdict = self.filter.process(&mut Json::new(&text), self.clock.now()?);
        match &verdict {
            Verdict::Kept(entry) if self.shape == Shape::Singles => {
                log.raw_set("message", written(lua, entry, &mut self.written)?)?;
            }
            Verdict::Kept(entry) => {
                event.raw_set("log", table::entry(lua, self.shape, entry, None)?)?;
            }
            _ => (),
        }
        Ok(answer(&verdict))
    }

    fn table(&mut self, lua: &Lua, event: &LuaTable, log: &LuaTable) -> LuaResult<Answer> {
        self.last = Way::Table;
        pack::table(lua, log, &mut self.packed)?;
        let verdict = self.filter.process(&mut MsgPack::new(&self.packed), self.clock.now()?);
        if let Verdict::Kept(entry) = &verdict {
            event.raw_set("log", table::entry(lua, self.shape, entry, Some(log))?)?;
        }
        Ok(answer(&verdict))
    }

    /// The next entry that the filter owes of its own, as an event; with `all`, whatever its time.
    fn own(&mut self, lua: &Lua, all: bool) -> LuaResult<Option<LuaTable>> {
        let now = self.clock.now()?;
        let entry = if all { self.filter.finish(now) } else { self.filter.due(now) };
        let Some(entry) = entry else { return Ok(None) };
        let log = if self.last == Way::Text && self.shape == Shape::Singles {
            lua.create_table_from([("message", written(lua, &entry, &mut self.written)?)])?
        } else {
            table::entry(lua, self.shape, &entry, None)?
        };
        Ok(Some(lua.create_table_from([("log", log)])?))
    }
}

type Answer = (&'static str, Option<&'static str>);

const PASSED: Answer = ("passed", None);

fn answer(verdict: &Verdict<'_>) -> Answer {
    match verdict {
        Verdict::Kept(_) => ("kept", None),
        Verdict::Dropped(reason) => ("dropped", Some(reason.label())),
        Verdict::Suppressed => ("suppressed", None),
        Verdict::Passed => PASSED,
    }
}

/// An entry as text.
fn written(lua: &Lua, entry: &Entry<'_>, buffer: &mut Vec<u8>) -> LuaResult<LuaString> {
    buffer.clear();
    entry.write_json(buffer);
    lua.create_string(&*buffer)
}

/// Whether a message begins as a JSON object does.
fn holds_object(message: &LuaString) -> bool {
    message.as_bytes().trim_ascii_start().first() == Some(&b'{')
}

/// Whether the log itself has a finding's key: each kind has one of these.
fn is_finding(log: &LuaTable) -> LuaResult<bool> {
    for key in ["eid", "rule", "verb"] {
        if log.raw_get::<LuaValue>(key)? != LuaValue::Nil {
            return Ok(true);
        }
    }
    Ok(false)
}

impl LuaUserData for Step {
    fn add_methods<M: LuaUserDataMethods<Self>>(methods: &mut M) {
        methods.add_method_mut("process", |lua, step, event: LuaTable| step.process(lua, &event));
        methods.add_method_mut("own", |lua, step, all: bool| step.own(lua, all));
        methods.add_method("stats", |lua, step, ()| stats(lua, step.filter.stats()));
    }
}

/// The counters as a table, named and nested as in the program's `--summary json`.
fn stats(lua: &Lua, stats: &Stats) -> LuaResult<LuaTable> {
    let table = lua.create_table()?;
    for (group, counters) in stats.counters() {
        let total = counters.iter().map(|(_, count)| count).sum::<u64>();
        let members =
            if group.is_empty() { table.clone() } else { lua.create_table_from([("total", total)])? };
        for (name, count) in counters {
            members.raw_set(name, count)?;
        }
        if !group.is_empty() {
            table.raw_set(group, members)?;
        }
    }
    Ok(table)
}
