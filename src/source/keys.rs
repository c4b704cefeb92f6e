//! The meanings of a record's keys: finding fields, `look-in` paths, entry members.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use crate::audit::Member;
use crate::finding::Field;
use crate::record::{KeySet, OWN_KEY};

/// The meaning of a key: a field slot in the lower byte, a role in the upper.
///
/// It is one number, because every key of every record is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownKey(u16);

impl KnownKey {
    /// The lower byte of a key that is not a field.
    const NO_SLOT: u16 = 0xff;
    /// The number of roles below. The paths of `look-in` follow them.
    const ROLES: u16 = 4;
    /// A key without a meaning to the filter, as most are.
    pub const NONE: Self = Self(Self::NO_SLOT);
    /// The key under which an earlier filter added its data.
    pub const OWN: Self = Self::role(1);
    /// An entry's `applicationName`.
    pub const APPLICATION: Self = Self::role(2);
    /// An entry's `subsystemName`.
    pub const SUBSYSTEM: Self = Self::role(3);
    /// The CloudWatch log group of an EKS cluster, around its events.
    pub const LOG_GROUP: Self = Self::role(Self::EVENT_ROLES);
    /// The resource id of an AKS cluster, around its events.
    pub const RESOURCE_ID: Self = Self::role(Self::EVENT_ROLES + 1);
    /// The maximum number of different first keys of paths.
    const PATHS: u16 = 72;
    /// The first role around audit events. The roles of an event's members follow.
    const EVENT_ROLES: u16 = Self::ROLES + 2 * Self::PATHS;
    const MEMBERS: u16 = Self::EVENT_ROLES + 2;

    const fn role(role: u16) -> Self {
        Self(role << 8 | Self::NO_SLOT)
    }

    /// Returns the slot of the field that the key names.
    #[inline(always)]
    pub fn slot(self) -> Option<usize> {
        let slot = self.0 & Self::NO_SLOT;
        (slot != Self::NO_SLOT).then_some(usize::from(slot))
    }

    /// Returns the slot of the field if the key has no role, otherwise an invalid slot.
    #[inline(always)]
    pub fn only_slot(self) -> usize {
        usize::from(self.0)
    }

    /// The key at which this path begins; `events`: audit events are recognised.
    const fn of_path(path: u16, events: bool) -> Self {
        let first = if events { Self::ROLES + Self::PATHS } else { Self::ROLES };
        Self::role(first.saturating_add(path))
    }

    /// Returns the index of the `look-in` path that begins with the key.
    pub fn path(self) -> Option<usize> {
        let path = (self.0 >> 8).checked_sub(Self::ROLES)?;
        (self.0 >> 8 < Self::EVENT_ROLES).then_some(usize::from(path % Self::PATHS))
    }

    /// Whether a text under the key may be an audit event in the legacy format, of a path that begins with it.
    pub fn may_be_legacy_event(self) -> bool {
        self.0 >> 8 >= Self::ROLES + Self::PATHS
    }

    /// Returns the member of an audit event that the key names.
    pub fn member(self) -> Option<Member> {
        Member::ALL.get(usize::from((self.0 >> 8).checked_sub(Self::MEMBERS)?)).copied()
    }

    /// Combines this meaning with another.
    fn and(self, other: Self) -> Self {
        let slot = if self.slot().is_some() { self.0 } else { other.0 } & Self::NO_SLOT;
        Self((self.0 >> 8).max(other.0 >> 8) << 8 | slot)
    }
}

/// The paths of `look-in` that begin with the same key.
#[derive(Debug)]
pub(crate) struct KeyPath {
    /// The first key.
    pub first: Box<str>,
    /// Whether the first key alone is a path.
    pub is_whole_path: bool,
    /// The remaining keys of each longer path.
    pub tails: Vec<Vec<Box<str>>>,
}

impl KeyPath {
    /// Groups the paths of a configuration by their first keys.
    pub fn sort<'p>(paths: impl IntoIterator<Item = &'p Vec<String>>) -> Vec<Self> {
        let mut sorted = Vec::new();
        for path in paths {
            Self::add(&mut sorted, path);
        }
        sorted
    }

    /// Adds a path, which may be in the list already.
    pub fn add(sorted: &mut Vec<Self>, path: &[impl AsRef<str>]) {
        let Some((first, further)) = path.split_first() else { return };
        let first = first.as_ref();
        let at = sorted.iter().position(|path| *path.first == *first).unwrap_or_else(|| {
            sorted.push(Self { first: first.into(), is_whole_path: false, tails: Vec::new() });
            sorted.len().saturating_sub(1)
        });
        let Some(path) = sorted.get_mut(at) else { return };
        path.is_whole_path |= further.is_empty();
        let further: Vec<Box<str>> = further.iter().map(|key| key.as_ref().into()).collect();
        if !further.is_empty() && !path.tails.contains(&further) {
            path.tails.push(further);
        }
    }
}

/// The meanings of all keys for one configuration.
///
/// Decision: a sorted map, because only keys that the cache does not contain are looked up. With a hash table
/// (`foldhash`) the guard's records take as many instructions.
pub(crate) struct KeyTable(BTreeMap<Box<[u8]>, KnownKey>);

impl KeyTable {
    /// Creates the table for the paths of `look-in`, with the members of audit events if `events` is set.
    pub fn new(paths: &[KeyPath], events: bool) -> Self {
        let mut table = BTreeMap::new();
        let mut put = |name: &str, key: KnownKey| {
            let entry: &mut KnownKey = table.entry(name.as_bytes().into()).or_insert(KnownKey::NONE);
            *entry = entry.and(key);
        };
        for (field, slot) in Field::ALL.iter().zip(0..) {
            for name in [field.name().to_owned(), field.name().replace('-', "_")] {
                put(&name, KnownKey(slot));
            }
        }
        for (path, index) in paths.iter().zip(0..KnownKey::PATHS) {
            put(&path.first, KnownKey::of_path(index, events));
        }
        // `keys: snake` would turn the first spelling into the second.
        for name in ["kaudit-filter", OWN_KEY] {
            put(name, KnownKey::OWN);
        }
        put("applicationName", KnownKey::APPLICATION);
        put("subsystemName", KnownKey::SUBSYSTEM);
        if events {
            put("logGroup", KnownKey::LOG_GROUP);
            put("resourceId", KnownKey::RESOURCE_ID);
            for (member, role) in Member::ALL.iter().zip(KnownKey::MEMBERS..) {
                member.names().iter().for_each(|name| put(name, KnownKey::role(role)));
            }
        }
        Self(table)
    }
}

impl KeySet for KeyTable {
    type Meaning = KnownKey;

    fn meaning(&self, key: &[u8]) -> KnownKey {
        self.0.get(key).copied().unwrap_or(KnownKey::NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_mapped_to_fields_paths_and_entry_members() {
        let path = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let paths = KeyPath::sort(&[
            path(&["log"]),
            path(&["properties", "log"]),
            path(&["eid"]),
            path(&["log", "x"]),
        ]);
        let table = KeyTable::new(&paths, true);
        for field in Field::ALL {
            for name in [field.name().to_owned(), field.name().replace('-', "_")] {
                assert_eq!(table.meaning(name.as_bytes()).slot(), Some(*field as usize), "{name}");
                assert_eq!(table.meaning(name.to_uppercase().as_bytes()), KnownKey::NONE);
            }
        }
        let at = |name: &str| table.meaning(name.as_bytes()).path().map(|at| &paths[at]);
        assert!(at("log").is_some_and(|path| path.is_whole_path && path.tails.len() == 1));
        assert!(at("properties").is_some_and(|path| !path.is_whole_path && *path.tails[0][0] == *"log"));
        assert!(at("eid").is_some_and(|path| path.is_whole_path) && at("message").is_none());
        assert_eq!(table.meaning(b"kaudit_filter"), KnownKey::OWN);
        assert_eq!(table.meaning(b"nothing"), KnownKey::NONE);
        for &member in Member::ALL {
            for name in member.names() {
                let key = table.meaning(name.as_bytes());
                assert!(key.member() == Some(member) && key.path().is_none(), "{name}");
                assert_eq!(KeyTable::new(&paths, false).meaning(name.as_bytes()).member(), None, "{name}");
            }
        }
        assert!(table.meaning(b"verb").slot() == Some(Field::Verb as usize));
    }
}
