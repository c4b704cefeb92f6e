//! Finds the end of a string or of a number's digits.
//!
//! Most of a JSON record is strings, so this decides what a record costs. Sixteen bytes are compared at a time where the
//! processor has vectors, eight in a word elsewhere, as in the WebAssembly guest.

/// The number of bytes before the first quote, backslash or control character.
#[inline]
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    length::<false>(bytes)
}

/// The number of bytes before the first quote, backslash, control character or byte that is not ASCII.
#[inline(always)]
pub(super) fn ascii_length(bytes: &[u8]) -> usize {
    length::<true>(bytes)
}

/// Whether there is no quote, backslash or control character. Most strings are short: two words that may overlap cover
/// up to sixteen bytes.
#[inline]
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) if bytes.len() <= 16 => {
            let stops = |word: &[u8; 8]| word_stops::<false>(u64::from_le_bytes(*word));
            stops(first) | stops(last) == 0
        }
        _ => plain_length(bytes) == bytes.len(),
    }
}

/// A bit for each quote, backslash and control character of a block, the first in the lowest.
#[inline(always)]
pub(super) fn stops(block: &[u8; BLOCK]) -> u32 {
    #[cfg(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"))]
    {
        vectors::stops::<false>(block)
    }
    #[cfg(not(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")))]
    {
        block.iter().rev().fold(0, |stops, byte| stops << 1 | u32::from(is_stop::<false>(*byte)))
    }
}

/// How many bytes are compared at a time.
pub(super) const BLOCK: usize = 16;

/// Whether the bits of a block that are in the mask are these.
#[inline(always)]
pub(super) fn masked_is(block: &[u8; BLOCK], mask: [u8; BLOCK], these: [u8; BLOCK]) -> bool {
    #[cfg(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"))]
    {
        use wide::u8x16;
        (u8x16::new(*block) & u8x16::new(mask)).simd_eq(u8x16::new(these)).to_bitmask() == 0xffff
    }
    #[cfg(not(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")))]
    {
        u128::from_ne_bytes(*block) & u128::from_ne_bytes(mask) == u128::from_ne_bytes(these)
    }
}

/// Whether all bytes are ASCII. Most strings are short: two words that may overlap cover up to sixteen bytes.
#[inline]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) if bytes.len() <= 16 => {
            let ends = u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last);
            ends & u64::from_ne_bytes([0x80; 8]) == 0
        }
        _ => bytes.is_ascii(),
    }
}

/// The number of digits at the beginning.
#[inline]
pub(super) fn digits_length(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks();
    let mut length = 0_usize;
    for word in words {
        match no_digits(u64::from_le_bytes(*word)) {
            0 => length = length.wrapping_add(8),
            others => return length.wrapping_add((others.trailing_zeros() / 8) as usize),
        }
    }
    length.wrapping_add(tail.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

/// Sets the highest bit of each byte that is no digit, exact from the lowest byte to the first such byte: below `0` the
/// difference has it, above `9` the sum.
#[inline(always)]
fn no_digits(word: u64) -> u64 {
    let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
    (word.wrapping_sub(each(b'0')) | word.wrapping_add(each(0x7f - b'9')) | word) & each(0x80)
}

/// With this bit flipped, the quote and the control characters are those below [`BELOW`].
const FLIP: u8 = b'"' ^ 0x20;
const BELOW: u8 = 0x21;

#[cfg(not(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")))]
use words_length as length;

/// Eight bytes at a time.
#[inline]
fn words_length<const ASCII: bool>(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks();
    let mut length = 0_usize;
    for word in words {
        match word_stops::<ASCII>(u64::from_le_bytes(*word)) {
            0 => length = length.wrapping_add(8),
            stops => return length.wrapping_add((stops.trailing_zeros() / 8) as usize),
        }
    }
    length.wrapping_add(tail.iter().take_while(|byte| !is_stop::<ASCII>(**byte)).count())
}

fn is_stop<const ASCII: bool>(byte: u8) -> bool {
    byte ^ FLIP < BELOW || byte == b'\\' || (ASCII && !byte.is_ascii())
}

/// Sets the highest bit of each byte that is less than the one subtracted. A borrow may set the bits above it, too, but
/// the lowest is exact.
#[inline(always)]
fn word_stops<const ASCII: bool>(word: u64) -> u64 {
    let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
    let quote_or_control = (word ^ each(FLIP)).wrapping_sub(each(BELOW));
    let backslash = (word ^ each(b'\\')).wrapping_sub(each(1));
    let stops = quote_or_control | backslash;
    (if ASCII { stops | word } else { stops & !word }) & each(0x80)
}

#[cfg(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"))]
use vectors::length;

#[cfg(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"))]
mod vectors {
    use wide::u8x16;

    use super::{BELOW, BLOCK, FLIP, words_length};

    #[inline(always)]
    pub(super) fn length<const ASCII: bool>(bytes: &[u8]) -> usize {
        // Most strings end in the first block.
        match bytes.first_chunk().map(first_stop::<ASCII>) {
            Some(Some(stop)) => stop,
            Some(None) => BLOCK.wrapping_add(long_length::<ASCII>(bytes.get(BLOCK..).unwrap_or_default())),
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
            length = length.wrapping_add(BLOCK);
        }
        length.wrapping_add(tail_length::<ASCII>(tail))
    }

    /// Of less than a block.
    #[cold]
    fn tail_length<const ASCII: bool>(bytes: &[u8]) -> usize {
        words_length::<ASCII>(bytes)
    }

    #[inline(always)]
    fn first_stop<const ASCII: bool>(block: &[u8; BLOCK]) -> Option<usize> {
        let stops = stops::<ASCII>(block);
        (stops != 0).then(|| stops.trailing_zeros() as usize)
    }

    #[inline(always)]
    pub(super) fn stops<const ASCII: bool>(block: &[u8; BLOCK]) -> u32 {
        let bytes = u8x16::new(*block);
        let flipped = bytes ^ u8x16::splat(FLIP);
        let quote_or_control = flipped.min(u8x16::splat(BELOW.wrapping_sub(1))).simd_eq(flipped);
        let backslash = bytes.simd_eq(u8x16::splat(b'\\'));
        let stops = quote_or_control | backslash;
        // A lane's highest bit is its bit in the mask.
        (if ASCII { stops | bytes } else { stops }).to_bitmask()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn stops_at_each_byte_it_should_at_any_offset() {
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
                    assert_eq!(
                        super::words_length::<true>(&bytes),
                        before(stops || is_no_ascii),
                        "{bytes:?}"
                    );
                    assert_eq!(super::words_length::<false>(&bytes), before(stops), "{bytes:?}");
                    if let Some(block) = bytes.first_chunk() {
                        assert_eq!(
                            super::stops(block),
                            u32::from(stops && at < 16) << (at % 16),
                            "{bytes:?}"
                        );
                    }
                }
            }
        }
        assert_eq!(super::plain_length(b""), 0);
    }

    #[test]
    fn short_checks_do_as_long_ones() {
        for byte in 0..=u8::MAX {
            for length in 1..40 {
                for at in 0..length {
                    let mut bytes = vec![b'7'; length];
                    bytes[at] = byte;
                    assert_eq!(super::is_plain(&bytes), super::plain_length(&bytes) == length, "{bytes:?}");
                    assert_eq!(super::is_ascii(&bytes), bytes.is_ascii(), "{bytes:?}");
                    let digits = if byte.is_ascii_digit() { length } else { at };
                    assert_eq!(super::digits_length(&bytes), digits, "{bytes:?}");
                }
            }
        }
        assert!(super::is_plain(b"") && super::is_ascii(b"") && super::digits_length(b"") == 0);
    }
}
