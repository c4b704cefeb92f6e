//! Attacks: their kinds, when and against whom they are made, and their labels.

use std::rc::Rc;

use serde::Serialize;

use crate::calendar::{DAY, HOUR, MINUTE, START, write_rfc3339};
use crate::cluster::Cluster;
use crate::event::{Event, Sink};
use crate::identity::Identity;
use crate::kind::DetectionKind as D;
use crate::people::Person;
use crate::script::Script;
use crate::seed::{Purpose, Stream};
use crate::techniques;

/// A kind of attack.
#[derive(Debug)]
pub struct AttackKind {
    /// The name in labels.
    pub name: &'static str,
    /// MITRE ATT&CK's technique.
    pub technique: &'static str,
    /// Whether it takes hours, so that no window differs much from an ordinary one.
    pub is_slow: bool,
    /// The kinds of detections that name it.
    pub expected: &'static [D],
    /// The identity that the attacker has.
    pub(crate) access: Access,
    pub(crate) run: fn(&mut Script<'_>),
}

/// The identity that an attacker has, and the client.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    /// A person's workstation, with the person's tools.
    Workstation,
    /// A person's credentials in the attacker's network, with another tool.
    Credentials,
    /// A person's workstation, with an attack tool.
    Tool,
    /// A service account's token in the attacker's network.
    Token,
    /// A pod and its service account.
    Pod,
}

/// Every kind of attack.
#[rustfmt::skip]
pub const ATTACKS: &[AttackKind] = &[
    kind("exec-burst", "T1609", false, &[D::Commands, D::Shells], Access::Workstation, techniques::exec_burst),
    kind("unauthorised-attempts", "T1078", false, &[D::Unauthorised, D::StatusReasons], Access::Workstation, techniques::unauthorised),
    kind("permission-enumeration", "T1069", false, &[D::Permissions], Access::Workstation, techniques::permissions),
    kind("secrets-enumeration", "T1552.007", false, &[D::Secrets, D::Incident], Access::Workstation, techniques::secrets),
    kind("unusual-uris", "T1613", false, &[D::Targets, D::AccessTool, D::StatusReasons], Access::Workstation, techniques::unusual_uris),
    kind("status-reasons", "T1134", false, &[D::StatusReasons, D::Unauthorised], Access::Workstation, techniques::status_reasons),
    kind("new-client", "T1078", false, &[D::Network, D::AccessTool, D::Incident], Access::Credentials, techniques::reconnaissance),
    kind("token-theft", "T1528", false, &[D::Network, D::AccessTool, D::Permissions, D::Unauthorised, D::Secrets, D::Incident], Access::Token, techniques::stolen_token),
    kind("stratus-dump-secrets", "T1552.007", false, &[D::Secrets, D::AccessTool, D::Resources], Access::Tool, techniques::dump_secrets),
    kind("stratus-steal-token", "T1528", false, &[D::Commands, D::Shells, D::AccessTool, D::Resources], Access::Tool, techniques::steal_token),
    kind("stratus-admin-clusterrole", "T1098.006", false, &[D::AccessTool, D::Resources], Access::Tool, techniques::admin_clusterrole),
    kind("stratus-client-certificate", "T1649", false, &[D::AccessTool, D::Resources], Access::Tool, techniques::client_certificate),
    kind("stratus-create-token", "T1550.001", false, &[D::AccessTool, D::Resources], Access::Tool, techniques::create_token),
    kind("stratus-hostpath-volume", "T1611", false, &[D::AccessTool, D::Resources], Access::Tool, techniques::host_path),
    kind("stratus-nodes-proxy", "T1611", false, &[D::AccessTool, D::Resources], Access::Tool, techniques::nodes_proxy),
    kind("stratus-privileged-pod", "T1610", false, &[D::AccessTool, D::Resources], Access::Tool, techniques::privileged_pod),
    kind("peirates", "T1528", false, &[D::Permissions, D::Secrets, D::Unauthorised, D::Commands, D::Shells, D::AccessTool, D::Resources, D::Incident], Access::Pod, techniques::peirates),
    kind("slow-secrets", "T1552.007", true, &[D::Secrets], Access::Workstation, techniques::slow_secrets),
    kind("slow-refusals", "T1613", true, &[D::Unauthorised, D::StatusReasons], Access::Workstation, techniques::slow_refusals),
    kind("slow-exec", "T1609", true, &[D::Commands, D::Shells], Access::Workstation, techniques::slow_exec),
];

const fn kind(
    name: &'static str,
    technique: &'static str,
    is_slow: bool,
    expected: &'static [D],
    access: Access,
    run: fn(&mut Script<'_>),
) -> AttackKind {
    AttackKind { name, technique, is_slow, expected, access, run }
}

/// When attacks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attacks {
    /// The first day with attacks; the days before are for learning.
    pub from_day: u32,
    /// The number on each day and cluster, from 1 to 3.
    pub per_day: u32,
}

impl Attacks {
    /// The maximum of `per_day`: slow attacks take six hours, and attacks do not overlap.
    pub const MAX_PER_DAY: u32 = 3;
}

/// The truth about an attack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// The id, unique in a cluster.
    pub attack: u32,
    /// The kind's name.
    pub kind: &'static str,
    /// MITRE ATT&CK's technique.
    pub technique: &'static str,
    /// Whether it takes hours.
    pub slow: bool,
    /// The cluster.
    pub cluster: String,
    /// The users whose identity the attacker has; the first is the main one.
    pub principals: Vec<String>,
    /// The time of the first event, RFC 3339.
    pub start: String,
    /// The time of the last event, RFC 3339.
    pub end: String,
    /// The same, milliseconds since 1970.
    pub start_ms: i64,
    /// The same, milliseconds since 1970.
    pub end_ms: i64,
    /// The number of events.
    pub events: usize,
    /// The kinds of detections that name it.
    pub expected: Vec<&'static str>,
}

/// Service accounts that an attacker can have, with the addresses of their pods.
const ACCOUNTS: &[(&str, &str)] = &[
    ("system:serviceaccount:payments:payments-operator", "10.1.0.17"),
    ("system:serviceaccount:monitoring:prometheus-k8s", "10.1.5.17"),
    ("system:serviceaccount:ci:runner", "10.1.4.23"),
];

/// An attacker's own kubectl.
const KUBECTL: &str = "kubectl/v1.32.0 (linux/amd64) kubernetes/70d3cc9";

/// The longest attacks: slow ones, and others.
const LONGEST: [i64; 2] = [7 * HOUR, 10 * MINUTE];

/// Returns the events and the labels of a cluster's attacks.
pub(crate) fn attacks(
    cluster: &Cluster,
    people: &[Person],
    days: u32,
    plan: Attacks,
) -> (Vec<Event>, Vec<Label>) {
    let mut random = Stream::new(cluster.seed, Purpose::Attacks, &[cluster.index]);
    let per_day = plan.per_day.clamp(1, Attacks::MAX_PER_DAY);
    let slots = days.saturating_sub(plan.from_day) * per_day;
    // Every kind occurs equally often: an order of all kinds, repeated. Clusters begin it at different kinds.
    let mut order: Vec<&AttackKind> = ATTACKS.iter().collect();
    for at in 0..order.len() {
        let other = random.between(0, 1 + i64::try_from(at).unwrap_or_default());
        order.swap(at, usize::try_from(other).unwrap_or_default());
    }
    let (mut events, mut labels) = (Vec::new(), Vec::new());
    for slot in 0..slots {
        let kind = order[slot as usize % order.len()];
        let length = DAY / i64::from(per_day);
        let begin = START + i64::from(plan.from_day) * DAY + i64::from(slot) * length;
        // Each attack ends on its day.
        let longest = LONGEST[usize::from(!kind.is_slow)];
        let at = begin + random.between(0, length - longest);
        let mut sink = Sink::default();
        let identity = identity(people, kind, slot, at, &mut random);
        let mut own = Stream::new(cluster.seed, Purpose::Attacks, &[cluster.index, i64::from(slot)]);
        let identity = Rc::new(identity.of_attack(slot));
        let mut script = Script { cluster, identity, at, random: &mut own, sink: &mut sink };
        (kind.run)(&mut script);
        labels.push(label(cluster, kind, slot, &sink.events));
        events.append(&mut sink.events);
    }
    (events, labels)
}

/// Returns the attacker's client.
fn identity(people: &[Person], kind: &AttackKind, slot: u32, at: i64, random: &mut Stream) -> Identity {
    // Neighbouring attacks have different victims. The newcomer, the last person, is none.
    let victims = people.len().saturating_sub(1).max(1);
    let person = &people[(slot as usize * 5 + 1) % victims];
    let own = person.workstation(random, at);
    let (account, address) = *random.of(ACCOUNTS);
    let outside = format!("{}.{}", random.of(&["203.0.113", "198.51.100"]), 130 + random.below(120));
    let tool = *random.of(&["curl/8.14.1", "python-requests/2.32.3", KUBECTL]);
    match kind.access {
        Access::Workstation => own,
        Access::Credentials => Identity::new(&own.username, &outside, tool),
        Access::Tool => {
            let number = random.bits();
            let agent = format!(
                "stratus-red-team_{:08x}-{:04x}-4000-8000-000000000000",
                number >> 32,
                number & 0xffff
            );
            Identity::new(&own.username, &own.address, &agent)
        }
        Access::Token => Identity::new(account, &outside, tool),
        Access::Pod => Identity::new(account, address, KUBECTL),
    }
}

fn label(cluster: &Cluster, kind: &AttackKind, number: u32, events: &[Event]) -> Label {
    let first_events = || events.iter().filter(|event| !event.is_second);
    let start = first_events().map(|event| event.received).min().unwrap_or_default();
    let end = first_events().map(|event| event.time).max().unwrap_or_default();
    let text = |time| {
        let mut text = String::new();
        write_rfc3339(time, &mut text);
        text
    };
    let mut principals: Vec<String> = Vec::new();
    for event in events {
        if !principals.contains(&event.identity.username) {
            principals.push(event.identity.username.clone());
        }
    }
    Label {
        attack: number,
        kind: kind.name,
        technique: kind.technique,
        slow: kind.is_slow,
        cluster: cluster.name.clone(),
        principals,
        start: text(start),
        end: text(end),
        start_ms: start / 1000,
        end_ms: end / 1000,
        events: events.len(),
        expected: kind.expected.iter().map(|kind| kind.name()).collect(),
    }
}
