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
mod learned;
mod manual;
mod migrate;
mod nearby;
mod options;
mod outcome;
mod output;
mod pipe;
mod protobuf;
mod report;
mod run;
mod scrape;
mod stream;
mod terminal;
mod test;
mod trace;
mod via;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use outcome::Outcome;
use terminal::{Flags, error_line};

/// Filters Alcide kAudit findings, and prints the entries for Coralogix
///
/// kaudit-filter recognises kAudit's findings (detections, selections, activity) in a stream of records, applies the
/// data filters and rate limits of a kAudit integration list, and prints Coralogix log entries. Log agents run the same
/// engine in their pipelines; this program runs it offline.
#[derive(Parser)]
#[command(
    name = "kaudit-filter",
    version,
    propagate_version = true,
    term_width = COLUMNS,
    after_help = EXIT_CODES
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    flags: Flags,
}

/// The width of the help, also on a wider terminal: its examples have line breaks of their own.
const COLUMNS: usize = 80;

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
    /// Prints the version
    Version,
}

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  the input or the configuration has errors
  2  wrong usage, or a file could not be read or written";

const NEXT_STEPS: &str = "\
kaudit-filter prints the log entries that Coralogix would receive for your
kAudit findings.

Begin:
  kaudit-filter init                    write a configuration and a pipeline
  kaudit-filter migrate kaudit-cm.yaml  convert kAudit's configuration
  kaudit-filter check kaudit.yaml       report errors, with suggested fixes
  kaudit-filter test tests/             run unit tests of a configuration
  kaudit-filter options                 list every configuration key

Try it on your findings, with or without a configuration:
  kaudit-filter run -c kaudit.yaml findings.ndjson      print the entries
  kaudit-filter explain -c kaudit.yaml findings.ndjson  print why, per record
  kaudit-filter bench -c kaudit.yaml findings.ndjson    measure the cost

Before you deploy it:
  kaudit-filter doctor                  load the plugins in installed agents
  kaudit-filter endpoint                start a test double of Coralogix

`kaudit-filter help` lists all commands, `kaudit-filter run --help` the details
of records, configuration and clocks.
";

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| nearest_first(error).exit());
    cli.flags.apply();
    let result = match cli.command {
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Test(args)) => test::run(&args),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Init(args)) => init::run(&args),
        Some(Command::Migrate(args)) => migrate::run(&args),
        Some(Command::Options(args)) => options::run(&args),
        Some(Command::Schema(args)) => options::schema(&args),
        Some(Command::Completions(args)) => manual::completions(&args, Cli::command()),
        Some(Command::Man(args)) => manual::man(&args, &Cli::command()),
        Some(Command::Version) => {
            writeln!(io::stdout(), "kaudit-filter {}", env!("CARGO_PKG_VERSION")).map(|()| Outcome::Done)
        }
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
            error_line(format_args!("kaudit-filter: cannot write: {error}"));
            Outcome::Failed
        }
    };
    ExitCode::from(outcome as u8)
}

/// Suggests only the most similar command for an unknown one.
///
/// Clap lists the similar commands with the most similar one at the end.
fn nearest_first(mut error: clap::Error) -> clap::Error {
    let suggested = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) if error.kind() == ErrorKind::InvalidSubcommand => {
            names.last().cloned()
        }
        _ => None,
    };
    if let Some(name) = suggested {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::String(name));
    }
    error
}
