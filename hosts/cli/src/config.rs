//! Reads the configuration that a command runs with, and reports its mistakes.

use std::borrow::Cow;
use std::io::{self, Read as _};
use std::path::Path;

use host_kit::config::{ReadError, read_text, text};
use kaudit_filter::config::{self, Config, Integration, may_be_configuration};
use kaudit_filter::finding::Kind;
use kaudit_workbench::check::CheckReport;

use crate::nearby::NearbyFiles;
use crate::outcome::Outcome;
use crate::terminal::{colours_errors, error_line, is_quiet, note_line};

/// Reads the file; without a file, returns the built-in configuration.
///
/// Every mistake in the file is written to standard error, under its line.
///
/// # Errors
/// The file cannot be read, or has errors.
pub fn load(file: Option<&Path>) -> Result<Config, Outcome> {
    let Some(file) = file else {
        note_line(format_args!("no --config: every finding is sent, without data filters and rate limits"));
        return Ok(accept_all());
    };
    let name = file.to_string_lossy();
    let text = read_text(file).map_err(|error| unreadable(&name, &error))?;
    let mut report = CheckReport::default();
    let config = report.read(&name, &text, &NearbyFiles::of(file));
    if config.is_none() && is_record(&text) {
        error_line(format_args!(
            "{name}: contains records, not a configuration: pass the configuration with --config, and the records without \
             a flag"
        ));
    } else if config.is_none() || !is_quiet() {
        print_problems(&report);
    }
    config.ok_or(Outcome::Mistakes)
}

/// Writes the remarks of a report to standard error, each under its line.
pub fn print_problems(report: &CheckReport) {
    let problems = report.problems(colours_errors());
    if !problems.is_empty() {
        error_line(format_args!("{}", problems.trim_end()));
    }
}

/// Returns whether a text begins with a record and is no configuration.
fn is_record(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    first.starts_with('{')
        && serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(first).is_ok()
        && !may_be_configuration(text)
}

/// Reads the file without diagnostics.
///
/// Returns the built-in configuration if there is no file or it has errors.
///
/// For runs through a plugin, which reads the file itself and reports its mistakes.
pub fn load_silently(file: Option<&Path>) -> Config {
    let config = file.and_then(|file| {
        let text = read_text(file).ok()?;
        config::read(&file.to_string_lossy(), &text, &NearbyFiles::of(file)).config
    });
    config.unwrap_or_else(accept_all)
}

/// Returns a file's name for messages, and its text; `-` is standard input.
pub fn named_text(file: &Path) -> (Cow<'_, str>, Result<String, ReadError>) {
    if file != Path::new("-") {
        return (file.to_string_lossy(), read_text(file));
    }
    let mut bytes = Vec::new();
    let limit = host_kit::config::MAX_BYTES + 1;
    let read = io::stdin().take(limit).read_to_end(&mut bytes).map_err(ReadError::Io);
    ("stdin".into(), read.and_then(|_| text(bytes).map_err(ReadError::Content)))
}

/// Reports that a file cannot be read.
///
/// Invalid content counts as a mistake, an I/O error as a failure.
pub fn unreadable(name: &str, error: &ReadError) -> Outcome {
    error_line(format_args!("{name}: cannot read: {error}"));
    match error {
        ReadError::Content(_) => Outcome::Mistakes,
        ReadError::Io(_) => Outcome::Failed,
    }
}

/// Returns a configuration that accepts every finding, with defaults.
///
/// It has one unlimited integration for each kind.
fn accept_all() -> Config {
    let mut config = Config::default();
    config.integrations = Kind::ALL.iter().map(|kind| Integration::new(*kind, kind.name())).collect();
    config
}
