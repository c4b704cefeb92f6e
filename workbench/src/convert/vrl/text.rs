//! Literals of VRL, and the parts of the program that are the same for every configuration.

use std::fmt::Write as _;

use kaudit_filter::finding::Field;

use crate::convert::pattern::{Syntax, needs_escape, rewrite};

pub const FINDING: &str = r#"finding = .
if is_string(.message) {
  text = replace(string!(.message), r'^[^\{]*', "")
  finding = object(parse_json(text) ?? {}) ?? {}
}"#;

pub const KIND: &str = r#"kind = ""
if eid != "" && etype != "" {
  kind = "detections"
} else if rule != "" && (count != "" || id != "" || verb != "") {
  kind = "selections"
} else if rule == "" && id != "" && verb != "" {
  kind = "activity"
}
entity = eid
if kind != "detections" {
  entity = principal
  if entity == "" { entity = username }
}"#;

pub const LABELS: &str = r#"category = if kind == "selections" { "selection" } else if kind == "activity" { "activity" } else { category }
class = if kind == "detections" { etype } else { resource_type }
method = if kind == "detections" { short_doc } else if kind == "selections" { rule } else { verb }
"#;

pub const ENTRY: &str = r#"labels = {"computerName": truncate(computer, 256)}
if kind != "" {
  labels.category = truncate(category, 256)
  labels.className = truncate(class, 256)
  labels.methodName = truncate(method, 256)
  labels.threadId = truncate(entity, 256)
}
entry = {
  "timestamp": time_ms,
  "severity": severity,
  "applicationName": truncate(application, 256),
  "subsystemName": truncate(subsystem, 256),
  "text": finding,
}
. = {
  "kaudit": {"type": kind, "integration": name, "number": integration, "entity": entity, "key": key, "keep": keep},
  "entry": merge(entry, compact(labels, recursive: false)),
}
"#;

/// Returns a string literal, without dollar signs, and without braces: two of them begin a template.
pub fn literal(text: &str) -> String {
    let mut out = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            _ if needs_escape(char) || matches!(char, '$' | '{' | '}') => {
                // Writing into a string cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", char as u32);
            }
            _ => out.push(char),
        }
    }
    out.push('"');
    out
}

pub fn regex(pattern: &str) -> Result<String, String> {
    Ok(format!("r'{}'", rewrite(pattern, Syntax::Rust)?))
}

pub fn variable(field: Field) -> String {
    field.name().replace('-', "_")
}

/// Returns the path of a key of the finding.
pub fn path(key: &str) -> String {
    format!("finding.{}", literal(key))
}
