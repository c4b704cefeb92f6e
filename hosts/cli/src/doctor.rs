//! `kaudit-filter doctor`: what on this machine fits together, before anything is configured.
//!
//! Nothing is concluded that can be tried: the agent itself is asked to load the plugin that stands beside this program.
//! Decision: the operator has the archive and no source, so this is a subcommand and no task of the repository;
//! `cargo xtask doctor` builds the plugins and calls it.

use std::env;
use std::fmt::{self, Display};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use object::{Object as _, ObjectSymbol as _};
use serde_json::Value;

use crate::{Outcome, say};

/// Tell which agents are on this machine, and whether they load the plugins beside this program
///
/// Looks for fluent-bit and vector where shells look and where packages put them, asks each for its version, and has it
/// load the plugin: Fluent Bit with a dry run, Vector with a unit test. Nothing is sent anywhere, no port is opened.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// A program of an agent, fluent-bit or vector; may be repeated. Without it, those that are found
    #[arg(long = "agent", value_name = "PROGRAM")]
    agents: Vec<PathBuf>,

    /// Where the plugins are [default: beside this program]
    #[arg(long, value_name = "DIRECTORY")]
    plugins: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  kaudit-filter doctor
  kaudit-filter doctor --agent /opt/fluent-bit/bin/fluent-bit --plugins /kaudit/lib

Exit codes:
  0  every agent that was found fits
  1  one does not, or there is none
  2  wrong usage, or nothing could be tried";

/// What is delivered, with the versions of agents that it is for.
const MANIFEST: &str = include_str!("../../../plugin-manifest/manifest.json");
/// Where packages and images put agents, beside the directories of `PATH`.
const PLACES: [&str; 4] = ["/opt/fluent-bit/bin", "/fluent-bit/bin", "/usr/local/bin", "/usr/bin"];
/// An agent that has not answered by then hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// A function of Lua's that every module needs: an agent that exports it exports them all.
const LUA: &str = "lua_newuserdatauv";

/// Asks every agent, and prints what they say.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let Some(plugins) = args.plugins.clone().or_else(beside_this_program) else {
        say(format_args!("--plugins: it is not known where this program is; name the directory"));
        return Ok(Outcome::Failed);
    };
    let found = if args.agents.is_empty() { agents() } else { args.agents.clone() };
    let manifest: Value = serde_json::from_str(MANIFEST).map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    writeln!(out, "plugins      {}\n", plugins.display())?;
    if found.is_empty() {
        writeln!(out, "no agent found; name its program with --agent")?;
        return Ok(Outcome::Mistakes);
    }
    let mut outcome = Outcome::Done;
    for program in &found {
        let examined = examine(program, &plugins, &manifest);
        writeln!(out, "{examined}")?;
        if examined.iter().any(|(_, finding)| matches!(finding, Finding::Bad(_))) {
            outcome = Outcome::Mistakes;
        }
    }
    Ok(outcome)
}

fn beside_this_program() -> Option<PathBuf> {
    Some(env::current_exe().ok()?.parent()?.to_owned())
}

/// The agents' programs, each once.
fn agents() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = env::split_paths(&path).chain(PLACES.map(PathBuf::from)).collect();
    let mut found: Vec<PathBuf> = Vec::new();
    for name in ["fluent-bit", "vector"] {
        for program in places.iter().map(|place| place.join(name)).filter(|program| program.is_file()) {
            let same = |other: &PathBuf| fs::canonicalize(other).ok() == fs::canonicalize(&program).ok();
            if !found.iter().any(same) {
                found.push(program);
            }
        }
    }
    found
}

/// What was found out about one thing.
enum Finding {
    Good(String),
    Bad(String),
}

/// What was found out about an agent, line by line.
struct Examined {
    agent: String,
    findings: Vec<(&'static str, Finding)>,
}

impl Examined {
    fn iter(&self) -> impl Iterator<Item = &(&'static str, Finding)> {
        self.findings.iter()
    }
}

impl Display for Examined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.agent)?;
        for (what, finding) in &self.findings {
            let (mark, text) = match finding {
                Finding::Good(text) => ("ok", text),
                Finding::Bad(text) => ("NO", text),
            };
            writeln!(f, "  {mark} {what:<11}{text}")?;
        }
        Ok(())
    }
}

fn examine(program: &Path, plugins: &Path, manifest: &Value) -> Examined {
    let mut examined = Examined { agent: program.display().to_string(), findings: Vec::new() };
    let told = match answer(Command::new(program).arg("--version")) {
        Ok(told) => told,
        Err(reason) => {
            examined.findings.push(("version", Finding::Bad(reason)));
            return examined;
        }
    };
    let Some((agent, version)) = version(&told.text) else {
        let reason = "neither fluent-bit nor vector: `--version` prints no version of one".to_owned();
        examined.findings.push(("version", Finding::Bad(reason)));
        return examined;
    };
    let artefacts = manifest["artefacts"].as_array().into_iter().flatten();
    let mut artefacts = artefacts.filter(|artefact| artefact["agent"]["name"] == agent);
    let Some(artefact) = artefacts.next() else { return examined };
    examined.findings.push(("version", supported(&version, &artefact["agent"])));
    let file = plugins.join(artefact["file"].as_str().unwrap_or_default());
    if agent == "vector" {
        examined.findings.push(("lua", lua(program)));
    }
    let loads = match agent {
        _ if !file.is_file() => Finding::Bad(format!("{} is not there", file.display())),
        "vector" => vector(program, &file, plugins),
        _ => fluent_bit(program, &file),
    };
    examined.findings.push(("plugin", loads));
    if agent == "fluent-bit" {
        examined.findings.push(("wasm", wasm(program)));
    }
    examined
}

/// The agent and its version, in what it says of itself.
fn version(text: &str) -> Option<(&'static str, String)> {
    for (start, agent) in [("Fluent Bit v", "fluent-bit"), ("vector ", "vector")] {
        if let Some(rest) = text.lines().find_map(|line| line.strip_prefix(start)) {
            return Some((agent, rest.split(' ').next().unwrap_or_default().to_owned()));
        }
    }
    None
}

/// Whether the manifest has the version between its first and its last.
fn supported(version: &str, range: &Value) -> Finding {
    let numbers =
        |text: &str| -> Vec<u32> { text.split('.').take(2).map(|part| part.parse().unwrap_or(0)).collect() };
    let [from, to] = ["from", "to"].map(|end| range[end].as_str());
    let known = [from.map(|from| format!("from {from}")), to.map(|to| format!("to {to}"))];
    let known = known.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let this = numbers(version);
    if from.is_some_and(|from| this < numbers(from)) {
        return Finding::Bad(format!("{version}; the plugin is for versions {known}"));
    }
    // A later one may well do: what it does with the plugin is tried below.
    let untried = to.is_some_and(|to| this > numbers(to));
    Finding::Good(if untried {
        format!("{version}, later than any tried ({known})")
    } else {
        format!("{version} ({known})")
    })
}

/// Whether Fluent Bit takes the plugin: a dry run with a filter of it.
fn fluent_bit(program: &Path, plugin: &Path) -> Finding {
    let config = "[INPUT]\n    name dummy\n[FILTER]\n    name kaudit\n    match *\n[OUTPUT]\n    name null\n    match *\n";
    tried(plugin, "fluent-bit.conf", config, |config| {
        let mut command = Command::new(program);
        command.arg("--quiet").arg("-e").arg(plugin).arg("-c").arg(config).arg("--dry-run");
        command
    })
}

/// Whether Vector's Lua loads the module and makes a filter of it: a unit test.
fn vector(program: &Path, module: &Path, directory: &Path) -> Finding {
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
    tried(module, "vector.yaml", &config, |config| {
        let mut command = Command::new(program);
        command.arg("test").arg(config);
        command
    })
}

/// Has an agent load a plugin with a configuration.
fn tried(plugin: &Path, name: &str, config: &str, command: impl Fn(&Path) -> Command) -> Finding {
    let file = env::temp_dir().join(format!("kaudit-doctor-{}-{name}", std::process::id()));
    // New: nobody has put a link there.
    let written = fs::File::create_new(&file).and_then(|mut file| file.write_all(config.as_bytes()));
    if let Err(error) = written {
        return Finding::Bad(format!("cannot write {}: {error}", file.display()));
    }
    let told = answer(&mut command(&file));
    let _ = fs::remove_file(&file);
    match told {
        Ok(Told { success: true, .. }) => Finding::Good(format!("loads {}", plugin.display())),
        Ok(Told { text, .. }) => {
            Finding::Bad(format!("does not load {}: {}", plugin.display(), reason(&text)))
        }
        Err(reason) => Finding::Bad(reason),
    }
}

/// The line of an agent's output that says most.
fn reason(text: &str) -> &str {
    let telling = ["cannot", "not found", "undefined", "GLIBC", "error", "rror:"];
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = telling.iter().find_map(|word| lines().find(|line| line.contains(word)));
    line.or_else(|| lines().next_back()).unwrap_or("it says nothing")
}

/// Whether a build of Vector gives modules the functions of its Lua: the statically linked ones give none.
fn lua(program: &Path) -> Finding {
    let exports = fs::read(program).map_err(|error| error.to_string()).and_then(|bytes| {
        let file = object::File::parse(&*bytes).map_err(|error| error.to_string())?;
        let given = |symbol: object::Symbol<'_, '_>| symbol.is_definition() && symbol.name() == Ok(LUA);
        Ok(file.dynamic_symbols().any(given))
    });
    match exports {
        Ok(true) => Finding::Good("its Lua takes modules".to_owned()),
        Ok(false) => Finding::Bad(
            "its Lua takes no modules: a musl build; take a gnu one, or put `kaudit-filter pipe` between two components"
                .to_owned(),
        ),
        Err(error) => Finding::Bad(format!("cannot be read: {error}")),
    }
}

/// Whether this Fluent Bit was built with the `wasm` filter.
fn wasm(program: &Path) -> Finding {
    match answer(Command::new(program).arg("--help")) {
        Ok(told) if told.text.contains("WASM program filter") => {
            Finding::Good("has the wasm filter".to_owned())
        }
        // The plugin does without.
        Ok(_) => Finding::Good("has no wasm filter; modules cannot be used".to_owned()),
        Err(reason) => Finding::Bad(reason),
    }
}

/// What a command printed, on either stream, and whether it succeeded.
struct Told {
    success: bool,
    text: String,
}

fn answer(command: &mut Command) -> Result<Told, String> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("cannot be run: {error}"))?;
    let mut waited = Duration::ZERO;
    let pause = Duration::from_millis(20);
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if waited >= PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("no answer within {} seconds", PATIENCE.as_secs()));
        }
        #[expect(clippy::disallowed_methods, reason = "another program's end is waited for")]
        sleep(pause);
        waited += pause;
    }
    let Output { status, stdout, stderr } = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = [stdout, stderr].concat();
    Ok(Told { success: status.success(), text: String::from_utf8_lossy(&text).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        for (text, expected) in [
            ("Fluent Bit v5.1.1\nGit commit: \n", Some(("fluent-bit", "5.1.1"))),
            ("vector 0.57.0 (x86_64-unknown-linux-gnu)\n", Some(("vector", "0.57.0"))),
            ("fluentd 1.16\n", None),
        ] {
            assert_eq!(version(text), expected.map(|(agent, version)| (agent, version.to_owned())), "{text}");
        }
        let range = serde_json::json!({"from": "2.2", "to": "5.1"});
        for (version, good, words) in [
            ("2.1.9", false, "the plugin is for versions from 2.2 to 5.1"),
            ("2.2.0", true, "2.2.0 (from 2.2 to 5.1)"),
            ("5.1.7", true, "5.1.7 (from"),
            ("5.2.0", true, "later than any tried"),
            ("10.0.0", true, "later than any tried"),
        ] {
            let (is_good, text) = match supported(version, &range) {
                Finding::Good(text) => (true, text),
                Finding::Bad(text) => (false, text),
            };
            assert_eq!((is_good, text.contains(words)), (good, true), "{version}: {text}");
        }
    }

    #[test]
    fn lua_is_looked_for_in_the_program() {
        let this = env::current_exe().unwrap();
        let target = this.ancestors().nth(3).unwrap();
        // Exports the Lua that is in it, as gnu builds of Vector do.
        let driver = conformance::vector::build(target).unwrap().driver;
        for (program, expected) in [
            (driver.as_path(), "its Lua takes modules"),
            (&this, "its Lua takes no modules: a musl build"),
            (Path::new("/dev/null"), "cannot be read: "),
        ] {
            let (Finding::Good(text) | Finding::Bad(text)) = lua(program);
            assert!(text.starts_with(expected), "{}: {text}", program.display());
        }
    }

    #[test]
    fn the_telling_line_is_chosen() {
        let fluent_bit =
            "[info] starting\n[error] [plugin] dlopen() a.so: version `GLIBC_2.34' not found\n[error] x";
        assert!(reason(fluent_bit).contains("GLIBC_2.34"), "{}", reason(fluent_bit));
        assert_eq!(reason("\n a \n b \n\n"), "b");
        assert_eq!(reason(""), "it says nothing");
    }
}
