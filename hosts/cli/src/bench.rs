//! `kaudit-filter bench`: what the filter costs, on the operator's own records and with the operator's own filters.

mod clauses;
mod corpus;
mod door;
mod engine;
mod page;
mod report;

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use kaudit_bench::Encoding;
use kaudit_bench::records::Profile;
use kaudit_bench::rounds::{Series, turns};
use kaudit_filter::config::Config;

use crate::run::{Halt, report_halt};
use crate::via::Via;
use crate::{Outcome, config};
use corpus::Corpus;
use door::{Door, Plugin};
use engine::Engine;
use report::{Detail, Measured, Report, Through};

/// Measures what the filter costs, on your records with your filters, or on generated ones
///
/// Records are read into memory first, and arrive as an agent hands them on: in chunks, those of one second of their own
/// time together. Then the engine and the plugins take turns, round after round, each round with a new filter that was
/// warmed up; `copy`, the bytes copied and nothing more, is the floor that all are held against. Times are those of one
/// processor at work, not of a clock, so that other programs disturb less; they are medians, with the quartiles beside
/// them.
///
/// It also takes each record by itself, which gives percentiles and the price of each verdict; and it looks at every
/// integration and pattern: what it claims, what a search for it costs, in how many findings it occurs, and how many
/// would fare otherwise without it. So a pattern that is dear, never found or without effect is seen.
///
/// With --compare, two configurations take turns in one run, and the difference is told with an interval of 95 %
/// confidence: it is beyond the noise where the interval does not hold 0.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The configuration: a ConfigMap, a list of integrations, or the filter's own document
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Another configuration, to be measured beside the first
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,

    /// What filters: engine, fluent-bit, vector, wasm, several of them with commas, or all that are there
    #[arg(long, value_name = "DOORS", default_value = "engine", value_parser = Doors::parse)]
    via: Doors,

    /// Make so many records instead of reading files
    #[arg(long, value_name = "COUNT", conflicts_with = "files", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    generate: Option<u32>,

    /// Which records to make
    #[arg(long, value_enum, default_value_t = ProfileArg::Mixed, requires = "generate")]
    profile: ProfileArg,

    /// Of how many entities generated records are
    #[arg(long, value_name = "COUNT", default_value = "1000", requires = "generate", value_parser = clap::value_parser!(u64).range(1..))]
    entities: u64,

    /// What generated records depend on besides: the same seed, the same records
    #[arg(long, value_name = "NUMBER", default_value = "1", requires = "generate")]
    seed: u64,

    /// How many rounds; a difference is judged from six on
    #[arg(long, value_name = "COUNT", default_value = "11", value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,

    /// The load to reckon processors for, such as 50000/s
    #[arg(long, value_name = "RECORDS/s", default_value = "50000/s", value_parser = load)]
    load: f64,

    /// Write everything as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write a page with plots: one file of HTML, without scripts
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Files of records, gzipped or not; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present = "generate")]
    files: Vec<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  What do my filters cost on yesterday's findings, and what would 20,000 a second need?
    kaudit-filter bench --config kaudit.yaml --load 20000/s --report bench.html findings.ndjson.gz

  Is the new pattern dearer than the old one?
    kaudit-filter bench --config old.yaml --compare new.yaml findings.ndjson.gz

  What does each door cost, on generated records?
    kaudit-filter bench --via all --generate 200000

Exit codes:
  0  done; with --via all, what is absent is named
  1  a configuration has errors
  2  wrong usage, or something could not be read, started or written";

#[derive(Clone, Copy, ValueEnum)]
enum ProfileArg {
    /// Detections
    Detections,
    /// Selections
    Selections,
    /// Raw audit entries
    Activity,
    /// Of a hundred, 5 detections, 35 selections and 60 audit entries
    Mixed,
}

impl ProfileArg {
    fn profile(self) -> Profile {
        match self {
            Self::Detections => Profile::Detections,
            Self::Selections => Profile::Selections,
            Self::Activity => Profile::Activity,
            Self::Mixed => Profile::Mixed,
        }
    }
}

/// What `--via` names.
#[derive(Clone)]
struct Doors {
    vias: Vec<Via>,
    /// Whether one that is absent is no mistake.
    all: bool,
}

impl Doors {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self { vias: Via::value_variants().to_vec(), all: true });
        }
        let vias = text
            .split(',')
            .map(|word| Via::from_str(word, false).map_err(|_| format!("unknown door `{word}`")));
        Ok(Self { vias: vias.collect::<Result<_, _>>()?, all: false })
    }
}

fn load(text: &str) -> Result<f64, &'static str> {
    let number = text.strip_suffix("/s").unwrap_or(text).parse().ok();
    number
        .filter(|load: &f64| load.is_finite() && *load > 0.0)
        .ok_or("expected records a second, such as `50000/s`")
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
        None => Corpus::read(&args.files)?,
    };
    let bench = Bench { args, corpus: &corpus, progress: progress() };
    let report = bench.report(&files, &configs)?;
    bench.progress.finish_and_clear();
    print!("{report}");
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&report).map_err(io::Error::from)?;
        write(file, &(text + "\n"))?;
    }
    if let Some(file) = &args.report {
        write(file, &page::page(&report))?;
    }
    Ok(Outcome::Done)
}

fn write(file: &Path, text: &str) -> Result<(), Halt> {
    fs::write(file, text).map_err(|error| Halt::Failed(format!("{}: cannot write: {error}", file.display())))
}

fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// What all measurements of a run share.
struct Bench<'a> {
    args: &'a Args,
    corpus: &'a Corpus,
    progress: ProgressBar,
}

/// A door of one of the configurations, and what its rounds told.
struct Turn<'a> {
    config: usize,
    name: &'static str,
    door: Box<dyn Door + 'a>,
    ns: Series,
    left: u64,
    resident_kb: Option<u64>,
}

impl<'a> Bench<'a> {
    fn report(&self, files: &[Option<&Path>], configs: &'a [Config]) -> Result<Report, Halt> {
        let (mut doors, absent) = self.doors(files, configs)?;
        let copy = self.rounds(&mut doors)?;
        let mut measured = Vec::new();
        for (index, (file, config)) in files.iter().zip(configs).enumerate() {
            let own = doors.iter().filter(|turn| turn.config == index);
            let through = own.map(|turn| Through::new(turn.name, &turn.ns, turn.left, turn.resident_kb));
            let through = through.collect();
            measured.push(self.configuration(*file, config, through)?);
        }
        let series = |index: usize| doors.iter().filter(move |turn| turn.config == index);
        let pairs = series(0).zip(series(1)).map(|(first, second)| (first.name, &first.ns, &second.ns));
        Ok(Report::new(self.corpus, self.args.load, &copy, measured, pairs, absent))
    }

    /// Opens every door for every configuration; those that are absent come with the reason.
    fn doors(
        &self,
        files: &[Option<&Path>],
        configs: &'a [Config],
    ) -> Result<(Vec<Turn<'a>>, Vec<String>), Halt> {
        let (mut doors, mut absent) = (Vec::new(), Vec::new());
        for (index, (file, config)) in files.iter().zip(configs).enumerate() {
            let turn = |name, door| Turn {
                config: index,
                name,
                door,
                ns: Series::default(),
                left: 0,
                resident_kb: None,
            };
            for via in &self.args.via.vias {
                if *via == Via::Engine {
                    for (name, encoding) in ENCODINGS {
                        let engine = Engine { config, corpus: self.corpus, encoding };
                        doors.push(turn(name, Box::new(engine) as Box<dyn Door>));
                    }
                    continue;
                }
                match Plugin::start(*via, *file, self.corpus) {
                    Ok(plugin) => doors.push(turn(via.name(), Box::new(plugin))),
                    Err(Halt::Failed(reason)) if self.args.via.all => {
                        if index == 0 {
                            absent.push(reason);
                        }
                    }
                    Err(halt) => return Err(halt),
                }
            }
        }
        Ok((doors, absent))
    }

    /// Lets the floor and every door take turns.
    fn rounds(&self, doors: &mut [Turn<'_>]) -> Result<Series, Halt> {
        let mut copy = Series::default();
        let rounds = usize::from(self.args.rounds);
        self.progress.set_length((doors.len() * (rounds + 1)) as u64);
        // The first round is for caches, and does not count.
        for round in 0..=rounds {
            let floor = engine::copy(self.corpus);
            if round > 0 {
                copy.push(floor);
            }
            for turn in turns(round, doors.len()) {
                let turn = &mut doors[turn];
                self.progress.set_message(turn.name);
                let told = turn.door.round()?;
                if round > 0 {
                    turn.ns.push(told.ns);
                }
                turn.left = told.left;
                turn.resident_kb = turn.resident_kb.max(told.resident_kb);
                self.progress.inc(1);
            }
        }
        Ok(copy)
    }

    /// What is looked at without turns: records one by one, integrations and patterns.
    fn configuration(
        &self,
        file: Option<&Path>,
        config: &Config,
        through: Vec<Through>,
    ) -> Result<Measured, Halt> {
        self.progress.set_message("records one by one");
        let mut details = Vec::new();
        let mut claims = Vec::new();
        for (name, encoding) in ENCODINGS {
            let singles = engine::singles(config, self.corpus, encoding)?;
            details.push(Detail::new(name, &singles));
            claims = clauses::integrations(config, self.corpus, &singles)?;
        }
        self.progress.set_message("patterns");
        let (patterns, beyond) = clauses::patterns(config, self.corpus)?;
        let name = file.map_or_else(|| "no configuration".to_owned(), |file| file.display().to_string());
        Ok(Measured { name, through, details, integrations: claims, patterns, patterns_beyond: beyond })
    }
}

/// The engine's two encodings, as doors.
const ENCODINGS: [(&str, Encoding); 2] =
    [("engine, JSON", Encoding::Json), ("engine, MessagePack", Encoding::MsgPack)];
