//! What keys mean, and which of them is to be expected behind which.
//!
//! Findings of one kind have the same keys in the same order. Decision: a small table of the keys that were seen, as the
//! bytes that stand in a record, each with the one that stood behind it last time. Where the expected key stands, one
//! comparison tells its end and its meaning; to read it, hash it and look its meaning up takes three times as long. The
//! table changes what a record costs and nothing else.

#![expect(clippy::inline_always, reason = "every key comes by here, measured")]

use super::Name;
use super::repeats::Suspicion;

/// How many keys the table holds, those of both encodings together: as many as a byte can number.
const PLACES: usize = 256;

/// Places that stand for the beginning of a record, of JSON text and of `MessagePack`.
pub(super) const BEFORE_JSON: u8 = 0;
pub(super) const BEFORE_MSGPACK: u8 = 1;
const FIRST: u8 = 2;

/// How many places are looked at for a key. A record with too many keys costs more; it does not take longer and longer.
const TRIES: u8 = 8;

/// The longest key that finds a place, with what its encoding puts around it.
pub(super) const LONGEST: usize = 32;

/// The keys that were seen, with what they mean to whoever asks.
pub struct KnownKeys<M> {
    means: fn(&Name<'_>) -> Option<M>,
    known: Box<[Known<M>; PLACES]>,
}

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Known<M> {
    key: Encoded,
    /// The place of the key that stood behind it.
    next: u8,
    meaning: Option<M>,
}

/// A key as the bytes that stand in a record, in overlapping words from both ends: what is not needed of a shorter one
/// is zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Encoded {
    first: u64,
    last: u64,
    second: u64,
    last_but_one: u64,
    length: usize,
}

impl<M: Copy> KnownKeys<M> {
    /// An empty table; `means` says what a key means.
    pub fn new(means: fn(&Name<'_>) -> Option<M>) -> Self {
        let free = Known { key: Encoded::NONE, next: 0, meaning: None };
        Self { means, known: vec![free; PLACES].try_into().unwrap_or_else(|_| Box::new([free; PLACES])) }
    }

    /// The key that stood behind the one of this place, and its place.
    #[inline(always)]
    pub(super) fn behind(&self, place: u8) -> (u8, &Known<M>) {
        let next = self.at(place).next;
        (next, self.at(next))
    }

    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "a byte is a place; the compiler knows it, too")]
    fn at(&self, place: u8) -> &Known<M> {
        &self.known[usize::from(place)]
    }

    #[expect(clippy::indexing_slicing, reason = "as above")]
    fn at_mut(&mut self, place: u8) -> &mut Known<M> {
        &mut self.known[usize::from(place)]
    }

    /// Looks a key up that was not expected behind the one of this place: what it means, and its own place. A key that
    /// finds none leaves the place as it is.
    #[inline(never)]
    pub(super) fn find(
        &mut self,
        behind: u8,
        key: &Name<'_>,
        encoded: Option<Encoded>,
        suspicion: &mut Suspicion,
    ) -> (Option<M>, u8) {
        let Some(encoded) = encoded else {
            let meaning = (self.means)(key);
            if meaning.is_none() {
                suspicion.take(key);
            }
            return (meaning, behind);
        };
        let place = self.place_of(key, encoded, suspicion);
        self.at_mut(behind).next = place;
        let meaning = self.at(place).meaning;
        if meaning.is_none() {
            suspicion.take_place(place);
        }
        (meaning, place)
    }

    fn place_of(&mut self, key: &Name<'_>, encoded: Encoded, suspicion: &mut Suspicion) -> u8 {
        let [.., home] = key.words().hash().to_le_bytes();
        let places = (0..TRIES).map(|step| home.wrapping_add(step).max(FIRST));
        let found = places.into_iter().find(|&place| {
            let known = self.at(place).key;
            known == encoded || known == Encoded::NONE
        });
        let place = found.unwrap_or_else(|| {
            // Another key goes; were it to stand in this record once more, it would look new.
            suspicion.note(true);
            home.max(FIRST)
        });
        if self.at(place).key != encoded {
            *self.at_mut(place) = Known { key: encoded, next: place, meaning: (self.means)(key) };
        }
        place
    }
}

impl<M: Copy> Known<M> {
    /// What it means.
    #[inline(always)]
    pub(super) fn meaning(&self) -> Option<M> {
        self.meaning
    }

    /// What follows it in bytes that begin with it.
    #[inline(always)]
    pub(super) fn follows<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let (begin, rest) = bytes.split_at_checked(self.key.length)?;
        self.key.is(begin).then_some(rest)
    }
}

impl Encoded {
    /// None is as long as no bytes are.
    const NONE: Self = Self { first: 0, last: 0, second: 0, last_but_one: 0, length: usize::MAX };

    /// A key with what stands around it; `None` where that is too short or too long.
    pub(super) fn of(parts: [&[u8]; 3]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        let mut length = 0_usize;
        for part in parts {
            let end = length.wrapping_add(part.len());
            bytes.get_mut(length..end)?.copy_from_slice(part);
            length = end;
        }
        let bytes = bytes.get(..length)?;
        let [first, last] = ends(bytes)?;
        let [second, last_but_one] = inner(bytes).unwrap_or_default();
        Some(Self { first, last, second, last_but_one, length })
    }

    /// Whether bytes of the same length are these.
    #[inline(always)]
    fn is(&self, bytes: &[u8]) -> bool {
        let Some([first, last]) = ends(bytes) else { return false };
        first == self.first
            && last == self.last
            && (bytes.len() <= 16 || inner(bytes) == Some([self.second, self.last_but_one]))
    }
}

/// The first and last eight bytes, or of less the first and last four or two.
#[inline(always)]
fn ends(bytes: &[u8]) -> Option<[u64; 2]> {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return Some([u64::from_le_bytes(*first), u64::from_le_bytes(*last)]);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return Some([u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last))]);
    }
    let (first, last) = (bytes.first_chunk()?, bytes.last_chunk()?);
    Some([u64::from(u16::from_le_bytes(*first)), u64::from(u16::from_le_bytes(*last))])
}

/// The eight bytes within each end of more than sixteen.
#[inline(always)]
fn inner(bytes: &[u8]) -> Option<[u64; 2]> {
    let (first, last): (&[u8; 16], &[u8; 16]) = (bytes.first_chunk()?, bytes.last_chunk()?);
    let (second, last_but_one) = (first.last_chunk()?, last.first_chunk()?);
    (bytes.len() > 16).then(|| [u64::from_le_bytes(*second), u64::from_le_bytes(*last_but_one)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(key: &Name<'_>) -> Option<usize> {
        key.text().len().is_multiple_of(2).then_some(key.text().len())
    }

    #[test]
    fn a_key_begins_the_bytes_that_begin_with_it() {
        for length in 2..=LONGEST {
            let key = vec![b'k'; length];
            let encoded = Encoded::of([&key, b"", b""]).expect("short enough");
            let known = Known { key: encoded, next: 0, meaning: Some(()) };
            for other in 0..64 {
                let mut bytes = vec![b'k'; 64];
                bytes[other] = b'x';
                let follows = (other >= length).then(|| &bytes[length..]);
                assert_eq!(known.follows(&bytes), follows, "{length}, {other}");
            }
            assert_eq!(known.follows(&key), Some(&[][..]));
            assert_eq!(known.follows(&key[1..]), None);
        }
        assert!(Encoded::of([b"k", b"", b""]).is_none());
        assert!(Encoded::of([&[b'k'; 30], b"\":", b"x"]).is_none());
        assert!(Known { key: Encoded::NONE, next: 0, meaning: Some(()) }.follows(&[0; 64]).is_none());
    }

    #[test]
    fn keys_are_expected_behind_each_other_however_many_there_are() {
        let mut keys = KnownKeys::new(meaning);
        let mut suspected = 0;
        for count in [3, 100, 1000] {
            for round in 0..2 {
                let mut behind = BEFORE_JSON;
                let mut suspicion = Suspicion::new();
                for number in 0..count {
                    let text = format!("key-{number}");
                    let bytes = format!("{text}\":1,\"and so on, and so on, and so on");
                    let (place, known) = keys.behind(behind);
                    let follows = known.follows(bytes.as_bytes());
                    assert!(follows.is_some() || round == 0 || count > 3, "{text}");
                    behind = if let Some(follows) = follows {
                        assert_eq!(follows.len(), bytes.len() - text.len() - 2);
                        assert_eq!(known.meaning(), meaning(&Name::of(text.as_bytes())));
                        place
                    } else {
                        let name = Name::of(text.as_bytes());
                        let encoded = Encoded::of([text.as_bytes(), b"\":", b""]);
                        let (found, place) = keys.find(behind, &name, encoded, &mut suspicion);
                        assert_eq!(found, meaning(&name));
                        place
                    };
                }
                suspected += u32::from(suspicion.any());
                assert!(count > 100 || !suspicion.any());
            }
        }
        // A key that went makes way for suspicion.
        assert_eq!(suspected, 2);
    }
}
