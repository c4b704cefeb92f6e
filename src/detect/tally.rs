//! What was counted of one entity in one window.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::memory::{Memory, of_text};
use super::statistic::Direction;
use crate::finding::DetectionKind;

/// The maximum number of different values that are counted. More are counted as this many.
const MAX_UNIQUE: usize = 1_024;

/// The maximum number of values in a record.
const MAX_VALUES: usize = 16;

/// The maximum length of a value in a record, in bytes. Longer ones are counted and not listed: a part of a value may
/// end within a secret, which the pattern of a redaction then does not find.
pub(super) const MAX_TEXT: usize = 1_024;

/// The memory of a tally without its values.
const TALLY: usize = 96;
/// The memory of the digest of a value, in a list that doubles.
const DIGEST: usize = 16;

/// The events of one kind and direction.
#[derive(Debug)]
pub(super) struct Tally {
    pub kind: DetectionKind,
    pub direction: Direction,
    pub count: u32,
    /// Digests of the different values, sorted.
    digests: Vec<u64>,
    /// The first values in alphabetical order, so that the order of the events does not matter.
    values: Vec<Box<str>>,
}

/// All tallies of one entity.
#[derive(Debug)]
pub(super) struct Entity {
    pub cluster: Box<str>,
    /// The principal; `None`: the cluster itself.
    pub principal: Option<Box<str>>,
    pub tallies: Vec<Tally>,
}

/// The value of an event that is counted.
#[derive(Clone, Copy)]
pub(super) struct Counted<'v> {
    pub kind: DetectionKind,
    pub direction: Direction,
    /// Empty if events are counted, not values.
    pub value: &'v str,
    pub digest: u64,
}

impl Tally {
    /// Returns the number of different values.
    pub fn unique(&self) -> u32 {
        u32::try_from(self.digests.len()).unwrap_or(u32::MAX)
    }

    /// Returns the values, sorted.
    pub fn values(&self) -> &[Box<str>] {
        &self.values
    }

    fn memory(&self) -> usize {
        let values = self.values.iter().fold(0_usize, |sum, value| sum.saturating_add(of_text(value)));
        self.digests.len().saturating_mul(DIGEST).saturating_add(values).saturating_add(TALLY)
    }

    /// Adds an event; returns whether there was memory for its value.
    fn add(&mut self, counted: &Counted<'_>, memory: &mut Memory) -> bool {
        self.count = self.count.saturating_add(1);
        if counted.value.is_empty() {
            return true;
        }
        let Err(place) = self.digests.binary_search(&counted.digest) else { return true };
        if self.digests.len() >= MAX_UNIQUE {
            return true;
        }
        if !memory.take(DIGEST) {
            return false;
        }
        self.digests.insert(place, counted.digest);
        self.insert_value(counted.value, memory)
    }

    fn insert_value(&mut self, value: &str, memory: &mut Memory) -> bool {
        if value.len() > MAX_TEXT {
            return true;
        }
        let Err(place) = self.values.binary_search_by(|known| (**known).cmp(value)) else { return true };
        if place >= MAX_VALUES {
            return true;
        }
        if !memory.take(of_text(value)) {
            return false;
        }
        if self.values.len() >= MAX_VALUES
            && let Some(last) = self.values.pop()
        {
            memory.release(of_text(&last));
        }
        self.values.reserve_exact(1);
        self.values.insert(place, value.into());
        true
    }
}

impl Entity {
    /// Returns an entity without tallies, if there is memory for it.
    pub fn new(cluster: &str, principal: Option<&str>, memory: &mut Memory) -> Option<Self> {
        let (cluster, principal) = (shortened(cluster), principal.map(shortened));
        let entity =
            Self { cluster: cluster.into(), principal: principal.map(Box::from), tallies: Vec::new() };
        memory.take(entity.own_memory()).then_some(entity)
    }

    /// Adds an event; returns whether there was memory for all of it.
    pub fn add(&mut self, counted: &Counted<'_>, memory: &mut Memory) -> bool {
        let Counted { kind, direction, .. } = *counted;
        let same = |tally: &Tally| tally.kind == kind && tally.direction == direction;
        if let Some(tally) = self.tallies.iter_mut().find(|tally| same(tally)) {
            return tally.add(counted, memory);
        }
        if !memory.take(TALLY) {
            return false;
        }
        let mut tally = Tally { kind, direction, count: 0, digests: Vec::new(), values: Vec::new() };
        let complete = tally.add(counted, memory);
        self.tallies.reserve_exact(1);
        self.tallies.push(tally);
        complete
    }

    /// Returns the memory that was taken for the entity.
    pub fn memory(&self) -> usize {
        self.tallies.iter().fold(self.own_memory(), |sum, tally| sum.saturating_add(tally.memory()))
    }

    fn own_memory(&self) -> usize {
        // Twice the slot of a table, which doubles.
        const SLOT: usize = 192;
        let principal = self.principal.as_deref().map_or(0, of_text);
        of_text(&self.cluster).saturating_add(principal).saturating_add(SLOT)
    }
}

/// Returns the part of a name that is stored.
pub(super) fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(number: u32, value: &str) -> Counted<'_> {
        let kind = DetectionKind::RemoteCommands;
        Counted { kind, direction: Direction::Write, value, digest: number.into() }
    }

    #[test]
    fn different_values_are_counted_up_to_a_maximum() {
        let mut memory = Memory::default();
        let mut entity = Entity::new("crm", Some("ops"), &mut memory).expect("memory is left");
        for round in 0..3 {
            for number in 0..2_000_u32 {
                let value = format!("command {number:04}");
                assert!(entity.add(&counted(number, &value), &mut memory), "{round} {number}");
            }
        }
        let [tally] = &entity.tallies[..] else { panic!("one tally") };
        assert_eq!((tally.count, tally.unique()), (6_000, 1_024));
        let expected: Vec<String> = (0..16).map(|number| format!("command {number:04}")).collect();
        assert_eq!(tally.values().iter().map(|value| &**value).collect::<Vec<_>>(), expected);
        assert_eq!(memory.used(), entity.memory());
    }

    #[test]
    fn the_order_of_events_does_not_matter() {
        let tally = |numbers: &mut dyn Iterator<Item = u32>| {
            let mut memory = Memory::default();
            let mut entity = Entity::new("", None, &mut memory).expect("memory is left");
            for number in numbers {
                entity.add(&counted(number, &format!("command {number:04}")), &mut memory);
            }
            assert_eq!(memory.used(), entity.memory());
            entity.tallies.pop().map(|tally| (tally.count, tally.unique(), tally.values))
        };
        assert_eq!(tally(&mut (0..100)), tally(&mut (0..100).rev()));
    }

    #[test]
    fn long_values_are_counted_and_not_listed() {
        let mut memory = Memory::default();
        let mut entity = Entity::new("", None, &mut memory).expect("memory is left");
        for (number, length) in [(0, MAX_TEXT), (1, MAX_TEXT + 1)] {
            assert!(entity.add(&counted(number, &"x".repeat(length)), &mut memory), "{length}");
        }
        let [tally] = &entity.tallies[..] else { panic!("one tally") };
        assert_eq!((tally.count, tally.unique()), (2, 2));
        assert_eq!(tally.values(), ["x".repeat(MAX_TEXT).into_boxed_str()]);
        assert_eq!(memory.used(), entity.memory());
    }

    #[test]
    fn spent_memory_is_reported() {
        let mut memory = Memory::default();
        let mut entity = Entity::new("", None, &mut memory).expect("memory is left");
        assert!(entity.add(&counted(0, "ls"), &mut memory));
        while memory.take(8) {}
        assert!(!entity.add(&counted(1, "id"), &mut memory));
        assert!(entity.add(&counted(0, "ls"), &mut memory), "a known value takes none");
        assert!(Entity::new("", Some("ops"), &mut memory).is_none());
    }
}
