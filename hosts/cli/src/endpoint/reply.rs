//! Responses to ingestion requests, in the form of the request.

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use oxhttp::model::{Body, Response};
use prost::Message;
use serde_json::{Value, json};

use super::route::Form;
use super::web::respond;

/// The maximum number of rejected entries in a response of OTLP; the log contains all.
const MAX_REJECTIONS: usize = 10;

/// The result of an accepted request.
#[derive(Debug, Default)]
pub struct Acceptance {
    /// The number of entries that conform to the contract.
    pub accepted: usize,
    /// The index and the reasons of each of the others.
    pub rejections: Vec<(usize, Vec<String>)>,
    /// A note for a request that should have another form.
    pub advice: Option<String>,
}

/// The body of an error, `google.rpc.Status`.
/// Its number is not set: the status of HTTP replaces it.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
}

/// Returns the response to a request that is rejected as a whole.
pub fn rejected(form: Form, status: u16, reasons: &[String]) -> Response<Body> {
    let message = reasons.join("; ");
    let body = match form {
        Form::Singles | Form::Bulk => json!({"reasons": reasons}).to_string().into_bytes(),
        Form::OtlpJson => json!({"message": message}).to_string().into_bytes(),
        Form::OtlpProtobuf => Status { message }.encode_to_vec(),
    };
    respond(status, form.content_type(), body)
}

/// Returns the response to a request that is accepted, perhaps without some of its entries.
pub fn accepted(form: Form, acceptance: Acceptance) -> Response<Body> {
    let body =
        if form.is_otlp() { otlp(form, &acceptance) } else { rest(acceptance).to_string().into_bytes() };
    respond(200, form.content_type(), body)
}

fn rest(Acceptance { accepted, rejections, advice }: Acceptance) -> Value {
    let rejections: Vec<Value> =
        rejections.into_iter().map(|(index, reasons)| json!({"entry": index, "reasons": reasons})).collect();
    let mut body = json!({"accepted": accepted, "rejected": rejections.len(), "rejections": rejections});
    if let Some(advice) = advice {
        body["advice"] = advice.into();
    }
    body
}

fn otlp(form: Form, acceptance: &Acceptance) -> Vec<u8> {
    let Acceptance { rejections, advice, .. } = acceptance;
    let shown = rejections.iter().take(MAX_REJECTIONS);
    let mut lines: Vec<String> =
        shown.map(|(index, reasons)| format!("log record {index}: {}", reasons.join("; "))).collect();
    if rejections.len() > MAX_REJECTIONS {
        lines.push(format!("and {} more log records", rejections.len() - MAX_REJECTIONS));
    }
    lines.extend(advice.clone());
    let rejected_log_records = i64::try_from(rejections.len()).unwrap_or(i64::MAX);
    let error_message = lines.join("\n");
    let is_partial = !error_message.is_empty();
    if form == Form::OtlpProtobuf {
        let partial = ExportLogsPartialSuccess { rejected_log_records, error_message };
        return ExportLogsServiceResponse { partial_success: is_partial.then_some(partial) }.encode_to_vec();
    }
    // The crate writes the number as a number; the JSON form of 64 bits is a string.
    let partial =
        json!({"rejectedLogRecords": rejected_log_records.to_string(), "errorMessage": error_message});
    let body = if is_partial { json!({"partialSuccess": partial}) } else { json!({}) };
    body.to_string().into_bytes()
}
