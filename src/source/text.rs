//! Lines of text, and the offsets at which JSON values may begin in them.

use memchr::memchr;

/// A byte order mark in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Splits off invisible characters: white space, NUL bytes, byte order marks.
pub(super) fn split_blank(text: &[u8]) -> (&[u8], &[u8]) {
    let mut rest = text;
    loop {
        match rest {
            [b' ' | b'\t' | b'\r' | b'\n' | 0, after @ ..] => rest = after,
            _ => match rest.strip_prefix(BOM) {
                Some(after) => rest = after,
                None => return (text.get(..text.len().wrapping_sub(rest.len())).unwrap_or_default(), rest),
            },
        }
    }
}

/// Splits off a line. The rest begins with its line break.
pub(super) fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at_checked(memchr(b'\n', text).unwrap_or(text.len())).unwrap_or((text, &[]))
}

/// Returns whether no value begins in the rest of a line, and nothing visible follows it.
///
/// The next value is searched for first: the end of the line may be far away, with many values before it.
pub(super) fn is_end(text: &[u8]) -> bool {
    value_offsets(text).next().is_none() && split_blank(split_line(text).1).1.is_empty()
}

/// Returns the length of the too deeply nested object at the beginning of a text.
///
/// Returns the length of the text if the object does not end.
pub(super) fn nested_length(text: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut bytes = text.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                bytes.next();
            }
            b'{' | b'[' if !in_string => depth = depth.saturating_add(1),
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            // A string contains no line break: this one was truncated.
            b'\n' if in_string => return at,
            _ => (),
        }
        if depth == 0 {
            return at.saturating_add(1);
        }
    }
    text.len()
}

/// The kind of value that may begin in a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueStart {
    Nothing,
    Object,
    List,
    /// A string that contains a value.
    String,
    /// An object whose quotes are escaped, without a string around it.
    Escaped,
}

/// Returns the kind of value at the start of a text, if it may contain a finding.
pub(super) fn value_start(text: &[u8]) -> ValueStart {
    let inside = text.get(1..).unwrap_or_default().trim_ascii_start();
    match (text.first(), inside) {
        (Some(b'{'), [b'"' | b'}', ..] | []) => ValueStart::Object,
        (Some(b'{'), [b'\\', b'"', ..]) => ValueStart::Escaped,
        (Some(b'['), [b'{' | b'[' | b'"', ..]) => ValueStart::List,
        (Some(b'"'), [b'{' | b'[', ..] | [b'\\', b'"' | b'n' | b't' | b'u', ..]) => ValueStart::String,
        _ => ValueStart::Nothing,
    }
}

/// Returns the offsets in a line at which a value with a finding may begin.
pub(super) fn value_offsets(line: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let is_one = |at: &usize| value_start(line.get(*at..).unwrap_or_default()) != ValueStart::Nothing;
    memchr::memchr3_iter(b'{', b'[', b'"', line).filter(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_possible_values_are_found() {
        for (line, offsets) in [
            (r#"{"a":1}"#, &[0][..]),
            (r#"I0317 out.go:7] { "a":1}"#, &[16]),
            (r#"<134>1 - - [exporter] {x} {"a":1}"#, &[26]),
            (r#"[{"a":1}]"#, &[0, 1]),
            (r#""{\"a\":1}""#, &[0, 1]),
            (r#"{\"a\":1}\n"#, &[0]),
            ("started {", &[8]),
            ("no value", &[]),
        ] {
            assert_eq!(value_offsets(line.as_bytes()).collect::<Vec<_>>(), offsets, "{line}");
        }
    }

    #[test]
    fn an_object_ends_where_its_brackets_do() {
        for (text, length) in [
            (r#"{"a":[]} b"#, 8),
            (r#"{"}]":["\"]}",{}]}]"#, 18),
            ("{\"a\":\n[\n1]\n}\n", 12),
            (r#"{"a":[1"#, 7),
            ("{\"a\":\"b\n{}", 7),
        ] {
            assert_eq!(nested_length(text.as_bytes()), length, "{text}");
        }
    }

    #[test]
    fn a_text_ends_if_only_invisible_lines_follow() {
        for (text, is_it) in [
            ("", true),
            (" # end\n", true),
            (",\r\n\0", true),
            ("{\"a\":1}", false),
            ("\nmore", false),
            ("\u{feff}\n \t", true),
        ] {
            assert_eq!(is_end(text.as_bytes()), is_it, "{text}");
        }
    }
}
