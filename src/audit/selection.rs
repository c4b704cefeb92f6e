//! kAudit's record of an event: a selection of a rule, or an activity.
//!
//! It is JSON text that the filter reads as a finding, like a record of kAudit's own. It contains no body, no extra
//! attribute but the ids of the credential, the pod and the node, and no credential of a URI.

use alloc::borrow::Cow;
use alloc::borrow::ToOwned as _;
use alloc::string::String;

use super::event::Event;
use super::field::{EventField, FieldRef, FieldSource as _, FieldValue};
use super::uri;
use crate::record::push_json_string;
use crate::time::{self, Time};

/// The maximum number of products of the user agent. Each is a field of its own in a log store.
const MAX_PRODUCTS: usize = 8;

/// The maximum length of a product's name. Callers choose it.
const MAX_PRODUCT_NAME: usize = 32;

/// The maximum length of a value that kAudit's records do not have.
const MAX_VALUE: usize = 1024;

/// The text in place of a credential in a URI.
const MASK: &str = "[masked]";

/// kAudit's fields of an event, and the additions that a reader of the record needs, in their order there.
///
/// Body fields are written only if a rule matched them.
const FIELDS: &[EventField] = &[
    EventField::Principal,
    EventField::UserId,
    EventField::Username,
    EventField::UserGroups,
    EventField::ImpersonatedPrincipal,
    EventField::ImpersonatedUserId,
    EventField::ImpersonatedUsername,
    EventField::ImpersonatedGroups,
    EventField::Cluster,
    EventField::Verb,
    EventField::Uri,
    EventField::ApiGroup,
    EventField::ApiVersion,
    EventField::ResourceType,
    EventField::ResourceNamespace,
    EventField::ResourceName,
    EventField::Subresource,
    EventField::SubresourceExecCommand,
    EventField::SubresourceExecContainer,
    EventField::SubresourceExecStdin,
    EventField::SubresourceExecStdout,
    EventField::SubresourceExecStderr,
    EventField::SubresourceExecTty,
    EventField::SubresourceAttachContainer,
    EventField::SubresourceAttachStdin,
    EventField::SubresourceAttachTty,
    EventField::SubresourceLogsContainer,
    EventField::SubresourcePortforwardPorts,
    EventField::UnusualUri,
    EventField::AccessType,
    EventField::Status,
    EventField::StatusCode,
    EventField::StatusReason,
    EventField::NonAuthorized,
    EventField::Role,
    EventField::ClusterRole,
    EventField::Binding,
    EventField::CallerIp,
    EventField::CallerIpAsn,
    EventField::CallerIpCountry,
    EventField::OriginalUserAgent,
    EventField::CallerSuppliedUserAgent,
    EventField::Stage,
    EventField::DryRun,
    EventField::CredentialId,
    EventField::PodName,
    EventField::NodeName,
    EventField::IssuedCredentialId,
    EventField::PodSecurityViolations,
    EventField::FailedOpenWebhook,
    EventField::PolicyFailure,
];

/// Replaces `out` by kAudit's record of an event.
///
/// `rule` is the name of the rule that selected the event; `None` writes an activity. `time` is used if the event has
/// none. The body fields in `matched`, which the rule tests, are written, too, and nothing else of a body.
pub(crate) fn write(
    event: &mut Event<'_, '_>,
    rule: Option<&str>,
    time: Time,
    matched: &[FieldRef],
    out: &mut String,
) {
    out.clear();
    out.push('{');
    if let Some(id) = event.id() {
        string_member("id", shortened(id.decode(&mut String::new()), MAX_VALUE), out);
    }
    if let Some(rule) = rule {
        string_member("rule", rule, out);
    }
    let millis = event.time().unwrap_or(time).millis();
    number_member("time", millis, out);
    string_member("timestamp", &time::format(millis), out);
    for &field in FIELDS {
        write_field(event, field, out);
    }
    for field in matched {
        if let FieldRef::Known(known) = field
            && field.is_body()
        {
            write_field(event, *known, out);
        }
    }
    for (name, version) in event.products().take(MAX_PRODUCTS) {
        if name.len() <= MAX_PRODUCT_NAME {
            member(out);
            out.push_str("\"ua-");
            // Letters, digits and hyphens.
            out.push_str(name);
            out.push_str("\":");
            push_json_string(shortened(version, MAX_VALUE), out);
        }
    }
    write_source_ips(event, out);
    out.push('}');
}

fn write_field(event: &mut Event<'_, '_>, field: EventField, out: &mut String) {
    let name = field.name();
    match (field, event.value(&FieldRef::Known(field))) {
        // It is `false` for nearly all events.
        (EventField::DryRun, FieldValue::Text("false")) | (_, FieldValue::Absent | FieldValue::Unknown) => (),
        (EventField::StatusCode, FieldValue::Text(text)) => {
            text.parse().into_iter().for_each(|code: i64| number_member(name, code, out));
        }
        (EventField::NonAuthorized, FieldValue::Text(text)) => {
            key(name, out);
            out.push_str(if text == "true" { "true" } else { "false" });
        }
        (EventField::Uri, FieldValue::Text(text)) => string_member(name, &without_credentials(text), out),
        (field, FieldValue::Text(text)) => string_member(name, shortened(text, limit(field)), out),
        (field, FieldValue::List(texts)) => {
            let joined = texts.join("; ");
            string_member(name, shortened(&joined, limit(field)), out);
        }
    }
}

/// Returns the maximum length of a field's value. kAudit's own fields are whole.
fn limit(field: EventField) -> usize {
    if field.origin() == super::field::Origin::Kaudit { usize::MAX } else { MAX_VALUE }
}

/// Writes all addresses of the caller, if there are several: `caller-ip` is one of them, as an option determines.
fn write_source_ips(event: &Event<'_, '_>, out: &mut String) {
    let mut addresses = event.source_ips();
    let (Some(first), Some(second)) = (addresses.next(), addresses.next()) else { return };
    let mut joined = String::new();
    for address in [first, second].into_iter().chain(addresses) {
        if !joined.is_empty() {
            joined.push_str("; ");
        }
        joined.push_str(address.decode(&mut String::new()));
    }
    string_member("source-ips", shortened(&joined, MAX_VALUE), out);
}

/// Returns a URI with the values of parameters that may be credentials masked.
fn without_credentials(text: &str) -> Cow<'_, str> {
    let (path, query) = uri::split(text);
    if !uri::parameters(query).any(|(key, _)| uri::is_secret(key)) {
        return Cow::Borrowed(text);
    }
    let mut out = path.to_owned();
    for (at, (key, value)) in uri::parameters(query).enumerate() {
        out.push(if at == 0 { '?' } else { '&' });
        out.push_str(key);
        out.push('=');
        out.push_str(if uri::is_secret(key) { MASK } else { value });
    }
    Cow::Owned(out)
}

/// Returns the whole characters within the first `length` bytes.
fn shortened(text: &str, length: usize) -> &str {
    text.get(..text.floor_char_boundary(length)).unwrap_or(text)
}

fn member(out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
}

fn key(name: &str, out: &mut String) {
    member(out);
    push_json_string(name, out);
    out.push(':');
}

fn string_member(name: &str, value: &str, out: &mut String) {
    key(name, out);
    push_json_string(value, out);
}

fn number_member(name: &str, value: i64, out: &mut String) {
    key(name, out);
    out.push_str(itoa::Buffer::new().format(value));
}

#[cfg(test)]
mod tests;
