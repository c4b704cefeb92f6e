//! `kaudit-filter run`: filters files, writes entries, prints the counters.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use host_kit::{Emission, Session, seed};
use indicatif::{ProgressBar, ProgressStyle};
use kaudit_filter::config::{Config, Shape, Unrecognised};
use kaudit_filter::entry::Entry;
use kaudit_filter::record::{Event, Record};
use kaudit_filter::stats::Reason;
use kaudit_filter::{Filter, FindingTimes, Time, Verdict};
use serde_json::Value;

use crate::input::{self, NOT_AN_OBJECT, Piece, Records};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::report::RunCounters;
use crate::via::{Plugin, Via};
use crate::{Outcome, clock, config, eprintln_line};

/// Filters files of records, and writes the entries for Coralogix
///
/// Reads records from the files, or from standard input, and writes one entry per line (or one envelope, in shape bulk)
/// to standard output. At the end, the counters are written to standard error: each record is kept, dropped for a
/// reason, suppressed by a rate limit, or passed unchanged.
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
/// PLUGIN: with --via, records are filtered by the plugin file that an agent loads, instead of the engine in this
/// program. A driver program loads the plugin as the agent does; both files are in the directory of this program, where
/// `cargo xtask dist` writes them. The counters are then the plugin's own. Through Vector's module, a line in shape
/// bulk is an item of an envelope, since the agent builds the envelopes. At the end of the input, Fluent Bit's clock is
/// advanced by a day, so that pending summaries and reports are written. Fluent Bit's wasm filter has no shutdown and
/// reports no counters: a summary replaces a later record that is dropped, or is lost.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Configuration: a ConfigMap, a list of integrations, or the filter's own document [default: send every finding]
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Shape of the output [default: the configuration's coralogix.shape]
    #[arg(long, value_enum)]
    shape: Option<ShapeArg>,

    /// Run the engine in this program, or an agent's plugin
    #[arg(long, value_enum, default_value_t = Via::Engine)]
    via: Via,

    /// Plugin file [default: in the directory of this program]
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,

    /// Format of the counters on standard error
    #[arg(long, value_enum, default_value_t = SummaryForm::Table)]
    summary: SummaryForm,

    #[command(flatten)]
    input: Input,
}

/// The source of records, and their arrival times.
#[derive(clap::Args)]
pub struct Input {
    /// Set the arrival time of every record: RFC 3339, or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = clock::parse, conflicts_with = "clock", allow_negative_numbers = true)]
    now: Option<Time>,

    /// Source of the arrival times
    #[arg(long, value_enum, default_value_t = Clock::Wall)]
    clock: Clock,

    /// Files of records, gzipped or not; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  Print what the integrations of a cluster send, as of the day of the findings:
    kubectl -n alcide-kaudit get configmap kaudit-integration-prod -o yaml > integration.yaml
    kaudit-filter run --config integration.yaml --clock record findings.ndjson.gz

  Filter a live log, as an agent does:
    kubectl logs -f deploy/kaudit | kaudit-filter run --config kaudit.yaml

  Print only the counters, for a script:
    kaudit-filter run -c kaudit.yaml --summary json findings.ndjson 2>&1 >/dev/null | tail -n 1

Exit codes:
  0  done
  1  the input or the configuration has errors; the readable records were processed
  2  wrong usage, or a file could not be read or written
  130, 143  ended by Ctrl-C or SIGTERM; pending summaries and the counters were written";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// The current time
    Wall,
    /// The record's own time; for a record without a time, the time of the previous record
    Record,
}

#[derive(Clone, Copy, ValueEnum)]
enum ShapeArg {
    /// One entry per line, for /logs/v1/singles
    Singles,
    /// Envelopes below 2 MB, for /logs/v1/bulk
    Bulk,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SummaryForm {
    /// A table
    Table,
    /// One line of JSON
    Json,
}

/// The maximum number of malformed records that are reported.
/// Further ones are only counted.
const MAX_REPORTED: u64 = 10;

/// The total file size, in bytes, from which on a progress bar is shown.
const PROGRESS_BYTES: u64 = 32 << 20;

/// Runs the command.
///
/// # Errors
/// The entries cannot be written.
pub fn run(args: &Args) -> io::Result<Outcome> {
    report_halt(if args.via == Via::Engine { by_engine(args) } else { by_plugin(args) })
}

/// Reports the reason of an early end, and returns the outcome.
pub fn report_halt(result: Result<Outcome, Halt>) -> io::Result<Outcome> {
    match result {
        Ok(outcome) => Ok(outcome),
        Err(Halt::Write(error)) => Err(error),
        Err(Halt::Failed(message)) => {
            eprintln_line(format_args!("kaudit-filter: {message}"));
            Ok(Outcome::Failed)
        }
        Err(Halt::Refused(mistakes)) => {
            for line in &mistakes {
                eprintln_line(format_args!("{line}"));
            }
            Ok(Outcome::Mistakes)
        }
    }
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
        };
    }
    let shape = config.coralogix.shape;
    let session = Session::new(filter(&config)?, &config);
    let mut engine = Engine { session, output: Output::new(BufWriter::new(io::stdout().lock())) };
    let (outcome, malformed) = run_files(&args.input, &config, &Interrupt::catch()?, &mut engine)?;
    let counters = RunCounters {
        stats: engine.session.stats(),
        entries: engine.output.entries,
        envelopes: (shape == Shape::Bulk).then_some(engine.output.envelopes),
        malformed,
    };
    print_counters(args.summary, &counters, &counters.json());
    Ok(outcome)
}

fn by_plugin(args: &Args) -> Result<Outcome, Halt> {
    if args.shape.is_some() {
        let message = "--shape: not available with --via; set `coralogix.shape` in the configuration";
        return Err(Halt::Failed(message.to_owned()));
    }
    let out = BufWriter::new(io::stdout().lock());
    let mut plugin = Plugin::start(args.via, args.plugin.as_deref(), args.config.as_deref(), out)?;
    // No handler: a signal ends the driver program, too.
    let config = config::load_silently(args.config.as_deref());
    let (outcome, malformed) = run_files(&args.input, &config, &Interrupt::default(), &mut plugin)?;
    let report = plugin.report(malformed);
    print_counters(args.summary, &report, &report.json());
    Ok(outcome)
}

fn print_counters(form: SummaryForm, table: &dyn fmt::Display, json: &Value) {
    match form {
        SummaryForm::Table => eprintln_line(format_args!("\n{}", table.to_string().trim_end())),
        SummaryForm::Json => eprintln_line(format_args!("{json}")),
    }
}

/// Filters records and writes the entries: the engine, a plugin, or `explain`.
pub trait Sink {
    /// Sets the position of the next record.
    fn at(&mut self, _file: &str, _line: u64) {}

    /// Filters a record that arrives `now`.
    fn record(&mut self, piece: &Piece<'_>, now: Time) -> Result<Recognition, Halt>;

    /// Writes the buffered output; called when no further input is available.
    fn flush(&mut self) -> Result<(), Halt>;

    /// Writes all pending summaries and reports.
    fn finish(&mut self, now: Time) -> Result<Outcome, Halt>;
}

/// The result of parsing a record, as the engine reports it.
pub enum Recognition {
    /// The record is well-formed.
    WellFormed,
    /// The record is malformed.
    Malformed(Fault),
    /// The sink does not report it.
    Unknown,
}

/// Why a record is malformed.
pub enum Fault {
    /// The record is not an object, and contains no finding.
    NotAnObject,
    /// The record or the finding in it is truncated or has a syntax error.
    Syntax(String),
}

impl Fault {
    /// Returns the fault in the marks of an entry.
    fn of(entry: &Entry<'_>) -> Option<Self> {
        let mut events = entry.marks().events.iter();
        let mut value = |name: &str| {
            events.by_ref().find(|event| matches!(event, Event::Key(key) if key == name))?;
            match events.next() {
                Some(Event::Str(text)) => Some(text.clone().into_owned()),
                _ => None,
            }
        };
        match value("unrecognised")?.as_str() {
            "malformed" => Some(Self::Syntax(value("error").unwrap_or_default())),
            "not-an-object" => Some(Self::NotAnObject),
            _ => None,
        }
    }
}

/// Determines the faults of records whose verdict does not contain them.
/// Such records are dropped, passed, or filtered by a plugin.
struct Faults(Filter);

impl Faults {
    fn new(config: &Config) -> Result<Self, Halt> {
        let mut config = config.clone();
        config.unrecognised = Unrecognised::Wrap;
        config.integrations.clear();
        config.severity.clear();
        Ok(Self(filter(&config)?))
    }

    fn of(&mut self, record: Record<'_>, now: Time) -> Option<Fault> {
        let mut fault = None;
        self.0.process(record, now, |verdict| {
            if let Verdict::Kept(entry) = verdict {
                fault = fault.take().or_else(|| Fault::of(&entry));
            }
        });
        fault
    }
}

fn filter(config: &Config) -> Result<Filter, Halt> {
    Filter::new(config, seed()).map_err(|error| Halt::Refused(vec![format!("kaudit-filter: {error}")]))
}

/// The reason why a run ends early.
#[derive(Debug)]
pub enum Halt {
    /// Entries cannot be written.
    Write(io::Error),
    /// The plugin or its driver failed, or an option is invalid.
    Failed(String),
    /// The configuration has these mistakes.
    Refused(Vec<String>),
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
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

/// The state of a run.
struct Run<'a, S: ?Sized> {
    sink: &'a mut S,
    arrival: Arrival,
    faults: Faults,
    interrupt: &'a Interrupt,
    progress: ProgressBar,
    malformed: u64,
    outcome: Outcome,
}

/// Filters all files, until a signal arrives.
/// Returns the outcome and the number of malformed records.
pub fn run_files(
    input: &Input,
    config: &Config,
    interrupt: &Interrupt,
    sink: &mut (impl Sink + ?Sized),
) -> Result<(Outcome, u64), Halt> {
    let mut run = Run {
        sink,
        arrival: Arrival::new(input, config),
        faults: Faults::new(config)?,
        interrupt,
        progress: progress(&input.files),
        malformed: 0,
        outcome: Outcome::Done,
    };
    for file in &input.files {
        run.run_file(file)?;
    }
    run.finish()?;
    Ok((run.outcome, run.malformed))
}

impl<S: Sink + ?Sized> Run<'_, S> {
    /// Filters one file.
    /// An unreadable file is reported; the run continues with the next file.
    fn run_file(&mut self, file: &Path) -> Result<(), Halt> {
        let name = if file == Path::new("-") { "stdin".into() } else { file.to_string_lossy() };
        let source = match open(file, &self.progress, self.interrupt) {
            Ok(source) => source,
            Err(error) => {
                self.fault(Outcome::Failed, format_args!("{name}: cannot open: {error}"));
                return Ok(());
            }
        };
        let mut records = Records::new(source);
        loop {
            let next = records.next();
            if let Some(outcome) = self.interrupt.outcome() {
                // An incomplete record is not filtered.
                self.outcome = self.outcome.max(outcome);
                return Ok(());
            }
            let piece = match next {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(()),
                Err(error) => {
                    let outcome = if error.is_contents() { Outcome::Mistakes } else { Outcome::Failed };
                    match error.line() {
                        Some(line) => self.fault(outcome, format_args!("{name}:{line}: {error}")),
                        None => self.fault(outcome, format_args!("{name}: {error}")),
                    }
                    return Ok(());
                }
            };
            self.sink.at(&name, piece.line);
            let record = Record::json(piece.bytes);
            let now = self.arrival.of(record);
            let fault = match self.sink.record(&piece, now)? {
                Recognition::WellFormed => None,
                Recognition::Malformed(fault) => Some(fault),
                Recognition::Unknown => self.faults.of(record, now),
            };
            if let Some(fault) = fault {
                let message = match (&piece.fault, fault) {
                    // The syntax error is in the finding within a line of text.
                    (Some(text), Fault::Syntax(error)) if text == NOT_AN_OBJECT => error,
                    (Some(text), _) => text.clone(),
                    (None, Fault::Syntax(error)) => error,
                    (None, Fault::NotAnObject) => NOT_AN_OBJECT.to_owned(),
                };
                self.malformed(format_args!("{name}:{}: malformed record: {message}", piece.line));
            }
            if records.is_drained() {
                self.sink.flush()?;
            }
        }
    }

    /// Drains the sink.
    fn finish(&mut self) -> Result<(), Halt> {
        let outcome = self.sink.finish(self.arrival.last())?;
        self.outcome = self.outcome.max(outcome);
        self.progress.finish_and_clear();
        if let Some(more @ 1..) = self.malformed.checked_sub(MAX_REPORTED) {
            eprintln_line(format_args!("{more} more malformed records"));
        }
        Ok(())
    }

    /// Counts a malformed record; reports the first [`MAX_REPORTED`].
    fn malformed(&mut self, line: std::fmt::Arguments<'_>) {
        self.malformed += 1;
        self.outcome = self.outcome.max(Outcome::Mistakes);
        if self.malformed <= MAX_REPORTED {
            self.fault(Outcome::Mistakes, line);
        }
    }

    fn fault(&mut self, outcome: Outcome, line: std::fmt::Arguments<'_>) {
        self.outcome = self.outcome.max(outcome);
        self.progress.suspend(|| eprintln_line(line));
    }
}

/// The source of arrival times.
enum Arrival {
    Wall,
    /// The time of the record's finding, or the last known time.
    Record(Box<FindingTimes>, Option<Time>),
    Fixed(Time),
}

impl Arrival {
    fn new(input: &Input, config: &Config) -> Self {
        match (input.now, input.clock) {
            (Some(now), _) => Self::Fixed(now),
            (None, Clock::Wall) => Self::Wall,
            (None, Clock::Record) => Self::Record(Box::new(FindingTimes::new(config)), None),
        }
    }

    fn of(&mut self, record: Record<'_>) -> Time {
        if let Self::Record(times, last) = self {
            *last = times.first(record).or(*last);
        }
        self.last()
    }

    fn last(&self) -> Time {
        match *self {
            Self::Fixed(now) | Self::Record(_, Some(now)) => now,
            Self::Wall | Self::Record(_, None) => clock::wall(),
        }
    }
}

fn open(file: &Path, progress: &ProgressBar, interrupt: &Interrupt) -> io::Result<Box<dyn Read>> {
    if file != Path::new("-") {
        return input::decompressed(progress.wrap_read(File::open(file)?));
    }
    if io::stdin().is_terminal() {
        eprintln_line(format_args!(
            "reading records from the terminal; end the input with Ctrl-D, or pass files as arguments"
        ));
    }
    input::decompressed(interrupt.stdin())
}

/// Returns a progress bar over the bytes of all files.
/// It is hidden for small files and without a terminal.
fn progress(files: &[PathBuf]) -> ProgressBar {
    let sizes = files.iter().map(|file| file.metadata().map_or(0, |file| file.len()));
    let total: u64 = sizes.sum();
    if total < PROGRESS_BYTES || !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bytes} of {total_bytes} {wide_bar} {bytes_per_sec}, {eta} left");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
