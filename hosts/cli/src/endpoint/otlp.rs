//! Parses requests of the OpenTelemetry protocol.

use contract::otlp::{self, Log};
use contract::{Clause, Limits, Violation};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use serde_json::{Value, json};

use super::entry::{Entry, Refusal};
use super::route::Form;

/// The maximum number of reasons in a response that rejects a request.
const MAX_REASONS: usize = 10;

/// Returns the log records of a request as entries.
///
/// # Errors
/// The request cannot be decoded: as in every receiver of OTLP, one such value rejects all log records.
pub fn entries(form: Form, body: &[u8], limits: &Limits) -> Result<Vec<Entry>, Refusal> {
    let request = match form {
        Form::OtlpProtobuf => from_protobuf(body),
        _ => contract::parse(body),
    };
    let request =
        request.map_err(|error| Refusal::new(400, format!("the request cannot be decoded: {error}")))?;
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

/// Returns the JSON form of a request.
///
/// Its depth is bounded: `prost` rejects messages that are nested more than 100 deep.
fn from_protobuf(body: &[u8]) -> Result<Value, String> {
    let request = ExportLogsServiceRequest::decode(body).map_err(|error| error.to_string())?;
    serde_json::to_value(request).map_err(|error| error.to_string())
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
