//! `kaudit-filter run`: records in, entries out, the accounting at the end.

use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use kaudit_filter::config::Shape;
use kaudit_filter::record::Json;
use kaudit_filter::{Filter, Time, Verdict, time_of};
use serde_json::Value;

use crate::input::{self, Records};
use crate::output::Output;
use crate::report::Account;
use crate::via::{self, Via};
use crate::{Outcome, clock, config, say};

/// Runs the filter over files and writes the entries that Coralogix would receive
///
/// Reads records from the files, or from standard input, and writes one entry a line (or one envelope, in shape bulk)
/// to standard output. What became of every record is written to standard error at the end: it is kept, dropped for a
/// reason, suppressed by a rate limit, or passed on untouched.
///
/// RECORDS are JSON objects: one a line, one after the other, printed over several lines, or in arrays. A finding may
/// be wrapped as container logs are, as text under log, message, msg or MESSAGE. Files may be gzipped. What is no JSON
/// is reported with its line and then treated as the configuration's `unrecognised` says.
///
/// CONFIGURATION is a kAudit ConfigMap as it stands in the cluster, the bare list of its key `audit-integration`, or
/// the filter's own document. All its mistakes are reported at once. Without one, every finding is sent.
///
/// TIME matters twice: rate limits count arrivals, and entries that are too old for Coralogix are clamped to their
/// time of arrival. Say with --now or --clock when records arrive.
///
/// A PLUGIN may filter in the engine's place: with --via, records go through the very file that an agent loads, in a
/// driver program that loads it as the agent does; both stand beside this program, where `cargo xtask dist` puts them.
/// Counts are then the plugin's own: Fluent Bit's tells them where something was dropped or suppressed. Through
/// Vector's, all records are held in memory until the input ends, and a line in shape bulk is an item of an envelope,
/// since the agent makes the envelopes. At the end Fluent Bit's clock is set on, so that what is owed leaves. Its wasm
/// filter knows no end and tells no counts: a summary leaves in the place of a later record that is dropped, or not at
/// all.
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
  2  wrong usage, or something could not be read or written";

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
    let filter = Filter::new(&config, RandomState::new().hash_one(0))
        .map_err(|error| Halt::Refused(vec![format!("kaudit-filter: {error}")]))?;
    let mut engine = Engine { filter, output: Output::new(BufWriter::new(io::stdout().lock()), shape) };
    let (outcome, malformed) = over(&args.input, &mut engine)?;
    let account = Account {
        stats: engine.filter.stats(),
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
    let mut plugin = via::start(args.via, args.plugin.as_deref(), args.config.as_deref(), out)?;
    let (outcome, _) = over(&args.input, &mut *plugin)?;
    let told = plugin.told();
    summary(args.summary, &told, &told.json());
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
    /// Hears where the next record stands.
    fn at(&mut self, _file: &str, _line: u64) {}

    /// Takes a record that arrives `now`; it is `sound` where it is JSON.
    fn record(&mut self, text: &str, sound: bool, now: Time) -> Result<(), Halt>;

    /// Hands on what is buffered: the next record has to be waited for.
    fn flush(&mut self) -> Result<(), Halt>;

    /// Writes what is still owed.
    fn finish(&mut self, now: Time) -> Result<Outcome, Halt>;
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
    filter: Filter,
    output: Output<W>,
}

impl<W: Write> Sink for Engine<W> {
    fn record(&mut self, text: &str, _: bool, now: Time) -> Result<(), Halt> {
        match self.filter.process(&mut Json::new(text), now) {
            Verdict::Kept(entry) => self.output.entry(&entry)?,
            Verdict::Passed => self.output.passed(text)?,
            Verdict::Dropped(_) | Verdict::Suppressed => {}
        }
        while let Some(entry) = self.filter.due(now) {
            self.output.entry(&entry)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Halt> {
        Ok(self.output.flush()?)
    }

    fn finish(&mut self, now: Time) -> Result<Outcome, Halt> {
        while let Some(entry) = self.filter.finish(now) {
            self.output.entry(&entry)?;
        }
        self.output.finish()?;
        Ok(Outcome::Done)
    }
}

/// A run under way.
struct Run<'a, S: ?Sized> {
    sink: &'a mut S,
    arrival: Arrival,
    progress: ProgressBar,
    malformed: u64,
    outcome: Outcome,
}

/// Runs over all files; how it ended, and how many records were malformed.
pub fn over(input: &Input, sink: &mut (impl Sink + ?Sized)) -> Result<(Outcome, u64), Halt> {
    let progress = progress(&input.files);
    let mut run = Run { sink, arrival: Arrival::new(input), progress, malformed: 0, outcome: Outcome::Done };
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
        let source = match open(file, &self.progress) {
            Ok(source) => source,
            Err(error) => {
                self.fault(Outcome::Failed, format_args!("{name}: cannot open: {error}"));
                return Ok(());
            }
        };
        let mut records = Records::new(source);
        loop {
            let piece = match records.next() {
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
            if let Some(fault) = &piece.fault {
                self.malformed(format_args!("{name}:{}: malformed record: {fault}", piece.line));
            }
            self.sink.at(&name, piece.line);
            self.sink.record(&piece.text, piece.fault.is_none(), self.arrival.of(&piece.text))?;
            if records.is_drained() {
                self.sink.flush()?;
            }
        }
    }

    /// Lets what is still owed leave.
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
    /// The time of the record before, if there was one.
    Record(Option<Time>),
    Fixed(Time),
}

impl Arrival {
    fn new(input: &Input) -> Self {
        match (input.now, input.clock) {
            (Some(now), _) => Self::Fixed(now),
            (None, Clock::Wall) => Self::Wall,
            (None, Clock::Record) => Self::Record(None),
        }
    }

    fn of(&mut self, record: &str) -> Time {
        if let Self::Record(last) = self {
            *last = time_of(record).or(*last);
        }
        self.last()
    }

    fn last(&self) -> Time {
        match *self {
            Self::Fixed(now) | Self::Record(Some(now)) => now,
            Self::Wall | Self::Record(None) => clock::wall(),
        }
    }
}

fn open(file: &Path, progress: &ProgressBar) -> io::Result<Box<dyn Read>> {
    if file != Path::new("-") {
        return input::decompressed(progress.wrap_read(File::open(file)?));
    }
    if io::stdin().is_terminal() {
        say(format_args!("reading records from the terminal; end with Ctrl-D, or name files"));
    }
    input::decompressed(io::stdin().lock())
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
