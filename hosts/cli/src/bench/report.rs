//! What a bench found: the numbers as JSON, and the table.

use std::collections::BTreeMap;
use std::fmt::{self, Display as _};
use std::fs;

use kaudit_bench::rounds::{Difference, Series, quantile};
use serde::Serialize;

use super::clauses::{Claimer, Clause};
use super::corpus::Corpus;
use super::engine::{Fate, Single};

/// Everything; times are nanoseconds of one processor for a record.
#[derive(Debug, Serialize)]
pub struct Report {
    /// This program's version.
    pub version: &'static str,
    /// The machine.
    pub machine: String,
    /// Where the records are from.
    pub source: String,
    /// How many there are.
    pub records: usize,
    /// Of these, how many are not JSON objects.
    pub malformed: usize,
    /// Their length as JSON.
    pub bytes: usize,
    /// Records a second that processors are reckoned for.
    pub load: f64,
    /// Copying the records' JSON.
    pub copy: Spread,
    /// The configuration, and the one it is compared with.
    pub configurations: Vec<Measured>,
    /// By how much the second differs from the first, door by door.
    pub differences: Vec<Compared>,
    /// What was to be measured and is not there, with the reason.
    pub absent: Vec<String>,
}

/// One configuration.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// Its file.
    pub name: String,
    /// By door.
    pub through: Vec<Through>,
    /// The engine in detail, by encoding.
    pub details: Vec<Detail>,
    /// By integration; their times are of the last encoding.
    pub integrations: Vec<Claimer>,
    /// By pattern, the dearest first.
    pub patterns: Vec<Clause>,
    /// Patterns beyond those that were looked at.
    pub patterns_beyond: usize,
}

/// A median, and how the rounds spread around it.
#[derive(Debug, Serialize)]
pub struct Spread {
    /// The median.
    pub ns: f64,
    /// A quarter of the rounds took less.
    pub lower_quartile: f64,
    /// A quarter took more.
    pub upper_quartile: f64,
    /// All, in their order.
    pub rounds: Vec<f64>,
}

impl Spread {
    fn of(series: &Series) -> Self {
        Self {
            ns: series.median(),
            lower_quartile: series.quantile(0.25),
            upper_quartile: series.quantile(0.75),
            rounds: series.rounds().to_vec(),
        }
    }
}

/// A door.
#[derive(Debug, Serialize)]
pub struct Through {
    /// Its name.
    pub name: &'static str,
    /// What a record costs.
    #[serde(flatten)]
    pub spread: Spread,
    /// Records a second on one processor.
    pub records_per_second: f64,
    /// Their JSON, in millions of bytes a second on one processor.
    pub megabytes_per_second: f64,
    /// How many times what copying costs.
    pub times_copy: f64,
    /// Processors at work for the load.
    pub processors: f64,
    /// What left: entries, the filter's own among them, and records that passed.
    pub left: u64,
    /// The growth of the resident memory of a plugin's process, at most; `None` for the engine.
    pub resident_kb: Option<u64>,
}

impl Through {
    /// A door's rounds.
    pub fn new(name: &'static str, ns: &Series, left: u64, resident_kb: Option<u64>) -> Self {
        let spread = Spread::of(ns);
        let records_per_second = 1e9 / spread.ns;
        Self {
            name,
            spread,
            records_per_second,
            megabytes_per_second: 0.0,
            times_copy: 0.0,
            processors: 0.0,
            left,
            resident_kb,
        }
    }

    /// Returns the growth of the process's resident memory as text; empty for the engine.
    pub fn memory(&self) -> String {
        let size = |kb| bytes(usize::try_from(kb).unwrap_or(usize::MAX).saturating_mul(1000));
        self.resident_kb.map_or_else(String::new, size)
    }
}

/// The engine in detail.
#[derive(Debug, Serialize)]
pub struct Detail {
    /// Its name.
    pub name: &'static str,
    /// What single records took: the share of them that took less, and how much.
    pub percentiles: Vec<(f64, f64)>,
    /// By verdict.
    pub verdicts: Vec<VerdictCost>,
}

/// The records of one verdict.
#[derive(Debug, Serialize)]
pub struct VerdictCost {
    /// The verdict, with the reason of a drop.
    pub verdict: String,
    /// How many records.
    pub records: usize,
    /// The median of what they took.
    pub ns: f64,
    /// Their share of the time of all.
    pub share: f64,
}

/// The percentiles that are told.
const PERCENTILES: [f64; 6] = [0.1, 0.5, 0.9, 0.99, 0.999, 1.0];

impl Detail {
    /// Of records one by one.
    pub fn new(name: &'static str, singles: &[Single]) -> Self {
        let sorted = |singles: &mut dyn Iterator<Item = &Single>| {
            let mut ns: Vec<f64> = singles.map(|single| single.ns).collect();
            ns.sort_by(f64::total_cmp);
            ns
        };
        let all = sorted(&mut singles.iter());
        let total: f64 = all.iter().sum();
        let mut fates: BTreeMap<Fate, usize> = BTreeMap::new();
        for single in singles {
            *fates.entry(single.fate).or_default() += 1;
        }
        let verdict = |(fate, records): (Fate, usize)| {
            let ns = sorted(&mut singles.iter().filter(|single| single.fate == fate));
            let share = ns.iter().sum::<f64>() / total;
            VerdictCost { verdict: fate.words(), records, ns: quantile(&ns, 0.5), share }
        };
        Self {
            name,
            percentiles: PERCENTILES.map(|share| (share, quantile(&all, share))).to_vec(),
            verdicts: fates.into_iter().map(verdict).collect(),
        }
    }
}

/// The second configuration held against the first.
#[derive(Debug, Serialize)]
pub struct Compared {
    /// The door.
    pub name: &'static str,
    /// The median of the rounds' differences, as a share of the first.
    pub median: f64,
    /// Between which shares the true median lies with 95 % confidence.
    pub interval: Option<(f64, f64)>,
    /// Whether that is more than noise.
    pub beyond_noise: bool,
}

impl Compared {
    /// What to make of it.
    pub fn words(&self) -> &'static str {
        match (self.interval, self.beyond_noise, self.median > 0.0) {
            (None, ..) => "too few rounds to tell",
            (_, false, _) => "within the noise",
            (_, _, true) => "dearer, beyond the noise",
            (_, _, false) => "cheaper, beyond the noise",
        }
    }
}

impl Report {
    /// Puts everything together; `pairs` are the doors of two configurations.
    #[expect(clippy::cast_precision_loss, reason = "numbers shown with few digits")]
    pub fn new<'a>(
        corpus: &Corpus,
        load: f64,
        copy: &Series,
        mut configurations: Vec<Measured>,
        pairs: impl Iterator<Item = (&'static str, &'a Series, &'a Series)>,
        absent: Vec<String>,
    ) -> Self {
        let copy = Spread::of(copy);
        for through in configurations.iter_mut().flat_map(|measured| &mut measured.through) {
            let bytes = corpus.bytes as f64 / corpus.records as f64;
            through.megabytes_per_second = through.records_per_second * bytes / 1e6;
            through.times_copy = through.spread.ns / copy.ns;
            through.processors = load / through.records_per_second;
        }
        let differences = pairs.map(|(name, first, second)| {
            let difference = Difference::of(first, second);
            let beyond_noise = difference.is_beyond_noise();
            Compared { name, median: difference.median, interval: difference.interval, beyond_noise }
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            machine: machine(),
            source: corpus.source.clone(),
            records: corpus.records,
            malformed: corpus.malformed,
            bytes: corpus.bytes,
            load,
            copy,
            configurations,
            differences: differences.collect(),
            absent,
        }
    }
}

/// The processor, and how busy it was.
fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or(std::env::consts::ARCH, |(_, name)| name);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().map(|load| format!(", load {load}")).unwrap_or_default();
    format!("{name}, {processors} processors{load}")
}

/// A number with few digits: as many as mean something.
pub fn short(number: f64) -> String {
    match number.abs() {
        below if below < 10.0 => format!("{number:.2}"),
        below if below < 100.0 => format!("{number:.1}"),
        _ => grouped(number),
    }
}

/// A whole number in groups of three digits.
pub fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = if number < 0.0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A difference as a percentage with its sign.
pub fn signed(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

/// Bytes, in the unit that fits.
#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
pub fn bytes(count: usize) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", grouped(count as f64 / 1e3)),
        _ => format!("{} MB", grouped(count as f64 / 1e6)),
    }
}

/// What the name of a percentile is.
pub fn percentile(share: f64) -> String {
    if share >= 1.0 { "most".to_owned() } else { format!("{} %", share * 100.0) }
}

/// What is remarkable about a pattern.
pub fn remark(clause: &Clause) -> &'static str {
    match (clause.findings, clause.found, clause.decides) {
        (0, ..) => "no finding of its type",
        (_, 0, _) => "never found",
        (.., 0) => "decides nothing",
        _ => "",
    }
}

/// Rows of text, each column as wide as its widest; all but the first and those named by `left` stand to the right.
struct Rows {
    left: &'static [usize],
    rows: Vec<Vec<String>>,
}

impl Rows {
    fn new(head: &[&str], left: &'static [usize]) -> Self {
        Self { left, rows: vec![head.iter().map(|&word| word.to_owned()).collect()] }
    }

    fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.rows.push(row.into_iter().collect());
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.rows.first().map_or(0, Vec::len)).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (text, width))| {
                if column == 0 || self.left.contains(&column) {
                    format!("{text:<width$}")
                } else {
                    format!("{text:>width$}")
                }
            });
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("   ").trim_end())?;
        }
        writeln!(f)
    }
}

impl fmt::Display for Report {
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} records, {} ({})", grouped(self.records as f64), bytes(self.bytes), self.source)?;
        if self.malformed > 0 {
            writeln!(f, "{} of them are not JSON objects", self.malformed)?;
        }
        writeln!(f, "{}\n", self.machine)?;
        for measured in &self.configurations {
            writeln!(f, "{}\n", measured.name)?;
            self.through(f, measured)?;
            measured.fmt(f)?;
        }
        if !self.differences.is_empty() {
            let mut rows = Rows::new(&["second against first", "difference", "95 % interval", ""], &[3]);
            for one in &self.differences {
                let interval = one
                    .interval
                    .map_or_else(String::new, |(low, high)| format!("{} to {}", signed(low), signed(high)));
                rows.push([one.name.to_owned(), signed(one.median), interval, one.words().to_owned()]);
            }
            rows.fmt(f)?;
        }
        self.absent.iter().try_for_each(|reason| writeln!(f, "not measured: {reason}"))
    }
}

impl Report {
    fn through(&self, f: &mut fmt::Formatter<'_>, measured: &Measured) -> fmt::Result {
        let processors = format!("processors at {}/s", grouped(self.load));
        let head = [
            "a record costs",
            "ns",
            "quartiles",
            "times copy",
            "records/s",
            "MB/s",
            &processors,
            "left",
            "memory",
        ];
        let mut rows = Rows::new(&head, &[]);
        let quartiles =
            |spread: &Spread| format!("{}–{}", short(spread.lower_quartile), short(spread.upper_quartile));
        rows.push(["copy".to_owned(), short(self.copy.ns), quartiles(&self.copy), "1.0".to_owned()]);
        for through in &measured.through {
            rows.push([
                through.name.to_owned(),
                short(through.spread.ns),
                quartiles(&through.spread),
                format!("{:.1}", through.times_copy),
                grouped(through.records_per_second),
                grouped(through.megabytes_per_second),
                format!("{:.3}", through.processors),
                through.left.to_string(),
                through.memory(),
            ]);
        }
        rows.fmt(f)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for detail in &self.details {
            detail.fmt(f)?;
        }
        let mut rows =
            Rows::new(&["integration", "type", "claims", "kept", "suppressed", "ns", "of the time"], &[1]);
        for one in &self.integrations {
            rows.push([
                one.name.clone(),
                one.r#type.to_owned(),
                one.claims.to_string(),
                one.kept.to_string(),
                one.suppressed.to_string(),
                one.ns.map_or_else(|| "-".to_owned(), short),
                percent(one.share),
            ]);
        }
        rows.fmt(f)?;
        if self.patterns.is_empty() {
            return Ok(());
        }
        let mut rows = Rows::new(
            &["pattern", "option", "integration", "ns alone", "found in", "decides", "of findings", ""],
            &[1, 2, 7],
        );
        for one in &self.patterns {
            rows.push([
                one.pattern.clone(),
                one.option.to_owned(),
                one.integration.clone(),
                short(one.ns),
                one.found.to_string(),
                one.decides.to_string(),
                one.findings.to_string(),
                remark(one).to_owned(),
            ]);
        }
        rows.fmt(f)?;
        if self.patterns_beyond > 0 {
            writeln!(f, "and {} more patterns, not looked at\n", self.patterns_beyond)?;
        }
        Ok(())
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = Rows::new(&[self.name, "records", "ns", "of the time"], &[]);
        for one in &self.verdicts {
            rows.push([one.verdict.clone(), one.records.to_string(), short(one.ns), percent(one.share)]);
        }
        rows.fmt(f)?;
        let shares = self.percentiles.iter();
        let shares: Vec<_> =
            shares.map(|(share, ns)| format!("{} {}", percentile(*share), short(*ns))).collect();
        writeln!(f, "ns below which so many records are: {}\n", shares.join(", "))
    }
}
