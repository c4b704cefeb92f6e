//! Statements for what is sent: time, redaction and names; and conditions for what is dropped.

use kaudit_filter::config::{Config, OnStale, Placeholder, Severity, Template, TemplatePart, Unrecognised};
use kaudit_filter::finding::{Field, Kind};

use super::text::{
    APPLICATION, COUNTED, ENTITY, INTEGRATION, IS_FINDING, IS_OBJECT, SUBSYSTEM, TYPE, attribute, body,
    field_attribute, literal, set, set_where, severity,
};
use crate::convert::pattern::{Syntax, rewrite};
use crate::convert::selection::{self, Location, PatternError, running, used_fields};

/// Returns whether the time is out of the guard's range.
fn stale(config: &Config) -> String {
    let duration = |millis: i64| format!("Duration(\"{millis}ms\")");
    let (age, ahead) = (duration(config.guard.max_age_ms), duration(config.guard.max_ahead_ms));
    format!("log.time < Now() - {age} or log.time > Now() + {ahead}")
}

pub fn time(config: &Config) -> Vec<String> {
    let [time, timestamp] = ["time", "timestamp"].map(body);
    let millis = format!("IsMatch({time}, \"^[0-9]{{13}}$\")");
    let readable = literal(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}$");
    // The field `timestamp` counts if `time` is absent or out of range: agents add a `time` of their own.
    let mut out = vec![
        set_where("log.time_unix_nano", &format!("Int({time}) * 1000000"), &millis),
        set_where(
            "log.time",
            &format!("Time({timestamp}, \"%Y-%m-%dT%H:%M:%S%z\")"),
            &format!("IsMatch({timestamp}, {readable}) and (not {millis} or {})", stale(config)),
        ),
    ];
    if config.guard.on_stale == OnStale::Clamp {
        out.push(set_where("log.time", "Now()", &stale(config)));
    }
    out
}

pub fn redactions(config: &Config) -> Result<Vec<String>, PatternError> {
    let mut out = Vec::new();
    for (index, rule) in config.redact.iter().enumerate() {
        let pattern = rewrite(&rule.pattern, Syntax::Re2)
            .map_err(|reason| PatternError::of_redaction(index, reason))?;
        // `$` begins the number of a group.
        let replacement = literal(&rule.replacement.replace('$', "$$"));
        let replace =
            |target: &str| format!("replace_pattern({target}, {}, {replacement})", literal(&pattern));
        // No function replaces texts in a list, so a list is overwritten whole. It remains a list: an index of Coralogix
        // has one type for a key.
        let whole = format!("[{}]", literal(&rule.replacement));
        for location in selection::locations(&rule.field) {
            let (target, is_in_context) = match location {
                Location::Key(key) => (body(&key), false),
                Location::InContext(key) => (format!("log.body[\"context\"][{}]", literal(&key)), true),
            };
            let has_members = format!("IsList({target}) or IsMap({target})");
            let overwrite = |condition: &str| set_where(&target, &whole, condition);
            if is_in_context {
                const CONDITION: &str = "IsMap(log.body[\"context\"])";
                out.push(format!("{} where {CONDITION}", replace(&target)));
                out.push(overwrite(&format!("{CONDITION} and ({has_members})")));
            } else {
                out.push(replace(&target));
                out.push(overwrite(&has_members));
            }
        }
        let Some(field) = Field::of(&rule.field) else { continue };
        if used_fields(config).contains(&field) {
            out.push(replace(&attribute(field)));
        }
        let condition = match field {
            Field::Eid => format!("{TYPE} == \"detections\""),
            Field::Principal => format!("{TYPE} != \"detections\" and {} != nil", attribute(field)),
            Field::Username => format!("{TYPE} != \"detections\" and {} == nil", attribute(Field::Principal)),
            _ => continue,
        };
        out.push(format!("{} where {condition}", replace(ENTITY)));
    }
    Ok(out)
}

/// Sets the labels, from the redacted body. A blank one is omitted.
pub fn labels(config: &Config) -> Vec<String> {
    let label = |name: &str| format!("log.attributes[{}]", literal(name));
    let mut out = Vec::new();
    let sent = |kind: &&Kind| running(config).any(|(_, integration)| integration.kind == **kind);
    for kind in Kind::ALL.iter().filter(sent) {
        let is_kind = format!("{TYPE} == {}", literal(kind.name()));
        let class = match kind {
            Kind::Detection => Field::Etype,
            Kind::Selection | Kind::Activity => Field::ResourceType,
        };
        let mut fields = vec![("className", class), ("methodName", kind.subject_field())];
        match kind {
            Kind::Detection => fields.insert(0, ("category", Field::Category)),
            Kind::Selection => out.push(set_where(&label("category"), "\"selection\"", &is_kind)),
            Kind::Activity => out.push(set_where(&label("category"), "\"activity\"", &is_kind)),
        }
        for (name, field) in fields {
            let read = |key: String| {
                let value = body(&key);
                set_where(
                    &label(name),
                    &format!("String({value})"),
                    &format!("{is_kind} and {}", is_not_blank(&value)),
                )
            };
            out.extend(selection::spellings(field.name()).into_iter().map(read));
        }
    }
    out.push(set_where(&label("threadId"), ENTITY, &is_not_blank(ENTITY)));
    out
}

fn is_not_blank(text: &str) -> String {
    format!("IsMatch({text}, {})", literal(r"\S"))
}

pub fn names(config: &Config) -> Vec<String> {
    let mut out = name(APPLICATION, "application", &config.coralogix.application_name);
    out.extend(name(SUBSYSTEM, "subsystem", &config.coralogix.subsystem_name));
    if config.unrecognised == Unrecognised::Wrap {
        out.push(set_where("log.severity_number", severity(Severity::Info).0, &format!("{TYPE} == nil")));
    }
    out
}

/// Renders a template: its placeholders first, then all parts.
fn name(target: &str, key: &str, template: &Template) -> Vec<String> {
    let mut out = Vec::new();
    let mut parts = Vec::new();
    for (index, part) in template.parts().iter().enumerate() {
        let (name, default) = match part {
            TemplatePart::Literal(text) => {
                parts.push(literal(text));
                continue;
            }
            TemplatePart::Placeholder { name, default } => (name, default),
        };
        let part = field_attribute(&format!("{key}-{index}"));
        match name {
            Placeholder::Type => {
                out.push(set(&part, TYPE));
                out.push(set_where(&part, "\"unrecognised\"", &format!("{TYPE} == nil")));
            }
            Placeholder::Integration | Placeholder::Field(_) => {
                let value = match name {
                    Placeholder::Field(field) => attribute(*field),
                    _ => INTEGRATION.to_owned(),
                };
                out.push(set(&part, &value));
                out.push(set_where(&part, &literal(default), &format!("{part} == nil or {part} == \"\"")));
            }
        }
        parts.push(part);
    }
    let joined = match &parts[..] {
        [one] => one.clone(),
        parts => format!("Concat([{}], \"\")", parts.join(", ")),
    };
    out.push(set(target, &joined));
    // Coralogix rejects an entry without a name.
    out.push(set_where(target, "\"kaudit\"", &format!("IsMatch({target}, {})", literal(r"^\s*$"))));
    out
}

/// Returns the conditions under which a record is dropped.
pub fn drops(config: &Config) -> Vec<(&'static str, String)> {
    let mut out =
        vec![("Findings that no integration accepts.", format!("{IS_FINDING} and {INTEGRATION} == nil"))];
    if running(config).any(|(_, integration)| selection::counts(integration)) {
        out.push(("Findings that the filter only counts.", format!("{COUNTED} == true")));
    }
    if config.guard.on_stale == OnStale::Drop {
        out.push(("Findings outside the range of times.", format!("{IS_FINDING} and ({})", stale(config))));
    }
    if config.unrecognised == Unrecognised::Drop {
        out.push(("Records that are not findings.", format!("{TYPE} == nil")));
    } else if config.audit.is_some() {
        let condition = format!("{TYPE} == nil and {IS_OBJECT} and log.body[\"auditID\"] != nil");
        out.push(("Audit events, which only the filter's policy turns into findings.", condition));
    }
    out
}
