//! A key, read once: what recognises a name and what notices a repeated one look at the same few words.

use core::hash::BuildHasher as _;

use foldhash::fast::FixedState;

/// A key of a record, with its ends as numbers.
///
/// Decision: the first and the last eight bytes as two words, which overlap in a key of less than sixteen. Two keys of
/// one length up to sixteen are equal when their words are; a call that compares slices costs five times as much.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    text: &'a [u8],
    ends: [u64; 2],
    hash: u64,
}

/// Up to this length the ends tell two keys apart.
const TOLD: usize = 16;

/// Up to this length the ends depend on every byte.
const MIXED: usize = 24;

impl<'a> Name<'a> {
    /// Reads a key.
    #[inline]
    pub const fn of(text: &'a [u8]) -> Self {
        let ends = ends(text);
        Self { text, ends, hash: mix(ends) }
    }

    /// The key's bytes.
    pub const fn text(&self) -> &'a [u8] {
        self.text
    }

    /// A number that spreads keys over tables by its upper bits; of a long key, its ends alone.
    #[inline]
    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    /// The same, of the whole key whatever its length.
    #[inline]
    pub(super) fn whole_hash(&self) -> u64 {
        if self.text.len() <= MIXED { self.hash } else { FixedState::default().hash_one(self.text) }
    }

    /// Whether two keys are the same.
    #[inline]
    pub(crate) fn is(&self, other: &Name<'_>) -> bool {
        self.seems(other) && (self.text.len() <= TOLD || self.text == other.text)
    }

    /// Whether two keys have the same ends and length.
    #[inline]
    pub(crate) const fn seems(&self, other: &Name<'_>) -> bool {
        let ([first, last], [other_first, other_last]) = (self.ends, other.ends);
        first == other_first && last == other_last && self.text.len() == other.text.len()
    }
}

/// The first and last word; of more than sixteen bytes the last takes in the word behind the first. Of less than eight
/// bytes the first word has all, read as two overlapping halves.
#[inline]
const fn ends(text: &[u8]) -> [u64; 2] {
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let mut last = u64::from_le_bytes(*last);
        if text.len() > TOLD
            && let Some((_, rest)) = text.split_first_chunk::<8>()
            && let Some(second) = rest.first_chunk()
        {
            last ^= u64::from_le_bytes(*second).rotate_left(32);
        }
        return [u64::from_le_bytes(*first), last];
    }
    let all = match (text.first_chunk(), text.last_chunk()) {
        (Some(first), Some(last)) => {
            u32::from_le_bytes(*first) as u64 | (u32::from_le_bytes(*last) as u64) << 32
        }
        _ => match *text {
            [] => 0,
            [one] => one as u64,
            [one, two] => one as u64 | (two as u64) << 8,
            [one, two, three, ..] => one as u64 | (two as u64) << 8 | (three as u64) << 16,
        },
    };
    [all, 0]
}

const fn mix([first, last]: [u64; 2]) -> u64 {
    // Found by trial: with these no two of the names that mean something share the product's upper eight bits.
    (first ^ last.rotate_left(17)).wrapping_mul(0x4e48_b720_b207_3b39)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_itself_and_no_other() {
        let texts: Vec<Vec<u8>> = (0..40)
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
                assert_eq!(Name::of(one).is(&Name::of(other)), index == other_index);
            }
        }
    }
}
