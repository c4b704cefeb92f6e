//! Masks the secrets of a configuration that is printed.
//! Every other character keeps its position.
//!
//! It works on the text and not on the parsed tree, since the printed text is most often one that could not be parsed.

use kaudit_filter::config::{self, Code, Diagnostic, NoFiles};

/// Keys whose values are or contain secrets; `val-` and `aws-` are prefixes.
const SECRET_KEYS: &[&str] = &["http-api-token", "slack-uri", "shared-key", "val-", "aws-"];

/// Remarks about a target's values.
/// A value may be a secret in a position where none is expected.
const ABOUT_VALUES: &[Code] =
    &[Code::Value, Code::Shape, Code::TargetType, Code::TargetList, Code::LooseSecret, Code::PlainSecret];

/// Words that mark any key as a secret's, in any spelling.
const SECRET_WORDS: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "authorization",
    "credential",
    "api-key",
    "access-key",
    "private-key",
    "shared-key",
];

/// Keys of a target whose values are not secrets.
const NOT_SECRET: &[&str] =
    &["rate-limit", "limit", "period", "burst", "by", "stopped", "syslog-port", "syslog-tcp"];

/// Remarks about a secret in a position where one is expected or possible.
const ABOUT_SECRETS: &[Code] = &[Code::LooseSecret, Code::PlainSecret];

/// Returns a configuration with its secrets overwritten.
/// Every other character keeps its position.
pub fn masked(text: &str) -> String {
    let mut remarks = config::check("", text, &NoFiles, &[]).diagnostics;
    remarks.retain(|remark| ABOUT_SECRETS.contains(&remark.code()) || is_unknown_target_key(remark));
    // The column of the secret's key whose value continues on further lines.
    let mut within = None;
    let lines = (1..).zip(text.split('\n')).map(|(number, text)| {
        let mut chars = mask_known(text);
        let rest_of_line = text.trim_start();
        let indent = text.len() - rest_of_line.len();
        if within.is_some_and(|key| {
            rest_of_line.is_empty() || indent > key || (indent == key && rest_of_line.starts_with("- "))
        }) {
            let end = chars.len();
            mask(&mut chars, 0, end);
            return chars.into_iter().collect();
        }
        let is_unknown = remarks.iter().any(|remark| {
            remark.line() == number
                && is_unknown_target_key(remark)
                && Some(remark.column() - 1) == first_key(text).map(|(at, _)| at)
        });
        within = first_key(text).filter(|(_, key)| is_unknown || is_secret(key)).map(|(at, _)| at);
        for remark in remarks.iter().filter(|remark| remark.line() == number) {
            mask_reported(&mut chars, text, remark);
        }
        chars.into_iter().collect()
    });
    lines.collect::<Vec<String>>().join("\n")
}

/// Returns the key at the beginning of a line, and its column.
fn first_key(text: &str) -> Option<(usize, &str)> {
    let rest_of_line = text.trim_start_matches([' ', '-']);
    let key = rest_of_line.split_once(':')?.0.trim_end().trim_matches(['"', '\'']);
    Some((text.len() - rest_of_line.len(), key))
}

fn is_secret(key: &str) -> bool {
    let normalised = key.to_ascii_lowercase().replace('_', "-");
    let known = SECRET_KEYS.iter().any(|secret| normalised.starts_with(secret));
    (known || SECRET_WORDS.iter().any(|word| normalised.contains(word))) && !normalised.contains("-header")
}

/// Returns a line with its secrets and the values that remarks report masked.
pub fn masked_line<'r>(text: &str, remarks: impl Iterator<Item = &'r Diagnostic>) -> String {
    let mut chars = mask_known(text);
    for remark in
        remarks.filter(|remark| ABOUT_VALUES.contains(&remark.code()) || is_unknown_target_key(remark))
    {
        mask_reported(&mut chars, text, remark);
    }
    chars.into_iter().collect()
}

/// Returns whether a remark is about an unknown key of a target.
/// It may be the key of a secret, misspelt.
fn is_unknown_target_key(remark: &Diagnostic) -> bool {
    remark.code() == Code::UnknownKey && remark.path().contains(".target")
}

fn mask_reported(chars: &mut [char], text: &str, remark: &Diagnostic) {
    if !is_unknown_target_key(remark) {
        mask_span(chars, remark);
    }
    if is_unknown_target_key(remark) || remark.code() == Code::LooseSecret {
        let end = remark.column() - 1 + remark.width();
        let end = text.char_indices().nth(end).map_or(text.len(), |(byte, _)| byte);
        if text[end..].trim_start_matches(['"', '\'', ' ']).starts_with(':') {
            mask_value(chars, text, end);
        }
    }
}

/// Masks the values of known and probable secrets' keys, and URI credentials.
fn mask_known(text: &str) -> Vec<char> {
    let mut chars: Vec<char> = text.chars().collect();
    for key in SECRET_KEYS {
        for (at, _) in text.match_indices(key).filter(|(at, _)| !is_type(&text[..*at])) {
            mask_value(&mut chars, text, at + key.len());
        }
    }
    let normalised = text.to_ascii_lowercase().replace('_', "-");
    for word in SECRET_WORDS {
        for (at, _) in normalised.match_indices(word).filter(|(at, _)| is_in_key(&normalised, *at)) {
            mask_value(&mut chars, text, at + word.len());
        }
    }
    for (at, _) in text.match_indices("://") {
        let rest = &text[at + 3..];
        let uri = &rest[..rest.find([' ', '\'', '"', '}']).unwrap_or(rest.len())];
        let char_index = |byte: usize| text[..at + 3 + byte].chars().count();
        if let Some(end) = uri.rfind('@') {
            mask(&mut chars, char_index(0), char_index(end));
        }
        if let Some(query) = uri.find('?') {
            mask(&mut chars, char_index(query + 1), char_index(uri.len()));
        }
    }
    chars
}

/// Returns whether the word at this byte is part of a key.
/// Otherwise it is part of a value such as a pattern.
fn is_in_key(text: &str, at: usize) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '.');
    let before = text[..at].trim_end_matches(part).trim_end_matches(['"', '\'']).trim_end();
    let after = text[at..].trim_start_matches(part).trim_start_matches(['"', '\'']).trim_start();
    before.chars().next_back().is_none_or(|c| matches!(c, '{' | ',' | '-' | '?'))
        && after
            .strip_prefix(':')
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// Returns whether a text ends before the value of the key `target-type`.
fn is_type(before: &str) -> bool {
    before.trim_end_matches([' ', '"', '\'']).ends_with("target-type:")
}

/// Masks the span of a remark about a value of a target.
fn mask_span(chars: &mut [char], remark: &Diagnostic) {
    let last = remark.path().rsplit('.').next().unwrap_or_default();
    let start = remark.column() - 1;
    // In a pair of the older dialect the type has no key, so a token may be in its position.
    let before: String = chars.iter().take(start).collect();
    if last == "target-type" && is_type(&before) {
        return;
    }
    if remark.path().contains(".target") && !NOT_SECRET.contains(&last) {
        // A list or map has no width of its own.
        let end = if remark.width() > 1 { start + remark.width() } else { chars.len() };
        mask(chars, start, end);
    }
}

/// Masks the value of the key that ends at this byte, up to the next key.
fn mask_value(chars: &mut [char], text: &str, end: usize) {
    let rest = &text[end..];
    let Some(colon) = rest.find([':', ',']) else { return };
    // `http-api-token-header` names no secret; `val-x` as a value is a name.
    if rest[..colon].contains("-header") || rest[..colon].trim_end().contains(char::is_whitespace) {
        return;
    }
    if text[..end].contains("ref/") && rest[colon + 1..].trim_start().starts_with("val-") {
        return;
    }
    let start = end + colon + 1;
    let blank = text[start..].len() - text[start..].trim_start().len();
    let start = start + blank;
    let value = &text[start..];
    let stop = match value.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        Some(quote) => value[1..].find(quote).map(|end| end + 2),
        None => [next_key(value), value.find(" #")].into_iter().flatten().min(),
    };
    let stop = stop.map_or(text.len(), |stop| start + stop);
    let char_index = |byte: usize| text[..byte].chars().count();
    mask(chars, char_index(start), char_index(stop));
}

/// Returns the offset of the next `, key:`.
fn next_key(text: &str) -> Option<usize> {
    text.match_indices(',').map(|(at, _)| at).find(|at| {
        let rest = text[at + 1..].trim_start();
        let word = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-' && c != '/').unwrap_or(rest.len());
        word > 0 && rest[word..].starts_with(": ")
    })
}

fn mask(chars: &mut [char], start: usize, end: usize) {
    let end = end.min(chars.len());
    for c in
        chars.iter_mut().take(end).skip(start).filter(|c| !matches!(c, ' ' | '\'' | '"' | '}' | ']' | '\r'))
    {
        *c = '*';
    }
}

#[cfg(test)]
mod tests {
    use kaudit_filter::config::{self, NoFiles};

    use super::masked;

    #[test]
    fn secrets_are_overwritten_in_place() {
        for (text, expected) in [
            ("http-api-token: abc # mine\nstopped: true", "http-api-token: *** # mine\nstopped: true"),
            ("{http-api-token: 'abc', rate-limit: 1}", "{http-api-token: '***', rate-limit: 1}"),
            ("http-api-token-header: X-Token\r\n", "http-api-token-header: X-Token\r\n"),
            (
                "val-coralogix: abc\nref/http-api-token: val-coralogix",
                "val-coralogix: ***\nref/http-api-token: val-coralogix",
            ),
            (
                "{target-type: aws-s3, stopped: true, aws-region: x}",
                "{target-type: aws-s3, stopped: true, aws-region: *}",
            ),
            ("http-api-uri: https://user:word@host/x", "http-api-uri: https://*********@host/x"),
            (
                "{name: a@b, http-api-uri: 'https://user:wo@rd@host'}",
                "{name: a@b, http-api-uri: 'https://**********@host'}",
            ),
            (
                "- type: activity\n  target: {target-type: http-api, http-api-token: ab,Cd}\n",
                "- type: activity\n  target: {target-type: http-api, http-api-token: *****}\n",
            ),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn a_misspelt_target_type_is_not_masked() {
        for text in [
            "- type: activity\n  target: {target-type: slak, slack-uri: '***'}\n",
            "- type: activity\n  target:\n    target-type: \"slak\"\n",
            "- type: activity\n  target: {target-type: [slack]}\n",
        ] {
            let remarks = config::check("", text, &NoFiles, &[]).diagnostics;
            assert!(remarks.iter().any(|remark| remark.path().ends_with("target-type")), "{remarks:?}");
            for (number, shown) in (1..).zip(text.lines()) {
                assert_eq!(
                    super::masked_line(shown, remarks.iter().filter(|remark| remark.line() == number)),
                    shown
                );
            }
        }
        let pair = "- type: activity\n  target: [[abc, {slack-uri: x}]]\n";
        let remarks = config::check("", pair, &NoFiles, &[]).diagnostics;
        assert!(!super::masked_line(pair.lines().nth(1).unwrap(), remarks.iter()).contains("abc"));
    }

    #[test]
    fn possible_secrets_are_overwritten() {
        let target = |key: &str| format!("- type: activity\n  target:\n    target-type: slack\n    {key}");
        for (key, expected) in [
            ("http-api-tokn: abc", "http-api-tokn: ***"),
            ("http-headers: {X-Auth: abc}", "http-headers: ******** ***}"),
            ("HTTP_API_TOKEN: abc", "**************: ***"),
            ("http-api-token : abc", "http-api-token : ***"),
            ("http-api-token: \"a, b: c\" # mine", "http-api-token: \"** ** *\" # mine"),
            ("http-api-uri: https://user:w@rd@host/x?y=z", "http-api-uri: https://*********@host/x?***"),
        ] {
            assert_eq!(masked(&target(key)), target(expected));
        }
        // On lines of its own.
        for value in [
            "\n      abc",
            " |\n      abc\n\n      abc",
            " >-\n      abc",
            " \"x\n      abc\"",
            " x\n      abc",
            "\n      - abc",
        ] {
            let text = target(&format!("http-api-token:{value}\n    rate-limit: 7\n"));
            let masked = masked(&text);
            assert!(!masked.contains("abc") && masked.ends_with("\n    rate-limit: 7\n"), "{masked}");
        }
        for text in ["guard: {password: abc}", "\"my-token\" : abc"] {
            assert!(!masked(text).contains("abc"), "{text}");
        }
        // Patterns are not masked.
        for text in ["data-filter: {rules-match: 'secret: read'}", "rules-match: ^token:", "# a token: mine"]
        {
            assert_eq!(masked(text), text);
        }
    }
}
