//! The resources that Fluent Bit's output can send in one request.
//!
//! From 3.1 to 4.1 the output `opentelemetry` has a table of 100 resources for each request. Above it, the output discards
//! the chunk, with all records. A resource takes a row of the table whenever it follows another one; the same resource in
//! two consecutive groups takes one row. A request contains everything that arrived in a flush interval, the results of
//! many calls of a filter, so the rows are counted over time. 4.2 has no limit unless `logs_max_resources` is set (4.0.12
//! to 4.0.14 and 4.1.1, too, but they cannot be distinguished from the releases before them).
//!
//! Decision: one row is reserved, for a resource that everything else shares. The alternatives are worse: entries without
//! a group take a row as well, and entries that wait for the next interval are lost if the agent stops.

use std::collections::VecDeque;

use kaudit_filter::Time;

/// The rows of the table.
const ROWS: usize = 100;

/// The rows that are in use in the current interval.
#[derive(Debug)]
pub struct Slots {
    /// Nanoseconds after which a row is free.
    interval: i64,
    /// The times at which the rows were taken, oldest first; at most [`ROWS`].
    taken: VecDeque<Time>,
}

impl Slots {
    /// Returns free rows, for an agent that sends its records at this interval, nanoseconds.
    ///
    /// A row stays in use for two intervals, since the agent's timer is not exact.
    pub fn new(flush: i64) -> Self {
        Self { interval: flush.saturating_mul(2), taken: VecDeque::with_capacity(ROWS) }
    }

    /// Returns the number of resources that may take a row; one more is reserved.
    pub fn free(&mut self, now: Time) -> usize {
        let is_over = |taken: Time| now.nanos().saturating_sub(taken.nanos()) > self.interval;
        while self.taken.front().is_some_and(|taken| is_over(*taken)) {
            self.taken.pop_front();
        }
        (ROWS - 1).saturating_sub(self.taken.len())
    }

    /// Returns whether no row is in use, after [`Slots::free`].
    pub fn is_unused(&self) -> bool {
        self.taken.is_empty()
    }

    /// Notes that the resource of the newest row continues.
    pub fn keep(&mut self, now: Time) {
        if let Some(newest) = self.taken.back_mut() {
            *newest = now;
        }
    }

    /// Takes a row.
    pub fn take(&mut self, now: Time) {
        if self.taken.len() >= ROWS {
            self.taken.pop_front();
        }
        self.taken.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_row_is_free_after_two_intervals() {
        let at = |seconds: i64| Time::from_nanos(seconds * SECOND);
        let mut slots = Slots::new(5 * SECOND);
        assert_eq!(slots.free(at(0)), 99);
        for _ in 0..60 {
            slots.take(at(0));
        }
        for _ in 0..60 {
            slots.take(at(4));
        }
        assert_eq!(slots.free(at(10)), 0, "one more is reserved");
        assert_eq!(slots.free(at(11)), 39);
        assert_eq!(slots.free(at(14)), 39);
        assert_eq!(slots.free(at(15)), 99);
        slots.take(at(15));
        assert_eq!(slots.free(at(3)), 98, "a clock that is set back frees nothing");
        slots.keep(at(20));
        assert_eq!(slots.free(at(30)), 98);
        assert!(!slots.is_unused());
        assert_eq!(slots.free(at(31)), 99);
        assert!(slots.is_unused());
    }
}
