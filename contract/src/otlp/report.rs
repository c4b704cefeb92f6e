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

/// The violations of a part of a request.
#[derive(Default)]
pub(super) struct Report {
    pub(super) found: Vec<Violation>,
}

impl Report {
    /// Adds a violation of the value at a path.
    pub(super) fn add(&mut self, clause: Clause, path: &Path<'_>, message: impl fmt::Display) {
        let shown = path.to_string();
        let shown = if shown.is_empty() { "/" } else { &shown };
        self.found.push(Violation::new(clause, format!("{shown}: {message}")));
    }

    /// Adds a violation by a value of another JSON type, which a decoder of OTLP/JSON rejects.
    pub(super) fn wrong_type(&mut self, path: &Path<'_>, expected: &str, value: &Value) {
        self.add(Clause::Json, path, format_args!("expected {expected}, found {}", excerpt(value)));
    }
}

/// Returns the beginning of a value as JSON: a value may have megabytes.
pub(super) fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}
