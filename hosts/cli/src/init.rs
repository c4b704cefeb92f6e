//! `kaudit-filter init`: a starting configuration, asked for or given by flags.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use kaudit_filter::audit::SourceKind;
use kaudit_workbench::init::{self, Agent, Choices};

use crate::outcome::Outcome;
use crate::output::cannot_write;
use crate::terminal::{error_line, note_line};

/// Writes a starting configuration, a test of it, and a pipeline for the agent
///
/// Writes kaudit.yaml, the schema with which editors complete it, tests/kaudit.test.yaml, and a pipeline for the agent.
/// On a terminal it asks for each value without a flag; elsewhere it uses the defaults. It never replaces a file.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The agent that will run the filter [default: fluent-bit]
    #[arg(long, value_enum)]
    agent: Option<AgentArg>,

    /// The domain of the Coralogix account, such as eu2.coralogix.com [default: eu1.coralogix.com]
    #[arg(long, value_name = "DOMAIN", value_parser = domain)]
    domain: Option<String>,

    /// The source of Kubernetes audit events, from which selections are derived without kAudit [default: none]
    ///
    /// policy.yaml is written as well: the default policy. Rules that no event of the source satisfies are switched off.
    #[arg(long, value_name = "SOURCE", value_parser = PossibleValuesParser::new(SourceKind::NAMES))]
    audit: Option<String>,

    /// Findings that are sent [default: detections,selections; with --audit: selections]
    #[arg(long, value_enum, value_delimiter = ',')]
    findings: Option<Vec<Finding>>,

    /// Number of findings per entity and minute, for selections and for activity [default: 10]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: Option<u32>,

    /// Ask nothing
    #[arg(long, short)]
    yes: bool,

    /// Folder for the files; created if it does not exist
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

const EXAMPLES: &str = "Examples:
  kaudit-filter init --agent vector --domain us2.coralogix.com kaudit
  kaudit-filter init --audit gke kaudit
  kaudit-filter check kaudit && kaudit-filter test kaudit/tests

Exit codes:
  0  done
  1  a file exists already; none was written
  2  wrong usage, or something could not be read or written";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AgentArg {
    FluentBit,
    Vector,
    None,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Finding {
    Detections,
    Selections,
    Activity,
}

fn domain(text: &str) -> Result<String, &'static str> {
    let name =
        text.trim().trim_start_matches("https://").trim_start_matches("ingress.").trim_end_matches('/');
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if name.contains("coralogix") && name.contains('.') && name.chars().all(allowed) {
        return Ok(name.to_ascii_lowercase());
    }
    Err("expected the domain of a Coralogix account, such as `eu2.coralogix.com`")
}

/// Runs the command.
///
/// # Errors
/// The terminal cannot be read or written.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let choices = choices(args)?;
    let files = match init::files(&choices) {
        Ok(files) => files,
        Err(error) => {
            error_line(format_args!("kaudit-filter: internal error: {error}"));
            return Ok(Outcome::Failed);
        }
    };
    let there: Vec<_> = files
        .iter()
        .map(|(name, _)| args.folder.join(name))
        .filter(|path| path.symlink_metadata().is_ok())
        .collect();
    for path in &there {
        error_line(format_args!("{}: exists already; nothing was written", path.display()));
    }
    if !there.is_empty() {
        return Ok(Outcome::Mistakes);
    }
    for (name, text) in &files {
        let path = args.folder.join(name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        if let Err(error) = made.and_then(|()| fs::File::create_new(&path)?.write_all(text.as_bytes())) {
            return Ok(cannot_write(&path, &error));
        }
        note_line(format_args!("wrote {}", path.display()));
    }
    if choices.agent() != choices.agent {
        note_line(format_args!(
            "\nNo pipeline is written: how the events reach the agent depends on the cloud's export of audit logs."
        ));
    }
    let folder = args.folder.display();
    let records = if choices.audit.is_some() { "audit.log" } else { "findings.ndjson" };
    note_line(format_args!(
        "\nNext:\n  kaudit-filter check {folder}\n  kaudit-filter test {folder}/tests\n  \
         kaudit-filter run -c {folder}/kaudit.yaml --clock record {records}"
    ));
    Ok(Outcome::Done)
}

fn choices(args: &Args) -> io::Result<Choices> {
    let asks = !args.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
    let agent = given(asks, args.agent, "Agent: fluent-bit, vector or none", "fluent-bit", |text| {
        AgentArg::from_str(text, true).map_err(|_| "expected fluent-bit, vector or none".to_owned())
    })?;
    let domain =
        given(asks, args.domain.clone(), "Domain of the Coralogix account", "eu1.coralogix.com", |text| {
            domain(text).map_err(str::to_owned)
        })?;
    let sources = SourceKind::NAMES.join(", ");
    let audit = given(
        asks,
        args.audit.clone(),
        &format!("Derive findings from Kubernetes audit events of: {sources}, none"),
        "none",
        |text| match text {
            "none" => Ok(text.to_owned()),
            _ if SourceKind::of(text).is_some() => Ok(text.to_owned()),
            _ => Err(format!("expected {sources} or none")),
        },
    )?;
    let audit = SourceKind::of(&audit);
    let findings = given(
        asks,
        args.findings.clone(),
        "Findings to send: detections, selections, activity",
        if audit.is_some() { "selections" } else { "detections,selections" },
        |text| {
            let words = text.split([',', ' ']).filter(|word| !word.is_empty());
            let findings: Result<Vec<_>, _> = words.map(|word| Finding::from_str(word, true)).collect();
            findings
                .map_err(|_| "expected detections, selections and activity, separated by commas".to_owned())
        },
    )?;
    let limit = given(asks, args.limit, "Findings of one entity a minute", "10", |text| {
        let limit = text.parse().ok().filter(|limit| (1..=100_000).contains(limit));
        limit.ok_or_else(|| "expected a number from 1 to 100000".to_owned())
    })?;
    Ok(Choices {
        agent: match agent {
            AgentArg::FluentBit => Agent::FluentBit,
            AgentArg::Vector => Agent::Vector,
            AgentArg::None => Agent::None,
        },
        domain,
        detections: findings.contains(&Finding::Detections),
        selections: findings.contains(&Finding::Selections),
        activity: findings.contains(&Finding::Activity),
        limit,
        audit,
    })
}

/// Returns the value of a flag, otherwise an answer, otherwise the default.
fn given<T>(
    asks: bool,
    flag: Option<T>,
    question: &str,
    default: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> io::Result<T> {
    if let Some(flag) = flag {
        return Ok(flag);
    }
    loop {
        let mut answer = String::new();
        if asks {
            write!(io::stderr(), "{question} [{default}]: ")?;
            io::stderr().flush()?;
            io::stdin().lock().read_line(&mut answer)?;
        }
        let answer = if answer.trim().is_empty() { default } else { answer.trim() };
        match read(answer) {
            Ok(value) => return Ok(value),
            Err(expected) if asks => error_line(format_args!("`{answer}`: {expected}")),
            // A test uses the defaults.
            Err(_) => return Err(io::Error::other("the default of a question cannot be read")),
        }
    }
}
