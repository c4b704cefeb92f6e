//! How far a string runs before there is something to look at: its end, an escape, a control character.
//!
//! Most of a JSON record is strings, so this decides what a record costs. Sixteen bytes are looked at together where the
//! processor has vectors, eight in a word elsewhere, as in an interpreter of WebAssembly.

#![expect(clippy::inline_always, reason = "the search is the inside of its caller's loop, measured")]

/// Whether of a block the bits of a mask are these.
pub(super) use imp::masked_is;
use imp::{WIDTH, first_stop};

/// How many bytes are compared together.
pub(super) const BLOCK: usize = 16;

/// How many bytes stand before the first quote, backslash or control character.
#[inline(always)]
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    let (blocks, tail) = bytes.as_chunks();
    let mut length = 0_usize;
    for block in blocks {
        if let Some(stop) = first_stop(*block) {
            return length.wrapping_add(stop);
        }
        length = length.wrapping_add(WIDTH);
    }
    length.wrapping_add(tail_length(tail))
}

/// The same for less than a block.
#[inline]
fn tail_length(tail: &[u8]) -> usize {
    let Some((word, rest)) = tail.split_first_chunk() else {
        return tail.iter().take_while(|byte| !is_stop(**byte)).count();
    };
    match word_stops(u64::from_le_bytes(*word)) {
        0 => tail_length(rest).wrapping_add(8),
        stops => (stops.trailing_zeros() / 8) as usize,
    }
}

fn is_stop(byte: u8) -> bool {
    byte ^ TURN < BELOW || byte == b'\\'
}

/// How many of a word's bytes, from the lowest on, are digits.
#[inline(always)]
pub(super) fn digits_of(word: u64) -> u32 {
    let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
    // Below `0` the difference has its highest bit set, above `9` the sum has; what is carried on comes from a byte that
    // is none already.
    let others = (word.wrapping_sub(each(b'0')) | word.wrapping_add(each(0x7f - b'9')) | word) & each(0x80);
    others.trailing_zeros() / 8
}

/// How many digits stand from a place on.
#[inline]
pub(super) fn digits_from(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let digits = digits_of(u64::from_le_bytes(*word));
        at = at.wrapping_add(digits as usize);
        if digits < 8 {
            return at.wrapping_sub(from);
        }
    }
    let tail = bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
    at.wrapping_add(tail.count()).wrapping_sub(from)
}

/// Where a byte is less than the one taken away, its highest bit is set; a borrow may set those above it, too, but the
/// lowest is exact.
#[inline(always)]
fn word_stops(word: u64) -> u64 {
    let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
    let quote_or_control = (word ^ each(TURN)).wrapping_sub(each(BELOW));
    let backslash = (word ^ each(b'\\')).wrapping_sub(each(1));
    (quote_or_control | backslash) & !word & each(0x80)
}

/// With this bit turned, the quote and the control characters are those below [`BELOW`].
const TURN: u8 = b'"' ^ 0x20;
const BELOW: u8 = 0x21;

#[cfg(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"))]
mod imp {
    use wide::u8x16;

    use super::{BELOW, BLOCK, TURN};

    pub(super) const WIDTH: usize = 16;

    #[inline(always)]
    pub(super) fn first_stop(block: [u8; WIDTH]) -> Option<usize> {
        let bytes = u8x16::new(block);
        let turned = bytes ^ u8x16::splat(TURN);
        let quote_or_control = turned.min(u8x16::splat(BELOW.wrapping_sub(1))).simd_eq(turned);
        let backslash = bytes.simd_eq(u8x16::splat(b'\\'));
        let stops = (quote_or_control | backslash).to_bitmask();
        (stops != 0).then(|| stops.trailing_zeros() as usize)
    }

    #[inline(always)]
    pub(in crate::record) fn masked_is(block: [u8; BLOCK], mask: u128, these: u128) -> bool {
        let [block, mask, these] = [block, mask.to_ne_bytes(), these.to_ne_bytes()].map(u8x16::new);
        (block & mask).simd_eq(these).to_bitmask() == 0xffff
    }
}

#[cfg(not(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")))]
mod imp {
    use super::{BLOCK, word_stops};

    pub(super) const WIDTH: usize = 8;

    #[inline(always)]
    pub(super) fn first_stop(block: [u8; WIDTH]) -> Option<usize> {
        let stops = word_stops(u64::from_le_bytes(block));
        (stops != 0).then(|| (stops.trailing_zeros() / 8) as usize)
    }

    #[inline(always)]
    pub(in crate::record) fn masked_is(block: [u8; BLOCK], mask: u128, these: u128) -> bool {
        u128::from_ne_bytes(block) & mask == these
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn stops_at_each_byte_it_should_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            let stops = byte < 0x20 || byte == b'"' || byte == b'\\';
            for length in 1..40 {
                for at in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    assert_eq!(super::plain_length(&bytes), if stops { at } else { length }, "{bytes:?}");
                }
            }
        }
        assert_eq!(super::plain_length(b""), 0);
    }
}
