//! `cargo xtask bench --agent PROGRAM [--wamrc PROGRAM]`: what the filter adds to a Fluent Bit that reads a file and throws
//! away what leaves, beside what a Lua script adds that does the same job.
//!
//! With the ahead-of-time compiler of that Fluent Bit's WebAssembly runtime, the guest runs as machine code, too.
//!
//! Findings come as lines of text, as containers' logs do. The plugin reads a line as it is, or, as a script and a guest
//! need it, what Fluent Bit's parser made of it. What is compared takes turns.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use kaudit_timing::{Series, interleave};

use super::record::{FOLDER, machine, write};
use crate::dist;
use crate::shell::{self, Done, cargo, root};

const FINDINGS: u32 = 100_000;
const ROUNDS: usize = 5;

/// A pipeline that is measured.
struct Way {
    name: &'static str,
    /// Whether Fluent Bit's parser decodes the lines.
    decoded: bool,
    /// The `[FILTER]`, with `{here}` for the folder of this run.
    filter: &'static str,
}

/// The guest as machine code, if there is a compiler for it.
const AHEAD: &str = "decoded, guest, ahead of time";

const WAYS: [Way; 7] = [
    Way { name: "lines", decoded: false, filter: "" },
    Way {
        name: "lines, plugin",
        decoded: false,
        filter: "[FILTER]\n    name kaudit\n    match *\n    config_file {here}/lines.yaml\n",
    },
    Way { name: "decoded", decoded: true, filter: "" },
    Way {
        name: "decoded, plugin",
        decoded: true,
        filter: "[FILTER]\n    name kaudit\n    match *\n    config_file {here}/job.yaml\n",
    },
    Way {
        name: "decoded, guest",
        decoded: true,
        filter: "[FILTER]\n    name wasm\n    match *\n    wasm_path {here}/job.wasm\n    function_name kaudit\n",
    },
    Way {
        name: AHEAD,
        decoded: true,
        filter: "[FILTER]\n    name wasm\n    match *\n    wasm_path {here}/job.aot\n    function_name kaudit\n",
    },
    Way {
        name: "decoded, luajit",
        decoded: true,
        filter: "[FILTER]\n    name lua\n    match *\n    script {here}/job.lua\n    call timed\n    \
                 type_int_key timestamp severity time status_code period\n",
    },
];

/// What is told of them: a way, the way without a filter, that of the script and what that is held against, and how many
/// times as much as the script the filter may add.
const TOLD: [[&str; 4]; 4] = [
    ["lines, plugin", "lines", "lines", "0.1"],
    ["decoded, plugin", "decoded", "decoded", "0.1"],
    ["decoded, guest", "decoded", "decoded", "1.5"],
    [AHEAD, "decoded", "decoded", "1.5"],
];

/// Runs every way in turn and writes the report.
pub fn measure(agent: &str, wamrc: Option<&str>) -> Done {
    dist::run(&["program", "plugin", "wasm-base"].map(str::to_owned))?;
    let here = shell::target_directory()?.join("agent");
    prepare(&here)?;
    if let Some(wamrc) = wamrc {
        shell::run(Command::new(wamrc).arg("-o").arg(here.join("job.aot")).arg(here.join("job.wasm")))?;
    }
    let ways: Vec<&Way> = WAYS.iter().filter(|way| wamrc.is_some() || way.name != AHEAD).collect();
    let version = shell::read(Command::new(agent).arg("--version"))?;
    let version = String::from_utf8_lossy(&version.stdout).lines().next().unwrap_or_default().to_owned();
    check(agent, &here, &ways)?;

    let series = interleave(ROUNDS, ways.len(), |way| -> Done<f64> {
        let spent = user_seconds(agent, &configuration(&here, ways[way], "null")?)?;
        eprintln!("{:<30} {spent:.3} s", ways[way].name);
        Ok(spent)
    })?;
    let times: Vec<_> = ways.iter().map(|way| way.name).zip(series).collect();
    report(&version, &times)
}

/// Writes what the pipelines read.
fn prepare(here: &Path) -> Done {
    let text =
        |name: &str| fs::read_to_string(root().join("benches").join(name)).map_err(|error| error.to_string());
    let put = |name: &str, text: &str| {
        fs::write(here.join(name), text).map_err(|error| format!("{}/{name}: {error}", here.display()))
    };
    fs::create_dir_all(here).map_err(|error| format!("{}: {error}", here.display()))?;
    let job = text("job.yaml")?;
    put("job.yaml", &job)?;
    put("lines.yaml", &format!("{job}coralogix: {{text: string}}\n"))?;
    // A script of Fluent Bit's is told seconds.
    let timed = "function timed(tag, now, record) return cb(tag, now * 1000, record) end";
    put("job.lua", &format!("interval, full = 0.01, 1000\n{}\n{timed}\n", text("peers/src/job.lua")?))?;
    put("parsers.conf", "[PARSER]\n    name json\n    format json\n")?;
    let count = FINDINGS.to_string();
    let findings = shell::read(&mut cargo(&[
        "run",
        "--quiet",
        "--release",
        "--locked",
        "-p",
        "kaudit-bench",
        "--bin",
        "findings",
        &count,
    ]))?;
    put("findings.ndjson", &String::from_utf8_lossy(&findings.stdout))?;
    let mut bake = Command::new(root().join("dist/kaudit-filter"));
    shell::run(
        bake.args(["bake", "--config"]).arg(here.join("job.yaml")).arg("--output").arg(here.join("job.wasm")),
    )
}

/// The configuration of a way whose output is this one, in a file.
fn configuration(here: &Path, way: &Way, output: &str) -> Done<PathBuf> {
    let folder = here.display().to_string();
    let parser = if way.decoded { "    parser json\n" } else { "" };
    let text = format!(
        "[SERVICE]\n    flush 1\n    log_level error\n    parsers_file {folder}/parsers.conf\n[INPUT]\n    name tail\n    \
         path {folder}/findings.ndjson\n    read_from_head on\n    exit_on_eof on\n    tag kaudit\n    buffer_chunk_size \
         256k\n    buffer_max_size 2M\n{parser}{}[OUTPUT]\n    name {output}\n    match *\n",
        way.filter.replace("{here}", &folder),
    );
    let path = here.join("fluent-bit.conf");
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Sees to it that every filter lets the same number of findings through.
fn check(agent: &str, here: &Path, ways: &[&Way]) -> Done {
    let mut counts = Vec::new();
    for way in ways.iter().filter(|way| !way.filter.is_empty()) {
        let output = format!("file\n    path {}\n    file left\n    format plain", here.display());
        let left = here.join("left");
        let _ = fs::remove_file(&left);
        user_seconds(agent, &configuration(here, way, &output)?)?;
        let text =
            fs::read_to_string(&left).map_err(|error| format!("{}: nothing left: {error}", way.name))?;
        counts.push((way.name, text.lines().count()));
        let _ = fs::remove_file(&left);
    }
    println!("entries that leave: {counts:?}");
    let same = counts.iter().all(|(_, count)| *count == counts[0].1);
    same.then_some(()).ok_or_else(|| "the filters do not do the same job".to_owned())
}

/// Runs the agent; the seconds that it spent outside the kernel.
fn user_seconds(agent: &str, configuration: &Path) -> Done<f64> {
    let plugin = root().join("dist/flb-filter_kaudit.so");
    let errors = configuration.with_file_name("errors");
    // Bash tells milliseconds, where other shells tell the kernel's ticks of ten.
    let script = "TIMEFORMAT=%3U; time \"$@\" >/dev/null 2>\"$0\"";
    let mut command = Command::new("bash");
    command
        .env("LC_ALL", "C")
        .args(["-c", script])
        .arg(&errors)
        .args([agent, "-q", "-e"])
        .arg(plugin)
        .arg("-c")
        .arg(configuration);
    let output = command.output().map_err(|error| format!("bash: {error}"))?;
    let spent = String::from_utf8_lossy(&output.stderr).trim().parse();
    match spent {
        Ok(spent) if output.status.success() => Ok(spent),
        _ => Err(format!("{agent} failed:\n{}", fs::read_to_string(&errors).unwrap_or_default())),
    }
}

fn report(version: &str, times: &[(&str, Series)]) -> Done {
    let wamrc = if times.iter().any(|(way, _)| *way == AHEAD) { " --wamrc wamrc" } else { "" };
    let mut text = format!(
        "# What a filter adds to an agent\n\nWritten by `cargo xtask bench --agent fluent-bit{wamrc}` with {version}, on {}: \
         user CPU of the whole agent, `tail` to `null`, {FINDINGS} findings, {ROUNDS} rounds in turns.\n\n\
         | pipeline | seconds | median |\n|---|---|---:|\n",
        machine()
    );
    for (way, seconds) in times {
        let rounds: Vec<String> = seconds.rounds().iter().map(|spent| format!("{spent:.3}")).collect();
        let _ = writeln!(text, "| {way} | {} | {:.3} |", rounds.join(" "), seconds.median());
    }
    let median = |name: &str| times.iter().find(|(way, _)| *way == name).map(|(_, seconds)| seconds.median());
    let added = |name: &str, to: &str| Some(median(name)? - median(to)?);
    text.push_str(
        "\nA script and a guest need the parser, which they are charged with where the plugin does without.\n\n\
         | | adds, s | the script adds, s | ratio | goal |\n|---|---:|---:|---:|---|\n",
    );
    for [name, without, floor, goal] in TOLD {
        let (Some(adds), Some(script)) = (added(name, without), added("decoded, luajit", floor)) else {
            continue;
        };
        let ratio = adds / script;
        let met = if goal.parse::<f64>().is_ok_and(|goal| ratio <= goal) { "met" } else { "missed" };
        let line = format!("| {name} | {adds:.3} | {script:.3} | {ratio:.3} | {goal}: {met} |");
        println!("{line}");
        let _ = writeln!(text, "{line}");
    }
    write(&format!("{FOLDER}/agent.md"), &text)
}
