//! Collects all diagnostics of a configuration, each with its position.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::error::{Code, Diagnostic, Level};

/// The maximum number of diagnostics of one level.
///
/// More are one mistake that is repeated, or an attack on the reader of the output.
const MAX_PER_LEVEL: usize = 100;
/// Characters of the user's text that a message repeats.
const MAX_QUOTED: usize = 40;

/// A range of characters on one line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SourceSpan {
    /// The number that [`Problems::file`] returned.
    pub(crate) file: usize,
    /// From 1.
    pub(crate) line: usize,
    /// In characters, from 1.
    pub(crate) column: usize,
    /// The number of characters in the range; at least 1.
    pub(crate) width: usize,
}

/// The diagnostics that were added so far.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    files: Vec<String>,
    diagnostics: Vec<(SourceSpan, Diagnostic)>,
    errors: usize,
    warnings: usize,
    advice: usize,
}

impl Problems {
    /// Adds a file and returns its number, for [`SourceSpan::file`].
    pub(crate) fn file(&mut self, name: &str) -> usize {
        self.files.push(name.to_owned());
        self.files.len().saturating_sub(1)
    }

    /// Returns the number of errors so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    /// Adds a diagnostic; its code determines its level.
    pub(crate) fn add(
        &mut self,
        code: Code,
        at: SourceSpan,
        path: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let count = match code.level() {
            Level::Error => &mut self.errors,
            Level::Warning => &mut self.warnings,
            Level::Advice => &mut self.advice,
        };
        *count = count.saturating_add(1);
        let (code, path, message, help) = match (*count).cmp(&MAX_PER_LEVEL) {
            Ordering::Less => (code, path, message.into(), help.into()),
            Ordering::Equal => {
                let message = "too many remarks of this kind".to_owned();
                (Code::TooMany, "", message, "correct the others first".to_owned())
            }
            Ordering::Greater => return,
        };
        let file = self.files.get(at.file).map_or("", String::as_str);
        let diagnostic = Diagnostic::new(code, file, (at.line, at.column, at.width), &one_line(path));
        self.diagnostics.push((at, diagnostic.with_message(one_line(&message), one_line(&help))));
    }

    /// Returns all diagnostics, sorted by position.
    pub(crate) fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|(at, _)| *at);
        self.diagnostics.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }
}

/// Quotes the user's text for a message: in backticks and truncated.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted: String = text.chars().take(MAX_QUOTED).map(|c| if c == '`' { '\'' } else { c }).collect();
    if text.chars().nth(MAX_QUOTED).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
