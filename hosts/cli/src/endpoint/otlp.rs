//! Parses requests of the OpenTelemetry protocol.

use std::fmt::Display;

use contract::otlp::{self, Log};
use contract::{Clause, Limits, Violation};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use serde_json::{Value, json};

use super::entry::{Entry, Refusal};
use super::route::Form;

/// The maximum number of reasons in a response that rejects a request.
const MAX_REASONS: usize = 10;

/// The maximum number of log records in a request.
/// It bounds the memory: an empty log record has two bytes as protobuf, and kilobytes with its violations.
const MAX_LOG_RECORDS: usize = 100_000;

/// The maximum size of the log records of a request, each with its resource and scope, in bytes as OTLP/JSON.
/// A request of 10 MB may have 100,000 log records that share a resource of megabytes.
const MAX_EXPANDED: usize = 64 << 20;

/// Returns the log records of a request as entries.
///
/// # Errors
/// The request has too many log records, or cannot be decoded: as in every receiver of OTLP, one such value rejects all.
pub fn entries(form: Form, body: &[u8], limits: &Limits) -> Result<Vec<Entry>, Refusal> {
    let request = if form == Form::OtlpProtobuf { from_protobuf(body) } else { from_json(body) }?;
    let expanded = otlp::expanded_bytes(&request);
    if expanded > MAX_EXPANDED {
        let reason = format!(
            "{expanded} bytes of log records, each with its resource and scope: at most {MAX_EXPANDED} are accepted"
        );
        return Err(Refusal::new(413, reason));
    }
    let violations = otlp::check(&request, limits);
    let is_fatal = |violation: &&Violation| violation.entry.is_none() || violation.clause == Clause::Json;
    let fatal: Vec<String> = violations.iter().filter(is_fatal).map(ToString::to_string).collect();
    if !fatal.is_empty() {
        return Err(Refusal { status: 400, reasons: shortened(fatal) });
    }
    // Violations are in the order of their log records.
    let mut rest = violations.as_slice();
    let logs = otlp::logs(&request).enumerate().map(|(index, log)| {
        let count = rest.iter().take_while(|violation| violation.entry == Some(index)).count();
        let (own, others) = rest.split_at(count);
        rest = others;
        entry(log, form, &own.iter().collect::<Vec<_>>())
    });
    Ok(logs.collect())
}

fn shortened(mut reasons: Vec<String>) -> Vec<String> {
    let more = reasons.len().saturating_sub(MAX_REASONS);
    reasons.truncate(MAX_REASONS);
    reasons.extend((more > 0).then(|| format!("and {more} more")));
    reasons
}

fn from_json(body: &[u8]) -> Result<Value, Refusal> {
    let request = contract::parse(body).map_err(undecodable)?;
    check_count(otlp::count(&request))?;
    Ok(request)
}

/// Returns the JSON form of a request.
///
/// Its depth is bounded: `prost` rejects messages that are nested more than 100 deep.
fn from_protobuf(body: &[u8]) -> Result<Value, Refusal> {
    let request = ExportLogsServiceRequest::decode(body).map_err(undecodable)?;
    let scope_logs = request.resource_logs.iter().flat_map(|resource_logs| &resource_logs.scope_logs);
    check_count(scope_logs.map(|scope_logs| scope_logs.log_records.len()).sum())?;
    serde_json::to_value(request).map_err(undecodable)
}

fn undecodable(error: impl Display) -> Refusal {
    Refusal::new(400, format!("the request cannot be decoded: {error}"))
}

fn check_count(count: usize) -> Result<(), Refusal> {
    if count > MAX_LOG_RECORDS {
        let reason = format!("{count} log records: at most {MAX_LOG_RECORDS} are accepted in a request");
        return Err(Refusal::new(413, reason));
    }
    Ok(())
}

/// Returns a log record with the members of an entry, and the members that Coralogix stores.
fn entry(log: Log, form: Form, violations: &[&Violation]) -> Entry {
    let size = log.stored.to_string().len();
    let mut value = json!({
        "applicationName": log.application_name,
        "subsystemName": log.subsystem_name,
        "severity": log.severity,
        "timestamp": log.time.map(|nanoseconds| nanoseconds / 1_000_000),
    });
    if let (Some(entry), Value::Object(stored)) = (value.as_object_mut(), log.stored) {
        entry.retain(|_, value| !value.is_null());
        entry.extend(stored);
    }
    Entry::new(value, size, form, violations)
}
