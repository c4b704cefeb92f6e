//! Prints what a record costs by its size, from 200 bytes to 10 MB: processor time, and the most memory that the engine
//! allocates for it besides its buffer of entries. A Markdown table on standard output.

#![forbid(unsafe_code)]

use std::hint::black_box;

use allocation_counter::measure;
use kaudit_bench::{Encoding, JOB, Worker, rounds};

/// A form of record: its name, and how it is made to be about so many bytes of JSON.
type Form = (&'static str, fn(usize) -> String);

const FORMS: [Form; 4] = [
    ("one long string", |bytes| finding(&format!("\"doc\":\"{}\"", "d".repeat(bytes)))),
    ("many strings", |bytes| {
        let members: Vec<String> =
            (0..bytes / 100).map(|n| format!("\"k{n}\":\"{}\"", "v".repeat(85))).collect();
        finding(&format!("\"more\":{{{}}}", members.join(",")))
    }),
    ("a list of ones", |bytes| finding(&format!("\"x\":[1{}]", ",1".repeat(bytes / 2)))),
    ("a line that is no finding", |bytes| format!("{{\"log\":\"{}\"}}", "started; ".repeat(bytes / 9))),
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

fn main() {
    println!("| record | encoding | bytes | µs | ns a byte | peak memory, bytes | times the record |");
    println!("|---|---|---:|---:|---:|---:|---:|");
    for (name, make) in FORMS {
        for (encoding_name, encoding) in Encoding::ALL {
            for size in SIZES {
                let record = encoding.of(&make(size));
                row(name, encoding_name, encoding, &record);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn row(name: &str, encoding_name: &str, encoding: Encoding, record: &[u8]) {
    let mut worker = Worker::new(JOB);
    let mut out = Vec::with_capacity(2 << 20);
    let mut once = || {
        out.clear();
        black_box(worker.decide(encoding, record, kaudit_bench::records::START_MS + 3_600_000, &mut out));
    };
    once();
    let peak = measure(&mut once).bytes_max;
    // About 20 ms of work, in the least of five rounds.
    let times = (4_000_000 / record.len()).clamp(1, 2_000);
    let nanos = (0..5)
        .map(|_| {
            let start = rounds::cpu_ns();
            (0..times).for_each(|_| once());
            (rounds::cpu_ns() - start) as f64 / times as f64
        })
        .fold(f64::INFINITY, f64::min);
    let bytes = record.len() as f64;
    println!(
        "| {name} | {encoding_name} | {} | {:.1} | {:.2} | {peak} | {:.1} |",
        record.len(),
        nanos / 1000.0,
        nanos / bytes,
        peak as f64 / bytes
    );
}
