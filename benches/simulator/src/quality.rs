//! How good detections are: detectors, their comparison with the labels, and the report.
//!
//! | module | contents |
//! |---|---|
//! | `detector` | the interface of a method, and what it reports |
//! | `features` | features of events, and their counts in windows |
//! | `thresholds`, `new_terms`, `ewma` | the baselines |
//! | `windowed` | a detector that asks a rule about each window: of `thresholds` and `ewma` |
//! | `engine` | the filter as a method |
//! | `judge` | detections compared with labels |
//! | `run` | runs of all methods over seeds |
//! | `statistics` | intervals of confidence |
//! | `report` | the tables as text and JSON |
//! | `sweep` | thresholds compared on tuning seeds |

mod detector;
mod engine;
mod ewma;
mod features;
mod judge;
mod new_terms;
mod report;
mod run;
mod statistics;
mod sweep;
mod thresholds;
mod windowed;

pub use detector::{Detection, Detector, Method, PERIOD_MS};
pub use engine::{FilterMethod, FilterUse};
pub use ewma::Ewma;
pub use judge::{Judged, JudgedAttack, judge};
pub use new_terms::NewTerms;
pub use report::{AttackReport, MethodReport, Report};
pub use run::{Measurement, Setting, Unit, measure};
pub use statistics::{Interval, bootstrap_mean, wilson};
pub use sweep::sweep;
pub use thresholds::Thresholds;
