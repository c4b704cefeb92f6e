//! The escape sequences of JSON's strings.

use alloc::string::String;

use memchr::memchr;

use super::remark::char_prefix;
use super::simd::{BLOCK, plain_length, stops};

/// Returns the spelling of a string's first `longest` bytes, and their number.
///
/// The string is in JSON text and its escape sequences have two bytes.
pub(super) fn canonical_prefix(inside: &[u8], longest: usize) -> (&[u8], usize) {
    let mut escapes = 0_usize;
    each_escape(inside, |at, _| {
        let is_within = at.saturating_sub(escapes) < longest;
        escapes = escapes.saturating_add(usize::from(is_within));
        is_within
    });
    let source = char_prefix(inside, longest.saturating_add(escapes));
    (source, source.len().saturating_sub(escapes))
}

/// Appends a text as a JSON string.
pub(crate) fn push_json_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some((plain, special)) = rest.split_at_checked(plain_length(rest.as_bytes())) {
        out.push_str(plain);
        let mut chars = special.chars();
        match chars.next() {
            None => break,
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => {
                out.push_str("\\u00");
                let digit = |value: u32| char::from_digit(value & 0xf, 16).unwrap_or('0');
                out.push(digit(u32::from(control) >> 4));
                out.push(digit(u32::from(control)));
            }
        }
        rest = chars.as_str();
    }
    out.push('"');
}

/// Appends the content of a JSON string with its escape sequences resolved.
///
/// Half of a surrogate pair becomes U+FFFD. An invalid sequence is kept as it is.
pub(crate) fn unescape(text: &str, out: &mut String) {
    unescape_each(text, &mut |piece| {
        out.push_str(piece);
        true
    });
}

/// Calls `on` with each piece of the unescaped text, until it returns `false`.
///
/// Otherwise as [`unescape`].
pub(super) fn unescape_each(text: &str, on: &mut dyn FnMut(&str) -> bool) {
    let mut rest = text;
    // The bytes of `rest` that are already unescaped.
    let mut unescaped = 0;
    while let Some(at) = rest.as_bytes().get(unescaped..).and_then(|bytes| memchr(b'\\', bytes))
        && let Some((plain, after)) = rest.split_at_checked(at.saturating_add(unescaped))
        && let Some(after) = after.get(1..)
    {
        if !on(plain) {
            return;
        }
        // Nearly all escape sequences of text in text. The character begins the next piece.
        if let [b'"' | b'\\' | b'/', ..] = after.as_bytes() {
            (rest, unescaped) = (after, 1);
            continue;
        }
        unescaped = 0;
        let mut chars = after.chars();
        let (resolved, after) = match chars.next() {
            Some('b') => ('\u{8}', chars.as_str()),
            Some('f') => ('\u{c}', chars.as_str()),
            Some('n') => ('\n', chars.as_str()),
            Some('r') => ('\r', chars.as_str()),
            Some('t') => ('\t', chars.as_str()),
            Some('u') if let Some(resolved) = unescape_unicode(chars.as_str()) => resolved,
            _ => ('\\', after),
        };
        rest = after;
        if !on(resolved.encode_utf8(&mut [0; 4])) {
            return;
        }
    }
    on(rest);
}

/// Returns the character of a `\u` sequence, and the text after it.
///
/// `text` begins after the `u`.
fn unescape_unicode(text: &str) -> Option<(char, &str)> {
    let code = hex4(text.as_bytes())?;
    let rest = text.get(4..)?;
    if (0xD800..=0xDBFF).contains(&code)
        && let Some((low, _)) = low_surrogate(rest.as_bytes())
    {
        let pair = ((code & 0x3FF) << 10 | (low & 0x3FF)).wrapping_add(0x1_0000);
        return Some((char::from_u32(pair)?, rest.get(6..)?));
    }
    Some((char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), rest))
}

/// Calls `on` with each escape sequence of a string, until it returns `false`.
///
/// The string is valid. The arguments are the sequence's offset and its second byte. Returns the offset of the last
/// call, or of the string's end.
///
/// Decision: the stops of sixteen bytes are found at once. In text with an escape sequence every few bytes, each search
/// for the next one waits for the result of the last.
#[inline(always)]
pub(super) fn each_escape(text: &[u8], mut on: impl FnMut(usize, u8) -> bool) -> usize {
    let mut at = 0_usize;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let block = rest.first_chunk();
        let mut stops = block.map_or(0, stops);
        let mut length = BLOCK;
        if stops == 0 {
            // No stop in this block, or less than a block remains: continues at the next stop, if there is one.
            at = at.saturating_add(plain_length(rest));
            (stops, length) = (1, 0);
        }
        let mut end = at.saturating_add(length);
        while stops != 0 {
            let first = stops.trailing_zeros();
            let offset = at.saturating_add(first as usize);
            let after = offset.saturating_add(2);
            match text.get(offset..after) {
                Some([b'\\', escape]) if on(offset, *escape) => end = end.max(after),
                _ => return offset,
            }
            stops &= !(3_u32 << first);
        }
        at = end;
    }
}

pub(super) fn hex4(text: &[u8]) -> Option<u32> {
    let digits = text.first_chunk::<4>()?;
    digits.iter().try_fold(0_u32, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?))
}

/// Splits off the escape sequence of a surrogate pair's second half.
pub(super) fn low_surrogate(text: &[u8]) -> Option<(u32, &[u8])> {
    let code = text.strip_prefix(b"\\u")?;
    let low = hex4(code).filter(|low| (0xDC00..=0xDFFF).contains(low))?;
    Some((low, code.get(4..)?))
}
