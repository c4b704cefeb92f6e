//! The documents of a YAML file as JSON, for manifests of Kubernetes.

use saphyr::{LoadableYamlNode as _, MarkedYaml, Scalar, YamlData};
use serde_json::{Map, Number, Value};

/// Parses the documents of a YAML file.
///
/// # Errors
/// The position of a syntax error, and its reason: `3:1: …`.
pub fn parse(text: &str) -> Result<Vec<Value>, String> {
    let documents = MarkedYaml::load_from_str(text).map_err(|error| {
        let marker = error.marker();
        format!("{}:{}: not valid YAML: {}", marker.line(), marker.col() + 1, error.info())
    })?;
    Ok(documents.iter().map(json).collect())
}

/// Returns whether a manifest is, or lists, a `ConfigMap` with this name or with this key under `data`.
pub fn has_config_map(manifest: &Value, name: &str) -> bool {
    if let Some(items) = manifest["items"].as_array() {
        return items.iter().any(|item| has_config_map(item, name));
    }
    manifest["kind"] == "ConfigMap"
        && (manifest["metadata"]["name"] == name || manifest["data"].get(name).is_some())
}

/// Converts a node to JSON.
pub(crate) fn json(node: &MarkedYaml<'_>) -> Value {
    match &node.data {
        YamlData::Value(Scalar::Boolean(value)) => Value::Bool(*value),
        YamlData::Value(Scalar::Integer(value)) => Value::from(*value),
        YamlData::Value(Scalar::FloatingPoint(value)) => {
            Number::from_f64(value.into_inner()).map_or(Value::Null, Value::Number)
        }
        YamlData::Value(Scalar::String(text)) => Value::from(text.as_ref()),
        YamlData::Sequence(items) => items.iter().map(json).collect(),
        YamlData::Mapping(members) => {
            let members = members.iter().map(|(key, value)| {
                let key = match json(key) {
                    Value::String(key) => key,
                    other => other.to_string(),
                };
                (key, json(value))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::{has_config_map, parse};

    #[test]
    fn a_config_map_is_found_by_name_and_by_key() {
        let text = "kind: List\nitems:\n- {kind: ConfigMap, metadata: {name: a}, data: {b: c}}\n---\nkind: Secret\nmetadata: {name: d}\n";
        let documents = parse(text).unwrap();
        for (name, expected) in [("a", true), ("b", true), ("c", false), ("d", false)] {
            assert_eq!(documents.iter().any(|root| has_config_map(root, name)), expected, "{name}");
        }
        assert!(parse("a: [").unwrap_err().contains("not valid YAML"));
    }
}
