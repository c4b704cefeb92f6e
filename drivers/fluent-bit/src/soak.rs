//! Runs the plugin long enough for a leak to show: many starts and stops, many records, several threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use kaudit_driver::resident_kb;

use crate::abi::{self, Library, Reply};
use crate::events;

/// The amount of work.
pub struct Plan {
    cycles: u64,
    records: u64,
    /// The allowed growth of resident memory after the warm-up, kB: the variation of the allocator.
    slack: u64,
}

impl Plan {
    /// Parses `CYCLES,RECORDS,SLACK_KB`; there is at least one chunk of records for each instance and part of the run.
    pub fn parse(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u64>, _> = text.split(',').map(str::parse).collect();
        match numbers.unwrap_or_default()[..] {
            [cycles, records, slack] => Ok(Self { cycles, records, slack }),
            _ => Err(format!("--soak: expected CYCLES,RECORDS,SLACK_KB, found `{text}`")),
        }
    }

    fn grown(&self, before: u64, after: u64) -> Result<(), String> {
        let grown = after.saturating_sub(before);
        if grown > self.slack {
            return Err(format!("resident memory grew by {grown} kB, more than {} kB", self.slack));
        }
        Ok(())
    }
}

/// Events in a chunk: about as many as Fluent Bit passes for a busy file.
const CHUNK: u64 = 2_000;
/// Instances that run at the same time, each on a thread of its own, and threads that share one more instance.
const THREADS: u64 = 2;
/// Runs the plan; an error states the growth or the wrong count.
pub fn run(library: &Library, plan: &Plan) -> Result<(), String> {
    let start = 1_583_073_360_000_000_000;
    abi::set_clock(start);
    cycles(library, plan.cycles / 10)?;
    let before = resident_kb()?;
    cycles(library, plan.cycles)?;
    let after = resident_kb()?;
    println!("{} starts and stops: resident memory {before} kB before, {after} kB after", plan.cycles);
    plan.grown(before, after)?;

    let total = AtomicU64::new(0);
    // Limiters' tables fill, and the allocator's memory reaches its maximum.
    for _ in 0..3 {
        records(library, plan.records / 10, start, &total)?;
    }
    let before = resident_kb()?;
    for _ in 0..10 {
        records(library, plan.records / 10, start, &total)?;
    }
    let after = resident_kb()?;
    let records = total.load(Ordering::Relaxed);
    println!(
        "{records} records: resident memory {before} kB after three tenths of these, {after} kB at the end"
    );
    plan.grown(before, after)
}

fn options(limit: &str) -> Vec<(String, String)> {
    let options = [
        ("rate_limit", limit),
        ("rate_limit_by", "entity"),
        ("entity_no_match", "^system:"),
        ("stats_interval", "1s"),
        ("stats_entry", "on"),
    ];
    options.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}

/// Starts, calls and stops instances; some starts are refused.
fn cycles(library: &Library, count: u64) -> Result<(), String> {
    let chunk = chunk(0, 20)?;
    for cycle in 0..count {
        let limit = if cycle % 10 == 9 { "none" } else { "5" };
        match library.start(&options(limit)) {
            Some(filter) => drop(filter.call(&chunk)),
            None if limit == "none" => (),
            None => return Err("the plugin refused to start".to_owned()),
        }
        abi::take_log();
    }
    Ok(())
}

/// Filters records in several instances at once, and in one that all threads share.
fn records(library: &Library, count: u64, start: i64, total: &AtomicU64) -> Result<(), String> {
    let shared = library.start(&options("100")).ok_or("the plugin refused to start")?;
    let chunks = (count / CHUNK / THREADS / 2).max(1);
    let worker = |thread: u64| {
        let own = library.start(&options("100")).ok_or("the plugin refused to start")?;
        for number in 0..chunks {
            // New entities in every chunk, so that the table of keys is full and swept, and one second per chunk, so
            // that summaries are emitted: both within the first tenth.
            let chunk = chunk(number * THREADS + thread, CHUNK)?;
            abi::set_clock(start + i64::try_from(number).unwrap_or(0) * 1_000_000_000);
            for filter in [&own, &shared] {
                if let Reply::Replaced(bytes) = filter.call(&chunk) {
                    // Broken output has an error at some offset.
                    events::count(&bytes)?;
                }
                total.fetch_add(CHUNK, Ordering::Relaxed);
            }
            abi::take_log();
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || worker(thread))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?)
    })
}

fn chunk(number: u64, events: u64) -> Result<Vec<u8>, String> {
    let mut chunk = Vec::new();
    for event in 0..events {
        let entity =
            if event % 3 == 0 { format!("user-{}", number * 100 + event) } else { "system:node".to_owned() };
        let body = format!(
            r#"{{"eid":"{entity}","etype":"principal","category":"anomaly","confidence":"high","cluster":"c","time":1583073360000,"doc":"unusual change in count of unique remote commands","short-doc":"change in remote commands","context":{{"unusual-uri":["/a","/b"]}}}}"#
        );
        chunk.extend(events::event(1_583_073_360_000_000_000, &body)?);
    }
    Ok(chunk)
}
