//! Loads the built plugin as Fluent Bit does: `kaudit-fluent-bit-driver [--layout 2.2|3.2|3.2-no-regex] MODULE`.
//!
//! It serves the protocol of `kaudit_driver`; an event has the time of its chunk. With `--soak CYCLES,RECORDS,SLACK_KB` it
//! runs the plugin long enough for a leak to show instead: [`soak`].

mod abi;
mod events;
mod soak;

use std::process::ExitCode;

use kaudit_driver::{
    Arguments, Chunk, Event, Filtered, Instance, Level, Line, Outcome, Plugin, Start, Timer, Value,
};

use abi::{Filter, Layout, Library, Reply};

fn main() -> ExitCode {
    kaudit_driver::run(env!("CARGO_BIN_NAME"), &["--layout", "--soak"], run)
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let layout = match arguments.options.get("--layout") {
        Some(name) => layout(name)?,
        None => Layout::ALL[1].1,
    };
    let mut library = Library::open(&arguments.module, layout)?;
    match arguments.options.get("--soak") {
        Some(plan) => soak::run(&library, &soak::Plan::parse(plan)?),
        None => kaudit_driver::serve_standard(&mut library),
    }
}

fn layout(name: &str) -> Result<Layout, String> {
    let known = Layout::ALL.iter().find(|(known, _)| *known == name);
    let names: Vec<_> = Layout::ALL.iter().map(|(name, _)| *name).collect();
    known
        .map(|(_, layout)| *layout)
        .ok_or_else(|| format!("--layout: expected {}, found `{name}`", names.join(", ")))
}

impl Plugin for Library {
    type Chunk = Vec<u8>;
    type Instance = Filter;

    fn encode(&self, chunk: &Chunk) -> Result<Vec<u8>, String> {
        let events = chunk.records.iter().map(|record| events::encode(chunk.at, record));
        events.collect::<Result<Vec<_>, _>>().map(|events| events.concat())
    }

    fn start(&mut self, start: &Start) -> Result<Filter, Vec<Line>> {
        abi::set_clock(start.at);
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let options: Vec<_> = start.options.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        Library::start(self, &options).ok_or_else(Vec::new)
    }

    fn take_log(&mut self) -> Vec<Line> {
        let level = |level| match level {
            ..=1 => Level::Error,
            2 => Level::Warning,
            3 => Level::Info,
            _ => Level::Debug,
        };
        abi::take_log().into_iter().map(|(number, text)| Line { level: level(number), text }).collect()
    }
}

impl Instance for Filter {
    type Chunk = Vec<u8>;

    fn filter(&mut self, at: i64, chunk: &Vec<u8>) -> Result<Filtered, String> {
        abi::set_clock(at);
        let (outcome, read) = match self.call(chunk) {
            Reply::Untouched => (Outcome::Untouched, events::read(chunk)),
            Reply::Dropped => (Outcome::Dropped, Ok(Vec::new())),
            Reply::Replaced(bytes) => (Outcome::Replaced, events::read(&bytes)),
        };
        let (events, malformed): (Vec<Event>, _) = match read {
            Ok(events) => (events, None),
            // The chunk was malformed before.
            Err(error) if outcome == Outcome::Untouched => (Vec::new(), Some(error)),
            Err(error) => return Err(error),
        };
        Ok(Filtered { outcome: Some(outcome), events, malformed, ..Filtered::default() })
    }

    fn count(&mut self, at: i64, chunk: &Vec<u8>, timer: &mut Timer) -> Result<u64, String> {
        abi::set_clock(at);
        match timer.time(|| self.call(chunk)) {
            Reply::Untouched => events::count(chunk),
            Reply::Dropped => Ok(0),
            Reply::Replaced(bytes) => events::count(&bytes),
        }
    }
}
