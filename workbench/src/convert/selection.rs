//! The parts of a configuration that both languages express.

use kaudit_filter::builtin_severities;
use kaudit_filter::config::{Config, Integration, LOOK_IN, Placeholder, Report, SeverityRow, TemplatePart};
use kaudit_filter::finding::{Category, Confidence, Etype, Field, Kind};

use super::keys::Key;

/// A pattern that cannot be expressed, and the key that has it.
#[derive(Debug)]
pub struct PatternError {
    /// The index of the integration.
    integration: Option<usize>,
    /// The end of the key's path.
    key: String,
    reason: String,
}

impl PatternError {
    pub fn of_integration(index: usize, key: &str, reason: String) -> Self {
        Self { integration: Some(index), key: format!("data-filter.{key}"), reason }
    }

    /// `index`: the row of the configuration; a built-in row has no such pattern.
    pub fn of_row(index: Option<usize>, reason: String) -> Self {
        Self {
            integration: None,
            key: index.map_or_else(String::new, |index| format!("severity[{index}]")),
            reason,
        }
    }

    pub fn of_redaction(index: usize, reason: String) -> Self {
        Self { integration: None, key: format!("redact[{index}]"), reason }
    }

    /// Returns the error, with its position in the input.
    pub fn message(&self, keys: &[Key]) -> String {
        let Self { integration, key, reason } = self;
        let found =
            keys.iter().find(|one| one.integration == *integration && one.path.ends_with(key.as_str()));
        let position = found.map_or_else(String::new, |key| format!("{}: {}: ", key.position, key.path));
        format!(
            "{position}the pattern cannot be converted: RE2 and VRL do not have {reason}; write it without"
        )
    }
}

/// Returns the spellings of a key; the last one counts if a finding has both.
pub fn spellings(name: &str) -> Vec<String> {
    let (snake, hyphens) = (name.replace('-', "_"), name.replace('_', "-"));
    if snake == hyphens { vec![snake] } else { vec![snake, hyphens] }
}

/// Where a redacted field may be.
pub enum Location {
    Key(String),
    InContext(String),
}

/// Returns the locations of a redacted field: itself and in `context`, in both spellings, and in a flattened `context`.
pub fn locations(field: &str) -> Vec<Location> {
    let mut out = Vec::new();
    for key in spellings(field) {
        out.extend([Location::Key(key.clone()), Location::InContext(key)]);
    }
    out.push(Location::Key(format!("context_{}", field.replace('-', "_"))));
    out
}

/// Returns the integrations that get findings, with their indices.
pub fn running(config: &Config) -> impl Iterator<Item = (usize, &Integration)> {
    let integrations = config.integrations.iter().enumerate();
    integrations.filter(|(_, integration)| integration.applies && !integration.stopped)
}

/// Returns whether findings of an integration are only counted.
pub fn counts(integration: &Integration) -> bool {
    integration.kind == Kind::Selection && integration.filter.report == Report::Count
}

/// Returns the severity rows that a finding of some integration can reach, with the index of a configured row.
pub fn severity_rows(config: &Config) -> Vec<(Option<usize>, SeverityRow)> {
    let own = config.severity.iter().cloned().enumerate().map(|(index, row)| (Some(index), row));
    let kinds: Vec<Kind> = running(config).map(|(_, integration)| integration.kind).collect();
    let reachable = |row: &SeverityRow| row.kinds.iter().any(|kind| kinds.contains(kind));
    let builtin = builtin_severities().into_iter().filter(reachable).map(|row| (None, row));
    own.chain(builtin).collect()
}

/// Returns the keys under which a record is searched for a finding: of the default keys only these two.
pub fn wrappers(config: &Config) -> Vec<String> {
    let default = LOOK_IN.iter().map(|path| path.split('.').map(str::to_owned).collect::<Vec<_>>());
    if default.eq(config.look_in.iter().cloned()) {
        return ["log", "message"].map(str::to_owned).to_vec();
    }
    let single = config.look_in.iter().filter_map(|path| match &path[..] {
        [key] if key != "*" => Some(key.clone()),
        _ => None,
    });
    single.collect()
}

/// The text in which a pattern is searched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Searched {
    Entity,
    Rule,
}

/// A clause with a pattern.
pub struct PatternClause<'c> {
    pub key: &'static str,
    pub field: Searched,
    pub pattern: &'c str,
    /// Whether a match accepts the finding.
    pub accepts: bool,
}

/// Returns the pattern clauses of an integration, in the order of their checks.
pub fn pattern_clauses(integration: &Integration) -> Vec<PatternClause<'_>> {
    let filter = &integration.filter;
    let clauses = [
        ("entity-match", Searched::Entity, &filter.entity_match, true),
        ("entity-no-match", Searched::Entity, &filter.entity_no_match, false),
        ("rules-match", Searched::Rule, &filter.rules_match, true),
        ("rules-no-match", Searched::Rule, &filter.rules_no_match, false),
    ];
    let rules = integration.kind == Kind::Selection;
    let clauses = clauses.into_iter().filter(|(_, field, ..)| *field == Searched::Entity || rules);
    let clauses = clauses.filter_map(|(key, field, pattern, accepts)| {
        Some(PatternClause { key, field, pattern: pattern.as_deref()?, accepts })
    });
    clauses.collect()
}

/// The fields that determine the kind of a finding, its entity and its severity.
const DECIDING: [Field; 11] = [
    Field::Etype,
    Field::Eid,
    Field::Rule,
    Field::Count,
    Field::Id,
    Field::Verb,
    Field::Principal,
    Field::Username,
    Field::Category,
    Field::Confidence,
    Field::NonAuthorized,
];

/// Returns the fields that decide about findings or occur in their names.
pub fn used_fields(config: &Config) -> Vec<Field> {
    let mut fields = DECIDING.to_vec();
    for template in [&config.coralogix.application_name, &config.coralogix.subsystem_name] {
        for part in template.parts() {
            if let TemplatePart::Placeholder { name: Placeholder::Field(field), .. } = part
                && !fields.contains(field)
            {
                fields.push(*field);
            }
        }
    }
    fields
}

/// The name of a value, and every spelling of it.
pub type ClosedValue = (&'static str, Vec<&'static str>);

/// Returns the fields with a closed list of values that some clause tests.
pub fn closed_values(config: &Config) -> Vec<(Field, Vec<ClosedValue>)> {
    fn spelled<T: Copy + PartialEq>(
        all: &[T],
        aliases: &[&'static str],
        name: impl Fn(T) -> &'static str,
        of: impl Fn(&str) -> Option<T>,
    ) -> Vec<ClosedValue> {
        let of_value = |value: T| {
            let others = aliases.iter().copied().filter(|alias| of(alias) == Some(value));
            (name(value), [name(value)].into_iter().chain(others).collect())
        };
        all.iter().copied().map(of_value).collect()
    }
    let filters = || running(config).map(|(_, integration)| &integration.filter);
    let rows = severity_rows(config);
    let rows = || rows.iter().map(|(_, row)| row);
    let etype = filters().any(|one| !one.etype.is_empty()) || rows().any(|one| !one.etype.is_empty());
    let category =
        filters().any(|one| !one.category.is_empty()) || rows().any(|one| !one.category.is_empty());
    let confidence =
        filters().any(|one| !one.confidence.is_empty()) || rows().any(|one| !one.confidence.is_empty());
    let mut out = Vec::new();
    if etype {
        out.push((Field::Etype, spelled(Etype::ALL, Etype::ALIASES, Etype::name, Etype::of)));
    }
    if category {
        out.push((Field::Category, spelled(Category::ALL, Category::ALIASES, Category::name, Category::of)));
    }
    if confidence {
        let values = spelled(Confidence::ALL, Confidence::ALIASES, Confidence::name, Confidence::of);
        out.push((Field::Confidence, values));
    }
    out
}
