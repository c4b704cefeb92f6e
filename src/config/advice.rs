//! Finds valid settings that are probably mistakes where they are used.
//!
//! `check` reports them; a start of the filter does not.
//!
//! Only mistakes that follow from the text of the configuration are reported. Decision: one pattern covers another if
//! the two are equal or the first matches every text. Inclusion of regular languages is not computed, as its answer
//! could not be explained to the user.

use alloc::string::String;

use super::patterns;
use super::problems::{Problems, SourceSpan, quote};
use super::section::Section;
use super::types::{DataFilter, Guard, Integration, Report};
use super::values::{DAY, MILLISECOND, SECOND};
use super::variables;
use crate::error::Code;
use crate::finding::Kind;

/// The ages of entries that Coralogix keeps: the last 24 hours and the next 4.
const STORE_LIMITS: [(&str, u64, &str, &str); 2] = [
    ("max-age", DAY, "older than 24h", "at most `24h`"),
    ("max-ahead", 4 * 3600 * SECOND, "more than 4h ahead", "at most `4h`"),
];

/// Keys of a target whose value is a secret or contains one.
const SECRET_KEYS: &[&str] =
    &["http-api-token", "slack-uri", "shared-key", "aws-secret-key", "aws-secret-access-key"];

/// Reports guard limits that admit findings which Coralogix then drops.
pub(super) fn guard(problems: &mut Problems, section: &Section<'_>, guard: &Guard) {
    for ((key, most, age, help), given) in
        STORE_LIMITS.into_iter().zip([guard.max_age_ms, guard.max_ahead_ms])
    {
        let given = u64::try_from(given).unwrap_or(0).saturating_mul(MILLISECOND);
        let Some(field) = section.get(key).filter(|_| given > most) else { continue };
        let message = format!("Coralogix drops entries {age}, and answers 200");
        problems.add(Code::LateForStore, field.node.at, &section.path_of(key), message, help);
    }
}

/// Reports detections that no integration sends. `at`: the position of section `detect`.
pub(super) fn detections(problems: &mut Problems, at: SourceSpan, integrations: &[Integration]) {
    let is_sent = integrations.iter().any(|one| one.kind == Kind::Detection && one.applies && !one.stopped);
    if !is_sent {
        let message = "no integration of type `detections` applies";
        problems.add(Code::DetectionsNotSent, at, "detect", message, "add one, or remove the section");
    }
}

/// Reports a secret in plain text, or a variable that is not substituted.
pub(super) fn secret(problems: &mut Problems, path: &str, key: &str, at: SourceSpan, text: &str) {
    if let Some(variable) = variables::find(text).filter(|_| SECRET_KEYS.contains(&key)) {
        // In a longer value the brackets may be part of the secret.
        let whole = variable == (0..text.len());
        let name =
            if whole { format!(" {}", quote(&variables::name(text, &variable))) } else { String::new() };
        let message = format!("the variable{name} in {} is not substituted", quote(key));
        let help = format!("the filter needs no token: remove the key; kAudit takes its own by `ref/{key}`");
        problems.add(Code::Variable, at, path, message, help);
        return;
    }
    // A placeholder is not yet a secret.
    let placeholder = text.trim().is_empty() || text.contains(['<', '{', '$']);
    if SECRET_KEYS.contains(&key) && !placeholder {
        let message = format!("{} is a secret in plain text", quote(key));
        problems.add(
            Code::PlainSecret,
            at,
            path,
            message,
            format!("the filter needs none, as the agent sends; kAudit takes its own by `ref/{key}`"),
        );
    }
}

/// An integration with its position and path.
pub(super) struct LocatedIntegration<'i> {
    pub(super) at: SourceSpan,
    pub(super) path: String,
    pub(super) integration: &'i Integration,
}

/// Reports shadowed integrations, and those that create unbounded fields.
///
/// `without_fields`: if a finding's keys become fields of the store, the setting of `coralogix` with which they do not.
pub(super) fn integrations(
    problems: &mut Problems,
    located: &[LocatedIntegration<'_>],
    without_fields: Option<&str>,
) {
    let is_running =
        |located: &&LocatedIntegration<'_>| located.integration.applies && !located.integration.stopped;
    for (index, LocatedIntegration { at, path, integration }) in
        located.iter().enumerate().filter(|(_, one)| is_running(one))
    {
        let mut before = located.iter().take(index).filter(is_running);
        if let Some(first) = before.find(|first| accepts_all_of(first.integration, integration)) {
            let message = format!(
                "{} matches no finding: {}, on line {}, matches all of them first",
                quote(&integration.name),
                quote(&first.integration.name),
                first.integration.line
            );
            problems.add(Code::Shadowed, *at, path, message, "put the narrower one first, or remove one");
        }
        let DataFilter { entity_match, rules_match, report, .. } = &integration.filter;
        let unbounded = integration.kind != Kind::Detection
            && *report == Report::Details
            && entity_match.is_none()
            && rules_match.is_none()
            && integration.rate_limit.is_none();
        if let Some(setting) = without_fields.filter(|_| unbounded) {
            let message = format!(
                "every finding of {} is sent as an object with keys (`ua_…`) that clients choose",
                integration.kind.name()
            );
            let help = format!(
                "a store indexes some thousand fields: filter or limit them, or set `coralogix: {setting}`"
            );
            problems.add(Code::DynamicFields, *at, path, message, help);
        }
    }
}

/// Returns whether `first` accepts every finding that `second` accepts.
fn accepts_all_of(first: &Integration, second: &Integration) -> bool {
    fn list_accepts<T: PartialEq>(first: &[T], second: &[T]) -> bool {
        first.is_empty() || !second.is_empty() && second.iter().all(|value| first.contains(value))
    }
    let (one, other) = (&first.filter, &second.filter);
    let accepts = |one: &Option<String>, other: &Option<String>| {
        one.is_none() || one == other || one.as_deref().is_some_and(patterns::occurs_in_every_text)
    };
    let refuses = |one: &Option<String>, other: &Option<String>| one.is_none() || one == other;
    first.kind == second.kind
        && list_accepts(&one.etype, &other.etype)
        && list_accepts(&one.category, &other.category)
        && list_accepts(&one.confidence, &other.confidence)
        && accepts(&one.entity_match, &other.entity_match)
        && accepts(&one.rules_match, &other.rules_match)
        && refuses(&one.entity_no_match, &other.entity_no_match)
        && refuses(&one.rules_no_match, &other.rules_no_match)
}
