//! Searches entries as Coralogix's log screen does: a small part of Lucene's query language.
//!
//! | | |
//! |---|---|
//! | `eid:johnD` | a field has the word; capitals do not matter |
//! | `short-doc:"change in usage"` | a field has the words in this order |
//! | `context.unusual-uri:cronjobs` | a field within a field, in lists as well |
//! | `eid:system*` | a field has a word that begins so; `eid:*`, the field is there |
//! | `johnD`, `"usage pattern"` | any field has it |
//! | `a AND b`, `a OR b`, `NOT a`, `rule:(a OR b)` | `NOT` binds closest, `OR` loosest |
//!
//! Words are what stands between characters that are neither letters, digits nor `_`, in a query as in a field. What
//! else Lucene knows (ranges, regular expressions, boosts) is refused, not ignored. Decision: so are two terms without
//! an operator between them: products differ in what that means.

use serde_json::Value;

/// A query, read.
#[derive(Debug)]
pub enum Query {
    /// All of them hold.
    All(Vec<Query>),
    /// One of them holds.
    Any(Vec<Query>),
    /// It does not hold.
    Not(Box<Query>),
    /// A value matches.
    Match(Match),
}

/// What is looked for, and where.
#[derive(Debug)]
pub struct Match {
    /// Names joined by dots; `None`: any field.
    field: Option<String>,
    /// In lower case, one after the other. None: any value will do.
    words: Vec<String>,
    /// The last word is the beginning of one.
    prefix: bool,
}

impl Query {
    /// Reads a query; an error says where it is wrong, and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text, text, depth: 0 };
        let query = parser.any(None)?;
        match parser.rest.chars().next() {
            None => Ok(query),
            Some(')') => Err(parser.mistake("`)` without a `(` before it")),
            Some(_) => Err(parser.mistake("expected an operator: write `AND` or `OR` between two terms")),
        }
    }

    /// Whether it finds the document.
    pub fn finds(&self, document: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.finds(document)),
            Self::Any(parts) => parts.iter().any(|part| part.finds(document)),
            Self::Not(part) => !part.finds(document),
            Self::Match(Match { field: Some(field), words, prefix }) => {
                at(document, field, &mut |value| matches(value, words, *prefix))
            }
            Self::Match(Match { field: None, words, prefix }) => {
                anywhere(document, &mut |value| matches(value, words, *prefix))
            }
        }
    }
}

/// Whether the test holds for a value at the path; the values of a list are looked at one by one.
fn at(value: &Value, path: &str, test: &mut impl FnMut(&Value) -> bool) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|value| at(value, path, test)),
        Value::Object(map) => map.iter().any(|(key, value)| match path.strip_prefix(key.as_str()) {
            Some("") => each(value, test),
            Some(rest) => rest.strip_prefix('.').is_some_and(|rest| at(value, rest, test)),
            None => false,
        }),
        _ => false,
    }
}

fn each(value: &Value, test: &mut impl FnMut(&Value) -> bool) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|value| each(value, test)),
        value => test(value),
    }
}

fn anywhere(value: &Value, test: &mut impl FnMut(&Value) -> bool) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|value| anywhere(value, test)),
        Value::Object(map) => map.values().any(|value| anywhere(value, test)),
        value => test(value),
    }
}

fn matches(value: &Value, words: &[String], prefix: bool) -> bool {
    let found = match value {
        Value::Null => return false,
        // Only that it is there can be asked of it: its members have names of their own.
        Value::Object(_) => return words.is_empty(),
        Value::String(text) => split(text),
        other => split(&other.to_string()),
    };
    let Some((last, before)) = words.split_last() else { return true };
    found.windows(words.len()).any(|window| {
        let (found_last, found_before) = (&window[before.len()], &window[..before.len()]);
        let ends = if prefix { found_last.starts_with(last.as_str()) } else { found_last == last };
        ends && found_before == before
    })
}

/// The words of a text, in lower case.
fn split(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Within so many parentheses and `NOT`s a query is still read.
const MAX_DEPTH: usize = 50;
/// The straight one, and those that text processors put in its place.
const QUOTES: [char; 4] = ['"', '\u{201c}', '\u{201d}', '\u{201e}'];
/// What Lucene gives a meaning at a term's beginning, or anywhere in it.
const FOREIGN_FIRST: [char; 9] = ['[', '{', '/', '+', '-', '!', '<', '>', '='];
const FOREIGN: [char; 3] = ['~', '^', '?'];

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self, field: Option<&str>) -> Result<Query, String> {
        let mut parts = vec![self.all(field)?];
        while self.word("OR") {
            parts.push(self.all(field)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Query::Any(parts) })
    }

    fn all(&mut self, field: Option<&str>) -> Result<Query, String> {
        let mut parts = vec![self.one(field)?];
        while self.word("AND") {
            parts.push(self.one(field)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Query::All(parts) })
    }

    fn one(&mut self, field: Option<&str>) -> Result<Query, String> {
        if self.depth == MAX_DEPTH {
            return Err(self.mistake(&format!("nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let query = self.clause(field);
        self.depth -= 1;
        query
    }

    fn clause(&mut self, field: Option<&str>) -> Result<Query, String> {
        if self.word("NOT") {
            return Ok(Query::Not(Box::new(self.one(field)?)));
        }
        self.space();
        if let Some(rest) = self.rest.strip_prefix('(') {
            self.rest = rest;
            let query = self.any(field)?;
            self.space();
            self.rest = self.rest.strip_prefix(')').ok_or_else(|| self.mistake("expected `)`"))?;
            return Ok(query);
        }
        if self.rest.starts_with(QUOTES) {
            return self.phrase(field);
        }
        self.term(field)
    }

    fn phrase(&mut self, field: Option<&str>) -> Result<Query, String> {
        let start = self.mistake("`\"` is not closed");
        let mut characters = self.rest.char_indices().skip(1);
        let mut phrase = String::new();
        while let Some((at, c)) = characters.next() {
            if QUOTES.contains(&c) {
                self.rest = &self.rest[at + c.len_utf8()..];
                return self.found(field, &phrase, false);
            }
            phrase.extend(if c == '\\' { characters.next().map(|(_, c)| c) } else { Some(c) });
        }
        Err(start)
    }

    /// A term, or a field's name with what is looked for in it.
    fn term(&mut self, field: Option<&str>) -> Result<Query, String> {
        let mut term = String::new();
        let mut prefix = false;
        while let Some(c) = self.rest.chars().next() {
            let escaped = c == '\\' && self.rest.len() > 1;
            let end = c.is_whitespace() || matches!(c, '(' | ')') || QUOTES.contains(&c);
            if prefix && !end {
                return Err(self.mistake("`*` stands at the end of a term only"));
            }
            if end {
                break;
            }
            if term.is_empty() && FOREIGN_FIRST.contains(&c) || FOREIGN.contains(&c) {
                return Err(self.mistake(&format!(
                    "`{c}` has a meaning in Lucene that is not known here: put the term between quotes"
                )));
            }
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '\\' if escaped => {
                    let c = self.rest.chars().next().unwrap_or_default();
                    self.rest = &self.rest[c.len_utf8()..];
                    term.push(c);
                }
                '*' => prefix = true,
                ':' if field.is_none() && !term.is_empty() => return self.one(Some(&term)),
                c => term.push(c),
            }
        }
        if term.is_empty() && !prefix || matches!(term.as_str(), "AND" | "OR" | "NOT") {
            return Err(self.mistake("expected a term, such as `eid:johnD`"));
        }
        self.found(field, &term, prefix)
    }

    fn found(&self, field: Option<&str>, text: &str, prefix: bool) -> Result<Query, String> {
        let words = split(text);
        if words.is_empty() && !(prefix && text.is_empty()) {
            return Err(self.mistake(&format!("`{text}` has no word to look for")));
        }
        Ok(Query::Match(Match { field: field.map(str::to_owned), words, prefix }))
    }

    /// Goes past an operator, if one stands here.
    fn word(&mut self, word: &str) -> bool {
        self.space();
        let Some(rest) = self.rest.strip_prefix(word) else { return false };
        let ends = rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '(');
        if ends {
            self.rest = rest;
        }
        ends
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn mistake(&self, what: &str) -> String {
        let before = &self.text[..self.text.len() - self.rest.len()];
        format!("column {}: {what}", before.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_find_what_they_say() {
        let document = serde_json::json!({
            "eid": "johnD", "short-doc": "Change in usage pattern", "category": "anomaly",
            "context": {"unusual-uri": ["/apis/batch/v1/cronjobs", "/api/v1/pods"], "caller.ip": "203.0.113.45"},
            "reasons": [{"doc": "count of URIs", "values": {"medium": [6]}}], "principal": "system:node:worker_1",
            "non-authorized": true, "nothing": null,
            "coralogix": {"metadata": {"severity": 5, "applicationName": "prod-eu"}},
        });
        let table = [
            ("eid:johnD AND short-doc:\"Change in usage pattern\"", true),
            ("eid:JohnD AND short-doc: \u{201d}Change in usage pattern\u{201d}", true),
            ("eid:jane AND short-doc:\"Change in usage pattern\"", false),
            ("eid:john", false),
            ("eid:john*", true),
            ("EID:johnD", false),
            ("short-doc:\"change usage\"", false),
            ("short-doc:\"in usage pat\"", false),
            ("short-doc:usage", true),
            ("usage", true),
            ("\"usage pattern\"", true),
            ("short_doc:usage", false),
            ("context.unusual-uri:cronjobs", true),
            ("context.unusual-uri:\"v1 pods\"", true),
            ("context.unusual-uri:\"cronjobs api\"", false),
            ("unusual-uri:cronjobs", false),
            ("context:cronjobs", false),
            ("context:*", true),
            ("context.caller.ip:203.0.113.45", true),
            ("context.caller.ip:203.0.113.4", false),
            ("reasons.doc:uris", true),
            ("reasons.values.medium:6", true),
            ("principal:system:node*", true),
            ("principal:system\\:node\\:worker_1", true),
            ("principal:worker", false),
            ("non-authorized:true", true),
            ("nothing:*", false),
            ("missing:*", false),
            ("*", true),
            ("coralogix.metadata.severity:5", true),
            ("coralogix.metadata.applicationName:\"prod-eu\"", true),
            ("NOT eid:jane", true),
            ("NOT NOT eid:jane", false),
            ("eid:jane OR category:anomaly", true),
            ("eid:jane OR category:anomaly AND eid:other", false),
            ("(eid:jane OR category:anomaly) AND eid:johnD", true),
            ("eid:(jane OR johnD)", true),
            ("eid:(jane OR NOT johnD)", false),
            ("  category:anomaly AND NOT(eid:jane)  ", true),
            ("category:\"ano\\maly\"", true),
            ("ANDROID OR anomaly", true),
        ];
        for (query, expected) in table {
            let read = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
            assert_eq!(read.finds(&document), expected, "{query}");
        }
    }

    #[test]
    fn what_is_no_query_is_explained() {
        let deep = "(".repeat(5_000);
        let table = [
            ("", "column 1: expected a term, such as `eid:johnD`"),
            ("eid:", "column 5: expected a term"),
            ("eid: AND a", "column 9: expected a term"),
            ("a b", "column 3: expected an operator: write `AND` or `OR` between two terms"),
            ("a NOT b", "column 3: expected an operator"),
            ("a AND", "column 6: expected a term"),
            ("OR a", "column 3: expected a term"),
            ("(a", "column 3: expected `)`"),
            ("a)", "column 2: `)` without a `(` before it"),
            ("é AND \"b", "column 7: `\"` is not closed"),
            ("a*b", "column 3: `*` stands at the end of a term only"),
            ("time:[1 TO 2]", "column 6: `[` has a meaning in Lucene that is not known here"),
            ("eid:/john.*/", "column 5: `/` has a meaning"),
            ("-eid:a", "column 1: `-` has a meaning"),
            ("roam~2", "column 5: `~` has a meaning"),
            ("a && b", "column 3: expected an operator"),
            ("eid:\"--\"", "column 9: `--` has no word to look for"),
            (deep.as_str(), "column 51: nested more than 50 deep"),
        ];
        for (query, expected) in table {
            let error = Query::parse(query).unwrap_err();
            assert!(error.starts_with(expected), "{query}: {error}");
        }
    }
}
