//! `kaudit-filter check`: reports errors and probable mistakes of configurations.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use host_kit::config::read_text;
use kaudit_filter::audit::SourceKind;
use kaudit_filter::config::{Code, Level, may_be_configuration};
use kaudit_workbench::check::{self, CheckReport};

use crate::config;
use crate::nearby::NearbyFiles;
use crate::outcome::Outcome;
use crate::output::Destination;
use crate::terminal::{error_line, is_quiet};

/// Checks configurations and reports errors, warnings and advice
///
/// All problems are reported at once, each under its line, with the allowed values and a suggested fix. Errors are
/// settings that the filter rejects. Warnings are valid settings that are probably mistakes, such as a pattern that can
/// never match. Advice is information that does not need a change, such as an integration that matches nothing because
/// an earlier one matches all of its findings.
///
/// PATH is a file or a folder. A file contains a ConfigMap as exported from the cluster, a rendered chart of many
/// documents, the bare list of the key `audit-integration`, or the filter's own document; each configuration in it is
/// checked. A folder is searched recursively for .yaml and .yml files that contain one of these; other files are
/// skipped.
///
/// A file that a configuration names (`integrations-file`, `policy-file`) is searched for beside it: under its name, or
/// in a manifest whose ConfigMap has this name or this key. Such a manifest is checked together with the
/// configuration, not alone. A policy is also searched for in the folder policies/ of the folders above.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Explain a code, such as K012; `all` lists all codes
    #[arg(long, value_name = "CODE|all", conflicts_with_all = ["paths", "format", "strict", "source"])]
    explain: Option<String>,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Check policies for events of this source: report rules that none of its events satisfies
    ///
    /// May be repeated. The sources differ in the fields that they have; GKE's events, for example, have no groups of
    /// users. The option `audit.source` of a configuration has the same effect, also when the filter starts.
    #[arg(long, value_name = "SOURCE", value_parser = PossibleValuesParser::new(SourceKind::NAMES))]
    source: Vec<String>,

    /// Exit with 1 on warnings, too
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    output: Destination,

    /// Files and folders to check; `-` is standard input
    #[arg(value_name = "PATH", required_unless_present = "explain")]
    paths: Vec<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  Check the configuration of a cluster:
    kubectl -n alcide-kaudit get configmap kaudit-integration-prod -o yaml | kaudit-filter check -

  Check a rendered chart:
    helm template charts/kaudit | kaudit-filter check -

  Annotate a pull request on GitHub, and fail on warnings:
    kaudit-filter check --format github --strict deploy/

  Report the rules of a policy that cannot match on a GKE cluster:
    kaudit-filter check --source gke kaudit.yaml

  Explain a code:
    kaudit-filter check --explain K047

Exit codes:
  0  no error; with --strict no warning either
  1  a configuration has errors, or with --strict warnings
  2  wrong usage, or a file could not be read or written";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text: each problem under its line
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code scanners
    Sarif,
    /// Workflow commands that annotate a change on GitHub
    Github,
}

/// Runs the command.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args) -> io::Result<Outcome> {
    if let Some(code) = &args.explain {
        return explain(code, &args.output);
    }
    let sources = args.source.iter().filter_map(|name| SourceKind::of(name));
    let mut report = CheckReport::for_sources(sources.collect());
    let mut outcome = Outcome::Done;
    for path in &args.paths {
        outcome = outcome.max(check_path(path, &mut report));
    }
    if report.is_empty() {
        return Ok(outcome);
    }
    let coloured = args.output.is_coloured();
    let out = match args.format {
        Format::Text if is_quiet() => report.problems(coloured),
        Format::Text => report.text(coloured),
        Format::Json => format!("{:#}\n", report.json()),
        Format::Sarif => format!("{:#}\n", report.sarif()),
        Format::Github => report.github(),
    };
    outcome = outcome.max(args.output.write(out.as_bytes())?);
    let worst = if args.strict { Level::Warning } else { Level::Error };
    if report.remarks().iter().any(|remark| remark.level() >= worst) {
        outcome = outcome.max(Outcome::Mistakes);
    }
    Ok(outcome)
}

fn explain(code: &str, output: &Destination) -> io::Result<Outcome> {
    let text = match Code::of(code) {
        _ if code == "all" => check::codes(),
        Some(code) => check::explain(code),
        None => {
            error_line(format_args!(
                "kaudit-filter: unknown code `{code}`; `check --explain all` lists all codes"
            ));
            return Ok(Outcome::Failed);
        }
    };
    output.write(text.as_bytes())
}

/// Checks a file, or the configurations in a folder.
fn check_path(path: &Path, report: &mut CheckReport) -> Outcome {
    if !path.is_dir() {
        return check_file(path, report);
    }
    let mut found = Vec::new();
    if let Err(error) = walk(path, &may_be_configuration, &mut found) {
        error_line(format_args!("{}: cannot read: {error}", path.display()));
        return Outcome::Failed;
    }
    if found.is_empty() {
        error_line(format_args!(
            "{}: no configuration found in this folder; pass a file to check it regardless of its contents",
            path.display()
        ));
        return Outcome::Failed;
    }
    // A manifest that another configuration names is checked with that one.
    let named = named_manifests(&found);
    let alone = found.iter().filter(|file| !named.contains(file));
    alone.map(|file| check_file(file, report)).max().unwrap_or(Outcome::Done)
}

/// Returns the manifests that configurations among the files name.
fn named_manifests(files: &[PathBuf]) -> Vec<PathBuf> {
    let named = files.iter().flat_map(|file| {
        let nearby = NearbyFiles::of(file);
        if let Ok(text) = read_text(file) {
            CheckReport::default().file(&file.to_string_lossy(), &text, &nearby);
        }
        nearby.manifests()
    });
    named.collect()
}

fn check_file(file: &Path, report: &mut CheckReport) -> Outcome {
    let (name, text) = config::named_text(file);
    match text {
        Ok(text) => {
            report.file(&name, &text, &NearbyFiles::of(file));
            Outcome::Done
        }
        Err(error) => config::unreadable(&name, &error),
    }
}

/// Collects the YAML files below a folder whose text is accepted, sorted by name.
///
/// Hidden files are skipped: they belong to editors and version control.
pub fn walk(folder: &Path, accepts: &dyn Fn(&str) -> bool, found: &mut Vec<PathBuf>) -> io::Result<()> {
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
            walk(&path, accepts, found)?;
        } else if yaml && is_accepted(&path, accepts) {
            found.push(path);
        }
    }
    Ok(())
}

/// Returns whether a file's text is accepted.
///
/// A file without read permission is accepted, so that it is reported instead of skipped.
fn is_accepted(path: &Path, accepts: &dyn Fn(&str) -> bool) -> bool {
    match fs::read(path) {
        Ok(bytes) => accepts(&String::from_utf8_lossy(&bytes)),
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}
