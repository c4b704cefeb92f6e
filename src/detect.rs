//! Detections: changes in the behaviour of principals and clusters, as kAudit reports them.
//!
//! Events are tallied in windows of three minutes by their own time, and each tally is compared with what the entity did
//! before. Nothing depends on a clock, on the host or on the division of the events into chunks. `docs/design/detections.md`
//! argues the method.

mod baseline;
mod baselines;
mod clusters;
mod detection;
mod detector;
mod fixed;
mod memory;
mod quiet;
mod signals;
mod snapshot;
mod statistic;
mod tally;
mod windows;

pub(crate) use detector::Detector;
pub(crate) use signals::contributions;
pub use snapshot::SnapshotError;
