//! `cargo xtask fuzz`: runs the fuzz targets with libFuzzer, coverage-guided, on the stable compiler.
//!
//! Decision: no cargo-fuzz, which needs a nightly compiler for its sanitizers. They would find errors of `unsafe` code,
//! and the engine has none; debug assertions and checks for overflow are enabled.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Done, apt_get, cargo, read, root, run as sh, show, target_directory};

const TARGETS: [&str; 4] = ["json-sequence", "msgpack-chunk", "both-encodings", "text"];

/// Instruments code for libFuzzer: counters of edges, and comparisons, from which it takes values.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// The longest input, bytes: some records have to be larger than the smallest entry that can be configured.
const MAX_LENGTH: usize = 20_000;

/// The time limits for one input, on a machine that may be busy, and for minimising a failure, seconds.
const TIMEOUT: u64 = 300;
const MINIMISE: u64 = 30;

/// The parsed arguments.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    minutes: u64,
    targets: Vec<&'static str>,
}

/// The result of a target's run.
struct Report {
    name: &'static str,
    executions: u64,
    edges: u64,
    seconds: u64,
    /// The input of a finding, and its message.
    finding: Option<(PathBuf, String)>,
}

/// Builds and runs the targets one after the other, and prints a report; a finding is the task's failure.
pub fn run(arguments: &[String]) -> Done {
    let Run { minutes, targets } = parse(arguments)?;
    let directory = target_directory()?.join("fuzz");
    let programs = build(&directory)?;
    let mut reports = Vec::new();
    for name in targets {
        let report = fuzz(name, minutes, &programs.join(name), &directory)?;
        println!("{}", line(&report));
        reports.push(report);
    }
    println!("\n{:<16} {:>12} {:>8} {:>8} {:>9}", "target", "executions", "edges", "seconds", "findings");
    for Report { name, executions, edges, seconds, finding } in &reports {
        println!("{name:<16} {executions:>12} {edges:>8} {seconds:>8} {:>9}", usize::from(finding.is_some()));
    }
    let found: Vec<&Report> = reports.iter().filter(|report| report.finding.is_some()).collect();
    match found.len() {
        0 => Ok(()),
        count => Err(format!("{count} findings; copy each input into fuzz/corpus/ with its fix")),
    }
}

fn line(report: &Report) -> String {
    match &report.finding {
        None => format!("{}: no finding", report.name),
        Some((input, message)) => format!("{}: {message}\n  input: {}", report.name, input.display()),
    }
}

fn parse(arguments: &[String]) -> Done<Run> {
    let mut run = Run { minutes: 1, targets: Vec::new() };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--minutes" {
            let minutes =
                arguments.next().and_then(|minutes| minutes.parse().ok()).filter(|minutes| *minutes > 0);
            run.minutes = minutes.ok_or("--minutes requires an integer from 1")?;
        } else if let Some(target) = TARGETS.iter().find(|target| *target == argument) {
            run.targets.push(target);
        } else {
            return Err(format!("unknown target `{argument}`; there are {}", TARGETS.join(", ")));
        }
    }
    if run.targets.is_empty() {
        run.targets = TARGETS.to_vec();
    }
    Ok(run)
}

/// Builds the programs; returns their directory.
fn build(directory: &Path) -> Done<PathBuf> {
    if read(Command::new("c++").arg("--version")).is_err() {
        apt_get(&["g++"]).map_err(|error| format!("libFuzzer needs a C++ compiler, `c++` ({error})"))?;
    }
    let host = host()?;
    let mut command = cargo(&["build", "--manifest-path", "fuzz/Cargo.toml", "--release", "--locked"]);
    // With `--target`, the flags do not apply to build scripts.
    command.args(["--target", &host, "--target-dir"]).arg(directory).env("RUSTFLAGS", FLAGS);
    sh(&mut command)?;
    Ok(directory.join(host).join("release"))
}

/// The triple of this machine.
fn host() -> Done<String> {
    let output = read(Command::new("rustc").arg("-vV"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc names no host".to_owned())
}

/// Runs a target. New inputs are collected below the target directory, and used by the next run; the corpus in the
/// repository is only read.
fn fuzz(name: &'static str, minutes: u64, program: &Path, directory: &Path) -> Done<Report> {
    let (collected, found) = (directory.join("corpus").join(name), directory.join("findings").join(name));
    for directory in [&collected, &found] {
        fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    let log = directory.join(format!("{name}.log"));
    let mut command = Command::new(program);
    command
        .arg(format!("-max_total_time={}", minutes * 60))
        .arg(format!("-max_len={MAX_LENGTH}"))
        .arg(format!("-timeout={TIMEOUT}"))
        .arg("-print_final_stats=1")
        .arg(format!("-dict={}", root().join("fuzz/dictionary.txt").display()))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(&collected)
        .arg(root().join("fuzz/corpus").join(name));
    let succeeded = logged(&mut command, &log)?;
    let text =
        String::from_utf8_lossy(&fs::read(&log).map_err(|error| format!("{}: {error}", log.display()))?)
            .into_owned();
    let mut report = report(name, &text);
    if !succeeded {
        let Some(input) = artifact(&text) else {
            return Err(format!("`{}` failed, see {}", show(&command), log.display()));
        };
        report.finding = Some((minimised(program, &input, &found), message(&text)));
    }
    Ok(report)
}

/// Runs a command with its output in a file; returns whether it succeeded.
fn logged(command: &mut Command, log: &Path) -> Done<bool> {
    let shown = show(command);
    eprintln!("$ {shown}");
    let file = || File::create(log).map_err(|error| format!("{}: {error}", log.display()));
    let errors = file()?;
    let output = errors.try_clone().map_err(|error| format!("{}: {error}", log.display()))?;
    let status = command.stdout(output).stderr(errors).status();
    status.map(|status| status.success()).map_err(|error| format!("cannot run `{shown}`: {error}"))
}

/// Returns the minimised input of a failure, or the input itself if minimising fails.
fn minimised(program: &Path, input: &Path, directory: &Path) -> PathBuf {
    let smaller = directory.join("minimised");
    let mut command = Command::new(program);
    command
        .args(["-minimize_crash=1", &format!("-max_total_time={MINIMISE}")])
        .arg(format!("-exact_artifact_path={}", smaller.display()))
        .arg(input);
    match logged(&mut command, &directory.join("minimise.log")) {
        Ok(_) if smaller.exists() => smaller,
        _ => input.to_owned(),
    }
}

/// The figures in libFuzzer's output: `#4096 pulse cov: 812 ft: 2045 …`, and statistics at its end.
fn report(name: &'static str, log: &str) -> Report {
    let number = |text: &str| text.split_whitespace().next().and_then(|number| number.parse().ok());
    let last = |mark: &str| log.lines().rev().find_map(|line| number(line.split_once(mark)?.1)).unwrap_or(0);
    let executions = last("stat::number_of_executed_units:");
    let seconds = executions / last("stat::average_exec_per_sec:").max(1);
    Report { name, executions, edges: last(" cov: "), seconds, finding: None }
}

/// Returns the file into which libFuzzer wrote the input of a failure. Slow inputs are not failures.
fn artifact(log: &str) -> Option<PathBuf> {
    let written = log.lines().filter_map(|line| line.split_once("Test unit written to "));
    written.map(|(_, path)| PathBuf::from(path)).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with("slow-unit")
    })
}

/// Returns the message of a failure: of the panic, or libFuzzer's own, such as for a timeout.
fn message(log: &str) -> String {
    let mut lines = log.lines();
    let panic = lines.by_ref().find(|line| line.contains("panicked at "));
    let text = match panic {
        Some(at) => {
            let at = at.split_once("panicked at ").map_or("", |(_, at)| at);
            format!("{at} {}", lines.next().unwrap_or_default())
        }
        None => log.lines().find(|line| line.contains("ERROR: libFuzzer")).unwrap_or("unknown").to_owned(),
    };
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_select_time_and_targets() {
        let parse = |text: &str| parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(parse(""), Ok(Run { minutes: 1, targets: TARGETS.to_vec() }));
        assert_eq!(parse("text --minutes 15"), Ok(Run { minutes: 15, targets: vec!["text"] }));
        for wrong in ["--minutes", "--minutes 0", "--minutes x", "other"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn figures_and_findings_are_read_from_the_log() {
        let log = "#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb\n\
                   #4096\tpulse  cov: 812 ft: 2045 corp: 9/99b exec/s: 512 rss: 31Mb\n\
                   thread '<unnamed>' panicked at src/x.rs:1:2:\nthe cache changes the verdict\n\
                   artifact_prefix='f/'; Test unit written to f/slow-unit-1\nTest unit written to f/crash-1\n\
                   stat::number_of_executed_units: 5120\nstat::average_exec_per_sec:     512\n";
        let report = report("text", log);
        assert_eq!((report.executions, report.edges, report.seconds), (5120, 812, 10));
        assert_eq!(artifact(log), Some("f/crash-1".into()));
        assert_eq!(message(log), "src/x.rs:1:2: the cache changes the verdict");
        assert_eq!(
            message("==1== ERROR: libFuzzer: timeout after 11 seconds"),
            "==1== ERROR: libFuzzer: timeout after 11 seconds"
        );
    }
}
