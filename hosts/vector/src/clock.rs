//! Times: the clock of arrival, and dates as `os.date("!*t")` returns them.

use std::time::{SystemTime, UNIX_EPOCH};

use kaudit_filter::{Civil, Time};
use mlua::prelude::{LuaFunction, LuaResult};

/// The clock that returns the time of arrival.
pub struct Clock {
    /// The user's function, which returns epoch milliseconds; `None`: the system's clock.
    pub own: Option<LuaFunction>,
}

impl Clock {
    /// Returns the time of arrival.
    #[expect(clippy::disallowed_methods, reason = "the only function of this host that reads the clock")]
    pub fn now(&self) -> LuaResult<Time> {
        if let Some(own) = &self.own {
            return Ok(Time::from_millis(own.call(())?));
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Time::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)))
    }
}

/// Returns the date of an instant, in epoch milliseconds.
///
/// It consists of the fields that Vector reads of a date table: year, month, day, hour, minute, second and nanosecond.
///
/// Decision: not `os.date`, a call of which costs as much as the rest of an entry.
pub const fn date(millis: i64) -> (i64, i64, i64, i64, i64, i64, i64) {
    let Civil { year, month, day, hour, minute, second, nanos } = Civil::from_millis(millis);
    (year, month, day, hour, minute, second, nanos)
}
