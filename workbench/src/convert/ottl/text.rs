//! Literals, paths and statements of OTTL.

use std::fmt::Write as _;

use kaudit_filter::config::Severity;
use kaudit_filter::finding::Field;

use crate::convert::pattern::needs_escape;

pub const TYPE: &str = r#"log.attributes["kaudit.type"]"#;
pub const INTEGRATION: &str = r#"log.attributes["kaudit.integration"]"#;
pub const ENTITY: &str = r#"log.attributes["kaudit.field.entity"]"#;
pub const COUNTED: &str = r#"log.attributes["kaudit.field.counted"]"#;
pub const APPLICATION: &str = r#"log.attributes["cx.application.name"]"#;
pub const SUBSYSTEM: &str = r#"log.attributes["cx.subsystem.name"]"#;

pub const IS_WRAPPER: &str =
    r#"IsMap(log.body) and log.body["etype"] == nil and log.body["rule"] == nil and log.body["verb"] == nil"#;
pub const IS_OBJECT: &str = "IsMap(log.body)";
pub const IS_FINDING: &str = r#"log.attributes["kaudit.type"] != nil"#;

/// Returns a string literal.
pub fn literal(text: &str) -> String {
    let mut out = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if needs_escape(char) => {
                // Writing into a string cannot fail.
                let _ = write!(out, "\\u{:04x}", char as u32);
            }
            _ => out.push(char),
        }
    }
    out.push('"');
    out
}

pub fn attribute(field: Field) -> String {
    field_attribute(field.name())
}

pub fn field_attribute(name: &str) -> String {
    format!("log.attributes[{}]", literal(&format!("kaudit.field.{name}")))
}

pub fn body(key: &str) -> String {
    format!("log.body[{}]", literal(key))
}

pub fn set(target: &str, value: &str) -> String {
    format!("set({target}, {value})")
}

pub fn set_where(target: &str, value: &str, condition: &str) -> String {
    format!("set({target}, {value}) where {condition}")
}

/// Returns the severity number of OTLP and its text.
pub fn severity(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Debug => ("SEVERITY_NUMBER_DEBUG", "DEBUG"),
        // Coralogix documents no number of its own for this level.
        Severity::Verbose => ("SEVERITY_NUMBER_DEBUG", "VERBOSE"),
        Severity::Info => ("SEVERITY_NUMBER_INFO", "INFO"),
        Severity::Warn => ("SEVERITY_NUMBER_WARN", "WARN"),
        Severity::Error => ("SEVERITY_NUMBER_ERROR", "ERROR"),
        Severity::Critical => ("SEVERITY_NUMBER_FATAL", "CRITICAL"),
    }
}
