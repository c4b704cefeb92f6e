//! `kaudit-filter bench`: the cost of the filter on the operator's records, with the operator's configuration.
//!
//! This module reads the records, starts the plugins and writes the results; `kaudit_measure` measures and formats them.

mod plugin;

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use kaudit_filter::config::Config;
use kaudit_measure::records::Profile;
use kaudit_measure::{
    Corpus, Encoding, Engine, EngineDetail, Measured, Report, Target, copy, each_record, integrations, page,
    patterns,
};
use kaudit_timing::{Series, interleave};

use crate::outcome::{Halt, Outcome, report_halt};
use crate::output::{Destination, cannot_write};
use crate::terminal::{error_line, is_quiet};
use crate::via::Via;
use crate::{clock, config, input};
use plugin::Plugin;

/// Measures the cost of the filter on your records or on generated ones
///
/// Reports CPU time per record, the cores for a given load, and the cost of copying the bytes as a baseline.
///
/// Records are read into memory first. They arrive in chunks, as an agent passes them on: the records of one second of
/// their own time are a chunk. Then the engine and the plugins are measured in turn, round after round, each round with a new
/// filter that was warmed up. Times are CPU times, which other programs disturb less than elapsed time. Reported are
/// medians and quartiles.
///
/// Each record is also measured separately, for percentiles and the cost by verdict. For every integration, the findings
/// that match it are counted; for every pattern, the time of a search for it, the findings that contain it, and those
/// whose result changes without it. So patterns that are expensive, never found or without effect are visible.
///
/// With --compare, two configurations are measured in turn. The difference is reported with its interval of 95 %
/// confidence. It is significant if the interval does not contain 0.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The configuration: a ConfigMap, a list of integrations, or the filter's own document
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Compare with this configuration
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,

    /// Measure these targets: engine, fluent-bit, vector, wasm, separated by commas, or all that are installed
    #[arg(long, value_name = "TARGETS", default_value = "engine", value_parser = Targets::parse)]
    via: Targets,

    /// Generate this number of records instead of reading files
    #[arg(long, value_name = "COUNT", conflicts_with = "files", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    generate: Option<u32>,

    /// Generate records of this kind
    #[arg(long, value_enum, default_value_t = ProfileArg::Mixed, requires = "generate")]
    profile: ProfileArg,

    /// Generate records of this number of entities
    #[arg(long, value_name = "COUNT", default_value = "1000", requires = "generate", value_parser = clap::value_parser!(u64).range(1..))]
    entities: u64,

    /// Seed of the generated records: equal seeds give equal records
    #[arg(long, value_name = "NUMBER", default_value = "1", requires = "generate")]
    seed: u64,

    /// Measure this number of rounds; a comparison needs at least 6
    #[arg(long, value_name = "COUNT", default_value = "11", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,

    /// Calculate the cores for this load, such as 50000/s
    #[arg(long, value_name = "RECORDS/s", default_value = "50000/s", value_parser = load)]
    load: f64,

    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Also write the results with plots to this file, as HTML without scripts
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    #[command(flatten)]
    output: Destination,

    /// Files of records, gzipped or not; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "generate")]
    files: Vec<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  Cost of filters on yesterday's findings, and the cores for 20,000 a second:
    kaudit-filter bench -c kaudit.yaml --load 20000/s --report bench.html \\
        findings.ndjson.gz

  Compare a new pattern with the old one:
    kaudit-filter bench -c old.yaml --compare new.yaml findings.ndjson.gz

  Cost of the engine and of each plugin, on generated records:
    kaudit-filter bench --via all --generate 200000

Exit codes:
  0  done; with --via all, missing plugins are reported
  1  a configuration has errors
  2  wrong usage, or something could not be read, started or written";

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Tables
    Text,
    /// One JSON object
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileArg {
    /// Detections
    Detections,
    /// Selections
    Selections,
    /// Raw audit entries
    Activity,
    /// 5 % detections, 35 % selections, 60 % audit entries
    Mixed,
    /// Kubernetes audit events at the level Metadata, 90 % of them of machines
    AuditMetadata,
    /// Kubernetes audit events with request and response bodies, of 2 to 10 kB; 1 % have 77 kB
    AuditBodies,
}

impl ProfileArg {
    fn profile(self) -> Profile {
        match self {
            Self::Detections => Profile::Detections,
            Self::Selections => Profile::Selections,
            Self::Activity => Profile::Activity,
            Self::Mixed => Profile::Mixed,
            Self::AuditMetadata => Profile::AuditMetadata,
            Self::AuditBodies => Profile::AuditBodies,
        }
    }
}

/// The targets of `--via`.
#[derive(Clone)]
struct Targets {
    vias: Vec<Via>,
    /// Whether a missing plugin is not an error.
    all: bool,
}

impl Targets {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self { vias: Via::value_variants().to_vec(), all: true });
        }
        let vias = text.split(',').map(|word| {
            Via::from_str(word, false).map_err(|_| {
                format!("unknown target `{word}`; one of engine, fluent-bit, vector, wasm, or `all`")
            })
        });
        Ok(Self { vias: vias.collect::<Result<_, _>>()?, all: false })
    }
}

fn load(text: &str) -> Result<f64, &'static str> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse().ok();
    number
        .filter(|load: &f64| load.is_finite() && *load > 0.0)
        .ok_or("expected records per second, such as `50000/s`")
}

/// Runs the command.
pub fn run(args: &Args) -> io::Result<Outcome> {
    report_halt(measure(args))
}

fn measure(args: &Args) -> Result<Outcome, Halt> {
    let files: Vec<_> =
        std::iter::once(args.config.as_deref()).chain(args.compare.as_deref().map(Some)).collect();
    let mut configs = Vec::new();
    for file in &files {
        match config::load(*file) {
            Ok(config) => configs.push(config),
            Err(outcome) => return Ok(outcome),
        }
    }
    let corpus = match args.generate {
        Some(count) => Corpus::generate(count as usize, args.profile.profile(), args.entities, args.seed),
        None => read(&args.files)?,
    };
    let bench = Bench { args, corpus: &corpus, progress: progress() };
    let report = bench.report(&files, &configs)?;
    bench.progress.finish_and_clear();
    let text = match args.format {
        Format::Text => report.to_string(),
        Format::Json => serde_json::to_string_pretty(&report).map_err(io::Error::from)? + "\n",
    };
    let written = args.output.write(text.as_bytes())?;
    let page_written = match &args.report {
        Some(file) => fs::write(file, page(&report)).map_err(|error| cannot_write(file, &error)),
        None => Ok(()),
    };
    Ok(written.max(page_written.err().unwrap_or(Outcome::Done)))
}

/// Reads the records of files.
fn read(files: &[PathBuf]) -> Result<Corpus, Halt> {
    let names: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
    let mut corpus = Corpus::new(names.join(", "), clock::wall());
    for file in files {
        let failed = |error: &dyn std::fmt::Display| Halt::Failed(format!("{}: {error}", file.display()));
        let mut records = input::Records::new(open(file).map_err(|error| failed(&error))?);
        while let Some(piece) = records.next().map_err(|error| failed(&error))? {
            if !corpus.has_room(piece.bytes.len()) {
                let (file, line) = (file.display(), piece.line);
                error_line(format_args!(
                    "{file}:{line}: the records from here on are not measured: the limit is 1 GiB"
                ));
                return Ok(corpus);
            }
            corpus.malformed += usize::from(piece.fault.is_some());
            corpus.push(String::from_utf8_lossy(piece.bytes).replace(['\n', '\r'], " "));
        }
    }
    if corpus.records == 0 {
        return Err(Halt::Failed("no records to measure".to_owned()));
    }
    Ok(corpus)
}

fn open(file: &Path) -> io::Result<Box<dyn Read>> {
    if file == Path::new("-") {
        return input::decompressed(io::stdin().lock());
    }
    input::decompressed(File::open(file)?)
}

fn progress() -> ProgressBar {
    if is_quiet() || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The engine's two encodings, as targets.
const ENCODINGS: [(&str, Encoding); 2] =
    [("engine, JSON", Encoding::Json), ("engine, MessagePack", Encoding::MsgPack)];

/// The inputs that all measurements share.
struct Bench<'a> {
    args: &'a Args,
    corpus: &'a Corpus,
    progress: ProgressBar,
}

/// A target with one of the configurations.
struct Turn<'a> {
    /// The index of the configuration.
    config: usize,
    name: &'static str,
    runner: Runner<'a>,
    emitted: u64,
    resident_kb: Option<u64>,
}

enum Runner<'a> {
    Engine(Engine<'a>),
    Plugin(Box<Plugin>),
}

impl Turn<'_> {
    /// Measures a round. Returns the CPU time per record, nanoseconds.
    fn round(&mut self) -> Result<f64, Halt> {
        match &mut self.runner {
            Runner::Engine(engine) => {
                let (ns, emitted) = engine.round()?;
                self.emitted = emitted;
                Ok(ns)
            }
            Runner::Plugin(plugin) => {
                let round = plugin.round()?;
                self.emitted = round.emitted;
                self.resident_kb = self.resident_kb.max(Some(round.resident_kb));
                Ok(round.ns)
            }
        }
    }
}

impl<'a> Bench<'a> {
    fn report(&self, files: &[Option<&Path>], configs: &'a [Config]) -> Result<Report, Halt> {
        let (mut turns, absent) = self.turns(files, configs)?;
        let (copied, series) = self.rounds(&mut turns)?;
        let turns: Vec<_> = turns.iter().zip(&series).collect();
        let mut measured = Vec::new();
        for (index, (file, config)) in files.iter().zip(configs).enumerate() {
            let own = turns.iter().filter(|(turn, _)| turn.config == index);
            let targets =
                own.map(|(turn, ns)| Target::new(turn.name, ns, turn.emitted, turn.resident_kb)).collect();
            measured.push(self.configuration(*file, config, targets)?);
        }
        let of = |index: usize| turns.iter().filter(move |(turn, _)| turn.config == index);
        let pairs = of(0).zip(of(1)).map(|((turn, first), (_, second))| (turn.name, *first, *second));
        Ok(Report::new(self.corpus, self.args.load, &copied, measured, pairs, absent))
    }

    /// Returns every target for every configuration, and the reasons for missing ones.
    fn turns(
        &self,
        files: &[Option<&Path>],
        configs: &'a [Config],
    ) -> Result<(Vec<Turn<'a>>, Vec<String>), Halt> {
        let (mut turns, mut absent) = (Vec::new(), Vec::new());
        for (index, (file, config)) in files.iter().zip(configs).enumerate() {
            let turn = |name, runner| Turn { config: index, name, runner, emitted: 0, resident_kb: None };
            for via in &self.args.via.vias {
                if *via == Via::Engine {
                    turns.extend(ENCODINGS.map(|(name, encoding)| {
                        turn(name, Runner::Engine(Engine { config, corpus: self.corpus, encoding }))
                    }));
                    continue;
                }
                match Plugin::start(*via, *file, self.corpus) {
                    Ok(plugin) => turns.push(turn(via.name(), Runner::Plugin(Box::new(plugin)))),
                    Err(Halt::Failed(reason)) if self.args.via.all => {
                        if index == 0 {
                            absent.push(reason);
                        }
                    }
                    Err(halt) => return Err(halt),
                }
            }
        }
        Ok((turns, absent))
    }

    /// Measures copying and every target in turn.
    fn rounds(&self, turns: &mut [Turn<'_>]) -> Result<(Series, Vec<Series>), Halt> {
        let rounds = usize::from(self.args.rounds);
        self.progress.set_length(((turns.len() + 1) * (rounds + 1)) as u64);
        let mut series = interleave(rounds, turns.len() + 1, |target| {
            let ns = match target.checked_sub(1) {
                None => copy(self.corpus),
                Some(turn) => {
                    self.progress.set_message(turns[turn].name);
                    turns[turn].round()?
                }
            };
            self.progress.inc(1);
            Ok::<_, Halt>(ns)
        })?;
        let copied = series.remove(0);
        Ok((copied, series))
    }

    /// Measures what needs no comparison: each record separately, integrations and patterns.
    fn configuration(
        &self,
        file: Option<&Path>,
        config: &Config,
        targets: Vec<Target>,
    ) -> Result<Measured, Halt> {
        self.progress.set_message("records separately");
        let mut details = Vec::new();
        let mut matched = Vec::new();
        for (name, encoding) in ENCODINGS {
            let costs = each_record(Engine { config, corpus: self.corpus, encoding })?;
            details.push(EngineDetail::new(name, &costs));
            matched = integrations(config, self.corpus, &costs)?;
        }
        self.progress.set_message("patterns");
        let (patterns, patterns_beyond) = patterns(config, self.corpus)?;
        let name = file.map_or_else(|| "no configuration".to_owned(), |file| file.display().to_string());
        Ok(Measured { name, through: targets, details, integrations: matched, patterns, patterns_beyond })
    }
}
