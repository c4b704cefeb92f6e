//! Parses scalar values: enumerations, numbers, booleans and durations.
//!
//! `None` means that the value is not allowed.

use alloc::string::String;
use core::ops::RangeInclusive;
use core::str::FromStr;

use super::Severity;

/// Nanoseconds.
pub(super) const MILLISECOND: u64 = 1_000_000;
/// Nanoseconds.
pub(super) const SECOND: u64 = 1000 * MILLISECOND;
/// Nanoseconds.
pub(super) const DAY: u64 = 86_400 * SECOND;

/// Limits and bursts.
/// With [`PERIODS`] the duration of a whole burst is below 2^63 nanoseconds.
pub(super) const COUNT: RangeInclusive<u32> = 1..=100_000;
/// Periods of limits, nanoseconds.
pub(super) const PERIODS: RangeInclusive<u64> = MILLISECOND..=DAY;
/// Intervals of summaries, nanoseconds.
pub(super) const INTERVALS: RangeInclusive<u64> = SECOND..=DAY;
/// Ages, nanoseconds; ten years mean "never".
const AGES: RangeInclusive<u64> = SECOND..=3650 * DAY;

/// Parses a name of a table.
pub(super) fn one_of<T: Copy>(names: &[(&str, T)]) -> impl Fn(&str) -> Option<T> {
    move |text| names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
}

/// Parses a whole number of a range, also from a quoted text.
pub(super) fn integer<T: FromStr + PartialOrd>(range: RangeInclusive<T>) -> impl Fn(&str) -> Option<T> {
    move |text| text.trim().parse().ok().filter(|number| range.contains(number))
}

/// Parses a boolean in the forms of YAML 1.1, as kAudit does.
pub(super) fn boolean(text: &str) -> Option<bool> {
    let is = |forms: [&str; 3]| forms.iter().any(|form| text.trim().eq_ignore_ascii_case(form));
    if is(["true", "yes", "on"]) {
        return Some(true);
    }
    is(["false", "no", "off"]).then_some(false)
}

/// Parses a duration such as `500ms` or `24h`, in nanoseconds.
pub(super) fn duration(range: RangeInclusive<u64>) -> impl Fn(&str) -> Option<u64> {
    move |text| {
        let text = text.trim();
        let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
        let unit = match unit.trim_start() {
            "ms" => MILLISECOND,
            "s" => SECOND,
            "m" => 60 * SECOND,
            "h" => 3600 * SECOND,
            "d" => DAY,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(unit).filter(|duration| range.contains(duration))
    }
}

/// Parses an age, in milliseconds.
pub(super) fn age(text: &str) -> Option<i64> {
    duration(AGES)(text).and_then(|duration| i64::try_from(duration / MILLISECOND).ok())
}

/// Parses a severity by name or number.
pub(super) fn severity(text: &str) -> Option<Severity> {
    match text.trim().to_ascii_lowercase().as_str() {
        "debug" | "1" => Some(Severity::Debug),
        "verbose" | "2" => Some(Severity::Verbose),
        "info" | "3" => Some(Severity::Info),
        "warn" | "warning" | "4" => Some(Severity::Warn),
        "error" | "5" => Some(Severity::Error),
        "critical" | "6" => Some(Severity::Critical),
        _ => None,
    }
}

/// Formats a duration in the largest unit that divides it.
pub(super) fn format_duration(duration: u64) -> String {
    let units = [("d", DAY), ("h", 3600 * SECOND), ("m", 60 * SECOND), ("s", SECOND), ("ms", MILLISECOND)];
    let unit = units.into_iter().find(|(_, unit)| duration.is_multiple_of(*unit));
    unit.map_or_else(
        || format!("{duration}ns"),
        |(name, unit)| format!("{}{name}", duration.checked_div(unit).unwrap_or(0)),
    )
}
