//! Converts JSON to Lua tables and back, by the rules of Vector's own conversion.
//!
//! Null becomes the empty string; a table with a first element is a list, one with the keys of a date a timestamp, any
//! other a map, also the empty one.
//!
//! A timestamp becomes epoch milliseconds, as a sink with `timestamp_format: unix_ms` writes it.

use mlua::{IntoLua as _, Lua, Result, Table};
use serde_json::{Map, Number, Value};

/// Converts a value for Lua.
pub fn into_lua(lua: &Lua, value: &Value) -> Result<mlua::Value> {
    match value {
        Value::Null => "".into_lua(lua),
        Value::Bool(value) => value.into_lua(lua),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.into_lua(lua),
            (None, float) => float.into_lua(lua),
        },
        Value::String(text) => text.as_str().into_lua(lua),
        Value::Array(items) => {
            let items = items.iter().map(|item| into_lua(lua, item)).collect::<Result<Vec<_>>>()?;
            lua.create_sequence_from(items)?.into_lua(lua)
        }
        Value::Object(members) => {
            let table = lua.create_table()?;
            for (key, member) in members {
                table.raw_set(key.as_str(), into_lua(lua, member)?)?;
            }
            table.into_lua(lua)
        }
    }
}

/// Converts a value from Lua.
pub fn from_lua(value: &mlua::Value) -> Result<Value> {
    match value {
        mlua::Value::String(text) => Ok(Value::String(text.to_string_lossy())),
        mlua::Value::Integer(whole) => Ok(Value::from(*whole)),
        mlua::Value::Number(float) => Number::from_f64(*float)
            .map(Value::Number)
            .ok_or_else(|| mlua::Error::runtime("NaN not supported")),
        mlua::Value::Boolean(value) => Ok(Value::Bool(*value)),
        mlua::Value::Table(table) => self::table(table),
        other => Err(mlua::Error::runtime(format!("unsupported Lua type {}", other.type_name()))),
    }
}

fn table(table: &Table) -> Result<Value> {
    if table.len()? > 0 {
        let items = table.sequence_values::<mlua::Value>();
        return items.map(|item| from_lua(&item?)).collect::<Result<_>>().map(Value::Array);
    }
    if let Some(millis) = timestamp(table)? {
        return Ok(Value::from(millis));
    }
    let mut members = Map::new();
    for pair in table.pairs::<String, mlua::Value>() {
        let (key, member) = pair?;
        members.insert(key, from_lua(&member)?);
    }
    Ok(Value::Object(members))
}

/// Returns a date as epoch milliseconds; `None`: the table is not a date.
fn timestamp(table: &Table) -> Result<Option<i64>> {
    let mut parts = [0_i64; 6];
    for (part, key) in parts.iter_mut().zip(["year", "month", "day", "hour", "min", "sec"]) {
        match table.raw_get(key)? {
            Some(number) => *part = number,
            None => return Ok(None),
        }
    }
    let [year, month, day, hour, min, sec] = parts;
    let nanos: i64 = table.raw_get::<Option<i64>>("nanosec")?.unwrap_or(0);
    // The days since 1970 of a Gregorian date: years begin in March, so that the leap day is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (month * 153 + 2) / 5
        + day
        - 1
        - 719_468;
    Ok(Some((((days * 24 + hour) * 60 + min) * 60 + sec) * 1000 + nanos / 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cross_as_in_vector() {
        let lua = Lua::new();
        for (into, back) in [
            (r#"{"a":1,"b":[1.5,"x",true],"c":{"d":"e"}}"#, r#"{"a":1,"b":[1.5,"x",true],"c":{"d":"e"}}"#),
            // Values that are equal in Lua.
            (r#"{"none":null,"list":[],"map":{}}"#, r#"{"none":"","list":{},"map":{}}"#),
            (
                r#"{"year":2020,"month":2,"day":29,"hour":16,"min":0,"sec":1,"nanosec":5000000}"#,
                "1582992001005",
            ),
            (r#"{"year":1969,"month":12,"day":31,"hour":23,"min":59,"sec":59}"#, "-1000"),
        ] {
            let into: Value = serde_json::from_str(into).unwrap();
            let back: Value = serde_json::from_str(back).unwrap();
            assert_eq!(from_lua(&into_lua(&lua, &into).unwrap()).unwrap(), back);
        }
    }
}
