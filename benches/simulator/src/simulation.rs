//! A simulated period of a cluster, as a stream of events in the order of time.

use crate::attack::{Attacks, Label, attacks};
use crate::automation::Automation;
use crate::calendar::{DAY, HOUR, START};
use crate::cluster::{Cluster, Size};
use crate::event::{Event, Sink};
use crate::machines::Machines;
use crate::people::Person;
use crate::seed::Seed;
use crate::workloads::Workloads;

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The seed: equal plans give equal events.
    pub seed: Seed,
    /// The number of days, from Monday, 2026-03-02.
    pub days: u32,
    /// The size of each cluster.
    pub size: Size,
    /// The attacks; without them the same ordinary events remain.
    pub attacks: Option<Attacks>,
}

impl Plan {
    /// Returns a week of a quiet cluster.
    pub fn quiet_week(seed: Seed) -> Self {
        Self { seed, days: 7, size: Size::default(), attacks: None }
    }
}

/// The events of a cluster. An hour of them is in memory at a time.
#[derive(Debug)]
pub struct Simulation {
    cluster: Cluster,
    machines: Machines,
    workloads: Workloads,
    automation: Automation,
    people: Vec<Person>,
    labels: Vec<Label>,
    hour: i64,
    end: i64,
    /// The events of the hour in reverse order.
    ready: Vec<Event>,
    /// Events of later hours.
    later: Vec<Event>,
}

impl Simulation {
    /// Prepares the cluster with this index.
    pub fn new(plan: Plan, index: u32) -> Self {
        let days = i64::from(plan.days);
        let cluster = Cluster::new(plan.seed, index, plan.size, days);
        let people: Vec<Person> =
            (0..i64::from(plan.size.people)).map(|person| Person::new(&cluster, person, days)).collect();
        let (later, labels) = match plan.attacks {
            Some(planned) if !people.is_empty() => attacks(&cluster, &people, plan.days, planned),
            _ => (Vec::new(), Vec::new()),
        };
        Self {
            machines: Machines::new(&cluster),
            workloads: Workloads::new(&cluster),
            automation: Automation::new(),
            cluster,
            people,
            labels,
            hour: START,
            end: START + days * DAY,
            ready: Vec::new(),
            later,
        }
    }

    /// Returns the name of the cluster.
    pub fn cluster(&self) -> &str {
        &self.cluster.name
    }

    /// Returns the attacks.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Prepares the events of the next hour.
    fn advance(&mut self) {
        let start = self.hour;
        let mut sink = Sink { events: std::mem::take(&mut self.later) };
        self.machines.hour(&self.cluster, start, &mut sink);
        self.automation.hour(&self.cluster, &self.workloads, start, &mut sink);
        let on_call = (start - START) / (7 * DAY) % i64::try_from(self.people.len().max(1)).unwrap_or(1);
        for person in &self.people {
            person.hour(&self.cluster, &self.workloads, start, person.index == on_call, &mut sink);
        }
        self.hour = start + HOUR;
        let (ready, later) = sink.events.into_iter().partition(|event: &Event| event.time < start + HOUR);
        self.ready = ready;
        self.later = later;
        // Latest first: they are taken from the end. The sort is stable, so that ties have one order.
        self.ready.sort_by_key(|event| std::cmp::Reverse(event.time));
    }
}

impl Iterator for Simulation {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.ready.is_empty() && self.hour < self.end {
            self.advance();
        }
        self.ready.pop()
    }
}
