//! Diagnostics of a configuration.
//!
//! Messages are part of the interface: lower case, one line, no final period, the user's text in backticks, no Rust
//! names, never a secret's value.

mod code;

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::fmt;

pub use code::{Code, Level};

/// An error, warning or advice about a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    code: Code,
    file: String,
    line: usize,
    column: usize,
    width: usize,
    path: String,
    message: String,
    help: String,
}

impl Diagnostic {
    pub(crate) fn new(
        code: Code,
        file: &str,
        (line, column, width): (usize, usize, usize),
        path: &str,
    ) -> Self {
        Self {
            code,
            file: file.to_owned(),
            line,
            column,
            width,
            path: path.to_owned(),
            message: String::new(),
            help: String::new(),
        }
    }

    pub(crate) fn with_message(mut self, message: impl Into<String>, help: impl Into<String>) -> Self {
        self.message = message.into();
        self.help = help.into();
        self
    }

    /// Returns the diagnostic with another file name, such as a longer path.
    #[must_use]
    pub fn in_file(self, file: &str) -> Self {
        Self { file: file.to_owned(), ..self }
    }

    /// Returns its code, which has a longer explanation.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns its level.
    pub fn level(&self) -> Level {
        self.code.level()
    }

    /// Returns the file's name as the host passed it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Returns the column in characters, from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Returns the number of characters that it marks, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the key's path; empty for the whole document.
    ///
    /// Example: `integrations[1].data-filter.rules-match`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the problem.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the allowed values or the action to take; may be empty.
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl fmt::Display for Diagnostic {
    /// Writes the diagnostic on one line.
    ///
    /// `kaudit.yaml:12:5: error: integrations[1].target.rate-limit: expected a whole number, found `ten`; help`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Inline options have no file.
        if !self.file.is_empty() {
            write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        }
        write!(f, "{}: ", self.level().name())?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, "; {}", self.help)?;
        }
        Ok(())
    }
}
