//! The severities of Coralogix.

use super::names::names;

names! {
    Severity: Debug "debug" "1", Verbose "verbose" "2", Info "info" "3", Warn "warn" "warning" "4", Error "error" "5",
    Critical "critical" "6",
}

/// A Coralogix severity, 1 to 6. Any other number makes Coralogix drop the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are Coralogix's own")]
pub enum Severity {
    Debug = 1,
    Verbose = 2,
    Info = 3,
    Warn = 4,
    Error = 5,
    Critical = 6,
}

impl Severity {
    /// Returns the severity with this number.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        [Self::Debug, Self::Verbose, Self::Info, Self::Warn, Self::Error, Self::Critical]
            .into_iter()
            .find(|severity| i64::from(*severity as u8) == number)
    }
}
