//! `cargo xtask`: the one entry to every task of the repository. CI runs the same.
//!
//! A task prints the commands it runs and stops at the first that fails. It needs the Rust toolchain; what else a task
//! needs, it installs, or says how.

#![forbid(unsafe_code)]

mod bench;
mod demo;
mod dist;
mod doctor;
mod fuzz;
mod kubernetes;
mod lint;
mod page;
mod playground;
mod plugin;
mod policy;
mod release;
mod shell;
mod soak;
mod steps;
mod test;
mod vector;
mod wasm;

use std::process::ExitCode;

use shell::Done;

/// A task: its name, what it does, and the function that does it with the arguments that follow the name.
struct Task(&'static str, &'static str, fn(&[String]) -> Done);

const TASKS: &[Task] = &[
    Task(
        "demo",
        "send the example findings through the built plugin to a test double of Coralogix; with --page its page stays",
        demo::run,
    ),
    Task("dist", "build what users install into dist/; with names, only these artefacts", dist::run),
    Task(
        "release",
        "build the archives that users download into dist/release/; with --check twice, and compare",
        release::run,
    ),
    Task("doctor", "build the plugins, and tell which agents of this machine load them", doctor::run),
    Task("test", "build the artefacts and run every test", test::run),
    Task(
        "fuzz",
        "run the fuzz targets, one minute each; --minutes N: that many; with names, only these targets",
        fuzz::run,
    ),
    Task(
        "soak",
        "run the released plugin long enough for a leak to show; with --valgrind under valgrind",
        soak::run,
    ),
    Task(
        "kubernetes",
        "render a kustomization as kustomize does, and print its resources as JSON",
        kubernetes::run,
    ),
    Task(
        "playground",
        "build the page where configurations are tried out, and serve it; with --test in a browser without a window",
        playground::run,
    ),
    Task("bench", "measure, and write the report; --instructions: guard against slower code", bench::run),
    Task("lint", "formatting, clippy, documentation, and the policy of dependencies", lint::run),
    Task(
        "ci",
        "lint, test, and the guard against slower code: what continuous integration runs",
        |arguments| lint::run(arguments).and_then(|()| test::run(arguments)).and_then(|()| bench::compare()),
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        print!("{}", help());
        return ExitCode::from(2);
    };
    let Some(Task(_, _, run)) = TASKS.iter().find(|Task(task, ..)| task == name) else {
        eprint!("unknown task `{name}`\n\n{}", help());
        return ExitCode::from(2);
    };
    match run(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let tasks = TASKS.iter().map(|Task(name, does, _)| format!("  {name:<10} {does}\n"));
    format!("Usage: cargo xtask TASK\n\nTasks:\n{}", tasks.collect::<String>())
}
