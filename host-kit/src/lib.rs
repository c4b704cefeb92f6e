//! The code that all hosts share.
//!
//! | module | contents |
//! |---|---|
//! | [`session`] | the processing loop: records in, emissions out, envelopes, pending entries |
//! | [`config`] | configuration files: one size limit, regular files only, reload by comparison |
//! | [`counters`] | the engine's counters as one list with stable names, and the statistics line |
//! | [`metrics`] | the filter's metrics: one table of families with stable names, and their samples |
//! | [`exposition`] | metrics in Prometheus' text format |
//! | [`sample`] | explained samples of dropped records for the agent's log |
//! | [`state`] | pending entries in a file, which survive a stop of the agent |
//! | [`timer`] | intervals of the host's clock |
//!
//! A host adds its agent's interface and nothing else.

#![forbid(unsafe_code)]

#[cfg(feature = "compile")]
pub mod config;
pub mod counters;
pub mod exposition;
pub mod metrics;
#[cfg(feature = "compile")]
pub mod sample;
pub mod session;
#[cfg(not(target_family = "wasm"))]
pub mod state;
pub mod timer;

pub use session::{Emission, Session};

/// Returns a random seed for [`kaudit_filter::Filter::new`].
///
/// The engine's tables are keyed with it, so that names in records cannot be chosen to collide.
#[cfg(not(target_family = "wasm"))]
pub fn seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}
