//! The hooks of a Vector transform, called in Vector's order.

use std::collections::BTreeMap;
use std::path::Path;

use kaudit_driver::{Event, Filtered, Instance, Record, Stopped, Timer, Value};
use mlua::{Function, Lua, MultiValue, Result, Table};

use crate::abi;
use crate::metric;
use crate::value::{from_lua, into_lua};

/// The number of events after which Vector runs Lua's garbage collection.
const GC_INTERVAL: usize = 16;

/// The transform's `source` and hooks.
const TRANSFORM: &str = include_str!("transform.lua");

/// Counts the emitted events and drops them.
const COUNTER: &str = "local count = 0; return function() count = count + 1 end, function() return count end";

/// Returns the text of an error that Lua raised, without the stack that mlua adds.
pub fn words(error: &mlua::Error) -> String {
    let text = match error {
        mlua::Error::RuntimeError(text) => text.clone(),
        mlua::Error::CallbackError { cause, .. } => words(cause),
        other => other.to_string(),
    };
    text.split("\nstack traceback:").next().unwrap_or_default().to_owned()
}

/// A Lua with a filter.
pub struct Transform {
    lua: Lua,
    /// Logs that `emit` took.
    emitted: Table,
    /// Metrics that it took.
    metrics: Table,
    emit: Function,
    /// The `emit` of rounds, and its count.
    count: Function,
    counted: Function,
    process: Function,
    /// The timer's function for metrics.
    measure: Function,
    flush: Function,
    shutdown: Function,
    stats: Function,
    /// The number of filtered events.
    events: usize,
}

impl Transform {
    /// Loads the module of a directory, and creates a filter.
    pub fn new(directory: &Path, options: &[(String, Value)], at: i64) -> Result<Self> {
        let lua = abi::lua();
        let package: Table = lua.globals().get("package")?;
        package.set("cpath", directory.join("?.so").to_string_lossy())?;
        set_clock(&lua, at)?;
        let table = lua.create_table()?;
        for (key, value) in options {
            table.raw_set(key.as_str(), into_lua(&lua, value)?)?;
        }
        let hooks: Table = lua.load(TRANSFORM).set_name("=transform").call(table)?;
        let (emitted, metrics) = (lua.create_table()?, lua.create_table()?);
        let emit = {
            let (emitted, metrics) = (emitted.clone(), metrics.clone());
            lua.create_function(move |lua, event: Table| {
                if let (None, Some(metric)) =
                    (event.raw_get::<Option<Table>>("log")?, event.raw_get("metric")?)
                {
                    return metrics.raw_push(lua.create_string(metric::from_lua(&metric)?.to_string())?);
                }
                // A table that Vector cannot convert to an event fails here, too.
                let log: mlua::Value = event.get("log")?;
                if !log.is_table() {
                    let what = "Event should contain either \"log\" or \"metric\" key at the top level";
                    return Err(mlua::Error::runtime(what));
                }
                let log = from_lua(&log)?;
                emitted.raw_push(lua.create_string(log.to_string())?)
            })?
        };
        let (count, counted) = lua.load(COUNTER).call(())?;
        Ok(Self {
            emitted,
            metrics,
            emit,
            count,
            counted,
            process: hooks.get("process")?,
            measure: hooks.get("metrics")?,
            flush: hooks.get("flush")?,
            shutdown: hooks.get("shutdown")?,
            stats: hooks.get("stats")?,
            events: 0,
            lua,
        })
    }

    fn event(&self, record: &Record) -> Result<Table> {
        let message = |bytes: &[u8]| {
            let message = self.lua.create_string(bytes)?;
            self.lua.create_table_from([("message", message)]).map(mlua::Value::Table)
        };
        let log = match record {
            Record::Text(text) => message(text.as_bytes())?,
            Record::Hex(bytes) => message(&bytes.0)?,
            Record::Log(log) => into_lua(&self.lua, log)?,
            Record::OldEvent(_) | Record::Raw(_) => {
                return Err(mlua::Error::runtime("Vector has no such record"));
            }
        };
        self.lua.create_table_from([("log", log)])
    }

    fn chunk(&mut self, at: i64, records: &[Record]) -> Result<Filtered> {
        set_clock(&self.lua, at)?;
        let mut verdicts = Vec::new();
        for record in records {
            let answer: MultiValue = self.process.call((self.event(record)?, &self.emit))?;
            // A batch has a list of verdicts, each in the form that is built here for a single record.
            if let Some(list) = answer.get(1).and_then(mlua::Value::as_table) {
                verdicts.extend(list.sequence_values::<String>().collect::<Result<Vec<_>>>()?);
            } else {
                let words = answer.iter().filter(|word| !word.is_nil()).map(mlua::Value::to_string);
                verdicts.push(words.collect::<Result<Vec<_>>>()?.join(": "));
            }
            if self.events.is_multiple_of(GC_INTERVAL) {
                self.lua.gc_collect()?;
            }
            self.events += 1;
        }
        self.flush.call::<()>(&self.emit)?;
        Ok(Filtered { events: self.take_emitted()?, verdicts, ..Filtered::default() })
    }

    fn take_emitted(&self) -> Result<Vec<Event>> {
        let bodies = self.emitted.sequence_values::<String>();
        let events = bodies.map(|body| Ok(Event { body: body?, ..Event::default() })).collect();
        self.emitted.clear()?;
        events
    }

    fn timed(&self, at: i64, records: &[Record], timer: &mut Timer) -> Result<u64> {
        set_clock(&self.lua, at)?;
        let before: u64 = self.counted.call(())?;
        let events = records.iter().map(|record| self.event(record)).collect::<Result<Vec<_>>>()?;
        timer.time(|| {
            events.iter().try_for_each(|event| self.process.call::<()>((event, &self.count)))?;
            self.flush.call::<()>(&self.count)
        })?;
        Ok(self.counted.call::<u64>(())? - before)
    }

    fn end(&self) -> Result<Stopped> {
        self.shutdown.call::<()>(&self.emit)?;
        let mut statistics = BTreeMap::new();
        kaudit_driver::flatten("", &from_lua(&self.stats.call(())?)?, &mut statistics);
        self.measure.call::<()>(&self.emit)?;
        let metrics = self.metrics.sequence_values::<String>();
        let metrics = metrics.map(|metric| serde_json::from_str(&metric?).map_err(mlua::Error::external));
        let metrics = metrics.collect::<Result<_>>()?;
        Ok(Stopped { events: self.take_emitted()?, metrics, statistics, ..Stopped::default() })
    }
}

impl Instance for Transform {
    type Chunk = Vec<Record>;

    fn filter(&mut self, at: i64, records: &Vec<Record>) -> std::result::Result<Filtered, String> {
        self.chunk(at, records).map_err(|error| words(&error))
    }

    fn count(
        &mut self,
        at: i64,
        records: &Vec<Record>,
        timer: &mut Timer,
    ) -> std::result::Result<u64, String> {
        self.timed(at, records, timer).map_err(|error| words(&error))
    }

    fn stop(self) -> std::result::Result<Stopped, String> {
        self.end().map_err(|error| words(&error))
    }
}

/// Sets the filter's clock, which has milliseconds.
fn set_clock(lua: &Lua, nanos: i64) -> Result<()> {
    lua.globals().set("arrival", nanos.div_euclid(1_000_000))
}
