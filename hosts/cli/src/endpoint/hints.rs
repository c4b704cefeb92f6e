//! The reasons why a query has no results.

use std::collections::BTreeSet;

use kaudit_filter::config::nearest;
use serde_json::Value;

use super::location::Location;
use super::query::{Match, Query, has_field};

/// The maximum number of values and of reasons in an answer.
const MAX_VALUES: usize = 5;
const MAX_HINTS: usize = 5;

/// Returns the reasons why none of the documents matches the query.
pub fn explain(query: &Query, documents: &[Value]) -> Vec<String> {
    if documents.is_empty() {
        return vec!["there are no entries yet".to_owned()];
    }
    if let Some(hint) = Location::ALL.into_iter().find_map(|location| elsewhere(query, location, documents)) {
        return vec![hint];
    }
    let terms = query.terms();
    let mut hints: Vec<String> = terms.iter().filter_map(|term| of_term(term, documents)).collect();
    if hints.is_empty() && terms.len() > 1 {
        hints.push("each term matches entries, but no entry matches all of them".to_owned());
    }
    if terms.is_empty() {
        hints.push("every entry contains a term that `NOT` excludes".to_owned());
    }
    hints.dedup();
    hints.truncate(MAX_HINTS);
    hints
}

/// Returns the hint to a location in which the query has results.
///
/// A term has to match there: without its fields, an excluded term always matches.
fn elsewhere(query: &Query, location: Location, documents: &[Value]) -> Option<String> {
    let moved = query.moved(location)?;
    let parsed = Query::parse(&moved).ok()?;
    let terms = query.terms();
    let is_moved = |term: &&Match| terms.iter().all(|known| known.field() != term.field());
    let moved_terms: Vec<&Match> = parsed.terms().into_iter().filter(is_moved).collect();
    let matches =
        |document: &&Value| parsed.matches(document) && moved_terms.iter().any(|term| term.matches(document));
    let found = documents.iter().filter(matches).count();
    (found > 0).then(|| format!("{}: `{moved}` matches {found} entries", location.explanation()))
}

/// Returns the reason why no document matches a term; `None` if one does.
fn of_term(term: &Match, documents: &[Value]) -> Option<String> {
    if documents.iter().any(|document| term.matches(document)) {
        return None;
    }
    let Some(field) = term.field() else {
        return Some("no field of any entry contains the words without a field".to_owned());
    };
    if documents.iter().any(|document| has_field(document, field)) {
        let values = values(field, documents);
        return Some(format!("`{field}` has no such value; values are {}", values.join(", ")));
    }
    let mut fields = BTreeSet::new();
    for document in documents {
        collect_fields(document, &mut String::new(), &mut fields);
    }
    let reason = match similar(field, &fields) {
        Some((name, "")) => format!(": did you mean `{name}`?"),
        Some((name, difference)) => format!(": did you mean `{name}`? {difference}"),
        None => String::new(),
    };
    Some(format!("no entry has the field `{field}`{reason}"))
}

/// Returns the field that was probably meant, and an explanation of the difference.
fn similar<'f>(field: &str, fields: &'f BTreeSet<String>) -> Option<(&'f str, &'static str)> {
    let names = || fields.iter().map(String::as_str);
    let spelling = |name: &str| name.to_lowercase().replace('_', "-");
    let same_case = names().find(|name| name.eq_ignore_ascii_case(field));
    let same_spelling = || names().find(|name| spelling(name) == spelling(field));
    let nested =
        || names().find(|name| name.rsplit('.').next().is_some_and(|last| spelling(last) == spelling(field)));
    let moved = || {
        let other = |location: &Location| location.field(field).is_some_and(|path| fields.contains(&path));
        let location = Location::ALL.into_iter().find(other)?;
        Some((fields.get(&location.field(field)?)?.as_str(), location.explanation()))
    };
    same_case
        .map(|name| (name, "Names of fields are case-sensitive"))
        .or_else(|| Some((same_spelling()?, "Names of fields differ by `keys` in the configuration")))
        .or_else(moved)
        .or_else(|| Some((nested()?, "Nested fields have their whole path")))
        .or_else(|| Some((nearest(field, names())?, "")))
}

/// Returns the most frequent values of a field, for messages.
fn values(field: &str, documents: &[Value]) -> Vec<String> {
    let mut found: Vec<(String, usize)> = Vec::new();
    for document in documents {
        collect_values(document, field, &mut |value| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let text: String = text.chars().take(60).collect();
            match found.iter_mut().find(|(known, _)| *known == text) {
                Some((_, count)) => *count += 1,
                None => found.push((text, 1)),
            }
        });
    }
    found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let more = found.len().saturating_sub(MAX_VALUES);
    let mut values: Vec<_> =
        found.into_iter().take(MAX_VALUES).map(|(value, _)| format!("`{value}`")).collect();
    values.extend((more > 0).then(|| format!("and {more} more")));
    values
}

/// Calls `on` with each simple value at a path, also in lists.
fn collect_values(value: &Value, path: &str, on: &mut impl FnMut(&Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_values(item, path, on)),
        Value::Object(members) => {
            for (key, value) in members {
                match path.strip_prefix(key.as_str()) {
                    Some("") => each_simple(value, on),
                    Some(rest) if rest.starts_with('.') => collect_values(value, &rest[1..], on),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn each_simple(value: &Value, on: &mut impl FnMut(&Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| each_simple(item, on)),
        Value::Object(_) | Value::Null => {}
        value => on(value),
    }
}

/// Adds the paths of all fields of a document.
fn collect_fields(value: &Value, path: &mut String, fields: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_fields(item, path, fields)),
        Value::Object(members) => {
            for (key, value) in members {
                let length = path.len();
                if length > 0 {
                    path.push('.');
                }
                path.push_str(key);
                fields.insert(path.clone());
                collect_fields(value, path, fields);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_without_results_is_explained() {
        let documents = [
            json!({"eid": "johnD", "short-doc": "Change in usage pattern", "context": {"unusual-uri": ["/a", "/b"]},
                "coralogix": {"metadata": {"severity": 5, "subsystemName": "kaudit-detections"}}}),
            json!({"eid": "jane", "category": "incident", "coralogix": {"metadata": {"severity": 6}}}),
        ];
        for (query, expected) in [
            (
                "Short-doc:\"Change in usage pattern\"",
                "no entry has the field `Short-doc`: did you mean `short-doc`? Names of fields are case-sensitive",
            ),
            ("short_doc:usage", "did you mean `short-doc`? Names of fields differ by `keys`"),
            ("severity:5", "did you mean `coralogix.metadata.severity`? Nested fields have their whole path"),
            ("categroy:incident", "no entry has the field `categroy`: did you mean `category`?"),
            ("_exists_:rule", "no entry has the field `rule`"),
            ("eid:bob", "`eid` has no such value; values are `johnD`, `jane`"),
            ("context.unusual-uri:c", "`context.unusual-uri` has no such value; values are `/a`, `/b`"),
            ("unknown", "no field of any entry contains the words without a field"),
            (
                "eid:johnD AND category:incident",
                "each term matches entries, but no entry matches all of them",
            ),
        ] {
            let parsed = Query::parse(query).unwrap();
            assert!(!documents.iter().any(|document| parsed.matches(document)), "{query}");
            let hints = explain(&parsed, &documents);
            assert!(hints.len() == 1 && hints[0].contains(expected), "{query}: {hints:?}");
        }
        let parsed = Query::parse("NOT eid:*").unwrap();
        assert_eq!(explain(&parsed, &documents), ["every entry contains a term that `NOT` excludes"]);
        assert_eq!(explain(&parsed, &[]), ["there are no entries yet"]);
    }

    #[test]
    fn the_other_location_of_a_field_is_suggested() {
        let rest = json!({"eid": "johnD", "short-doc": "Change in usage pattern",
            "coralogix": {"metadata": {"severity": 5, "threadId": "johnD"}}});
        let otlp = json!({"coralogix": {"metadata": {"severity": 5}}, "logRecord": {
            "body": {"eid": "johnD", "short-doc": "Change in usage pattern"}, "attributes": {"threadId": "johnD"}}});
        let by_otlp = "Entries that arrived by OTLP have the fields of a finding under `logRecord.body`";
        let by_rest = "Entries that did not arrive by OTLP have the fields of a finding at the top level";
        for (document, query, expected) in [
            (
                &otlp,
                "eid:johnD AND short-doc:\"usage pattern\"",
                format!(
                    "{by_otlp}: `logRecord.body.eid:johnD AND logRecord.body.short-doc:\"usage pattern\"` matches 1"
                ),
            ),
            (&otlp, "_exists_:eid", format!("{by_otlp}: `_exists_:logRecord.body.eid` matches 1 entries")),
            (
                &otlp,
                "coralogix.metadata.threadId:johnD",
                format!("{by_otlp}: `logRecord.attributes.threadId:johnD` matches 1 entries"),
            ),
            (&rest, "logRecord.body.eid:johnD", format!("{by_rest}: `eid:johnD` matches 1 entries")),
            (
                &rest,
                "logRecord.body.eid:johnD AND coralogix.metadata.severity:5",
                format!("{by_rest}: `eid:johnD AND coralogix.metadata.severity:5` matches 1 entries"),
            ),
            // The value is wrong, too.
            (
                &otlp,
                "eid:jane",
                format!("no entry has the field `eid`: did you mean `logRecord.body.eid`? {by_otlp}"),
            ),
            (
                &rest,
                "logRecord.body.eid:jane",
                format!("no entry has the field `logRecord.body.eid`: did you mean `eid`? {by_rest}"),
            ),
        ] {
            let parsed = Query::parse(query).unwrap();
            assert!(!parsed.matches(document), "{query}");
            let hints = explain(&parsed, std::slice::from_ref(document));
            assert!(hints.len() == 1 && hints[0].starts_with(&expected), "{query}: {hints:?}");
        }
    }
}
