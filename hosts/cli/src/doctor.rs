//! `kaudit-filter doctor`: tries to load the plugins in the agents of this machine.
//!
//! The agent itself loads the plugin; compatibility is not inferred from version numbers alone. Decision: a subcommand
//! instead of a task of the repository, since the operator has the archive and no source; `cargo xtask doctor` builds
//! the plugins and calls it.

mod classic;
mod command;
mod fluent_bit;
mod pipeline;
mod report;
mod settings;
mod vector;
mod version;
mod yaml;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use object::{Object as _, ObjectSymbol as _};
use serde_json::{Value, json};

use crate::outcome::Outcome;
use crate::output::Destination;
use crate::terminal::error_line;
use command::{run_with_timeout, try_load};
use pipeline::Versions;
use report::{AgentReport, CheckResult, text};
use version::{numbers, version};

/// Tries to load each plugin in every installed agent and reports failures
///
/// Searches for fluent-bit and vector in PATH and in the directories of their packages, reads their versions, and runs
/// each with the plugin: Fluent Bit with a dry run, Vector with a unit test. Sends nothing and opens no port. With
/// --pipeline, also warns where the configuration of an agent loses records in a failure.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Program of an agent, fluent-bit or vector; may be repeated [default: all installed agents]
    #[arg(long = "agent", value_name = "PROGRAM")]
    agents: Vec<PathBuf>,

    /// Directory of the plugins [default: the directory of this program]
    #[arg(long, value_name = "DIRECTORY")]
    plugins: Option<PathBuf>,

    /// Configuration of an agent, Fluent Bit or Vector in YAML; may be repeated
    ///
    /// Warns about records that a restart, a refused request or an outage would lose, with the setting that keeps them.
    #[arg(long = "pipeline", value_name = "FILE")]
    pipelines: Vec<PathBuf>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    output: Destination,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Text
    Text,
    /// One JSON object
    Json,
}

const EXAMPLES: &str = "Examples:
  kaudit-filter doctor
  kaudit-filter doctor --agent /opt/fluent-bit/bin/fluent-bit \\
      --plugins /kaudit/lib
  kaudit-filter doctor --pipeline /etc/fluent-bit/fluent-bit.yaml

Exit codes:
  0  every agent loads its plugin; there may be warnings
  1  an agent does not load its plugin, or there is neither an agent nor
     a pipeline
  2  wrong usage, a pipeline cannot be read, or the directory of the plugins
     is unknown";

/// The delivered artefacts, with the supported versions of their agents.
const MANIFEST: &str = include_str!("../../../plugin-manifest/manifest.json");
/// Directories in which packages and images install agents, in addition to `PATH`.
const AGENT_DIRECTORIES: [&str; 4] = ["/opt/fluent-bit/bin", "/fluent-bit/bin", "/usr/local/bin", "/usr/bin"];
/// A function of Lua that every module needs.
/// An agent that exports it exports all of them.
const LUA_SYMBOL: &str = "lua_newuserdatauv";

/// Runs the command.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let Some(plugins) = args.plugins.clone().or_else(own_directory) else {
        error_line(format_args!("--plugins: required, since the directory of this program is unknown"));
        return Ok(Outcome::Failed);
    };
    let found = if args.agents.is_empty() { agents() } else { args.agents.clone() };
    let manifest: Value = serde_json::from_str(MANIFEST).map_err(io::Error::other)?;
    let reports: Vec<_> = found.iter().map(|program| examine(program, &plugins, &manifest)).collect();
    let versions = versions(&reports);
    let pipelines = args.pipelines.iter().map(|file| pipeline::check(file, &versions));
    let pipelines = match pipelines.collect::<Result<Vec<_>, _>>() {
        Ok(pipelines) => pipelines,
        Err(error) => {
            error_line(format_args!("{error}"));
            return Ok(Outcome::Failed);
        }
    };
    let out = match args.format {
        Format::Text => text(&plugins, &reports, &pipelines),
        Format::Json => {
            let list = |reports: &[AgentReport], key| {
                reports.iter().map(|report| report.json(key)).collect::<Vec<_>>()
            };
            let (agents, pipelines) = (list(&reports, "agent"), list(&pipelines, "pipeline"));
            let plugins = plugins.to_string_lossy();
            format!("{:#}\n", json!({"plugins": plugins, "agents": agents, "pipelines": pipelines}))
        }
    };
    let is_empty = reports.is_empty() && pipelines.is_empty();
    let loads = !is_empty && reports.iter().all(AgentReport::passes);
    let written = args.output.write(out.as_bytes())?;
    Ok(written.max(if loads { Outcome::Done } else { Outcome::Mistakes }))
}

/// Returns the versions of the first agent of each name.
fn versions(reports: &[AgentReport]) -> Versions {
    let of = |agent| {
        let mut versions = reports.iter().filter_map(|report| report.version.as_ref());
        versions.find(|(name, _)| *name == agent).map(|(_, version)| version.clone())
    };
    Versions { fluent_bit: of("fluent-bit"), vector: of("vector") }
}

/// Returns the directory of this program.
fn own_directory() -> Option<PathBuf> {
    Some(env::current_exe().ok()?.parent()?.to_owned())
}

/// Returns the programs of the installed agents, without duplicates.
fn agents() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> =
        env::split_paths(&path).chain(AGENT_DIRECTORIES.map(PathBuf::from)).collect();
    let mut found: Vec<PathBuf> = Vec::new();
    for name in ["fluent-bit", "vector"] {
        for program in
            directories.iter().map(|directory| directory.join(name)).filter(|program| program.is_file())
        {
            let same = |other: &PathBuf| fs::canonicalize(other).ok() == fs::canonicalize(&program).ok();
            if !found.iter().any(same) {
                found.push(program);
            }
        }
    }
    found
}

fn examine(program: &Path, plugins: &Path, manifest: &Value) -> AgentReport {
    let mut report = AgentReport { agent: program.display().to_string(), version: None, checks: Vec::new() };
    let output = match run_with_timeout(Command::new(program).arg("--version")) {
        Ok(output) => output,
        Err(reason) => {
            report.checks.push(("version", CheckResult::Failed(reason)));
            return report;
        }
    };
    let Some((agent, version)) = version(&output.text) else {
        let reason = "not an agent: `--version` does not print a version of fluent-bit or vector".to_owned();
        report.checks.push(("version", CheckResult::Failed(reason)));
        return report;
    };
    report.version = Some((agent, version.clone()));
    let artefacts = manifest["artefacts"].as_array().into_iter().flatten();
    let mut artefacts = artefacts.filter(|artefact| artefact["agent"]["name"] == agent);
    let Some(artefact) = artefacts.next() else { return report };
    report.checks.push(("version", supported(&version, &artefact["agent"])));
    let file = plugins.join(artefact["file"].as_str().unwrap_or_default());
    if agent == "vector" {
        report.checks.push(("lua", check_lua(program)));
    }
    let loaded = match agent {
        _ if !file.is_file() => CheckResult::Failed(format!("file not found: {}", file.display())),
        "vector" => load_in_vector(program, &file, plugins),
        _ => load_in_fluent_bit(program, &file),
    };
    report.checks.push(("plugin", loaded));
    if agent == "fluent-bit" {
        report.checks.push(("otlp", check_otlp(&version)));
        report.checks.push(("wasm", check_wasm(program)));
    }
    report
}

/// Checks the version against the range in the manifest.
fn supported(version: &str, range: &Value) -> CheckResult {
    let [from, to] = ["from", "to"].map(|end| range[end].as_str());
    let range = [from.map(|from| format!("from {from}")), to.map(|to| format!("to {to}"))];
    let range = range.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let this = numbers(version);
    if from.is_some_and(|from| this < numbers(from)) {
        return CheckResult::Failed(format!("{version}; the plugin is for versions {range}"));
    }
    // A later version passes: loading the plugin decides.
    let untested = to.is_some_and(|to| this > numbers(to));
    CheckResult::Passed(if untested {
        format!("{version}, later than the tested versions ({range})")
    } else {
        format!("{version} ({range})")
    })
}

/// Loads the plugin in Fluent Bit: a dry run with a `kaudit` filter.
fn load_in_fluent_bit(program: &Path, plugin: &Path) -> CheckResult {
    let config = "[INPUT]\n    name dummy\n[FILTER]\n    name kaudit\n    match *\n[OUTPUT]\n    name null\n    match *\n";
    try_load(plugin, "fluent-bit.conf", config, |config| {
        let mut command = Command::new(program);
        command.arg("--quiet").arg("-e").arg(plugin).arg("-c").arg(config).arg("--dry-run");
        command
    })
}

/// Loads the module in Vector and creates a filter: a unit test.
fn load_in_vector(program: &Path, module: &Path, directory: &Path) -> CheckResult {
    let config = format!(
        r#"sources: {{nothing: {{type: stdin}}}}
transforms:
  kaudit:
    type: lua
    version: "2"
    inputs: [nothing]
    source: |
      package.cpath = [==[{}/?.so]==]
      local filter = require("kaudit").new {{}}
      function process(event, emit) filter:process(event, emit) end
    hooks: {{process: process}}
sinks: {{nowhere: {{type: blackhole, inputs: [kaudit]}}}}
tests:
  - name: loads
    inputs: [{{insert_at: kaudit, type: raw, value: "kaudit"}}]
    outputs: [{{extract_from: kaudit, conditions: [{{type: vrl, source: "exists(.message)"}}]}}]
"#,
        directory.display()
    );
    try_load(module, "vector.yaml", &config, |config| {
        let mut command = Command::new(program);
        command.arg("test").arg(config);
        command
    })
}

/// Checks that a build of Vector exports the functions of its Lua.
/// Statically linked builds do not.
fn check_lua(program: &Path) -> CheckResult {
    let exports = fs::read(program).map_err(|error| error.to_string()).and_then(|bytes| {
        let file = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
        let is_exported =
            |symbol: object::Symbol<'_, '_>| symbol.is_definition() && symbol.name() == Ok(LUA_SYMBOL);
        Ok(file.dynamic_symbols().any(is_exported))
    });
    match exports {
        Ok(true) => CheckResult::Passed("its Lua loads modules".to_owned()),
        Ok(false) => CheckResult::Failed(
            "its Lua cannot load modules (musl build): use a gnu build, or `kaudit-filter pipe` between two components"
                .to_owned(),
        ),
        Err(error) => CheckResult::Failed(format!("cannot be read: {error}")),
    }
}

/// Returns the support of the shape `otlp` in a version of Fluent Bit. Passed in any case: a filter need not use it.
fn check_otlp(version: &str) -> CheckResult {
    let text = if numbers(version) < (3, 1) {
        "has no log groups (from 3.1); the shape otlp cannot be used"
    } else if numbers(version) < (4, 2) {
        "shape otlp: at most 100 resources in a request (any number from 4.2)"
    } else {
        "shape otlp: any number of resources"
    };
    CheckResult::Passed(text.to_owned())
}

/// Checks whether this Fluent Bit was built with the `wasm` filter.
fn check_wasm(program: &Path) -> CheckResult {
    match run_with_timeout(Command::new(program).arg("--help")) {
        Ok(output) if output.text.contains("WASM program filter") => {
            CheckResult::Passed("has the wasm filter".to_owned())
        }
        // Passed: the plugin does not need it.
        Ok(_) => CheckResult::Passed("has no wasm filter; WebAssembly modules cannot be used".to_owned()),
        Err(reason) => CheckResult::Failed(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_with_the_range() {
        let range = serde_json::json!({"from": "2.2", "to": "5.1"});
        for (version, passes, expected) in [
            ("2.1.9", false, "the plugin is for versions from 2.2 to 5.1"),
            ("2.2.0", true, "2.2.0 (from 2.2 to 5.1)"),
            ("5.1.7", true, "5.1.7 (from"),
            ("5.2.0", true, "later than the tested versions"),
            ("10.0.0", true, "later than the tested versions"),
        ] {
            let (passed, text) = match supported(version, &range) {
                CheckResult::Passed(text) | CheckResult::Warned(text) => (true, text),
                CheckResult::Failed(text) => (false, text),
            };
            assert_eq!((passed, text.contains(expected)), (passes, true), "{version}: {text}");
        }
    }

    #[test]
    fn the_shape_otlp_depends_on_the_version() {
        for (version, expected) in [
            ("3.0.7", "has no log groups"),
            ("3.1.0", "at most 100"),
            ("4.1.2", "at most 100"),
            ("4.2.0", "any number of resources"),
            ("10.0.0", "any number of resources"),
        ] {
            let CheckResult::Passed(text) = check_otlp(version) else { panic!("{version}") };
            assert!(text.contains(expected), "{version}: {text}");
        }
    }

    #[test]
    fn exports_of_lua_are_checked() {
        let this = env::current_exe().unwrap();
        let target = this.ancestors().nth(3).unwrap();
        // It exports its Lua, as gnu builds of Vector do.
        let driver = conformance::vector::build(target).unwrap().driver;
        for (program, expected) in [
            (driver.as_path(), "its Lua loads modules"),
            (&this, "its Lua cannot load modules (musl build)"),
            (Path::new("/dev/null"), "cannot be read: "),
        ] {
            let result = check_lua(program);
            let (CheckResult::Passed(text) | CheckResult::Warned(text) | CheckResult::Failed(text)) = result;
            assert!(text.starts_with(expected), "{}: {text}", program.display());
        }
    }
}
