//! Configuration mistakes: each with its place, all at once.
//!
//! The words are part of the interface: lower case, one line, no final period, the user's text in backticks, no Rust
//! names, never a secret's value.

use core::fmt;

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Legal, but surely not meant, or worth knowing.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// One remark about a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    level: Level,
    file: String,
    line: usize,
    column: usize,
    path: String,
    message: String,
    help: String,
}

impl Diagnostic {
    pub(crate) fn new(level: Level, file: &str, (line, column): (usize, usize), path: &str) -> Self {
        Self {
            level,
            file: file.to_owned(),
            line,
            column,
            path: path.to_owned(),
            message: String::new(),
            help: String::new(),
        }
    }

    pub(crate) fn says(mut self, message: impl Into<String>, help: impl Into<String>) -> Self {
        self.message = message.into();
        self.help = help.into();
        self
    }

    /// Error or warning.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The file's name as the host gave it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// The key's path, such as `integrations[1].data-filter.rules-match`; empty for the whole document.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What is allowed, or what to do; may be empty.
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl fmt::Display for Diagnostic {
    /// `kaudit.yaml:12:5: error: integrations[1].target.rate-limit: expected a whole number, found `ten`; help`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        // Inline options stand in no file.
        if !self.file.is_empty() {
            write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        }
        write!(f, "{level}: ")?;
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
