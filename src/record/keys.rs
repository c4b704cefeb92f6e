//! What keys mean, and in which order they come.
//!
//! Findings of one kind have the same keys in the same order. Decision: a few layouts are kept, one for each key that
//! records begin with: the keys that were seen in such records, each once, in the order in which they came. A record is
//! followed along its layout. Where the next key stands, one comparison tells its end and its meaning; and what goes
//! forward in a layout, however many keys it leaves out, meets no key twice. A key that is not the next is looked for,
//! and learnt where it stands. Layouts change what a record costs and nothing else.

#![expect(clippy::inline_always, reason = "every key comes by here, measured")]

use super::Name;
use super::plain::{BLOCK, masked_is};
use super::repeats::Suspicion;

/// How many layouts are kept, those of both encodings together. There are three kinds of finding.
const LAYOUTS: usize = 8;

/// How many beginnings of keys are told apart before a layout is tried.
const LIKELY: usize = 16;

/// How many keys a layout has room for. A record of more keys costs more; it does not take longer and longer.
const ROOM: usize = 64;

/// How many keys that are left out take no search.
const SKIPPED: usize = 2;

/// The longest key that finds room, with what its encoding puts around it.
pub(super) const LONGEST: usize = 3 * BLOCK;

/// The keys that were seen, with what they mean to whoever asks.
pub struct KnownKeys<M> {
    means: fn(&Name<'_>) -> M,
    layouts: [Vec<Known<M>>; LAYOUTS],
    /// The layout that was made last.
    newest: usize,
    /// The layouts of the last records whose first keys began alike.
    likely: [u8; LIKELY],
}

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Known<M> {
    key: Encoded,
    pub meaning: M,
}

/// How far a record was followed.
#[derive(Clone, Copy)]
pub(super) struct Place {
    layout: usize,
    /// How many keys of the layout are passed.
    passed: usize,
}

/// A key as the bytes that stand in a record, in three blocks: the first, the second and the last. What is not needed of
/// a shorter one is zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoded {
    first: u128,
    /// Which bits of the first bytes are the key's.
    mask: u128,
    second: u128,
    last: u128,
    length: u8,
}

impl<M: Copy> KnownKeys<M> {
    /// No layout yet; `means` says what a key means.
    pub fn new(means: fn(&Name<'_>) -> M) -> Self {
        Self { means, layouts: [const { Vec::new() }; LAYOUTS], newest: 0, likely: [0; LIKELY] }
    }

    /// Where a record most likely begins whose first key stands here.
    #[inline]
    pub(super) fn begin(&self, bytes: &[u8]) -> Place {
        Place { layout: self.likely.get(beginning(bytes)).copied().map_or(0, usize::from), passed: 0 }
    }

    /// The keys that are expected from a place on.
    #[inline]
    pub(super) fn from(&self, place: Place) -> &[Known<M>] {
        self.layouts.get(place.layout).and_then(|layout| layout.get(place.passed..)).unwrap_or_default()
    }

    /// The place before these keys.
    pub(super) fn before(&self, place: Place, keys: usize) -> Place {
        let all = self.layouts.get(place.layout).map_or(0, Vec::len);
        Place { passed: all.saturating_sub(keys), ..place }
    }

    /// Goes on where the record's layout is another than was likely, or where the keys that are next in this place are
    /// left out, as some are in some records, and one of those behind them stands: its meaning, the place behind it, and
    /// what follows it.
    pub(super) fn skip<'b>(&mut self, place: Place, bytes: &'b [u8]) -> Option<(M, Place, &'b [u8])> {
        if place.passed == 0 {
            let first = |layout: &Vec<Known<M>>| {
                layout.first().and_then(|known| Some((known.meaning, known.follows(bytes)?)))
            };
            let (layout, (meaning, rest)) =
                self.layouts.iter().enumerate().find_map(|(at, layout)| Some((at, first(layout)?)))?;
            self.expect(bytes, layout);
            return Some((meaning, Place { layout, passed: 1 }, rest));
        }
        let near = self.from(place).iter().take(SKIPPED.wrapping_add(1)).enumerate();
        let (left_out, known, rest) =
            near.skip(1).find_map(|(at, known)| Some((at, known, known.follows(bytes)?)))?;
        let passed = place.passed.wrapping_add(left_out).wrapping_add(1);
        Some((known.meaning, Place { passed, ..place }, rest))
    }

    /// Looks a key up that was not the next of this place: what it means, and the place behind it.
    #[inline(never)]
    pub(super) fn find(
        &mut self,
        mut place: Place,
        key: &Name<'_>,
        encoded: Option<Encoded>,
        suspicion: &mut Suspicion,
    ) -> (M, Place) {
        let meaning = (self.means)(key);
        let Some(encoded) = encoded else {
            suspicion.take(key);
            return (meaning, place);
        };
        if place.passed == 0 {
            place.layout = self.layout_of(encoded);
            self.expect(&encoded.first.to_ne_bytes(), place.layout);
        }
        let Some(layout) = self.layouts.get_mut(place.layout) else { return (meaning, place) };
        match layout.iter().position(|known| known.key == encoded) {
            Some(at) if at >= place.passed => place.passed = at.saturating_add(1),
            Some(at) => {
                // In this record or in others it stood before; from now on it stands here.
                suspicion.suspect();
                layout.get_mut(at..place.passed).unwrap_or_default().rotate_left(1);
            }
            None if place.passed == ROOM => suspicion.take(key),
            None => {
                if layout.len() == ROOM {
                    layout.truncate(place.passed);
                }
                layout.insert(place.passed, Known { key: encoded, meaning });
                place.passed = place.passed.saturating_add(1);
            }
        }
        (meaning, place)
    }

    /// From now on records whose first key begins like this are likely to have this layout.
    fn expect(&mut self, key: &[u8], layout: usize) {
        if let (Some(likely), Ok(layout)) = (self.likely.get_mut(beginning(key)), u8::try_from(layout)) {
            *likely = layout;
        }
    }

    /// The layout of records that begin with this key; where there is none, one that has no key.
    fn layout_of(&mut self, key: Encoded) -> usize {
        let begins = |layout: &Vec<Known<M>>| layout.first().is_some_and(|known| known.key == key);
        self.layouts.iter().position(begins).unwrap_or_else(|| {
            self.newest = self.newest.wrapping_add(1) % LAYOUTS;
            self.layouts.get_mut(self.newest).into_iter().for_each(Vec::clear);
            self.newest
        })
    }
}

/// What the first two letters of a key tell, a number below [`LIKELY`].
#[inline]
fn beginning(key: &[u8]) -> usize {
    let [_, first, second, ..] = key else { return 0 };
    usize::from(first.wrapping_add(*second)) % LIKELY
}

impl<M: Copy> Known<M> {
    /// What follows it in bytes that begin with it. At the end of a record, where less than a block is left, it is not
    /// looked for.
    #[inline(always)]
    pub(super) fn follows<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let Encoded { first, mask, second, last, length } = self.key;
        let length = usize::from(length);
        if !masked_is(*bytes.first_chunk()?, mask, first) {
            return None;
        }
        if length <= BLOCK {
            return bytes.get(length..);
        }
        let (key, rest) = bytes.split_at_checked(length)?;
        let is_last = masked_is(*key.last_chunk()?, u128::MAX, last);
        let is_second = || block(key, BLOCK).is_some_and(|block| masked_is(block, u128::MAX, second));
        (is_last && (length <= 2 * BLOCK || is_second())).then_some(rest)
    }
}

impl Encoded {
    /// A key with what stands around it; `None` where that is too long.
    pub(super) fn of(parts: [&[u8]; 3]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        let mut end = 0_usize;
        for part in parts {
            let start = end;
            end = start.wrapping_add(part.len());
            bytes.get_mut(start..end)?.copy_from_slice(part);
        }
        let mut mask = [0; BLOCK];
        mask.iter_mut().take(end).for_each(|byte| *byte = 0xff);
        let number = |from| block(&bytes, from).map_or(0, u128::from_ne_bytes);
        let last = end.checked_sub(BLOCK).map_or(0, number);
        let [first, mask, second] = [number(0), u128::from_ne_bytes(mask), number(BLOCK)];
        Some(Self { first, mask, second, last, length: u8::try_from(end).ok()? })
    }
}

/// The block that begins at a place.
#[inline(always)]
fn block(bytes: &[u8], at: usize) -> Option<[u8; BLOCK]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_begins_the_bytes_that_begin_with_it() {
        for length in 0..=LONGEST {
            let key = vec![b'k'; length];
            let known = Known { key: Encoded::of([&key, b"", b""]).expect("short enough"), meaning: () };
            for other in 0..64 {
                let mut bytes = vec![b'k'; 64];
                bytes[other] = b'x';
                let follows = (other >= length).then(|| &bytes[length..]);
                assert_eq!(known.follows(&bytes), follows, "{length}, {other}");
            }
            let enough = key.len() >= BLOCK;
            assert_eq!(known.follows(&key), enough.then_some(&[][..]));
            assert_eq!(known.follows(key.get(1..).unwrap_or_default()), None);
        }
        assert!(Encoded::of([&[b'k'; LONGEST - 2], b"\":", b"x"]).is_none());
    }

    /// Scans a record of these keys: how many were not the next, and whether some may stand twice.
    fn scan(keys: &mut KnownKeys<usize>, record: &[&str]) -> (usize, bool) {
        let bytes: String = record.iter().flat_map(|key| ["\"", *key, "\":"]).collect();
        let bytes = bytes + "the end of the record";
        let mut rest = bytes.as_bytes();
        let mut place = keys.begin(rest);
        let mut suspicion = Suspicion::new();
        let mut looked_for = 0;
        for key in record {
            let meaning;
            (meaning, place, rest) = match keys.from(place).split_first() {
                Some((known, later)) if known.follows(rest).is_some() => {
                    (known.meaning, keys.before(place, later.len()), known.follows(rest).expect("as above"))
                }
                _ => {
                    looked_for += 1;
                    keys.skip(place, rest).unwrap_or_else(|| {
                        let encoded = Encoded::of([b"\"", key.as_bytes(), b"\":"]);
                        let (meaning, place) =
                            keys.find(place, &Name::of(key.as_bytes()), encoded, &mut suspicion);
                        (meaning, place, &rest[key.len() + 3..])
                    })
                }
            };
            assert_eq!(meaning, key.len(), "{key}");
        }
        assert_eq!(rest, b"the end of the record");
        (looked_for, suspicion.any())
    }

    #[test]
    fn keys_are_expected_in_the_order_in_which_they_came() {
        let mut keys = KnownKeys::new(|key| key.text().len());
        let table: [(&[&str], (usize, bool)); 18] = [
            (&["a", "b", "ccc", "dd"], (4, false)),
            (&["a", "b", "ccc", "dd"], (0, false)),
            (&["a", "ccc", "dd"], (1, false)),
            (&["a", "b", "new", "ccc", "dd"], (1, false)),
            (&["a", "b", "new", "ccc", "dd"], (0, false)),
            (&["a", "b", "ccc", "dd"], (1, false)),
            // Another kind.
            (&["b", "a"], (2, false)),
            (&["b", "a"], (0, false)),
            (&["a", "b", "ccc", "a"], (2, true)),
            (&["b", "b"], (1, true)),
            // Another order: the first such record is suspected, the next is not.
            (&["a", "new", "b", "ccc", "dd"], (5, false)),
            (&["a", "b", "new", "ccc", "dd"], (2, true)),
            (&["a", "b", "new", "ccc", "dd"], (0, false)),
            // Another layout whose first letters are taken for the same: the wrong one is tried first.
            (&["q", "dd"], (2, false)),
            (&["q", "dd"], (0, false)),
            (&["a", "b", "new", "ccc", "dd"], (1, false)),
            (&["q", "dd"], (1, false)),
            (&[], (0, false)),
        ];
        for (step, (record, wanted)) in table.into_iter().enumerate() {
            assert_eq!(scan(&mut keys, record), wanted, "{step}: {record:?}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_suspected_however_many_there_are() {
        let names: Vec<String> = (0..1000).map(|number| format!("key-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let long = "k".repeat(100);
        for (first, second) in [(0, 1), (0, 999), (5, 70), (63, 64), (64, 65), (500, 999)] {
            let mut keys = KnownKeys::new(|key| key.text().len());
            for repeated in [names[first], &long] {
                let mut record = names[..second.min(90)].to_vec();
                record.insert(first.min(record.len()), repeated);
                record.push(repeated);
                for _ in 0..3 {
                    assert!(scan(&mut keys, &record).1, "{first}, {second}");
                }
            }
        }
        let mut keys = KnownKeys::new(|key| key.text().len());
        let few = &names[..ROOM];
        assert_eq!([scan(&mut keys, few), scan(&mut keys, few)], [(ROOM, false), (0, false)]);
        // What has no room makes some for itself behind the place where it stands.
        let other = [names[0], "other", names[1]];
        assert_eq!([scan(&mut keys, &other), scan(&mut keys, &other)], [(2, false), (0, false)]);
    }
}
