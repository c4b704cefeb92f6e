//! Which of a record's keys mean something: one look into a table that is made while compiling.
//!
//! Most keys of a record mean nothing to the filter, and each costs a look. Decision: a place for each name that none
//! shares, by the upper bits of a key's hash, so that one comparison settles it; a `match` over the names compares a key
//! with every name of its length.

#![expect(clippy::inline_always, reason = "every key comes by here, measured")]

use super::Field;
use crate::record::{Name, OWN_KEY, Words};

/// What a top-level key means: a number, those of fields first, since every key of every record is asked for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u8);

impl Key {
    /// Where log agents put the text of a line, which may be a whole finding.
    pub const LINE: Self = Self(252);
    /// Where the lists of batches stand, in kAudit's words, Coralogix's and the Kubernetes API's.
    pub const BATCH: Self = Self(253);
    /// What a filter before this one added.
    pub const OWN: Self = Self(254);
    /// Nothing to the filter, as most.
    pub const NOTHING: Self = Self(255);
}

const LINES: [&str; 4] = ["log", "message", "msg", "MESSAGE"];
const BATCHES: [&str; 8] =
    ["items", "findings", "records", "entries", "logEntries", "detections", "selections", "activity"];

/// The filter's own key; `keys: snake` would turn the first spelling into the second.
const OWN: [&str; 2] = ["kaudit-filter", OWN_KEY];

/// What stands at a place of the table.
#[derive(Clone, Copy)]
struct Known {
    words: Words,
    meaning: Key,
}

/// Each name at its place.
static TABLE: [Known; 256] = {
    let mut table = [Known { words: Words::NONE, meaning: Key::NOTHING }; 256];
    let mut fields = Field::ALL;
    while let [field, rest @ ..] = fields {
        let [name, snake] = field.spellings();
        put(&mut table, name, Key(*field as u8));
        if !Name::of(name).words().are(Name::of(snake).words()) {
            put(&mut table, snake, Key(*field as u8));
        }
        fields = rest;
    }
    put_all(&mut table, &LINES, Key::LINE);
    put_all(&mut table, &BATCHES, Key::BATCH);
    put_all(&mut table, &OWN, Key::OWN);
    table
};

const fn put_all(table: &mut [Known; 256], mut names: &[&'static str], meaning: Key) {
    while let [name, rest @ ..] = names {
        put(table, name.as_bytes(), meaning);
        names = rest;
    }
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which reports what is out of range")]
const fn put(table: &mut [Known; 256], name: &'static [u8], meaning: Key) {
    let name = Name::of(name);
    let words = *name.words();
    assert!(words.length() <= Words::ALL, "a longer name takes more than its words to compare");
    let place = place(&words) as usize;
    assert!(table[place].words.are(&Words::NONE), "two names meet: the hash of names needs another factor");
    table[place] = Known { words, meaning };
}

#[inline(always)]
const fn place(words: &Words) -> u8 {
    let [.., upper] = words.hash().to_le_bytes();
    upper
}

impl Key {
    /// What a key means, in either spelling.
    pub fn of(key: &Name<'_>) -> Self {
        match TABLE.get(usize::from(place(key.words()))) {
            Some(known) if known.words.are(key.words()) => known.meaning,
            _ => Self::NOTHING,
        }
    }

    /// The field that the key names.
    pub fn field(self) -> Option<Field> {
        Field::ALL.get(self.number()).copied()
    }

    /// The field's place among all, or a number beyond.
    #[inline(always)]
    pub fn number(self) -> usize {
        usize::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Key {
        Key::of(&Name::of(name.as_bytes()))
    }

    #[test]
    fn knows_each_name_in_either_spelling_and_no_other() {
        for &field in Field::ALL {
            for name in [field.name().to_owned(), field.name().replace('-', "_")] {
                assert_eq!(of(&name), Key(field as u8), "{name}");
                assert_eq!(of(&format!("{name}x")), Key::NOTHING);
                assert_eq!(of(&name.to_uppercase()), Key::NOTHING);
            }
        }
        for name in LINES {
            assert_eq!(of(name), Key::LINE, "{name}");
        }
        for name in OWN {
            assert_eq!(of(name), Key::OWN);
        }
        for name in ["", "x", "xy", "Log", "cluste", "eidd", "lo-"] {
            assert_eq!(of(name), Key::NOTHING, "{name}");
        }
    }
}
