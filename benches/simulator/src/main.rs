//! Writes simulated events, and measures detections on them.

#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use kaudit_simulator::quality::{
    Ewma, FilterMethod, FilterUse, Method, NewTerms, Report, Setting, Thresholds, measure, sweep,
};
use kaudit_simulator::{Attacks, Plan, Seed, Simulation, Size, TestSeed, TuningSeed, json};

/// Simulates the audit events of clusters, and measures detections on them.
#[derive(Parser)]
#[command(name = "kaudit-simulator")]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes the events of each cluster to CLUSTER.ndjson in a folder, and the labels to labels.ndjson.
    Generate(Generate),
    /// Measures the baselines, and with --config the filter, and prints the table.
    Quality(Quality),
    /// Measures the baselines with several thresholds on tuning seeds.
    Sweep(Runs),
}

#[derive(Args)]
struct Generate {
    /// The folder, which is created.
    folder: PathBuf,
    /// The seed: 0 to 9999 for tuning, 10000 to 19999 for tests.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// The number of clusters.
    #[arg(long, default_value_t = 1)]
    clusters: u32,
    /// The number of days.
    #[arg(long, default_value_t = 7)]
    days: u32,
    /// Attacks on each day and cluster, at most 3; 0 for none.
    #[arg(long, default_value_t = 0)]
    attacks: u32,
    /// The first day with attacks.
    #[arg(long, default_value_t = 0)]
    attacks_from: u32,
    #[command(flatten)]
    size: SizeArgs,
}

#[derive(Args, Clone, Copy)]
struct SizeArgs {
    /// Nodes of each cluster.
    #[arg(long, default_value_t = Size::default().nodes)]
    nodes: u32,
    /// People who use each cluster.
    #[arg(long, default_value_t = Size::default().people)]
    people: u32,
    /// Namespaces with applications.
    #[arg(long, default_value_t = Size::default().namespaces)]
    namespaces: u32,
}

impl SizeArgs {
    fn size(self) -> Size {
        Size { nodes: self.nodes, people: self.people, namespaces: self.namespaces }
    }
}

#[derive(Args, Clone, Copy)]
struct Runs {
    /// The number of seeds, from the first of the set.
    #[arg(long, default_value_t = 10)]
    seeds: u32,
    /// Clusters of each seed.
    #[arg(long, default_value_t = Setting::default().clusters)]
    clusters: u32,
    /// Days for learning.
    #[arg(long, default_value_t = Setting::default().learn_days)]
    learn_days: u32,
    /// Days that are measured.
    #[arg(long, default_value_t = Setting::default().days)]
    days: u32,
    /// Attacks on each day and cluster, at most 3.
    #[arg(long, default_value_t = Setting::default().attacks_per_day)]
    attacks: u32,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    size: SizeArgs,
}

impl Runs {
    fn setting(self) -> Setting {
        Setting {
            learn_days: self.learn_days,
            days: self.days,
            clusters: self.clusters,
            size: self.size.size(),
            attacks_per_day: self.attacks,
        }
    }

    fn print(self, report: &Report) {
        if self.json {
            println!("{}", report.json());
        } else {
            print!("{}", report.text());
        }
    }
}

#[derive(Args)]
struct Quality {
    #[command(flatten)]
    runs: Runs,
    /// Uses the seeds for tuning instead of the ones for tests.
    #[arg(long)]
    tuning: bool,
    /// A configuration of the filter, whose detection findings are measured, too.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Measures the selections of the configuration's policy instead of its detections.
    #[arg(long, requires = "config")]
    selections: bool,
}

fn main() -> Result<(), String> {
    match Program::parse().command {
        Command::Generate(options) => generate(&options),
        Command::Quality(options) => quality(&options),
        Command::Sweep(runs) => {
            let seeds: Vec<TuningSeed> =
                numbers(TuningSeed::RANGE, runs.seeds).filter_map(TuningSeed::new).collect();
            runs.print(&sweep(&seeds, runs.setting()));
            Ok(())
        }
    }
}

/// Returns the first numbers of a set.
fn numbers(range: std::ops::Range<u32>, count: u32) -> impl Iterator<Item = u32> {
    range.take(count as usize)
}

fn generate(options: &Generate) -> Result<(), String> {
    let seed = Seed::of(options.seed).ok_or("no seed of a set: allowed are 0 to 19999")?;
    let attacks = Attacks { from_day: options.attacks_from, per_day: options.attacks };
    let plan = Plan {
        seed,
        days: options.days,
        size: options.size.size(),
        attacks: (options.attacks > 0).then_some(attacks),
    };
    fs::create_dir_all(&options.folder).map_err(|error| failed(&options.folder, &error))?;
    let path = options.folder.join("labels.ndjson");
    let mut labels = String::new();
    for cluster in 0..options.clusters {
        let simulation = Simulation::new(plan, cluster);
        for label in simulation.labels() {
            labels += &serde_json::to_string(label).map_err(|error| error.to_string())?;
            labels.push('\n');
        }
        let path = options.folder.join(format!("{}.ndjson", simulation.cluster()));
        write(simulation, &path).map_err(|error| failed(&path, &error))?;
    }
    fs::write(&path, labels).map_err(|error| failed(&path, &error))
}

fn write(simulation: Simulation, path: &Path) -> std::io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut line = String::new();
    for event in simulation {
        line.clear();
        json::write(&event, &mut line);
        line.push('\n');
        file.write_all(line.as_bytes())?;
    }
    file.flush()
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("`{}` cannot be written or read: {error}", path.display())
}

fn quality(options: &Quality) -> Result<(), String> {
    let range = if options.tuning { TuningSeed::RANGE } else { TestSeed::RANGE };
    let seeds: Vec<Seed> = numbers(range, options.runs.seeds).filter_map(Seed::of).collect();
    let mut methods: Vec<Box<dyn Method>> =
        vec![Box::new(Thresholds::default()), Box::new(NewTerms::default()), Box::new(Ewma::default())];
    if let Some(path) = &options.config {
        let text = fs::read_to_string(path).map_err(|error| failed(path, &error))?;
        let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        let (name, usage) = if options.selections {
            ("selections", FilterUse::Selections)
        } else {
            ("filter", FilterUse::Detections)
        };
        methods.push(Box::new(FilterMethod::new(name, &text, folder, usage)?));
    }
    let setting = options.runs.setting();
    let measurements = measure(&methods, &seeds, setting);
    options.runs.print(&Report::new(&seeds, setting, &measurements));
    Ok(())
}
