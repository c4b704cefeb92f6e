//! Count reports: the number of selections per hour and dimensions.
//! They count the selections of an integration with `report: count`, for each hour of the findings' time, cluster,
//! principal, rule, namespace and caller's address, as kAudit's own counts do.
//!
//! The table is bounded. If it is full, selections with new dimensions are counted together under the hour of their
//! arrival, so that the sum stays right. A count takes at most `COUNT` bytes until it is sent (`tests/allocations.rs`).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::digest::{Digest, DigestMap, Secret};
use crate::time::Time;

/// The length of a bucket: an hour, kAudit's `count-period`.
pub(crate) const PERIOD_MS: i64 = 3_600_000;

/// The number of dimensions.
pub(crate) const DIMENSIONS: usize = 5;

/// The dimensions of a count; `None`: the overflow of a full table.
/// Not a text, since any text can be the value of some selection.
pub(crate) type Dimensions = Option<[Box<str>; DIMENSIONS]>;

/// The key of a count: the integration, and a digest of hour and dimensions.
#[derive(Clone, Copy)]
struct CountKey {
    integration: usize,
    digest: Digest,
}

/// All pending counts.
/// `N` is the caller's metadata of the findings of a count, made from the first one.
pub(crate) struct Counts<N> {
    secret: Secret,
    /// The counts of each integration.
    reports: Vec<DigestMap<CountReport<N>>>,
    /// The number of counts.
    length: usize,
    /// The counts by the time at which they are due; the number makes keys unique.
    due: BTreeMap<(Time, u64), CountKey>,
    created: u64,
    max: usize,
    wait_ns: i64,
    /// A buffer for the input of the digest.
    key: Vec<u8>,
}

/// A count that is due.
pub(crate) struct CountReport<N> {
    pub integration: usize,
    pub start_ms: i64,
    pub dimensions: Dimensions,
    pub count: u64,
    pub meta: N,
}

impl<N> Counts<N> {
    /// Creates a table of at most `max` counts.
    /// A count that starts after the end of its hour waits `wait_ns` for further selections.
    pub fn new(max: usize, wait_ns: u64, seed: u64) -> Self {
        Self {
            secret: Secret::new(seed),
            reports: Vec::new(),
            length: 0,
            due: BTreeMap::new(),
            created: 0,
            max,
            wait_ns: i64::try_from(wait_ns).unwrap_or(i64::MAX),
            key: Vec::new(),
        }
    }

    /// Counts one finding with the time `time_ms` that arrived at `now`.
    /// `first` returns the metadata of a new count, `further` updates the metadata of an existing one.
    pub fn add(
        &mut self,
        integration: usize,
        dimensions: [&[u8]; DIMENSIONS],
        time_ms: i64,
        now: Time,
        first: impl FnOnce() -> N,
        further: impl FnOnce(&mut N),
    ) {
        let mut start_ms = hour(time_ms);
        let mut digest = self.digest(start_ms, &dimensions);
        let mut dimensions = Some(dimensions);
        if self.length >= self.max && self.report_of(CountKey { integration, digest }).is_none() {
            // The hour in a finding is as unbounded as its dimensions.
            start_ms = hour(now.millis());
            dimensions = None;
            digest = self.digest(start_ms, &[]);
        }
        let key = CountKey { integration, digest };
        if let Some(report) = self.report_of(key) {
            report.count = report.count.saturating_add(1);
            further(&mut report.meta);
            return;
        }
        self.created = self.created.saturating_add(1);
        let end = Time::from_millis(start_ms.saturating_add(PERIOD_MS));
        let soon = Time::from_nanos(now.nanos().saturating_add(self.wait_ns));
        // A future hour in a record does not delay its count for longer than an hour.
        let late = Time::from_nanos(now.nanos().saturating_add(Time::from_millis(PERIOD_MS).nanos()));
        self.due.insert((end.min(late).max(soon), self.created), key);
        let dimensions = dimensions.map(|texts| texts.map(|text| clip(text).into()));
        self.insert(key, CountReport { integration, start_ms, dimensions, count: 1, meta: first() });
    }

    /// Returns the digest of an hour and texts.
    /// Lengths are included, so that no text can be mistaken for part of another.
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

    fn report_of(&mut self, key: CountKey) -> Option<&mut CountReport<N>> {
        self.reports.get_mut(key.integration)?.get_mut(&key.digest)
    }

    fn insert(&mut self, key: CountKey, report: CountReport<N>) {
        if self.reports.len() <= key.integration {
            self.reports.resize_with(key.integration.saturating_add(1), DigestMap::default);
        }
        if let Some(reports) = self.reports.get_mut(key.integration) {
            self.length = self.length.saturating_add(1);
            reports.insert(key.digest, report);
        }
    }

    fn remove(&mut self, key: CountKey) -> Option<CountReport<N>> {
        let report = self.reports.get_mut(key.integration)?.remove(&key.digest)?;
        self.length = self.length.saturating_sub(1);
        Some(report)
    }

    /// Returns whether a count of this integration is pending.
    #[cfg(feature = "compile")]
    pub fn is_pending(&self, integration: usize) -> bool {
        self.reports.get(integration).is_some_and(|reports| !reports.is_empty())
    }

    /// Takes over all counts of another table.
    /// `indices` maps the integrations of `old` to the integrations of this table.
    #[cfg(feature = "compile")]
    pub fn adopt(&mut self, mut old: Self, indices: &[Option<usize>]) {
        // Digests depend on the secret. This table has no count yet.
        self.secret = old.secret;
        self.created = self.created.max(old.created);
        for (due, key) in core::mem::take(&mut old.due) {
            let Some(mut report) = old.remove(key) else { continue };
            let Some(integration) = indices.get(key.integration).copied().flatten() else { continue };
            report.integration = integration;
            let key = CountKey { integration, ..key };
            self.due.insert(due, key);
            self.insert(key, report);
        }
    }

    /// Returns whether a report is pending.
    pub fn any_pending(&self) -> bool {
        !self.due.is_empty()
    }

    /// Returns the next report that is overdue by at least the wait of a late count.
    pub fn overdue(&mut self, now: Time) -> Option<CountReport<N>> {
        let waits = now.nanos().saturating_sub(self.due.first_key_value()?.0.0.nanos());
        if waits < self.wait_ns { None } else { self.report(now, false) }
    }

    /// Returns the next report that is due; with `all`, the next pending one.
    pub fn report(&mut self, now: Time, all: bool) -> Option<CountReport<N>> {
        let first = self.due.first_entry()?;
        let wait = first.key().0.nanos().saturating_sub(now.nanos());
        // Due later than any count can wait: time went backwards.
        let longest = Time::from_millis(PERIOD_MS).nanos().max(self.wait_ns);
        if wait > 0 && wait <= longest && !all {
            return None;
        }
        let key = first.remove();
        self.remove(key)
    }
}

/// Returns the beginning of an hour.
fn hour(time_ms: i64) -> i64 {
    time_ms.div_euclid(PERIOD_MS).saturating_mul(PERIOD_MS)
}

/// Truncates a dimension to the length of a label.
/// Dimensions are displayed and not compared, and names that an attacker chooses must not fill the memory.
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

    fn add(counts: &mut Counts<()>, integration: usize, dimensions: [&str; DIMENSIONS]) {
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
    fn the_overflow_differs_from_every_name() {
        let mut counts = counts(1);
        for cluster in ["(other keys)", "", "b", "(other keys)"] {
            add(&mut counts, 0, [cluster; DIMENSIONS]);
        }
        assert_eq!(all(counts), [(0, Some("(other keys)".to_owned()), 2), (0, None, 2)]);
    }

    #[test]
    fn the_digest_separates_texts() {
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
    fn long_dimensions_differ_in_their_last_byte() {
        let mut counts = counts(10);
        let long = "x".repeat(1000);
        for last in ["a", "b", "a"] {
            add(&mut counts, 0, ["", &format!("{long}{last}"), "", "", ""]);
        }
        let reports: Vec<_> = core::iter::from_fn(|| counts.report(HOUR, true)).collect();
        assert_eq!(reports.iter().map(|report| report.count).collect::<Vec<_>>(), [2, 1]);
        for report in reports {
            assert!(report.dimensions.is_some_and(|[_, principal, ..]| principal.len() == 256));
        }
    }

    #[cfg(feature = "compile")]
    #[test]
    fn counts_survive_a_new_configuration() {
        let mut old = counts(10);
        add(&mut old, 0, ["gone"; DIMENSIONS]);
        add(&mut old, 1, ["moved"; DIMENSIONS]);
        let mut new = Counts::new(10, 60_000_000_000, 8);
        new.adopt(old, &[None, Some(0)]);
        assert!(new.is_pending(0) && !new.is_pending(1));
        add(&mut new, 0, ["moved"; DIMENSIONS]);
        assert_eq!(new.length, 1);
        assert_eq!(all(new), [(0, Some("moved".to_owned()), 2)]);
    }
}
