//! Section `detect`: detections of changes in behaviour.

/// The settings of detections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Detect {
    /// `learning`: the time after the first event of a cluster in which nothing is reported, milliseconds.
    pub learning_ms: i64,
    /// `lateness`: the time for which a window waits for late events, milliseconds.
    pub lateness_ms: i64,
    /// `max-series`: the maximum number of series with a baseline, at most 130 bytes each.
    pub max_series: usize,
}

impl Default for Detect {
    fn default() -> Self {
        Self { learning_ms: 86_400_000, lateness_ms: 180_000, max_series: 25_000 }
    }
}
