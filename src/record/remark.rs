//! Truncation of strings, and the remark about the removed bytes.

use alloc::string::String;

use super::number::Number;

/// The maximum length of the remark about removed bytes.
///
/// A string is truncated only if that removes more than the remark adds.
pub(crate) const REMARK: usize = 40;

/// Returns the remark about removed bytes, at most [`REMARK`] long.
pub(crate) fn remark(removed: usize) -> String {
    format!("…[truncated {removed} bytes]")
}

/// Returns the longest prefix of whole characters within `length` bytes.
pub(crate) fn char_prefix(text: &[u8], length: usize) -> &[u8] {
    let continues = |end: usize| text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80);
    let mut end = length;
    while end > 0 && continues(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or(text)
}

/// Returns the length of a text before it was truncated, read from its remark.
///
/// `text` is the text or its JSON spelling. Returns `length` if it has no remark. So a string that is truncated twice
/// has one remark about all removed bytes.
pub(crate) fn original_length(length: usize, text: &[u8]) -> usize {
    let original = || {
        let (kept, remark) = text.split_at_checked(text.iter().rposition(|byte| *byte == b'[')?)?;
        let digits = remark.strip_prefix(b"[truncated ")?.strip_suffix(b" bytes]")?;
        let removed = usize::try_from(Number::Raw(digits).digits()?).ok()?;
        let kept = kept.strip_suffix("…".as_bytes())?;
        let remark = text.len().saturating_sub(kept.len());
        Some(length.saturating_sub(remark).saturating_add(removed))
    };
    if text.ends_with(b" bytes]") { original().unwrap_or(length) } else { length }
}
