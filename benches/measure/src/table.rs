//! The results as text of 80 columns, and the formats of numbers.

use std::collections::BTreeMap;
use std::fmt::{self, Display as _};

use crate::patterns::PatternCost;
use crate::report::{EngineDetail, Measured, Report, Spread, Target};

/// Returns a number with three significant digits.
pub fn short(number: f64) -> String {
    match number.abs() {
        below if below < 10.0 => format!("{number:.2}"),
        below if below < 100.0 => format!("{number:.1}"),
        _ => grouped(number),
    }
}

/// Returns a whole number in groups of three digits.
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

/// Returns a share as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Returns a difference as a percentage with its sign.
pub fn signed(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

/// Returns a size in bytes, kB or MB.
#[expect(clippy::cast_precision_loss, reason = "printed with few digits")]
pub fn bytes(count: usize) -> String {
    match count {
        0..10_000 => format!("{count} B"),
        10_000..10_000_000 => format!("{} kB", grouped(count as f64 / 1e3)),
        _ => format!("{} MB", grouped(count as f64 / 1e6)),
    }
}

/// Returns the name of a percentile.
pub fn percentile(share: f64) -> String {
    if share >= 1.0 { "max".to_owned() } else { format!("{} %", share * 100.0) }
}

/// Returns the reason why a pattern is probably useless, or nothing.
pub fn remark(cost: &PatternCost) -> &'static str {
    match (cost.findings, cost.found, cost.decides) {
        (0, ..) => "no finding of its type",
        (_, 0, _) => "never found",
        (.., 0) => "decides nothing",
        _ => "",
    }
}

/// Returns the growth of the resident memory of a target's process; empty for the engine.
pub fn memory(target: &Target) -> String {
    let size = |kb| bytes(usize::try_from(kb).unwrap_or(usize::MAX).saturating_mul(1000));
    target.resident_kb.map_or_else(String::new, size)
}

/// The width of the text.
const COLUMNS: usize = 80;

/// Returns the beginning of a text; the page has the whole text.
fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some(_) => text.chars().take(max.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Returns the time of a search for a pattern; the difference of two measurements may be below their noise.
fn search(ns: f64) -> String {
    if ns < 1.0 { "<1".to_owned() } else { short(ns) }
}

/// Rows of text with aligned columns: the first and those in `left` to the left, the others to the right.
struct Rows {
    left: &'static [usize],
    cells: Vec<Vec<String>>,
    /// Further lines of a row, by its index.
    notes: BTreeMap<usize, String>,
}

impl Rows {
    fn new(head: &[&str], left: &'static [usize]) -> Self {
        let cells = vec![head.iter().map(|&word| word.to_owned()).collect()];
        Self { left, cells, notes: BTreeMap::new() }
    }

    /// Adds a line to the last row.
    fn note(&mut self, text: &str) {
        self.notes.insert(self.cells.len() - 1, shortened(&format!("  {text}"), COLUMNS));
    }

    fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.cells.push(row.into_iter().collect());
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            self.cells
                .iter()
                .filter_map(|row| row.get(column))
                .map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.cells.first().map_or(0, Vec::len)).map(width).collect();
        for (index, row) in self.cells.iter().enumerate() {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (text, width))| {
                if column == 0 || self.left.contains(&column) {
                    format!("{text:<width$}")
                } else {
                    format!("{text:>width$}")
                }
            });
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
            if let Some(note) = self.notes.get(&index) {
                writeln!(f, "{note}")?;
            }
        }
        writeln!(f)
    }
}

impl fmt::Display for Report {
    #[expect(clippy::cast_precision_loss, reason = "printed with few digits")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = format!("{} records, {}", grouped(self.records as f64), bytes(self.bytes));
        writeln!(f, "{}", shortened(&format!("{records} ({})", self.source), COLUMNS))?;
        if self.malformed > 0 {
            writeln!(f, "{} of them are not JSON objects", self.malformed)?;
        }
        writeln!(f, "{}\n", self.machine)?;
        for measured in &self.configurations {
            writeln!(f, "{}\n", measured.name)?;
            self.targets(f, measured)?;
            measured.fmt(f)?;
        }
        if !self.differences.is_empty() {
            let mut rows = Rows::new(&["second against first", "difference", "95 % interval", ""], &[3]);
            for one in &self.differences {
                let interval = one
                    .interval
                    .map_or_else(String::new, |(low, high)| format!("{} to {}", signed(low), signed(high)));
                rows.push([one.name.to_owned(), signed(one.median), interval, one.conclusion().to_owned()]);
            }
            rows.fmt(f)?;
        }
        self.absent.iter().try_for_each(|reason| writeln!(f, "not measured: {reason}"))
    }
}

impl Report {
    fn targets(&self, f: &mut fmt::Formatter<'_>, measured: &Measured) -> fmt::Result {
        let head = ["cost of a record", "ns", "quartiles", "× copy", "records/s", "cores", "emitted"];
        let mut rows = Rows::new(&head, &[]);
        let quartiles =
            |spread: &Spread| format!("{}–{}", short(spread.lower_quartile), short(spread.upper_quartile));
        rows.push(["copy".to_owned(), short(self.copy.ns), quartiles(&self.copy), "1.0".to_owned()]);
        for target in &measured.through {
            rows.push([
                target.name.replace("MessagePack", "msgpack"),
                short(target.spread.ns),
                quartiles(&target.spread),
                format!("{:.1}", target.times_copy),
                grouped(target.records_per_second),
                format!("{:.3}", target.processors),
                target.left.to_string(),
            ]);
        }
        rows.fmt(f)?;
        writeln!(f, "× copy: compared with copying the bytes; emitted: entries and passed records;")?;
        writeln!(f, "cores: for {} records/s\n", grouped(self.load))?;
        let memory = |target: &Target| format!("{} {}", target.name, memory(target));
        let plugins = measured.through.iter().filter(|target| target.resident_kb.is_some());
        let memory: Vec<_> = plugins.map(memory).collect();
        if memory.is_empty() { Ok(()) } else { writeln!(f, "memory: {}\n", memory.join(", ")) }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for detail in &self.details {
            detail.fmt(f)?;
        }
        let head = ["integration", "type", "accepted", "kept", "suppressed", "ns", "share"];
        let mut rows = Rows::new(&head, &[1]);
        for one in &self.integrations {
            rows.push([
                shortened(&one.name, 20),
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
        let mut rows = Rows::new(&["pattern", "ns", "found in", "decides", "of findings"], &[]);
        for one in &self.patterns {
            rows.push([
                shortened(&one.pattern, 36),
                search(one.ns),
                one.found.to_string(),
                one.decides.to_string(),
                one.findings.to_string(),
            ]);
            let remark = remark(one);
            let remark = if remark.is_empty() { String::new() } else { format!(": {remark}") };
            rows.note(&format!("{} of {}{remark}", one.option, one.integration));
        }
        rows.fmt(f)?;
        writeln!(f, "ns: of a search for it alone; decides: findings whose verdict it changes\n")?;
        if self.patterns_beyond > 0 {
            writeln!(f, "and {} more patterns, not measured\n", self.patterns_beyond)?;
        }
        Ok(())
    }
}

impl fmt::Display for EngineDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = Rows::new(&[self.name, "records", "ns", "share"], &[]);
        for one in &self.verdicts {
            rows.push([one.verdict.clone(), one.records.to_string(), short(one.ns), percent(one.share)]);
        }
        rows.fmt(f)?;
        let shares = self.percentiles.iter();
        let shares: Vec<_> =
            shares.map(|(share, ns)| format!("{} {}", percentile(*share), short(*ns))).collect();
        writeln!(f, "percentiles of the ns:")?;
        shares.chunks(3).try_for_each(|some| writeln!(f, "  {}", some.join(", ")))?;
        writeln!(f)
    }
}
