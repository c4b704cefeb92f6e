//! What the keys of a record mean: fields of a finding, places to look in, parts of an entry.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::finding::Field;
use crate::record::{Keys, OWN_KEY};

/// What a key means: in the lower byte the slot of a field, in the upper byte a role besides. One number, since each key of
/// each record is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u16);

impl Key {
    /// The lower byte of a key that names no field.
    const NO_SLOT: u16 = 0xff;
    /// The roles below; the paths of `look-in` follow them.
    const ROLES: u16 = 4;
    /// Nothing to the filter, as most.
    pub const NOTHING: Self = Self(Self::NO_SLOT);
    /// The key under which a filter before this one added something.
    pub const OWN: Self = Self::role(1);
    /// An entry's `applicationName`.
    pub const APPLICATION: Self = Self::role(2);
    /// An entry's `subsystemName`.
    pub const SUBSYSTEM: Self = Self::role(3);

    const fn role(role: u16) -> Self {
        Self(role << 8 | Self::NO_SLOT)
    }

    /// The slot of the field that it names.
    #[inline(always)]
    pub fn slot(self) -> Option<usize> {
        let slot = self.0 & Self::NO_SLOT;
        (slot != Self::NO_SLOT).then_some(usize::from(slot))
    }

    /// The slot of the field that it names, if it has no role besides; else a number that no field has.
    #[inline(always)]
    pub fn only_slot(self) -> usize {
        usize::from(self.0)
    }

    /// The path of `look-in` that begins with it.
    pub fn path(self) -> Option<usize> {
        (self.0 >> 8).checked_sub(Self::ROLES).map(usize::from)
    }

    /// This meaning and another's.
    fn and(self, other: Self) -> Self {
        let slot = if self.slot().is_some() { self.0 } else { other.0 } & Self::NO_SLOT;
        Self((self.0 >> 8).max(other.0 >> 8) << 8 | slot)
    }
}

/// The paths of `look-in` that begin with the same key.
#[derive(Debug)]
pub(crate) struct Path {
    /// The first key.
    pub first: Box<str>,
    /// Whether a path consists of it alone.
    pub ends: bool,
    /// The further keys of the others.
    pub further: Vec<Vec<Box<str>>>,
}

impl Path {
    /// Sorts the paths of a configuration by their first keys.
    pub fn sort<'p>(paths: impl IntoIterator<Item = &'p Vec<String>>) -> Vec<Self> {
        let mut sorted: Vec<Self> = Vec::new();
        for path in paths {
            let Some((first, further)) = path.split_first() else { continue };
            let at = sorted.iter().position(|path| *path.first == **first).unwrap_or_else(|| {
                sorted.push(Self { first: first.as_str().into(), ends: false, further: Vec::new() });
                sorted.len().saturating_sub(1)
            });
            let Some(path) = sorted.get_mut(at) else { continue };
            path.ends |= further.is_empty();
            if !further.is_empty() {
                path.further.push(further.iter().map(|key| key.as_str().into()).collect());
            }
        }
        sorted
    }
}

/// The meanings of all keys, for one configuration.
///
/// Decision: a hash table, since the cache asks it only for keys that it does not have. A table without collisions that
/// the compiler works out is four times the code.
pub(crate) struct KeyTable(HashMap<Box<[u8]>, Key, FixedState>);

impl KeyTable {
    pub fn new(paths: &[Path]) -> Self {
        let mut table = HashMap::with_hasher(FixedState::default());
        let mut put = |name: &str, key: Key| {
            let entry: &mut Key = table.entry(name.as_bytes().into()).or_insert(Key::NOTHING);
            *entry = entry.and(key);
        };
        for (field, slot) in Field::ALL.iter().zip(0..) {
            for name in [field.name().to_owned(), field.name().replace('-', "_")] {
                put(&name, Key(slot));
            }
        }
        for (path, role) in paths.iter().zip(Key::ROLES..) {
            put(&path.first, Key::role(role));
        }
        // `keys: snake` would turn the first spelling into the second.
        for name in ["kaudit-filter", OWN_KEY] {
            put(name, Key::OWN);
        }
        put("applicationName", Key::APPLICATION);
        put("subsystemName", Key::SUBSYSTEM);
        Self(table)
    }
}

impl Keys for KeyTable {
    type Meaning = Key;

    fn meaning(&self, key: &[u8]) -> Key {
        self.0.get(key).copied().unwrap_or(Key::NOTHING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_fields_paths_and_parts_of_entries() {
        let path = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let paths =
            Path::sort(&[path(&["log"]), path(&["properties", "log"]), path(&["eid"]), path(&["log", "x"])]);
        let table = KeyTable::new(&paths);
        for field in Field::ALL {
            for name in [field.name().to_owned(), field.name().replace('-', "_")] {
                assert_eq!(table.meaning(name.as_bytes()).slot(), Some(*field as usize), "{name}");
                assert_eq!(table.meaning(name.to_uppercase().as_bytes()), Key::NOTHING);
            }
        }
        let at = |name: &str| table.meaning(name.as_bytes()).path().map(|at| &paths[at]);
        assert!(at("log").is_some_and(|path| path.ends && path.further.len() == 1));
        assert!(at("properties").is_some_and(|path| !path.ends && *path.further[0][0] == *"log"));
        assert!(at("eid").is_some_and(|path| path.ends) && at("message").is_none());
        assert_eq!(table.meaning(b"kaudit_filter"), Key::OWN);
        assert_eq!(table.meaning(b"nothing"), Key::NOTHING);
    }
}
