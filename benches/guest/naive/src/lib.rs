//! The benchmark's job on detections, without any optimisation.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use serde_json::{Value, json};

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
}

/// The maximum age of a finding, and its maximum time ahead of now, milliseconds.
const MAX_AGE: i64 = 24 * 3_600_000;
const MAX_AHEAD: i64 = 4 * 3_600_000;
/// The maximum number of findings of an entity per second.
const LIMIT: i64 = 1000;

struct Job {
    refused: Regex,
    /// When an entity's next finding is due.
    due: HashMap<String, i64>,
    reply: Vec<u8>,
}

thread_local! {
    static JOB: RefCell<Option<Job>> = const { RefCell::new(None) };
}

#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    let refused = Regex::new("^system:").expect("a pattern");
    JOB.set(Some(Job { refused, due: HashMap::new(), reply: Vec::new() }));
}

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut u8 {
    let mut bytes = Vec::with_capacity(size + 8);
    bytes.extend_from_slice(&(size + 8).to_le_bytes());
    bytes.resize(8, 0);
    // SAFETY: the eight bytes exist.
    unsafe { bytes.leak().as_mut_ptr().add(8) }
}

#[unsafe(no_mangle)]
extern "C" fn free(bytes: *mut u8) {
    // SAFETY: `malloc` returned it, with its capacity before it.
    unsafe {
        let start = bytes.sub(8);
        let capacity = start.cast::<usize>().read_unaligned();
        drop(Vec::from_raw_parts(start, 8, capacity));
    }
}

#[unsafe(no_mangle)]
extern "C" fn kaudit(_: u32, _: u32, _: u32, _: u32, record: *const u8, length: usize) -> *const u8 {
    // SAFETY: the host's promise.
    let record = unsafe { std::slice::from_raw_parts(record, length) };
    let mut now = 0;
    // SAFETY: eight bytes are written.
    unsafe { clock_time_get(0, 1000, &raw mut now) };
    let now = i64::try_from(now).unwrap_or(0);
    JOB.with_borrow_mut(|job| {
        let job = job.as_mut().expect("initialised");
        let entry = filter(job, record, now).map(|entry| entry.to_string()).unwrap_or_default();
        job.reply = entry.into_bytes();
        job.reply.push(0);
        job.reply.as_ptr()
    })
}

fn filter(job: &mut Job, record: &[u8], now: i64) -> Option<Value> {
    let finding: Value = serde_json::from_slice(record).ok()?;
    let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let (etype, category, confidence) = (text("etype"), text("category"), text("confidence"));
    let entity = text("eid");
    let accepted = ["principal", "resource"].contains(&&*etype)
        && ["anomaly", "incident"].contains(&&*category)
        && ["high", "medium"].contains(&&*confidence)
        && !job.refused.is_match(&entity);
    if !accepted {
        return None;
    }
    let step = 1_000_000_000 / LIMIT;
    let due = job.due.entry(entity.clone()).or_insert(now);
    if *due > now + 1_000_000_000 - step {
        return None;
    }
    *due = now.max(*due) + step;
    let time = finding["time"].as_i64().unwrap_or(now / 1_000_000);
    let now = now / 1_000_000;
    let stale = time < now - MAX_AGE || time > now + MAX_AHEAD;
    let severity = match (&*category, &*confidence) {
        ("incident", "high") => 6,
        ("incident", _) | (_, "high") => 5,
        _ => 4,
    };
    let mut entry = json!({
        "timestamp": if stale { now } else { time },
        "severity": severity,
        "applicationName": text("cluster"),
        "subsystemName": "kaudit-detections",
        "computerName": text("cluster"),
        "category": category,
        "className": etype,
        "methodName": text("short_doc"),
        "threadId": entity,
    });
    let mut body = finding;
    if stale {
        body["kaudit_filter"] = json!({ "clamped": true });
    }
    entry["text"] = body;
    Some(entry)
}
