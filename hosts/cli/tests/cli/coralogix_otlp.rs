//! Converts entries to OTLP logs, as the shape `otlp` has them.

use serde_json::{Value, json};

/// Returns an entry of `/logs/v1/singles` as a `ResourceLogs` object.
pub fn resource_logs(entry: &str) -> Value {
    let entry: Value = serde_json::from_str(entry).unwrap();
    let resource = attributes(
        &entry,
        &[
            ("applicationName", "cx.application.name"),
            ("subsystemName", "cx.subsystem.name"),
            ("computerName", "host.name"),
        ],
    );
    let labels = ["category", "className", "methodName", "threadId"].map(|label| (label, label));
    let severity = match entry["severity"].as_u64().unwrap() {
        1 | 2 => 5,
        level => level * 4 - 3,
    };
    let record = json!({
        "timeUnixNano": format!("{}000000", entry["timestamp"]),
        "severityNumber": severity,
        "attributes": attributes(&entry, &labels),
        "body": any_value(&entry["text"]),
    });
    json!({"resource": {"attributes": resource}, "scopeLogs": [{"logRecords": [record]}]})
}

/// Returns the labels that an entry has, each under its name in OTLP.
fn attributes(entry: &Value, names: &[(&str, &str)]) -> Vec<Value> {
    let present = names.iter().filter(|(label, _)| entry[label].is_string());
    present.map(|(label, key)| json!({"key": key, "value": any_value(&entry[label])})).collect()
}

fn any_value(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(value) => json!({"boolValue": value}),
        Value::Number(number) if number.is_i64() => json!({"intValue": number.to_string()}),
        Value::Number(number) => json!({"doubleValue": number}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(items) => {
            json!({"arrayValue": {"values": items.iter().map(any_value).collect::<Vec<_>>()}})
        }
        Value::Object(members) => {
            let values = members.iter().map(|(key, value)| json!({"key": key, "value": any_value(value)}));
            json!({"kvlistValue": {"values": values.collect::<Vec<_>>()}})
        }
    }
}
