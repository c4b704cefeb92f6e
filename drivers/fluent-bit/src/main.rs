//! Loads the built plugin as Fluent Bit does: `kaudit-fluent-bit-driver [--layout 2.2|3.2|3.2-no-regex|5.1]
//! [--emitter works|refuses|drops|absent] MODULE`.
//!
//! It serves the protocol of `kaudit_driver`; an event has the time of its chunk. A chunk without records, which Fluent
//! Bit never passes to a filter, lets time pass: it calls the filter's timer instead, if it has one. With `--soak CYCLES,RECORDS,SLACK_KB` it
//! runs the plugin long enough for a leak to show instead: [`soak`].

mod abi;
mod events;
mod soak;

use std::collections::BTreeMap;
use std::process::ExitCode;

use kaudit_driver::{
    Arguments, Chunk, Event, Filtered, Instance, Level, Line, Outcome, Plugin, Start, Stopped, Timer, Value,
};

use abi::{Emitters, Filter, Layout, Library, Reply};

fn main() -> ExitCode {
    kaudit_driver::run(env!("CARGO_BIN_NAME"), &["--layout", "--emitter", "--soak"], run)
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let layout = match arguments.options.get("--layout") {
        Some(name) => named("--layout", name, &Layout::ALL)?,
        None => Layout::ALL[1].1,
    };
    if let Some(name) = arguments.options.get("--emitter") {
        abi::set_emitters(named("--emitter", name, &Emitters::ALL)?);
    }
    let mut library = Library::open(&arguments.module, layout)?;
    match arguments.options.get("--soak") {
        Some(plan) => soak::run(&library, &soak::Plan::parse(plan)?),
        None => kaudit_driver::serve_standard(&mut library),
    }
}

/// Returns the value of an option that has these names.
fn named<T: Copy>(option: &str, name: &str, known: &[(&str, T)]) -> Result<T, String> {
    let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
    let value = known.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    value.ok_or_else(|| format!("{option}: expected {}, found `{name}`", names.join(", ")))
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
        if let Some(own) = chunk.is_empty().then(|| self.tick()).flatten() {
            let outcome = if own.is_empty() { Outcome::Untouched } else { Outcome::Replaced };
            return Ok(Filtered {
                outcome: Some(outcome),
                events: events::read(&own)?,
                ..Filtered::default()
            });
        }
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

    fn series(&self) -> BTreeMap<String, u64> {
        self.metrics()
    }

    fn stop(mut self) -> Result<Stopped, String> {
        self.exit();
        Ok(Stopped { series: self.metrics(), ..Stopped::default() })
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
