//! `kaudit-filter run`: filters files, writes entries, prints the counters.

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use host_kit::metrics::Metrics;
use host_kit::{Emission, Session, counters, exposition};
use kaudit_filter::Time;
use kaudit_filter::config::Shape;
use kaudit_filter::envelope::Form;
use kaudit_filter::record::Record;
use kaudit_filter::stats::Reason;
use kaudit_workbench::lines::wrapped;
use serde_json::Value;

use crate::clock;
use crate::config;
use crate::input::Piece;
use crate::interrupt::Interrupt;
use crate::learned;
use crate::outcome::{Halt, Outcome, report_halt};
use crate::output::{Destination, Framing, Output};
use crate::report::RunCounters;
use crate::stream::{Fault, Input, Recognition, Sink, filter, run_files};
use crate::terminal::{error_line, note_line};
use crate::via::{Plugin, Via};

/// Filters files of records, and writes the entries for Coralogix
///
/// Reads records from the files, or from standard input, and writes one entry per line (or one envelope, in shape bulk;
/// in shape otlp one request) to standard output. At the end, the counters are written to standard error: each record is
/// kept, dropped for a reason, suppressed by a rate limit, or passed unchanged.
///
/// RECORDS are JSON objects: one per line, concatenated, printed over several lines, or in arrays. A finding may be
/// wrapped in a log record, as an object, a list or text under the keys of the configuration's `look-in`, or follow the
/// prefix of a logger. Files may be gzipped. A record that is not a JSON object and contains no finding is reported
/// with its line; the configuration's `unrecognised` determines its verdict.
///
/// CONFIGURATION is a kAudit ConfigMap as exported from the cluster, the bare list of its key `audit-integration`, or
/// the filter's own document. All its errors are reported at once. Without a configuration, every finding is sent.
///
/// TIME: rate limits count arrivals, and the timestamp of an entry that is too old for Coralogix is replaced by its
/// arrival time. --now and --clock set the arrival time of records.
///
/// STATE: with `detect` in the configuration, detections compare events with those before. --state reads what earlier
/// runs learned, and writes it at the end. Pass the files in the order of their events: events of windows that an
/// earlier run has closed are late. A damaged file is reported, and learning restarts.
///
/// PLUGIN: with --via, records are filtered by the plugin file that an agent loads, instead of the engine in this
/// program. A driver program loads the plugin as the agent does; both files are in the directory of this program, where
/// `cargo xtask dist` writes them. The counters are then the plugin's own. Through Vector's module, a line in shape
/// bulk is an item of an envelope, and in shape otlp one of OTLP's resource logs, since the agent builds the requests.
/// At the end of the input, Fluent Bit's clock is advanced by a day, so that pending summaries and reports are written.
/// Fluent Bit's wasm filter has no shutdown and reports no counters: a summary replaces a later record that is dropped,
/// or is lost.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Configuration: a ConfigMap, a list of integrations, or the filter's own document [default: send every finding]
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Shape of the output [default: the configuration's coralogix.shape]
    #[arg(long, value_enum)]
    shape: Option<ShapeArg>,

    /// Format of the entries
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,

    /// Run the engine in this program, or an agent's plugin
    #[arg(long, value_enum, default_value_t = Via::Engine)]
    via: Via,

    /// Plugin file [default: in the directory of this program]
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,

    /// File that keeps the learned behaviour of detections between runs; it need not exist
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Format of the counters on standard error
    #[arg(long, value_enum, default_value_t = SummaryForm::Text)]
    summary: SummaryForm,

    #[command(flatten)]
    output: Destination,

    #[command(flatten)]
    input: Input,
}

const EXAMPLES: &str = "Examples:
  Print what a cluster's integrations send, as of the day of the findings:
    kubectl -n alcide-kaudit get configmap kaudit-integration-prod -o yaml \\
        > integration.yaml
    kaudit-filter run -c integration.yaml --clock record findings.ndjson.gz

  Filter a live log, as an agent does:
    kubectl logs -f deploy/kaudit | kaudit-filter run -c kaudit.yaml

  Write the entries to a file, and print the counters for a script:
    kaudit-filter run -c kaudit.yaml -o entries.ndjson --summary json \\
        findings.ndjson 2>&1 | tail -n 1

  Write files that the Collector's otlpjsonfile receiver reads:
    kaudit-filter run -c kaudit.yaml --shape otlp -o logs.json findings.ndjson

  Find changes in behaviour, day after day:
    kaudit-filter run -c kaudit.yaml --clock record --state learned audit.log

  Write the counters for the node exporter's textfile collector:
    kaudit-filter run -c kaudit.yaml -o entries.ndjson --summary prometheus \\
        findings.ndjson 2>&1 | grep -E '^(#|kaudit_)' > kaudit.prom

Exit codes:
  0  done
  1  the input or the configuration has errors; readable records were processed
  2  wrong usage, or a file could not be read or written
  130, 143  ended by Ctrl-C or SIGTERM; pending summaries and the counters were
            written";

#[derive(Clone, Copy, ValueEnum)]
enum ShapeArg {
    /// One entry per line, for /logs/v1/singles
    Singles,
    /// Envelopes below 2 MB, for /logs/v1/bulk
    Bulk,
    /// Requests of OTLP below 2 MB, for /v1/logs
    Otlp,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines of JSON; in shape otlp the format of the Collector's file exporter
    Json,
    /// Only in shape otlp: messages of protobuf, each after its length in 4 bytes, big-endian
    Protobuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SummaryForm {
    /// A table
    Text,
    /// One line of JSON
    Json,
    /// Prometheus' text format, under the names in docs/metrics.md; not with --via
    Prometheus,
}

/// Runs the command.
///
/// # Errors
/// The entries cannot be written.
pub fn run(args: &Args) -> io::Result<Outcome> {
    report_halt(if args.via == Via::Engine { by_engine(args) } else { by_plugin(args) })
}

fn by_engine(args: &Args) -> Result<Outcome, Halt> {
    if args.plugin.is_some() {
        return Err(Halt::Failed(
            "--plugin: the engine loads no plugin; use it with --via fluent-bit, vector or wasm".to_owned(),
        ));
    }
    let mut config = match config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(outcome) => return Ok(outcome),
    };
    if let Some(shape) = args.shape {
        config.coralogix.shape = match shape {
            ShapeArg::Singles => Shape::Singles,
            ShapeArg::Bulk => Shape::Bulk,
            ShapeArg::Otlp => Shape::Otlp,
        };
    }
    let shape = config.coralogix.shape;
    let framing = framing(shape, args.format)?;
    let mut filter = filter(&config)?;
    if let Some(path) = &args.state {
        learned::restore(&mut filter, path)?;
    }
    let session = Session::new(filter, &config);
    let metrics = Metrics::new(session.engine(), clock::wall());
    let out = match args.output.open() {
        Ok(out) => out,
        Err(outcome) => return Ok(outcome),
    };
    let mut engine = Engine { session, output: Output::new(BufWriter::new(out), framing) };
    let (mut outcome, malformed) = run_files(&args.input, &config, &Interrupt::catch()?, &mut engine)?;
    if engine.output.not_written > 0 {
        outcome = outcome.max(Outcome::Mistakes);
        error_line(format_args!(
            "records that pass and were not written, since they are no log records of OTLP: {}; use --format json",
            engine.output.not_written
        ));
    }
    let saved = args.state.as_ref().map(|path| learned::save(engine.session.engine(), path));
    let counters = RunCounters {
        stats: engine.session.stats(),
        entries: engine.output.entries,
        envelopes: Form::of(shape).map(|_| engine.output.envelopes),
        malformed,
        rules: engine.session.engine().rule_counts().collect(),
    };
    let warning = counters::unrecognised_warning(counters.stats)
        .map(|warning| wrapped(&format!("warning: {warning}"), 80).join("\n"));
    let metrics = || exposition::text(&metrics, engine.session.engine());
    print_counters(args.summary, &counters, &counters.json(), warning.as_deref(), metrics);
    Ok(outcome.max(saved.unwrap_or_default()))
}

fn framing(shape: Shape, format: Format) -> Result<Framing, Halt> {
    match (shape, format) {
        (Shape::Otlp, Format::Json) => Ok(Framing::OtlpJson),
        (Shape::Otlp, Format::Protobuf) => Ok(Framing::OtlpProtobuf),
        (Shape::Singles | Shape::Bulk, Format::Json) => Ok(Framing::Line),
        (Shape::Singles | Shape::Bulk, Format::Protobuf) => Err(Halt::Failed(format!(
            "--format protobuf: not available in shape {}; add --shape otlp",
            shape.name()
        ))),
    }
}

fn by_plugin(args: &Args) -> Result<Outcome, Halt> {
    if args.shape.is_some() {
        let message = "--shape: not available with --via; set `coralogix.shape` in the configuration";
        return Err(Halt::Failed(message.to_owned()));
    }
    if args.format != Format::Json {
        let message = "--format protobuf: not available with --via";
        return Err(Halt::Failed(message.to_owned()));
    }
    if args.state.is_some() {
        let message = "--state: not available with --via; a plugin does not store what detections learned";
        return Err(Halt::Failed(message.to_owned()));
    }
    if args.summary == SummaryForm::Prometheus {
        let message =
            "--summary prometheus: not available with --via; an agent serves the plugin's metrics itself";
        return Err(Halt::Failed(message.to_owned()));
    }
    let out = match args.output.open() {
        Ok(out) => BufWriter::new(out),
        Err(outcome) => return Ok(outcome),
    };
    let mut plugin = Plugin::start(args.via, args.plugin.as_deref(), args.config.as_deref(), out)?;
    let config = config::load_silently(args.config.as_deref());
    let (outcome, malformed) = run_files(&args.input, &config, &Interrupt::catch()?, &mut plugin)?;
    let report = plugin.report(malformed);
    print_counters(args.summary, &report, &report.json(), None, String::new);
    Ok(outcome)
}

/// Prints the counters, and a warning about them: in JSON the counters are the last line, for scripts.
fn print_counters(
    form: SummaryForm,
    table: &dyn fmt::Display,
    json: &Value,
    warning: Option<&str>,
    metrics: impl FnOnce() -> String,
) {
    let table = table.to_string();
    match (form, warning) {
        (SummaryForm::Text, None) => note_line(format_args!("\n{}", table.trim_end())),
        (SummaryForm::Text, Some(warning)) => note_line(format_args!("\n{}\n\n{warning}", table.trim_end())),
        (SummaryForm::Json, None) => note_line(format_args!("{json}")),
        (SummaryForm::Json, Some(warning)) => note_line(format_args!("{warning}\n{json}")),
        (SummaryForm::Prometheus, _) => note_line(format_args!("{}", metrics().trim_end())),
    }
}

/// The engine in this process.
struct Engine<W: Write> {
    session: Session,
    output: Output<W>,
}

impl<W: Write> Engine<W> {
    /// Runs a step of the session and writes its emissions; returns the first error.
    fn step(
        &mut self,
        step: impl FnOnce(&mut Session, &mut dyn FnMut(Emission<'_>)),
        mut before: impl FnMut(&Emission<'_>, &mut Output<W>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Self { session, output } = self;
        let mut written = Ok(());
        step(session, &mut |emission| {
            let result = before(&emission, output).and_then(|()| output.emit(emission));
            if written.is_ok() {
                written = result;
            }
        });
        written
    }
}

impl<W: Write> Sink for Engine<W> {
    fn record(&mut self, piece: &Piece<'_>, now: Time) -> Result<Recognition, Halt> {
        let mut recognition = Recognition::WellFormed;
        self.step(
            |session, on| session.record(Record::json(piece.bytes), now, on),
            |emission, output| {
                match emission {
                    Emission::Entry(entry) | Emission::Grouped(entry) => {
                        if let Some(fault) = Fault::of(entry) {
                            recognition = Recognition::Malformed(fault);
                        }
                    }
                    Emission::Passed => {
                        recognition = Recognition::Unknown;
                        return output.passed(piece.bytes);
                    }
                    Emission::Dropped(Reason::Unrecognised) => recognition = Recognition::Unknown,
                    _ => {}
                }
                Ok(())
            },
        )?;
        self.step(|session, on| session.due(now, on), |_, _| Ok(()))?;
        Ok(recognition)
    }

    fn flush(&mut self) -> Result<(), Halt> {
        Ok(self.output.flush()?)
    }

    fn finish(&mut self, now: Time) -> Result<Outcome, Halt> {
        self.step(|session, on| session.finish(now, on), |_, _| Ok(()))?;
        self.output.flush()?;
        Ok(Outcome::Done)
    }
}
