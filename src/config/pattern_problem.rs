//! A problem of a pattern, and the use that determines which problems it has.

use alloc::string::String;

use core::ops::Range;

use crate::error::Code;

/// An error, warning or advice about a pattern.
pub(super) struct PatternProblem {
    pub(super) code: Code,
    /// The byte range in the pattern.
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: String,
    /// The corrected pattern, if it is known.
    pub(super) repaired: Option<String>,
}

/// The use of a pattern, which determines what is probably a mistake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A match accepts or counts the finding.
    Accept,
    /// A match rejects the finding.
    Reject,
    /// Every match is overwritten.
    Overwrite,
}
