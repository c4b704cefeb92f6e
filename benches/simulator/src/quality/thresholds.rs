//! Fixed thresholds on the counts of a window.

use super::detector::{Detection, Detector, Method, Names, Repeats};
use super::features::{Closed, Windows, observe};
use crate::event::Event;
use crate::kind::DetectionKind as D;

/// Reports a user whose count in a window reaches a fixed number.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// A factor of all numbers, in percent.
    pub percent: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { percent: 100 }
    }
}

/// The counts at 100 %. Public rules count over 15 and 30 minutes (20 refusals, 15 secrets); these are for three.
const COUNTS: &[(D, u32)] = &[
    (D::Commands, 4),
    (D::Shells, 3),
    (D::AccessTool, 3),
    (D::Targets, 3),
    (D::StatusReasons, 6),
    (D::Unauthorised, 5),
    (D::Secrets, 6),
    (D::Permissions, 20),
];

impl Method for Thresholds {
    fn name(&self) -> &'static str {
        "thresholds"
    }

    fn detector(&self, _: &str) -> Box<dyn Detector> {
        Box::new(State {
            percent: self.percent,
            windows: Windows::default(),
            names: Names::default(),
            repeats: Repeats::default(),
        })
    }
}

#[derive(Debug)]
struct State {
    percent: u32,
    windows: Windows,
    names: Names,
    repeats: Repeats,
}

impl State {
    fn close(&mut self, (end, tallies): Closed, found: &mut Vec<Detection>) {
        for ((user, kind), tally) in tallies {
            let Some((_, count)) = COUNTS.iter().find(|(one, _)| *one == kind) else { continue };
            let exceeds = tally.statistic(kind) * 100 >= count * self.percent;
            if exceeds && self.repeats.is_first(user, kind, end) {
                found.push(Detection { time_ms: end, kind, principal: Some(self.names.name(user)) });
            }
        }
    }
}

impl Detector for State {
    fn event(&mut self, event: &Event, found: &mut Vec<Detection>) {
        if let Some(closed) = self.windows.advance(event.time / 1000) {
            self.close(closed, found);
        }
        let user = self.names.number(&event.identity.username);
        observe(event, |kind, value| self.windows.add(user, kind, value));
    }

    fn finish(&mut self, found: &mut Vec<Detection>) {
        let closed = self.windows.finish();
        self.close(closed, found);
    }
}
