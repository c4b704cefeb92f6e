//! The positions of rules and conditions in a document.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::reading::SourceSpan;

/// A rule and the positions in it.
pub(super) struct LocatedRule {
    pub(super) path: String,
    pub(super) id: SourceSpan,
    pub(super) name: SourceSpan,
    /// By condition of the rule.
    pub(super) conditions: Vec<LocatedCondition>,
    /// A condition has an error, and is missing.
    pub(super) incomplete: bool,
}

/// The positions of a condition.
pub(super) struct LocatedCondition {
    pub(super) path: String,
    /// The value, the name of a file, or the id of a reference.
    pub(super) value: SourceSpan,
    /// Of a list the positions of its values.
    pub(super) values: Vec<SourceSpan>,
}
