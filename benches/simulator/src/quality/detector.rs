//! The interface of a method, and what it reports.

use std::collections::{BTreeMap, HashMap};

use crate::event::Event;
use crate::kind::DetectionKind;

/// The length of a window: kAudit's three minutes.
pub const PERIOD_MS: i64 = 180_000;

/// What a method reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detection {
    /// The end of the window, or the time of the event, milliseconds since 1970.
    pub time_ms: i64,
    /// The kind.
    pub kind: DetectionKind,
    /// The user; `None`: the cluster.
    pub principal: Option<String>,
}

/// A method at work on the events of one cluster.
pub trait Detector {
    /// Passes an event. Events come in the order of their times.
    fn event(&mut self, event: &Event, found: &mut Vec<Detection>);

    /// Ends the last window.
    fn finish(&mut self, found: &mut Vec<Detection>);
}

/// A method that is compared with others.
pub trait Method {
    /// Returns the name in reports, at most 12 characters.
    fn name(&self) -> &str;

    /// Returns a detector for a cluster.
    fn detector(&self, cluster: &str) -> Box<dyn Detector>;
}

/// Numbers for the users of a cluster.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Looked up and never iterated, so its order has no effect.
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    /// Returns the number of a user.
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    /// Returns the user with this number.
    pub fn name(&self, number: u32) -> String {
        self.names.get(number as usize).cloned().unwrap_or_default()
    }
}

/// Reports at most one detection for each user, kind and hour, as the engine does.
#[derive(Debug, Default)]
pub(crate) struct Repeats(BTreeMap<(u32, DetectionKind), i64>);

impl Repeats {
    /// Returns whether a detection at this time is the first of its hour.
    pub fn is_first(&mut self, user: u32, kind: DetectionKind, time_ms: i64) -> bool {
        let last = self.0.entry((user, kind)).or_insert(i64::MIN / 2);
        let is_first = time_ms - *last >= 3_600_000;
        if is_first {
            *last = time_ms;
        }
        is_first
    }
}
