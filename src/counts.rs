//! Count reports: selections that an integration with `report: count` claims, added up for each hour of the findings'
//! time, cluster, principal, rule and namespace, as kAudit's own counts are.
//!
//! The table is bounded; what finds no room in it is counted under one key for all others of the hour in which they
//! arrive, so the sum stays right. A count takes some 600 bytes until it leaves (`tests/allocations.rs`).

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::FixedState;

use crate::time::Time;

/// The length of a bucket: an hour, kAudit's `count-period`.
pub(crate) const PERIOD_MS: i64 = 3_600_000;

/// What stands for the dimensions of findings that found no room in the table.
const OTHERS: &str = "(other keys)";

/// The four dimensions of a count.
pub(crate) type Dimensions = [Box<str>; 4];

/// All counts that have not left yet. `N` is what the caller notes of the first finding of each.
pub(crate) struct Counts<N> {
    /// Each count under all that tells it apart, in bytes (see [`Counts::key`]).
    reports: HashMap<Box<[u8]>, Report<N>, FixedState>,
    /// When each count leaves, soonest first; the number tells apart those of one moment.
    due: BTreeMap<(Time, u64), Box<[u8]>>,
    made: u64,
    max: usize,
    wait: i64,
    /// Room for the key of the finding that is being counted.
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
            reports: HashMap::with_hasher(FixedState::with_seed(seed)),
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
        dimensions: [&str; 4],
        time_ms: i64,
        now: Time,
        first: impl FnOnce() -> N,
        further: impl FnOnce(&mut N),
    ) {
        let mut start_ms = hour(time_ms);
        let mut dimensions = dimensions.map(clip);
        Self::key(&mut self.key, integration, start_ms, dimensions);
        if self.reports.len() >= self.max && !self.reports.contains_key(&*self.key) {
            // Findings tell their hours themselves: theirs would be without bounds, too.
            start_ms = hour(now.millis());
            dimensions = [OTHERS; 4];
            Self::key(&mut self.key, integration, start_ms, dimensions);
        }
        if let Some(report) = self.reports.get_mut(&*self.key) {
            report.count = report.count.saturating_add(1);
            further(&mut report.note);
            return;
        }
        self.made = self.made.saturating_add(1);
        let end = Time::from_millis(start_ms.saturating_add(PERIOD_MS));
        let soon = Time::from_nanos(now.nanos().saturating_add(self.wait));
        // An hour that a record claims to lie ahead does not hold its count back for longer than an hour.
        let late = Time::from_nanos(now.nanos().saturating_add(Time::from_millis(PERIOD_MS).nanos()));
        self.due.insert((end.min(late).max(soon), self.made), self.key.as_slice().into());
        let dimensions = dimensions.map(Box::from);
        let report = Report { integration, start_ms, dimensions, count: 1, note: first() };
        self.reports.insert(self.key.as_slice().into(), report);
    }

    /// Writes what tells a count apart: the integration, the hour, and each dimension behind its length.
    fn key(key: &mut Vec<u8>, integration: usize, start_ms: i64, dimensions: [&str; 4]) {
        key.clear();
        key.extend(integration.to_le_bytes());
        key.extend(start_ms.to_le_bytes());
        for dimension in dimensions {
            key.extend(dimension.len().to_le_bytes());
            key.extend_from_slice(dimension.as_bytes());
        }
    }

    /// Whether a count of this integration has not left yet.
    #[cfg(feature = "compile")]
    pub fn owes(&self, integration: usize) -> bool {
        self.reports.values().any(|report| report.integration == integration)
    }

    /// Takes over all counts of another table; `places` says which integration here is which there.
    #[cfg(feature = "compile")]
    pub fn adopt(&mut self, mut old: Self, places: &[Option<usize>]) {
        self.made = self.made.max(old.made);
        for (due, key) in old.due {
            let Some(mut report) = old.reports.remove(&key) else { continue };
            let Some(place) = places.get(report.integration).copied().flatten() else { continue };
            report.integration = place;
            let dimensions = report.dimensions.each_ref().map(|dimension| &**dimension);
            Self::key(&mut self.key, place, report.start_ms, dimensions);
            self.due.insert(due, self.key.as_slice().into());
            self.reports.insert(self.key.as_slice().into(), report);
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
        self.reports.remove(&first.remove())
    }
}

/// The beginning of an hour.
fn hour(time_ms: i64) -> i64 {
    time_ms.div_euclid(PERIOD_MS).saturating_mul(PERIOD_MS)
}

/// Dimensions are shown, not searched: a label's length is enough, and what an attacker names cannot fill the memory.
fn clip(text: &str) -> &str {
    const BYTES: usize = 256;
    text.get(..text.floor_char_boundary(BYTES)).unwrap_or(text)
}
