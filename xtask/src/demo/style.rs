//! The style of the demo's output, and its time.

use std::io::IsTerminal as _;

use serde_json::Value;

/// The time at which the demo's records arrive: the day of the example findings, at noon.
pub(super) const NOW_MS: i64 = 1_773_748_800_000;

/// Prints the title of a part.
pub(super) fn headline(text: &str) {
    println!("\n{}\n", paint(BOLD, text));
}

/// Returns the name of an entry's severity, and its colour.
pub(super) fn severity(entry: &Value) -> (&'static str, u8) {
    match entry["severity"].as_u64() {
        Some(6) => ("critical", RED),
        Some(5) => ("error", RED),
        Some(4) => ("warn", YELLOW),
        Some(3) => ("info", GREEN),
        Some(2) => ("verbose", DIM),
        _ => ("debug", DIM),
    }
}

/// Returns the time of day, to the second.
pub(super) fn clock(millis: i64) -> String {
    let second = millis.div_euclid(1000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

pub(super) const BOLD: u8 = 1;
pub(super) const DIM: u8 = 2;
pub(super) const RED: u8 = 31;
pub(super) const GREEN: u8 = 32;
pub(super) const YELLOW: u8 = 33;

/// Returns a text in a style, if standard output is a terminal that shows styles.
pub(super) fn paint(style: u8, text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
