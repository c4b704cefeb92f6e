//! Detectors that decide at the end of a window.

use std::fmt;

use super::detector::{Detection, Detector, Names, Repeats};
use super::features::{Closed, Tally, Windows, observe};
use crate::event::Event;
use crate::kind::DetectionKind;

/// Decides about the tallies of a closed window.
pub(crate) trait Rule: fmt::Debug {
    /// Returns whether the tally of a user and kind is reported; `end` is the end of its window.
    fn exceeds(&mut self, key: (u32, DetectionKind), end: i64, tally: &Tally) -> bool;
}

/// A detector that asks a rule about each tally.
#[derive(Debug)]
pub(crate) struct Windowed<R> {
    rule: R,
    windows: Windows,
    names: Names,
    repeats: Repeats,
}

impl<R: Rule> Windowed<R> {
    pub(crate) fn new(rule: R) -> Self {
        Self { rule, windows: Windows::default(), names: Names::default(), repeats: Repeats::default() }
    }

    fn close(&mut self, (end, tallies): Closed, found: &mut Vec<Detection>) {
        for ((user, kind), tally) in tallies {
            let exceeds = self.rule.exceeds((user, kind), end, &tally);
            if exceeds && self.repeats.is_first(user, kind, end) {
                found.push(Detection { time_ms: end, kind, principal: Some(self.names.name(user)) });
            }
        }
    }
}

impl<R: Rule> Detector for Windowed<R> {
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
