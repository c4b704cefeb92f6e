//! Statements and conditions in OTTL, the language of the Collector's processors.
//!
//! A finding's fields are read into attributes first, since both spellings of a key and any type of value have to be
//! read. The statements then are the filter's stages in its order: kind, integration, severity, time, redaction, names.

mod shape;
mod text;

use kaudit_filter::config::{Config, DataFilter, Integration, Report, Severity, SeverityRow, Unrecognised};
use kaudit_filter::finding::{Category, Confidence, Etype, Field, Kind};

use super::pattern::{Syntax, rewrite};
use super::selection::{self, PatternError, closed_values, running, severity_rows, used_fields};
use shape::{drops, labels, names, redactions, time};
use text::{
    COUNTED, ENTITY, INTEGRATION, IS_FINDING, IS_OBJECT, IS_WRAPPER, TYPE, attribute, body, literal, set,
    set_where, severity,
};

/// The statements of the `transform` processor and the conditions of the `filter` processor.
pub struct Program {
    pub groups: Vec<Group>,
    /// The records that are dropped, each with a comment.
    pub drops: Vec<(&'static str, String)>,
}

/// Statements with a condition in common.
pub struct Group {
    pub comment: &'static str,
    pub condition: Option<&'static str>,
    pub statements: Vec<String>,
}

/// Converts a configuration.
///
/// # Errors
/// A pattern that RE2 cannot express.
pub fn program(config: &Config) -> Result<Program, PatternError> {
    let mut groups = vec![
        Group {
            comment: "Lines of a log: the body is the finding.",
            condition: None,
            statements: vec![parse()],
        },
        Group {
            comment: "Objects around a finding.",
            condition: Some(IS_WRAPPER),
            statements: selection::wrappers(config).iter().flat_map(|key| unwrap(key)).collect(),
        },
        Group {
            comment: "Fields, in either spelling of their keys, as text.",
            condition: Some(IS_OBJECT),
            statements: used_fields(config).into_iter().flat_map(read).collect(),
        },
        Group { comment: "The kind of finding.", condition: None, statements: kind() },
        Group {
            comment: "Its values, its entity and its rule.",
            condition: Some(IS_FINDING),
            statements: values(config),
        },
        Group {
            comment: "The first integration that accepts the finding, in the order of the list.",
            condition: Some(IS_FINDING),
            statements: integrations(config)?,
        },
        Group {
            comment: "The severity: the first row that matches.",
            condition: Some(IS_FINDING),
            statements: severities(config)?,
        },
        Group { comment: "The time of the finding.", condition: Some(IS_FINDING), statements: time(config) },
    ];
    if !config.redact.is_empty() {
        groups.push(Group {
            comment: "Values that must not leave the cluster.",
            condition: Some(IS_OBJECT),
            statements: redactions(config)?,
        });
    }
    groups.push(Group {
        comment: "Labels, as attributes of the record.",
        condition: Some(IS_FINDING),
        statements: labels(config),
    });
    let wraps = config.unrecognised == Unrecognised::Wrap;
    groups.push(Group {
        comment: "Names, which groupbyattrs moves to the resource.",
        condition: (!wraps).then_some(IS_FINDING),
        statements: names(config),
    });
    groups.push(Group {
        comment: "The attributes `kaudit.type` and `kaudit.integration` and the labels remain.",
        condition: None,
        // The filter processor reads the mark of counted findings.
        statements: vec![format!(
            "delete_matching_keys(log.attributes, {}) where {COUNTED} == nil",
            literal(r"^kaudit\.field\.")
        )],
    });
    groups.retain(|group| !group.statements.is_empty());
    Ok(Program { groups, drops: drops(config) })
}

fn parse() -> String {
    let object = literal(r"^\s*\{");
    set_where(
        "log.body",
        "ParseJSON(log.body)",
        &format!("IsString(log.body) and IsMatch(log.body, {object})"),
    )
}

/// Makes the finding under a key the body, if it is text or a map.
fn unwrap(key: &str) -> [String; 2] {
    let inner = body(key);
    let has = ["etype", "rule", "verb"].map(|member| format!("{inner}[{}] != nil", literal(member)));
    let object = literal(r#"(?s)^\s*\{.*"(?:etype|rule|verb)"\s*:"#);
    [
        set_where(
            "log.body",
            &format!("ParseJSON({inner})"),
            &format!("IsString({inner}) and IsMatch({inner}, {object})"),
        ),
        set_where("log.body", &inner, &format!("IsMap({inner}) and ({})", has.join(" or "))),
    ]
}

/// Reads a field. Setting a value to nil has no effect, so an absent key leaves the attribute unset.
fn read(field: Field) -> Vec<String> {
    let statement = |key: String| {
        set_where(&attribute(field), &format!("String({})", body(&key)), &format!("{} != \"\"", body(&key)))
    };
    selection::spellings(field.name()).into_iter().map(statement).collect()
}

fn kind() -> Vec<String> {
    let present = |field| format!("{} != nil", attribute(field));
    let absent = |field| format!("{} == nil", attribute(field));
    let type_of = |kind: Kind, condition: String| set_where(TYPE, &literal(kind.name()), &condition);
    let detection = format!("{} and {}", present(Field::Etype), present(Field::Eid));
    let selection = format!(
        "{TYPE} == nil and {} and ({} or {} or {})",
        present(Field::Rule),
        present(Field::Count),
        present(Field::Id),
        present(Field::Verb)
    );
    let activity = format!(
        "{TYPE} == nil and {} and {} and {}",
        absent(Field::Rule),
        present(Field::Id),
        present(Field::Verb)
    );
    vec![
        type_of(Kind::Detection, detection),
        type_of(Kind::Selection, selection),
        type_of(Kind::Activity, activity),
    ]
}

/// Gives values of closed lists their own names, and sets the texts in which patterns are searched.
fn values(config: &Config) -> Vec<String> {
    let mut out = Vec::new();
    for (field, values) in closed_values(config) {
        for (name, spellings) in values {
            let spellings: Vec<String> = spellings.iter().map(|text| regex_syntax::escape(text)).collect();
            let pattern = literal(&format!(r"^\s*(?i:{})\s*$", spellings.join("|")));
            let attribute = attribute(field);
            out.push(set_where(&attribute, &literal(name), &format!("IsMatch({attribute}, {pattern})")));
        }
    }
    let non_authorized = attribute(Field::NonAuthorized);
    out.push(set_where(&non_authorized, "\"true\"", &format!("IsMatch({non_authorized}, \"^(?i:true)$\")")));
    let is_detection = format!("{TYPE} == {}", literal(Kind::Detection.name()));
    out.push(set_where(ENTITY, &attribute(Field::Eid), &is_detection));
    for field in [Field::Principal, Field::Username] {
        let condition = format!("{TYPE} != {} and {ENTITY} == nil", literal(Kind::Detection.name()));
        out.push(set_where(ENTITY, &attribute(field), &condition));
    }
    for text in [ENTITY, &attribute(Field::Rule)] {
        out.push(set_where(text, "\"\"", &format!("{text} == nil")));
    }
    out
}

/// Returns the condition that a value is one of several; nothing accepts every value.
fn one_of<T: Copy>(attribute: &str, values: &[T], name: impl Fn(T) -> &'static str) -> Option<String> {
    let tests: Vec<String> =
        values.iter().map(|value| format!("{attribute} == {}", literal(name(*value)))).collect();
    match &tests[..] {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("({})", several.join(" or "))),
    }
}

fn search(attribute: &str, pattern: &str) -> Result<String, String> {
    Ok(format!("IsMatch({attribute}, {})", literal(&rewrite(pattern, Syntax::Re2)?)))
}

fn integrations(config: &Config) -> Result<Vec<String>, PatternError> {
    let mut out = Vec::new();
    for (index, integration) in running(config) {
        let condition = format!("{INTEGRATION} == nil and {}", accepts(index, integration)?);
        if integration.kind == Kind::Selection && integration.filter.report == Report::Count {
            let not_a_count = format!("{condition} and {} == nil", attribute(Field::Count));
            out.push(set_where(COUNTED, "true", &not_a_count));
        }
        out.push(set_where(INTEGRATION, &literal(&integration.name), &condition));
    }
    Ok(out)
}

fn accepts(index: usize, integration: &Integration) -> Result<String, PatternError> {
    let DataFilter { etype, category, confidence, .. } = &integration.filter;
    let mut clauses = vec![format!("{TYPE} == {}", literal(integration.kind.name()))];
    if integration.kind == Kind::Detection {
        clauses.extend(one_of(&attribute(Field::Etype), etype, Etype::name));
        clauses.extend(one_of(&attribute(Field::Category), category, Category::name));
        clauses.extend(one_of(&attribute(Field::Confidence), confidence, Confidence::name));
    }
    for clause in selection::pattern_clauses(integration) {
        let attribute = if clause.field == selection::Searched::Entity {
            ENTITY.to_owned()
        } else {
            attribute(Field::Rule)
        };
        let test = search(&attribute, clause.pattern)
            .map_err(|reason| PatternError::of_integration(index, clause.key, reason))?;
        clauses.push(if clause.accepts { test } else { format!("not {test}") });
    }
    Ok(clauses.join(" and "))
}

fn severities(config: &Config) -> Result<Vec<String>, PatternError> {
    // The text decides which row was first, since two severities have one number.
    let unset = "log.severity_text == \"\"";
    let mut out = vec![set("log.severity_text", "\"\"")];
    for (index, row) in severity_rows(config) {
        let clauses = row_clauses(&row).map_err(|reason| PatternError::of_row(index, reason))?;
        let (_, text) = severity(row.severity.unwrap_or(Severity::Info));
        let condition = [unset.to_owned()].into_iter().chain(clauses).collect::<Vec<_>>().join(" and ");
        out.push(set_where("log.severity_text", &literal(text), &condition));
    }
    let mut severities: Vec<Severity> =
        severity_rows(config).into_iter().filter_map(|(_, row)| row.severity).collect();
    severities.sort();
    severities.dedup();
    for (number, text) in severities.into_iter().map(severity) {
        out.push(set_where(
            "log.severity_number",
            number,
            &format!("log.severity_text == {}", literal(text)),
        ));
    }
    Ok(out)
}

fn row_clauses(row: &SeverityRow) -> Result<Vec<String>, String> {
    let mut clauses = Vec::new();
    clauses.extend(one_of(TYPE, &row.kinds, Kind::name));
    clauses.extend(one_of(&attribute(Field::Etype), &row.etype, Etype::name));
    clauses.extend(one_of(&attribute(Field::Category), &row.category, Category::name));
    clauses.extend(one_of(&attribute(Field::Confidence), &row.confidence, Confidence::name));
    if let Some(expected) = row.non_authorized {
        let operator = if expected { "==" } else { "!=" };
        clauses.push(format!("{} {operator} \"true\"", attribute(Field::NonAuthorized)));
    }
    if let Some(expected) = row.count {
        let has_count = format!("{} != nil", attribute(Field::Count));
        clauses.push(match (expected, &row.kinds[..]) {
            (true, [Kind::Selection]) => has_count,
            (true, _) => format!("{TYPE} == \"selections\" and {has_count}"),
            (false, _) => format!("not ({TYPE} == \"selections\" and {has_count})"),
        });
    }
    if let Some(pattern) = &row.entity {
        clauses.push(search(ENTITY, pattern)?);
    }
    if let Some(pattern) = &row.rule {
        clauses.push(search(&attribute(Field::Rule), pattern)?);
    }
    Ok(clauses)
}
