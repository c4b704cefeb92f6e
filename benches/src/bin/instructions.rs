//! Repeats the same work, for a tool that counts instructions: `instructions CASE ROUNDS`.
//!
//! Two runs with different numbers of rounds differ only by that work; without arguments it prints the cases, each with
//! the number of records in a round.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use kaudit_bench::{Worker, counted};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [wanted, rounds] = arguments.as_slice() else {
        for case in counted(|_| true) {
            println!("{} {}", case.name, case.batch.records.len());
        }
        return ExitCode::SUCCESS;
    };
    let Ok(rounds) = rounds.parse::<usize>() else {
        eprintln!("expected a number of rounds, found `{rounds}`");
        return ExitCode::from(2);
    };
    let Some(case) = counted(|name| name == wanted).pop() else {
        eprintln!("unknown case `{wanted}`");
        return ExitCode::from(2);
    };
    let mut worker = Worker::new(&case.job);
    let kept: usize = (0..rounds).map(|_| worker.all(&case.batch)).sum();
    println!("{wanted}: {kept} kept");
    ExitCode::SUCCESS
}
