//! `kaudit-filter`: the command-line host. It runs the engine over files, so that an operator sees offline what an
//! agent with the filter would send.
//!
//! Each subcommand is a module with its arguments and one function; this file knows their names and the exit codes.

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
mod output;
mod pipe;
mod report;
mod run;
mod test;
mod via;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// How a command ended; the number is the exit code, the worst counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    #[default]
    Done = 0,
    /// The input or the configuration has errors.
    Mistakes = 1,
    /// Wrong usage, or something could not be read or written.
    Failed = 2,
    /// SIGINT ended the run.
    Interrupted = 130,
    /// SIGTERM ended the run.
    Terminated = 143,
}

/// Filters Alcide kAudit findings and shows what Coralogix would receive
///
/// kaudit-filter recognises kAudit's findings (detections, selections, activity) in a stream of records, applies the
/// data filters and rate limits of a kAudit integration list, and shapes Coralogix log entries. A log agent does it in
/// its pipeline; this program does it offline, with the same engine.
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
  2  wrong usage, or something could not be read or written";

const WHAT_NEXT: &str = "\
kaudit-filter shows what Coralogix would receive of your kAudit findings.

Next:
  kaudit-filter run findings.ndjson                            every finding as an entry, no filter
  kaudit-filter init                                           a starting configuration, with a pipeline for the agent
  kaudit-filter migrate integration.yaml                       the filter's document of kAudit's own configuration
  kaudit-filter check kaudit.yaml                              what is wrong with a configuration, and what to do
  kaudit-filter test tests/                                    unit tests of a configuration
  kaudit-filter run --config kaudit.yaml findings.ndjson       what Coralogix would receive
  kaudit-filter explain --config kaudit.yaml findings.ndjson   why each record is kept or not
  kaudit-filter options                                        what there is to configure
  kaudit-filter run --help                                     all about records, configuration and clocks
  kaudit-filter bench --generate 100000                        what the filter costs, on your records or generated ones
  kaudit-filter doctor                                         which agents here load the plugins
  kaudit-filter endpoint                                       a test double of Coralogix, for an agent to send to
";

fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Test(args)) => test::run(&args),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Init(args)) => init::run(&args),
        Some(Command::Migrate(args)) => migrate::run(&args),
        Some(Command::Options(args)) => options::run(&args),
        Some(Command::Schema(_)) => options::schema(),
        Some(Command::Completions(args)) => manual::completions(&args),
        Some(Command::Man(args)) => manual::man(&args),
        Some(Command::Bench(args)) => bench::run(&args),
        Some(Command::Endpoint(args)) => endpoint::run(args),
        Some(Command::Pipe(args)) => pipe::run(&args),
        Some(Command::Bake(args)) => Ok(bake::run(&args)),
        Some(Command::Doctor(args)) => doctor::run(&args),
        None => io::stderr().write_all(WHAT_NEXT.as_bytes()).map(|()| Outcome::Failed),
    };
    let outcome = match ended {
        Ok(outcome) => outcome,
        // Whoever reads the entries has seen enough, as `head` has.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Done,
        Err(error) => {
            say(format_args!("kaudit-filter: cannot write: {error}"));
            Outcome::Failed
        }
    };
    ExitCode::from(outcome as u8)
}

/// Writes a line to standard error; where that is closed, there is nobody to tell.
fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}
