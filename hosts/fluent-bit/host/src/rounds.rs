//! Times the plugin, round after round: `--rounds [--config FILE]`.
//!
//! Requests come on the standard input, one a line:
//!
//! | request | meaning |
//! |---|---|
//! | `chunk NANOSECONDS` | begins a chunk that arrives at this time |
//! | `record TEXT` | a record of it; what is no JSON object comes under `log`, where inputs put lines |
//! | `resident` | answered with `resident KB` |
//! | `round` | a new instance, warmed up, filters all chunks; answered with `round NANOSECONDS LEFT RESIDENT_KB`, or `refused` and the first mistake |
//!
//! What is timed are the calls of `cb_filter`, in time of this thread at work. The events that are left are counted
//! outside of it.

use std::io::{BufRead as _, Write as _};

use rmpv::decode::read_value_ref;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::abi::{self, Filter, Library, Reply};
use crate::events;
use crate::soak::resident_kb;

/// How far back an instance is warmed up: whatever a limit remembers is forgotten after so many years.
const BEFORE_NANOS: i64 = 10 * 365 * 86_400 * 1_000_000_000;
/// How many chunks warm an instance up: the next holds nothing new for its caches.
const WARM: usize = 20;
/// How far the clock goes on after them, so that what is owed leaves: summaries, and reports of an hour.
const ON_NANOS: [i64; 2] = [125 * 60 * 1_000_000_000, 25 * 3600 * 1_000_000_000];
/// What takes less is repeated, with a new instance each time, until it has taken so long, or with the making of
/// instances five times as long.
const SHORT_NANOS: u64 = 20_000_000;

/// Chunks, each with the time of its arrival.
type Chunks = Vec<(i64, Vec<u8>)>;

/// Takes requests until there are no more.
pub fn serve(library: &Library, config: Option<String>) -> Result<(), String> {
    let mut options =
        vec![("stats_interval".to_owned(), "1d".to_owned()), ("reload_interval".to_owned(), "1d".to_owned())];
    options.extend(config.map(|file| ("config_file".to_owned(), file)));
    let mut chunks = Chunks::new();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let (request, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match request {
            "chunk" => {
                let at = rest.parse().map_err(|_| "chunk: expected nanoseconds")?;
                chunks.push((at, Vec::new()));
                continue;
            }
            "record" => {
                let (at, chunk) = chunks.last_mut().ok_or("record: no chunk")?;
                chunk.extend(event(*at, rest)?);
                continue;
            }
            "resident" => format!("resident {}", resident_kb()?),
            "round" => round(library, &options, &chunks)?,
            _ => return Err(format!("unknown request `{request}`")),
        };
        writeln!(out, "{answer}").and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn event(at: i64, text: &str) -> Result<Vec<u8>, String> {
    let object = if text.starts_with('{') { events::event(at, text).ok() } else { None };
    object.map_or_else(|| events::event(at, &json!({ "log": text }).to_string()), Ok)
}

fn round(library: &Library, options: &[(String, String)], chunks: &Chunks) -> Result<String, String> {
    let (mut spent, mut passes, mut left) = (0, 0, 0);
    let began = cpu_nanos();
    while passes == 0 || (spent < SHORT_NANOS && cpu_nanos() - began < 5 * SHORT_NANOS) {
        abi::set_clock(chunks.first().map_or(0, |(at, _)| *at));
        abi::take_log();
        let Some(filter) = library.start(options) else {
            let mistake = abi::take_log().into_iter().next().map(|(_, line)| line).unwrap_or_default();
            return Ok(format!("refused {mistake}"));
        };
        warm_up(&filter, chunks);
        left = 0;
        for (at, chunk) in chunks {
            abi::set_clock(*at);
            let start = cpu_nanos();
            let reply = filter.call(chunk);
            spent += cpu_nanos() - start;
            left += match &reply {
                Reply::Untouched => events_in(chunk)?,
                Reply::Dropped => 0,
                Reply::Replaced(bytes) => events_in(bytes)?,
            };
        }
        passes += 1;
        abi::take_log();
    }
    Ok(format!("round {} {left} {}", spent / passes, resident_kb()?))
}

fn warm_up(filter: &Filter, chunks: &Chunks) {
    let mut last = 0;
    for (at, chunk) in chunks.iter().take(WARM) {
        last = at - BEFORE_NANOS;
        abi::set_clock(last);
        filter.call(chunk);
    }
    for on in ON_NANOS {
        abi::set_clock(last + on);
        filter.call(&[]);
    }
}

fn events_in(mut chunk: &[u8]) -> Result<u64, String> {
    let mut count = 0;
    while !chunk.is_empty() {
        read_value_ref(&mut chunk).map_err(|error| error.to_string())?;
        count += 1;
    }
    Ok(count)
}

/// How long this thread has been at work.
fn cpu_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |part: i64| u64::try_from(part).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}
