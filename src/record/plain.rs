//! How far a string runs before there is something to look at: its end, an escape, a control character. The same of
//! plain digits, and the number that they spell.
//!
//! Most of a JSON record is strings, so this decides what a record costs. Sixteen bytes are looked at together where the
//! processor has vectors, eight in a word elsewhere, as in an interpreter of WebAssembly. An interpreter is slow where the
//! way of a record is long, not where it goes round: for it, all is done in loops, and as few as there can be.

#![expect(clippy::inline_always, reason = "the search is the inside of its caller's loop, measured")]

use imp::{bytes_before, length};
/// With how many digits bytes begin; what a short plain number is; whether of a block the bits of a mask are these.
pub(super) use imp::{digits_length, masked_is, whole};
#[cfg(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"))]
use vectors as imp;
#[cfg(not(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128")))]
use words as imp;

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

/// The same word by word.
#[inline]
fn words_length<const ASCII: bool>(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks();
    let mut length = 0_usize;
    for word in words {
        match word_stops::<ASCII>(u64::from_le_bytes(*word)) {
            0 => length = length.wrapping_add(8),
            stops => return length.wrapping_add(bytes_before(stops)),
        }
    }
    while bytes.get(length).is_some_and(|byte| !is_stop::<ASCII>(*byte)) {
        length = length.wrapping_add(1);
    }
    length
}

fn is_stop<const ASCII: bool>(byte: u8) -> bool {
    byte ^ TURN < BELOW || byte == b'\\' || (ASCII && !byte.is_ascii())
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
mod vectors {
    use wide::u8x16;

    use super::{BELOW, BLOCK, TURN, words_length};

    /// How many of a word's bytes stand before the first that has its highest bit set, if only such bits are.
    #[inline(always)]
    pub(super) fn bytes_before(bits: u64) -> usize {
        (bits.trailing_zeros() / 8) as usize
    }

    #[inline(always)]
    pub(super) fn length<const ASCII: bool>(bytes: &[u8]) -> usize {
        // Most strings end in the first.
        match bytes.first_chunk().map(first_stop::<ASCII>) {
            Some(Some(stop)) => stop,
            Some(None) => BLOCK.wrapping_add(long_length::<ASCII>(bytes.get(BLOCK..).unwrap_or_default())),
            None => words_length::<ASCII>(bytes),
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
        length.wrapping_add(words_length::<ASCII>(tail))
    }

    #[inline]
    pub(in crate::record) fn digits_length(bytes: &[u8]) -> usize {
        let (words, tail) = bytes.as_chunks();
        let mut length = 0_usize;
        for word in words {
            match no_digits(u64::from_le_bytes(*word)) {
                0 => length = length.wrapping_add(8),
                others => return length.wrapping_add(bytes_before(others)),
            }
        }
        length.wrapping_add(tail.iter().take_while(|byte| byte.is_ascii_digit()).count())
    }

    /// A word's bytes that are no digits: the highest bit of each, exact from the lowest byte to the first that is none.
    #[inline(always)]
    fn no_digits(word: u64) -> u64 {
        let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
        // Below `0` the difference has its highest bit set, above `9` the sum has; what is carried on comes from a byte that
        // is none already.
        (word.wrapping_sub(each(b'0')) | word.wrapping_add(each(0x7f - b'9')) | word) & each(0x80)
    }

    /// A plain number of nine to sixteen digits, as the milliseconds of any time of ours.
    #[inline]
    pub(in crate::record) fn whole(text: &[u8]) -> Option<i64> {
        let missing = 16_u32.checked_sub(u32::try_from(text.len()).ok()?).filter(|missing| *missing < 8)?;
        let [first, last] = [text.first_chunk()?, text.last_chunk()?];
        let [first, last] = [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
        if (no_digits(first) | no_digits(last)) != 0 {
            return None;
        }
        // What both words have leaves the first, before whose digits are zeros then.
        let first = first.wrapping_shl(missing.wrapping_mul(8));
        Some(eight_digits(first).wrapping_mul(100_000_000).wrapping_add(eight_digits(last)))
    }

    /// Eight digits, the first in the lowest byte: pairs of neighbours are put together, three times.
    fn eight_digits(word: u64) -> i64 {
        let pair = |word: u64, tens: u64, width: u32, mask: u64| {
            (word & mask).wrapping_mul(tens).wrapping_add(word >> width & mask)
        };
        let twos = pair(word & 0x0f0f_0f0f_0f0f_0f0f, 10, 8, 0x00ff_00ff_00ff_00ff);
        let fours = pair(twos, 100, 16, 0x0000_ffff_0000_ffff);
        pair(fours, 10_000, 32, 0xffff_ffff).cast_signed()
    }

    #[inline(always)]
    fn first_stop<const ASCII: bool>(block: &[u8; BLOCK]) -> Option<usize> {
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

#[cfg(any(test, not(any(target_feature = "sse2", target_feature = "neon", target_feature = "simd128"))))]
mod words {
    use super::BLOCK;
    pub(super) use super::words_length as length;

    #[inline]
    pub(in crate::record) fn digits_length(bytes: &[u8]) -> usize {
        bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// A plain number of up to sixteen digits.
    #[inline]
    pub(in crate::record) fn whole(text: &[u8]) -> Option<i64> {
        let mut whole = 0_i64;
        for byte in text {
            let digit = i64::from(*byte).wrapping_sub(i64::from(b'0'));
            if !(0..10).contains(&digit) {
                return None;
            }
            whole = whole.wrapping_mul(10).wrapping_add(digit);
        }
        (text.len() <= 16).then_some(whole)
    }

    /// The same as with vectors. Fluent Bit's interpreter counts zeros bit by bit in a loop; here the bytes before are
    /// what is left of the lowest bit, one bit of each, added up in the product's highest byte.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "at most seven")]
    pub(super) fn bytes_before(bits: u64) -> usize {
        let ones = u64::from_ne_bytes([1; 8]);
        (bits.wrapping_sub(1) & ones).wrapping_mul(ones).wrapping_shr(56).wrapping_sub(1) as usize
    }

    #[inline(always)]
    pub(in crate::record) fn masked_is(block: [u8; BLOCK], mask: u128, these: u128) -> bool {
        u128::from_ne_bytes(block) & mask == these
    }
}

#[cfg(test)]
mod tests {
    use super::{imp, words};

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
                    assert_eq!(words::length::<true>(&bytes), before(stops || is_no_ascii), "{bytes:?}");
                }
            }
        }
        assert_eq!(super::plain_length(b""), 0);
    }

    #[test]
    fn digits_are_told_from_others_with_vectors_and_without() {
        for (text, digits) in [
            ("", 0),
            ("-1", 0),
            ("0,", 1),
            ("1234567/", 7),
            ("12345678", 8),
            ("180000,\"period\":", 6),
            ("1773748800000", 13),
            ("1773748800000,\"x", 13),
            ("9999999999999999", 16),
            ("99999999999999999}", 17),
            ("99999999999999999999999999", 26),
            ("123456789012a4", 12),
            ("12345:7890123", 5),
        ] {
            assert_eq!(imp::digits_length(text.as_bytes()), digits, "{text}");
            assert_eq!(words::digits_length(text.as_bytes()), digits, "{text}");
            let is_whole = digits == text.len() && digits <= 16;
            let (short, long) = (words::whole(text.as_bytes()), imp::whole(text.as_bytes()));
            assert_eq!(short.filter(|_| digits > 0), text.parse().ok().filter(|_| is_whole), "{text}");
            assert_eq!(long, short.filter(|_| digits > 8), "{text}");
        }
    }

    #[test]
    fn words_do_as_vectors_do() {
        for bits in 1..=u8::MAX {
            // Each bit of the number is the highest of a byte.
            let bits = (0..8).fold(0, |word, bit| word | u64::from(bits >> bit & 1) << (8 * bit + 7));
            assert_eq!(words::bytes_before(bits), imp::bytes_before(bits), "{bits:x}");
        }
        let block = *b"\"short_doc\":\"an ";
        for (mask, is) in [(0, true), (0xff, false), (u128::MAX, false)] {
            for these in [0, u128::from_ne_bytes(block) & mask] {
                let wanted = is || these != 0;
                assert_eq!(
                    [words::masked_is(block, mask, these), imp::masked_is(block, mask, these)],
                    [wanted; 2]
                );
            }
        }
    }
}
