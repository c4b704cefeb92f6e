//! Parses ingestion requests: the key, the entries, violations of the contract.

use std::io::Read;

use contract::{Limits, MAX_REQUEST_BYTES, otlp as otlp_contract};
use flate2::read::MultiGzDecoder;
use oxhttp::model::header::{AUTHORIZATION, CONTENT_ENCODING};
use oxhttp::model::{Body, HeaderMap, Request};
use serde_json::Value;
use serde_json::value::RawValue;

use super::entry::{Entry, Refusal};
use super::otlp;
use super::route::{Form, Route};

/// The header with the key in an earlier version of the contract.
const OLDER_KEY: &str = "private_key";

/// A parsed request.
pub struct Parsed {
    pub entries: Vec<Entry>,
    /// A note for a request that should have another form.
    pub advice: Option<String>,
}

/// Parses a request; `key` is the required key, `None` accepts any.
///
/// # Errors
/// The whole request is rejected.
pub fn read(
    route: Route,
    request: &mut Request<Body>,
    key: Option<&str>,
    limits: &Limits,
) -> Result<Parsed, Refusal> {
    let given = bearer(request.headers());
    if given.is_none() && request.headers().contains_key(OLDER_KEY) {
        return Err(Refusal::new(
            401,
            format!("the header `{OLDER_KEY}` is an older form: send the key as `Authorization: Bearer KEY`"),
        ));
    }
    // Without a key the body is not read, unless it may contain the key.
    if route != Route::Old {
        authorise(given.as_deref(), key)?;
    }
    match route {
        Route::Singles => Ok(Parsed { entries: singles(&text(request)?, limits)?, advice: None }),
        Route::Bulk => {
            let envelope = parse_envelope(&text(request)?)?;
            Ok(Parsed { entries: bulk(&envelope, limits)?, advice: None })
        }
        Route::Old => {
            let mut envelope = parse_envelope(&text(request)?)?;
            let private = envelope.as_object_mut().and_then(|envelope| envelope.remove("privateKey"));
            let given = given.or_else(|| Some(private?.as_str()?.to_owned()));
            authorise(given.as_deref(), key)?;
            Ok(Parsed { entries: bulk(&envelope, limits)?, advice: Some(OLD_ADVICE.to_owned()) })
        }
        Route::Otlp => {
            let Some(form) = route.form(request.headers()) else {
                let expected = "send OTLP as `application/json` or `application/x-protobuf`";
                return Err(Refusal::new(415, format!("unknown content type: {expected}")));
            };
            let body = bytes(request, otlp_contract::MAX_REQUEST_BYTES)?;
            let entries = otlp::entries(form, &body, limits)?;
            let advice = size_advice(body.len()).or_else(|| no_records_advice(&entries, body.len()));
            Ok(Parsed { entries, advice })
        }
    }
}

/// The note for a request to the older path.
const OLD_ADVICE: &str = "/api/v1/logs is an older path, and Coralogix ended its ingestion hosts on 2026-09-30: post envelopes to \
     /logs/v1/bulk with the key in the header `Authorization: Bearer KEY`";

/// Returns the note for a large OTLP request.
fn size_advice(size: usize) -> Option<String> {
    let advised = otlp_contract::ADVISED_REQUEST_BYTES;
    (size > advised).then(|| {
        format!("the request has {size} bytes: Coralogix advises at most {advised}; send smaller batches")
    })
}

/// Returns the note for an OTLP request in which no log record was found, unless it is an empty message.
fn no_records_advice(entries: &[Entry], size: usize) -> Option<String> {
    let is_empty = size <= "{}".len();
    (entries.is_empty() && !is_empty).then(|| {
        "the request contains no log records: they are in `resourceLogs[].scopeLogs[].logRecords`".to_owned()
    })
}

fn parse_envelope(body: &str) -> Result<Value, Refusal> {
    contract::parse(body.as_bytes()).map_err(|error| Refusal::new(400, error))
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())
}

fn authorise(given: Option<&str>, key: Option<&str>) -> Result<(), Refusal> {
    match (given.filter(|given| !given.is_empty()), key) {
        (None, _) => Err(Refusal::new(401, "no key: send the header `Authorization: Bearer KEY`")),
        (Some(given), Some(key)) if given != key => {
            Err(Refusal::new(403, "wrong key: it differs from the key in the variable of --key-env"))
        }
        _ => Ok(()),
    }
}

/// Returns the body of a REST request, decompressed.
///
/// # Errors
/// As [`bytes`]; the body is not UTF-8.
fn text(request: &mut Request<Body>) -> Result<String, Refusal> {
    let bytes = bytes(request, MAX_REQUEST_BYTES)?;
    String::from_utf8(bytes).map_err(|error| Refusal::new(400, format!("the body is not UTF-8: {error}")))
}

/// Returns the body, decompressed.
///
/// # Errors
/// The body has `max` bytes or more, or cannot be decoded.
fn bytes(request: &mut Request<Body>, max: usize) -> Result<Vec<u8>, Refusal> {
    let encoding = request.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    let (body, max_read) = (request.body_mut(), max as u64);
    let mut bytes = Vec::new();
    let read = match encoding.as_deref() {
        None | Some(b"" | b"identity") => body.take(max_read).read_to_end(&mut bytes),
        Some(b"gzip") => MultiGzDecoder::new(body).take(max_read).read_to_end(&mut bytes),
        Some(_) => {
            return Err(Refusal::new(415, "unknown content encoding: send the body plain or as gzip"));
        }
    };
    read.map_err(|error| Refusal::new(400, format!("the body cannot be read: {error}")))?;
    if bytes.len() >= max {
        let reason = format!("request body too large: it must be smaller than {max} bytes");
        return Err(Refusal::new(413, reason));
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Refusal::new(400, "the body is gzip: send the header `content-encoding: gzip`"));
    }
    Ok(bytes)
}

/// Returns the entries of a list, or one per line.
fn singles(body: &str, limits: &Limits) -> Result<Vec<Entry>, Refusal> {
    if body.trim_start().starts_with('[') {
        let list: Vec<&RawValue> = serde_json::from_str(body)
            .map_err(|error| Refusal::new(400, format!("the list is not JSON: {error}")))?;
        return Ok(list.into_iter().map(|entry| single(entry.get(), limits)).collect());
    }
    if let Ok(one) = serde_json::from_str::<&RawValue>(body) {
        return Ok(vec![single(one.get(), limits)]);
    }
    let lines = body.lines().filter(|line| !line.trim().is_empty());
    Ok(lines.map(|line| single(line, limits)).collect())
}

fn single(text: &str, limits: &Limits) -> Entry {
    // In a list, an entry may be printed over several lines.
    let line = text.replace(['\n', '\r'], " ");
    let violations = contract::check_entry(line.as_bytes(), limits);
    let mut value = contract::parse(line.as_bytes()).unwrap_or_else(|_| excerpt(&line));
    // Older endpoints of Coralogix accepted the key here. The entry is rejected, and the key is not displayed.
    if let Some(private) = value.get_mut("privateKey") {
        *private = "***".into();
    }
    Entry::new(value, text.len(), Form::Singles, &violations.iter().collect::<Vec<_>>())
}

fn excerpt(text: &str) -> Value {
    text.chars().take(300).collect::<String>().into()
}

/// Returns the entries of an envelope, each with the envelope's names.
fn bulk(envelope: &Value, limits: &Limits) -> Result<Vec<Entry>, Refusal> {
    let violations = contract::check_envelope(envelope.to_string().as_bytes(), limits);
    let of = |entry| violations.iter().filter(move |violation| violation.entry == entry).collect::<Vec<_>>();
    let whole = of(None);
    if !whole.is_empty() {
        return Err(Refusal { status: 400, reasons: whole.iter().map(ToString::to_string).collect() });
    }
    let logs = envelope["logEntries"].as_array().into_iter().flatten().enumerate();
    let entry = |(index, log): (usize, &Value)| {
        let mut value = log.clone();
        if let Some(entry) = value.as_object_mut() {
            for name in ["applicationName", "subsystemName", "computerName"] {
                entry.extend(envelope.get(name).map(|value| (name.to_owned(), value.clone())));
            }
        }
        Entry::new(value, log.to_string().len(), Form::Bulk, &of(Some(index)))
    };
    Ok(logs.map(entry).collect())
}
