//! New terms: values that a user has not had for some days.

use std::collections::HashMap;

use super::detector::{Detection, Detector, Method, Names, Repeats};
use super::features::observe;
use crate::event::Event;
use crate::kind::DetectionKind as D;

/// Reports a value that a user has not had within a number of days, at once.
///
/// As in the published rules of this type, everything that a new user does is new.
#[derive(Clone, Copy, Debug)]
pub struct NewTerms {
    /// The number of days, for which it also learns.
    pub days: u32,
}

impl Default for NewTerms {
    fn default() -> Self {
        Self { days: 7 }
    }
}

/// The features whose values are compared.
const KINDS: &[D] = &[D::Network, D::AccessTool, D::Resources, D::Commands, D::Targets, D::StatusReasons];

impl Method for NewTerms {
    fn name(&self) -> &'static str {
        "new terms"
    }

    fn detector(&self, _: &str) -> Box<dyn Detector> {
        Box::new(State {
            horizon: i64::from(self.days) * 86_400_000,
            begin: None,
            seen: HashMap::new(),
            names: Names::default(),
            repeats: Repeats::default(),
        })
    }
}

#[derive(Debug)]
struct State {
    horizon: i64,
    begin: Option<i64>,
    /// When each value was last seen. It is looked up and never iterated, so its order has no effect.
    seen: HashMap<(u32, D, u64), i64>,
    names: Names,
    repeats: Repeats,
}

impl Detector for State {
    fn event(&mut self, event: &Event, found: &mut Vec<Detection>) {
        let time_ms = event.time / 1000;
        let begin = *self.begin.get_or_insert(time_ms);
        let user = self.names.number(&event.identity.username);
        observe(event, |kind, value| {
            if !KINDS.contains(&kind) {
                return;
            }
            let last = self.seen.insert((user, kind, value), time_ms);
            let is_new = last.is_none_or(|last| time_ms - last > self.horizon);
            if is_new && time_ms - begin > self.horizon && self.repeats.is_first(user, kind, time_ms) {
                found.push(Detection { time_ms, kind, principal: Some(self.names.name(user)) });
            }
        });
    }

    fn finish(&mut self, _: &mut Vec<Detection>) {}
}
