//! Parses ingestion requests: the key, the entries, violations of the contract.

use std::io::Read;

use contract::{Clause, Limits, MAX_REQUEST_BYTES, Violation};
use flate2::read::MultiGzDecoder;
use oxhttp::model::header::{AUTHORIZATION, CONTENT_ENCODING};
use oxhttp::model::{Body, HeaderMap, Request};
use serde_json::Value;
use serde_json::value::RawValue;

/// The kinds of ingestion requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A list of entries, or one entry per line.
    Singles,
    /// An envelope.
    Bulk,
    /// An envelope, which may contain the key as `privateKey`.
    Old,
}

impl Route {
    /// Every path and its kind of request.
    pub const ALL: [(&'static str, Self); 3] =
        [("/logs/v1/singles", Self::Singles), ("/logs/v1/bulk", Self::Bulk), ("/api/v1/logs", Self::Old)];

    /// Returns the kind of request that a path accepts.
    pub fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == path).map(|(_, route)| route)
    }

    /// Returns the current path, if a path is an older one that this endpoint rejects.
    pub fn successor_of(path: &str) -> Option<&'static str> {
        OLDER.into_iter().find(|(older, _)| *older == path.trim_end_matches('/')).map(|(_, current)| current)
    }

    /// Returns the note for a request that is accepted in an older form.
    pub fn advice(self) -> Option<&'static str> {
        (self == Self::Old).then_some(
            "/api/v1/logs is an older path, and Coralogix ended its ingestion hosts on 2026-09-30: post envelopes to \
             /logs/v1/bulk with the key in the header `Authorization: Bearer KEY`",
        )
    }
}

/// Paths of earlier versions of the contract, each with its successor.
const OLDER: [(&str, &str); 2] =
    [("/logs/rest/singles", "/logs/v1/singles"), ("/logs/rest/bulk", "/logs/v1/bulk")];

/// The header with the key in an earlier version of the contract.
const OLDER_KEY: &str = "private_key";

/// One entry of a request.
pub struct Entry {
    /// The entry, with the names of its envelope.
    /// If it is not JSON: the beginning of its text.
    pub value: Value,
    /// The size of its text in bytes.
    pub size: usize,
    /// The violations of the contract; empty if the entry is accepted.
    pub reasons: Vec<String>,
    /// The violated clause of each reason.
    pub clauses: Vec<Clause>,
}

impl Entry {
    fn new(value: Value, size: usize, violations: &[&Violation]) -> Self {
        let reasons = violations.iter().map(ToString::to_string).collect();
        Self { value, size, reasons, clauses: violations.iter().map(|violation| violation.clause).collect() }
    }
}

/// The reasons why a whole request is rejected.
#[derive(Debug)]
pub struct Refusal {
    /// The HTTP status of the response.
    pub status: u16,
    /// One line for each reason.
    pub reasons: Vec<String>,
}

impl Refusal {
    fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reasons: vec![reason.into()] }
    }
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
) -> Result<Vec<Entry>, Refusal> {
    let mut given = bearer(request.headers());
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
    let body = text(request)?;
    if route == Route::Singles {
        return singles(&body, limits);
    }
    let mut envelope = contract::parse(body.as_bytes()).map_err(|error| Refusal::new(400, error))?;
    if route == Route::Old {
        let private = envelope.as_object_mut().and_then(|envelope| envelope.remove("privateKey"));
        given = given.or_else(|| Some(private?.as_str()?.to_owned()));
        authorise(given.as_deref(), key)?;
    }
    bulk(&envelope, limits)
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

/// Returns the body, decompressed.
///
/// # Errors
/// The body exceeds the maximum size of the contract, or cannot be decoded.
fn text(request: &mut Request<Body>) -> Result<String, Refusal> {
    const MAX_READ: u64 = MAX_REQUEST_BYTES as u64;
    let encoding = request.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase());
    let body = request.body_mut();
    let mut bytes = Vec::new();
    let read = match encoding.as_deref() {
        None | Some(b"" | b"identity") => body.take(MAX_READ).read_to_end(&mut bytes),
        Some(b"gzip") => MultiGzDecoder::new(body).take(MAX_READ).read_to_end(&mut bytes),
        Some(_) => {
            return Err(Refusal::new(415, "unknown content encoding: send the body plain or as gzip"));
        }
    };
    read.map_err(|error| Refusal::new(400, format!("the body cannot be read: {error}")))?;
    if bytes.len() >= MAX_REQUEST_BYTES {
        return Err(Refusal::new(
            413,
            format!("request body too large: it must be smaller than {MAX_REQUEST_BYTES} bytes"),
        ));
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(Refusal::new(400, "the body is gzip: send the header `content-encoding: gzip`"));
    }
    String::from_utf8(bytes).map_err(|error| Refusal::new(400, format!("the body is not UTF-8: {error}")))
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
    Entry::new(value, text.len(), &violations.iter().collect::<Vec<_>>())
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
        Entry::new(value, log.to_string().len(), &of(Some(index)))
    };
    Ok(logs.map(entry).collect())
}
