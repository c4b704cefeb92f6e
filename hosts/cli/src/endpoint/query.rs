//! Searches entries with a subset of Lucene's query language, as Coralogix does.
//!
//! | | |
//! |---|---|
//! | `eid:johnD` | the field contains the word, in any case |
//! | `short-doc:"change in usage"` | the field contains the words in this order |
//! | `context.unusual-uri:cronjobs` | a nested field, also in lists |
//! | `eid:system*` | the field contains a word with this prefix; `eid:*` and `_exists_:eid`: the field exists |
//! | `johnD`, `"usage pattern"` | any field contains it |
//! | `a AND b`, `a OR b`, `NOT a`, `rule:(a OR b)` | precedence: `NOT`, `AND`, `OR` |
//!
//! A word is a sequence of letters, digits and `_`, in a query and in a field. Other features of Lucene (ranges,
//! regular expressions, boosts) are rejected instead of ignored. Decision: two terms without an operator are rejected,
//! too, since products interpret them differently.

use std::ops::Range;

use serde_json::Value;

use super::location::Location;

/// A parsed query.
#[derive(Debug)]
pub struct Query {
    text: String,
    /// The byte ranges of the text that are names of fields, in order.
    fields: Vec<Range<usize>>,
    root: Node,
}

/// A part of a query.
#[derive(Debug)]
enum Node {
    /// All parts match.
    All(Vec<Node>),
    /// At least one part matches.
    Any(Vec<Node>),
    /// The part does not match.
    Not(Box<Node>),
    /// A value matches.
    Match(Match),
}

/// A term: words, and the field that must contain them.
#[derive(Debug)]
pub struct Match {
    /// The path of the field, joined by dots; `None`: any field.
    field: Option<String>,
    /// Consecutive words, in lower case; empty: any value matches.
    words: Vec<String>,
    /// Whether the last word is a prefix.
    prefix: bool,
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// The column and kind of a syntax error.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text, text, depth: 0, fields: Vec::new() };
        let root = parser.any(None)?;
        match parser.rest.chars().next() {
            None => Ok(Self { text: text.to_owned(), fields: parser.fields, root }),
            Some(')') => Err(parser.mistake("`)` without a `(` before it")),
            Some(_) => Err(parser.mistake("expected an operator: write `AND` or `OR` between two terms")),
        }
    }

    /// Returns whether the document matches.
    pub fn matches(&self, document: &Value) -> bool {
        self.root.matches(document)
    }

    /// Returns the terms that a document has to contain, or that may be one of several alternatives.
    pub fn terms(&self) -> Vec<&Match> {
        self.root.terms()
    }

    /// Returns the text of the query with its fields in another location; `None` if no field differs.
    pub fn moved(&self, to: Location) -> Option<String> {
        let mut moved = self.text.clone();
        for range in self.fields.iter().rev() {
            if let Some(field) = to.field(&self.text[range.clone()]) {
                moved.replace_range(range.clone(), &field);
            }
        }
        (moved != self.text).then_some(moved)
    }
}

impl Node {
    fn matches(&self, document: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(document)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(document)),
            Self::Not(part) => !part.matches(document),
            Self::Match(term) => term.matches(document),
        }
    }

    fn terms(&self) -> Vec<&Match> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::terms).collect(),
            Self::Not(_) => Vec::new(),
            Self::Match(term) => vec![term],
        }
    }
}

impl Match {
    /// Returns whether a value of the document matches.
    pub fn matches(&self, document: &Value) -> bool {
        let Self { field, words, prefix } = self;
        let mut test = |value: &Value| value_matches(value, words, *prefix);
        match field {
            Some(field) => any_at(document, field, &mut test),
            None => anywhere(document, &mut test),
        }
    }

    /// Returns the path of the field; `None`: any field.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }
}

/// Returns whether a document has a value at the path.
pub fn has_field(document: &Value, path: &str) -> bool {
    any_at(document, path, &mut |value| !value.is_null())
}

/// Returns whether a value at the path passes the test.
/// Each item of a list is tested.
fn any_at(value: &Value, path: &str, test: &mut impl FnMut(&Value) -> bool) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|value| any_at(value, path, test)),
        Value::Object(map) => map.iter().any(|(key, value)| match path.strip_prefix(key.as_str()) {
            Some("") => any_item(value, test),
            Some(rest) => rest.strip_prefix('.').is_some_and(|rest| any_at(value, rest, test)),
            None => false,
        }),
        _ => false,
    }
}

fn any_item(value: &Value, test: &mut impl FnMut(&Value) -> bool) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|value| any_item(value, test)),
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

fn value_matches(value: &Value, words: &[String], prefix: bool) -> bool {
    let found = match value {
        Value::Null => return false,
        // An object matches only `field:*`: its members are fields of their own.
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

/// Returns the words of a text, in lower case.
fn split(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// The name before the name of a field that has to exist.
const EXISTS: &str = "_exists_";
/// The maximum depth of nested parentheses and `NOT`s.
const MAX_DEPTH: usize = 50;
/// The straight quote, and the typographic ones that text processors insert.
const QUOTES: [char; 4] = ['"', '\u{201c}', '\u{201d}', '\u{201e}'];
/// Lucene's operators at the beginning of a term, or anywhere in it.
const UNSUPPORTED_FIRST: [char; 9] = ['[', '{', '/', '+', '-', '!', '<', '>', '='];
const UNSUPPORTED: [char; 3] = ['~', '^', '?'];

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    depth: usize,
    /// The ranges of the names of fields.
    fields: Vec<Range<usize>>,
}

impl Parser<'_> {
    fn any(&mut self, field: Option<&str>) -> Result<Node, String> {
        let mut parts = vec![self.all(field)?];
        while self.operator("OR") {
            parts.push(self.all(field)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Any(parts) })
    }

    fn all(&mut self, field: Option<&str>) -> Result<Node, String> {
        let mut parts = vec![self.one(field)?];
        while self.operator("AND") {
            parts.push(self.one(field)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::All(parts) })
    }

    fn one(&mut self, field: Option<&str>) -> Result<Node, String> {
        if self.depth == MAX_DEPTH {
            return Err(self.mistake(&format!("nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let query = self.clause(field);
        self.depth -= 1;
        query
    }

    fn clause(&mut self, field: Option<&str>) -> Result<Node, String> {
        if self.operator("NOT") {
            return Ok(Node::Not(Box::new(self.one(field)?)));
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

    fn phrase(&mut self, field: Option<&str>) -> Result<Node, String> {
        let start = self.mistake("`\"` is not closed");
        let mut characters = self.rest.char_indices().skip(1);
        let mut phrase = String::new();
        while let Some((at, c)) = characters.next() {
            if QUOTES.contains(&c) {
                let quote = self.rest.chars().next().map_or(0, char::len_utf8);
                self.name(field == Some(EXISTS), self.offset() + quote..self.offset() + at);
                self.rest = &self.rest[at + c.len_utf8()..];
                return self.found(field, &phrase, false);
            }
            phrase.extend(if c == '\\' { characters.next().map(|(_, c)| c) } else { Some(c) });
        }
        Err(start)
    }

    /// Parses a term, or the name of a field and its query.
    fn term(&mut self, field: Option<&str>) -> Result<Node, String> {
        let (mut term, start) = (String::new(), self.offset());
        let mut prefix = false;
        while let Some(c) = self.rest.chars().next() {
            let escaped = c == '\\' && self.rest.len() > 1;
            let end = c.is_whitespace() || matches!(c, '(' | ')') || QUOTES.contains(&c);
            if prefix && !end {
                return Err(self.mistake("`*` is only allowed at the end of a term"));
            }
            if end {
                break;
            }
            if term.is_empty() && UNSUPPORTED_FIRST.contains(&c) || UNSUPPORTED.contains(&c) {
                return Err(self.mistake(&format!(
                    "`{c}` is a Lucene operator that is not supported: quote the term to search for the character"
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
                ':' if field.is_none() && !term.is_empty() => {
                    self.name(term != EXISTS, start..self.offset() - 1);
                    return self.one(Some(&term));
                }
                c => term.push(c),
            }
        }
        if term.is_empty() && !prefix || matches!(term.as_str(), "AND" | "OR" | "NOT") {
            return Err(self.mistake("expected a term, such as `eid:johnD`"));
        }
        self.name(field == Some(EXISTS), start..self.offset());
        self.found(field, &term, prefix)
    }

    /// Stores the range of a name, if it is one.
    fn name(&mut self, is_field: bool, range: Range<usize>) {
        self.fields.extend(is_field.then_some(range));
    }

    fn found(&self, field: Option<&str>, text: &str, prefix: bool) -> Result<Node, String> {
        if field == Some(EXISTS) {
            return Ok(Node::Match(Match { field: Some(text.to_owned()), words: Vec::new(), prefix: true }));
        }
        let words = split(text);
        if words.is_empty() && !(prefix && text.is_empty()) {
            return Err(self.mistake(&format!("`{text}` contains no word")));
        }
        Ok(Node::Match(Match { field: field.map(str::to_owned), words, prefix }))
    }

    /// Consumes an operator; `false` if the next word is another.
    fn operator(&mut self, operator: &str) -> bool {
        self.space();
        let Some(rest) = self.rest.strip_prefix(operator) else { return false };
        let ends = rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '(');
        if ends {
            self.rest = rest;
        }
        ends
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Returns the offset of the rest in the text.
    fn offset(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    fn mistake(&self, message: &str) -> String {
        let before = &self.text[..self.offset()];
        format!("column {}: {message}", before.chars().count() + 1)
    }
}

#[cfg(test)]
mod tests;
