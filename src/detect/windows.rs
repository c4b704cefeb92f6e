//! The open windows, which events open and close.

use alloc::collections::VecDeque;

use super::memory::Memory;
use super::tally::Entity;
use crate::digest::{Digest, DigestMap};

/// The length of a window: three minutes, kAudit's `period`.
pub(crate) const PERIOD_MS: i64 = 180_000;

/// The step into the future that one event alone cannot cause: a day.
const MAX_STEP_MS: i64 = 86_400_000;

/// The lateness above which an event is of another time: an hour. Events of closed windows that are less late are
/// repeated or delayed, and do not move the stream.
const MAX_LATE_MS: i64 = 3_600_000;

/// The number of events of another time in a row after which the stream itself has moved there.
const MAX_STRAYS: u32 = 1_024;

/// The maximum number of entities in all open windows.
const MAX_ENTITIES: usize = 4_096;

/// A window, by its number since 1970.
#[derive(Debug)]
pub(super) struct Window {
    pub number: u32,
    pub entities: DigestMap<Entity>,
}

/// The windows that are open.
#[derive(Debug)]
pub(super) struct Windows {
    lateness_ms: i64,
    /// The latest time of an event; `None`: there was none.
    latest_ms: Option<i64>,
    /// The end of the last window that was closed.
    closed_ms: i64,
    /// In ascending order.
    open: VecDeque<Window>,
    /// The number of events of another time since the last usable one.
    strays: u32,
    entities: usize,
}

/// The result for the time of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It belongs to this open window.
    Open(u32),
    /// It is not used: its window is closed, or it is of another time.
    Stray,
    /// The stream moved: all windows have to be closed before [`Windows::restart`].
    Moved,
}

impl Windows {
    pub fn new(lateness_ms: i64) -> Self {
        Self {
            lateness_ms,
            latest_ms: None,
            closed_ms: i64::MIN,
            open: VecDeque::new(),
            strays: 0,
            entities: 0,
        }
    }

    pub fn lateness(&self) -> i64 {
        self.lateness_ms
    }

    pub fn set_lateness(&mut self, lateness_ms: i64) {
        self.lateness_ms = lateness_ms;
    }

    /// Returns the window for a time, and moves the latest time.
    pub fn admit(&mut self, time_ms: i64) -> Admission {
        let Some(number) = number_of(time_ms) else { return self.stray() };
        let latest = self.latest_ms.unwrap_or(time_ms);
        if time_ms.saturating_sub(latest) > MAX_STEP_MS || latest.saturating_sub(time_ms) > self.max_late() {
            return self.stray();
        }
        if self.is_closed(end_of(number), latest) {
            return Admission::Stray;
        }
        self.strays = 0;
        self.latest_ms = Some(latest.max(time_ms));
        Admission::Open(number)
    }

    /// The lateness up to which events are of this time: a window that is still open always is.
    fn max_late(&self) -> i64 {
        self.lateness_ms.saturating_add(PERIOD_MS).max(MAX_LATE_MS)
    }

    fn is_closed(&self, end_ms: i64, latest_ms: i64) -> bool {
        end_ms <= self.closed_ms || end_ms.saturating_add(self.lateness_ms) <= latest_ms
    }

    fn stray(&mut self) -> Admission {
        self.strays = self.strays.saturating_add(1);
        if self.strays < MAX_STRAYS { Admission::Stray } else { Admission::Moved }
    }

    /// Returns the latest time of an event, and the end of the last window that was closed.
    pub fn position(&self) -> (Option<i64>, i64) {
        (self.latest_ms, self.closed_ms)
    }

    /// Continues at the position of a snapshot. No window is open.
    pub fn resume(&mut self, latest_ms: Option<i64>, closed_ms: i64) {
        (self.latest_ms, self.closed_ms) = (latest_ms, closed_ms);
    }

    /// Continues at another time. No window is open.
    pub fn restart(&mut self, time_ms: i64) {
        self.latest_ms = number_of(time_ms).map(|_| time_ms);
        self.closed_ms = i64::MIN;
        self.strays = 0;
    }

    /// Returns the next window that can be closed; with `all`, the next that is open.
    #[inline]
    pub fn next_closed(&mut self, all: bool) -> Option<Window> {
        let end_ms = end_of(self.open.front()?.number);
        let is_over = self.latest_ms.is_some_and(|latest| self.is_closed(end_ms, latest));
        if !is_over && !all {
            return None;
        }
        let window = self.open.pop_front()?;
        self.entities = self.entities.saturating_sub(window.entities.len());
        self.closed_ms = self.closed_ms.max(end_ms);
        Some(window)
    }

    /// Returns an entity of an open window. `new` makes it, if there is memory.
    pub fn entity(
        &mut self,
        number: u32,
        digest: Digest,
        memory: &mut Memory,
        new: impl FnOnce(&mut Memory) -> Option<Entity>,
    ) -> Option<&mut Entity> {
        let index = match self.open.binary_search_by_key(&number, |window| window.number) {
            Ok(index) => index,
            Err(index) => {
                self.open.insert(index, Window { number, entities: DigestMap::default() });
                index
            }
        };
        let entities = &mut self.open.get_mut(index)?.entities;
        if !entities.contains_key(&digest) {
            if self.entities >= MAX_ENTITIES {
                return None;
            }
            entities.insert(digest, new(memory)?);
            self.entities = self.entities.saturating_add(1);
        }
        entities.get_mut(&digest)
    }
}

/// Returns the number of the window of a time; `None` before 1970 and after 25 000.
fn number_of(time_ms: i64) -> Option<u32> {
    u32::try_from(time_ms.div_euclid(PERIOD_MS)).ok().filter(|number| *number > 0)
}

/// Returns the end of a window.
pub(super) fn end_of(number: u32) -> i64 {
    i64::from(number).saturating_add(1).saturating_mul(PERIOD_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_583_075_340_000;

    /// Opens the window of each event that is used; returns the numbers of the windows that close, relative to the
    /// first, and the number of strays.
    fn run(times: impl IntoIterator<Item = i64>) -> (Vec<i64>, usize) {
        let (mut windows, mut memory) = (Windows::new(PERIOD_MS), Memory::default());
        let first = i64::from(number_of(START).expect("after 1970"));
        let (mut closed, mut strays) = (Vec::new(), 0);
        for time in times {
            let mut admission = windows.admit(START + time);
            if admission == Admission::Moved {
                while let Some(window) = windows.next_closed(true) {
                    closed.push(i64::from(window.number) - first);
                }
                windows.restart(START + time);
                admission = windows.admit(START + time);
            }
            match admission {
                Admission::Open(number) => {
                    let digest = crate::digest::Secret::new(0).digest(b"entity");
                    let new = |memory: &mut Memory| Entity::new("", None, memory);
                    assert!(windows.entity(number, digest, &mut memory, new).is_some());
                }
                Admission::Stray => strays += 1,
                Admission::Moved => panic!("moved again"),
            }
            while let Some(window) = windows.next_closed(false) {
                closed.push(i64::from(window.number) - first);
            }
        }
        (closed, strays)
    }

    #[test]
    fn windows_close_after_the_lateness() {
        let minute = 60_000;
        for (times, closed, strays) in [
            (&[0, 179_999, 180_000, 359_999][..], &[][..], 0),
            (&[0, 180_000, 360_000], &[0], 0),
            // Within the lateness, and after it.
            (&[0, 5 * minute, minute, 6 * minute, minute], &[0], 1),
            // A gap closes each open window once.
            (&[0, 4 * minute, 600 * minute], &[0, 1], 0),
            // More than a day ahead, and before 1970.
            (&[0, 86_400_001, 1, -START - 1], &[], 2),
            (&[0, 86_400_000], &[0], 0),
        ] {
            assert_eq!(run(times.iter().copied()), (closed.to_vec(), strays), "{times:?}");
        }
    }

    #[test]
    fn the_windows_move_with_the_stream() {
        let year = 365 * 86_400_000;
        for step in [year, -year] {
            let (closed, strays) = run([0].into_iter().chain((0..1_100).map(|at| step + at)));
            assert_eq!((closed, strays), (vec![0], 1_023), "{step}");
        }
        // Nor do repeated events: their windows stay closed.
        let minute = 60_000;
        let repeated = [0, 6 * minute, 59 * minute].into_iter().chain([0; 2_000]);
        assert_eq!(run(repeated), (vec![0, 2], 2_000));
        // A wrong clock among others moves nothing.
        let mixed = (0..5_000).map(|at| if at % 3 == 0 { at } else { year + at });
        assert_eq!(run(mixed), (vec![], 3_333));
    }

    #[test]
    fn the_number_of_entities_is_bounded() {
        let (mut windows, mut memory) = (Windows::new(PERIOD_MS), Memory::default());
        assert_eq!(windows.admit(START), Admission::Open(8_794_863));
        let mut admitted = 0;
        for name in 0..10_000_u32 {
            let digest = crate::digest::Secret::new(0).digest(&name.to_le_bytes());
            let new = |memory: &mut Memory| Entity::new("crm", Some("principal"), memory);
            admitted += usize::from(windows.entity(8_794_863, digest, &mut memory, new).is_some());
        }
        assert_eq!(admitted, MAX_ENTITIES);
    }
}
