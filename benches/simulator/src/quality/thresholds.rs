//! Fixed thresholds on the counts of a window.

use super::detector::{Detector, Method};
use super::features::Tally;
use super::windowed::{Rule, Windowed};
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
        Box::new(Windowed::new(*self))
    }
}

impl Rule for Thresholds {
    fn exceeds(&mut self, (_, kind): (u32, D), _: i64, tally: &Tally) -> bool {
        let count = COUNTS.iter().find(|(one, _)| *one == kind);
        count.is_some_and(|(_, count)| tally.statistic(kind) * 100 >= count * self.percent)
    }
}
