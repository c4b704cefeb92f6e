//! `cargo xtask bench`: runs the benchmarks and writes the reports under `benches/record/`.
//!
//! Times drift with the machine; instructions do not. So the report contains times, and the guard against slower code
//! counts instructions: `cargo xtask bench --instructions` compares them with the record, and `--update` updates the
//! record.

mod agent;
mod criterion;
mod guard;
mod guest;
mod record;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use kaudit_plot::{Bar, Colour, bars, curve};
use serde_json::Value;

use crate::dist;
use crate::shell::{self, Done, cargo};

pub use guard::compare;

use criterion::{Measured, collect};
use record::{FOLDER, machine, write};

/// Runs the task.
pub fn run(arguments: &[String]) -> Done {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => measure(),
        ["--instructions"] => guard::compare(),
        ["--update"] => guard::update(),
        ["--wasm"] => guest::measure(),
        ["--agent", program] => agent::measure(program, None),
        ["--agent", program, "--wamrc", compiler] => agent::measure(program, Some(compiler)),
        _ => Err(
            "expected nothing, `--instructions`, `--update`, `--wasm` or `--agent PROGRAM [--wamrc PROGRAM]`"
                .to_owned(),
        ),
    }
}

/// Everything, one after the other: criterion's benchmarks, the peers, the plugins.
fn measure() -> Done {
    let criterion = shell::target_directory()?.join("criterion");
    // Benchmarks that no longer exist must not appear in the report.
    let _ = fs::remove_dir_all(&criterion);
    shell::run(&mut cargo(&["bench", "--locked", "-p", "kaudit-bench"]))?;
    let measured = collect(&criterion)?;
    let peers = peers()?;
    let targets = targets()?;
    let mut text = format!(
        "# Cost per record\n\nWritten by `cargo xtask bench` on {}. Times are CPU nanoseconds per \
         record, medians.\n\n",
        machine()
    );
    against(&mut text, &peers)?;
    by_target(&mut text, &targets);
    stages(&mut text, &measured);
    growth(&mut text, &measured)?;
    text.push_str("[tried.md](../tried.md) lists rejected optimisations.\n");
    write(&format!("{FOLDER}/report.md"), &text)
}

/// An implementation of the job: the records' format, its name, nanoseconds and their quartiles.
struct Peer {
    format: String,
    name: String,
    nanos: f64,
    quartiles: [f64; 2],
}

/// The goals: the minimum cost of each peer, as a multiple of the engine's.
const GOALS: [(&str, f64); 3] = [("naive", 10.0), ("luajit", 15.0), ("vrl", 20.0)];

const PEERS: &str = "benches/peers/Cargo.toml";

/// Builds and runs the peers, which check their answers first, and tests the programs that `migrate --to vrl` writes.
fn peers() -> Done<Vec<Peer>> {
    let target = shell::target_directory()?.join("peers");
    let mut build = cargo(&["build", "--release", "--locked", "--manifest-path", PEERS, "--target-dir"]);
    shell::run(build.arg(&target))?;
    let mut programs = cargo(&["test", "--release", "--locked", "--manifest-path", PEERS, "--target-dir"]);
    shell::run(programs.arg(&target))?;
    let output = shell::read(&mut Command::new(target.join("release/kaudit-peers")))?;
    let peer = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [format, name, numbers @ ..] = &words[..] else { return None };
        let numbers: Vec<f64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
        let [nanos, lower, upper] = numbers[..] else { return None };
        Some(Peer {
            format: (*format).to_owned(),
            name: (*name).to_owned(),
            nanos,
            quartiles: [lower, upper],
        })
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let peers: Option<Vec<_>> = text.lines().map(peer).collect();
    peers.ok_or_else(|| format!("unexpected output of the peers:\n{text}"))
}

fn against(text: &mut String, peers: &[Peer]) -> Done {
    text.push_str(
        "## Other implementations\n\nThe same job on the same records, in interleaved rounds; every implementation gave the engine's \
         answers before it was timed. `naive` is `serde_json::Value` and `regex`; `luajit` a script as Fluent Bit runs it; \
         `vrl` a program as Vector runs it, and a throttle; `copy` copies the bytes.\n\n",
    );
    formats(text, peers, "The job", ["json", "msgpack"])?;
    text.push_str(
        "26 of the default policy's rules on audit events at the level `Metadata`, generated from one table for each \
         implementation; before it was timed, each gave the engine's set of rules for every event.\n\n",
    );
    formats(text, peers, "The rules", ["audit-json", "audit-msgpack"])
}

fn formats(text: &mut String, peers: &[Peer], what: &str, formats: [&str; 2]) -> Done {
    for format in formats {
        let own: Vec<&Peer> = peers.iter().filter(|peer| peer.format == format).collect();
        let nanos =
            |name: &str| own.iter().find(|peer| peer.name == name).map_or(f64::NAN, |peer| peer.nanos);
        let _ = writeln!(
            text,
            "| {format} | ns | quartiles | times `engine` | goal |\n|---|---:|---:|---:|---:|"
        );
        for Peer { name, nanos: own, quartiles: [lower, upper], .. } in own.iter().copied() {
            let ratio = own / nanos("engine");
            let goal = GOALS.iter().find(|(peer, _)| peer == name).map_or_else(String::new, |(_, goal)| {
                format!("{goal}: {}", if ratio >= *goal { "met" } else { "missed" })
            });
            let line = format!("| {name} | {own:.0} | {lower:.0}–{upper:.0} | {ratio:.1} | {goal} |");
            println!("{format} {line}");
            let _ = writeln!(text, "{line}");
        }
        let bar = |peer: &&Peer| Bar {
            name: peer.name.clone(),
            nanos: peer.nanos,
            rounds: Vec::new(),
            colour: if peer.name == "engine" { Colour::Teal } else { Colour::Grey },
        };
        let title = format!("{what} on {format}: nanoseconds per record");
        let rows: Vec<_> = own.iter().map(bar).collect();
        write(&format!("{FOLDER}/peers-{format}.svg"), &bars(&title, &rows))?;
        let _ = writeln!(text, "\n![{title}](peers-{format}.svg)\n");
    }
    Ok(())
}

/// The configuration and the kind of the records of each table by target.
const TARGETS: [(&str, &str, &str); 3] = [
    ("benches/job.yaml", "mixed", "100000"),
    ("benches/audit.yaml", "audit-metadata", "100000"),
    ("benches/audit.yaml", "audit-bodies", "20000"),
];

/// Runs `kaudit-filter bench` with the plugins in `dist/`.
fn targets() -> Done<Vec<Value>> {
    dist::run(&[])?;
    TARGETS.into_iter().map(|(config, profile, count)| by_profile(config, profile, count)).collect()
}

fn by_profile(config: &str, profile: &str, count: &str) -> Done<Value> {
    let json = shell::target_directory()?.join("targets.json");
    let program = shell::root().join("dist/kaudit-filter");
    let arguments = [
        "bench",
        "--config",
        config,
        "--via",
        "all",
        "--generate",
        count,
        "--profile",
        profile,
        "--format",
        "json",
    ];
    shell::run(Command::new(program).args(arguments).arg("--output").arg(&json).current_dir(shell::root()))?;
    let text =
        fs::read_to_string(&json).map_err(|error| format!("cannot read {}: {error}", json.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", json.display()))
}

fn by_target(text: &mut String, reports: &[Value]) {
    text.push_str(
        "## By target\n\nThe engine, and the files that agents load, on the same records, by `kaudit-filter bench --via \
         all`.\n\n",
    );
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for (report, (_, profile, _)) in reports.iter().zip(TARGETS) {
        let _ = writeln!(
            text,
            "| {profile} | ns | quartiles | times copying | records/s |\n|---|---:|---:|---:|---:|"
        );
        let measured = &report["configurations"][0];
        for target in items(&measured["through"]) {
            let _ = writeln!(
                text,
                "| {} | {:.0} | {:.0}–{:.0} | {:.1} | {:.0} |",
                target["name"].as_str().unwrap_or_default(),
                number(&target["ns"]),
                number(&target["lower_quartile"]),
                number(&target["upper_quartile"]),
                number(&target["times_copy"]),
                number(&target["records_per_second"])
            );
        }
        text.push('\n');
        let _ = writeln!(text, "| {profile}, by verdict | records | ns |\n|---|---:|---:|");
        for detail in items(&measured["details"]) {
            for verdict in items(&detail["verdicts"]) {
                let (name, fate) = (&detail["name"], &verdict["verdict"]);
                let _ = writeln!(
                    text,
                    "| {}, {} | {} | {:.0} |",
                    name.as_str().unwrap_or_default(),
                    fate.as_str().unwrap_or_default(),
                    verdict["records"],
                    number(&verdict["ns"])
                );
            }
        }
        text.push('\n');
        for reason in items(&report["absent"]) {
            let _ = writeln!(text, "Not measured: {}\n", reason.as_str().unwrap_or_default());
        }
    }
}

fn stages(text: &mut String, measured: &[Measured]) {
    text.push_str("## The engine, step by step\n\nEach step includes the previous one.\n\n");
    for group in ["engine-json", "engine-msgpack"] {
        let _ = writeln!(text, "| {group} | ns | times `copy` |\n|---|---:|---:|");
        for one in measured.iter().filter(|one| one.group == group) {
            let size = one.case.rsplit(' ').next().unwrap_or_default();
            let copy = measured
                .iter()
                .find(|other| other.group == group && other.case == format!("copy {size}"))
                .map_or(f64::NAN, |other| other.nanos);
            let _ = writeln!(text, "| {} | {:.0} | {:.1} |", one.case, one.nanos, one.nanos / copy);
        }
        text.push('\n');
    }
}

/// The curves: a group of criterion's, the parameter, and the size from which on the cost should be constant.
const CURVES: [(&str, &str, Option<f64>); 6] = [
    ("scaling-integrations", "integrations", Some(1.0)),
    ("scaling-entities", "entities", Some(10.0)),
    ("scaling-bytes", "bytes of a record", None),
    ("scaling-rules", "rules", Some(10.0)),
    ("scaling-event-bytes", "bytes of an event that its metadata decides", None),
    ("scaling-body-bytes", "bytes of an event whose body is read", None),
];

/// The allowed ratio of the largest cost of a constant curve to the cost at its reference.
const FLAT: f64 = 2.0;

fn growth(text: &mut String, measured: &[Measured]) -> Done {
    text.push_str("## Scaling\n\n");
    for (group, what, reference) in CURVES {
        let points = points(measured, group);
        let title = format!("Nanoseconds a record by {what}");
        write(&format!("{FOLDER}/{group}.svg"), &curve(&title, &points))?;
        let _ = writeln!(text, "![{title}]({group}.svg)\n\n| {what} | ns |\n|---:|---:|");
        for (size, nanos) in &points {
            let _ = writeln!(text, "| {size} | {nanos:.0} |");
        }
        text.push('\n');
        let first = points.iter().find(|point| Some(point.0) == reference);
        if let (Some(first), Some(last)) = (first, points.last()) {
            let times = last.1 / first.1;
            let met = if times <= FLAT { "met" } else { "missed" };
            let line =
                format!("{} {what} cost {times:.2} times {}; goal at most {FLAT}: {met}.", last.0, first.0);
            println!("{line}");
            let _ = writeln!(text, "{line}\n");
        }
    }
    Ok(())
}

fn points(measured: &[Measured], group: &str) -> Vec<(f64, f64)> {
    let of_group = measured.iter().filter(|one| one.group == group);
    let mut points: Vec<_> = of_group.filter_map(|one| Some((one.case.parse().ok()?, one.nanos))).collect();
    points.sort_by(|a: &(f64, f64), b| a.0.total_cmp(&b.0));
    points
}
