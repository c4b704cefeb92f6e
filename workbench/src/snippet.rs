//! A message under the line of the file that it is about.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level as Title, Renderer, Snippet};
use kaudit_filter::config::Level;

/// A message, and its position in a file.
pub struct Message<'t> {
    pub level: Level,
    /// The code of the message, such as `K012`.
    pub code: Option<&'static str>,
    pub text: &'t str,
    pub file: &'t str,
    /// The line's number, from 1, and its text without secrets.
    pub line: (usize, &'t str),
    /// The first character, from 1, and the number of characters.
    pub columns: (usize, usize),
    /// The text beside the underlined characters.
    pub label: &'t str,
    pub help: Vec<String>,
}

impl Message<'_> {
    /// Returns the message with its line.
    pub fn text(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let title = match self.level {
            Level::Error => Title::ERROR,
            Level::Warning => Title::WARNING,
            Level::Advice => Title::NOTE.with_name("advice"),
        };
        let (number, line) = self.line;
        let span = byte_range(line, self.columns.0.saturating_sub(1), self.columns.1);
        let snippet = Snippet::source(line)
            .line_start(number)
            .path(self.file)
            .annotation(AnnotationKind::Primary.span(span).label(self.label));
        let title = title.primary_title(self.text);
        let title = match self.code {
            Some(code) => title.id(code),
            None => title,
        };
        let mut group = Group::with_title(title).element(snippet);
        for help in &self.help {
            group = group.element(Title::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }
}

/// Returns the byte range of a range of characters in a line.
fn byte_range(line: &str, start: usize, width: usize) -> Range<usize> {
    let byte = |chars: usize| line.char_indices().nth(chars).map_or(line.len(), |(byte, _)| byte);
    byte(start)..byte(start + width)
}

/// Returns a line of a text for display; empty if there is none.
pub fn line(text: &str, number: usize) -> &str {
    let line = text.lines().nth(number.saturating_sub(1)).unwrap_or_default();
    line.trim_start_matches('\u{feff}').trim_end()
}
