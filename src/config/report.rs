//! Collects the remarks about a configuration, each with its place, so that all of them are seen at once.

use core::cmp::Ordering;

use crate::error::{Code, Diagnostic, Level};

/// So many remarks of one level are one mistake made often, or an attack on who reads them.
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
    /// How many characters of the line are meant; at least 1.
    pub(super) width: usize,
}

/// The remarks so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    files: Vec<String>,
    remarks: Vec<(Place, Diagnostic)>,
    errors: usize,
    warnings: usize,
    advice: usize,
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

    /// A remark, as bad as its code says.
    pub(super) fn say(
        &mut self,
        code: Code,
        at: Place,
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
        let (code, path, message, help) = match (*count).cmp(&MAX_REMARKS) {
            Ordering::Less => (code, path, message.into(), help.into()),
            Ordering::Equal => {
                let message = "too many remarks of this kind".to_owned();
                (Code::TooMany, "", message, "mend the others first".to_owned())
            }
            Ordering::Greater => return,
        };
        let file = self.files.get(at.file).map_or("", String::as_str);
        let diagnostic = Diagnostic::new(code, file, (at.line, at.column, at.width), &one_line(path));
        self.remarks.push((at, diagnostic.says(one_line(&message), one_line(&help))));
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
