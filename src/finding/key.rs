//! Which of a record's keys mean something: one look into a table that is made while compiling.
//!
//! Most keys of a record mean nothing to the filter, and each costs a look. Decision: a hash of three bytes under which
//! no two names meet, so that one comparison settles it; a `match` over the names compares a key with every name of its
//! length.

use super::Field;
use crate::record::OWN_KEY;

/// What a top-level key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A field of a finding.
    Field(Field),
    /// Where log agents put the text of a line, which may be a whole finding.
    Line,
    /// Where the lists of batches stand, in kAudit's words, Coralogix's and the Kubernetes API's.
    Batch,
    /// What a filter before this one added.
    Own,
}

const LINES: [&str; 4] = ["log", "message", "msg", "MESSAGE"];
const BATCHES: [&str; 8] =
    ["items", "findings", "records", "entries", "logEntries", "detections", "selections", "activity"];

/// The filter's own key; `keys: snake` would turn the first spelling into the second.
const OWN: [&[u8]; 2] = [b"kaudit-filter", OWN_KEY.as_bytes()];

/// A name in either spelling, the same one twice where they are equal.
struct Name {
    spellings: [&'static [u8]; 2],
    meaning: Key,
}

const FREE: Name = Name { spellings: [b""; 2], meaning: Key::Own };

/// Each name at its place. Two names that meet do not compile: other factors in [`mix`] will do.
static TABLE: [Name; 256] = {
    let mut table = [FREE; 256];
    let mut fields = Field::ALL;
    while let [field, rest @ ..] = fields {
        put(&mut table, field.spellings(), Key::Field(*field));
        fields = rest;
    }
    put_all(&mut table, &LINES, Key::Line);
    put_all(&mut table, &BATCHES, Key::Batch);
    put(&mut table, OWN, Key::Own);
    table
};

const fn put_all(table: &mut [Name; 256], mut names: &[&'static str], meaning: Key) {
    while let [name, rest @ ..] = names {
        put(table, [name.as_bytes(); 2], meaning);
        names = rest;
    }
}

#[expect(clippy::indexing_slicing, clippy::panic, reason = "evaluated by the compiler, which reports either")]
const fn put(table: &mut [Name; 256], spellings: [&'static [u8]; 2], meaning: Key) {
    let Some(place) = place(spellings[0]) else { panic!("a name needs two letters") };
    assert!(table[place as usize].spellings[0].is_empty(), "two names meet");
    table[place as usize] = Name { spellings, meaning };
}

const fn mix(first: u8, last_but_one: u8, last: u8) -> u8 {
    first.wrapping_mul(4).wrapping_add(last_but_one.wrapping_mul(25)).wrapping_add(last)
}

/// The first, last but one and last byte, mixed.
const fn place(key: &[u8]) -> Option<u8> {
    match key {
        // In a key of two letters the first is the last but one as well.
        [first, last] => Some(mix(*first, *first, *last)),
        [first, .., last_but_one, last] => Some(mix(*first, *last_but_one, *last)),
        _ => None,
    }
}

impl Key {
    /// What a key means, in either spelling.
    #[inline]
    pub fn of(key: &[u8]) -> Option<Self> {
        let Name { spellings: [kaudit, snake], meaning } = TABLE.get(usize::from(place(key)?))?;
        (*kaudit == key || *snake == key).then_some(*meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_each_name_in_either_spelling_and_no_other() {
        for &field in Field::ALL {
            for name in [field.name().to_owned(), field.name().replace('-', "_")] {
                assert_eq!(Key::of(name.as_bytes()), Some(Key::Field(field)), "{name}");
                assert_eq!(Key::of(format!("{name}x").as_bytes()), None);
                assert_eq!(Key::of(name.to_uppercase().as_bytes()), None);
            }
        }
        for name in LINES {
            assert_eq!(Key::of(name.as_bytes()), Some(Key::Line), "{name}");
        }
        for name in OWN {
            assert_eq!(Key::of(name), Some(Key::Own));
        }
        for name in ["", "x", "xy", "Log", "cluste", "eidd", "lo-"] {
            assert_eq!(Key::of(name.as_bytes()), None, "{name}");
        }
    }
}
