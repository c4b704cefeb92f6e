//! Decodes log records.

use serde_json::{Map, Value, json};

use super::any_value::{decode, decode_pairs};

/// The resource attribute with the name of the application.
pub const APPLICATION_NAME: &str = "cx.application.name";
/// The resource attribute with the name of the subsystem.
pub const SUBSYSTEM_NAME: &str = "cx.subsystem.name";
/// The severity numbers with a documented level, and the level as the severity of an entry (1 Debug to 6 Critical).
///
/// The number of Verbose is not documented.
pub const SEVERITIES: [(u64, u8); 5] = [(5, 1), (9, 3), (13, 4), (17, 5), (21, 6)];

/// A log record in a plain form.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// The name of the application; empty if it is missing.
    pub application_name: String,
    /// The name of the subsystem; empty if it is missing.
    pub subsystem_name: String,
    /// The level as the severity of an entry, 1 to 6; `None`: no level is documented for the number.
    pub severity: Option<u8>,
    /// The time of the log, or else of its observation, in nanoseconds since 1970; `None`: neither is present.
    pub time: Option<u64>,
    /// The body as JSON.
    pub text: Value,
    /// The attributes of the log record.
    pub labels: Map<String, Value>,
    /// The attributes of the resource, with the names.
    pub resource: Map<String, Value>,
    /// The log in the form that Coralogix stores and searches: `resource`, `scope`, `logRecord`.
    pub stored: Value,
}

/// Returns the log records of a request, in order.
///
/// They need not be valid: a value that cannot be decoded is null.
pub fn logs(request: &Value) -> impl Iterator<Item = Log> {
    items(request, "resourceLogs").flat_map(|resource_logs| {
        let resource = &resource_logs["resource"];
        items(resource_logs, "scopeLogs").flat_map(move |scope_logs| {
            let scope = &scope_logs["scope"];
            items(scope_logs, "logRecords").map(move |record| Log::new(resource, scope, record))
        })
    })
}

/// Returns the number of log records of a request.
pub fn count(request: &Value) -> usize {
    let scope_logs =
        items(request, "resourceLogs").flat_map(|resource_logs| items(resource_logs, "scopeLogs"));
    scope_logs.map(|scope_logs| items(scope_logs, "logRecords").count()).sum()
}

/// Returns the size of all log records as OTLP/JSON, each with its resource and scope.
///
/// It may exceed the size of the request by orders of magnitude, since log records share them.
pub fn expanded_bytes(request: &Value) -> usize {
    let length = |value: &Value| value.to_string().len();
    let of_resource = |resource_logs: &Value| {
        let resource = length(&resource_logs["resource"]);
        let of_scope = |scope_logs: &Value| {
            let shared = resource + length(&scope_logs["scope"]);
            items(scope_logs, "logRecords").map(|record| shared + length(record)).sum::<usize>()
        };
        items(resource_logs, "scopeLogs").map(of_scope).sum::<usize>()
    };
    items(request, "resourceLogs").map(of_resource).sum()
}

impl Log {
    fn new(resource: &Value, scope: &Value, record: &Value) -> Self {
        let resource_attributes = decode_pairs(&resource["attributes"]);
        let name = |key| resource_attributes.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = record["severityNumber"].as_u64();
        let severity = SEVERITIES.iter().find(|(known, _)| Some(*known) == number).map(|(_, level)| *level);
        let times = ["timeUnixNano", "observedTimeUnixNano"].map(|member| nanoseconds(&record[member]));
        Self {
            application_name: name(APPLICATION_NAME),
            subsystem_name: name(SUBSYSTEM_NAME),
            severity,
            time: times.into_iter().flatten().next(),
            text: decode(&record["body"]),
            labels: decode_pairs(&record["attributes"]),
            stored: stored(&resource_attributes, scope, record),
            resource: resource_attributes,
        }
    }
}

/// Returns the form that Coralogix stores, without members that have their default: protobuf does not transmit these.
pub(super) fn stored(resource: &Map<String, Value>, scope: &Value, record: &Value) -> Value {
    let plain = |value: &Value| {
        let members = value.as_object().into_iter().flatten().filter(|(_, value)| !is_default(value));
        let decoded = members.map(|(name, value)| {
            let value = match name.as_str() {
                "body" => decode(value),
                "attributes" => decode_pairs(value).into(),
                _ => value.clone(),
            };
            (name.clone(), value)
        });
        Value::Object(decoded.collect())
    };
    let mut stored = json!({"resource": {"attributes": resource}, "logRecord": plain(record)});
    if scope.is_object() {
        stored["scope"] = plain(scope);
    }
    stored
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty() || text == "0",
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Object(_) => false,
    }
}

/// Returns a time, unless it is 0, which means that there is none.
pub(super) fn nanoseconds(value: &Value) -> Option<u64> {
    let number = value.as_str().map_or_else(|| value.as_u64(), |text| text.parse().ok());
    number.filter(|number| *number > 0)
}

fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value[name].as_array().into_iter().flatten()
}
