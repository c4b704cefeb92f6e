//! The format of a state file: a line with the version, a line with the account and the digest of all that follows it,
//! then each entry after its length.

use std::fmt;
use std::hash::Hasher as _;
use std::ops::Add;

use kaudit_filter::finding::Kind;
use kaudit_filter::stats::Stats;
use siphasher::sip::SipHasher13;

/// The beginning of a file; its version follows.
const MAGIC: &str = "kaudit-filter state ";
/// The version that is written, and the only one that is read.
const VERSION: &str = "1";

/// The findings that pending entries account for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Summaries.
    pub summaries: u64,
    /// Suppressed findings, which the summaries count.
    pub suppressed: u64,
    /// Count reports.
    pub reports: u64,
    /// Counted findings, which the reports contain.
    pub counted: u64,
    /// Detections of audit events.
    pub detections: u64,
}

impl Account {
    /// Returns the account of the pending entries that were made while these counters were counted; no record was
    /// read then, so each detection is the filter's own.
    pub fn of(stats: &Stats) -> Self {
        Self {
            summaries: stats.summaries,
            suppressed: stats.summarised,
            reports: stats.reports,
            counted: stats.reported,
            detections: stats.kept_of(Kind::Detection),
        }
    }

    /// Returns whether there is no summary, report or detection.
    pub fn is_empty(&self) -> bool {
        self.summaries == 0 && self.reports == 0 && self.detections == 0
    }
}

impl Add for Account {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            summaries: self.summaries.saturating_add(other.summaries),
            suppressed: self.suppressed.saturating_add(other.suppressed),
            reports: self.reports.saturating_add(other.reports),
            counted: self.counted.saturating_add(other.counted),
            detections: self.detections.saturating_add(other.detections),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} pending summaries (of {} suppressed findings), {} pending reports (of {} counted findings) and {} \
             pending detections",
            self.summaries, self.suppressed, self.reports, self.counted, self.detections
        )
    }
}

/// Pending entries, and the findings that they account for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The findings.
    pub account: Account,
    /// The entries, in the order in which they are to be sent.
    pub entries: Vec<Vec<u8>>,
}

/// Returns the checksum of the account and the entries; it detects damage, not intent.
fn digest(line: &str, entries: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(line.as_bytes());
    hasher.write(entries);
    hasher.finish()
}

/// Returns a file's content of at most `max` bytes, and the number of entries for which there was no space.
pub fn write<'e>(
    form: &str,
    account: Account,
    entries: impl Iterator<Item = &'e Vec<u8>>,
    max: usize,
) -> (Vec<u8>, usize) {
    /// The two lines are shorter.
    const HEAD: usize = 1024;
    let (mut bytes, mut count, mut left) = (Vec::new(), 0_usize, 0);
    for entry in entries {
        let length = u32::try_from(entry.len()).unwrap_or(u32::MAX).to_be_bytes();
        if left > 0 || bytes.len() + length.len() + entry.len() > max - HEAD {
            left += 1;
            continue;
        }
        bytes.extend(length);
        bytes.extend(entry);
        count += 1;
    }
    let Account { summaries, suppressed, reports, counted, detections } = account;
    let line = format!(
        "form={form} entries={count} summaries={summaries} suppressed={suppressed} reports={reports} \
         counted={counted} detections={detections}"
    );
    let head = format!("{MAGIC}{VERSION}\n{line} digest={:016x}\n", digest(&line, &bytes));
    ([head.as_bytes(), &bytes].concat(), left)
}

/// Reads a file's content; the error is the reason why it is refused.
pub fn parse(content: &[u8], form: &str) -> Result<Pending, String> {
    let damaged = || "damaged".to_owned();
    let (version, content) = line(content, 64).ok_or("not a state file of kaudit-filter")?;
    let version = version.strip_prefix(MAGIC).ok_or("not a state file of kaudit-filter")?;
    if version != VERSION {
        return Err(format!("version {version}, expected {VERSION}"));
    }
    let (head, mut content) = line(content, 1024).ok_or_else(damaged)?;
    let (head, written) = head.rsplit_once(" digest=").ok_or_else(damaged)?;
    if written != format!("{:016x}", digest(head, content)) {
        return Err(damaged());
    }
    let value = |name: &str| {
        let values = head.split(' ').filter_map(|member| member.split_once('='));
        values.clone().find(|(key, _)| *key == name).map(|(_, value)| value).ok_or_else(damaged)
    };
    let number = |name| value(name)?.parse().map_err(|_| damaged());
    if value("form")? != form {
        return Err(format!("its entries have the form {}, and {form} is configured", value("form")?));
    }
    let account = Account {
        summaries: number("summaries")?,
        suppressed: number("suppressed")?,
        reports: number("reports")?,
        counted: number("counted")?,
        detections: number("detections")?,
    };
    let mut entries = Vec::new();
    while let Some((length, rest)) = content.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let (entry, rest) = rest.split_at_checked(length).ok_or_else(damaged)?;
        entries.push(entry.to_vec());
        content = rest;
    }
    Ok(Pending { account, entries })
}

/// Splits off the first line, of at most `max` bytes.
fn line(content: &[u8], max: usize) -> Option<(&str, &[u8])> {
    let end = content.iter().take(max).position(|byte| *byte == b'\n')?;
    let (line, rest) = content.split_at_checked(end)?;
    Some((std::str::from_utf8(line).ok()?, rest.get(1..)?))
}
