//! `kaudit-filter`: the command-line host.
//!
//! It runs the engine on files, so that an operator can test offline which entries an agent with the filter would send.
//!
//! Each subcommand is a module with its arguments and one function; this file contains their names and the exit codes.

#![forbid(unsafe_code)]

mod bake;
mod bench;
mod check;
mod clock;
mod config;
mod doctor;
mod endpoint;
mod explain;
mod init;
mod input;
mod interrupt;
mod manual;
mod migrate;
mod options;
mod outcome;
mod output;
mod pipe;
mod report;
mod run;
mod scrape;
mod stream;
mod test;
mod trace;
mod via;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use outcome::{Outcome, eprintln_line};

/// Filters Alcide kAudit findings, and prints the entries for Coralogix
///
/// kaudit-filter recognises kAudit's findings (detections, selections, activity) in a stream of records, applies the
/// data filters and rate limits of a kAudit integration list, and prints Coralogix log entries. Log agents run the same
/// engine in their pipelines; this program runs it offline.
#[derive(Parser)]
#[command(name = "kaudit-filter", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    Init(init::Args),
    Migrate(migrate::Args),
    Check(check::Args),
    Explain(explain::Args),
    Test(test::Args),
    Run(run::Args),
    Bench(bench::Args),
    Endpoint(endpoint::Args),
    Pipe(pipe::Args),
    Bake(bake::Args),
    Doctor(doctor::Args),
    Options(options::Args),
    Schema(options::SchemaArgs),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  the input or the configuration has errors
  2  wrong usage, or a file could not be read or written";

const NEXT_STEPS: &str = "\
kaudit-filter prints the log entries that Coralogix would receive for your kAudit findings.

Next:
  kaudit-filter run findings.ndjson                            print every finding as an entry, unfiltered
  kaudit-filter init                                           write a starting configuration and a pipeline
  kaudit-filter migrate integration.yaml                       convert kAudit's configuration to the filter's
  kaudit-filter check kaudit.yaml                              report errors, with suggested fixes
  kaudit-filter test tests/                                    run unit tests of a configuration
  kaudit-filter run --config kaudit.yaml findings.ndjson       print the entries that Coralogix would receive
  kaudit-filter explain --config kaudit.yaml findings.ndjson   print why each record is kept or dropped
  kaudit-filter options                                        list every configuration key
  kaudit-filter run --help                                     print the details of records, configuration and clocks
  kaudit-filter bench --generate 100000                        measure CPU time and memory
  kaudit-filter doctor                                         test whether the installed agents load the plugins
  kaudit-filter endpoint                                       start a test double of Coralogix
";

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Test(args)) => test::run(&args),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Init(args)) => init::run(&args),
        Some(Command::Migrate(args)) => migrate::run(&args),
        Some(Command::Options(args)) => options::run(&args),
        Some(Command::Schema(_)) => options::schema(),
        Some(Command::Completions(args)) => manual::completions(&args, Cli::command()),
        Some(Command::Man(args)) => manual::man(&args, &Cli::command()),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Endpoint(args)) => endpoint::run(args),
        Some(Command::Pipe(args)) => pipe::run(&args),
        Some(Command::Bake(args)) => Ok(bake::run(&args)),
        Some(Command::Doctor(args)) => doctor::run(&args),
        None => io::stderr().write_all(NEXT_STEPS.as_bytes()).map(|()| Outcome::Failed),
    };
    let outcome = match result {
        Ok(outcome) => outcome,
        // The reader closed the pipe, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Done,
        Err(error) => {
            eprintln_line(format_args!("kaudit-filter: cannot write: {error}"));
            Outcome::Failed
        }
    };
    ExitCode::from(outcome as u8)
}
