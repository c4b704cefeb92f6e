//! Unit tests of a configuration, in YAML.
//! A test consists of records, their times of arrival, and their expected verdicts.
//!
//! Every record of a step and every entry that the filter adds there is accounted for: a result that a step does not
//! expect is a difference. So a test cannot pass because it expects little.

mod bless;
mod coverage;
mod mistake;
mod model;
mod read;
mod report;
mod run;
mod values;

pub use bless::blessed;
pub use coverage::Coverage;
pub use mistake::Mistake;
pub use model::{ConfigSource, Suite};
pub use report::{json, text};
pub use run::{Difference, TestResult};
