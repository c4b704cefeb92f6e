//! The current time, and times from arguments.

use std::time::{SystemTime, UNIX_EPOCH};

use kaudit_filter::Time;

/// Returns the current time.
#[expect(clippy::disallowed_methods, reason = "the only function of this host that reads the clock")]
pub fn wall() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Parses an argument: RFC 3339, or milliseconds since 1970.
pub fn parse(text: &str) -> Result<Time, &'static str> {
    let millis = text.parse().ok().map(Time::from_millis);
    millis
        .or_else(|| Time::parse(text))
        .ok_or("expected RFC 3339, such as `2020-03-01T16:00:00Z`, or milliseconds since 1970")
}
