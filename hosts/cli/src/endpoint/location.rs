//! The two locations of a field in Coralogix.
//!
//! A finding that arrives by REST has its fields at the top level. In an OTLP log the finding is the body, and labels
//! are attributes.

#[cfg(test)]
mod tests;

/// A location of the fields of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    /// The top level, for entries that arrive by REST.
    Rest,
    /// The members of an OTLP log.
    Otlp,
}

/// The path of the finding in an OTLP log.
const BODY: &str = "logRecord.body.";

/// Labels of entries, and the attributes of an OTLP log that replace them.
const LABELS: [(&str, &str); 5] = [
    ("coralogix.metadata.computerName", "resource.attributes.host.name"),
    ("coralogix.metadata.category", "logRecord.attributes.category"),
    ("coralogix.metadata.className", "logRecord.attributes.className"),
    ("coralogix.metadata.methodName", "logRecord.attributes.methodName"),
    ("coralogix.metadata.threadId", "logRecord.attributes.threadId"),
];

/// Members at the top level that are no fields of a finding.
const OTHERS: [&str; 5] = ["coralogix.", "endpoint.", "resource.", "scope.", "logRecord."];

impl Location {
    /// Both locations.
    pub const ALL: [Self; 2] = [Self::Rest, Self::Otlp];

    /// Returns the path of a field in this location; `None` if the field is not in the other one.
    pub fn field(self, path: &str) -> Option<String> {
        let label =
            LABELS.into_iter().find(|(rest, otlp)| path == *if self == Self::Rest { otlp } else { rest });
        match (label, self) {
            (Some((rest, _)), Self::Rest) => Some(rest.to_owned()),
            (Some((_, otlp)), Self::Otlp) => Some(otlp.to_owned()),
            (None, Self::Rest) => path.strip_prefix(BODY).map(str::to_owned),
            (None, Self::Otlp) if OTHERS.iter().any(|other| path.starts_with(other)) => None,
            (None, Self::Otlp) => Some(format!("{BODY}{path}")),
        }
    }

    /// Returns a sentence about the location.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Rest => "Entries that did not arrive by OTLP have the fields of a finding at the top level",
            Self::Otlp => "Entries that arrived by OTLP have the fields of a finding under `logRecord.body`",
        }
    }
}
