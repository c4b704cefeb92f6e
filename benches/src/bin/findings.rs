//! Prints generated findings, one per line: `findings COUNT`.

#![forbid(unsafe_code)]

use std::io::{BufWriter, Write as _, stdout};
use std::process::ExitCode;

use kaudit_bench::records::{Profile, Records};

fn main() -> ExitCode {
    let Some(count) = std::env::args().nth(1).and_then(|count| count.parse().ok()) else {
        eprintln!("expected the number of findings");
        return ExitCode::from(2);
    };
    let mut out = BufWriter::new(stdout().lock());
    let printed =
        Records::new(Profile::Mixed, 1000, 1).take(count).try_for_each(|line| writeln!(out, "{line}"));
    match printed.and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
