//! The times Lua knows: the clock that events arrive by, and dates as `os.date("!*t")` gives them.

use std::time::{SystemTime, UNIX_EPOCH};

use kaudit_filter::Time;
use mlua::prelude::{LuaFunction, LuaResult};

/// Tells when events arrive.
pub struct Clock {
    /// The user's function, which gives epoch milliseconds; `None`: the system's clock.
    pub own: Option<LuaFunction>,
}

impl Clock {
    /// The time of arrival.
    #[expect(clippy::disallowed_methods, reason = "the one place of this host that reads the clock")]
    pub fn now(&self) -> LuaResult<Time> {
        if let Some(own) = &self.own {
            return Ok(Time::from_millis(own.call(())?));
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Time::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)))
    }
}

/// A time in epoch milliseconds as the parts of a date that Vector looks at: year, month, day, hour, minute, second and
/// nanosecond. Decision: reckoned here, since a call of `os.date` costs as much as the rest of an entry.
pub const fn date(millis: i64) -> (i64, i64, i64, i64, i64, i64, i64) {
    let (days, millis) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // Days since the first of March of the year 0, in eras of 400 years: years begin in March, so that the leap day is
    // a year's last.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let (month, turn) = if march < 10 { (march + 3, 0) } else { (march - 9, 1) };
    (
        era * 400 + year + turn,
        month,
        day - (153 * march + 2) / 5 + 1,
        millis / 3_600_000,
        millis / 60_000 % 60,
        millis / 1000 % 60,
        millis % 1000 * 1_000_000,
    )
}
