//! A program in VRL, Vector's remap language, for the filter's stages in its order.
//!
//! It contains no dollar sign: Vector replaces variables in its configuration.

mod text;

use std::fmt::Write as _;

use kaudit_filter::config::{
    By, Config, Integration, KeyStyle, OnStale, Placeholder, Severity, SeverityRow, Shape, Template,
    TemplatePart, TextForm, Unrecognised,
};
use kaudit_filter::finding::{Category, Confidence, Etype, Field, Kind};

use super::selection::{
    self, Location, PatternError, Searched, closed_values, counts, running, severity_rows, used_fields,
};
use text::literal;
use text::{ENTRY, FINDING, KIND, LABELS, path, regex, variable};

/// Returns the program.
///
/// It replaces an event by an object with the entry under `entry`, and under `kaudit` the type, the name and number of
/// the integration, the entity, the key of its limit, and whether the entry is sent.
///
/// # Errors
/// A pattern that cannot be expressed.
pub fn program(config: &Config) -> Result<String, PatternError> {
    let mut out = String::new();
    for (comment, text) in [
        ("The finding: the object in a line of a log, or the event itself.", FINDING.to_owned()),
        ("Objects around a finding.", wrappers(config)),
        ("Its fields as text, in either spelling.", fields(config)),
        ("The kind of finding, and its entity.", KIND.to_owned()),
        ("Values of closed lists.", closed(config)),
        ("The first integration that accepts the finding, by its number in the list.", integrations(config)?),
        ("The severity: the first row that matches.", severities(config)?),
        ("Whether the entry is sent.", keep(config)),
        ("The key of the rate limit.", limit_keys(config)),
        ("Values that must not leave the cluster.", redactions(config)?),
        ("Names and labels.", names(config)),
        ("The entry.", entry(config)),
    ] {
        if !text.is_empty() {
            let _ = writeln!(out, "# {comment}\n{}\n", text.trim_end());
        }
    }
    Ok(out.trim_end().to_owned() + "\n")
}

/// Makes the finding under a key the finding, if it is text or an object.
fn wrappers(config: &Config) -> String {
    let any =
        |object: &str| ["etype", "rule", "verb"].map(|key| format!("exists({object}.{key})")).join(" || ");
    let mut out = String::new();
    for key in selection::wrappers(config) {
        let key = path(&key);
        let _ = write!(
            out,
            "if !({}) {{\n  inner = object({key}) ?? {{}}\n  \
             if is_string({key}) {{ inner = object(parse_json(replace(string!({key}), r'^[^\\{{]*', \"\")) ?? {{}}) ?? {{}} }}\n  \
             if {} {{ finding = inner }}\n}}\n",
            any("finding"),
            any("inner")
        );
    }
    out
}

fn all_fields(config: &Config) -> Vec<Field> {
    let mut fields = used_fields(config);
    let computer = config.coralogix.computer_name.parts().iter().filter_map(|part| match part {
        TemplatePart::Placeholder { name: Placeholder::Field(field), .. } => Some(*field),
        _ => None,
    });
    for field in [Field::ShortDoc, Field::ResourceType, Field::Cluster].into_iter().chain(computer) {
        if !fields.contains(&field) {
            fields.push(field);
        }
    }
    fields
}

fn fields(config: &Config) -> String {
    let mut out = String::new();
    for field in all_fields(config) {
        let name = variable(field);
        let spellings = selection::spellings(field.name());
        let mut keys = spellings.iter().rev().map(|key| path(key));
        let first = keys.next().unwrap_or_default();
        let _ = writeln!(out, "{name} = to_string({first}) ?? \"\"");
        for key in keys {
            let _ = writeln!(out, "if {name} == \"\" {{ {name} = to_string({key}) ?? \"\" }}");
        }
    }
    out
}

fn known(field: Field) -> String {
    format!("known_{}", variable(field))
}

fn closed(config: &Config) -> String {
    let mut out = String::new();
    for (field, values) in closed_values(config) {
        let (known, field) = (known(field), variable(field));
        let _ = writeln!(out, "{known} = downcase(strip_whitespace({field}))");
        for (name, spellings) in values {
            for other in spellings.into_iter().filter(|other| *other != name) {
                let (other, name) = (literal(other), literal(name));
                let _ = writeln!(out, "if {known} == {other} {{ {known} = {name} }}");
            }
        }
    }
    out
}

fn one_of<T: Copy>(variable: &str, values: &[T], name: impl Fn(T) -> &'static str) -> Option<String> {
    let names: Vec<String> = values.iter().map(|value| literal(name(*value))).collect();
    (!names.is_empty()).then(|| format!("includes([{}], {variable})", names.join(", ")))
}

/// Returns a chain of conditions, of which the first that holds assigns its value.
fn chain(variable: &str, initial: &str, arms: impl IntoIterator<Item = (String, String)>) -> String {
    let mut out = format!("{variable} = {initial}\n");
    for (index, (condition, value)) in arms.into_iter().enumerate() {
        let start = if index == 0 { "if" } else { " else if" };
        let condition = if condition.is_empty() { "true" } else { &condition };
        let _ = write!(out, "{start} {condition} {{\n  {variable} = {value}\n}}");
    }
    out
}

fn integrations(config: &Config) -> Result<String, PatternError> {
    let mut arms = Vec::new();
    for (index, integration) in running(config) {
        arms.push((accepts(index, integration)?, (index + 1).to_string()));
    }
    let mut out = chain("integration", "0", arms);
    out.push('\n');
    let names =
        running(config).map(|(index, one)| (format!("integration == {}", index + 1), literal(&one.name)));
    out.push_str(&chain("name", "\"\"", names));
    Ok(out)
}

fn accepts(index: usize, integration: &Integration) -> Result<String, PatternError> {
    let filter = &integration.filter;
    let mut clauses = vec![format!("kind == {}", literal(integration.kind.name()))];
    if integration.kind == Kind::Detection {
        clauses.extend(one_of(&known(Field::Etype), &filter.etype, Etype::name));
        clauses.extend(one_of(&known(Field::Category), &filter.category, Category::name));
        clauses.extend(one_of(&known(Field::Confidence), &filter.confidence, Confidence::name));
    }
    for clause in selection::pattern_clauses(integration) {
        let text = if clause.field == Searched::Entity { "entity" } else { "rule" };
        let pattern = regex(clause.pattern)
            .map_err(|reason| PatternError::of_integration(index, clause.key, reason))?;
        clauses.push(format!("{}match({text}, {pattern})", if clause.accepts { "" } else { "!" }));
    }
    Ok(clauses.join(" && "))
}

fn severities(config: &Config) -> Result<String, PatternError> {
    let mut arms = Vec::new();
    for (index, row) in severity_rows(config) {
        let condition = row_condition(&row).map_err(|reason| PatternError::of_row(index, reason))?;
        arms.push((condition, (row.severity.unwrap_or(Severity::Info) as u8).to_string()));
    }
    Ok(chain("severity", "3", arms))
}

fn row_condition(row: &SeverityRow) -> Result<String, String> {
    let mut clauses = Vec::new();
    clauses.extend(one_of("kind", &row.kinds, Kind::name));
    clauses.extend(one_of(&known(Field::Etype), &row.etype, Etype::name));
    clauses.extend(one_of(&known(Field::Category), &row.category, Category::name));
    clauses.extend(one_of(&known(Field::Confidence), &row.confidence, Confidence::name));
    if let Some(expected) = row.non_authorized {
        clauses.push(format!("(downcase(non_authorized) == \"true\") == {expected}"));
    }
    if let Some(expected) = row.count {
        clauses.push(format!("(kind == \"selections\" && count != \"\") == {expected}"));
    }
    if let Some(pattern) = &row.entity {
        clauses.push(format!("match(entity, {})", regex(pattern)?));
    }
    if let Some(pattern) = &row.rule {
        clauses.push(format!("match(rule, {})", regex(pattern)?));
    }
    Ok(clauses.join(" && "))
}

fn keep(config: &Config) -> String {
    let mut out = String::from("keep = integration > 0\n");
    for (index, _) in running(config).filter(|(_, integration)| counts(integration)) {
        let _ = writeln!(out, "if integration == {} && count == \"\" {{ keep = false }}", index + 1);
    }
    let sent = config.unrecognised != Unrecognised::Drop;
    let _ = writeln!(out, "if kind == \"\" {{\n  severity = 3\n  keep = {sent}");
    if sent && config.audit.is_some() {
        // Only the filter's policy turns audit events into findings.
        out.push_str("  if exists(finding.auditID) { keep = false }\n");
    }
    out.push_str("}\n");
    let (age, ahead) = (config.guard.max_age_ms, config.guard.max_ahead_ms);
    let stale = format!("time_ms < now_ms - {age} || time_ms > now_ms + {ahead}");
    // The field `timestamp` counts if `time` is absent or out of range: agents add a `time` of their own.
    let _ = write!(
        out,
        "now_ms = to_unix_timestamp(now(), unit: \"milliseconds\")\n\
         time_ms = to_int(finding.time) ?? 0\n\
         if {stale} {{\n  \
         other, err = parse_timestamp(finding.timestamp, \"%Y-%m-%dT%H:%M:%S%z\")\n  \
         if err == null {{ time_ms = to_unix_timestamp(other, unit: \"milliseconds\") }}\n\
         }}\n\
         if kind == \"\" || time_ms == 0 {{ time_ms = now_ms }}\n\
         if {stale} {{\n"
    );
    out.push_str(match config.guard.on_stale {
        OnStale::Clamp => "  time_ms = now_ms\n}\n",
        OnStale::Drop => "  keep = false\n}\n",
    });
    out
}

/// Returns the integrations with a limit, with their numbers.
pub fn limited(config: &Config) -> impl Iterator<Item = (usize, &Integration)> {
    let limited = running(config).filter(|(_, integration)| integration.rate_limit.is_some());
    limited.map(|(index, integration)| (index + 1, integration))
}

fn limit_keys(config: &Config) -> String {
    let arms = limited(config).filter_map(|(number, integration)| {
        let key = match integration.rate_limit?.by {
            By::None => return None,
            By::Entity => "entity".to_owned(),
            By::Rule => variable(integration.kind.subject_field()),
            By::Cluster => variable(Field::Cluster),
        };
        Some((format!("integration == {number}"), key))
    });
    chain("key", "\"\"", arms)
}

fn redactions(config: &Config) -> Result<String, PatternError> {
    let mut out = String::new();
    for (index, rule) in config.redact.iter().enumerate() {
        let pattern = regex(&rule.pattern).map_err(|reason| PatternError::of_redaction(index, reason))?;
        // A dollar sign begins the number of a group.
        let replacement = literal(&rule.replacement.replace('$', "$$"));
        for location in selection::locations(&rule.field) {
            let target = match location {
                Location::Key(key) => path(&key),
                Location::InContext(key) => format!("finding.context.{}", literal(&key)),
            };
            // The values in `context` are lists.
            let _ = write!(
                out,
                "if exists({target}) {{\n  \
                 field = map_values({{\"value\": {target}}}, recursive: true) -> |value| {{\n    \
                 if is_string(value) {{ replace(string!(value), {pattern}, {replacement}) }} else {{ value }}\n  }}\n  \
                 {target} = field.value\n}}\n"
            );
        }
        let Some(field) = Field::of(&rule.field) else { continue };
        if all_fields(config).contains(&field) {
            let variable = variable(field);
            let _ = writeln!(out, "{variable} = replace({variable}, {pattern}, {replacement})");
        }
        let condition = match field {
            Field::Eid => "kind == \"detections\"",
            Field::Principal => "kind != \"detections\" && principal != \"\"",
            Field::Username => "kind != \"detections\" && principal == \"\"",
            _ => continue,
        };
        let _ = writeln!(out, "if {condition} {{ entity = replace(entity, {pattern}, {replacement}) }}");
    }
    Ok(out)
}

fn names(config: &Config) -> String {
    let coralogix = &config.coralogix;
    let mut out = name("application", &coralogix.application_name);
    out.push_str(&name("subsystem", &coralogix.subsystem_name));
    out.push_str(&name("computer", &coralogix.computer_name));
    // Coralogix rejects an entry without a name.
    for name in ["application", "subsystem"] {
        let _ = writeln!(out, "if strip_whitespace({name}) == \"\" {{ {name} = \"kaudit\" }}");
    }
    out.push_str(LABELS);
    // A blank label is omitted.
    for label in ["computer", "category", "class", "method", "entity"] {
        let _ = writeln!(out, "if strip_whitespace({label}) == \"\" {{ {label} = \"\" }}");
    }
    out
}

/// Assigns a rendered template to a variable.
fn name(target: &str, template: &Template) -> String {
    let mut out = format!("{target} = \"\"\n");
    for part in template.parts() {
        let (value, default) = match part {
            TemplatePart::Literal(text) => {
                let _ = writeln!(out, "{target} = {target} + {}", literal(text));
                continue;
            }
            TemplatePart::Placeholder { name: Placeholder::Type, .. } => ("kind".to_owned(), "unrecognised"),
            TemplatePart::Placeholder { name: Placeholder::Integration, default } => {
                ("name".to_owned(), default.as_str())
            }
            TemplatePart::Placeholder { name: Placeholder::Field(field), default } => {
                (variable(*field), default.as_str())
            }
        };
        let default = literal(default);
        let _ = writeln!(
            out,
            "part = if {value} == \"\" {{ {default} }} else {{ {value} }}\n{target} = {target} + part"
        );
    }
    out
}

fn entry(config: &Config) -> String {
    let coralogix = &config.coralogix;
    let mut out = String::new();
    if coralogix.keys == KeyStyle::Snake {
        out.push_str(
            "finding = map_keys(finding, recursive: true) -> |key| { replace(key, \"-\", \"_\") }\n",
        );
    }
    let string = coralogix.text == TextForm::String || coralogix.shape == Shape::Bulk;
    out.push_str(ENTRY);
    if string {
        out.push_str(".entry.text = encode_json(finding)\n");
    }
    out
}
