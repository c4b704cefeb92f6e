//! `kaudit-filter check`: what is wrong with configurations, and what is surely not meant.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use host_kit::config::SiblingFiles;
use kaudit_filter::config::{Code, Level, may_be_configuration};
use kaudit_workbench::check::{self, CheckReport};

use crate::{Outcome, config, say};

/// Says what is wrong with a configuration, and what is surely not meant
///
/// Every mistake is told at once, under the line it is about, with what is allowed and what to do. Errors are what the
/// filter refuses. Warnings are what it takes and what is hardly meant, such as a pattern that can never match. Advice
/// is what is worth knowing when one looks, such as an integration that an earlier one leaves nothing to.
///
/// PATH is a file or a folder: a ConfigMap as it stands in the cluster, a rendered chart of many documents, the bare
/// list of the key `audit-integration`, or the filter's own document. Each configuration of a file is looked at. In a
/// folder, and those below it, every .yaml and .yml file is that looks like one of these; other files are passed over.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Say what a code means, such as K012, or list them all
    #[arg(long, value_name = "CODE|all", conflicts_with_all = ["paths", "format", "strict"])]
    explain: Option<String>,

    /// How remarks are written to standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Fail on warnings, too
    #[arg(long)]
    strict: bool,

    /// Files and folders; `-` is standard input
    #[arg(value_name = "PATH", required_unless_present = "explain")]
    paths: Vec<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  Look at what a cluster has:
    kubectl -n alcide-kaudit get configmap kaudit-integration-prod -o yaml | kaudit-filter check -

  Look at a chart:
    helm template charts/kaudit | kaudit-filter check -

  Annotate a change on GitHub, and fail on warnings:
    kaudit-filter check --format github --strict deploy/

  What is meant by a remark:
    kaudit-filter check --explain K047

Exit codes:
  0  no error; with --strict no warning either
  1  a configuration has errors, or with --strict warnings
  2  wrong usage, or something could not be read or written";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: each remark under its line
    Text,
    /// For programs
    Json,
    /// SARIF 2.1.0, for code scanners
    Sarif,
    /// Commands that annotate a change, for GitHub's workflows
    Github,
}

/// Runs the command. An error is one of writing.
pub fn run(args: &Args) -> io::Result<Outcome> {
    if let Some(code) = &args.explain {
        return explain(code);
    }
    let mut report = CheckReport::default();
    let mut outcome = Outcome::Done;
    for path in &args.paths {
        outcome = outcome.max(look(path, &mut report));
    }
    if report.is_empty() {
        return Ok(outcome);
    }
    let out = match args.format {
        Format::Text => report.text(coloured()),
        Format::Json => format!("{:#}\n", report.json()),
        Format::Sarif => format!("{:#}\n", report.sarif()),
        Format::Github => report.github(),
    };
    io::stdout().write_all(out.as_bytes())?;
    let worst = if args.strict { Level::Warning } else { Level::Error };
    if report.remarks().iter().any(|remark| remark.level() >= worst) {
        outcome = outcome.max(Outcome::Mistakes);
    }
    Ok(outcome)
}

/// Whether colours are welcome: on a terminal, unless its user says otherwise (no-color.org).
pub fn coloured() -> bool {
    io::stdout().is_terminal() && !refused()
}

/// The same of standard error.
pub fn coloured_errors() -> bool {
    io::stderr().is_terminal() && !refused()
}

fn refused() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

fn explain(code: &str) -> io::Result<Outcome> {
    let text = match Code::of(code) {
        _ if code == "all" => check::codes(),
        Some(code) => check::explain(code),
        None => {
            say(format_args!("kaudit-filter: no code is called `{code}`; `check --explain all` lists them"));
            return Ok(Outcome::Failed);
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Outcome::Done)
}

/// Looks at a file, or at those of a folder that may be meant.
fn look(path: &Path, report: &mut CheckReport) -> Outcome {
    if !path.is_dir() {
        return look_at(path, report);
    }
    let mut found = Vec::new();
    if let Err(error) = walk(path, &may_be_configuration, &mut found) {
        say(format_args!("{}: cannot read: {error}", path.display()));
        return Outcome::Failed;
    }
    if found.is_empty() {
        say(format_args!(
            "{}: no file looks like a configuration; name one to have it checked all the same",
            path.display()
        ));
        return Outcome::Failed;
    }
    found.iter().map(|file| look_at(file, report)).max().unwrap_or(Outcome::Done)
}

fn look_at(file: &Path, report: &mut CheckReport) -> Outcome {
    let (name, text) = config::named_text(file);
    match text {
        Ok(text) => {
            report.file(&name, &text, &SiblingFiles::of(file));
            Outcome::Done
        }
        Err(error) => config::unreadable(&name, &error),
    }
}

/// The YAML files below a folder whose text is wanted, by name. Hidden ones are an editor's or version control's.
pub fn walk(folder: &Path, wanted: &dyn Fn(&str) -> bool, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if hidden {
            continue;
        }
        if path.is_dir() && !path.is_symlink() {
            walk(&path, wanted, found)?;
        } else if yaml && may_be_meant(&path, wanted) {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a file's text is wanted. One that may not be read, or not as text, is not passed over: it is told.
fn may_be_meant(path: &Path, wanted: &dyn Fn(&str) -> bool) -> bool {
    match fs::read(path) {
        Ok(bytes) => wanted(&String::from_utf8_lossy(&bytes)),
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}
