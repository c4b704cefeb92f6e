//! `kaudit-filter run`: records in, entries out, the accounting at the end.

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
use crate::report::Account;
use crate::via::{Plugin, Via};
use crate::{Outcome, clock, config, say};

/// Runs the filter over files and writes the entries that Coralogix would receive
///
/// Reads records from the files, or from standard input, and writes one entry a line (or one envelope, in shape bulk)
/// to standard output. What became of every record is written to standard error at the end: it is kept, dropped for a
/// reason, suppressed by a rate limit, or passed on untouched.
///
/// RECORDS are JSON objects: one a line, one after the other, printed over several lines, or in arrays. A finding may
/// be wrapped in a log record, as an object, a list or text under the keys of the configuration's `look-in`, or follow
/// a logger's prefix. Files may be gzipped. A record that is no JSON object and contains no finding is reported with
/// its line and then treated as the configuration's `unrecognised` says.
///
/// CONFIGURATION is a kAudit ConfigMap as it stands in the cluster, the bare list of its key `audit-integration`, or
/// the filter's own document. All its mistakes are reported at once. Without one, every finding is sent.
///
/// TIME matters twice: rate limits count arrivals, and entries that are too old for Coralogix are clamped to their
/// time of arrival. Say with --now or --clock when records arrive.
///
/// A PLUGIN may filter in the engine's place: with --via, records go through the very file that an agent loads, in a
/// driver program that loads it as the agent does; both stand beside this program, where `cargo xtask dist` puts them.
/// Counts are then the plugin's own; Fluent Bit's reports them only for intervals in which a record was dropped or
/// suppressed. Through Vector's module, a line in shape bulk is an item of an envelope, since the agent makes the
/// envelopes. At the end of the input, Fluent Bit's clock is advanced by a day, so that pending summaries and reports
/// are written. Its wasm filter has no end and reports no counts: a summary is written in place of a later record that
/// is dropped, or not at all.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The configuration: a ConfigMap, a list of integrations, or the filter's own document
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The endpoint's shape, instead of the configuration's coralogix.shape
    #[arg(long, value_enum)]
    shape: Option<ShapeArg>,

    /// What filters: the engine in this program, or an agent's plugin
    #[arg(long, value_enum, default_value_t = Via::Engine)]
    via: Via,

    /// The plugin's file, instead of the one beside this program
    #[arg(long, value_name = "FILE")]
    plugin: Option<PathBuf>,

    /// How the accounting is written to standard error
    #[arg(long, value_enum, default_value_t = SummaryForm::Table)]
    summary: SummaryForm,

    #[command(flatten)]
    input: Input,
}

/// Where records come from, and when they arrive.
#[derive(clap::Args)]
pub struct Input {
    /// Let every record arrive at this time: RFC 3339, or milliseconds since 1970
    #[arg(long, value_name = "TIME", value_parser = clock::parse, conflicts_with = "clock", allow_negative_numbers = true)]
    now: Option<Time>,

    /// When records arrive
    #[arg(long, value_enum, default_value_t = Clock::Wall)]
    clock: Clock,

    /// Files of records, gzipped or not; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  See what a cluster's integrations let through, as of the day of the findings:
    kubectl -n alcide-kaudit get configmap kaudit-integration-prod -o yaml > integration.yaml
    kaudit-filter run --config integration.yaml --clock record findings.ndjson.gz

  Watch live, as an agent would:
    kubectl logs -f deploy/kaudit | kaudit-filter run --config kaudit.yaml

  Count only, for a script:
    kaudit-filter run -c kaudit.yaml --summary json findings.ndjson 2>&1 >/dev/null | tail -n 1

Exit codes:
  0  done
  1  the input or the configuration has errors; what could be read was processed
  2  wrong usage, or something could not be read or written
  130, 143  ended by Ctrl-C or SIGTERM, after pending summaries and the account";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// When they are read
    Wall,
    /// At their own time; one without a time, with the record before it
    Record,
}

#[derive(Clone, Copy, ValueEnum)]
enum ShapeArg {
    /// One entry a line, for /logs/v1/singles
    Singles,
    /// Envelopes below 2 MB, for /logs/v1/bulk
    Bulk,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SummaryForm {
    /// For people
    Table,
    /// One line, for programs
    Json,
}

/// How many malformed records are reported one by one; the rest are counted.
const MAX_REPORTED: u64 = 10;

/// Files that are larger together take long enough for a progress bar.
const LONG: u64 = 32 << 20;

/// Runs the command. An error is one of writing the entries.
pub fn run(args: &Args) -> io::Result<Outcome> {
    ended(if args.via == Via::Engine { by_engine(args) } else { by_plugin(args) })
}

/// Says why a run ended early, if it did.
pub fn ended(ended: Result<Outcome, Halt>) -> io::Result<Outcome> {
    match ended {
        Ok(outcome) => Ok(outcome),
        Err(Halt::Write(error)) => Err(error),
        Err(Halt::Failed(message)) => {
            say(format_args!("kaudit-filter: {message}"));
            Ok(Outcome::Failed)
        }
        Err(Halt::Refused(mistakes)) => {
            for line in &mistakes {
                say(format_args!("{line}"));
            }
            Ok(Outcome::Mistakes)
        }
    }
}

fn by_engine(args: &Args) -> Result<Outcome, Halt> {
    if args.plugin.is_some() {
        return Err(Halt::Failed(
            "--plugin: the engine loads none; say --via fluent-bit or vector".to_owned(),
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
    let (outcome, malformed) = over(&args.input, &config, &Interrupt::catch()?, &mut engine)?;
    let account = Account {
        stats: engine.session.stats(),
        entries: engine.output.entries,
        envelopes: (shape == Shape::Bulk).then_some(engine.output.envelopes),
        malformed,
    };
    summary(args.summary, &account, &account.json());
    Ok(outcome)
}

fn by_plugin(args: &Args) -> Result<Outcome, Halt> {
    if args.shape.is_some() {
        let message =
            "--shape: the plugin reads it in the configuration; write it there, as `coralogix.shape`";
        return Err(Halt::Failed(message.to_owned()));
    }
    let out = BufWriter::new(io::stdout().lock());
    let mut plugin = Plugin::start(args.via, args.plugin.as_deref(), args.config.as_deref(), out)?;
    // A signal ends the driver program as well.
    let config = config::known(args.config.as_deref());
    let (outcome, malformed) = over(&args.input, &config, &Interrupt::default(), &mut plugin)?;
    let report = plugin.report(malformed);
    summary(args.summary, &report, &report.json());
    Ok(outcome)
}

fn summary(form: SummaryForm, table: &dyn fmt::Display, json: &Value) {
    match form {
        SummaryForm::Table => say(format_args!("\n{}", table.to_string().trim_end())),
        SummaryForm::Json => say(format_args!("{json}")),
    }
}

/// What takes records and writes entries.
pub trait Sink {
    /// Sets the position of the next record.
    fn at(&mut self, _file: &str, _line: u64) {}

    /// Takes a record that arrives `now`.
    fn record(&mut self, piece: &Piece<'_>, now: Time) -> Result<Recognition, Halt>;

    /// Hands on what is buffered: the next record has to be waited for.
    fn flush(&mut self) -> Result<(), Halt>;

    /// Writes what is still owed.
    fn finish(&mut self, now: Time) -> Result<Outcome, Halt>;
}

/// Whether a record is malformed, by the engine's verdict.
pub enum Recognition {
    /// It is not.
    Sound,
    /// It is, with this error.
    Malformed(Fault),
    /// The sink does not report it.
    Unknown,
}

/// Why a record is malformed.
pub enum Fault {
    /// It is not an object, and contains no finding.
    NotAnObject,
    /// It, or the finding in it, breaks off or has a syntax error.
    Syntax(String),
}

impl Fault {
    /// The fault that an entry is marked with.
    fn of(entry: &Entry<'_>) -> Option<Self> {
        let mut events = entry.marks().events.iter();
        let mut value = |wanted: &str| {
            events.by_ref().find(|event| matches!(event, Event::Key(key) if key == wanted))?;
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

/// Finds the faults of records whose verdict does not contain them: dropped and passed ones, and those of a plugin.
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

/// Why a run ends early.
#[derive(Debug)]
pub enum Halt {
    /// Entries cannot be written.
    Write(io::Error),
    /// What should filter fails, or is not there.
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
    /// Runs a step of the session, and writes what it emits; the first error ends it.
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
        let mut recognition = Recognition::Sound;
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

/// A run under way.
struct Run<'a, S: ?Sized> {
    sink: &'a mut S,
    arrival: Arrival,
    faults: Faults,
    interrupt: &'a Interrupt,
    progress: ProgressBar,
    malformed: u64,
    outcome: Outcome,
}

/// Filters all files, until a signal arrives. Returns the outcome, and how many records were malformed.
pub fn over(
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
        run.file(file)?;
    }
    run.finish()?;
    Ok((run.outcome, run.malformed))
}

impl<S: Sink + ?Sized> Run<'_, S> {
    /// Runs over one file. One that cannot be read is reported, and the others are run over all the same.
    fn file(&mut self, file: &Path) -> Result<(), Halt> {
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
                // A record that is not complete is not filtered.
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
                Recognition::Sound => None,
                Recognition::Malformed(fault) => Some(fault),
                Recognition::Unknown => self.faults.of(record, now),
            };
            if let Some(fault) = fault {
                let message = match (&piece.fault, fault) {
                    // The finding in a line of text is.
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
        let ended = self.sink.finish(self.arrival.last())?;
        self.outcome = self.outcome.max(ended);
        self.progress.finish_and_clear();
        if let Some(more @ 1..) = self.malformed.checked_sub(MAX_REPORTED) {
            say(format_args!("and {more} more malformed records"));
        }
        Ok(())
    }

    /// Counts a malformed record, and reports it unless there have been many.
    fn malformed(&mut self, line: std::fmt::Arguments<'_>) {
        self.malformed += 1;
        self.outcome = self.outcome.max(Outcome::Mistakes);
        if self.malformed <= MAX_REPORTED {
            self.fault(Outcome::Mistakes, line);
        }
    }

    fn fault(&mut self, outcome: Outcome, line: std::fmt::Arguments<'_>) {
        self.outcome = self.outcome.max(outcome);
        self.progress.suspend(|| say(line));
    }
}

/// When records arrive.
enum Arrival {
    Wall,
    /// At the time of their finding, or else with the record before.
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
        say(format_args!("reading records from the terminal; end with Ctrl-D, or name files"));
    }
    input::decompressed(interrupt.stdin())
}

/// A bar over the bytes of all files, where somebody watches and it is worth it.
fn progress(files: &[PathBuf]) -> ProgressBar {
    let sizes = files.iter().map(|file| file.metadata().map_or(0, |file| file.len()));
    let total: u64 = sizes.sum();
    if total < LONG || !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bytes} of {total_bytes} {wide_bar} {bytes_per_sec}, {eta} left");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
