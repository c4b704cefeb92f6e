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

/// Makes dates: what Vector takes for a timestamp.
pub struct Calendar {
    /// `os.date`.
    date: LuaFunction,
}

impl Calendar {
    /// The calendar of this Lua.
    pub fn new(lua: &Lua) -> LuaResult<Self> {
        Ok(Self { date: lua.globals().get::<LuaTable>("os")?.get("date")? })
    }

    /// A time in epoch milliseconds as a date.
    pub fn date(&self, millis: i64) -> LuaResult<LuaTable> {
        let date: LuaTable = self.date.call(("!*t", millis.div_euclid(1000)))?;
        date.raw_set("nanosec", millis.rem_euclid(1000) * 1_000_000)?;
        Ok(date)
    }
}
