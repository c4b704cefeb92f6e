//! Finds the end of a JSON value that a strict reader rejects.
//!
//! It checks only the grammar: halves of surrogate pairs, numbers out of range and bytes that are not UTF-8 are
//! accepted. `serde_json` rejects them in the middle of a value and then cannot skip it. Decision: not `IgnoredAny`,
//! which accepts them, too, but has no limit of nesting.

/// The maximum depth of nesting, as in `serde_json`.
const MAX_DEPTH: usize = 127;
/// The maximum number of offsets that are tried for an element.
/// It bounds the work per line.
const MAX_TRIES: usize = 64;

/// The reason why a value has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The value is incomplete.
    End,
    /// The value is not JSON.
    Malformed,
}

/// Returns the length of the JSON value at the beginning of `bytes`.
pub fn value(bytes: &[u8]) -> Result<usize, Stop> {
    let mut at = 0;
    let mut open: Vec<u8> = Vec::new();
    loop {
        at = skip_blank(bytes, at);
        match *bytes.get(at).ok_or(Stop::End)? {
            bracket @ (b'{' | b'[') => {
                if open.len() == MAX_DEPTH {
                    return Err(Stop::Malformed);
                }
                at = skip_blank(bytes, at + 1);
                let close = if bracket == b'{' { b'}' } else { b']' };
                if *bytes.get(at).ok_or(Stop::End)? == close {
                    at += 1;
                } else {
                    open.push(close);
                    if close == b'}' {
                        at = key(bytes, at)?;
                    }
                    continue;
                }
            }
            b'"' => at = string(bytes, at)?,
            b't' => at = literal(bytes, at, b"true")?,
            b'f' => at = literal(bytes, at, b"false")?,
            b'n' => at = literal(bytes, at, b"null")?,
            b'-' | b'0'..=b'9' => at = number(bytes, at)?,
            _ => return Err(Stop::Malformed),
        }
        // After a value: close containers, or continue with the next value.
        loop {
            let Some(&close) = open.last() else { return Ok(at) };
            at = skip_blank(bytes, at);
            match *bytes.get(at).ok_or(Stop::End)? {
                b',' if close == b'}' => {
                    at = key(bytes, skip_blank(bytes, at + 1))?;
                    break;
                }
                b',' => {
                    at += 1;
                    break;
                }
                byte if byte == close => {
                    open.pop();
                    at += 1;
                }
                _ => return Err(Stop::Malformed),
            }
        }
    }
}

/// Returns the length of the malformed array element at the beginning of `line`.
///
/// It ends with its closing bracket, if a comma or the array's end follows, or else before the comma that precedes the
/// next complete object. `None`: neither is found.
pub fn element(line: &[u8]) -> Option<usize> {
    let is_end = |at: usize| matches!(line.get(skip_blank(line, at)), None | Some(b',' | b']'));
    if let Some(len) = balanced(line).filter(|len| is_end(*len)) {
        return Some(len);
    }
    let commas = line.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(at, _)| at);
    let mut candidates =
        commas.filter(|at| line.get(skip_blank(line, at + 1)) == Some(&b'{')).take(MAX_TRIES);
    candidates.find(|at| {
        let start = skip_blank(line, at + 1);
        value(&line[start..]).is_ok_and(|len| is_end(start + len))
    })
}

/// Returns the length up to the bracket that closes the first one.
/// `None`: brackets in between do not match.
fn balanced(line: &[u8]) -> Option<usize> {
    let mut open: Vec<u8> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = line.get(at) {
        match byte {
            b'"' => {
                at = string(line, at).ok()?;
                continue;
            }
            b'{' => open.push(b'}'),
            b'[' => open.push(b']'),
            b'}' | b']' if open.pop() != Some(byte) => return None,
            _ => {}
        }
        at += 1;
        if open.is_empty() {
            return Some(at);
        }
    }
    None
}

/// Returns the offset after white space.
fn skip_blank(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// Returns the offset after a key and its colon.
fn key(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    if *bytes.get(at).ok_or(Stop::End)? != b'"' {
        return Err(Stop::Malformed);
    }
    let at = skip_blank(bytes, string(bytes, at)?);
    if *bytes.get(at).ok_or(Stop::End)? == b':' { Ok(at + 1) } else { Err(Stop::Malformed) }
}

/// Returns the offset after a string.
fn string(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    let mut at = at + 1;
    loop {
        match *bytes.get(at).ok_or(Stop::End)? {
            b'"' => return Ok(at + 1),
            b'\\' => {
                let escape = *bytes.get(at + 1).ok_or(Stop::End)?;
                at += 2;
                match escape {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        for _ in 0..4 {
                            if !bytes.get(at).ok_or(Stop::End)?.is_ascii_hexdigit() {
                                return Err(Stop::Malformed);
                            }
                            at += 1;
                        }
                    }
                    _ => return Err(Stop::Malformed),
                }
            }
            0..=0x1f => return Err(Stop::Malformed),
            _ => at += 1,
        }
    }
}

/// Returns the offset after a literal: `true`, `false` or `null`.
fn literal(bytes: &[u8], at: usize, literal: &[u8]) -> Result<usize, Stop> {
    let rest = &bytes[at..];
    match rest.len() < literal.len() && literal.starts_with(rest) {
        true => Err(Stop::End),
        false if rest.starts_with(literal) => Ok(at + literal.len()),
        false => Err(Stop::Malformed),
    }
}

/// Returns the offset after a number.
fn number(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    let digits = |at: usize| {
        let count =
            bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
        match (count, bytes.get(at)) {
            (0, None) => Err(Stop::End),
            (0, Some(_)) => Err(Stop::Malformed),
            _ => Ok(at + count),
        }
    };
    let start = at + usize::from(bytes[at] == b'-');
    let mut at = digits(start)?;
    if bytes[start] == b'0' && at > start + 1 {
        return Err(Stop::Malformed);
    }
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at = digits(at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-'))))?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_value_agrees_with_a_strict_reader() {
        let texts = [
            "{}",
            "[]",
            "[ ]",
            "{ }",
            "0",
            "-0.5e+3",
            "1E9",
            "true",
            "false",
            "null",
            r#""a\"\\\u00e9""#,
            r#"{"a":[1,{"b":null}],"c":"}]"}"#,
            " [ 1 , 2 ] ",
            "{\"a\"\t:\n1}",
            "01",
            "-",
            "1.",
            "1e",
            "tru",
            "nul",
            "{",
            "[",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "[1,]",
            "[1 2]",
            "{1:2}",
            "{\"a\" 1}",
            "\"\u{1}\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u12",
            "\"",
            "",
            "nope",
            "+1",
            "{]",
            "[}",
            "truex",
            "{} {}",
        ];
        for text in texts {
            // A number at the top level ends with the bytes; the bytes after a value are not checked.
            let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
            let expected = match values.next() {
                Some(Ok(_)) => Ok(values.byte_offset()),
                Some(Err(error)) if error.is_eof() => Err(Stop::End),
                None => Err(Stop::End),
                Some(Err(_)) => Err(Stop::Malformed),
            };
            let exceptions = [("01", Err(Stop::Malformed)), ("truex", Ok(4))];
            let expected = exceptions
                .iter()
                .find(|(exception, _)| *exception == text)
                .map_or(expected, |(_, expected)| *expected);
            assert_eq!(value(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn values_that_strict_readers_reject_have_an_end() {
        for text in [
            &br#"{"a":"\ud83d"}"#[..],
            br#""\ude00x""#,
            b"1e400",
            b"[-1E+999]",
            b"\"\xff\xc0\"",
            br#"{"\ud83d":1}"#,
        ] {
            assert_eq!(value(text), Ok(text.len()), "{}", String::from_utf8_lossy(text));
        }
        let deep = |depth: usize| value(&[vec![b'['; depth], vec![b']'; depth]].concat());
        assert_eq!((deep(MAX_DEPTH), deep(MAX_DEPTH + 1)), (Ok(2 * MAX_DEPTH), Err(Stop::Malformed)));
    }

    #[test]
    fn a_malformed_element_ends_before_the_next() {
        for (line, expected) in [
            (r#"{"a":tru},{}]"#, Some(9)),
            (r#"{"a":tru} ]"#, Some(9)),
            (r#"{"a":tru}"#, Some(9)),
            (r#"{"a":[{},{}],"b":x},{}]"#, Some(19)),
            (r#"{"a":"}",b},{}]"#, Some(11)),
            (r#"{"a":,{"b":1},{}]"#, Some(5)),
            (r#"{"a":"b, {"b":"c"}, {}]"#, Some(7)),
            (r#"{"a":"b,{"b":c}]"#, None),
            (r#"{"a":"b"#, None),
            (r#"{"a":[1}]"#, None),
        ] {
            assert_eq!(element(line.as_bytes()), expected, "{line}");
        }
        let tries = format!("{{\"a\":{}{{}}]", ",{x".repeat(MAX_TRIES));
        assert_eq!(element(tries.as_bytes()), None);
    }
}
