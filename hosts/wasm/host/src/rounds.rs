//! Times the guest, round after round: `--rounds [--config FILE] MODULE`.
//!
//! Requests come on the standard input, one a line:
//!
//! | request | meaning |
//! |---|---|
//! | `chunk NANOSECONDS` | begins records that arrive together, at this time |
//! | `record TEXT` | one of them; what is no JSON object comes under `log`, where inputs put lines |
//! | `resident` | answered with `resident KB` |
//! | `round` | a new instance, warmed up, filters all; answered with `round NANOSECONDS LEFT RESIDENT_KB`, or `refused` or `failed` and why |
//!
//! What is timed are the calls of the guest with all that Fluent Bit does around each, in time of this thread at work.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};

use crate::{Given, Instance, Runtime};

/// How far back an instance is warmed up: whatever a limit remembers is forgotten after so many years.
const BEFORE_NANOS: u64 = 10 * 365 * 86_400 * 1_000_000_000;
/// How many chunks warm an instance up.
const WARM: usize = 2;
/// What a guest that compiles its patterns needs as its operand stack.
const STACK: u32 = 1 << 20;
/// What takes less is repeated, with a new instance each time, until it has taken so long, or with the making of
/// instances five times as long.
const SHORT_NANOS: u64 = 20_000_000;

/// What runs without a configuration: every finding is sent.
const EVERYTHING: &str = "integrations:
- {type: detections, target: {target-type: slack, slack-uri: 'https://localhost'}}
- {type: selections, target: {target-type: slack, slack-uri: 'https://localhost'}}
- {type: activity, target: {target-type: slack, slack-uri: 'https://localhost'}}
use: all
";

/// Records, each group with the time of its arrival.
type Chunks = Vec<(u64, Vec<String>)>;

/// Takes requests until there are no more.
///
/// # Errors
/// A request is not understood, or a file or pipe is broken.
pub fn serve<R: Runtime>(runtime: &R, config: Option<&Path>) -> Result<(), String> {
    let directory = Directory::with(config).map_err(|error| error.to_string())?;
    let mut chunks = Chunks::new();
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let (request, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match request {
            "chunk" => {
                chunks.push((rest.parse().map_err(|_| "chunk: expected nanoseconds")?, Vec::new()));
                continue;
            }
            "record" => {
                let record = if rest.starts_with('{') {
                    rest.to_owned()
                } else {
                    format!("{{\"log\":{}}}", quoted(rest))
                };
                chunks.last_mut().ok_or("record: no chunk")?.1.push(record);
                continue;
            }
            "resident" => format!("resident {}", resident_kb()?),
            "round" => round(runtime, &directory, &chunks).unwrap_or_else(|answer| answer),
            _ => return Err(format!("unknown request `{request}`")),
        };
        writeln!(out, "{answer}").and_then(|()| out.flush()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn round<R: Runtime>(runtime: &R, directory: &Directory, chunks: &Chunks) -> Result<String, String> {
    let (mut spent, mut passes, mut left) = (0, 0, 0);
    let began = cpu_nanos();
    while passes == 0 || (spent < SHORT_NANOS && cpu_nanos() - began < 5 * SHORT_NANOS) {
        let given = Given { directory: Some(&directory.0), stack: STACK, ..Given::default() };
        let mut instance = runtime.start(&given).map_err(|error| format!("refused {error}"))?;
        for (at, records) in chunks.iter().take(WARM) {
            chunk(&mut instance, at.saturating_sub(BEFORE_NANOS), records)?;
        }
        left = 0;
        for (at, records) in chunks {
            let (nanos, replies) = chunk(&mut instance, *at, records)?;
            spent += nanos;
            left += replies;
        }
        passes += 1;
    }
    let resident = resident_kb().map_err(|error| format!("failed {error}"))?;
    Ok(format!("round {} {left} {resident}", spent / passes))
}

/// What a chunk took, and how many of its replies were not empty.
fn chunk(instance: &mut impl Instance, at: u64, records: &[String]) -> Result<(u64, u64), String> {
    instance.set_clock(at);
    let mut left = 0;
    let start = cpu_nanos();
    for record in records {
        let reply = instance.answer(record.as_bytes()).map_err(|error| format!("failed {error}"))?;
        left += u64::from(!reply.is_empty());
    }
    Ok((cpu_nanos() - start, left))
}

/// Where the guest finds its configuration, until the end.
struct Directory(PathBuf);

impl Directory {
    fn with(config: Option<&Path>) -> std::io::Result<Self> {
        let directory = std::env::temp_dir().join(format!("kaudit-wasm-rounds-{}", std::process::id()));
        // Its user's alone, and new: nobody else has put a link there.
        DirBuilder::new().mode(0o700).create(&directory)?;
        // The guest knows its configuration by this name.
        let known = directory.join("kaudit.yaml");
        match config {
            Some(config) => fs::copy(config, known).map(drop),
            None => fs::write(known, EVERYTHING),
        }?;
        Ok(Self(directory))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // It is one of the system's temporary ones; whoever cannot remove it leaves it to the system.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A line as a string of JSON.
fn quoted(line: &str) -> String {
    let mut text = String::from("\"");
    for letter in line.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text + "\""
}

/// How long this thread has been at work.
fn cpu_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |part: i64| u64::try_from(part).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// `VmRSS` of this process.
fn resident_kb() -> Result<u64, String> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    line.trim().trim_end_matches("kB").trim().parse().map_err(|_| format!("not a number: {line}"))
}
