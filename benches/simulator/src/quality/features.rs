//! Features of events, and their counts in windows. All baselines use the same.

use std::collections::BTreeMap;

use super::detector::PERIOD_MS;
use crate::event::{Event, Outcome};
use crate::kind::DetectionKind;
use crate::seed::fnv1a;

/// Paths of the API, discovery and health.
const USUAL: &[&str] =
    &["/api", "/apis", "/healthz", "/livez", "/readyz", "/metrics", "/version", "/openapi"];

/// Calls `on` with each feature of an event and the digest of its value.
///
/// The second event of a session is left out: the first has all of it.
pub(crate) fn observe(event: &Event, mut on: impl FnMut(DetectionKind, u64)) {
    if event.is_second {
        return;
    }
    let object = event.object();
    if event.outcome.is_unauthorised() {
        on(DetectionKind::Unauthorised, 0);
    }
    let (_, reason) = event.outcome.code(event.verb);
    let is_protocol = matches!(
        event.outcome,
        Outcome::Conflict
            | Outcome::AlreadyExists
            | Outcome::InternalError
            | Outcome::Timeout
            | Outcome::TooManyRequests
    );
    if !reason.is_empty() && !is_protocol {
        on(DetectionKind::StatusReasons, digest(&[reason]));
    }
    on(DetectionKind::Network, digest(&[network(&event.identity.address)]));
    on(DetectionKind::AccessTool, digest(&[tool(&event.identity.agent)]));
    if object.resource.is_empty() {
        let path = event.uri.split('?').next().unwrap_or_default();
        let first = path.get(1..).and_then(|rest| rest.find('/')).map_or(path, |at| &path[..=at]);
        if path.len() > 1 && !USUAL.contains(&first) {
            on(DetectionKind::Targets, digest(&[path]));
        }
        return;
    }
    let is_read = matches!(event.verb, "get" | "list" | "watch");
    let access = if is_read { "read" } else { "write" };
    on(DetectionKind::Resources, digest(&[object.resource, object.subresource, access]));
    match (object.resource, object.subresource) {
        ("pods", "exec" | "attach") => {
            on(DetectionKind::Commands, digest(&[&event.command()]));
            on(DetectionKind::Shells, digest(&[object.namespace, object.name]));
        }
        ("secrets", "") if is_read => on(DetectionKind::Secrets, digest(&[object.namespace, object.name])),
        ("selfsubjectaccessreviews" | "selfsubjectrulesreviews", _) => on(DetectionKind::Permissions, 0),
        _ => {}
    }
}

/// Returns the first three parts of an IPv4 address.
fn network(address: &str) -> &str {
    address.rsplit_once('.').map_or(address, |(network, _)| network)
}

/// Returns the name of the first product of a user agent: without its version, so that an upgrade is no new tool.
fn tool(agent: &str) -> &str {
    agent.split(['/', '_']).next().unwrap_or(agent)
}

/// Returns a digest of texts, with a separator after each.
fn digest(texts: &[&str]) -> u64 {
    fnv1a(texts.iter().flat_map(|text| text.bytes().chain([0xff])))
}

/// The values of a feature in a window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// The number of events.
    pub count: u32,
    /// The different values, sorted.
    values: Vec<u64>,
}

impl Tally {
    /// Returns the number of different values.
    pub fn distinct(&self) -> u32 {
        u32::try_from(self.values.len()).unwrap_or(u32::MAX)
    }

    /// Returns the statistic of a kind: different values where repetition is ordinary, events otherwise.
    pub fn statistic(&self, kind: DetectionKind) -> u32 {
        match kind {
            DetectionKind::Shells | DetectionKind::AccessTool | DetectionKind::Secrets => self.distinct(),
            _ => self.count,
        }
    }
}

/// A closed window: its end, and the tallies by user and kind.
pub(crate) type Closed = (i64, BTreeMap<(u32, DetectionKind), Tally>);

/// Tumbling windows, aligned to multiples of the period.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    end_ms: i64,
    tallies: BTreeMap<(u32, DetectionKind), Tally>,
}

impl Windows {
    /// Closes the window if an event at this time is later.
    pub fn advance(&mut self, time_ms: i64) -> Option<Closed> {
        if time_ms < self.end_ms {
            return None;
        }
        let end = time_ms.div_euclid(PERIOD_MS) * PERIOD_MS + PERIOD_MS;
        let closed = (std::mem::replace(&mut self.end_ms, end), std::mem::take(&mut self.tallies));
        (!closed.1.is_empty()).then_some(closed)
    }

    /// Closes the window.
    pub fn finish(&mut self) -> Closed {
        (self.end_ms, std::mem::take(&mut self.tallies))
    }

    /// Adds an observation. Features of every event (networks, types of resources) have no counts.
    pub fn add(&mut self, user: u32, kind: DetectionKind, value: u64) {
        if matches!(kind, DetectionKind::Network | DetectionKind::Resources) {
            return;
        }
        let tally = self.tallies.entry((user, kind)).or_default();
        tally.count += 1;
        if let Err(at) = tally.values.binary_search(&value) {
            tally.values.insert(at, value);
        }
    }
}
