//! Runs the built plugin outside Fluent Bit: `kaudit-fluent-bit-host [--layout NAME] FILE.so`.
//!
//! Requests come on the standard input, one a line:
//!
//! | request | meaning |
//! |---|---|
//! | `option KEY VALUE` | an option of the filter; before `start` |
//! | `start` | `cb_init`; answered with `started` or `refused` |
//! | `now NANOSECONDS` | sets the host's clock |
//! | `event JSON` | adds an event to the chunk, with the clock's time; `old-event JSON` in the older format |
//! | `bytes HEX` | adds bytes to the chunk |
//! | `call` | `cb_filter`; answered with `untouched`, `dropped` or `replaced`, then an `event HEAD JSON` for each event that the host goes on with, then `done` |
//! | `stop` | `cb_exit`; answered with `stopped` |
//!
//! With `--rounds` it is timed instead: [`rounds`].
//!
//! What the plugin logs comes before the answer, as `log LEVEL TEXT`, level 1 being an error. A crash of the plugin ends
//! this process, not the one that asked.

mod abi;
mod events;
mod rounds;
mod soak;

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use abi::{Filter, Layout, Library, Reply};

fn main() -> ExitCode {
    let result = Arguments::read(std::env::args().skip(1)).and_then(|arguments| {
        let library = Library::open(&arguments.file, arguments.layout)?;
        match arguments {
            Arguments { soak: Some(soak), .. } => soak::run(&library, &soak),
            Arguments { rounds: true, config, .. } => rounds::serve(&library, config),
            _ => serve(&library),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("kaudit-fluent-bit-host: {message}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    file: PathBuf,
    layout: Layout,
    soak: Option<soak::Plan>,
    rounds: bool,
    config: Option<String>,
}

impl Arguments {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        const USAGE: &str = "usage: kaudit-fluent-bit-host [--layout 2.2|3.2|3.2-no-regex] [--soak CYCLES,RECORDS,SLACK_KB | --rounds [--config FILE]] FILE.so";
        let (mut file, mut layout, mut soak) = (None, Layout::ALL[1].1, None);
        let (mut rounds, mut config) = (false, None);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(USAGE);
            match argument.as_str() {
                "--layout" => {
                    let name = value()?;
                    layout = Layout::ALL.iter().find(|(known, _)| *known == name).ok_or(USAGE)?.1;
                }
                "--soak" => soak = Some(soak::Plan::read(&value()?).ok_or(USAGE)?),
                "--rounds" => rounds = true,
                "--config" => config = Some(value()?),
                _ => file = Some(PathBuf::from(argument)),
            }
        }
        Ok(Self { file: file.ok_or(USAGE)?, layout, soak, rounds, config })
    }
}

/// What requests work on.
struct Session<'a> {
    library: &'a Library,
    options: Vec<(String, String)>,
    filter: Option<Filter>,
    chunk: Vec<u8>,
    now: i64,
}

fn serve(library: &Library) -> Result<(), String> {
    let mut session = Session { library, options: Vec::new(), filter: None, chunk: Vec::new(), now: 0 };
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let (request, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = session.answer(request, rest).map_err(|error| format!("{request}: {error}"))?;
        let log = abi::take_log().into_iter().map(|(level, text)| format!("log {level} {text}"));
        for line in log.chain(answer) {
            writeln!(out, "{line}").map_err(|error| error.to_string())?;
        }
        out.flush().map_err(|error| error.to_string())?;
    }
    Ok(())
}

impl Session<'_> {
    fn answer(&mut self, request: &str, rest: &str) -> Result<Vec<String>, String> {
        match request {
            "option" => {
                let (key, value) = rest.split_once(' ').unwrap_or((rest, ""));
                self.options.push((key.to_owned(), value.to_owned()));
            }
            "start" => {
                self.filter = self.library.start(&self.options);
                let word = if self.filter.is_some() { "started" } else { "refused" };
                return Ok(vec![word.to_owned()]);
            }
            "now" => {
                self.now = rest.parse().map_err(|_| "expected nanoseconds")?;
                abi::set_clock(self.now);
            }
            "event" => self.chunk.extend(events::event(self.now, rest)?),
            "old-event" => self.chunk.extend(events::old_event(self.now, rest)?),
            "bytes" => self.chunk.extend(events::unhex(rest)?),
            "call" => return self.call(),
            "stop" => {
                self.filter = None;
                return Ok(vec!["stopped".to_owned()]);
            }
            _ => return Err("unknown request".to_owned()),
        }
        Ok(Vec::new())
    }

    fn call(&mut self) -> Result<Vec<String>, String> {
        let filter = self.filter.as_ref().ok_or("no filter is running")?;
        let chunk = std::mem::take(&mut self.chunk);
        let (word, left) = match filter.call(&chunk) {
            Reply::Untouched => ("untouched", chunk),
            Reply::Dropped => ("dropped", Vec::new()),
            Reply::Replaced(bytes) => ("replaced", bytes.to_vec()),
        };
        let mut answer = vec![word.to_owned()];
        match events::read(&left) {
            Ok(events) => {
                answer.extend(events.into_iter().map(|(head, body)| format!("event {head} {body}")));
            }
            // A chunk that was malformed and passed.
            Err(error) if word == "untouched" => answer.push(format!("malformed {error}")),
            Err(error) => return Err(error),
        }
        answer.push("done".to_owned());
        Ok(answer)
    }
}
