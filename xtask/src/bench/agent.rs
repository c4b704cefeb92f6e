//! `cargo xtask bench --agent PROGRAM [--wamrc PROGRAM]`: the filter's overhead in Fluent Bit.
//!
//! Fluent Bit reads a file and discards its output; the overhead is compared with a Lua script for the same job.
//!
//! With the ahead-of-time compiler of that Fluent Bit's WebAssembly runtime, the guest is also measured as machine
//! code.
//!
//! Findings are lines of text, like containers' logs. The plugin reads a line unchanged, or, like a script and a guest,
//! the result of Fluent Bit's parser. The pipelines run in interleaved rounds.

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
struct Pipeline {
    name: &'static str,
    /// Whether Fluent Bit's parser decodes the lines.
    decoded: bool,
    /// The `[FILTER]`, with `{here}` for the folder of this run.
    filter: &'static str,
}

/// The guest as machine code, if there is a compiler for it.
const AHEAD: &str = "decoded, guest, ahead of time";

const PIPELINES: [Pipeline; 7] = [
    Pipeline { name: "lines", decoded: false, filter: "" },
    Pipeline {
        name: "lines, plugin",
        decoded: false,
        filter: "[FILTER]\n    name kaudit\n    match *\n    config_file {here}/lines.yaml\n",
    },
    Pipeline { name: "decoded", decoded: true, filter: "" },
    Pipeline {
        name: "decoded, plugin",
        decoded: true,
        filter: "[FILTER]\n    name kaudit\n    match *\n    config_file {here}/job.yaml\n",
    },
    Pipeline {
        name: "decoded, guest",
        decoded: true,
        filter: "[FILTER]\n    name wasm\n    match *\n    wasm_path {here}/job.wasm\n    function_name kaudit\n",
    },
    Pipeline {
        name: AHEAD,
        decoded: true,
        filter: "[FILTER]\n    name wasm\n    match *\n    wasm_path {here}/job.aot\n    function_name kaudit\n",
    },
    Pipeline {
        name: "decoded, luajit",
        decoded: true,
        filter: "[FILTER]\n    name lua\n    match *\n    script {here}/job.lua\n    call timed\n    \
                 type_int_key timestamp severity time status_code period\n",
    },
];

/// The comparisons: a pipeline, its baseline without a filter, the script's baseline, and the goal for the ratio of
/// both overheads.
const COMPARISONS: [[&str; 4]; 4] = [
    ["lines, plugin", "lines", "lines", "0.1"],
    ["decoded, plugin", "decoded", "decoded", "0.1"],
    ["decoded, guest", "decoded", "decoded", "1.5"],
    [AHEAD, "decoded", "decoded", "1.5"],
];

/// Runs the pipelines in interleaved rounds and writes the report.
pub fn measure(agent: &str, wamrc: Option<&str>) -> Done {
    dist::run(&["program", "plugin", "wasm-base"].map(str::to_owned))?;
    let here = shell::target_directory()?.join("agent");
    prepare(&here)?;
    if let Some(wamrc) = wamrc {
        shell::run(Command::new(wamrc).arg("-o").arg(here.join("job.aot")).arg(here.join("job.wasm")))?;
    }
    let pipelines: Vec<&Pipeline> =
        PIPELINES.iter().filter(|pipeline| wamrc.is_some() || pipeline.name != AHEAD).collect();
    let version = shell::read(Command::new(agent).arg("--version"))?;
    let version = String::from_utf8_lossy(&version.stdout).lines().next().unwrap_or_default().to_owned();
    check(agent, &here, &pipelines)?;

    let series = interleave(ROUNDS, pipelines.len(), |pipeline| -> Done<f64> {
        let spent = user_seconds(agent, &configuration(&here, pipelines[pipeline], "null")?)?;
        eprintln!("{:<30} {spent:.3} s", pipelines[pipeline].name);
        Ok(spent)
    })?;
    let times: Vec<_> = pipelines.iter().map(|pipeline| pipeline.name).zip(series).collect();
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
    // Fluent Bit passes seconds to a script.
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

/// Writes the configuration of a pipeline with this output to a file.
fn configuration(here: &Path, pipeline: &Pipeline, output: &str) -> Done<PathBuf> {
    let folder = here.display().to_string();
    let parser = if pipeline.decoded { "    parser json\n" } else { "" };
    let text = format!(
        "[SERVICE]\n    flush 1\n    log_level error\n    parsers_file {folder}/parsers.conf\n[INPUT]\n    name tail\n    \
         path {folder}/findings.ndjson\n    read_from_head on\n    exit_on_eof on\n    tag kaudit\n    buffer_chunk_size \
         256k\n    buffer_max_size 2M\n{parser}{}[OUTPUT]\n    name {output}\n    match *\n",
        pipeline.filter.replace("{here}", &folder),
    );
    let path = here.join("fluent-bit.conf");
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// Checks that every filter emits the same number of findings.
fn check(agent: &str, here: &Path, pipelines: &[&Pipeline]) -> Done {
    let mut counts = Vec::new();
    for pipeline in pipelines.iter().filter(|pipeline| !pipeline.filter.is_empty()) {
        let output = format!("file\n    path {}\n    file emitted\n    format plain", here.display());
        let output_file = here.join("emitted");
        let _ = fs::remove_file(&output_file);
        user_seconds(agent, &configuration(here, pipeline, &output)?)?;
        let text = fs::read_to_string(&output_file)
            .map_err(|error| format!("{}: no output: {error}", pipeline.name))?;
        counts.push((pipeline.name, text.lines().count()));
        let _ = fs::remove_file(&output_file);
    }
    println!("emitted entries: {counts:?}");
    let same = counts.iter().all(|(_, count)| *count == counts[0].1);
    same.then_some(()).ok_or_else(|| "the filters emit different numbers of entries".to_owned())
}

/// Runs the agent; returns its user CPU time, seconds.
fn user_seconds(agent: &str, configuration: &Path) -> Done<f64> {
    let plugin = root().join("dist/flb-filter_kaudit.so");
    let errors = configuration.with_file_name("errors");
    // Bash prints milliseconds; other shells print the kernel's ticks of ten milliseconds.
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
        "# Overhead in an agent\n\nWritten by `cargo xtask bench --agent fluent-bit{wamrc}` with {version}, on {}: \
         user CPU of the whole agent, `tail` to `null`, {FINDINGS} findings, {ROUNDS} interleaved rounds.\n\n\
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
        "\nA script and a guest need the parser; its cost is part of their overhead if the plugin reads lines.\n\n\
         | | overhead, s | overhead of the script, s | ratio | goal |\n|---|---:|---:|---:|---|\n",
    );
    for [name, without, floor, goal] in COMPARISONS {
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
