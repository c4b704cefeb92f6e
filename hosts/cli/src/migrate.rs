//! `kaudit-filter migrate`: the filter's document of kAudit's own configuration.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use host_kit::config::SiblingFiles;
use kaudit_workbench::migrate;

use crate::config::{named_text, unreadable};
use crate::{Outcome, check, say};

/// Turns kAudit's own configuration, of any age, into the filter's document
///
/// Takes a ConfigMap, or the list of its key `audit-integration`. Targets of the older dialect become maps, old endpoints
/// present ones; secrets are taken out; the period of rate limits is stated; comments stay. What changed is told on
/// standard error, with what `check` has to say of the result. The new document is read again and means what the
/// original means, or none is written.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Write the document here, instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The configuration; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

const EXAMPLES: &str = "Examples:
  kubectl -n alcide-kaudit get configmap kaudit-integration-prod -o yaml | kaudit-filter migrate - > kaudit.yaml

Exit codes:
  0  done
  1  the configuration has errors, or cannot be migrated; nothing was written
  2  wrong usage, or something could not be read or written";

/// Runs the command. An error is one of writing.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let (name, text) = named_text(&args.file);
    let text = match text {
        Ok(text) => text,
        Err(error) => return Ok(unreadable(&name, &error)),
    };
    let migrated = match migrate::migrate(&name, &text, &SiblingFiles::of(&args.file)) {
        Ok(migrated) => migrated,
        Err(mistakes) => {
            for line in mistakes {
                say(format_args!("{line}"));
            }
            return Ok(Outcome::Mistakes);
        }
    };
    match &args.output {
        None => io::stdout().write_all(migrated.text.as_bytes())?,
        Some(file) => {
            if let Err(error) = fs::write(file, &migrated.text) {
                say(format_args!("{}: cannot write: {error}", file.display()));
                return Ok(Outcome::Failed);
            }
        }
    }
    for change in &migrated.changes {
        say(format_args!("changed: {change}"));
    }
    if !migrated.remarks.remarks().is_empty() {
        say(format_args!("\n{}", migrated.remarks.text(check::coloured_errors()).trim_end()));
    }
    Ok(Outcome::Done)
}
