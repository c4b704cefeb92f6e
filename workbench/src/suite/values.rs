//! Values of a test file.

use saphyr::{MarkedYaml, YamlData};
use serde_json::{Map, Value};

use crate::documents::json;

type Node<'s> = MarkedYaml<'s>;

pub(super) fn is_reason(reason: &str) -> bool {
    kaudit_filter::stats::Reason::ALL.iter().any(|known| known.label() == reason)
}

/// Returns the id of a rule, a number or a text.
pub(super) fn rule_id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// Returns a record: a map as JSON with the missing members of `base`, or a text unchanged.
pub(super) fn record(node: &Node<'_>, base: Option<&Map<String, Value>>) -> String {
    match json(node) {
        Value::String(text) => text,
        Value::Object(members) => {
            let mut record = base.cloned().unwrap_or_default();
            record.extend(members);
            Value::from(record).to_string()
        }
        value => value.to_string(),
    }
}

pub(super) fn scalar(node: &Node<'_>) -> Option<Value> {
    match &node.data {
        YamlData::Value(_) => Some(json(node)),
        _ => None,
    }
}

/// Parses a duration such as `90s`, `1500ms` or `2h`; returns nanoseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let unit: i64 = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}
