//! Events as the API server writes them: its order of keys and its escape sequences.

use std::fmt::Write as _;

use kaudit_measure::records::Object;

use crate::calendar::write_rfc3339;
use crate::event::{Event, Outcome, Stage};
use crate::identity::uuid;

/// Appends an event at the level `Metadata`, without a line break.
pub fn write(event: &Event, text: &mut String) {
    let stage = match event.stage {
        Stage::ResponseStarted => "ResponseStarted",
        Stage::ResponseComplete => "ResponseComplete",
    };
    text.push_str(r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":""#);
    text.push_str(&uuid(event.id));
    for part in [r#"","stage":""#, stage, r#"","requestURI":""#] {
        text.push_str(part);
    }
    for (at, part) in event.uri.split('&').enumerate() {
        text.push_str(if at == 0 { "" } else { r"\u0026" });
        text.push_str(part);
    }
    for part in [r#"","verb":""#, event.verb, r#"","user":"#, &event.identity.user_json, ","] {
        text.push_str(part);
    }
    text.push_str(&event.identity.client_json);
    let object = event.object();
    write_object(event, &object, text);
    write_status(event, &object, text);
    text.push_str(r#","requestReceivedTimestamp":""#);
    write_rfc3339(event.received, text);
    text.push_str(r#"","stageTimestamp":""#);
    write_rfc3339(event.time, text);
    text.push('"');
    write_annotations(event, text);
    text.push('}');
}

fn write_object(event: &Event, object: &Object<'_>, text: &mut String) {
    if object.resource.is_empty() {
        return;
    }
    text.push_str(r#","objectRef":{"resource":""#);
    text.push_str(object.resource);
    // A refused request's body is not read, so the name of the new object is unknown.
    let name = if event.outcome == Outcome::Forbidden && event.verb == "create" {
        Object::of(&event.uri).name
    } else {
        object.name
    };
    for (key, value) in [
        ("namespace", object.namespace),
        ("name", name),
        ("apiGroup", object.group),
        ("apiVersion", object.version),
        ("subresource", object.subresource),
    ] {
        if !value.is_empty() {
            for part in [r#"",""#, key, r#"":""#, value] {
                text.push_str(part);
            }
        }
    }
    text.push_str(r#""}"#);
}

fn write_status(event: &Event, object: &Object<'_>, text: &mut String) {
    let (code, reason) = event.outcome.code(event.verb);
    if reason.is_empty() {
        let _ = write!(text, r#","responseStatus":{{"metadata":{{}},"code":{code}}}"#);
        return;
    }
    text.push_str(r#","responseStatus":{"metadata":{},"status":"Failure","message":""#);
    write_message(event, object, text);
    let _ = write!(text, r#"","reason":"{reason}","code":{code}}}"#);
}

fn write_message(event: &Event, object: &Object<'_>, text: &mut String) {
    let (user, resource, group) = (&event.identity.username, object.resource, object.group);
    let (name, namespace, verb) = (object.name, object.namespace, event.verb);
    let _ = match event.outcome {
        Outcome::Forbidden if resource.is_empty() => {
            let path = event.uri.split('?').next().unwrap_or_default();
            write!(text, r#"forbidden: User \"{user}\" cannot {verb} path \"{path}\""#)
        }
        Outcome::Forbidden => write!(
            text,
            r#"{resource} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" in the namespace \"{namespace}\""#
        ),
        Outcome::ImpersonationRefused => {
            write!(text, r#"users is forbidden: User \"{user}\" cannot impersonate resource \"users\""#)
        }
        Outcome::AdmissionRefused => write!(
            text,
            r#"{resource} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being terminated"#
        ),
        Outcome::NotFound => write!(text, r#"{resource} \"{name}\" not found"#),
        Outcome::AlreadyExists => write!(text, r#"{resource} \"{name}\" already exists"#),
        Outcome::Conflict => write!(
            text,
            r#"Operation cannot be fulfilled on {resource} \"{name}\": the object has been modified; please apply your changes to the latest version and try again"#
        ),
        Outcome::Unauthorized => write!(text, "Authentication failed, attempted: bearer"),
        outcome => write!(text, "{}", outcome.code(verb).1),
    };
}

fn write_annotations(event: &Event, text: &mut String) {
    let (decision, reason) = match event.outcome {
        Outcome::Unauthorized | Outcome::ImpersonationRefused => return,
        Outcome::Forbidden => ("forbid", ""),
        _ => ("allow", event.identity.reason.as_str()),
    };
    text.push_str(r#","annotations":{"authorization.k8s.io/decision":""#);
    for part in [decision, r#"","authorization.k8s.io/reason":""#, reason] {
        text.push_str(part);
    }
    if let Some((key, value)) = event.annotation {
        for part in [r#"",""#, key, r#"":""#, value] {
            text.push_str(part);
        }
    }
    text.push_str(r#""}"#);
}
