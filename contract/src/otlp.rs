//! The contract of Coralogix's OTLP endpoint, `/v1/logs`, for requests as OTLP/JSON.
//!
//! Sources: OpenTelemetry's protocol (`ExportLogsServiceRequest` and its JSON form), Coralogix's pages about custom logs
//! and limitations. As in the rest of this crate the check is stricter than the endpoint where that costs a correct log
//! nothing: members that a receiver would ignore, and severities whose level Coralogix does not document, are violations.
//!
//! [`check_request`] checks a request, [`logs`] decodes its log records. A request as protobuf is converted to its JSON
//! form first.

mod any_value;
mod log;
mod report;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::{Clause, Limits, MAX_AGE_MS, MAX_AHEAD_MS, Violation, parse};
use any_value::{check_attributes, decode_pairs, variant};
pub use log::{APPLICATION_NAME, Log, SEVERITIES, SUBSYSTEM_NAME, count, expanded_bytes, logs};
use log::{nanoseconds, stored};
use report::{Path, Report, excerpt};

/// The largest request before compression, in bytes.
pub const MAX_REQUEST_BYTES: usize = 10_000_000;
/// The size of a request that Coralogix advises not to exceed, in bytes.
pub const ADVISED_REQUEST_BYTES: usize = 2_000_000;
/// The maximum length of a name in characters, as of a label of an entry.
const MAX_NAME: usize = 256;
/// The maximum number of violations of a resource or scope that are repeated for each of its log records.
const MAX_SHARED: usize = 5;

const RESOURCE_LOGS: &[&str] = &["resource", "scopeLogs", "schemaUrl"];
const RESOURCE: &[&str] = &["attributes", "droppedAttributesCount", "entityRefs"];
const SCOPE_LOGS: &[&str] = &["scope", "logRecords", "schemaUrl"];
const SCOPE: &[&str] = &["name", "version", "attributes", "droppedAttributesCount"];
const LOG_RECORD: &[&str] = &[
    "timeUnixNano",
    "observedTimeUnixNano",
    "severityNumber",
    "severityText",
    "body",
    "attributes",
    "droppedAttributesCount",
    "flags",
    "traceId",
    "spanId",
    "eventName",
];

/// Checks one request body of `/v1/logs` as OTLP/JSON.
///
/// [`Violation::entry`] is the index of the log record in the order of [`logs`]. A violation of [`Clause::Json`] is an
/// encoding error, for which a receiver rejects the whole request; for other violations it rejects the log record. Each
/// message begins with the path of the value.
pub fn check_request(body: &[u8], limits: &Limits) -> Vec<Violation> {
    let mut found = Vec::new();
    if body.len() >= MAX_REQUEST_BYTES {
        found.push(Violation::new(
            Clause::Size,
            format!("the request has {} bytes, below {MAX_REQUEST_BYTES} are allowed", body.len()),
        ));
    }
    match parse(body) {
        Ok(request) => found.extend(check(&request, limits)),
        Err(message) => found.push(Violation::new(Clause::Json, message)),
    }
    found
}

/// Checks a parsed request, in every respect but its size.
pub fn check(request: &Value, limits: &Limits) -> Vec<Violation> {
    let mut check = Check { limits, count: 0, report: Report::default() };
    check_members(request, &Path::ROOT, &["resourceLogs"], &mut check.report);
    let path = Path::ROOT.member("resourceLogs");
    for (index, resource_logs) in list(request, "resourceLogs", &path, &mut check.report).iter().enumerate() {
        check.resource_logs(resource_logs, &path.item(index));
    }
    check.report.found
}

/// The state of a check.
struct Check<'l> {
    limits: &'l Limits,
    /// The number of log records so far.
    count: usize,
    report: Report,
}

impl Check<'_> {
    fn resource_logs(&mut self, resource_logs: &Value, path: &Path<'_>) {
        let (mut shared, first) = (Report::default(), self.count);
        check_members(resource_logs, path, RESOURCE_LOGS, &mut shared);
        check_resource(&resource_logs["resource"], &path.member("resource"), &mut shared);
        shared.truncate(MAX_SHARED);
        let path = path.member("scopeLogs");
        for (index, scope_logs) in
            list(resource_logs, "scopeLogs", &path, &mut self.report).iter().enumerate()
        {
            self.scope_logs((&resource_logs["resource"], scope_logs), &shared.found, &path.item(index));
        }
        self.without_records(shared, first);
    }

    fn scope_logs(
        &mut self,
        (resource, scope_logs): (&Value, &Value),
        of_resource: &[Violation],
        path: &Path<'_>,
    ) {
        let (mut shared, first) = (Report::default(), self.count);
        let scope = &scope_logs["scope"];
        check_members(scope_logs, path, SCOPE_LOGS, &mut shared);
        check_scope(scope, &path.member("scope"), &mut shared);
        shared.truncate(MAX_SHARED);
        let path = path.member("logRecords");
        for (index, record) in list(scope_logs, "logRecords", &path, &mut self.report).iter().enumerate() {
            let path = path.item(index);
            let mut of_record = Report::default();
            of_record.found.extend(of_resource.iter().chain(&shared.found).cloned());
            check_record(record, &path, self.limits, &mut of_record);
            let size = stored(&decode_pairs(&resource["attributes"]), scope, record).to_string().len();
            let max = self.limits.max_entry_bytes;
            if size > max {
                of_record.add(
                    Clause::Size,
                    &path,
                    format_args!("has {size} bytes as JSON, {max} are allowed"),
                );
            }
            let entry = Some(self.count);
            self.count += 1;
            let found = of_record.found.into_iter().map(|violation| Violation { entry, ..violation });
            self.report.found.extend(found);
        }
        self.without_records(shared, first);
    }

    /// Reports encoding errors of a resource or scope without log records, to which they would belong.
    fn without_records(&mut self, shared: Report, first: usize) {
        if self.count == first {
            let found = shared.found.into_iter().filter(|violation| violation.clause == Clause::Json);
            self.report.found.extend(found);
        }
    }
}

fn check_resource(resource: &Value, path: &Path<'_>, report: &mut Report) {
    if !resource.is_null() {
        check_members(resource, path, RESOURCE, report);
    }
    let attributes = &resource["attributes"];
    let path = path.member("attributes");
    if !attributes.is_null() {
        check_attributes(attributes, &path, report);
    }
    for name in [APPLICATION_NAME, SUBSYSTEM_NAME] {
        let found = attributes.as_array().into_iter().flatten().enumerate();
        match found.filter(|(_, pair)| pair["key"] == name).last() {
            None => report.add(Clause::Schema, &path, format_args!("the attribute `{name}` is missing")),
            Some((index, pair)) => {
                check_name(name, &pair["value"], &path.item(index).member("value"), report);
            }
        }
    }
}

fn check_name(name: &str, value: &Value, path: &Path<'_>, report: &mut Report) {
    let Some(("stringValue", Value::String(text))) = variant(value) else {
        return report.add(Clause::Schema, path, format_args!("`{name}` is not a string"));
    };
    if text.trim().is_empty() {
        report.add(Clause::Schema, path, format_args!("`{name}` is blank"));
    }
    let length = text.chars().count();
    if length > MAX_NAME {
        let message = format_args!("`{name}` has {length} characters, {MAX_NAME} are allowed");
        report.add(Clause::Schema, path, message);
    }
}

fn check_scope(scope: &Value, path: &Path<'_>, report: &mut Report) {
    if scope.is_null() {
        return;
    }
    check_members(scope, path, SCOPE, report);
    for name in ["name", "version"] {
        check_string(&scope[name], &path.member(name), report);
    }
    if !scope["attributes"].is_null() {
        check_attributes(&scope["attributes"], &path.member("attributes"), report);
    }
}

fn check_record(record: &Value, path: &Path<'_>, limits: &Limits, report: &mut Report) {
    check_members(record, path, LOG_RECORD, report);
    check_times(record, path, limits, report);
    check_severity(&record["severityNumber"], &path.member("severityNumber"), report);
    check_string(&record["severityText"], &path.member("severityText"), report);
    check_body(&record["body"], &path.member("body"), report);
    if !record["attributes"].is_null() {
        check_attributes(&record["attributes"], &path.member("attributes"), report);
    }
    for (name, digits) in [("traceId", 32), ("spanId", 16)] {
        check_id(&record[name], digits, &path.member(name), report);
    }
}

/// Checks both times, and the age of the log by the first that is present.
fn check_times(record: &Value, path: &Path<'_>, limits: &Limits, report: &mut Report) {
    let mut first = None;
    for name in ["timeUnixNano", "observedTimeUnixNano"] {
        let value = &record[name];
        match value {
            Value::Null => {}
            Value::String(text)
                if text.parse::<u64>().is_ok() && text.bytes().all(|b| b.is_ascii_digit()) => {}
            Value::Number(number) if number.is_u64() => {
                let message = format_args!("{number} is not a string: write \"{number}\"");
                report.add(Clause::Schema, &path.member(name), message);
            }
            _ => report.wrong_type(&path.member(name), "nanoseconds as a string of digits", value),
        }
        first = first.or_else(|| Some((name, nanoseconds(value)?)));
    }
    let Some((name, nanoseconds)) = first else {
        let message = "no time: set timeUnixNano or observedTimeUnixNano, in nanoseconds since 1970";
        return report.add(Clause::Schema, path, message);
    };
    let path = path.member(name);
    let milliseconds = i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX);
    if milliseconds < limits.now_ms - MAX_AGE_MS {
        report.add(Clause::TooOld, &path, format_args!("more than 24 hours old: {nanoseconds}"));
    }
    if milliseconds > limits.now_ms + MAX_AHEAD_MS {
        report.add(Clause::TooFarAhead, &path, format_args!("more than 4 hours ahead: {nanoseconds}"));
    }
}

fn check_severity(value: &Value, path: &Path<'_>, report: &mut Report) {
    let known = SEVERITIES.map(|(number, _)| number);
    match (value, value.as_u64()) {
        (_, Some(number)) if known.contains(&number) => {}
        (Value::Null, _) => report.add(Clause::Schema, path, format_args!("missing; use one of {known:?}")),
        (_, Some(1..=24)) => {
            let message = format_args!("Coralogix documents no level for {value}; use one of {known:?}");
            report.add(Clause::Schema, path, message);
        }
        (Value::Number(number), _) if number.is_u64() || number.is_i64() => {
            report.add(
                Clause::Schema,
                path,
                format_args!("{value} is not from 1 to 24; use one of {known:?}"),
            );
        }
        _ => report.wrong_type(path, "a number from 1 to 24", value),
    }
}

fn check_body(body: &Value, path: &Path<'_>, report: &mut Report) {
    if body.is_null() {
        return report.add(Clause::Schema, path, "missing");
    }
    any_value::check(body, path, report);
    let is_empty = match variant(body) {
        Some(("stringValue", text)) => text.as_str().is_some_and(|text| text.trim().is_empty()),
        Some(("kvlistValue", map)) => map["values"].as_array().is_none_or(Vec::is_empty),
        _ => {
            let message = format_args!("neither a string nor a map: {}", excerpt(body));
            return report.add(Clause::Schema, path, message);
        }
    };
    if is_empty {
        report.add(Clause::Schema, path, "empty");
    }
}

fn check_string(value: &Value, path: &Path<'_>, report: &mut Report) {
    if !value.is_string() && !value.is_null() {
        report.wrong_type(path, "a string", value);
    }
}

fn check_id(value: &Value, digits: usize, path: &Path<'_>, report: &mut Report) {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let valid = value.as_str().is_some_and(|text| text.is_empty() || text.len() == digits && is_hex(text));
    if !valid && !value.is_null() {
        report.wrong_type(path, &format!("{digits} hexadecimal digits"), value);
    }
}

/// Reports members that a receiver ignores: another spelling, such as `resource_logs`, loses data.
fn check_members(value: &Value, path: &Path<'_>, expected: &[&str], report: &mut Report) {
    let Some(members) = value.as_object() else { return report.wrong_type(path, "an object", value) };
    for name in members.keys().filter(|name| !expected.contains(&name.as_str())) {
        let message = format_args!("unknown member; expected {}", expected.join(", "));
        report.add(Clause::Schema, &path.member(name), message);
    }
}

/// Returns the items of a member, whose path is `path`.
fn list<'v>(value: &'v Value, name: &str, path: &Path<'_>, report: &mut Report) -> &'v [Value] {
    match &value[name] {
        Value::Null => &[],
        Value::Array(items) => items,
        other => {
            report.wrong_type(path, "a list", other);
            &[]
        }
    }
}
