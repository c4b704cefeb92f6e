//! Section `audit`, the policy and `detect`: how Kubernetes audit events become findings.

use alloc::vec::Vec;

use super::detect::Detect;
use crate::audit::{EventOptions, SourceKind, StageOption};
use crate::policy::Policy;

/// The evaluation of audit events.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Audit {
    /// `policy` or the content of `policy-file`. Without rules only `activity` integrations get events.
    pub policy: Policy,
    /// `audit.source`: the sources of the events. Only the diagnostics of the policy depend on them.
    pub sources: Vec<SourceKind>,
    /// `audit.stages`; default first.
    pub stages: StageOption,
    /// `audit.caller-ip`, `audit.trusted-proxies` and `audit.cluster`.
    pub fields: EventOptions,
    /// `detect`; `None`: no detections are made.
    pub detect: Option<Detect>,
}
