//! The engine in a web page: the interface for the playground's JavaScript.
//!
//! Answers are JSON texts, built by [`trial`] and [`remarks`]; the page parses them. Decision: texts instead of
//! JavaScript objects, so that the generated glue stays a few functions and every answer can be tested here. The page
//! passes the time, since the engine has no clock.

pub mod records;
pub mod remarks;
pub mod trial;

use wasm_bindgen::prelude::wasm_bindgen;

use kaudit_filter::Time;

/// Returns the diagnostics of a configuration; see [`remarks::of`].
#[wasm_bindgen]
pub fn check(config: &str) -> String {
    remarks::of(config).to_string()
}

/// Returns a configuration without its secrets, for sharing.
#[wasm_bindgen]
pub fn masked(config: &str) -> String {
    kaudit_workbench::check::masked(config)
}

/// Returns the records of a pasted text: a list of pairs, the line of each and its text.
#[wasm_bindgen]
pub fn records(text: &str) -> String {
    let records = records::split(text);
    serde_json::json!(records).to_string()
}

/// Parses a time like the program's `--now`, RFC 3339; returns milliseconds since 1970.
#[wasm_bindgen]
pub fn parse_time(text: &str) -> Option<f64> {
    Time::parse(text).map(to_page)
}

/// A filter for one run. Times are milliseconds since 1970.
#[wasm_bindgen]
pub struct Trial(trial::Trial);

#[wasm_bindgen]
impl Trial {
    /// Returns a new filter with this configuration.
    ///
    /// # Errors
    /// It has errors; [`check`] returns them.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &str) -> Result<Self, String> {
        trial::Trial::new(config).map(Self)
    }

    /// Returns the time of the record's first finding that has one.
    pub fn time(&mut self, record: &str) -> Option<f64> {
        self.0.time(record).map(to_page)
    }

    /// Filters a record that arrives at `now`; see [`trial::Trial::take`].
    pub fn take(&mut self, record: &str, now: f64) -> String {
        self.0.take(record, from_page(now)).to_string()
    }

    /// Returns the pending entries at the end.
    pub fn finish(&mut self, now: f64) -> String {
        self.0.finish(from_page(now)).to_string()
    }

    /// Returns the counters, as in the program's `--summary json`.
    pub fn account(&self) -> String {
        self.0.account().to_string()
    }
}

/// Converts milliseconds; JavaScript's numbers represent every millisecond of a [`Time`] exactly.
#[expect(clippy::cast_possible_truncation, reason = "a number beyond the range is clamped to it")]
fn from_page(now: f64) -> Time {
    Time::from_millis(now as i64)
}

#[expect(clippy::cast_precision_loss, reason = "a time's milliseconds stay below 2 to the 53rd")]
fn to_page(time: Time) -> f64 {
    time.millis() as f64
}
