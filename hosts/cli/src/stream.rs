//! Splits files into records for a [`Sink`], with their arrival times.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use host_kit::seed;
use indicatif::{ProgressBar, ProgressStyle};
use kaudit_filter::config::{Config, Unrecognised};
use kaudit_filter::entry::Entry;
use kaudit_filter::record::{Event, Record};
use kaudit_filter::{Filter, FindingTimes, Time, Verdict};

use crate::clock;
use crate::input::{self, NOT_AN_OBJECT, Piece, Records};
use crate::interrupt::Interrupt;
use crate::outcome::{Halt, Outcome};
use crate::terminal::{error_line, is_quiet, note_line};

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

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// The current time
    Wall,
    /// The record's own time; for a record without a time, the time of the previous record
    Record,
}

/// The maximum number of malformed records that are reported.
/// Further ones are only counted.
const MAX_REPORTED: u64 = 10;

/// The total file size, in bytes, from which on a progress bar is shown.
const PROGRESS_BYTES: u64 = 32 << 20;

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
    pub fn of(entry: &Entry<'_>) -> Option<Self> {
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

pub fn filter(config: &Config) -> Result<Filter, Halt> {
    Ok(Filter::new(config, seed())?)
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

/// Calls `on` with the name, the number and the text of each line of all files, until a signal arrives.
///
/// An unreadable file is reported; the run continues with the next file.
pub fn each_line(
    input: &Input,
    interrupt: &Interrupt,
    on: &mut dyn FnMut(&str, u64, &str) -> Result<(), Halt>,
) -> Result<Outcome, Halt> {
    let mut outcome = Outcome::Done;
    for file in &input.files {
        let name = if file == Path::new("-") { "stdin".into() } else { file.to_string_lossy() };
        let read = open(file, &ProgressBar::hidden(), interrupt).map(BufReader::new);
        let lines = read.map(|read| (1..).zip(read.split(b'\n')));
        let mut failed = |error| {
            outcome = outcome.max(Outcome::Failed);
            error_line(format_args!("{name}: cannot read: {error}"));
        };
        match lines {
            Ok(lines) => {
                for (number, line) in lines {
                    if let Some(interrupted) = interrupt.outcome() {
                        return Ok(interrupted);
                    }
                    match line {
                        Ok(line) => on(&name, number, &String::from_utf8_lossy(&line))?,
                        Err(error) => {
                            failed(error);
                            break;
                        }
                    }
                }
            }
            Err(error) => failed(error),
        }
    }
    Ok(outcome)
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
            error_line(format_args!("{more} more malformed records"));
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
        self.progress.suspend(|| error_line(line));
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
    if file == Path::new("-") {
        if io::stdin().is_terminal() {
            note_line(format_args!(
                "reading records from the terminal; end the input with Ctrl-D, or pass files as arguments"
            ));
        }
        return input::decompressed(interrupt.reader(io::stdin()));
    }
    // A pipe or device may have no data for a long time, also before a writer opens it.
    if !file.metadata()?.is_file() {
        let file = file.to_owned();
        return input::decompressed(interrupt.reader_of(move || File::open(file)));
    }
    input::decompressed(progress.wrap_read(File::open(file)?))
}

/// Returns a progress bar over the bytes of all files.
/// It is hidden for small files and without a terminal.
fn progress(files: &[PathBuf]) -> ProgressBar {
    let sizes = files.iter().map(|file| file.metadata().map_or(0, |file| file.len()));
    let total: u64 = sizes.sum();
    if is_quiet() || total < PROGRESS_BYTES || !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bytes} of {total_bytes} {wide_bar} {bytes_per_sec}, {eta} left");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
