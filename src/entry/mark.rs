//! The names of the data that the filter adds to an entry.

macro_rules! marks {
    ($($variant:ident $key:literal $help:literal,)*) => {
        /// A member of [`OWN_KEY`](crate::record::OWN_KEY): what the filter added to a finding, or changed in it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Mark {
            $(#[doc = $help] $variant,)*
        }

        impl Mark {
            /// Every mark.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns its stable key.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$variant => $key,)* }
            }

            /// Returns its meaning, with its values.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

marks! {
    Clamped "clamped"
        "The time of the finding is outside the range that Coralogix accepts, so `timestamp` is the time of arrival: \
         `too-old` or `too-far-ahead`.",
    Time "time"
        "The time of the finding had to be interpreted: the unit that its magnitude suggests (`seconds`, \
         `microseconds`, `nanoseconds`), `missing` or `unreadable`.",
    Truncated "truncated"
        "The entry was too large, so strings in its text were shortened: `bytes` is its size before.",
    Redacted "redacted" "The number of values that `redact` overwrote.",
    Rule "rule"
        "The rule of the policy that selected the audit event: `id`, and `documentation` and `tags` if it has them.",
    Selections "selections"
        "The number of selections in the list `selections` of the text, if a host that sends one entry for each record \
         combines them.",
    Detection "detection"
        "The text is a detection that the filter made of audit events: the count `expected`, 0 if it occurs for the \
         first time, and `history-ms`, the time since the first event of the cluster.",
    Summary "summary"
        "A summary of suppressed findings: `integration`, `by` and `key` of the limit (or `others: true`), the number \
         `suppressed`, the times of the `first` and `last`, and a `sample`. The entry has no other text, except on a \
         host that sends one entry for each record.",
    Report "report" "`count`: the text is a count report (`report: count`).",
    Counted "counted"
        "A count report that a host with one entry for each record attaches to the entry of another finding.",
    Integration "integration" "The integration of a count report.",
    Statistics "statistics" "The counters of the filter, which are not zero; the entry has no other text.",
    Unrecognised "unrecognised"
        "The record is not a finding, and `unrecognised` is wrap: `not-a-finding`, `not-an-object`, `malformed`, or \
         `batch` for one with several findings on a host that sends one entry for each record.",
    Error "error" "The syntax error of a malformed record, with its position.",
    Previous "previous"
        "The value of this key in the finding, as another filter left it; `too large to keep` above 1 KiB.",
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn keys_are_unique_and_explained() {
        for (index, mark) in Mark::ALL.iter().enumerate() {
            let before: Vec<&str> = Mark::ALL.iter().take(index).map(|mark| mark.key()).collect();
            assert!(!before.contains(&mark.key()), "{}", mark.key());
            assert!(mark.help().ends_with('.'), "{}", mark.key());
        }
    }
}
