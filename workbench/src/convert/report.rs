//! The report of a conversion: the fate of each key of the input.

use std::fmt;

/// The result for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The result does the same.
    Converted,
    /// The result does a part of it.
    Partly,
    /// The agent has no counterpart.
    Lost,
    /// It has no effect on the result, and needs none.
    Unused,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Self::Converted => "converted",
            Self::Partly => "partly",
            Self::Lost => "lost",
            Self::Unused => "unused",
        }
    }
}

/// A line of the report.
#[derive(Clone, Debug)]
pub struct ReportLine {
    /// The file and line of the key; `None`: a default, or a function without a key.
    pub position: Option<String>,
    /// The path of the key, or the function.
    pub path: String,
    /// Its result.
    pub fate: Fate,
    /// The reason, or the part of the result.
    pub text: String,
}

impl ReportLine {
    /// Creates the line of a function that has no key in the input, and no counterpart.
    pub fn lost(function: &str, text: &str) -> Self {
        Self { position: None, path: function.to_owned(), fate: Fate::Lost, text: text.to_owned() }
    }

    /// Returns whether the result does less than the filter.
    pub fn is_loss(&self) -> bool {
        matches!(self.fate, Fate::Partly | Fate::Lost)
    }
}

impl fmt::Display for ReportLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = &self.position {
            write!(f, "{position}: ")?;
        }
        write!(f, "{}: {}", self.path, self.fate.name())?;
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}
