//! Simulates the audit events of clusters, with labelled attacks, and measures detections on them.
//!
//! Everything follows from a seed: equal plans give equal events, byte by byte, on every machine. Seeds are of two
//! disjoint sets, for the choice of thresholds and for the measurement of results ([`TuningSeed`], [`TestSeed`]). The README
//! describes the model and its limits.
//!
//! | module | contents |
//! |---|---|
//! | `seed`, `calendar`, `kind` | seeds and numbers, times, kinds of detections |
//! | `identity`, `event`, `json` | clients, events, and their text |
//! | `cluster` | names, versions and days of a cluster |
//! | `machines`, `workloads`, `helm`, `automation` | components, the results of changes, pipelines and faults |
//! | `session`, `people` | commands and habits of people |
//! | `script`, `techniques`, `attack` | attacks and their labels |
//! | `simulation` | all of it, in the order of time |
//! | `quality` | detectors, their comparison with the labels, the report |

#![forbid(unsafe_code)]

pub mod attack;
mod automation;
pub mod calendar;
mod cluster;
pub mod event;
mod helm;
mod identity;
pub mod json;
mod kind;
mod machines;
mod people;
pub mod quality;
mod script;
mod seed;
mod session;
mod simulation;
mod techniques;
mod workloads;

pub use attack::{Attacks, Label};
pub use automation::OWN_MACHINES;
pub use cluster::Size;
pub use event::Event;
pub use identity::Identity;
pub use kind::DetectionKind;
pub use seed::{Seed, TestSeed, TuningSeed};
pub use simulation::{Plan, Simulation};
