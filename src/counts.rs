//! Count reports: selections that an integration with `report: count` claims, added up for each hour of the findings'
//! time, cluster, principal, rule and namespace, as kAudit's own counts are.
//!
//! The table is bounded; selections that find no room in it are counted together, by the hour in which they arrive, so the
//! sum stays right. A count takes at most `COUNT` bytes until it is sent (`tests/allocations.rs`).

use std::collections::BTreeMap;

use crate::digest::{Digest, DigestMap, Secret};
use crate::time::Time;

/// The length of a bucket: an hour, kAudit's `count-period`.
pub(crate) const PERIOD_MS: i64 = 3_600_000;

/// The four dimensions of a count; `None`: all that found no room in the table. Not a text, since a text can be some
/// selection's own.
pub(crate) type Dimensions = Option<[Box<str>; 4]>;

/// What tells a count apart: the integration, and a digest of the hour and the dimensions.
#[derive(Clone, Copy)]
struct Key {
    integration: usize,
    digest: Digest,
}

/// All counts that have not left yet. `N` is what the caller notes of the first finding of each.
pub(crate) struct Counts<N> {
    secret: Secret,
    /// The counts of each integration.
    reports: Vec<DigestMap<Report<N>>>,
    /// How many counts there are.
    length: usize,
    /// When each count is sent, soonest first; the number tells apart those of one moment.
    due: BTreeMap<(Time, u64), Key>,
    made: u64,
    max: usize,
    wait: i64,
    /// A buffer for what is digested.
    key: Vec<u8>,
}

/// A count, as it leaves.
pub(crate) struct Report<N> {
    pub integration: usize,
    pub start_ms: i64,
    pub dimensions: Dimensions,
    pub count: u64,
    pub note: N,
}

impl<N> Counts<N> {
    /// A table of at most `max` counts; one that begins late, after its hour, waits `wait_ns` for more of its kind.
    pub fn new(max: usize, wait_ns: u64, seed: u64) -> Self {
        Self {
            secret: Secret::new(seed),
            reports: Vec::new(),
            length: 0,
            due: BTreeMap::new(),
            made: 0,
            max,
            wait: i64::try_from(wait_ns).unwrap_or(i64::MAX),
            key: Vec::new(),
        }
    }

    /// Counts one finding of `time_ms` that arrived `now`. What is noted of its count is made by `first`, and changed by
    /// `further` for each finding behind it.
    pub fn add(
        &mut self,
        integration: usize,
        dimensions: [&[u8]; 4],
        time_ms: i64,
        now: Time,
        first: impl FnOnce() -> N,
        further: impl FnOnce(&mut N),
    ) {
        let mut start_ms = hour(time_ms);
        let mut digest = self.digest(start_ms, &dimensions);
        let mut dimensions = Some(dimensions);
        if self.length >= self.max && self.report_of(Key { integration, digest }).is_none() {
            // The hour that a finding gives is as unbounded as its dimensions.
            start_ms = hour(now.millis());
            dimensions = None;
            digest = self.digest(start_ms, &[]);
        }
        let key = Key { integration, digest };
        if let Some(report) = self.report_of(key) {
            report.count = report.count.saturating_add(1);
            further(&mut report.note);
            return;
        }
        self.made = self.made.saturating_add(1);
        let end = Time::from_millis(start_ms.saturating_add(PERIOD_MS));
        let soon = Time::from_nanos(now.nanos().saturating_add(self.wait));
        // An hour that a record claims to be ahead does not delay its count for longer than an hour.
        let late = Time::from_nanos(now.nanos().saturating_add(Time::from_millis(PERIOD_MS).nanos()));
        self.due.insert((end.min(late).max(soon), self.made), key);
        let dimensions = dimensions.map(|texts| texts.map(|text| clip(text).into()));
        self.insert(key, Report { integration, start_ms, dimensions, count: 1, note: first() });
    }

    /// The digest of an hour and of texts, none of which can be mistaken for part of another.
    fn digest(&mut self, start_ms: i64, texts: &[&[u8]]) -> Digest {
        let Self { secret, key, .. } = self;
        key.clear();
        key.extend_from_slice(&start_ms.to_le_bytes());
        for text in texts {
            key.extend_from_slice(&text.len().to_le_bytes());
            key.extend_from_slice(text);
        }
        secret.digest(key)
    }

    fn report_of(&mut self, key: Key) -> Option<&mut Report<N>> {
        self.reports.get_mut(key.integration)?.get_mut(&key.digest)
    }

    fn insert(&mut self, key: Key, report: Report<N>) {
        if self.reports.len() <= key.integration {
            self.reports.resize_with(key.integration.saturating_add(1), DigestMap::default);
        }
        if let Some(reports) = self.reports.get_mut(key.integration) {
            self.length = self.length.saturating_add(1);
            reports.insert(key.digest, report);
        }
    }

    fn remove(&mut self, key: Key) -> Option<Report<N>> {
        let report = self.reports.get_mut(key.integration)?.remove(&key.digest)?;
        self.length = self.length.saturating_sub(1);
        Some(report)
    }

    /// Whether a count of this integration has not left yet.
    #[cfg(feature = "compile")]
    pub fn owes(&self, integration: usize) -> bool {
        self.reports.get(integration).is_some_and(|reports| !reports.is_empty())
    }

    /// Takes over all counts of another table; `places` says which integration here is which there.
    #[cfg(feature = "compile")]
    pub fn adopt(&mut self, mut old: Self, places: &[Option<usize>]) {
        // Digests of another secret would be other keys. No count of this table has one yet.
        self.secret = old.secret;
        self.made = self.made.max(old.made);
        for (due, key) in core::mem::take(&mut old.due) {
            let Some(mut report) = old.remove(key) else { continue };
            let Some(integration) = places.get(key.integration).copied().flatten() else { continue };
            report.integration = integration;
            let key = Key { integration, ..key };
            self.due.insert(due, key);
            self.insert(key, report);
        }
    }

    /// Whether a report has not left yet.
    pub fn owes_any(&self) -> bool {
        !self.due.is_empty()
    }

    /// The next report whose time came as long ago as a late one waits.
    pub fn overdue(&mut self, now: Time) -> Option<Report<N>> {
        let waits = now.nanos().saturating_sub(self.due.first_key_value()?.0.0.nanos());
        if waits < self.wait { None } else { self.report(now, false) }
    }

    /// The next report whose time has come; with `all`, the next whatever its time.
    pub fn report(&mut self, now: Time, all: bool) -> Option<Report<N>> {
        let first = self.due.first_entry()?;
        let wait = first.key().0.nanos().saturating_sub(now.nanos());
        // Further ahead than any count waits: time went backwards.
        let longest = Time::from_millis(PERIOD_MS).nanos().max(self.wait);
        if wait > 0 && wait <= longest && !all {
            return None;
        }
        let key = first.remove();
        self.remove(key)
    }
}

/// The beginning of an hour.
fn hour(time_ms: i64) -> i64 {
    time_ms.div_euclid(PERIOD_MS).saturating_mul(PERIOD_MS)
}

/// Dimensions are shown, not searched: a label's length is enough, and what an attacker names cannot fill the memory.
fn clip(text: &[u8]) -> &str {
    const BYTES: usize = 256;
    let text = core::str::from_utf8(text).unwrap_or_default();
    text.get(..text.floor_char_boundary(BYTES)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Time = Time::from_millis(1_583_078_400_000);

    fn counts(max: usize) -> Counts<()> {
        Counts::new(max, 60_000_000_000, 7)
    }

    fn add(counts: &mut Counts<()>, integration: usize, dimensions: [&str; 4]) {
        let dimensions = dimensions.map(str::as_bytes);
        counts.add(integration, dimensions, HOUR.millis(), HOUR, || (), |()| ());
    }

    fn all(mut counts: Counts<()>) -> Vec<(usize, Option<String>, u64)> {
        core::iter::from_fn(|| counts.report(HOUR, true))
            .map(|report| {
                (report.integration, report.dimensions.map(|[first, ..]| first.into_string()), report.count)
            })
            .collect()
    }

    #[test]
    fn the_overflow_is_no_name_that_a_finding_can_have() {
        let mut counts = counts(1);
        for cluster in ["(other keys)", "", "b", "(other keys)"] {
            add(&mut counts, 0, [cluster; 4]);
        }
        assert_eq!(all(counts), [(0, Some("(other keys)".to_owned()), 2), (0, None, 2)]);
    }

    #[test]
    fn texts_are_digested_apart() {
        let mut counts = counts(1);
        let mut digest = |number, texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|text| text.as_bytes()).collect();
            counts.digest(number, &texts)
        };
        let all = [
            digest(0, &["a", "b"]),
            digest(0, &["ab", ""]),
            digest(0, &["", "ab"]),
            digest(0, &["ab"]),
            digest(0, &[]),
            digest(1, &["a", "b"]),
        ];
        assert!(all.iter().enumerate().all(|(at, one)| !all[..at].contains(one)));
    }

    #[test]
    fn a_long_dimension_counts_to_its_last_byte() {
        let mut counts = counts(10);
        let long = "x".repeat(1000);
        for last in ["a", "b", "a"] {
            add(&mut counts, 0, ["", &format!("{long}{last}"), "", ""]);
        }
        let reports: Vec<_> = core::iter::from_fn(|| counts.report(HOUR, true)).collect();
        assert_eq!(reports.iter().map(|report| report.count).collect::<Vec<_>>(), [2, 1]);
        for report in reports {
            assert!(report.dimensions.is_some_and(|[_, principal, ..]| principal.len() == 256));
        }
    }

    #[cfg(feature = "compile")]
    #[test]
    fn counts_go_on_under_another_configuration() {
        let mut old = counts(10);
        add(&mut old, 0, ["gone"; 4]);
        add(&mut old, 1, ["moved"; 4]);
        let mut new = Counts::new(10, 60_000_000_000, 8);
        new.adopt(old, &[None, Some(0)]);
        assert!(new.owes(0) && !new.owes(1));
        add(&mut new, 0, ["moved"; 4]);
        assert_eq!(new.length, 1);
        assert_eq!(all(new), [(0, Some("moved".to_owned()), 2)]);
    }
}
