//! A key, read once: what recognises a name and what notices a repeated one look at the same few words.

#![expect(clippy::inline_always, reason = "every key comes by here, measured")]

use core::hash::BuildHasher as _;

use foldhash::fast::FixedState;

/// A key of a record, with its bytes as words.
///
/// Decision: of up to 24 bytes three words, the first, the last and the one behind the first, are all there is to
/// compare; a call that compares slices costs several times as much, and each key of each record comes by here.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    text: &'a [u8],
    words: Words,
}

/// A key's words and length. The first and last may overlap; less than eight bytes are all in the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    first: u64,
    last: u64,
    /// Zero in a key of up to sixteen bytes.
    second: u64,
    length: usize,
}

impl<'a> Name<'a> {
    /// Reads a key.
    #[inline(always)]
    pub const fn of(text: &'a [u8]) -> Self {
        Self { text, words: Words::of(text) }
    }

    /// The key's bytes.
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The key's words.
    pub(crate) const fn words(&self) -> &Words {
        &self.words
    }

    /// A number that spreads keys over tables by its upper bits.
    #[inline(always)]
    pub(super) fn hash(&self) -> u64 {
        if self.text.len() <= Words::ALL {
            self.words.hash()
        } else {
            FixedState::default().hash_one(self.text)
        }
    }
}

impl Words {
    /// Up to this length no byte is missing.
    pub(crate) const ALL: usize = 24;

    /// No key at all.
    pub(crate) const NONE: Self = Self { first: 0, last: 0, second: 0, length: usize::MAX };

    #[inline(always)]
    const fn of(text: &[u8]) -> Self {
        let length = text.len();
        let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) else {
            return Self { first: few(text), last: 0, second: 0, length };
        };
        let second = match text.split_first_chunk::<8>() {
            Some((_, rest)) if length > 16 => match rest.first_chunk() {
                Some(second) => u64::from_le_bytes(*second),
                None => 0,
            },
            _ => 0,
        };
        Self { first: u64::from_le_bytes(*first), last: u64::from_le_bytes(*last), second, length }
    }

    /// A number that spreads keys over tables by its upper bits.
    #[inline(always)]
    pub(crate) const fn hash(&self) -> u64 {
        // Found by trial: with these no two of the names that mean something share the product's upper eight bits.
        (self.first ^ self.last.rotate_left(17) ^ self.second.rotate_left(49))
            .wrapping_mul(0x4e48_b720_b207_3b39)
    }

    /// Whether two keys of up to 24 bytes are the same.
    #[inline(always)]
    pub(crate) const fn are(&self, other: &Self) -> bool {
        self.first == other.first
            && self.last == other.last
            && self.length == other.length
            && self.second == other.second
    }

    /// How many bytes the key has.
    pub(crate) const fn length(&self) -> usize {
        self.length
    }
}

/// Less than eight bytes as a number, read as two overlapping halves.
#[inline(always)]
const fn few(text: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return u32::from_le_bytes(*first) as u64 | (u32::from_le_bytes(*last) as u64) << 32;
    }
    match *text {
        [] => 0,
        [one] => one as u64,
        [one, two] => one as u64 | (two as u64) << 8,
        [one, two, three, ..] => one as u64 | (two as u64) << 8 | (three as u64) << 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_itself_and_no_other() {
        let texts: Vec<Vec<u8>> = (0..=Words::ALL)
            .flat_map(|length| {
                (0..=length).map(move |at| {
                    let mut text = vec![b'a'; length];
                    // One byte is another, or none.
                    text.get_mut(at).into_iter().for_each(|byte| *byte = b'b');
                    text
                })
            })
            .collect();
        for (index, one) in texts.iter().enumerate() {
            for (other_index, other) in texts.iter().enumerate() {
                assert_eq!(Name::of(one).words().are(Name::of(other).words()), index == other_index);
            }
        }
    }
}
