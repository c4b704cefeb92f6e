//! Runs events through the built `kaudit.so`, in a Lua configured as Vector configures it.
//!
//! A line of JSON in, a line of JSON out; each line is a run of its own, in a Lua of its own: [`Request`], [`Answer`].
//! With `--rounds` the module is timed instead ([`rounds`]).
//!
//! A process apart, so that a crash of the module is one lost answer. Events become tables and come back by Vector's
//! rules ([`value`]).

mod abi;
mod rounds;
mod run;
mod value;

use std::io::{self, BufRead as _, Write as _};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is to be run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// Where `kaudit.so` is.
    module: String,
    /// What `kaudit.new` is given; `now` is added here.
    options: Map<String, Value>,
    /// The events in the order of their arrival; `flush` is called behind each, `shutdown` behind the last.
    events: Vec<Arrival>,
}

/// One event.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arrival {
    /// The log, as Vector has it: a map, or with its log namespace any value.
    log: Value,
    /// `log.message`.
    #[serde(default)]
    message: Option<Message>,
    /// Arrival, epoch milliseconds.
    at: i64,
}

/// A text, or bytes that are not UTF-8.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Message {
    Text(String),
    Bytes(Vec<u8>),
}

impl Message {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// What came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// Every event that was emitted, the verdicts and the counters.
    Ran { events: Vec<Value>, verdicts: Vec<String>, stats: Value },
    /// The error of `require` or `kaudit.new`.
    Refused(String),
    /// Another error.
    Failed(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let served = match arguments[..] {
        [] => serve().map_err(|error| error.to_string()),
        ["--rounds", module] => rounds::serve(module, None),
        ["--rounds", "--config", config, module] => rounds::serve(module, Some(config)),
        _ => Err("usage: kaudit-vector-host [--rounds [--config FILE] kaudit.so]".to_owned()),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("kaudit-vector-host: {message}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = match serde_json::from_str::<Request>(&line?) {
            Ok(request) => run::answer(&request),
            Err(error) => Answer::Failed(format!("not a request: {error}")),
        };
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        out.flush()?;
    }
    Ok(())
}
