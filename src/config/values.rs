//! Parses and formats scalar values: booleans and durations.

use alloc::string::String;

/// Nanoseconds.
pub(super) const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds.
pub(super) const SECOND: u64 = 1000 * MILLISECOND;
/// Nanoseconds.
pub(super) const DAY: u64 = 86_400 * SECOND;

/// The names of booleans in YAML 1.1, in any case.
pub const BOOLEANS: &[(&str, bool)] =
    &[("true", true), ("false", false), ("yes", true), ("no", false), ("on", true), ("off", false)];

/// The units of durations with their nanoseconds, from the shortest.
pub const DURATION_UNITS: &[(&str, u64)] =
    &[("ms", MILLISECOND), ("s", SECOND), ("m", 60 * SECOND), ("h", 3600 * SECOND), ("d", DAY)];

/// Parses a boolean.
pub(super) fn parse_boolean(text: &str) -> Option<bool> {
    let is = |(name, _): &&(&str, bool)| text.trim().eq_ignore_ascii_case(name);
    BOOLEANS.iter().find(is).map(|(_, value)| *value)
}

/// Parses a duration such as `500ms` or `24h`, in nanoseconds.
pub(super) fn parse_duration(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let (_, unit) = DURATION_UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*unit)
}

/// Formats a duration in the largest unit that divides it.
pub(super) fn format_duration(duration: u64) -> String {
    let unit = DURATION_UNITS.iter().rfind(|(_, unit)| duration.is_multiple_of(*unit));
    unit.map_or_else(
        || format!("{duration}ns"),
        |(name, unit)| format!("{}{name}", duration.checked_div(*unit).unwrap_or(0)),
    )
}
