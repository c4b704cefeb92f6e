//! Positions in the file from which a list was extracted.

/// The lines of a list, as lines of its file.
pub struct Lines<'t> {
    /// The name of the file.
    pub file: &'t str,
    /// The number of lines of the file before the list.
    pub before: usize,
}

impl Lines<'_> {
    /// Returns the position of a line of the list, from 1, in the file.
    pub fn position(&self, line: usize) -> String {
        format!("{}:{}", self.file, self.before + line)
    }
}
