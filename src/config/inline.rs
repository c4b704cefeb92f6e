//! The common options, given one by one in an agent's own configuration.
//!
//! They are converted to the filter's own document and read like any other, so that they have the same meaning and the
//! same errors. The document has one integration of each type: an option applies to every type that has it.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use super::option_type::OptionType;
use super::options;
use super::problems::quote;
use super::read::{ReadResult, read_inline_document};
use super::types::Shape;
use crate::error::{Code, Diagnostic, Level};
use crate::finding::Kind;

/// The inline options and their paths in the document.
///
/// In the order of the reference.
pub const INLINE_OPTIONS: &[(&str, &str)] = &[
    ("application_name", "coralogix.application-name"),
    ("subsystem_name", "coralogix.subsystem-name"),
    ("entity_match", "integrations[].data-filter.entity-match"),
    ("entity_no_match", "integrations[].data-filter.entity-no-match"),
    ("rules_match", "integrations[].data-filter.rules-match"),
    ("rules_no_match", "integrations[].data-filter.rules-no-match"),
    ("etype", "integrations[].data-filter.etype"),
    ("category", "integrations[].data-filter.category"),
    ("confidence", "integrations[].data-filter.confidence"),
    ("rate_limit", "integrations[].target.rate-limit.limit"),
    ("rate_limit_by", "rate-limit.by"),
    ("unrecognised", "unrecognised"),
    ("shape", "coralogix.shape"),
];

/// Reads inline options: pairs of a name and its text.
///
/// The values of a list are separated by commas. Diagnostics have no file; their path is the option's name.
pub fn read_inline(options: &[(&str, &str)]) -> ReadResult {
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let mut known: Vec<(&str, &str)> = Vec::new();
    for &(name, text) in options {
        match INLINE_OPTIONS.iter().find(|(option, _)| *option == name) {
            None => {
                let names: Vec<&str> = INLINE_OPTIONS.iter().map(|(option, _)| *option).collect();
                let message = format!("unknown option {}", quote(name));
                diagnostics.push(
                    diagnostic(Code::UnknownKey, "")
                        .with_message(message, format!("known: {}", names.join(", "))),
                );
            }
            Some(_) if known.iter().any(|(other, _)| *other == name) => {
                diagnostics.push(
                    diagnostic(Code::DuplicateKey, name).with_message("given twice", "remove one of the two"),
                );
            }
            Some(_) if text.contains(char::is_control) => {
                let message = "control character in the value";
                diagnostics.push(
                    diagnostic(Code::ControlCharacter, name)
                        .with_message(message, "write it as an escape, such as `\\n`"),
                );
            }
            Some(_) => known.push((name, text)),
        }
    }
    let ReadResult { config, diagnostics: of_document } = read_inline_document(&document(&known));
    for found in of_document {
        let of_option =
            diagnostic(found.code(), option_of(found.path())).with_message(found.message(), found.help());
        // An error occurs once for each type of integration.
        if !diagnostics.contains(&of_option) {
            diagnostics.push(of_option);
        }
    }
    let valid = diagnostics.iter().all(|diagnostic| diagnostic.level() == Level::Warning);
    ReadResult { config: config.filter(|_| valid), diagnostics }
}

fn diagnostic(code: Code, option: &str) -> Diagnostic {
    Diagnostic::new(code, "", (0, 0, 1), option)
}

/// Returns the inline option for a path of the document.
fn option_of(path: &str) -> &'static str {
    let mut table_path = String::new();
    let mut index = false;
    for char in path.chars() {
        index = (index || char == '[') && char != ']';
        if !index || char == '[' {
            table_path.push(char);
        }
    }
    let table_path = table_path.trim_end_matches("[]");
    INLINE_OPTIONS.iter().find(|(_, at)| *at == table_path).map_or("", |(option, _)| option)
}

/// Writes the options as the filter's own document.
fn document(options: &[(&str, &str)]) -> String {
    let section = |prefix: &str, kind: Option<Kind>| -> String {
        let at =
            |name: &str| INLINE_OPTIONS.iter().find(|(option, _)| *option == name).map_or("", |(_, at)| at);
        let members = options.iter().filter_map(|&(name, text)| {
            let path = at(name);
            let key = path.strip_prefix(prefix)?;
            let value = value(path, text);
            kind.is_none_or(|kind| has_option(path, kind)).then(|| match key.split_once('.') {
                Some((key, inner)) => format!("{key}: {{{inner}: {value}}}"),
                None => format!("{key}: {value}"),
            })
        });
        members.collect::<Vec<_>>().join(", ")
    };
    let unrecognised = options.iter().filter(|(name, _)| *name == "unrecognised");
    let shape = options.iter().find_map(|(name, text)| Shape::of(text).filter(|_| *name == "shape"));
    let path = shape.unwrap_or_default().path();
    let integrations = Kind::ALL.iter().map(|kind| {
        let name = kind.name();
        let target = section("integrations[].target.", None);
        let filter = section("integrations[].data-filter.", Some(*kind));
        format!(
            "- {{type: {name}, name: {name}, target: {{target-type: http-api, http-api-uri: '{URI}{path}', {target}}}, data-filter: {{{filter}}}}}"
        )
    });
    let mut lines = vec![
        format!("coralogix: {{{}}}", section("coralogix.", None)),
        format!("rate-limit: {{period: 1s, {}}}", section("rate-limit.", None)),
    ];
    lines.extend(unrecognised.map(|(name, text)| format!("{name}: {}", scalar(text))));
    lines.extend(["use: all".to_owned(), "integrations:".to_owned()]);
    lines.extend(integrations);
    lines.join("\n")
}

/// Any endpoint of Coralogix's, without its path.
///
/// The agent sends the entries, so the address is not used.
const URI: &str = "https://ingress.eu1.coralogix.com";

/// Whether an integration of this type has the option.
fn has_option(path: &str, kind: Kind) -> bool {
    options::of_path(path).is_some_and(|option| option.only.is_empty() || option.only.contains(&kind.name()))
}

fn value(path: &str, text: &str) -> String {
    match options::of_path(path).map(|option| option.value) {
        Some(OptionType::EnumList(_)) => {
            let values: Vec<String> = text.split(',').map(|value| scalar(value.trim())).collect();
            format!("[{}]", values.join(", "))
        }
        _ => scalar(text),
    }
}

/// Writes a text as a YAML scalar on one line.
fn scalar(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{By, Shape, Unrecognised};
    use crate::finding::{Confidence, Etype};

    #[test]
    fn every_option_is_read_where_it_belongs() {
        let options = INLINE_OPTIONS.iter().map(|(name, _)| match *name {
            "application_name" | "subsystem_name" => (*name, "it's {cluster|none}"),
            "etype" => (*name, "principal, cluster"),
            "category" => (*name, "incident"),
            "confidence" => (*name, "high,1"),
            "rate_limit" => (*name, "10"),
            "rate_limit_by" => (*name, "rule"),
            "unrecognised" => (*name, "drop"),
            "shape" => (*name, "bulk"),
            _ => (*name, r"^it's: \d#"),
        });
        let options: Vec<(&str, &str)> = options.collect();
        let ReadResult { config, diagnostics } = read_inline(&options);
        let config = config.unwrap_or_else(|| panic!("{diagnostics:?}"));
        assert_eq!(diagnostics, []);
        assert_eq!((config.coralogix.shape, config.unrecognised), (Shape::Bulk, Unrecognised::Drop));
        let [detections, selections, activity] = &config.integrations[..] else { panic!("three types") };
        for integration in [detections, selections, activity] {
            assert!(integration.applies);
            let limit = integration.rate_limit.unwrap();
            assert_eq!((limit.limit, limit.period_ns, limit.by), (10, 1_000_000_000, By::Rule));
            assert_eq!(integration.filter.entity_match.as_deref(), Some(r"^it's: \d#"));
        }
        assert_eq!(detections.filter.etype, [Etype::Principal, Etype::Cluster]);
        assert_eq!(detections.filter.confidence, [Confidence::High, Confidence::Medium]);
        assert_eq!(detections.filter.rules_match, None);
        assert_eq!(selections.filter.rules_no_match.as_deref(), Some(r"^it's: \d#"));
        assert_eq!(selections.filter.etype, []);
    }

    #[test]
    fn quotes_are_part_of_an_inline_pattern() {
        let ReadResult { config, diagnostics } =
            read_inline(&[("entity_match", "'^it''s'"), ("shape", "bulk")]);
        assert!(config.is_some());
        let [diagnostic] = &diagnostics[..] else { panic!("{diagnostics:?}") };
        assert_eq!(
            diagnostic.to_string(),
            "warning: entity_match: the quotes '…' are part of the pattern; remove them: write `^it''s`"
        );
    }

    #[test]
    fn mistakes_name_the_option_and_come_once() {
        let cases = [
            (
                ("rate_limit", "ten"),
                "error: rate_limit: expected a whole number from 1 to 100000, found `ten`",
            ),
            (("entity_match", "("), "error: entity_match: unclosed group"),
            (("etype", "principal,pod"), "error: etype: expected principal, resource or cluster"),
            (("etype", "a\nb"), "error: etype: control character in the value"),
            (("colour", "red"), "error: unknown option `colour`; known: application_name, "),
        ];
        for (option, expected) in cases {
            let reading = read_inline(&[option]);
            assert!(reading.config.is_none());
            let [diagnostic] = &reading.diagnostics[..] else { panic!("{:?}", reading.diagnostics) };
            assert!(diagnostic.to_string().starts_with(expected), "{diagnostic}");
        }
    }
}
