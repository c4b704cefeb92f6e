//! Prints CPU time and peak memory per record by its size, from 200 bytes to 10 MB.
//!
//! It prints the same for records just below and just above `max-entry-bytes`. Peak memory is the engine's allocations
//! without its buffer of entries.
//!
//! Two Markdown tables on standard output; `cargo bench -p kaudit-bench --bench sizes -- limit` prints only the second,
//! in a few seconds.

#![forbid(unsafe_code)]

use std::hint::black_box;

use allocation_counter::measure;
use kaudit_bench::{Encoding, JOB, Worker};
use kaudit_timing::cpu_nanos;

/// A form of record: its name, and a function that builds a record of about `bytes` bytes of JSON.
type Form = (&'static str, fn(usize) -> String);

const FORMS: [Form; 7] = [
    ("one long string", |bytes| finding(&format!("\"doc\":\"{}\"", "d".repeat(bytes)))),
    ("many strings", |bytes| {
        let members: Vec<String> =
            (0..bytes / 100).map(|n| format!("\"k{n}\":\"{}\"", "v".repeat(85))).collect();
        finding(&format!("\"more\":{{{}}}", members.join(",")))
    }),
    ("nested", |bytes| {
        let reason = "{\"doc\":\"change in count\",\"values\":{\"high\":[6,7]},\"ok\":true}";
        finding(&format!("\"reasons\":[{}]", vec![reason; bytes / (reason.len() + 1)].join(",")))
    }),
    ("escaped text", |bytes| finding(&format!("\"doc\":\"{}\"", "a \\\"word\\\"\\n".repeat(bytes / 12)))),
    ("one long string, a list of ones", |bytes| {
        finding(&format!("\"doc\":\"{}\",\"x\":[1{}]", "d".repeat(bytes / 2), ",1".repeat(bytes / 4)))
    }),
    ("a list of ones", |bytes| finding(&format!("\"x\":[1{}]", ",1".repeat(bytes / 2)))),
    ("a line without a finding", |bytes| format!("{{\"log\":\"{}\"}}", "started; ".repeat(bytes / 9))),
];

const SIZES: [usize; 10] =
    [200, 1_000, 10_000, 29_000, 31_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000];

/// A detection that the job keeps, with more members.
fn finding(more: &str) -> String {
    format!(
        "{{\"etype\":\"principal\",\"eid\":\"admin\",\"cluster\":\"c\",\"category\":\"incident\",\
         \"confidence\":\"high\",\"short-doc\":\"d\",{more}}}"
    )
}

/// `max-entry-bytes` of the job.
const MAX: usize = 100_000;

/// The cost of one record.
struct Cost {
    bytes: usize,
    nanos: f64,
    peak: u64,
}

fn main() {
    if std::env::args().all(|argument| argument != "limit") {
        by_size();
        println!();
    }
    at_limit();
}

fn by_size() {
    println!("| record | encoding | bytes | µs | ns per byte | peak memory, bytes | times the record |");
    println!("|---|---|---:|---:|---:|---:|---:|");
    for (name, make) in FORMS {
        for (encoding_name, encoding) in Encoding::ALL {
            for size in SIZES {
                let Cost { bytes, nanos, peak } = cost(encoding, &encoding.of(&make(size)));
                println!(
                    "| {name} | {encoding_name} | {bytes} | {:.1} | {:.2} | {peak} | {:.1} |",
                    nanos / 1000.0,
                    nanos / float(bytes as u64),
                    float(peak) / float(bytes as u64)
                );
            }
        }
    }
}

/// Compares records of 95 and 105 % of the maximum, as JSON.
fn at_limit() {
    println!(
        "| record | encoding | µs below | µs above | ratio | peak memory above, bytes | times the record |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|");
    for (name, make) in FORMS {
        for (encoding_name, encoding) in Encoding::ALL {
            let [below, above] = [95, 105].map(|percent| {
                // Each form exceeds the requested bytes by a few hundred.
                cost(encoding, &encoding.of(&make(MAX * percent / 100)))
            });
            println!(
                "| {name} | {encoding_name} | {:.1} | {:.1} | {:.1} | {} | {:.1} |",
                below.nanos / 1000.0,
                above.nanos / 1000.0,
                above.nanos / below.nanos,
                above.peak,
                float(above.peak) / float(above.bytes as u64)
            );
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}

fn cost(encoding: Encoding, record: &[u8]) -> Cost {
    let mut worker = Worker::new(JOB);
    let mut out = Vec::with_capacity(2 << 20);
    let mut once = || {
        out.clear();
        black_box(worker.decide(encoding, record, kaudit_bench::records::START_MS + 3_600_000, &mut out));
    };
    once();
    let peak = measure(&mut once).bytes_max;
    // About 20 ms of work; the minimum of five rounds.
    let times = (4_000_000 / record.len() as u64).clamp(1, 2_000);
    let nanos = (0..5)
        .map(|_| {
            let start = cpu_nanos();
            (0..times).for_each(|_| once());
            float(cpu_nanos() - start) / float(times)
        })
        .fold(f64::INFINITY, f64::min);
    Cost { bytes: record.len(), nanos, peak }
}
