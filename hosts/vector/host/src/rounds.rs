//! Times the module, round after round: `--rounds [--config FILE] kaudit.so`.
//!
//! Requests come on the standard input, one a line:
//!
//! | request | meaning |
//! |---|---|
//! | `chunk NANOSECONDS` | begins records that arrive together, at this time |
//! | `record TEXT` | one of them; it comes in `message` |
//! | `resident` | answered with `resident KB` |
//! | `round` | a new Lua, warmed up, filters all; answered with `round NANOSECONDS LEFT RESIDENT_KB`, or `refused` or `failed` and the first line of the error |
//!
//! What is timed are the calls of `process` and `flush`, in time of this thread at work. Making the events' tables, as
//! Vector would, is not, nor what becomes of those that are emitted.

use std::io::{BufRead as _, Write as _};

use mlua::{Function, Result, Table};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value};

use crate::run::{hooks, words};

/// How far back a filter is warmed up: whatever a limit remembers is forgotten after so many years.
const BEFORE_MILLIS: i64 = 10 * 365 * 86_400_000;
/// How many chunks warm a filter up: the next holds nothing new for its caches.
const WARM: usize = 20;
/// How far the clock goes on after them, so that what is owed leaves: summaries, and reports of an hour.
const ON_MILLIS: [i64; 2] = [125 * 60_000, 25 * 3_600_000];
/// What takes less is repeated, with a new filter each time, until it has taken so long, or with the making of filters
/// five times as long.
const SHORT_NANOS: u64 = 20_000_000;

/// Counts what is emitted, and forgets it.
const COUNTER: &str = "local left = 0; return function() left = left + 1 end, function() return left end";

/// Records, each group with the time of its arrival in milliseconds.
type Chunks = Vec<(i64, Vec<String>)>;

/// Takes requests until there are no more.
pub fn serve(module: &str, config: Option<&str>) -> std::result::Result<(), String> {
    let options: Map<_, _> =
        config.map(|file| ("config_file".to_owned(), Value::from(file))).into_iter().collect();
    let mut chunks = Chunks::new();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let (request, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match request {
            "chunk" => {
                let at: i64 = rest.parse().map_err(|_| "chunk: expected nanoseconds")?;
                chunks.push((at.div_euclid(1_000_000), Vec::new()));
                continue;
            }
            "record" => {
                chunks.last_mut().ok_or("record: no chunk")?.1.push(rest.to_owned());
                continue;
            }
            "resident" => format!("resident {}", resident_kb()?),
            "round" => round(module, &options, &chunks)?,
            _ => return Err(format!("unknown request `{request}`")),
        };
        writeln!(out, "{answer}").and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn round(module: &str, options: &Map<String, Value>, chunks: &Chunks) -> std::result::Result<String, String> {
    let line = |error: &mlua::Error| words(error).lines().next().unwrap_or_default().to_owned();
    let (mut spent, mut passes, mut left) = (0, 0, 0);
    let began = cpu_nanos();
    while passes == 0 || (spent < SHORT_NANOS && cpu_nanos() - began < 5 * SHORT_NANOS) {
        let timed = match Timed::new(module, options) {
            Ok(timed) => timed,
            Err(error) => return Ok(format!("refused {}", line(&error))),
        };
        match timed.pass(chunks) {
            Ok((nanos, emitted)) => {
                spent += nanos;
                left = emitted;
            }
            Err(error) => return Ok(format!("failed {}", line(&error))),
        }
        passes += 1;
    }
    Ok(format!("round {} {left} {}", spent / passes, resident_kb()?))
}

/// A transform of its own.
struct Timed {
    lua: mlua::Lua,
    process: Function,
    flush: Function,
    emit: Function,
    left: Function,
}

impl Timed {
    fn new(module: &str, options: &Map<String, Value>) -> Result<Self> {
        let (lua, hooks): (_, Table) = hooks(module, options)?;
        let (emit, left) = lua.load(COUNTER).call(())?;
        Ok(Self { process: hooks.get("process")?, flush: hooks.get("flush")?, emit, left, lua })
    }

    /// What all chunks took, and how many events were emitted.
    fn pass(&self, chunks: &Chunks) -> Result<(u64, u64)> {
        let mut last = 0;
        for (at, records) in chunks.iter().take(WARM) {
            last = at - BEFORE_MILLIS;
            self.chunk(last, records)?;
        }
        for on in ON_MILLIS {
            self.chunk(last + on, &[])?;
        }
        let before: u64 = self.left.call(())?;
        let mut spent = 0;
        for (at, records) in chunks {
            spent += self.chunk(*at, records)?;
        }
        let after: u64 = self.left.call(())?;
        Ok((spent, after - before))
    }

    fn chunk(&self, at: i64, records: &[String]) -> Result<u64> {
        self.lua.globals().set("arrival", at)?;
        let event = |text: &String| {
            let log = self.lua.create_table_from([("message", text.as_str())])?;
            self.lua.create_table_from([("log", log)])
        };
        let events = records.iter().map(event).collect::<Result<Vec<_>>>()?;
        let start = cpu_nanos();
        for event in &events {
            self.process.call::<()>((event, &self.emit))?;
        }
        self.flush.call::<()>(&self.emit)?;
        Ok(cpu_nanos() - start)
    }
}

/// How long this thread has been at work.
fn cpu_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |part: i64| u64::try_from(part).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// `VmRSS` of this process.
fn resident_kb() -> std::result::Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    line.trim().trim_end_matches("kB").trim().parse().map_err(|_| format!("not a number: {line}"))
}
