//! Intervals of the host's clock.

use kaudit_filter::Time;

/// Is due at equal intervals of the host's clock, and at once after the clock was set back.
#[derive(Debug)]
pub struct Timer {
    interval: i64,
    next: Option<Time>,
}

impl Timer {
    /// Returns a timer of this interval, nanoseconds.
    pub fn new(interval: i64) -> Self {
        Self { interval, next: None }
    }

    /// Returns whether the interval is over. The first call begins the first interval.
    pub fn is_due(&mut self, now: Time) -> bool {
        let wait = self.next.map_or(self.interval, |next| next.nanos().saturating_sub(now.nanos()));
        let due = wait <= 0 || wait > self.interval;
        if due || self.next.is_none() {
            self.next = Some(Time::from_nanos(now.nanos().saturating_add(self.interval)));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_due_at_each_interval_and_after_the_clock_was_set_back() {
        let mut timer = Timer::new(10);
        let due = [100, 109, 110, 119, 120, 5, 14, 15].map(|now| timer.is_due(Time::from_nanos(now)));
        assert_eq!(due, [false, false, true, false, true, true, false, true]);
    }
}
