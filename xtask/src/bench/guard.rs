//! The guard against slower code: instructions for each record, counted by valgrind, which differ neither with the
//! machine's load nor from run to run.
//!
//! They differ with the processor only where code asks it what it can do. Valgrind answers like one and the same
//! processor with AVX2 wherever there is AVX2; on a machine without it nothing can be compared, and that is said.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::record::write;
use crate::shell::{self, Done, cargo};

/// More instructions than on record by this share, and the guard fails. Compilers differ by less.
const TOLERANCE: f64 = 0.05;

const INSTRUCTIONS: &str = "benches/record/instructions.toml";

/// Instructions for each record, by case.
type Counts = BTreeMap<String, u64>;

/// Compares the counts with those on record.
pub fn compare() -> Done {
    if !is_comparable() {
        eprintln!(
            "instructions not counted: those on record are of x86-64 with AVX2, and this machine is another"
        );
        return Ok(());
    }
    let path = shell::root().join(INSTRUCTIONS);
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read `{INSTRUCTIONS}`: {error}"))?;
    let recorded: Counts =
        toml::from_str(&text).map_err(|error| format!("cannot read `{INSTRUCTIONS}`: {error}"))?;
    let counted = count()?;
    if recorded.keys().ne(counted.keys()) {
        return Err(format!("`{INSTRUCTIONS}` is of other cases; run `cargo xtask bench --update`"));
    }
    let mut slower = Vec::new();
    for (case, &now) in &counted {
        let before = recorded[case];
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let change = now as f64 / before as f64 - 1.0;
        println!("{case:<17} {now:>6} instructions a record, {:+.1} %", change * 100.0);
        if change > TOLERANCE {
            slower.push(case.as_str());
        }
    }
    if slower.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more than {:.0} % over the record: {}; find the cause, or run `cargo xtask bench --update` and say why",
        TOLERANCE * 100.0,
        slower.join(", ")
    ))
}

/// Writes the counts anew.
pub fn update() -> Done {
    if !is_comparable() {
        return Err("the counts on record are of x86-64 with AVX2, and this machine is another".to_owned());
    }
    let counts = count()?;
    let mut text = "# Instructions a record, on x86-64: `cargo xtask bench --instructions` compares, `--update` writes.\n"
        .to_owned();
    for (case, count) in &counts {
        let _ = writeln!(text, "{case} = {count}");
    }
    write(INSTRUCTIONS, &text)
}

/// Counts each case at two lengths; what both have in common, the first round, falls out.
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
    // What is done with the records, and not how the filter is built, which chance has a part in.
    let counted = "--toggle-collect=kaudit_bench::Worker::all";
    command.args(["--tool=callgrind", counted, "--callgrind-out-file=/dev/null"]).arg(program);
    let output = shell::read(command.args([case, &rounds.to_string()]))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .ok_or_else(|| format!("valgrind told no count:\n{said}"))
}

/// Whether valgrind's processor is the one on record.
fn is_comparable() -> bool {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cfg!(target_arch = "x86_64") && flags.split_whitespace().any(|flag| flag == "avx2")
}

/// Installs valgrind where it is missing.
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
    let why = installed.err().unwrap_or_else(|| "it is installed, and does not run".to_owned());
    Err(format!(
        "cannot count instructions without valgrind ({why}); install it, as `apt-get install valgrind` does"
    ))
}
