//! The guard against slower code: instructions per record.
//!
//! They are counted by valgrind, and depend neither on the machine's load nor on the run.
//!
//! They depend on the processor only where code detects its features. On every machine with AVX2, valgrind emulates the
//! same processor; on a machine without it nothing can be compared, and the guard reports that.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::record::write;
use crate::shell::{self, Done, cargo};

/// The allowed increase over the record, as a share. Compilers differ by less.
const TOLERANCE: f64 = 0.05;

const INSTRUCTIONS: &str = "benches/record/instructions.toml";

/// Instructions per record, by case.
type Counts = BTreeMap<String, u64>;

/// Compares the counts with the record.
pub fn compare() -> Done {
    if !is_comparable() {
        eprintln!(
            "instructions not counted: the record is for x86-64 with AVX2, and this machine is another"
        );
        return Ok(());
    }
    let path = shell::root().join(INSTRUCTIONS);
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read `{INSTRUCTIONS}`: {error}"))?;
    let recorded: Counts =
        toml::from_str(&text).map_err(|error| format!("cannot read `{INSTRUCTIONS}`: {error}"))?;
    let counted = count()?;
    if recorded.keys().ne(counted.keys()) {
        return Err(format!("`{INSTRUCTIONS}` has other cases; run `cargo xtask bench --update`"));
    }
    let mut slower = Vec::new();
    for (case, &now) in &counted {
        let before = recorded[case];
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let change = now as f64 / before as f64 - 1.0;
        println!("{case:<22} {now:>6} instructions per record, {:+.1} %", change * 100.0);
        if change > TOLERANCE {
            slower.push(case.as_str());
        }
    }
    if slower.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more than {:.0} % over the record: {}; find the cause, or run `cargo xtask bench --update` and state the reason",
        TOLERANCE * 100.0,
        slower.join(", ")
    ))
}

/// Updates the record.
pub fn update() -> Done {
    if !is_comparable() {
        return Err("the record is for x86-64 with AVX2, and this machine is another".to_owned());
    }
    let counts = count()?;
    let mut text = "# Instructions per record, on x86-64: `cargo xtask bench --instructions` compares, `--update` writes.\n"
        .to_owned();
    for (case, count) in &counts {
        let _ = writeln!(text, "{case} = {count}");
    }
    write(INSTRUCTIONS, &text)
}

/// Counts each case with two numbers of rounds; the difference excludes the first round.
fn count() -> Done<Counts> {
    const ROUNDS: [u64; 2] = [1, 21];
    install()?;
    shell::run(&mut cargo(&[
        "build",
        "--release",
        "--locked",
        "-p",
        "kaudit-bench",
        "--bin",
        "instructions",
    ]))?;
    let program = shell::target_directory()?.join("release/instructions");
    let listed = shell::read(&mut Command::new(&program))?.stdout;
    let mut counts = Counts::new();
    for line in String::from_utf8_lossy(&listed).lines() {
        let (case, records) = line.split_once(' ').ok_or("the program lists no cases")?;
        let records: u64 = records.parse().map_err(|_| "the program lists no numbers of records")?;
        let mut totals = [0; 2];
        for (total, rounds) in totals.iter_mut().zip(ROUNDS) {
            *total = instructions(&program, case, rounds)?;
        }
        counts.insert(
            case.to_owned(),
            totals[1].saturating_sub(totals[0]) / ((ROUNDS[1] - ROUNDS[0]) * records),
        );
    }
    Ok(counts)
}

fn instructions(program: &Path, case: &str, rounds: u64) -> Done<u64> {
    let mut command = Command::new("valgrind");
    // Only the processing of records is counted; building the filter depends on random numbers.
    let counted = "--toggle-collect=kaudit_bench::Worker::all";
    command.args(["--tool=callgrind", counted, "--callgrind-out-file=/dev/null"]).arg(program);
    let output = shell::read(command.args([case, &rounds.to_string()]))?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    stderr
        .lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .ok_or_else(|| format!("valgrind printed no count:\n{stderr}"))
}

/// Returns whether valgrind emulates the record's processor.
fn is_comparable() -> bool {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cfg!(target_arch = "x86_64") && flags.split_whitespace().any(|flag| flag == "avx2")
}

/// Installs valgrind if it is missing.
fn install() -> Done {
    let there = || shell::read(Command::new("valgrind").arg("--version")).is_ok();
    if there() {
        return Ok(());
    }
    let apt = |arguments: &[&str]| shell::run(Command::new("apt-get").args(arguments).arg("--quiet"));
    let installed =
        apt(&["update"]).and_then(|()| apt(&["install", "--yes", "--no-install-recommends", "valgrind"]));
    if there() {
        return Ok(());
    }
    let why = installed.err().unwrap_or_else(|| "it is installed, but does not run".to_owned());
    Err(format!(
        "cannot count instructions without valgrind ({why}); install it, as `apt-get install valgrind` does"
    ))
}
