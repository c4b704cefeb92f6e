//! Configuration mistakes: each with its place, all at once.
//!
//! The words are part of the interface: lower case, one line, no final period, the user's text in backticks, no Rust
//! names, never a secret's value.

mod code;

use core::fmt;

pub use code::Code;

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing when one looks at the configuration, and not at each start: `check` alone tells it.
    Advice,
    /// Legal, but surely not meant.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// One remark about a configuration.
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

impl Level {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
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

    pub(crate) fn says(mut self, message: impl Into<String>, help: impl Into<String>) -> Self {
        self.message = message.into();
        self.help = help.into();
        self
    }

    /// The same remark about a file of another name, such as a longer path of it.
    #[must_use]
    pub fn in_file(self, file: &str) -> Self {
        Self { file: file.to_owned(), ..self }
    }

    /// Its number, which says more.
    pub fn code(&self) -> Code {
        self.code
    }

    /// How bad it is.
    pub fn level(&self) -> Level {
        self.code.level()
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

    /// How many characters of the line it is about, at least 1.
    pub fn width(&self) -> usize {
        self.width
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
        // Inline options stand in no file.
        if !self.file.is_empty() {
            write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        }
        write!(f, "{}: ", self.level().word())?;
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
