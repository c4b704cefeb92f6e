//! The statistics of kAudit's detections, with the texts of its records.

use crate::finding::DetectionKind;

/// Whether accesses read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Direction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// A count that is compared with its usual value.
#[derive(Debug)]
pub(super) struct Statistic {
    pub kind: DetectionKind,
    /// Whether different values are counted, and not events.
    pub unique: bool,
    /// Whether clusters have it, and not only principals.
    pub of_cluster: bool,
    /// The minimum value of a principal that is reported.
    pub floor: u32,
    pub short_doc: &'static str,
    pub doc: &'static str,
    /// The reason's text before and after the direction.
    reason: [&'static str; 2],
}

/// The minimum value of a cluster that is reported.
pub(super) const CLUSTER_FLOOR: u32 = 3;

/// Every statistic. Snapshots refer to it by its index.
pub(super) const STATISTICS: [Statistic; 8] = [
    Statistic {
        kind: DetectionKind::RemoteCommands,
        unique: true,
        of_cluster: true,
        floor: 1,
        short_doc: "change in remote commands",
        doc: "unusual change in count of unique remote commands in access attempts",
        reason: ["change in count of unique remote commands in ", " access attempts"],
    },
    Statistic {
        kind: DetectionKind::RemoteCommands,
        unique: false,
        of_cluster: false,
        floor: 1,
        short_doc: "change in remote commands",
        doc: "unusual change in count of remote commands in access attempts",
        reason: ["change in count of remote commands in ", " access attempts"],
    },
    Statistic {
        kind: DetectionKind::RemoteShells,
        unique: true,
        of_cluster: true,
        floor: 3,
        short_doc: "change in remote shells",
        doc: "unusual change in count of unique remote shells",
        reason: ["change in count of unique remote shells attempts on resources", ""],
    },
    Statistic {
        kind: DetectionKind::AccessTool,
        unique: true,
        of_cluster: false,
        floor: 3,
        short_doc: "change in access tool",
        doc: "unusual change in tool used in access attempts",
        reason: ["change in count of unique caller user-agents in ", " access attempts"],
    },
    Statistic {
        kind: DetectionKind::Targets,
        unique: true,
        of_cluster: true,
        floor: 3,
        short_doc: "change in targets of access attempts",
        doc: "unusual change in count of unique unusual URIs in access attempts",
        reason: ["change in count of unique unusual URIs in ", " access attempts"],
    },
    Statistic {
        kind: DetectionKind::Targets,
        unique: false,
        of_cluster: false,
        floor: 3,
        short_doc: "change in targets of access attempts",
        doc: "unusual change in count of unusual URIs in access attempts",
        reason: ["change in count of unusual URIs in ", " access attempts"],
    },
    Statistic {
        kind: DetectionKind::StatusReason,
        unique: false,
        of_cluster: false,
        floor: 3,
        short_doc: "change in status reason of access attempts",
        doc: "unusual change in count of unexpected status reason in access attempts",
        reason: ["change in count of unexpected status reasons in ", " access attempts"],
    },
    Statistic {
        kind: DetectionKind::Unauthorized,
        unique: false,
        of_cluster: false,
        floor: 3,
        short_doc: "change in unauthorized access attempts",
        doc: "unusual change in count of unauthorized access attempts",
        reason: ["change in count of unauthorized ", " access attempts"],
    },
];

impl Statistic {
    /// Returns the short text of a record.
    ///
    /// kAudit's published record of all unusual URIs of writes has another text than its record of reads.
    pub fn short_doc(&self, direction: Direction) -> &'static str {
        match (self.kind, self.unique, direction) {
            (DetectionKind::Targets, false, Direction::Write) => "Change in usage pattern",
            _ => self.short_doc,
        }
    }

    /// Returns the parts of the reason's text.
    pub fn reason(&self, direction: Direction) -> [&'static str; 3] {
        let [before, after] = self.reason;
        [before, if after.is_empty() { "" } else { direction.name() }, after]
    }

    /// Returns the key of the values in a record's `context`.
    pub fn context_key(&self) -> Option<&'static str> {
        match self.kind {
            DetectionKind::RemoteCommands => Some("subresource-exec-command"),
            DetectionKind::AccessTool => Some("caller-supplied-user-agent"),
            DetectionKind::Targets => Some("unusual-uri"),
            DetectionKind::StatusReason => Some("status-reason"),
            DetectionKind::RemoteShells | DetectionKind::Unauthorized => None,
        }
    }
}

/// The number of a series of one entity: the statistic and the direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeriesNumber(pub u8);

impl SeriesNumber {
    /// Returns the number of a statistic, by its index, and a direction.
    pub fn new(statistic: usize, direction: Direction) -> Self {
        let number = statistic.wrapping_mul(2).wrapping_add(direction as usize);
        Self(u8::try_from(number).unwrap_or(u8::MAX))
    }
}
