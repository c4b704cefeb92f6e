//! The times Lua knows: the clock that events arrive by, and dates as `os.date("!*t")` gives them.

use std::time::{SystemTime, UNIX_EPOCH};

use kaudit_filter::Time;
use mlua::Lua;
use mlua::prelude::{LuaFunction, LuaResult, LuaTable};

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

/// A time in epoch milliseconds as a date of `os.date("!*t")`, as far as Vector looks at it. Decision: reckoned here,
/// since a call of `os.date` costs as much as the rest of an entry.
pub fn date(lua: &Lua, millis: i64) -> LuaResult<LuaTable> {
    let (days, millis) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // Days since the first of March of the year 0, in eras of 400 years: years begin in March, so that the leap day is
    // a year's last.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let table = lua.create_table_with_capacity(0, 7)?;
    table.raw_set("year", era * 400 + year + i64::from(month <= 2))?;
    table.raw_set("month", month)?;
    table.raw_set("day", day - (153 * march + 2) / 5 + 1)?;
    table.raw_set("hour", millis / 3_600_000)?;
    table.raw_set("min", millis / 60_000 % 60)?;
    table.raw_set("sec", millis / 1000 % 60)?;
    table.raw_set("nanosec", millis % 1000 * 1_000_000)?;
    Ok(table)
}
