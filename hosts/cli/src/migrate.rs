//! `kaudit-filter migrate`: converts kAudit's configuration to the filter's, or either to an agent's own.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use kaudit_workbench::convert::{self, Fate, Target};
use kaudit_workbench::migrate::{self, Input, Refusal};

use crate::config::{named_text, print_problems, unreadable};
use crate::nearby::NearbyFiles;
use crate::outcome::Outcome;
use crate::output::cannot_write;
use crate::terminal::{error_line, is_quiet, note_line};

/// Converts kAudit's own configuration, in any dialect, to the filter's document
///
/// Reads the ConfigMap of kAudit's integrations, or the list of its key `audit-integration`; and the ConfigMap of its
/// policy (`kaudit-policy-<cluster>`), or the list of its key `audit-policy`. The two may be in one file or in two, and
/// either may be given alone. The rules are written under `policy`, with an integration for their selections if there
/// is no other. Targets of the older dialect are converted to maps
/// and old endpoints are replaced by current ones; the shape of the endpoint is made explicit; secrets are removed; the
/// period of rate limits is made explicit; comments are kept. The changes, and the diagnostics of `check` for the
/// result, are written to standard error, with positions in the input. The new document is written only if it filters
/// exactly like the original.
///
/// With `--to` the result is configuration of an agent that runs without the filter. The input is then kAudit's list,
/// its ConfigMap, or the filter's own document. A report, on standard error, states for each key of the input, with its
/// position, its counterpart, or that the agent has none. The losses are also comments of the result. Tokens are
/// not copied: the result reads the key from the environment or from a secret backend.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Convert to configuration of an agent without the filter
    #[arg(long, value_name = "TARGET")]
    to: Option<To>,

    /// Write the document to this file, which must not exist [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Integrations and policy to convert, at most one file of each; `-` is standard input
    #[arg(value_name = "FILE", required = true, num_args = 1..=2)]
    files: Vec<PathBuf>,
}

/// The configurations of other agents.
#[derive(Clone, Copy, clap::ValueEnum)]
enum To {
    /// The OpenTelemetry Collector: statements in OTTL, and the exporter for Coralogix
    Otelcol,
    /// Values for Coralogix's Helm chart of the Collector, otel-integration
    OtelIntegration,
    /// Vector: a program in VRL, throttles, and a sink
    Vrl,
}

impl To {
    fn target(self) -> Target {
        match self {
            Self::Otelcol => Target::Otelcol,
            Self::OtelIntegration => Target::OtelIntegration,
            Self::Vrl => Target::Vrl,
        }
    }
}

const EXAMPLES: &str = "Examples:
  kubectl -n alcide-kaudit get configmap kaudit-integration-prod -o yaml \\
      | kaudit-filter migrate - -o kaudit.yaml
  kaudit-filter migrate integration.yaml policy.yaml -o kaudit.yaml
  kaudit-filter migrate kaudit.yaml --to otelcol -o otelcol.yaml

Exit codes:
  0  done
  1  the configuration has errors or cannot be migrated, or the file exists;
     nothing was written
  2  wrong usage, or a file could not be read or written";

/// Runs the command.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let mut texts = Vec::new();
    for file in &args.files {
        let (name, text) = named_text(file);
        match text {
            Ok(text) => texts.push((name, text)),
            Err(error) => return Ok(unreadable(&name, &error)),
        }
    }
    let inputs: Vec<Input<'_>> = texts.iter().map(|(name, text)| Input { name, text }).collect();
    let folder = args.files.first().map_or(Path::new("."), PathBuf::as_path);
    let files = NearbyFiles::of(folder);
    let (text, notes, remarks) = match args.to {
        None => match migrate::migrate(&inputs, &files) {
            Ok(migrated) => (migrated.text, changes(&migrated.changes), Some(migrated.remarks)),
            Err(refusal) => return Ok(refused(&refusal)),
        },
        Some(to) => match convert::convert(&inputs, &files, to.target()) {
            Ok(converted) => (converted.text, report(&converted.report), None),
            Err(refusal) => return Ok(refused(&refusal)),
        },
    };
    let written = match &args.output {
        None => io::stdout().write_all(text.as_bytes()).map(|()| Outcome::Done)?,
        Some(file) => write_new(file, &text),
    };
    if written == Outcome::Done {
        for note in notes {
            note_line(format_args!("{note}"));
        }
        if let Some(remarks) = remarks.filter(|remarks| !is_quiet() && !remarks.remarks().is_empty()) {
            note_line(format_args!(""));
            print_problems(&remarks);
        }
    }
    Ok(written)
}

fn refused(refusal: &Refusal) -> Outcome {
    match refusal {
        Refusal::Mistakes(report) => print_problems(report),
        Refusal::Other(reason) => error_line(format_args!("{reason}")),
    }
    Outcome::Mistakes
}

fn changes(changes: &[String]) -> Vec<String> {
    changes.iter().map(|change| format!("changed: {change}")).collect()
}

/// Returns the lines of a report, and their numbers.
fn report(report: &[convert::ReportLine]) -> Vec<String> {
    let mut lines: Vec<String> = report.iter().map(ToString::to_string).collect();
    let number = |fate| report.iter().filter(|line| line.fate == fate).count();
    lines.push(format!(
        "{} converted, {} partly, {} lost, {} unused",
        number(Fate::Converted),
        number(Fate::Partly),
        number(Fate::Lost),
        number(Fate::Unused)
    ));
    lines
}

/// Writes a file that does not exist yet.
fn write_new(file: &Path, text: &str) -> Outcome {
    match fs::File::create_new(file).and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Outcome::Done,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            error_line(format_args!(
                "{}: exists already; nothing was written: remove it, or write to another file",
                file.display()
            ));
            Outcome::Mistakes
        }
        Err(error) => cannot_write(file, &error),
    }
}
