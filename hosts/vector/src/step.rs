//! The native steps: what becomes of one event's log; one entry of the filter's own.

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
use crate::pack;
use crate::table::Builder;

/// A filter and what stands between it and Lua.
pub struct Step {
    filter: Filter,
    shape: Shape,
    /// The way that was asked for; `None`: each event's own.
    way: Option<Way>,
    /// The way of the last event: that of the filter's own entries.
    last: Way,
    clock: Clock,
    builder: Builder,
    /// What is packed and written, from event to event.
    packed: Vec<u8>,
    written: Vec<u8>,
}

impl Step {
    /// A filter from the options given to `kaudit.new`; `builder` makes its entries.
    ///
    /// # Errors
    /// Every mistake, one a line.
    pub fn new(options: &LuaValue, builder: Builder) -> Result<Self, String> {
        let Options { config, now, way } = Options::read(options)?;
        let seed = RandomState::new().hash_one(0);
        Ok(Self {
            filter: Filter::new(&config, seed).map_err(|error| error.to_string())?,
            shape: config.coralogix.shape,
            way,
            last: way.unwrap_or(Way::Text),
            clock: Clock { own: now },
            builder,
            packed: Vec::new(),
            written: Vec::new(),
        })
    }

    /// Makes an entry of a log, where it is kept: a new log, or a new message in this one.
    fn process(&mut self, lua: &Lua, log: &LuaTable, message: LuaValue) -> LuaResult<Answer> {
        let message = match message {
            LuaValue::String(message) if self.way != Some(Way::Table) => Some(message),
            _ => None,
        };
        match message {
            Some(message) if holds_object(&message) || !is_finding(log)? => self.text(lua, log, &message),
            _ => self.table(lua, log),
        }
    }

    fn text(&mut self, lua: &Lua, log: &LuaTable, message: &LuaString) -> LuaResult<Answer> {
        self.last = Way::Text;
        let bytes = message.as_bytes();
        let mut mended = String::new();
        let verdict = self.filter.process(&mut Json::of_bytes(&bytes, &mut mended), self.clock.now()?);
        match &verdict {
            Verdict::Kept(entry) if self.shape == Shape::Singles => {
                log.raw_set("message", written(lua, entry, &mut self.written)?)?;
                Ok(answer(&verdict, None))
            }
            Verdict::Kept(entry) => {
                Ok(answer(&verdict, Some(self.builder.entry(lua, self.shape, entry, None)?)))
            }
            _ => Ok(answer(&verdict, None)),
        }
    }

    fn table(&mut self, lua: &Lua, log: &LuaTable) -> LuaResult<Answer> {
        self.last = Way::Table;
        pack::table(lua, log, &mut self.packed)?;
        let verdict = self.filter.process(&mut MsgPack::new(&self.packed), self.clock.now()?);
        let new = match &verdict {
            Verdict::Kept(entry) => Some(self.builder.entry(lua, self.shape, entry, Some(log))?),
            _ => None,
        };
        Ok(answer(&verdict, new))
    }

    /// The next entry that the filter owes of its own, as an event; with `all`, whatever its time.
    fn own(&mut self, lua: &Lua, all: bool) -> LuaResult<Option<LuaTable>> {
        let now = self.clock.now()?;
        let entry = if all { self.filter.finish(now) } else { self.filter.due(now) };
        let Some(entry) = entry else { return Ok(None) };
        let log = if self.last == Way::Text && self.shape == Shape::Singles {
            lua.create_table_from([("message", written(lua, &entry, &mut self.written)?)])?
        } else {
            self.builder.entry(lua, self.shape, &entry, None)?
        };
        Ok(Some(lua.create_table_from([("log", log)])?))
    }
}

/// A verdict, the reason of a drop, and the log that takes the place of the event's.
type Answer = (&'static str, Option<&'static str>, Option<LuaTable>);

fn answer(verdict: &Verdict<'_>, log: Option<LuaTable>) -> Answer {
    match verdict {
        Verdict::Kept(_) => ("kept", None, log),
        Verdict::Dropped(reason) => ("dropped", Some(reason.label()), None),
        Verdict::Suppressed => ("suppressed", None, None),
        Verdict::Passed => ("passed", None, None),
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
        methods.add_method_mut("process", |lua, step, (log, message): (LuaTable, LuaValue)| {
            step.process(lua, &log, message)
        });
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
