//! What is legal and makes sense of its own, but surely is not meant in its place: told by `check`, not at each start.
//!
//! It says only what is certain from the text of the configuration. Decision: one pattern covers another where the two
//! are equal or the first accepts all; whether one language contains another is not worked out, as nobody could follow
//! the answer.

use super::read::Reader;
use super::report::{Place, Report, quote};
use super::section::Section;
use super::values::{DAY, MILLISECOND, SECOND};
use super::variables;
use super::{DataFilter, Guard, Integration, Report as Reported};
use crate::error::Code;
use crate::finding::Kind;

/// What Coralogix keeps: entries of the last 24 hours and the next 4.
const STORE: [(&str, u64, &str, &str); 2] = [
    ("max-age", DAY, "older than 24h", "at most `24h`"),
    ("max-ahead", 4 * 3600 * SECOND, "more than 4h ahead", "at most `4h`"),
];

/// Keys of a target whose value is a secret, or holds one.
const SECRETS: &[&str] =
    &["http-api-token", "slack-uri", "shared-key", "aws-secret-key", "aws-secret-access-key"];

/// A guard that lets findings through which the store then drops.
pub(super) fn guard(report: &mut Report, section: &Section<'_>, guard: &Guard) {
    for ((key, most, words, help), given) in STORE.into_iter().zip([guard.max_age_ms, guard.max_ahead_ms]) {
        let given = u64::try_from(given).unwrap_or(0).saturating_mul(MILLISECOND);
        let Some(field) = section.get(key).filter(|_| given > most) else { continue };
        let message = format!("Coralogix drops entries {words}, and answers 200");
        report.say(Code::LateForStore, field.node.at, &section.path_of(key), message, help);
    }
}

/// A secret in a place that everybody can read, or the name of a variable in its place.
pub(super) fn secret(report: &mut Report, path: &str, key: &str, at: Place, text: &str) {
    if let Some(variable) = variables::find(text).filter(|_| SECRETS.contains(&key)) {
        // Within a longer value the brackets may be part of the secret.
        let whole = variable == (0..text.len());
        let name =
            if whole { format!(" {}", quote(&variables::name(text, &variable))) } else { String::new() };
        let message = format!("the variable{name} in {} is not substituted", quote(key));
        let help = format!("the filter needs no token: remove the key; kAudit takes its own by `ref/{key}`");
        report.say(Code::Variable, at, path, message, help);
        return;
    }
    // What is filled in later is no secret yet.
    let placeholder = text.trim().is_empty() || text.contains(['<', '{', '$']);
    if SECRETS.contains(&key) && !placeholder {
        let message = format!("{} is a secret and stands here in plain text", quote(key));
        report.say(
            Code::PlainSecret,
            at,
            path,
            message,
            format!("the filter needs none, as the agent sends; kAudit takes its own by `ref/{key}`"),
        );
    }
}

/// An integration with its place and path.
pub(super) struct Placed<'i> {
    pub(super) at: Place,
    pub(super) path: String,
    pub(super) integration: &'i Integration,
}

/// Integrations that are never asked, and such as fill a store's fields. `fields`: a finding's keys become fields.
pub(super) fn integrations(reader: &mut Reader, placed: &[Placed<'_>], fields: bool) {
    let report = &mut reader.report;
    let running = |placed: &&Placed<'_>| placed.integration.applies && !placed.integration.stopped;
    for (index, Placed { at, path, integration }) in placed.iter().enumerate().filter(|(_, one)| running(one))
    {
        let mut before = placed.iter().take(index).filter(running);
        if let Some(first) = before.find(|first| covers(first.integration, integration)) {
            let message = format!(
                "{} is never asked: {}, on line {}, accepts all that it does",
                quote(&integration.name),
                quote(&first.integration.name),
                first.integration.line
            );
            report.say(Code::Shadowed, *at, path, message, "put the narrower one first, or remove one");
        }
        let DataFilter { entity_match, rules_match, report: reported, .. } = &integration.filter;
        let open = integration.kind != Kind::Detection
            && *reported == Reported::Details
            && entity_match.is_none()
            && rules_match.is_none()
            && integration.rate_limit.is_none();
        if open && fields {
            let message = format!(
                "every finding of {} leaves as an object with keys (`ua_…`) that clients choose",
                integration.kind.word()
            );
            report.say(Code::DynamicFields, *at, path, message, "a store indexes some thousand fields: filter or limit them, or say `coralogix: {text: string}`");
        }
    }
}

/// Whether one accepts whatever the other does.
fn covers(first: &Integration, second: &Integration) -> bool {
    fn words<T: PartialEq>(first: &[T], second: &[T]) -> bool {
        first.is_empty() || !second.is_empty() && second.iter().all(|word| first.contains(word))
    }
    let (one, other) = (&first.filter, &second.filter);
    let accepts = |one: &Option<String>, other: &Option<String>| {
        one.is_none() || one == other || one.as_deref().is_some_and(super::patterns::occurs_everywhere)
    };
    let refuses = |one: &Option<String>, other: &Option<String>| one.is_none() || one == other;
    first.kind == second.kind
        && words(&one.etype, &other.etype)
        && words(&one.category, &other.category)
        && words(&one.confidence, &other.confidence)
        && accepts(&one.entity_match, &other.entity_match)
        && accepts(&one.rules_match, &other.rules_match)
        && refuses(&one.entity_no_match, &other.entity_no_match)
        && refuses(&one.rules_no_match, &other.rules_no_match)
}
