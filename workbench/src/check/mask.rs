//! A line of a configuration as it may be shown: secrets are overwritten, and every other character keeps its place.
//!
//! It works on the text and not on the tree, since what is shown is most often what could not be read.

use kaudit_filter::config::{Code, Diagnostic};

/// Keys whose values are secrets, or hold one. `val-` and `aws-` begin a name.
const SECRETS: &[&str] = &["http-api-token", "slack-uri", "shared-key", "val-", "aws-"];

/// Remarks about a target's values, one of which may be a secret in a place where none is expected.
const ABOUT_VALUES: &[Code] =
    &[Code::Value, Code::Shape, Code::TargetType, Code::TargetList, Code::LooseSecret, Code::PlainSecret];

/// Values of a target that are none.
const PLAIN: &[&str] =
    &["rate-limit", "limit", "period", "burst", "by", "stopped", "syslog-port", "syslog-tcp"];

/// The line, without its secrets.
pub fn line(text: &str, remark: &Diagnostic) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for key in SECRETS {
        for (at, _) in text.match_indices(key) {
            value(&mut chars, text, at + key.len());
        }
    }
    if let (Some(scheme), Some(end)) = (text.find("://"), text.find('@')) {
        cover(&mut chars, text[..scheme].chars().count() + 3, text[..end].chars().count());
    }
    let last = remark.path().rsplit('.').next().unwrap_or_default();
    let target = remark.path().contains(".target") && !PLAIN.contains(&last);
    if target && ABOUT_VALUES.contains(&remark.code()) {
        let start = remark.column() - 1;
        // What stands in a list or map has no width of its own.
        let end = if remark.width() > 1 { start + remark.width() } else { chars.len() };
        cover(&mut chars, start, end);
    }
    chars.into_iter().collect()
}

/// Covers the value of the key that ends at this byte, up to the next key of the line.
fn value(chars: &mut [char], text: &str, end: usize) {
    let rest = &text[end..];
    let Some(colon) = rest.find([':', ',']) else { return };
    // `http-api-token-header` names no secret; `val-x` as a value is a name.
    if rest[..colon].contains("-header") || rest[..colon].contains(char::is_whitespace) {
        return;
    }
    let start = end + colon + 1;
    let blank = text[start..].len() - text[start..].trim_start().len();
    let start = start + blank;
    let value = &text[start..];
    let stop = [next_key(value), value.find(" #")].into_iter().flatten().min();
    let stop = stop.map_or(text.len(), |stop| start + stop);
    let place = |byte: usize| text[..byte].chars().count();
    cover(chars, place(start), place(stop));
}

/// Where `, key:` begins.
fn next_key(text: &str) -> Option<usize> {
    text.match_indices(',').map(|(at, _)| at).find(|at| {
        let rest = text[at + 1..].trim_start();
        let word = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-' && c != '/').unwrap_or(rest.len());
        word > 0 && rest[word..].starts_with(": ")
    })
}

fn cover(chars: &mut [char], start: usize, end: usize) {
    let end = end.min(chars.len());
    for c in chars.iter_mut().take(end).skip(start).filter(|c| !matches!(c, ' ' | '\'' | '"' | '}' | ']')) {
        *c = '*';
    }
}
