//! `cargo xtask`: every task of the repository; CI runs the same tasks.
//!
//! A task prints the commands it runs and stops at the first that fails. It needs the Rust toolchain; it installs its
//! other requirements, or prints how to install them.

#![forbid(unsafe_code)]

mod bench;
mod cycles;
mod demo;
mod dist;
mod docs;
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

/// A task: its name, its description, and its function, which takes the arguments after the name.
struct Task(&'static str, &'static str, fn(&[String]) -> Done);

const TASKS: &[Task] = &[
    Task(
        "demo",
        "send the example findings through the built plugin to a test double of Coralogix; --page: keep its page open",
        demo::run,
    ),
    Task(
        "dist",
        "build everything that users install, in dist/; with names, only these artefacts",
        dist::run,
    ),
    Task(
        "release",
        "build archives, Debian packages and a container image, in dist/release/; --check: build twice, and compare",
        release::run,
    ),
    Task("cycles", "find import cycles between the source files of each crate", cycles::run),
    Task("docs", "build the book, in dist/book/, and check its links", docs::run),
    Task("doctor", "build the plugins, and try to load them in the agents of this machine", doctor::run),
    Task("test", "build the artefacts and run every test", test::run),
    Task(
        "fuzz",
        "run each fuzz target for one minute; --minutes N: for N; with names, only these targets",
        fuzz::run,
    ),
    Task(
        "soak",
        "run the released plugin long enough to detect a leak; --valgrind: under valgrind",
        soak::run,
    ),
    Task(
        "kubernetes",
        "render a kustomization as kustomize does, and print its resources as JSON",
        kubernetes::run,
    ),
    Task(
        "playground",
        "build and serve the playground's page; --test: test it in a headless browser",
        playground::run,
    ),
    Task(
        "bench",
        "measure, and write the reports; --instructions: run the guard against slower code",
        bench::run,
    ),
    Task(
        "lint",
        "check wording, formatting, clippy, documentation, and the policy of dependencies",
        lint::run,
    ),
    Task(
        "ci",
        "run lint, docs, test and the guard against slower code, as continuous integration does",
        |arguments| {
            lint::run(arguments)?;
            docs::run(&[])?;
            test::run(arguments)?;
            bench::compare()
        },
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
