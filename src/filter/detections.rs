//! Sends the detections that the filter makes of audit events, as findings that were received.

use alloc::vec::Vec;

use super::events::EventStage;
use super::{Admitted, Filter, Finding, Origin};
use crate::detect::SnapshotError;
use crate::entry::Entry;
use crate::finding::Kind;
use crate::record::Record;
use crate::source::{Found, Members};
use crate::time::Time;

/// A detection that is sent. The stage of events contains its record.
pub(super) struct AdmittedDetection {
    admitted: Admitted,
    origin: Origin,
}

impl Filter {
    /// Returns the learned behaviour as bytes, for [`Self::restore_detections`]; `None`: no detections are made.
    ///
    /// It contains no text of an event. Events of open windows are not part of it: after [`Self::finish`] none is open.
    pub fn detections_snapshot(&self) -> Option<Vec<u8>> {
        Some(self.events.as_ref()?.detector.as_ref()?.snapshot())
    }

    /// Continues with the learned behaviour of a snapshot, which another filter may have made.
    ///
    /// Events of windows that were closed before count as late.
    ///
    /// # Errors
    /// The snapshot is not one, is damaged, or has another version, or the configuration has no section `detect`. The
    /// learned behaviour is unchanged.
    pub fn restore_detections(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        let detector = self.events.as_mut().and_then(|events| events.detector.as_mut());
        detector.ok_or(SnapshotError::NotConfigured)?.restore(snapshot)
    }

    /// Returns the next detection that is sent; the others are counted.
    ///
    /// With `all`, it closes all windows first.
    pub(super) fn next_detection(&mut self, now: Time, all: bool) -> Option<AdmittedDetection> {
        let Self { stages, events, stats, scratch, .. } = self;
        let EventStage { detector, text, reader, .. } = events.as_deref_mut()?;
        let detector = detector.as_mut()?;
        if all {
            detector.close_all();
        }
        let losses = detector.take_losses();
        stats.detect_late = stats.detect_late.saturating_add(losses.late);
        stats.detect_overflow = stats.detect_overflow.saturating_add(losses.overflow);
        while let Some(detection) = detector.next() {
            stats.detect(detection.kind());
            detection.write(text);
            let mut members = Members::default();
            // The text is a record that can be read.
            let Ok(scan) = reader.members(Record::json(text), &mut members) else { continue };
            let found = found(&members, &scan);
            let finding = Finding::of(&found, &mut scratch.entity, &mut scratch.rule);
            match stages.decide(&finding, &mut scratch.key, now) {
                Ok(admitted) => {
                    stats.keep(Some(Kind::Detection));
                    let (expected, history_ms) = (detection.expected, detection.history_ms);
                    return Some(AdmittedDetection {
                        admitted,
                        origin: Origin::Detection { expected, history_ms },
                    });
                }
                Err(rejected) => drop(rejected.count_in(stats)),
            }
        }
        None
    }

    /// Returns the entry of a detection.
    pub(super) fn detection(&mut self, made: &AdmittedDetection, now: Time) -> Option<Entry<'_>> {
        let Self { stages, events, stats, scratch, .. } = self;
        let EventStage { text, reader, .. } = events.as_deref_mut()?;
        let mut members = Members::default();
        let scan = reader.members(Record::json(text), &mut members).ok()?;
        let found = found(&members, &scan);
        let finding = Finding::of(&found, &mut scratch.entity, &mut scratch.rule);
        Some(stages.shape(&finding, &made.admitted, &mut scratch.labels, made.origin, stats, now))
    }
}

fn found<'s, 'a>(members: &'s Members<'a>, scan: &'s crate::record::Scan<'a>) -> Found<'s, 'a> {
    Found { kind: Kind::Detection, members, scan, copies: Vec::new(), rule: None }
}
