//! How far a string runs before there is something to look at: its end, an escape, a control character.
//!
//! Most of a JSON record is strings, so this decides what a record costs. Sixteen bytes are looked at together where the
//! processor has vectors, eight in a word elsewhere, as in an interpreter of WebAssembly.

#![expect(clippy::inline_always, reason = "the search is the inside of its caller's loop, measured")]

use imp::{WIDTH, first_stop};
/// Whether of a block the bits of a mask are these.
pub(super) use imp::{bytes_before, masked_is};

/// How many bytes are compared together.
pub(super) const BLOCK: usize = 16;

/// How many bytes stand before the first quote, backslash or control character.
#[cfg_attr(any(target_feature = "sse2", target_feature = "neon"), inline(always))]
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    length::<false>(bytes)
}

/// How many bytes stand before the first of these, or of a character that is not ASCII.
#[inline(always)]
pub(super) fn ascii_length(bytes: &[u8]) -> usize {
    length::<true>(bytes)
}

#[inline(always)]
fn length<const ASCII: bool>(bytes: &[u8]) -> usize {
    // Most strings end in the first.
    match bytes.first_chunk().map(first_stop::<ASCII>) {
        Some(Some(stop)) => stop,
        Some(None) => WIDTH.wrapping_add(long_length::<ASCII>(bytes.get(WIDTH..).unwrap_or_default())),
        None => tail_length::<ASCII>(bytes),
    }
}

fn long_length<const ASCII: bool>(bytes: &[u8]) -> usize {
    let (blocks, tail) = bytes.as_chunks();
    let mut length = 0_usize;
    for block in blocks {
        if let Some(stop) = first_stop::<ASCII>(block) {
            return length.wrapping_add(stop);
        }
        length = length.wrapping_add(WIDTH);
    }
    length.wrapping_add(tail_length::<ASCII>(tail))
}

/// The same for less than a block.
fn tail_length<const ASCII: bool>(mut tail: &[u8]) -> usize {
    let mut length = 0_usize;
    while let Some((word, rest)) = tail.split_first_chunk() {
        match word_stops::<ASCII>(u64::from_le_bytes(*word)) {
            0 => length = length.wrapping_add(8),
            stops => return length.wrapping_add(bytes_before(stops)),
        }
        tail = rest;
    }
    length.wrapping_add(tail.iter().take_while(|byte| !is_stop::<ASCII>(**byte)).count())
}

fn is_stop<const ASCII: bool>(byte: u8) -> bool {
    byte ^ TURN < BELOW || byte == b'\\' || (ASCII && !byte.is_ascii())
}

/// A word's bytes that are no digits: the highest bit of each, exact from the lowest byte to the first that is none.
#[inline(always)]
pub(super) fn no_digits(word: u64) -> u64 {
    let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
    // Below `0` the difference has its highest bit set, above `9` the sum has; what is carried on comes from a byte that
    // is none already.
    (word.wrapping_sub(each(b'0')) | word.wrapping_add(each(0x7f - b'9')) | word) & each(0x80)
}

/// How many digits stand from a place on.
#[inline]
pub(super) fn digits_from(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        match no_digits(u64::from_le_bytes(*word)) {
            0 => at = at.wrapping_add(8),
            others => return at.wrapping_add(bytes_before(others)).wrapping_sub(from),
        }
    }
    let tail = bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
    at.wrapping_add(tail.count()).wrapping_sub(from)
}

/// Where a byte is less than the one taken away, its highest bit is set; a borrow may set those above it, too, but the
/// lowest is exact.
#[inline(always)]
fn word_stops<const ASCII: bool>(word: u64) -> u64 {
    let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
    let quote_or_control = (word ^ each(TURN)).wrapping_sub(each(BELOW));
    let backslash = (word ^ each(b'\\')).wrapping_sub(each(1));
    let stops = quote_or_control | backslash;
    (if ASCII { stops | word } else { stops & !word }) & each(0x80)
}

/// With this bit turned, the quote and the control characters are those below [`BELOW`].
const TURN: u8 = b'"' ^ 0x20;
const BELOW: u8 = 0x21;

#[cfg(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"))]
mod imp {
    use wide::u8x16;

    use super::{BELOW, BLOCK, TURN};

    pub(super) const WIDTH: usize = 16;

    /// How many of a word's bytes stand before the first that has its highest bit set, if only such bits are.
    #[inline(always)]
    pub(in crate::record) fn bytes_before(bits: u64) -> usize {
        (bits.trailing_zeros() / 8) as usize
    }

    #[inline(always)]
    pub(super) fn first_stop<const ASCII: bool>(block: &[u8; WIDTH]) -> Option<usize> {
        let bytes = u8x16::new(*block);
        let turned = bytes ^ u8x16::splat(TURN);
        let quote_or_control = turned.min(u8x16::splat(BELOW.wrapping_sub(1))).simd_eq(turned);
        let backslash = bytes.simd_eq(u8x16::splat(b'\\'));
        let stops = quote_or_control | backslash;
        // A lane's highest bit is its bit in the mask.
        let stops = (if ASCII { stops | bytes } else { stops }).to_bitmask();
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

    /// Four words without a look at what is left in between.
    pub(super) const WIDTH: usize = 32;

    /// The same as with vectors. Fluent Bit's interpreter counts zeros bit by bit in a loop; here the bytes before are
    /// what is left of the lowest bit, one bit of each, added up in the product's highest byte.
    #[inline(always)]
    pub(in crate::record) fn bytes_before(bits: u64) -> usize {
        let ones = u64::from_ne_bytes([1; 8]);
        (bits.wrapping_sub(1) & ones).wrapping_mul(ones).wrapping_shr(56).wrapping_sub(1) as usize
    }

    #[inline(always)]
    pub(super) fn first_stop<const ASCII: bool>(block: &[u8; WIDTH]) -> Option<usize> {
        let (words, _) = block.as_chunks();
        let mut before = 0_usize;
        for word in words {
            let stops = word_stops::<ASCII>(u64::from_le_bytes(*word));
            if stops != 0 {
                return Some(before.wrapping_add(bytes_before(stops)));
            }
            before = before.wrapping_add(8);
        }
        None
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
            let is_no_ascii = byte >= 0x80;
            for length in 1..40 {
                for at in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    let before = |stops| if stops { at } else { length };
                    assert_eq!(super::plain_length(&bytes), before(stops), "{bytes:?}");
                    assert_eq!(super::ascii_length(&bytes), before(stops || is_no_ascii), "{bytes:?}");
                }
            }
        }
        assert_eq!(super::plain_length(b""), 0);
    }
}
