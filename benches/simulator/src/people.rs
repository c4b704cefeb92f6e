//! People: their hours, tools, networks and habits, and the sessions that follow from them.

use std::rc::Rc;

use crate::calendar::{DAY, HOUR, MINUTE, START, hour};
use crate::cluster::Cluster;
use crate::event::Sink;
use crate::helm;
use crate::identity::Identity;
use crate::seed::{Purpose, Stream};
use crate::session::{self, Habits, Role, Session};
use crate::workloads::Workloads;

/// The roles of a cluster's people, in turn.
const ROLES: [Role; 12] = [
    Role::Developer,
    Role::Platform,
    Role::Developer,
    Role::Browser,
    Role::Developer,
    Role::Desktop,
    Role::Platform,
    Role::Developer,
    Role::Analyst,
    Role::Developer,
    Role::Browser,
    Role::Auditor,
];

/// A person.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub index: i64,
    pub username: String,
    pub role: Role,
    /// The difference of the person's time to UTC.
    zone: i64,
    /// When the person begins to work, after midnight of the own time.
    begins: i64,
    works: i64,
    /// The first three parts of the addresses: office, home.
    networks: [String; 2],
    /// Versions of kubectl, and when the second is installed.
    versions: [&'static str; 2],
    upgrade_at: i64,
    /// The system of the person's computer, in user agents.
    system: &'static str,
    /// The first day at work; after the start for a newcomer.
    joined: i64,
    /// The first day of an absence of a week.
    away: i64,
    /// A day on which the person tries another tool.
    trial: i64,
    /// A day on which the person is in another network.
    travels: i64,
    habits: Habits,
}

const KUBECTL: &[[&str; 2]] =
    &[["v1.34.1", "v1.34.2"], ["v1.33.5", "v1.34.2"], ["v1.31.4", "v1.34.2"], ["v1.29.3", "v1.33.5"]];

impl Person {
    /// Draws a person.
    pub fn new(cluster: &Cluster, index: i64, days: i64) -> Self {
        let mut random = Stream::new(cluster.seed, Purpose::People, &[cluster.index, index]);
        let role = ROLES[usize::try_from(index).unwrap_or_default() % ROLES.len()];
        // The last person joins in the second half of the simulation.
        let is_newcomer = index + 1 == i64::from(cluster.size.people);
        let home = format!("198.18.{}", random.below(250));
        let first = random.below(u32::try_from(cluster.namespaces.len()).unwrap_or(1)) as usize;
        let second = (first + 1) % cluster.namespaces.len();
        Self {
            index,
            username: format!("user-{}@example.com", cluster.index * 100 + index),
            role,
            zone: *random.of(&[-8, -5, 0, 1, 1, 1, 2, 5]) * HOUR,
            begins: random.between(7 * 60, 10 * 60) * MINUTE,
            works: random.between(8, 10) * HOUR,
            networks: [format!("10.20.{}", random.below(4)), home],
            versions: *random.of(KUBECTL),
            upgrade_at: START + random.between(0, 40) * DAY,
            system: *random.of(&["darwin/arm64", "linux/amd64", "linux/amd64", "windows/amd64"]),
            joined: if is_newcomer { START + random.between(days / 2, days.max(2)) * DAY } else { START },
            away: random.between(0, 60),
            trial: random.between(0, 60),
            travels: random.between(0, 40),
            habits: Habits {
                namespaces: [cluster.namespaces[first].clone(), cluster.namespaces[second].clone()],
                enters_pods: random.permille(500),
                reads_secrets: random.permille(400),
            },
        }
    }

    /// Returns the client with which the person works at a time.
    pub fn client(&self, random: &mut Stream, at: i64) -> Identity {
        let day = (at - START).div_euclid(DAY);
        let is_away_from_desk = random.permille(350);
        let network =
            if day == self.travels { "198.18.251" } else { &self.networks[usize::from(is_away_from_desk)] };
        let address = format!("{network}.{}", 20 + self.index);
        Identity::new(&self.username, &address, &self.agent(random, at))
    }

    fn agent(&self, random: &mut Stream, at: i64) -> String {
        let day = (at - START).div_euclid(DAY);
        let system = self.system;
        match self.role {
            _ if day == self.trial => format!("k9s/v0.50.16 ({system}) kubernetes/$Format"),
            Role::Browser => format!("k9s/v0.50.16 ({system}) kubernetes/$Format"),
            Role::Desktop if random.permille(800) => {
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Lens/2026.2.1 Chrome/140.0.0.0".to_owned()
            }
            Role::Platform if random.permille(300) => helm::AGENT.to_owned(),
            _ => self.kubectl(at),
        }
    }

    /// Returns the person's client with kubectl, or with k9s if that is the only tool.
    pub fn workstation(&self, random: &mut Stream, at: i64) -> Identity {
        let client = self.client(random, at);
        if self.role == Role::Browser {
            return client;
        }
        Identity::new(&client.username, &client.address, &self.kubectl(at))
    }

    fn kubectl(&self, at: i64) -> String {
        let version = self.versions[usize::from(at >= self.upgrade_at)];
        format!("kubectl/{version} ({}) kubernetes/93248f9", self.system)
    }

    /// Adds the sessions that begin in an hour.
    pub fn hour(
        &self,
        cluster: &Cluster,
        workloads: &Workloads,
        start: i64,
        is_on_call: bool,
        sink: &mut Sink,
    ) {
        let mut random =
            Stream::new(cluster.seed, Purpose::Habits, &[cluster.index, self.index, start / HOUR]);
        let day = (start - START).div_euclid(DAY);
        let is_away = (self.away..self.away + 7).contains(&day) || start < self.joined;
        if is_away {
            return;
        }
        let local = start + self.zone;
        let within = local.rem_euclid(DAY) - self.begins;
        let is_at_work = (0..self.works).contains(&within);
        let sessions = match (cluster.is_working_day(local), is_at_work) {
            (true, true) => u32::from(random.permille(800)) + u32::from(random.permille(300)),
            (false, true) => u32::from(random.permille(25)),
            _ => u32::from(random.permille(8)),
        };
        for _ in 0..sessions {
            let at = start + random.between(0, HOUR);
            let identity = Rc::new(self.client(&mut random, at));
            let mut session = Session { cluster, workloads, identity, at, random: &mut random, sink };
            let reviews = self.role == Role::Auditor && day % 14 == 9 && is_review_hour(start);
            session::run(&mut session, self.role, &self.habits, reviews);
        }
        // One night in eight somebody is called.
        let is_night = !(6..22).contains(&hour(local));
        if is_on_call && is_night && random.permille(15) {
            let at = start + random.between(0, HOUR);
            let identity = Identity::new(
                &self.username,
                &format!("{}.{}", self.networks[1], 20 + self.index),
                &self.kubectl(at),
            );
            let mut session =
                Session { cluster, workloads, identity: Rc::new(identity), at, random: &mut random, sink };
            session::investigate(&mut session);
        }
    }
}

/// Whether an hour is one of every third, in which reviews are done.
fn is_review_hour(start: i64) -> bool {
    start / HOUR % 3 == 0
}
