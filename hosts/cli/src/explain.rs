//! `kaudit-filter explain`: prints the verdicts, and the checks that led to them.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, Write};
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
use crate::outcome::{Halt, Outcome, report_halt};
use crate::output::Destination;
use crate::stream::{Input, Recognition, Sink, each_line, run_files};
use crate::terminal::note_line;
use crate::trace::{Entered, Trace};
use crate::{clock, config};

/// Prints the verdict for each record and every check that led to it
///
/// For each record: the verdict; the kind of finding, the keys that identify it, and where in the record it was found
/// or searched for; each integration in the order in which they are tested, with the clause that rejected the finding
/// and the text that its pattern matched; the state of the rate limit; the row that determined the severity; and the
/// changes to the entry (clamped, truncated, redacted). The verdict is the engine's own: `run` and an agent return the
/// same for the same records at the same times.
///
/// A record with several findings has a verdict for each of its items. Values that the configuration's `redact`
/// overwrites are overwritten here, too.
///
/// All records pass through the filter, so that rate limits count them; --only and --reason select the verdicts that
/// are printed. Summaries and count reports are printed at the time at which they would be sent.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Configuration: a ConfigMap, a list of integrations, or the filter's own document
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Print only records with this verdict [default: all]
    #[arg(long, value_enum)]
    only: Option<Only>,

    /// Print only records dropped for this reason [default: all]
    #[arg(long, value_parser = PossibleValuesParser::new(Reason::ALL.iter().map(|reason| reason.label())))]
    reason: Option<String>,

    /// Read Fluent Bit's chunk trace (`/api/v1/trace`) in the format `json_lines`, and explain the records that entered
    /// the filter
    #[arg(long)]
    trace: bool,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    output: Destination,

    #[command(flatten)]
    input: Input,
}

const EXAMPLES: &str = "Examples:
  Why is this finding not in Coralogix?
    kaudit-filter explain -c kaudit.yaml --clock record finding.json

  Which accounts does the block list drop, and which text matched?
    kaudit-filter explain -c kaudit.yaml --reason entity-no-match findings.ndjson

  What does the filter of a running Fluent Bit drop?
    kubectl logs fluent-bit-x | grep trace_id | kaudit-filter explain -c kaudit.yaml --trace

Exit codes:
  0  done, also if no record is selected
  1  the input or the configuration has errors; readable records were processed
  2  wrong usage, or a file could not be read or written";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    Kept,
    Dropped,
    Suppressed,
    Passed,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text
    Text,
    /// One JSON object per line
    Json,
}

/// Runs the command.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: &Args) -> io::Result<Outcome> {
    let config = match config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(outcome) => return Ok(outcome),
    };
    let out = match args.output.open() {
        Ok(out) => out,
        Err(outcome) => return Ok(outcome),
    };
    report_halt(print_all(args, &config, out))
}

fn print_all(args: &Args, config: &Config, out: Box<dyn Write>) -> Result<Outcome, Halt> {
    let explainer = Explainer::new(config, RandomState::new().hash_one(0))
        .map_err(|error| Halt::Refused(vec![format!("kaudit-filter: {error}")]))?;
    let mut printer = Printer {
        args,
        config: config.clone(),
        explainer,
        coloured: args.output.is_coloured(),
        out: BufWriter::new(out),
        file: String::new(),
        line: 0,
        verdicts: 0,
        printed: 0,
    };
    let interrupt = Interrupt::catch()?;
    if args.trace {
        return printer.trace(&interrupt);
    }
    let (outcome, _) = run_files(&args.input, config, &interrupt, &mut printer)?;
    if printer.printed == 0 {
        note_line(format_args!("{}", nothing_printed(args, printer.verdicts)));
    }
    Ok(outcome)
}

/// Returns the reason for an empty output.
fn nothing_printed(args: &Args, verdicts: u64) -> String {
    if verdicts == 0 {
        return "the input contains no record".to_owned();
    }
    let verdict = match (args.only, &args.reason) {
        (Some(Only::Kept), _) => "are kept".to_owned(),
        (Some(Only::Suppressed), _) => "are suppressed".to_owned(),
        (Some(Only::Passed), _) => "are passed".to_owned(),
        (_, Some(reason)) => format!("are dropped for the reason `{reason}`"),
        (Some(Only::Dropped) | None, None) => "are dropped".to_owned(),
    };
    format!("0 of {verdicts} records {verdict}")
}

struct Printer<'a> {
    args: &'a Args,
    config: Config,
    explainer: Explainer,
    coloured: bool,
    out: BufWriter<Box<dyn Write>>,
    file: String,
    line: u64,
    /// The number of verdicts, and of the printed ones.
    verdicts: u64,
    printed: u64,
}

impl Printer<'_> {
    fn is_selected(&self, verdict: &Verdict) -> bool {
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
        self.args.only.is_none_or(|selected| selected == only)
            && self.args.reason.as_deref().is_none_or(|selected| selected == reason)
    }

    /// Explains the records that entered the filter according to a chunk trace.
    fn trace(&mut self, interrupt: &Interrupt) -> Result<Outcome, Halt> {
        let mut trace = Trace::default();
        let outcome = each_line(&self.args.input, interrupt, &mut |file, number, line| {
            self.line = number;
            for Entered { chunk, records, at } in trace.line(line) {
                let position = format!("chunk {chunk}, {file}");
                for record in records {
                    self.explain(record.as_bytes(), at.unwrap_or_else(clock::wall), &position)?;
                }
            }
            Ok(self.out.flush()?)
        })?;
        if trace.events == 0 {
            note_line(format_args!(
                "the input has no event of a chunk trace; expected the trace's output `stdout` with the format `json_lines`"
            ));
            return Ok(outcome.max(Outcome::Mistakes));
        }
        if trace.first > 0 {
            note_line(format_args!(
                "{} chunks have no records: no filter before `kaudit` changes them, and Fluent Bit does not trace the \
                 records that enter the first one; see examples/fluent-bit/README.md",
                trace.first
            ));
        }
        Ok(outcome)
    }

    /// Explains a record, and prints the selected verdicts.
    fn explain(&mut self, record: &[u8], now: Time, file: &str) -> io::Result<()> {
        let explanations = self.explainer.explain(Record::json(record), now);
        let items = explanations.len();
        for (item, explanation) in explanations.iter().enumerate() {
            self.verdicts += 1;
            if !self.is_selected(&explanation.outcome) {
                continue;
            }
            self.printed += 1;
            if self.args.format == Format::Json {
                let json = explain::json(explanation, &self.config, file, self.line, item, items);
                writeln!(self.out, "{json}")?;
            } else {
                let position = explain::position(file, self.line, item, items);
                let text = explain::text(explanation, &position, &self.config, self.coloured);
                self.out.write_all(text.as_bytes())?;
            }
        }
        self.print_own(now, false)
    }

    /// Prints the summaries and reports that are due, or with `all` every pending one.
    fn print_own(&mut self, now: Time, all: bool) -> io::Result<()> {
        while let Some(entry) = if all { self.explainer.finish(now) } else { self.explainer.due(now) } {
            if self.args.only.is_some() || self.args.reason.is_some() {
                continue;
            }
            let mut json = Vec::new();
            entry.write_json(&mut json);
            let (head, tail): (&[u8], &[u8]) = if self.args.format == Format::Json {
                (b"{\"own\":", b"}\n")
            } else {
                (b"the filter adds: ", b"\n\n")
            };
            for part in [head, &json, tail] {
                self.out.write_all(part)?;
            }
        }
        Ok(())
    }
}

impl Sink for Printer<'_> {
    fn at(&mut self, file: &str, line: u64) {
        file.clone_into(&mut self.file);
        self.line = line;
    }

    fn record(&mut self, piece: &Piece<'_>, now: Time) -> Result<Recognition, Halt> {
        let position = self.file.clone();
        self.explain(piece.bytes, now, &position)?;
        Ok(Recognition::Unknown)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        Ok(self.out.flush()?)
    }

    fn finish(&mut self, now: Time) -> Result<Outcome, Halt> {
        self.print_own(now, true)?;
        self.out.flush()?;
        Ok(Outcome::Done)
    }
}
