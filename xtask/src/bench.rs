//! `cargo xtask bench`: the benchmarks, and the report they leave under `benches/record/`.
//!
//! Times drift with the machine; instructions do not. So the report tells times, and the guard against slower code
//! counts instructions: `cargo xtask bench --instructions` compares them with those on record, and `--update` writes
//! them anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::shell::{self, Done, cargo};

/// More instructions than on record by this share, and the guard fails. Compilers differ by less.
const TOLERANCE: f64 = 0.05;

const RECORD: &str = "benches/record";
const INSTRUCTIONS: &str = "benches/record/instructions.toml";

/// Runs the task.
pub fn run(arguments: &[String]) -> Done {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => measure(),
        ["--instructions"] => guard(),
        ["--update"] => update(),
        _ => Err("expected nothing, `--instructions` or `--update`".to_owned()),
    }
}

/// Instructions for each record, by case.
type Counts = BTreeMap<String, u64>;

fn guard() -> Done {
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
        println!("{case:<16} {now:>6} instructions a record, {:+.1} %", change * 100.0);
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

fn update() -> Done {
    let counts = count()?;
    let mut text = "# Instructions a record, on x86-64: `cargo xtask bench --instructions` compares, `--update` writes.\n"
        .to_owned();
    for (case, count) in &counts {
        let _ = writeln!(text, "{case} = {count}");
    }
    write(INSTRUCTIONS, &text)
}

/// Counts each case at two lengths; what both have in common, the start, falls out.
fn count() -> Done<Counts> {
    const ROUNDS: [u64; 2] = [1, 21];
    if cfg!(not(target_arch = "x86_64")) {
        return Err("the counts on record are of x86-64, this is another processor".to_owned());
    }
    shell::read(Command::new("valgrind").arg("--version")).map_err(|_| {
        "cannot count instructions without valgrind: install it (`apt-get install valgrind`)".to_owned()
    })?;
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
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let output = shell::read(command.args([case, &rounds.to_string()]))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .ok_or_else(|| format!("valgrind told no count:\n{said}"))
}

/// One measured case: its group, its name in it, and nanoseconds a record.
struct Measured {
    group: String,
    case: String,
    nanos: f64,
}

fn measure() -> Done {
    shell::run(&mut cargo(&["bench", "--locked", "-p", "kaudit-bench"]))?;
    let measured = collect(&shell::target_directory()?.join("criterion"))?;
    for group in ["scaling-integrations", "scaling-entities", "scaling-bytes"] {
        write(&format!("{RECORD}/{group}.svg"), &plot(group, &points(&measured, group)))?;
    }
    write(&format!("{RECORD}/report.md"), &report(&measured))
}

/// Reads what criterion left: `GROUP/…/new/{benchmark,estimates}.json`.
fn collect(folder: &Path) -> Done<Vec<Measured>> {
    let mut measured = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).map_err(|error| format!("cannot read the measurements: {error}"))?;
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
            if path.ends_with("new") {
                measured.push(one(&path)?);
            } else {
                folders.push(path);
            }
        }
    }
    measured.sort_by(|a, b| (&a.group, &a.case).cmp(&(&b.group, &b.case)));
    Ok(measured)
}

fn one(folder: &Path) -> Done<Measured> {
    let read = |name: &str| -> Done<Value> {
        let text = fs::read_to_string(folder.join(name)).map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    };
    let (benchmark, estimates) = (read("benchmark.json")?, read("estimates.json")?);
    let records = benchmark["throughput"]["Elements"].as_f64().unwrap_or(1.0);
    let words =
        [&benchmark["function_id"], &benchmark["value_str"]].map(|word| word.as_str().unwrap_or_default());
    Ok(Measured {
        group: benchmark["group_id"].as_str().unwrap_or_default().to_owned(),
        case: words.join(" ").trim().to_owned(),
        nanos: estimates["median"]["point_estimate"].as_f64().unwrap_or(f64::NAN) / records,
    })
}

fn report(measured: &[Measured]) -> String {
    let mut text = format!(
        "# What a record costs\n\nWritten by `cargo xtask bench` on {}. Times are medians for one record on one core; \
         `copy` is the floor, the bytes of the record copied.\n\n## The engine\n\n",
        machine()
    );
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
    text.push_str("## How it grows\n\n");
    for group in ["scaling-integrations", "scaling-entities", "scaling-bytes"] {
        let _ = writeln!(text, "![{group}]({group}.svg)\n\n| {group} | ns |\n|---:|---:|");
        for (size, nanos) in points(measured, group) {
            let _ = writeln!(text, "| {size} | {nanos:.0} |");
        }
        text.push('\n');
    }
    text
}

fn points(measured: &[Measured], group: &str) -> Vec<(f64, f64)> {
    let of_group = measured.iter().filter(|one| one.group == group);
    let mut points: Vec<_> = of_group.filter_map(|one| Some((one.case.parse().ok()?, one.nanos))).collect();
    points.sort_by(|a: &(f64, f64), b| a.0.total_cmp(&b.0));
    points
}

/// Both axes by powers of ten, as the sizes are chosen.
fn plot(title: &str, points: &[(f64, f64)]) -> String {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 320.0;
    const EDGE: f64 = 56.0;
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.log10(), y.log10())).collect();
    let range = |of: fn(&(f64, f64)) -> f64| {
        let (low, high) =
            logs.iter().map(of).fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
        (low.floor(), high.ceil().max(low.floor() + 1.0))
    };
    let (left, right) = range(|point| point.0);
    let (bottom, top) = range(|point| point.1);
    let at_x = |log: f64| EDGE + (log - left) / (right - left) * (WIDTH - 2.0 * EDGE);
    let at_y = |log: f64| HEIGHT - EDGE - (log - bottom) / (top - bottom) * (HEIGHT - 2.0 * EDGE);
    let mut line = String::new();
    let mut dots = String::new();
    for ((size, nanos), (x, y)) in points.iter().zip(&logs) {
        let (x, y) = (at_x(*x), at_y(*y));
        let _ = write!(line, "{x:.1},{y:.1} ");
        let _ = write!(
            dots,
            "<circle cx='{x:.1}' cy='{y:.1}' r='3'/><text x='{x:.1}' y='{:.1}'>{nanos:.0} ns</text>\
             <text x='{x:.1}' y='{:.1}'>{size}</text>",
            y - 10.0,
            HEIGHT - EDGE + 18.0
        );
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' font-family='sans-serif' \
         font-size='11' text-anchor='middle'><rect width='100%' height='100%' fill='white'/>\
         <text x='{:.1}' y='20' font-size='14'>{title}: nanoseconds a record</text>\
         <path d='M{EDGE} {EDGE}V{:.1}H{:.1}' fill='none' stroke='#888'/>\
         <polyline points='{line}' fill='none' stroke='#0a5' stroke-width='2'/>{dots}</svg>\n",
        WIDTH / 2.0,
        HEIGHT - EDGE,
        WIDTH - EDGE
    )
}

/// The processor's name and the compiler's.
fn machine() -> String {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = information
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unnamed processor", |(_, name)| name);
    let compiler = shell::read(Command::new("rustc").arg("--version")).map_or_else(
        |_| "an unnamed compiler".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    format!("{processor}, {cores} cores (load {load}), {compiler}")
}

fn write(name: &str, text: &str) -> Done {
    let path = shell::root().join(name);
    let folder = path.parent().ok_or("a file has a folder")?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| format!("cannot write `{name}`: {error}"))?;
    eprintln!("wrote {name}");
    Ok(())
}
