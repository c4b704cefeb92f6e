//! What the two drivers of the guest have in common: requests, answers, and the loop between them.
//!
//! A driver is started with the module's path, and reads requests from its standard input:
//!
//! - `now NANOSECONDS`: what the guest's clock tells from now on, since 1970; it begins with 0.
//! - `stack BYTES`: the operand stack of instances that are started from now on; at first Fluent Bit's default.
//! - `start`, and behind a space, if any, the directory that the guest may read: a new instance in the place of the one
//!   before. The answer is `started`, or `refused`, while the guest says why on standard error.
//! - `record LENGTH`, and on the next line so many bytes: a record. The answer is `reply LENGTH` and on the next line so
//!   many bytes, or `failed` and why; Fluent Bit would have lost the record.
//! - `spent`: the answer is `spent COUNT`, the instructions since the start; 0 where the runtime does not count.
//!
//! With `--rounds` the guest is timed instead ([`rounds`]).
//!
//! A request that is none of these ends the driver with an error.

mod abi;
pub mod rounds;
pub mod wamr;
pub mod wasi;
pub mod wasmtime;

use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;

/// An instance of the guest.
pub trait Instance {
    /// Sets the guest's clock, nanoseconds since 1970.
    fn set_clock(&mut self, nanos: u64);

    /// Puts a record through the guest as Fluent Bit does: copied to where the guest's `malloc` says, with a tag and a
    /// NUL behind each.
    ///
    /// # Errors
    /// Why Fluent Bit would lose the record.
    fn answer(&mut self, record: &[u8]) -> Result<Vec<u8>, String>;

    /// The instructions since the start, where they are counted.
    fn spent(&mut self) -> u64;
}

/// A module in a runtime.
pub trait Runtime {
    /// Its instances.
    type Instance: Instance;

    /// Makes an instance and calls its `_initialize`.
    ///
    /// # Errors
    /// Why Fluent Bit would not start.
    fn start(&self, given: &Given<'_>) -> Result<Self::Instance, String>;
}

/// What an instance is started with.
#[derive(Clone, Debug)]
pub struct Given<'a> {
    /// The directory it may read.
    pub directory: Option<&'a Path>,
    /// Its clock, nanoseconds since 1970.
    pub clock: u64,
    /// Its operand stack, bytes, where the runtime has such a thing: Fluent Bit's `wasm_stack_size`.
    pub stack: u32,
}

impl Default for Given<'_> {
    /// As Fluent Bit, when its configuration says nothing.
    fn default() -> Self {
        Self { directory: None, clock: 0, stack: 8 << 10 }
    }
}

/// The tag of all records.
pub const TAG: &str = "kaudit";

/// The name of the guest's filter function.
pub const FUNCTION: &str = "kaudit";

/// Answers requests until there are none.
///
/// # Errors
/// A request is not understood, or a pipe is broken.
pub fn serve<R: Runtime>(runtime: &R, mut requests: impl BufRead, mut answers: impl Write) -> io::Result<()> {
    let mut instance: Option<R::Instance> = None;
    let mut given = Given::default();
    let mut line = String::new();
    loop {
        line.clear();
        if requests.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let request = line.trim_end_matches('\n');
        let (word, argument) = request.split_once(' ').unwrap_or((request, ""));
        let wrong = || io::Error::other(format!("not a request: `{request}`"));
        match (word, &mut instance) {
            ("now", instance) => {
                given.clock = argument.parse().map_err(|_| wrong())?;
                if let Some(instance) = instance {
                    instance.set_clock(given.clock);
                }
            }
            ("stack", _) => given.stack = argument.parse().map_err(|_| wrong())?,
            ("start", instance) => {
                let directory = Some(Path::new(argument)).filter(|_| !argument.is_empty());
                // Fluent Bit has one at a time, and so have the drivers.
                *instance = None;
                match runtime.start(&Given { directory, ..given }) {
                    Ok(started) => {
                        *instance = Some(started);
                        writeln!(answers, "started")?;
                    }
                    Err(error) => {
                        eprintln!("{error}");
                        writeln!(answers, "refused")?;
                    }
                }
            }
            ("record", Some(instance)) => {
                let mut record = vec![0; argument.parse().map_err(|_| wrong())?];
                requests.read_exact(&mut record)?;
                requests.read_line(&mut line)?;
                match instance.answer(&record) {
                    Ok(reply) => {
                        writeln!(answers, "reply {}", reply.len())?;
                        answers.write_all(&reply)?;
                        writeln!(answers)?;
                    }
                    Err(error) => writeln!(answers, "failed {error}")?,
                }
            }
            ("spent", Some(instance)) => writeln!(answers, "spent {}", instance.spent())?,
            _ => return Err(wrong()),
        }
        answers.flush()?;
    }
}

/// A driver's `main`: `[--rounds [--config FILE]] MODULE`.
pub fn main<R: Runtime>(load: impl Fn(Vec<u8>) -> Result<R, String>) -> ExitCode {
    match run(load) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run<R: Runtime>(load: impl Fn(Vec<u8>) -> Result<R, String>) -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (path, timed) = match arguments[..] {
        [path] => (path, None),
        ["--rounds", path] => (path, Some(None)),
        ["--rounds", "--config", config, path] => (path, Some(Some(Path::new(config)))),
        _ => return Err("expected [--rounds [--config FILE]] MODULE".to_owned()),
    };
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let runtime = load(bytes).map_err(|error| format!("{path}: {error}"))?;
    match timed {
        Some(config) => rounds::serve(&runtime, config),
        None => serve(&runtime, io::stdin().lock(), io::stdout().lock()).map_err(|error| error.to_string()),
    }
}
