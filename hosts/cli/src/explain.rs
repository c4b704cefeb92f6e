//! `kaudit-filter explain`: the verdict for each record, and every check that led to it.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use kaudit_filter::Time;
use kaudit_filter::config::Config;
use kaudit_filter::explain::{Explainer, Outcome as Verdict};
use kaudit_filter::record::Record;
use kaudit_filter::stats::Reason;
use kaudit_workbench::explain;

use crate::input::Piece;
use crate::interrupt::Interrupt;
use crate::run::{Halt, Input, Recognition, Sink, ended, over};
use crate::{Outcome, check, config};

/// Prints the verdict for each record and every check that led to it
///
/// For each record: the verdict; what it was recognised as, by which keys, and where in the record it was found or
/// searched for; each integration in the order in which
/// they are asked, with the clause that refused and the text that its pattern found; the rate limit as it was met; the
/// row that gave the severity; and what was clamped, truncated or redacted. The verdict is the engine's own: it is
/// what `run` and an agent do with the same records at the same times.
///
/// A record with several findings has a verdict for each of its items. Values that the configuration's `redact`
/// overwrites are overwritten here, too.
///
/// All records go through the filter, so that limits count; --only and --reason choose the verdicts that are printed.
/// Summaries and count reports are printed when they would be sent.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The configuration: a ConfigMap, a list of integrations, or the filter's own document
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print this verdict only
    #[arg(long, value_enum)]
    only: Option<Only>,

    /// Print records dropped for this reason only
    #[arg(long, value_parser = PossibleValuesParser::new(Reason::ALL.iter().map(|reason| reason.label())))]
    reason: Option<String>,

    /// One JSON object a line, for programs
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    input: Input,
}

const EXAMPLES: &str = "Examples:
  Why is this finding not in Coralogix?
    kaudit-filter explain --config kaudit.yaml --clock record finding.json

  Which accounts does the block list hold back, and on what text?
    kaudit-filter explain -c kaudit.yaml --reason entity-no-match findings.ndjson

Exit codes:
  0  done
  1  the input or the configuration has errors; what could be read was processed
  2  wrong usage, or something could not be read or written";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    Kept,
    Dropped,
    Suppressed,
    Passed,
}

/// Runs the command. An error is one of writing.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let config = match config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(outcome) => return Ok(outcome),
    };
    ended(explained(args, config))
}

fn explained(args: &Args, config: Config) -> Result<Outcome, Halt> {
    let explainer = Explainer::new(&config, RandomState::new().hash_one(0))
        .map_err(|error| Halt::Refused(vec![format!("kaudit-filter: {error}")]))?;
    let out = BufWriter::new(io::stdout().lock());
    let mut teller = Teller { args, config, explainer, out, file: String::new(), line: 0 };
    let config = teller.config.clone();
    let (outcome, _) = over(&args.input, &config, &Interrupt::catch()?, &mut teller)?;
    Ok(outcome)
}

struct Teller<'a> {
    args: &'a Args,
    config: Config,
    explainer: Explainer,
    out: BufWriter<StdoutLock<'a>>,
    file: String,
    line: u64,
}

impl Teller<'_> {
    fn asked_for(&self, verdict: &Verdict) -> bool {
        let only = match verdict {
            Verdict::Kept(_) => Only::Kept,
            Verdict::Dropped(_) => Only::Dropped,
            Verdict::Suppressed => Only::Suppressed,
            Verdict::Passed => Only::Passed,
        };
        let reason = match verdict {
            Verdict::Dropped(reason) => reason.label(),
            _ => "",
        };
        self.args.only.is_none_or(|wanted| wanted == only)
            && self.args.reason.as_deref().is_none_or(|wanted| wanted == reason)
    }

    /// Tells the entries that the filter adds, at the end all that it owes.
    fn own(&mut self, now: Time, all: bool) -> io::Result<()> {
        while let Some(entry) = if all { self.explainer.finish(now) } else { self.explainer.due(now) } {
            if self.args.only.is_some() || self.args.reason.is_some() {
                continue;
            }
            let mut json = Vec::new();
            entry.write_json(&mut json);
            let (head, tail): (&[u8], &[u8]) =
                if self.args.json { (b"{\"own\":", b"}\n") } else { (b"the filter adds: ", b"\n\n") };
            for part in [head, &json, tail] {
                self.out.write_all(part)?;
            }
        }
        Ok(())
    }
}

impl Sink for Teller<'_> {
    fn at(&mut self, file: &str, line: u64) {
        file.clone_into(&mut self.file);
        self.line = line;
    }

    fn record(&mut self, piece: &Piece<'_>, now: Time) -> Result<Recognition, Halt> {
        let explanations = self.explainer.explain(Record::json(piece.bytes), now);
        let items = explanations.len();
        for (item, explanation) in explanations.iter().enumerate() {
            if !self.asked_for(&explanation.outcome) {
                continue;
            }
            if self.args.json {
                let json = explain::json(explanation, &self.file, self.line, item, items);
                writeln!(self.out, "{json}")?;
            } else {
                let position = explain::position(&self.file, self.line, item, items);
                let text = explain::text(explanation, &position, &self.config, check::coloured());
                self.out.write_all(text.as_bytes())?;
            }
        }
        self.own(now, false)?;
        Ok(Recognition::Unknown)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        Ok(self.out.flush()?)
    }

    fn finish(&mut self, now: Time) -> Result<Outcome, Halt> {
        self.own(now, true)?;
        self.out.flush()?;
        Ok(Outcome::Done)
    }
}
