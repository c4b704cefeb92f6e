//! Finds the end of a string or of a number's digits.
//!
//! JSON records are mostly strings, so this determines the cost of a record. Sixteen bytes are compared at a time where
//! the processor has vector instructions, elsewhere (as in the WebAssembly guest) eight bytes as one integer.

/// Counts the bytes before the first quote, backslash or control character.
#[inline]
pub(crate) fn plain_length(bytes: &[u8]) -> usize {
    length::<false>(bytes)
}

/// Counts the bytes before the first quote, backslash, control or non-ASCII byte.
#[inline(always)]
pub(super) fn ascii_length(bytes: &[u8]) -> usize {
    length::<true>(bytes)
}

/// Returns whether the bytes contain no quote, backslash or control character.
///
/// Most strings are short: two eight-byte words, which may overlap, cover up to sixteen bytes.
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

/// Returns a bit mask of the quotes, backslashes and control characters of a block.
///
/// The first byte is the lowest bit.
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

/// The number of bytes compared at a time.
pub(super) const BLOCK: usize = 16;

/// Returns whether the masked bits of a block equal `expected`.
#[inline(always)]
pub(super) fn masked_eq(block: &[u8; BLOCK], mask: [u8; BLOCK], expected: [u8; BLOCK]) -> bool {
    #[cfg(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"))]
    {
        use wide::u8x16;
        (u8x16::new(*block) & u8x16::new(mask)).simd_eq(u8x16::new(expected)).to_bitmask() == 0xffff
    }
    #[cfg(not(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")))]
    {
        u128::from_ne_bytes(*block) & u128::from_ne_bytes(mask) == u128::from_ne_bytes(expected)
    }
}

/// Returns whether all bytes are ASCII.
///
/// Most strings are short: two eight-byte words, which may overlap, cover up to sixteen bytes.
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

/// Counts the digits at the beginning.
#[inline]
pub(super) fn digits_length(bytes: &[u8]) -> usize {
    let (words, tail) = bytes.as_chunks();
    let mut length = 0_usize;
    for word in words {
        match non_digits(u64::from_le_bytes(*word)) {
            0 => length = length.wrapping_add(8),
            others => return length.wrapping_add((others.trailing_zeros() / 8) as usize),
        }
    }
    length.wrapping_add(tail.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

/// Sets the highest bit of each byte that is not a digit.
///
/// The result is exact up to the first such byte, from the lowest. The difference has the bit for bytes below `0`, the
/// sum for bytes above `9`.
#[inline(always)]
fn non_digits(word: u64) -> u64 {
    let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
    (word.wrapping_sub(each(b'0')) | word.wrapping_add(each(0x7f - b'9')) | word) & each(0x80)
}

/// The bit that maps the quote and the control characters below [`BELOW`].
const FLIP: u8 = b'"' ^ 0x20;
const BELOW: u8 = 0x21;

#[cfg(not(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")))]
use words_length as length;

/// Compares eight bytes at a time.
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

/// Sets the highest bit of each stop byte.
///
/// A stop is less than the subtracted byte. A borrow may set bits above the lowest one, which is exact.
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

    /// Handles the bytes after the last whole block.
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
        // The highest bit of a lane is its bit in the mask.
        (if ASCII { stops | bytes } else { stops }).to_bitmask()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_stop_byte_is_found_at_any_offset() {
        for byte in 0..=u8::MAX {
            let stops = byte < 0x20 || byte == b'"' || byte == b'\\';
            let is_non_ascii = byte >= 0x80;
            for length in 1..40 {
                for at in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    let before = |stops| if stops { at } else { length };
                    assert_eq!(super::plain_length(&bytes), before(stops), "{bytes:?}");
                    assert_eq!(super::ascii_length(&bytes), before(stops || is_non_ascii), "{bytes:?}");
                    assert_eq!(
                        super::words_length::<true>(&bytes),
                        before(stops || is_non_ascii),
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
    fn short_checks_agree_with_long_ones() {
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
