//! Searches output for a secret, in every encoding in which it could be read.

use std::sync::OnceLock;

use crate::configs::SECRET;
use crate::json::Json;

/// Returns the spelling in which the secret is planted.
pub fn planted(spelling: u8) -> String {
    match spelling % 6 {
        0 | 1 => SECRET.to_owned(),
        2 => escaped(SECRET),
        3 => escaped(&escaped(SECRET)),
        4 => percent_encoded(SECRET),
        _ => each(SECRET.chars(), |c| format!("\\u{:04x}", u32::from(c))),
    }
}

/// Returns the form in which the output contains the secret, if it does.
///
/// `input` is the record: redaction does not decode hexadecimal and base64, so a record that contains the secret in
/// them keeps it.
pub fn leak(output: &[u8], input: &[u8]) -> Option<&'static str> {
    let (text, source) = (String::from_utf8_lossy(output), String::from_utf8_lossy(input));
    for (name, form) in encoded() {
        if text.contains(form) && !source.contains(form) {
            return Some(name);
        }
    }
    if is_spelled(&text) {
        return Some("plain");
    }
    let mut found = None;
    let mut search = |value: &Json| {
        value.strings(&mut |text| {
            if is_spelled(text) {
                found = Some("escaped, or as a list of bytes");
            }
        });
    };
    if let Ok(value) = Json::parse(output) {
        search(&value);
        if let Some(Json::Str(text)) = value.get("text")
            && let Ok(text) = Json::parse(text.as_bytes())
        {
            search(&text);
        }
    }
    found
}

/// Returns whether a text contains the secret, within up to three levels of escape sequences and lists of bytes.
fn is_spelled(text: &str) -> bool {
    let mut text = text.to_owned();
    for _ in 0..3 {
        if text.contains(SECRET) {
            return true;
        }
        if !text.contains(['\\', '%', '[']) {
            return false;
        }
        let resolved = bytes_decoded(&percent_decoded(&unescaped(&text)));
        if resolved == text {
            return false;
        }
        text = resolved;
    }
    text.contains(SECRET)
}

/// Encodings of the secret other than escape sequences.
///
/// Base64, at each of the three offsets, is reduced to the part that does not depend on the surrounding bytes.
fn encoded() -> &'static [(&'static str, String)] {
    static ALL: OnceLock<Vec<(&str, String)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let hex = each(SECRET.bytes(), |byte| format!("{byte:02x}"));
        let mut all = vec![("hexadecimal", hex.to_uppercase()), ("hexadecimal", hex)];
        for offset in 0..3 {
            let padded: Vec<u8> = std::iter::repeat_n(0, offset).chain(SECRET.bytes()).collect();
            let whole = padded.len() / 3;
            let text = base64(&padded[..whole * 3]);
            all.push(("base64", text[if offset == 0 { 0 } else { 4 }..].to_owned()));
        }
        all
    })
}

/// Joins the results of a function for each item.
fn each<T>(items: impl Iterator<Item = T>, spell: impl Fn(T) -> String) -> String {
    items.map(spell).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks_exact(3) {
        let bits = u32::from_be_bytes([0, chunk[0], chunk[1], chunk[2]]);
        text.extend([18, 12, 6, 0].map(|shift| char::from(DIGITS[(bits >> shift & 63) as usize])));
    }
    text
}

fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent_encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    each(text.bytes(), byte)
}

/// Returns the text with escape sequences of JSON resolved; invalid ones are unchanged.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let after = chars.as_str();
        match (c, after.chars().next()) {
            ('\\', Some(same @ ('"' | '\\' | '/'))) => {
                out.push(same);
                chars.next();
            }
            ('\\', Some('u')) => {
                let code = after.get(1..5).filter(|code| code.bytes().all(|digit| digit.is_ascii_hexdigit()));
                match code.and_then(|code| char::from_u32(u32::from_str_radix(code, 16).ok()?)) {
                    Some(code) => {
                        out.push(code);
                        chars = after[5..].chars();
                    }
                    None => out.push(c),
                }
            }
            _ => out.push(c),
        }
    }
    out
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let code = after.get(..2).filter(|code| *byte == b'%' && code.iter().all(u8::is_ascii_hexdigit));
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the text with lists of bytes resolved; other lists are unchanged.
fn bytes_decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut parts = text.split('[');
    out.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let end = part.find(']').unwrap_or(part.len());
        // The last number of a truncated list may be truncated, too.
        let mut numbers: Vec<_> = part[..end].split(',').map(|number| number.trim().parse::<u8>()).collect();
        if end == part.len() {
            numbers.pop();
        }
        match numbers.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(bytes) if !bytes.is_empty() => {
                out.extend(bytes);
                out.extend(part[end..].bytes().skip(1));
            }
            _ => out.extend(format!("[{part}").bytes()),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Returns whether a value contains the secret.
pub fn is_in(value: &Json) -> bool {
    let mut found = false;
    value.texts(&mut |text| found |= is_spelled(text));
    found
}
