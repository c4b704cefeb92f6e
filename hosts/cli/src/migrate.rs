//! `kaudit-filter migrate`: converts kAudit's configuration to the filter's.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use host_kit::config::SiblingFiles;
use kaudit_workbench::migrate::{self, Input};

use crate::check;
use crate::config::{named_text, unreadable};
use crate::outcome::{Outcome, eprintln_line};

/// Converts kAudit's own configuration, in any dialect, to the filter's document
///
/// Reads the ConfigMap of kAudit's integrations, or the list of its key `audit-integration`; and the ConfigMap of its
/// policy (`kaudit-policy-<cluster>`), or the list of its key `audit-policy`. The two may be in one file or in two, and
/// either may be given alone. The rules are written under `policy`, with an integration for their selections if there
/// is no other. Targets of the older dialect are converted to maps
/// and old endpoints are replaced by current ones; secrets are removed; the period of rate limits is made explicit;
/// comments are kept. The changes, and the diagnostics of `check` for the result, are written to standard error. The
/// new document is written only if it filters exactly like the original.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Write the document to this file [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Integrations and policy to convert, at most one file of each; `-` is standard input
    #[arg(value_name = "FILE", required = true, num_args = 1..=2)]
    files: Vec<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  kubectl -n alcide-kaudit get configmap kaudit-integration-prod -o yaml | kaudit-filter migrate - > kaudit.yaml
  kaudit-filter migrate integration.yaml policy.yaml -o kaudit.yaml

Exit codes:
  0  done
  1  the configuration has errors, or cannot be migrated; nothing was written
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
    let migrated = match migrate::migrate(&inputs, &SiblingFiles::of(folder)) {
        Ok(migrated) => migrated,
        Err(mistakes) => {
            for line in mistakes {
                eprintln_line(format_args!("{line}"));
            }
            return Ok(Outcome::Mistakes);
        }
    };
    match &args.output {
        None => io::stdout().write_all(migrated.text.as_bytes())?,
        Some(file) => {
            if let Err(error) = fs::write(file, &migrated.text) {
                eprintln_line(format_args!("{}: cannot write: {error}", file.display()));
                return Ok(Outcome::Failed);
            }
        }
    }
    for change in &migrated.changes {
        eprintln_line(format_args!("changed: {change}"));
    }
    if !migrated.remarks.remarks().is_empty() {
        eprintln_line(format_args!("\n{}", migrated.remarks.text(check::coloured_errors()).trim_end()));
    }
    Ok(Outcome::Done)
}
