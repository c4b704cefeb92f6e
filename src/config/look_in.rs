//! The default of option `look-in`: the paths under which a record is searched for findings.
//!
//! It applies to records that are not findings themselves.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

/// The path of every top-level object of a record that no other path names.
///
/// Such an object has to be unmistakably a finding: a detection with an entity type of kAudit's, or a selection with a
/// cluster or a principal.
pub(crate) const ANY_OBJECT: &str = "*";

/// The default of `look-in`.
///
/// It covers the keys under which Fluent Bit (also with `Merge_Log_Key`), Vector, journald, OpenTelemetry, Splunk, GELF,
/// Kafka envelopes, AWS, Azure and Google Cloud store a log line or a list of them.
pub const LOOK_IN: &[&str] = &[
    "log",
    "message",
    "msg",
    "MESSAGE",
    "log_processed",
    "body",
    "Body",
    "body.stringValue",
    "event",
    "data",
    "payload",
    "jsonPayload",
    "textPayload",
    "json",
    "parsed",
    "text",
    "value",
    "raw",
    "_raw",
    "exec",
    "short_message",
    "records",
    "items",
    "findings",
    "entries",
    "logEntries",
    "logEvents",
    "detections",
    "selections",
    "activity",
    "properties.log",
    ANY_OBJECT,
];

/// Returns the default paths, each as its keys.
pub(super) fn default() -> Vec<Vec<String>> {
    LOOK_IN.iter().map(|path| keys(path)).collect()
}

/// Splits a path into its keys.
pub(super) fn keys(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}
