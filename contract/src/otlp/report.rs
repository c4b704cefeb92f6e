//! Collects violations, each with the path of the value that causes it.

use std::fmt;

use serde_json::Value;

use crate::{Clause, Violation};

/// The path of a value in a request, as in `/resourceLogs/0/resource`.
///
/// It borrows its parent, and is formatted only for a violation: a request may contain a million values.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Member(&'a str),
    Item(usize),
}

impl Path<'_> {
    /// The path of the request.
    pub(super) const ROOT: Self = Path { parent: None, step: Step::Root };

    pub(super) fn member<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Member(name) }
    }

    pub(super) fn item(&self, index: usize) -> Path<'_> {
        Path { parent: Some(self), step: Step::Item(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Member(name) => write!(f, "/{name}"),
            Step::Item(index) => write!(f, "/{index}"),
        }
    }
}

/// The maximum number of violations of one log record.
/// A record may contain a million invalid values.
pub(super) const MAX_FOUND: usize = 20;

/// The maximum length of the path and of the rest of a message, in characters.
/// Both may contain names of members, which may have megabytes.
const MAX_LENGTH: usize = 250;

/// The violations of a part of a request, the first [`MAX_FOUND`].
#[derive(Default)]
pub(super) struct Report {
    pub(super) found: Vec<Violation>,
}

impl Report {
    /// Adds a violation of the value at a path. The first encoding error is added in any case.
    pub(super) fn add(&mut self, clause: Clause, path: &Path<'_>, message: impl fmt::Display) {
        let is_first_error =
            || clause == Clause::Json && self.found.iter().all(|violation| violation.clause != Clause::Json);
        if self.found.len() >= MAX_FOUND && !is_first_error() {
            return;
        }
        let path = match path.step {
            Step::Root => "/".to_owned(),
            Step::Member(_) | Step::Item(_) => shorten(path.to_string()),
        };
        let message = shorten(message.to_string());
        self.found.push(Violation::new(clause, format!("{path}: {message}")));
    }

    /// Adds a violation by a value of another JSON type, which a decoder of OTLP/JSON rejects.
    pub(super) fn wrong_type(&mut self, path: &Path<'_>, expected: &str, value: &Value) {
        self.add(Clause::Json, path, format_args!("expected {expected}, found {}", excerpt(value)));
    }

    /// Keeps at most `count` violations, encoding errors first.
    pub(super) fn truncate(&mut self, count: usize) {
        self.found.sort_by_key(|violation| violation.clause != Clause::Json);
        self.found.truncate(count);
    }
}

/// Returns the beginning of a value as JSON: a value may have megabytes.
pub(super) fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

fn shorten(text: String) -> String {
    match text.char_indices().nth(MAX_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
