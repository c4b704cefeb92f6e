//! Formats that only Fluent Bit's plugin writes.

use serde_json::{Map, Value, json};

use crate::message::Event;

/// Returns the output lines of events, one for each event or group: a `ResourceLogs` object of OTLP in JSON for a group of
/// the schema `otlp`, the envelope of a request, or the body.
pub fn lines(events: &[Event]) -> Vec<String> {
    let mut lines = Vec::new();
    // The object of the current group, until its end.
    let mut group: Option<ResourceLogs> = None;
    for event in events {
        match (marker(event), &mut group) {
            (Some(Marker::Start), _) => {
                lines.extend(group.take().map(ResourceLogs::line));
                group = ResourceLogs::of(event);
            }
            (Some(Marker::End), _) => lines.extend(group.take().map(ResourceLogs::line)),
            (None, Some(group)) => group.records.push(log_record(event)),
            (None, None) => lines.push(envelope(&event.body).unwrap_or_else(|| event.body.clone())),
        }
    }
    lines.extend(group.map(ResourceLogs::line));
    lines
}

/// The marker of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marker {
    Start,
    End,
}

/// Returns the marker that an event is: its seconds are −1 or −2.
fn marker(event: &Event) -> Option<Marker> {
    match event.head.as_ref()?.0.get(..12)? {
        [0x92, 0xd7, 0, 255, 255, 255, 255, 0, 0, 0, 0, _] => Some(Marker::Start),
        [0x92, 0xd7, 0, 255, 255, 255, 254, 0, 0, 0, 0, _] => Some(Marker::End),
        _ => None,
    }
}

/// A resource, and its log records.
struct ResourceLogs {
    body: Value,
    records: Vec<Value>,
}

impl ResourceLogs {
    /// Returns the resource that a start marker describes, without records.
    fn of(marker: &Event) -> Option<Self> {
        let body = serde_json::from_str(&marker.body).ok()?;
        (marker.metadata.as_ref()?["schema"] == "otlp").then_some(Self { body, records: Vec::new() })
    }

    fn line(self) -> String {
        let Self { body, records } = self;
        json!({
            "resource": {"attributes": attributes(&body["resource"]["attributes"])},
            "scopeLogs": [{"scope": body["scope"], "logRecords": records}],
        })
        .to_string()
    }
}

/// Returns an event as a `LogRecord`, as Fluent Bit's output `opentelemetry` builds it.
fn log_record(event: &Event) -> Value {
    let otlp = event.metadata.as_ref().map_or(&Value::Null, |metadata| &metadata["otlp"]);
    let nanos = |name| otlp[name].as_u64().map_or(Value::Null, |nanos| nanos.to_string().into());
    let mut record = json!({
        "timeUnixNano": nanos("timestamp"),
        "observedTimeUnixNano": nanos("observed_timestamp"),
        "severityNumber": otlp["severity_number"],
        "severityText": otlp["severity_text"],
        "body": any_value(&serde_json::from_str(&event.body).unwrap_or_default()),
    });
    if otlp["attributes"].is_object() {
        record["attributes"] = attributes(&otlp["attributes"]);
    }
    record
}

/// Returns a map as a list of `KeyValue`.
fn attributes(map: &Value) -> Value {
    let members = map.as_object().into_iter().flatten();
    members.map(|(key, value)| json!({"key": key, "value": any_value(value)})).collect()
}

/// Returns a value as an `AnyValue`. The output converts integers to 64 bits with a sign, and larger ones are negative.
fn any_value(value: &Value) -> Value {
    let member = |name: &str, value: Value| Value::Object(Map::from_iter([(name.to_owned(), value)]));
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => member("boolValue", value.clone()),
        Value::Number(number) => match number.as_i64().or(number.as_u64().map(u64::cast_signed)) {
            Some(number) => member("intValue", number.to_string().into()),
            None => member("doubleValue", value.clone()),
        },
        Value::String(_) => member("stringValue", value.clone()),
        Value::Array(items) => {
            member("arrayValue", json!({"values": items.iter().map(any_value).collect::<Vec<_>>()}))
        }
        Value::Object(_) => member("kvlistValue", json!({"values": attributes(value)})),
    }
}
/// Returns the counters of a line `statistics: records=5 kept.detections=3`; `None`: it is another line.
pub fn statistics(message: &str) -> Option<Vec<(&str, u64)>> {
    let counters = message.strip_prefix("statistics: ")?.split(' ');
    counters
        .map(|counter| counter.split_once('=').and_then(|(name, count)| Some((name, count.parse().ok()?))))
        .collect()
}

/// Returns the envelope in an event's body; `None`: the body is not a request.
///
/// With `shape: bulk` a body is a request with headers and a body.
pub fn envelope(body: &str) -> Option<String> {
    let event: Value = serde_json::from_str(body).ok()?;
    event.get("headers")?;
    Some(event.get("body")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_names_and_numbers() {
        let counters = statistics("statistics: records=5 kept.detections=3");
        assert_eq!(counters, Some(vec![("records", 5), ("kept.detections", 3)]));
        for other in ["started: records=5", "statistics: records", "statistics: records=many"] {
            assert_eq!(statistics(other), None, "{other}");
        }
    }

    /// An event whose timestamp has these seconds.
    fn event(seconds: [u8; 4], metadata: &str, body: &str) -> Event {
        let head = [&[0x92, 0xd7, 0][..], &seconds, &[0, 0, 0, 0, 0x80]].concat();
        Event {
            head: Some(crate::Hex(head)),
            metadata: serde_json::from_str(metadata).ok(),
            body: body.to_owned(),
        }
    }

    #[test]
    fn a_group_is_a_resource() {
        let schema = r#"{"schema":"otlp","resource_id":1,"scope_id":1}"#;
        let resource = r#"{"resource":{"attributes":{"a":"b"}},"scope":{"name":"s"}}"#;
        let (start, end) = ([255, 255, 255, 255], [255, 255, 255, 254]);
        let record = r#"{"otlp":{"timestamp":7,"severity_number":9,"attributes":{"c":true}}}"#;
        let body = r#"{"i":-1,"u":18446744073709551615,"f":0.5,"n":null,"l":[{}]}"#;
        let events = [
            event([0; 4], "", "{}"),
            event(start, schema, resource),
            event([0; 4], record, body),
            event([0; 4], "", "{}"),
            event(start, "{}", "{}"),
            event([0; 4], "", r#"{"x":1}"#),
            event(end, "", "{}"),
            event([0; 4], "", r#"{"headers":{},"body":"envelope"}"#),
        ];
        let lines = lines(&events);
        assert_eq!(lines.len(), 4, "{lines:#?}");
        assert_eq!([&lines[0], &lines[2], &lines[3]], ["{}", r#"{"x":1}"#, "envelope"]);
        let logs: Value = serde_json::from_str(&lines[1]).unwrap();
        assert_eq!(logs["resource"], json!({"attributes": [{"key": "a", "value": {"stringValue": "b"}}]}));
        assert_eq!(logs["scopeLogs"][0]["scope"], json!({"name": "s"}));
        let records = logs["scopeLogs"][0]["logRecords"].as_array().unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(records[0]["timeUnixNano"], "7");
        assert_eq!(records[0]["attributes"], json!([{"key": "c", "value": {"boolValue": true}}]));
        let value = |key: &str| {
            let values = records[0]["body"]["kvlistValue"]["values"].as_array().unwrap();
            values.iter().find(|member| member["key"] == key).unwrap()["value"].clone()
        };
        assert_eq!(value("i"), json!({"intValue": "-1"}));
        assert_eq!(value("u"), json!({"intValue": "-1"}));
        assert_eq!(value("f"), json!({"doubleValue": 0.5}));
        assert_eq!(value("n"), json!({}));
        assert_eq!(value("l"), json!({"arrayValue": {"values": [{"kvlistValue": {"values": []}}]}}));
    }

    #[test]
    fn an_envelope_is_the_body_of_a_request() {
        assert_eq!(envelope(r#"{"headers":{},"body":"{\"a\":1}"}"#).as_deref(), Some(r#"{"a":1}"#));
        for other in [r#"{"body":"{}"}"#, r#"{"headers":{},"body":{}}"#, "[]", "x"] {
            assert_eq!(envelope(other), None, "{other}");
        }
    }
}
