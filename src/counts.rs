//! Count reports: selections that an integration with `report: count` claims, added up for each hour of the findings'
//! time, cluster, principal, rule and namespace, as kAudit's own counts are.
//!
//! The table is bounded; what finds no room in it is counted under one key for all others, so the sum stays right.

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
    buckets: HashMap<Bucket, Count<N>, FixedState>,
    /// When each bucket leaves, soonest first; the number tells apart those of one moment.
    due: BTreeMap<(Time, u64), Bucket>,
    made: u64,
    max: usize,
    wait: i64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Bucket {
    integration: usize,
    start_ms: i64,
    dimensions: Dimensions,
}

struct Count<N> {
    count: u64,
    note: N,
}

/// A count that leaves.
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
            buckets: HashMap::with_hasher(FixedState::with_seed(seed)),
            due: BTreeMap::new(),
            made: 0,
            max,
            wait: i64::try_from(wait_ns).unwrap_or(i64::MAX),
        }
    }

    /// Counts one finding of `time_ms` that arrived `now`; gives what is noted of the count it went into.
    pub fn add(
        &mut self,
        integration: usize,
        dimensions: [&str; 4],
        time_ms: i64,
        now: Time,
        note: impl FnOnce() -> N,
    ) -> &mut N {
        let start_ms = time_ms.div_euclid(PERIOD_MS).saturating_mul(PERIOD_MS);
        let mut bucket = Bucket { integration, start_ms, dimensions: dimensions.map(clip) };
        if self.buckets.len() >= self.max && !self.buckets.contains_key(&bucket) {
            bucket.dimensions = [OTHERS; 4].map(Box::from);
        }
        let due = &mut self.due;
        let made = &mut self.made;
        let wait = self.wait;
        let count = self.buckets.entry(bucket).or_insert_with_key(|bucket| {
            *made = made.saturating_add(1);
            let end = Time::from_millis(start_ms.saturating_add(PERIOD_MS));
            let soon = Time::from_nanos(now.nanos().saturating_add(wait));
            // An hour that a record claims to lie ahead does not hold its count back for longer than an hour.
            let late = Time::from_nanos(now.nanos().saturating_add(Time::from_millis(PERIOD_MS).nanos()));
            due.insert((end.min(late).max(soon), *made), bucket.clone());
            Count { count: 0, note: note() }
        });
        count.count = count.count.saturating_add(1);
        &mut count.note
    }

    /// Whether a count of this integration has not left yet.
    #[cfg(feature = "compile")]
    pub fn owes(&self, integration: usize) -> bool {
        self.buckets.keys().any(|bucket| bucket.integration == integration)
    }

    /// Takes over all counts of another table; `places` says which integration here is which there.
    #[cfg(feature = "compile")]
    pub fn adopt(&mut self, mut old: Self, places: &[Option<usize>]) {
        self.made = self.made.max(old.made);
        for (due, mut bucket) in old.due {
            let Some(count) = old.buckets.remove(&bucket) else { continue };
            let Some(place) = places.get(bucket.integration).copied().flatten() else { continue };
            bucket.integration = place;
            self.buckets.insert(bucket.clone(), count);
            self.due.insert(due, bucket);
        }
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
        let bucket = first.remove();
        let Count { count, note } = self.buckets.remove(&bucket)?;
        let Bucket { integration, start_ms, dimensions } = bucket;
        Some(Report { integration, start_ms, dimensions, count, note })
    }
}

/// Dimensions are shown, not searched: a label's length is enough, and what an attacker names cannot fill the memory.
fn clip(text: &str) -> Box<str> {
    const BYTES: usize = 256;
    text.get(..text.floor_char_boundary(BYTES)).unwrap_or(text).into()
}
