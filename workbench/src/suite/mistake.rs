//! A mistake in a test file.

use kaudit_filter::config::Level;

use crate::check::masked_line;
use crate::snippet::{self, Message};

/// A mistake in a test file, with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The first character in the line, from 1, and the number of characters.
    pub columns: (usize, usize),
    /// What is wrong, and what is allowed.
    pub message: String,
}

impl Mistake {
    /// Returns the mistake under its line of the file's text.
    pub fn text(&self, file: &str, text: &str, colour: bool) -> String {
        let line = masked_line(snippet::line(text, self.line), std::iter::empty());
        Message {
            level: Level::Error,
            code: None,
            text: &self.message,
            file,
            line: (self.line, &line),
            columns: self.columns,
            label: "here",
            help: Vec::new(),
        }
        .text(colour)
    }
}
