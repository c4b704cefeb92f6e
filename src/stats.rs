//! Counters of records by verdict and reason.
//!
//! They balance: records + batch items + detections = kept + dropped + suppressed + passed + batches. The detections are
//! those that the filter makes of audit events. Entries that it adds (summaries, count reports) are counted separately.

use alloc::vec::Vec;

use crate::finding::{DetectionKind, Kind};

macro_rules! reasons {
    ($($variant:ident $label:literal $help:literal,)*) => {
        /// The reason why a record was dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Reason {
            $(#[doc = $help] $variant,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the stable label that reports and metrics contain.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// Returns the meaning of the reason.
            pub fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

reasons! {
    NoIntegration "no-integration" "No running integration is of the finding's type.",
    Stopped "stopped" "Only a stopped integration accepts the finding.",
    Etype "etype" "`etype` does not list the detection's entity type.",
    Category "category" "`category` does not list the detection's category.",
    Confidence "confidence" "`confidence` does not list the detection's confidence.",
    EntityMatch "entity-match" "`entity-match` does not occur in the entity.",
    EntityNoMatch "entity-no-match" "`entity-no-match` occurs in the entity.",
    RulesMatch "rules-match" "`rules-match` does not occur in the rule.",
    RulesNoMatch "rules-no-match" "`rules-no-match` occurs in the rule.",
    Counted "counted" "The finding went into a count report (`report: count`).",
    Stale "stale" "The finding is too old or too far ahead, and `guard.on-stale` is drop.",
    Unrecognised "unrecognised" "The record is not a finding, and `unrecognised` is drop.",
    NoRule "no-rule" "No rule of the policy selects the audit event.",
    Stage "stage" "Another event of the same request is evaluated (`audit.stages`).",
    DuplicateStage "duplicate-stage" "An event of the same request was evaluated before.",
    LegacyEvent "legacy-event" "The audit event is in the legacy text format, which is not evaluated.",
}

/// The counters of one filter since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Records received.
    pub records: u64,
    /// Records that were split because they contain several findings.
    pub batches: u64,
    /// The items of those records, findings or not.
    pub batch_items: u64,
    /// Findings sent as entries, by kind.
    pub kept: [u64; Kind::ALL.len()],
    /// Records that are not findings, sent as entries.
    pub wrapped: u64,
    /// Records dropped, by reason.
    pub dropped: [u64; Reason::ALL.len()],
    /// Findings suppressed by a rate limit.
    pub suppressed: u64,
    /// Records that are not findings and stayed in the stream unchanged.
    pub passed: u64,
    /// Entries whose timestamp was set to the time of arrival.
    /// The finding's own time is out of range.
    pub clamped: u64,
    /// Entries whose text was truncated to fit.
    pub truncated: u64,
    /// Entries with redacted values in their text.
    pub redacted: u64,
    /// Summaries of suppressed findings that were emitted.
    pub summaries: u64,
    /// Suppressed findings that those summaries report.
    pub summarised: u64,
    /// Count reports that were emitted.
    pub reports: u64,
    /// Findings that those reports count.
    pub reported: u64,
    /// Rules that could not be decided on an audit event, because its body or another part is missing.
    pub undecided: u64,
    /// Detections that the filter made of audit events, by kind.
    pub detected: [u64; DetectionKind::ALL.len()],
    /// Audit events that detections do not use, since their time is of a closed window or far ahead.
    pub detect_late: u64,
    /// Tallies, values, baselines and detections that did not fit into the memory of detections.
    pub detect_overflow: u64,
}

/// Counters by their stable names, in groups; the first group has no name.
pub type Counters = [(&'static str, Vec<(&'static str, u64)>); 4];

impl Stats {
    /// Counts a record with this number of verdicts.
    #[inline]
    pub(crate) fn count_record(&mut self, verdicts: u64) {
        self.records = self.records.saturating_add(1);
        if verdicts > 1 {
            self.batches = self.batches.saturating_add(1);
            self.batch_items = self.batch_items.saturating_add(verdicts);
        }
    }

    pub(crate) fn drop(&mut self, reason: Reason) {
        if let Some(count) = self.dropped.get_mut(reason as usize) {
            *count = count.saturating_add(1);
        }
    }

    pub(crate) fn keep(&mut self, kind: Option<Kind>) {
        let count = match kind {
            Some(kind) => self.kept.get_mut(kind as usize),
            None => Some(&mut self.wrapped),
        };
        if let Some(count) = count {
            *count = count.saturating_add(1);
        }
    }

    /// Returns all counters.
    pub fn counters(&self) -> Counters {
        let all = vec![
            ("records", self.records),
            ("batches", self.batches),
            ("batch-items", self.batch_items),
            ("suppressed", self.suppressed),
            ("passed", self.passed),
            ("clamped", self.clamped),
            ("truncated", self.truncated),
            ("redacted", self.redacted),
            ("summaries", self.summaries),
            ("summarised", self.summarised),
            ("reports", self.reports),
            ("reported", self.reported),
            ("undecided", self.undecided),
            ("detect-late", self.detect_late),
            ("detect-overflow", self.detect_overflow),
        ];
        let kept = Kind::ALL.iter().map(|&kind| (kind.name(), self.kept_of(kind)));
        let kept = kept.chain([("unrecognised", self.wrapped)]).collect();
        let dropped = Reason::ALL.iter().map(|&reason| (reason.label(), self.dropped_for(reason))).collect();
        let detected = DetectionKind::ALL.iter().zip(self.detected);
        let detected = detected.map(|(kind, count)| (kind.name(), count)).collect();
        [("", all), ("kept", kept), ("dropped", dropped), ("detected", detected)]
    }

    /// Returns `records` and all counters that are not zero.
    pub fn non_zero(&self) -> Counters {
        self.counters().map(|(group, mut counters)| {
            counters.retain(|&(name, count)| count > 0 || name == "records");
            (group, counters)
        })
    }

    /// Returns the difference to an earlier snapshot of the same filter.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        fn each<const N: usize>(now: [u64; N], then: [u64; N]) -> [u64; N] {
            let mut then = then.into_iter();
            now.map(|count| count.saturating_sub(then.next().unwrap_or(0)))
        }
        let less = u64::saturating_sub;
        Self {
            records: less(self.records, earlier.records),
            batches: less(self.batches, earlier.batches),
            batch_items: less(self.batch_items, earlier.batch_items),
            kept: each(self.kept, earlier.kept),
            wrapped: less(self.wrapped, earlier.wrapped),
            dropped: each(self.dropped, earlier.dropped),
            suppressed: less(self.suppressed, earlier.suppressed),
            passed: less(self.passed, earlier.passed),
            clamped: less(self.clamped, earlier.clamped),
            truncated: less(self.truncated, earlier.truncated),
            redacted: less(self.redacted, earlier.redacted),
            summaries: less(self.summaries, earlier.summaries),
            summarised: less(self.summarised, earlier.summarised),
            reports: less(self.reports, earlier.reports),
            reported: less(self.reported, earlier.reported),
            undecided: less(self.undecided, earlier.undecided),
            detected: each(self.detected, earlier.detected),
            detect_late: less(self.detect_late, earlier.detect_late),
            detect_overflow: less(self.detect_overflow, earlier.detect_overflow),
        }
    }

    /// Counts a detection that the filter made.
    #[cfg(feature = "detect")]
    pub(crate) fn detect(&mut self, kind: DetectionKind) {
        if let Some(count) = self.detected.get_mut(kind as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Counts a summary of this number of suppressed findings.
    pub(crate) fn summarise(&mut self, suppressed: u64) {
        self.summaries = self.summaries.saturating_add(1);
        self.summarised = self.summarised.saturating_add(suppressed);
    }

    /// Counts a report of this number of selections.
    pub(crate) fn report(&mut self, counted: u64) {
        self.reports = self.reports.saturating_add(1);
        self.reported = self.reported.saturating_add(counted);
    }

    /// Returns the number of findings and other records sent as entries.
    pub fn kept(&self) -> u64 {
        self.kept.iter().fold(self.wrapped, |sum, count| sum.saturating_add(*count))
    }

    /// Returns the number of records dropped, for any reason.
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns the number of records dropped for this reason.
    pub fn dropped_for(&self, reason: Reason) -> u64 {
        self.dropped.get(reason as usize).copied().unwrap_or(0)
    }

    /// Returns the number of detections that the filter made.
    pub fn detected(&self) -> u64 {
        self.detected.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns the number of findings of this kind that were kept.
    pub fn kept_of(&self, kind: Kind) -> u64 {
        self.kept.get(kind as usize).copied().unwrap_or(0)
    }

    /// Returns whether every record, batch item and detection is accounted for.
    pub fn balances(&self) -> bool {
        let out = [self.kept(), self.dropped(), self.suppressed, self.passed, self.batches];
        let all = out.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        self.records.saturating_add(self.batch_items).saturating_add(self.detected()) == all
    }
}
