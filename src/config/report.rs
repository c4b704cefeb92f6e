//! Collects the remarks about a configuration, each with its place, so that all of them are seen at once.

use core::cmp::Ordering;

use crate::error::{Diagnostic, Level};

/// So many errors, or so many warnings, are one mistake made often, or an attack on who reads them.
const MAX_REMARKS: usize = 100;
/// Characters of the user's text that a message repeats.
const MAX_QUOTED: usize = 40;

/// A place in one of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The number [`Report::file`] gave.
    pub(super) file: usize,
    /// From 1.
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
}

/// The remarks so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    files: Vec<String>,
    remarks: Vec<(Place, Diagnostic)>,
    errors: usize,
    warnings: usize,
}

impl Report {
    /// A further file; its number goes into the places.
    pub(super) fn file(&mut self, name: &str) -> usize {
        self.files.push(name.to_owned());
        self.files.len().saturating_sub(1)
    }

    /// How many errors there are so far.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// The configuration cannot be used.
    pub(super) fn error(
        &mut self,
        at: Place,
        path: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.errors = self.errors.saturating_add(1);
        self.remark(Level::Error, self.errors, at, path, (message.into(), help.into()));
    }

    /// Legal, but surely not meant, or worth knowing.
    pub(super) fn warn(
        &mut self,
        at: Place,
        path: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.warnings = self.warnings.saturating_add(1);
        self.remark(Level::Warning, self.warnings, at, path, (message.into(), help.into()));
    }

    fn remark(
        &mut self,
        level: Level,
        number: usize,
        at: Place,
        path: &str,
        (message, help): (String, String),
    ) {
        let file = self.files.get(at.file).map_or("", String::as_str);
        let diagnostic = |path: &str| Diagnostic::new(level, file, (at.line, at.column), &one_line(path));
        let diagnostic = match number.cmp(&MAX_REMARKS) {
            Ordering::Less => diagnostic(path).says(one_line(&message), one_line(&help)),
            Ordering::Equal => diagnostic("").says("too many remarks of this kind", "mend the others first"),
            Ordering::Greater => return,
        };
        self.remarks.push((at, diagnostic));
    }

    /// All remarks, sorted by place.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.remarks.sort_by_key(|(at, _)| *at);
        self.remarks.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }
}

/// The user's text for a message: in backticks, one line, not too long.
pub(super) fn quote(text: &str) -> String {
    let mut quoted: String = text.chars().take(MAX_QUOTED).map(|c| if c == '`' { '\'' } else { c }).collect();
    if text.chars().nth(MAX_QUOTED).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
