//! The detector: from events to detections.

use alloc::borrow::ToOwned as _;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::baseline::{Unusual, lower};
use super::baselines::Baselines;
use super::clusters::Clusters;
use super::detection::Detection;
use super::memory::Memory;
use super::signals::{QuietParts, Signals};
use super::snapshot::{SnapshotError, State};
use super::statistic::{CLUSTER_FLOOR, Direction, STATISTICS, SeriesNumber, Statistic};
use super::tally::{Counted, Entity, Tally, shortened};
use super::windows::{Admission, PERIOD_MS, Window, Windows, end_of};
use crate::audit::Event;
use crate::config::Detect;
use crate::digest::{Digest, Secret};
use crate::finding::Confidence;
use crate::time::MinuteCache;

/// The learning time of series without a history, as a multiple of the learning time of the others.
const FIRST: u32 = 7;

/// The maximum number of detections that wait. A closing window has rarely more than a few.
const MAX_PENDING: usize = 1_024;

/// Finds changes in the behaviour of principals and clusters.
#[derive(Debug)]
pub(crate) struct Detector {
    /// In windows.
    learning: u32,
    minutes: MinuteCache,
    windows: Windows,
    baselines: Baselines,
    clusters: Clusters,
    /// The cluster of the last event.
    cluster: Option<String>,
    quiet: QuietParts,
    signals: Signals,
    memory: Memory,
    pending: VecDeque<Detection>,
    losses: Losses,
}

/// Events and entities that were not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Events without a usable time: of a closed window, or far ahead of all others.
    pub late: u64,
    /// Tallies, values, baselines and detections for which a table was full.
    pub overflow: u64,
}

impl Losses {
    fn add_overflow(&mut self, count: usize) {
        self.overflow = self.overflow.saturating_add(count as u64);
    }
}

/// A tally that is compared with its baselines.
#[derive(Clone, Copy)]
struct Closed<'c> {
    window: u32,
    /// The windows since the first event of the cluster.
    age: u32,
    digest: Digest,
    entity: &'c Entity,
    tally: &'c Tally,
}

/// Returns the digest of names. It is equal on every host and after a restart.
fn digest_of_names(names: &[&str]) -> Digest {
    Secret::new(0).digest_of(names)
}

impl Detector {
    pub fn new(config: &Detect) -> Self {
        let learning = config.learning_ms.checked_div(PERIOD_MS).unwrap_or(0);
        Self {
            learning: u32::try_from(learning).unwrap_or(u32::MAX),
            minutes: MinuteCache::default(),
            windows: Windows::new(config.lateness_ms),
            baselines: Baselines::new(config.max_series),
            clusters: Clusters::default(),
            cluster: None,
            quiet: QuietParts::default(),
            signals: Signals::default(),
            memory: Memory::default(),
            pending: VecDeque::new(),
            losses: Losses::default(),
        }
    }

    /// Takes over everything but the settings from the detector of the previous configuration.
    pub fn adopt(&mut self, old: Self) {
        let learning = self.learning;
        let (lateness, max) = (self.windows.lateness(), self.baselines.max());
        *self = old;
        self.learning = learning;
        self.windows.set_lateness(lateness);
        self.baselines.set_max(max);
    }

    /// Reads an event. Windows that it closes leave detections.
    #[inline]
    pub fn observe(&mut self, event: &mut Event<'_, '_>) {
        let Some(window) = self.window(event) else {
            self.losses.late = self.losses.late.saturating_add(1);
            return;
        };
        while let Some(window) = self.windows.next_closed(false) {
            self.close(window);
        }
        // As an entity stores it, which is looked up again when the window closes.
        let cluster = shortened(event.cluster().unwrap_or_default());
        if self.cluster.as_deref() != Some(cluster) {
            self.clusters.age(digest_of_names(&[cluster]), window);
            self.cluster = Some(cluster.to_owned());
        }
        if !self.quiet.is_quiet(event) {
            self.tally(window, event);
        }
    }

    /// Returns the window of an event, if it can be used.
    #[inline]
    fn window(&mut self, event: &Event<'_, '_>) -> Option<u32> {
        let time_ms = event.stage_time(&mut self.minutes)?;
        match self.windows.admit(time_ms) {
            Admission::Open(window) => return Some(window),
            Admission::Stray => return None,
            Admission::Moved => (),
        }
        self.close_all();
        self.windows.restart(time_ms);
        match self.windows.admit(time_ms) {
            Admission::Open(window) => Some(window),
            Admission::Stray | Admission::Moved => None,
        }
    }

    /// Adds the signals of an event to a window.
    #[inline(never)]
    fn tally(&mut self, window: u32, event: &mut Event<'_, '_>) {
        let Self { signals, windows, memory, losses, .. } = self;
        signals.read(event);
        let cluster = digest_of_names(&[&signals.cluster]);
        let principal = digest_of_names(&[&signals.cluster, &signals.principal]);
        let direction = signals.direction.unwrap_or(Direction::Write);
        signals.each(|kind, value| {
            let counted = Counted { kind, direction, value, digest: digest_of_names(&[value]).short() };
            let mut add = |digest: Digest, name: Option<&str>| {
                let new = |memory: &mut Memory| Entity::new(&signals.cluster, name, memory);
                let entity = windows.entity(window, digest, memory, new);
                let complete = entity.is_some_and(|entity| entity.add(&counted, memory));
                losses.add_overflow(usize::from(!complete));
            };
            if !signals.principal.is_empty() {
                add(principal, Some(&signals.principal));
            }
            if STATISTICS.iter().any(|statistic| statistic.kind == kind && statistic.of_cluster) {
                add(cluster, None);
            }
        });
    }

    /// Closes all open windows.
    pub fn close_all(&mut self) {
        while let Some(window) = self.windows.next_closed(true) {
            self.close(window);
        }
    }

    /// Compares the tallies of a window with their baselines, in an order that depends on names only.
    #[inline(never)]
    fn close(&mut self, window: Window) {
        let Window { number, entities } = window;
        let mut entities: Vec<(Digest, Entity)> = entities.into_iter().collect();
        entities.sort_unstable_by(|(_, one), (_, other)| {
            (&one.cluster, &one.principal).cmp(&(&other.cluster, &other.principal))
        });
        for (digest, mut entity) in entities {
            entity.tallies.sort_unstable_by_key(|tally| (tally.kind as u8, tally.direction));
            let age = self.clusters.age(digest_of_names(&[&entity.cluster]), number);
            // Before its detections are made, which copy its texts: otherwise a spent budget has no space for them.
            self.memory.release(entity.memory());
            for tally in &entity.tallies {
                self.compare(&Closed { window: number, age, digest, entity: &entity, tally });
            }
        }
    }

    /// Compares the statistics of a tally with their baselines.
    fn compare(&mut self, closed: &Closed<'_>) {
        let Closed { window, age, digest, entity, tally } = *closed;
        let is_cluster = entity.principal.is_none();
        let is_learned = age >= self.learning;
        for (index, statistic) in STATISTICS.iter().enumerate() {
            if statistic.kind != tally.kind || is_cluster && !statistic.of_cluster {
                continue;
            }
            let value = if statistic.unique { tally.unique() } else { tally.count };
            let floor = if is_cluster { CLUSTER_FLOOR } else { statistic.floor };
            let series = digest.numbered(SeriesNumber::new(index, tally.direction).0);
            let (baseline, dropped) = self.baselines.of(series);
            self.losses.add_overflow(dropped);
            let Some(baseline) = baseline else {
                self.losses.add_overflow(1);
                continue;
            };
            let unusual = baseline
                .judge(window, value)
                .filter(|_| is_learned && value >= floor && !baseline.is_repetition(window, value));
            baseline.learn(window, value);
            // One that does not fit is no reason to suppress the next.
            if let Some(unusual) = unusual
                && self.report(closed, statistic, value, unusual)
                && let (Some(baseline), _) = self.baselines.of(series)
            {
                baseline.report(window, value);
            }
        }
    }

    /// Adds a detection to the queue; returns whether it fits.
    fn report(
        &mut self,
        closed: &Closed<'_>,
        statistic: &'static Statistic,
        value: u32,
        unusual: Unusual,
    ) -> bool {
        let Closed { window, age, entity, tally, .. } = *closed;
        let Unusual { confidence, expected, is_first } = unusual;
        let is_young = is_first && age < self.learning.saturating_mul(FIRST);
        let has_values = statistic.context_key().is_some();
        let detection = Detection {
            cluster: entity.cluster.clone(),
            principal: entity.principal.clone(),
            statistic,
            direction: tally.direction,
            confidence: if is_young { lower(confidence, Confidence::Low) } else { confidence },
            value,
            values: if has_values { tally.values().to_vec() } else { Vec::new() },
            end_ms: end_of(window),
            expected,
            history_ms: i64::from(age).saturating_mul(PERIOD_MS),
        };
        let fits = self.pending.len() < MAX_PENDING && self.memory.take(detection.memory());
        if fits {
            self.pending.push_back(detection);
        } else {
            self.losses.add_overflow(1);
        }
        fits
    }

    /// Returns the state that survives a restart. Open windows are not part of it.
    pub fn snapshot(&self) -> Vec<u8> {
        let (latest_ms, closed_ms) = self.windows.position();
        let clusters = self.clusters.all().to_vec();
        State { latest_ms, closed_ms, clusters, baselines: self.baselines.all().collect() }.write()
    }

    /// Replaces the state by a snapshot. Windows that are open are closed first.
    ///
    /// # Errors
    /// The snapshot cannot be used; the state is unchanged.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        let State { latest_ms, closed_ms, clusters, baselines } = State::read(snapshot)?;
        self.close_all();
        self.windows.resume(latest_ms, closed_ms);
        self.clusters = Clusters::of(clusters);
        // The cluster of the next event is looked up again.
        self.cluster = None;
        let mut restored = Baselines::new(self.baselines.max());
        for (series, baseline) in baselines {
            let (slot, dropped) = restored.of(series);
            self.losses.add_overflow(dropped);
            if let Some(slot) = slot {
                *slot = baseline;
            }
        }
        self.baselines = restored;
        Ok(())
    }

    /// Returns the next detection.
    #[inline]
    pub fn next(&mut self) -> Option<Detection> {
        let detection = self.pending.pop_front()?;
        self.memory.release(detection.memory());
        Some(detection)
    }

    /// Returns what was not used since the last call.
    pub fn take_losses(&mut self) -> Losses {
        core::mem::take(&mut self.losses)
    }

    /// Returns the number of series with a baseline, and the maximum.
    pub fn series(&self) -> (usize, usize) {
        (self.baselines.len(), self.baselines.max())
    }
}
