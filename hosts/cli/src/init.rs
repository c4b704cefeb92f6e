//! `kaudit-filter init`: a starting configuration, asked for or given by flags.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use kaudit_filter::audit::SourceKind;
use kaudit_workbench::init::{self, Agent, Choices};

use crate::outcome::{Outcome, eprintln_line};

/// Writes a starting configuration, a test of it, and a pipeline for the agent
///
/// Into the folder go kaudit.yaml, the schema by which editors complete it, tests/kaudit.test.yaml, and a pipeline for
/// the agent. On a terminal, what no flag says is asked; elsewhere the defaults are taken. No file that is there is
/// written over.
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

    /// Which findings are sent [default: detections,selections; with --audit: selections]
    #[arg(long, value_enum, value_delimiter = ',')]
    findings: Option<Vec<Finding>>,

    /// How many findings of one entity a minute, of selections and of activity [default: 10]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: Option<u32>,

    /// Ask nothing
    #[arg(long, short)]
    yes: bool,

    /// The folder, which is made where it is not there
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
}

const EXAMPLES: &str = "Examples:
  kaudit-filter init --agent vector --domain us2.coralogix.com kaudit
  kaudit-filter init --audit gke kaudit
  kaudit-filter check kaudit && kaudit-filter test kaudit/tests

Exit codes:
  0  done
  1  a file is there already; none was written
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

/// Runs the command. An error is one of writing to standard output.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let choices = choices(args)?;
    let files = match init::files(&choices) {
        Ok(files) => files,
        Err(error) => {
            eprintln_line(format_args!("kaudit-filter: internal error: {error}"));
            return Ok(Outcome::Failed);
        }
    };
    let there: Vec<_> = files
        .iter()
        .map(|(name, _)| args.folder.join(name))
        .filter(|path| path.symlink_metadata().is_ok())
        .collect();
    for path in &there {
        eprintln_line(format_args!("{}: is there already; nothing is written", path.display()));
    }
    if !there.is_empty() {
        return Ok(Outcome::Mistakes);
    }
    for (name, text) in &files {
        let path = args.folder.join(name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        if let Err(error) = made.and_then(|()| fs::File::create_new(&path)?.write_all(text.as_bytes())) {
            eprintln_line(format_args!("{}: cannot write: {error}", path.display()));
            return Ok(Outcome::Failed);
        }
        eprintln_line(format_args!("wrote {}", path.display()));
    }
    if choices.agent() != choices.agent {
        eprintln_line(format_args!(
            "\nNo pipeline is written: how the events reach the agent depends on the cloud's export of audit logs."
        ));
    }
    let folder = args.folder.display();
    let records = if choices.audit.is_some() { "audit.log" } else { "findings.ndjson" };
    eprintln_line(format_args!(
        "\nNext:\n  kaudit-filter check {folder}\n  kaudit-filter test {folder}/tests\n  \
         kaudit-filter run --config {folder}/kaudit.yaml --clock record {records}"
    ));
    Ok(Outcome::Done)
}

fn choices(args: &Args) -> io::Result<Choices> {
    let asks = !args.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
    let agent = given(asks, args.agent, "Agent: fluent-bit, vector or none", "fluent-bit", |text| {
        AgentArg::from_str(text, true).ok()
    })?;
    let domain =
        given(asks, args.domain.clone(), "Domain of the Coralogix account", "eu1.coralogix.com", |text| {
            domain(text).ok()
        })?;
    let sources = SourceKind::NAMES.join(", ");
    let audit = given(
        asks,
        args.audit.clone(),
        &format!("Derive findings from Kubernetes audit events of: {sources}, none"),
        "none",
        |text| (text == "none" || SourceKind::of(text).is_some()).then(|| text.to_owned()),
    )?;
    let audit = SourceKind::of(&audit);
    let findings = given(
        asks,
        args.findings.clone(),
        "Findings to send: detections, selections, activity",
        if audit.is_some() { "selections" } else { "detections,selections" },
        |text| {
            text.split([',', ' '])
                .filter(|word| !word.is_empty())
                .map(|word| Finding::from_str(word, true).ok())
                .collect()
        },
    )?;
    let limit = given(asks, args.limit, "Findings of one entity a minute", "10", |text| {
        text.parse().ok().filter(|limit| (1..=100_000).contains(limit))
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

/// What a flag says, or else an answer, or else the default.
fn given<T>(
    asks: bool,
    flag: Option<T>,
    question: &str,
    default: &str,
    read: impl Fn(&str) -> Option<T>,
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
            Some(value) => return Ok(value),
            None if asks => eprintln_line(format_args!("`{answer}` is none of these")),
            // The defaults are read without a fault; a test takes them.
            None => return Err(io::Error::other("the default of a question cannot be read")),
        }
    }
}
