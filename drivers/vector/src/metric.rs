//! Converts the value of a metric event from Lua, by the rules of Vector's own conversion.
//!
//! Source: `lib/vector-core/src/event/lua/metric.rs` of Vector 0.58.

use mlua::{Result, Table};
use serde_json::{Value, json};

/// Returns a counter or gauge as Vector reads it.
pub fn from_lua(metric: &Table) -> Result<Value> {
    let tags = metric.raw_get::<Option<Table>>("tags")?;
    let tags: Vec<(String, String)> =
        tags.map(|tags| tags.pairs().collect::<Result<_>>()).transpose()?.unwrap_or_default();
    let value =
        |name| metric.raw_get::<Option<Table>>(name)?.map(|value| value.raw_get::<f64>("value")).transpose();
    let (member, value) = match (value("counter")?, value("gauge")?) {
        (Some(value), _) => ("counter", value),
        (None, Some(value)) => ("gauge", value),
        (None, None) => return Err(mlua::Error::runtime("a metric without a counter or gauge")),
    };
    Ok(json!({
        "name": metric.raw_get::<String>("name")?,
        "namespace": metric.raw_get::<Option<String>>("namespace")?,
        "kind": kind(metric)?,
        "tags": tags.into_iter().map(|(name, value)| (name, Value::from(value))).collect::<serde_json::Map<_, _>>(),
        member: {"value": value},
    }))
}

fn kind(metric: &Table) -> Result<String> {
    let kind = metric.raw_get::<Option<String>>("kind")?.unwrap_or_else(|| "absolute".to_owned());
    if kind == "absolute" || kind == "incremental" {
        return Ok(kind);
    }
    Err(mlua::Error::runtime("Metric kind should be either \"incremental\" or \"absolute\""))
}

#[cfg(test)]
mod tests {
    use mlua::Lua;

    use super::*;

    #[test]
    fn metrics_cross_as_in_vector() {
        let lua = Lua::new();
        let read = |text: &str| {
            from_lua(&lua.load(text).eval::<Table>().unwrap()).map_err(|error| error.to_string())
        };
        assert_eq!(
            read(
                "{namespace = 'a', name = 'b', tags = {c = 'd'}, kind = 'incremental', counter = {value = 3}}"
            ),
            Ok(
                json!({"namespace": "a", "name": "b", "tags": {"c": "d"}, "kind": "incremental", "counter": {"value": 3.0}})
            )
        );
        assert_eq!(
            read("{name = 'b', gauge = {value = 0.5}}"),
            Ok(
                json!({"namespace": null, "name": "b", "tags": {}, "kind": "absolute", "gauge": {"value": 0.5}})
            )
        );
        for wrong in
            ["{name = 'b'}", "{gauge = {value = 1}}", "{name = 'b', kind = 'total', gauge = {value = 1}}"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
