//! The engine in a web page: what the playground's JavaScript calls.
//!
//! Answers are JSON texts, as [`trial`] and [`remarks`] make them; the page parses them. Decision: texts and not
//! JavaScript objects built across the boundary, so that the glue stays a few functions and every answer can be tested
//! here. The page tells the time, since the engine has no clock.

pub mod records;
pub mod remarks;
pub mod trial;

use wasm_bindgen::prelude::wasm_bindgen;

use kaudit_filter::Time;

/// What is to be said of a configuration, as [`remarks::of`] gives it.
#[wasm_bindgen]
pub fn check(config: &str) -> String {
    remarks::of(config).to_string()
}

/// A configuration that may be sent on: without its secrets.
#[wasm_bindgen]
pub fn masked(config: &str) -> String {
    kaudit_workbench::check::masked(config)
}

/// The records of a pasted text: a list of pairs, the line of each and its text.
#[wasm_bindgen]
pub fn records(text: &str) -> String {
    let records = records::split(text);
    serde_json::json!(records).to_string()
}

/// Reads a time as the program's `--now` does: RFC 3339. Milliseconds since 1970.
#[wasm_bindgen]
pub fn parse_time(text: &str) -> Option<f64> {
    Time::parse(text).map(to_page)
}

/// A filter at work. Times are milliseconds since 1970.
#[wasm_bindgen]
pub struct Trial(trial::Trial);

#[wasm_bindgen]
impl Trial {
    /// A new filter with this configuration.
    ///
    /// # Errors
    /// It has errors; [`check`] tells which.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str) -> Result<Self, String> {
        trial::Trial::new(config).map(Self)
    }

    /// The time of the record's first finding that has one.
    pub fn time(&mut self, record: &str) -> Option<f64> {
        self.0.time(record).map(to_page)
    }

    /// Filters a record that arrives at `now`; see [`trial::Trial::take`].
    pub fn take(&mut self, record: &str, now: f64) -> String {
        self.0.take(record, from_page(now)).to_string()
    }

    /// What the filter still owes at the end.
    pub fn finish(&mut self, now: f64) -> String {
        self.0.finish(from_page(now)).to_string()
    }

    /// What became of the records so far, as the program's `--summary json` counts it.
    pub fn account(&self) -> String {
        self.0.account().to_string()
    }
}

/// JavaScript's numbers hold every millisecond that a [`Time`] can be.
#[expect(clippy::cast_possible_truncation, reason = "what is beyond the range becomes its nearest end")]
fn from_page(now: f64) -> Time {
    Time::from_millis(now as i64)
}

#[expect(clippy::cast_precision_loss, reason = "a time's milliseconds stay below 2 to the 53rd")]
fn to_page(time: Time) -> f64 {
    time.millis() as f64
}
