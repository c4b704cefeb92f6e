//! Lines of text, and where JSON values may begin in them.

use memchr::memchr;

/// A byte order mark in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Splits off what is invisible at the beginning: white space, NUL bytes, byte order marks.
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

/// Splits a line off, without its end, which begins the rest.
pub(super) fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at_checked(memchr(b'\n', text).unwrap_or(text.len())).unwrap_or((text, &[]))
}

/// Whether no value begins in the rest of a line, and nothing visible follows the line.
pub(super) fn is_end(text: &[u8]) -> bool {
    let (line, after) = split_line(text);
    value_offsets(line).next().is_none() && split_blank(after).1.is_empty()
}

/// The offsets in a line at which a JSON value may begin that contains a finding: an object, a list of them, an object
/// whose quotes are escaped, or a string with such a value in it.
pub(super) fn value_offsets(line: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let begins = |at: &usize| {
        let rest = line.get(*at..).unwrap_or_default();
        let inside = rest.get(1..).unwrap_or_default().trim_ascii_start();
        match rest.first() {
            Some(b'{') => matches!(inside, [b'"' | b'}', ..] | [b'\\', b'"', ..] | []),
            Some(b'[') => matches!(inside, [b'{' | b'[' | b'"', ..]),
            Some(b'"') => matches!(inside, [b'{' | b'[', ..] | [b'\\', b'"' | b'n' | b't' | b'u', ..]),
            _ => false,
        }
    };
    memchr::memchr3_iter(b'{', b'[', b'"', line).filter(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_begin_where_an_object_may() {
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
    fn nothing_follows_a_value_but_rubbish_on_its_line() {
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
