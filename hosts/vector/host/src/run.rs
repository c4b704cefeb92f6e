//! One run: the hooks of a Vector transform, called in Vector's order.

use std::path::Path;

use crate::abi;
use crate::value::{from_lua, into_lua, object};
use crate::{Answer, Request};
use mlua::{Function, Lua, MultiValue, Result, Table};
use serde_json::{Map, Value};

/// How often Vector collects garbage: every so many calls.
const GC_INTERVAL: usize = 16;

/// What the transform's `source` and hooks hold.
const TRANSFORM: &str = include_str!("transform.lua");

/// Runs a request.
pub fn answer(request: &Request) -> Answer {
    match prepare(request) {
        Err(error) => Answer::Refused(words(&error)),
        Ok(transform) => match transform.run(request) {
            Ok(answer) => answer,
            Err(error) => Answer::Failed(words(&error)),
        },
    }
}

/// The words of an error that Lua raised, without the stack that mlua puts behind them.
pub fn words(error: &mlua::Error) -> String {
    let text = match error {
        mlua::Error::RuntimeError(text) => text.clone(),
        mlua::Error::CallbackError { cause, .. } => words(cause),
        other => other.to_string(),
    };
    text.split("\nstack traceback:").next().unwrap_or_default().to_owned()
}

struct Transform {
    lua: Lua,
    emitted: Table,
    emit: Function,
    process: Function,
    flush: Function,
    shutdown: Function,
    stats: Function,
}

/// A Lua with the transform's hooks.
pub fn hooks(module: &str, options: &Map<String, Value>) -> Result<(Lua, Table)> {
    let lua = abi::lua();
    let directory = Path::new(module).parent().unwrap_or(Path::new("."));
    let package: Table = lua.globals().get("package")?;
    package.set("cpath", directory.join("?.so").to_string_lossy())?;
    lua.globals().set("arrival", 0)?;
    let options = object(&lua, options)?;
    let hooks = lua.load(TRANSFORM).set_name("=transform").call(options)?;
    Ok((lua, hooks))
}

fn prepare(request: &Request) -> Result<Transform> {
    let (lua, hooks) = hooks(&request.module, &request.options)?;
    let emitted = lua.create_table()?;
    let emit = {
        let emitted = emitted.clone();
        lua.create_function(move |lua, event: Table| {
            // What cannot become an event of Vector's fails here, as it does there.
            let log: mlua::Value = event.get("log")?;
            if !log.is_table() {
                let what = "Event should contain either \"log\" or \"metric\" key at the top level";
                return Err(mlua::Error::runtime(what));
            }
            let log = from_lua(&log)?;
            emitted.raw_push(lua.create_string(log.to_string())?)
        })?
    };
    Ok(Transform {
        emitted,
        emit,
        process: hooks.get("process")?,
        flush: hooks.get("flush")?,
        shutdown: hooks.get("shutdown")?,
        stats: hooks.get("stats")?,
        lua,
    })
}

impl Transform {
    fn run(&self, request: &Request) -> Result<Answer> {
        let mut verdicts = Vec::new();
        for (index, arrival) in request.events.iter().enumerate() {
            self.lua.globals().set("arrival", arrival.at)?;
            let event = self.lua.create_table()?;
            let log = into_lua(&self.lua, &arrival.log)?;
            if let (Some(message), Some(log)) = (&arrival.message, log.as_table()) {
                log.raw_set("message", self.lua.create_string(message.bytes())?)?;
            }
            event.raw_set("log", log)?;
            let answer: MultiValue = self.process.call((event, &self.emit))?;
            // A batch has a list of verdicts, each in the form in which that of a single record is made here.
            if let Some(list) = answer.get(1).and_then(mlua::Value::as_table) {
                verdicts.extend(list.sequence_values::<String>().collect::<Result<Vec<_>>>()?);
            } else {
                let words = answer.iter().filter(|word| !word.is_nil()).map(mlua::Value::to_string);
                verdicts.push(words.collect::<Result<Vec<_>>>()?.join(": "));
            }
            self.flush.call::<()>(&self.emit)?;
            if index % GC_INTERVAL == 0 {
                self.lua.gc_collect()?;
            }
        }
        self.shutdown.call::<()>(&self.emit)?;
        let stats = from_lua(&self.stats.call(())?)?;
        let events = self.emitted.sequence_values::<String>();
        let events = events.map(|event| serde_json::from_str(&event?).map_err(mlua::Error::external));
        Ok(Answer::Ran { events: events.collect::<Result<_>>()?, verdicts, stats })
    }
}
