//! What an event contributes to detections.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use super::quiet::Quiet;
use super::statistic::Direction;
use crate::audit::{Event, EventField, EventPart, FieldSource as _};
use crate::finding::DetectionKind;

/// Status reasons of ordinary work: the protocol between clients and the API server, and failures of the server.
const EXPECTED: &[&str] = &[
    "AlreadyExists",
    "Conflict",
    "Expired",
    "Gone",
    "InternalError",
    "ServerTimeout",
    "ServiceUnavailable",
    "Timeout",
    "TooManyRequests",
];

/// Whether a status reason is unexpected.
fn is_unexpected(reason: &str) -> bool {
    !EXPECTED.contains(&reason)
}

/// The signals of the current event, in buffers that are kept.
#[derive(Debug, Default)]
pub(super) struct Signals {
    pub cluster: String,
    /// Empty: the event has no user.
    pub principal: String,
    pub direction: Option<Direction>,
    pub is_refused: bool,
    /// Whether the event is a remote shell.
    is_shell: bool,
    command: String,
    target: String,
    agent: String,
    uri: String,
    reason: String,
}

/// The parts of recent events without signals.
#[derive(Debug, Default)]
pub(super) struct QuietParts {
    outcomes: Quiet,
    agents: Quiet,
}

impl QuietParts {
    /// Whether the outcome of an event has no signal.
    #[inline]
    fn is_quiet_outcome(&mut self, event: &mut Event<'_, '_>) -> bool {
        if event.part(EventPart::Outcome).is_some_and(|part| self.outcomes.contains(part)) {
            return true;
        }
        let quiet = !event.text(EventField::StatusReason).is_some_and(is_unexpected)
            && event.text(EventField::NonAuthorized) != Some("true");
        if quiet && let Some(part) = event.part(EventPart::Outcome) {
            self.outcomes.insert(part);
        }
        quiet
    }

    /// Whether the user agent of an event consists of products only.
    #[inline]
    fn is_quiet_agent(&mut self, event: &mut Event<'_, '_>) -> bool {
        if event.part(EventPart::UserAgent).is_some_and(|part| self.agents.contains(part)) {
            return true;
        }
        let quiet = event.text(EventField::CallerSuppliedUserAgent).is_none();
        if quiet && let Some(part) = event.part(EventPart::UserAgent) {
            self.agents.insert(part);
        }
        quiet
    }

    /// Whether an event has no signal at all.
    #[inline]
    pub fn is_quiet(&mut self, event: &mut Event<'_, '_>) -> bool {
        self.is_quiet_outcome(event)
            && self.is_quiet_agent(event)
            && (event.is_plain_object() || Self::is_quiet_target(event))
    }

    /// Whether the target of an event has no signal.
    fn is_quiet_target(event: &mut Event<'_, '_>) -> bool {
        match event.text(EventField::Subresource) {
            Some(subresource) => subresource != "exec",
            None => {
                event.text(EventField::ResourceType).is_some() || event.text(EventField::UnusualUri).is_none()
            }
        }
    }
}

impl Signals {
    /// Reads the signals of an event.
    pub fn read(&mut self, event: &mut Event<'_, '_>) {
        use EventField as F;
        self.is_shell = event.text(F::Subresource) == Some("exec");
        self.direction = Some(direction(event));
        self.is_refused = event.text(F::NonAuthorized) == Some("true");
        for (field, text) in [
            (F::Cluster, &mut self.cluster),
            (F::Principal, &mut self.principal),
            (F::CallerSuppliedUserAgent, &mut self.agent),
            (F::UnusualUri, &mut self.uri),
            (F::StatusReason, &mut self.reason),
            (F::SubresourceExecCommand, &mut self.command),
            (F::ResourceName, &mut self.target),
        ] {
            text.clear();
            text.push_str(event.text(field).unwrap_or_default());
        }
    }

    /// Calls `on` with each kind that the event contributes to, and its value; it is empty if events are counted.
    pub fn each(&self, mut on: impl FnMut(DetectionKind, &str)) {
        if self.is_shell {
            on(DetectionKind::RemoteShells, &self.target);
            if !self.command.is_empty() {
                on(DetectionKind::RemoteCommands, &self.command);
            }
        }
        if !self.agent.is_empty() {
            on(DetectionKind::AccessTool, &self.agent);
        }
        if !self.uri.is_empty() {
            on(DetectionKind::Targets, &self.uri);
        }
        if !self.reason.is_empty() && is_unexpected(&self.reason) {
            on(DetectionKind::StatusReason, &self.reason);
        }
        if self.is_refused {
            on(DetectionKind::Unauthorized, "");
        }
    }
}

/// Returns the kinds of detections that an event contributes to, each with its value, which may be empty.
pub(crate) fn contributions(event: &mut Event<'_, '_>) -> Vec<(DetectionKind, String)> {
    let mut signals = Signals::default();
    signals.read(event);
    let mut all = Vec::new();
    signals.each(|kind, value| all.push((kind, value.to_owned())));
    all
}

/// Returns the direction of an access by its verb.
///
/// A shell is a write, although its verb has been `get` since kubectl 1.30. The API server's proxy counts by its verb,
/// as in kAudit's detections.
fn direction(event: &mut Event<'_, '_>) -> Direction {
    let connects = matches!(event.text(EventField::Subresource), Some("exec" | "attach" | "portforward"));
    let reads = matches!(event.text(EventField::Verb), Some("get" | "list" | "watch" | "head" | "options"));
    if reads && !connects { Direction::Read } else { Direction::Write }
}
