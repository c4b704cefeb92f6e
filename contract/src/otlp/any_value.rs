//! Checks and decodes `AnyValue` and lists of `KeyValue`.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::report::{Path, Report, excerpt};
use crate::Clause;

/// The maximum depth of nested values.
/// A message of protobuf may be nested 100 deep, a map in a map takes three of these levels and a list in a list two.
pub(super) const MAX_DEPTH: usize = 50;

/// The members of an `AnyValue`, of which it has at most one.
const VARIANTS: [&str; 7] =
    ["stringValue", "boolValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "bytesValue"];

/// Checks an `AnyValue`; one without a member is null.
pub(super) fn check(value: &Value, path: &Path<'_>, report: &mut Report) {
    check_nested(value, path, MAX_DEPTH, report);
}

/// Checks a list of attributes, each of which has a key and a value.
pub(super) fn check_attributes(list: &Value, path: &Path<'_>, report: &mut Report) {
    check_pairs(list, path, MAX_DEPTH, report);
    for (index, pair) in list.as_array().into_iter().flatten().enumerate() {
        let path = path.item(index);
        if pair["key"].as_str().is_none_or(str::is_empty) {
            report.add(Clause::Schema, &path.member("key"), "an attribute without a key");
        }
        if variant(&pair["value"]).is_none() {
            report.add(Clause::Schema, &path.member("value"), "an attribute without a value");
        }
    }
}

/// Returns a value as plain JSON; null if it is not valid.
/// Bytes remain base64.
pub(super) fn decode(value: &Value) -> Value {
    decode_nested(value, MAX_DEPTH)
}

/// Returns a list of `KeyValue` as an object.
pub(super) fn decode_pairs(list: &Value) -> Map<String, Value> {
    decode_members(list, MAX_DEPTH)
}

/// Returns the name and the value of the only variant.
pub(super) fn variant(value: &Value) -> Option<(&str, &Value)> {
    let mut members = value.as_object()?.iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Some((name, value)),
        _ => None,
    }
}

fn check_nested(value: &Value, path: &Path<'_>, depth: usize, report: &mut Report) {
    let Some(members) = value.as_object() else {
        return report.wrong_type(path, "an AnyValue", value);
    };
    if members.len() > 1 {
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        report.add(Clause::Json, path, format_args!("more than one value: {}", names.join(", ")));
    }
    for (name, value) in members {
        let path = path.member(name);
        match name.as_str() {
            "stringValue" if !value.is_string() => report.wrong_type(&path, "a string", value),
            "boolValue" if !value.is_boolean() => report.wrong_type(&path, "a boolean", value),
            "bytesValue" if !value.as_str().is_some_and(is_base64) => {
                report.wrong_type(&path, "base64", value);
            }
            "stringValue" | "boolValue" | "bytesValue" => {}
            "intValue" => check_integer(value, &path, report),
            "doubleValue" => check_double(value, &path, report),
            "arrayValue" | "kvlistValue" => check_values(name, value, &path, depth, report),
            _ => report.add(
                Clause::Schema,
                &path,
                format_args!("unknown kind of value; expected {}", VARIANTS.join(", ")),
            ),
        }
    }
}

/// Checks the members of a list or a map.
fn check_values(kind: &str, value: &Value, path: &Path<'_>, depth: usize, report: &mut Report) {
    let Some(depth) = depth.checked_sub(1) else {
        return report.add(Clause::Schema, path, format_args!("nested more than {MAX_DEPTH} values deep"));
    };
    let Some(members) = value.as_object() else { return report.wrong_type(path, "an object", value) };
    for name in members.keys().filter(|name| *name != "values") {
        report.add(Clause::Schema, &path.member(name), "unknown member; expected values");
    }
    let Some(values) = members.get("values") else { return };
    let path = path.member("values");
    if kind == "kvlistValue" {
        return check_pairs(values, &path, depth, report);
    }
    let Some(items) = values.as_array() else { return report.wrong_type(&path, "a list", values) };
    for (index, item) in items.iter().enumerate() {
        check_nested(item, &path.item(index), depth, report);
    }
}

fn check_pairs(list: &Value, path: &Path<'_>, depth: usize, report: &mut Report) {
    let Some(pairs) = list.as_array() else { return report.wrong_type(path, "a list", list) };
    let mut keys = HashSet::new();
    for (index, pair) in pairs.iter().enumerate() {
        let path = path.item(index);
        let Some(members) = pair.as_object() else {
            report.wrong_type(&path, "an object", pair);
            continue;
        };
        for (name, value) in members {
            let path = path.member(name);
            match (name.as_str(), value) {
                ("key", Value::String(key)) => {
                    if !keys.insert(key.as_str()) {
                        let key = excerpt(value);
                        report.add(Clause::Schema, &path, format_args!("duplicate key {key} in one map"));
                    }
                }
                ("key", _) => report.wrong_type(&path, "a string", value),
                // A decoder of protobuf's JSON form ignores a member that is null.
                ("value", Value::Null) => {}
                ("value", _) => check_nested(value, &path, depth, report),
                _ => report.add(Clause::Schema, &path, "unknown member; expected key, value"),
            }
        }
        if !members.contains_key("key") {
            report.add(Clause::Schema, &path, "a member of a map without a key");
        }
    }
}

fn check_integer(value: &Value, path: &Path<'_>, report: &mut Report) {
    match value {
        Value::String(text) if !text.starts_with('+') && text.parse::<i64>().is_ok() => {}
        Value::Number(number) if number.is_i64() => {
            report.add(Clause::Schema, path, format_args!("{number} is not a string: write \"{number}\""));
        }
        _ => report.wrong_type(path, "a 64-bit integer as a string", value),
    }
}

fn check_double(value: &Value, path: &Path<'_>, report: &mut Report) {
    match value {
        Value::Number(_) => {}
        // Null: a number that serde_json cannot write.
        Value::Null => report.add(Clause::Schema, path, "JSON has no such number"),
        Value::String(text) if text.parse::<f64>().is_ok() => {
            let message = "a string: write a finite number, JSON has no NaN and no infinity";
            report.add(Clause::Schema, path, message);
        }
        _ => report.wrong_type(path, "a number", value),
    }
}

fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    text.len().is_multiple_of(4) && text.len() - digits.len() <= 2 && digits.bytes().all(alphabet)
}

fn decode_nested(value: &Value, depth: usize) -> Value {
    let Some((kind, value)) = variant(value) else { return Value::Null };
    match (kind, depth.checked_sub(1)) {
        ("stringValue" | "boolValue" | "doubleValue" | "bytesValue", _) => value.clone(),
        ("intValue", _) => match value {
            Value::String(text) => text.parse::<i64>().map_or(Value::Null, Value::from),
            Value::Number(number) => number.clone().into(),
            _ => Value::Null,
        },
        ("arrayValue", Some(depth)) => {
            let items = value["values"].as_array().into_iter().flatten();
            items.map(|item| decode_nested(item, depth)).collect()
        }
        ("kvlistValue", Some(depth)) => decode_members(&value["values"], depth).into(),
        _ => Value::Null,
    }
}

fn decode_members(list: &Value, depth: usize) -> Map<String, Value> {
    let pairs = list.as_array().into_iter().flatten();
    let pair = |pair: &Value| Some((pair["key"].as_str()?.to_owned(), decode_nested(&pair["value"], depth)));
    pairs.filter_map(pair).collect()
}
