//! CPU time, and passes that are repeated until their mean is exact.

use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// Passes are repeated until they took so much CPU time in sum, or five times as much with their preparation.
const SHORT_NANOS: u64 = 20_000_000;

/// Returns the CPU time of this thread, nanoseconds.
pub fn cpu_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |part: i64| u64::try_from(part).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// Returns the elapsed time, for intervals below a microsecond.
#[expect(clippy::disallowed_methods, reason = "elapsed time is the measurement")]
pub fn now() -> Instant {
    Instant::now()
}

/// Adds up the CPU time of the measured part of a pass.
#[derive(Debug, Default)]
pub struct Timer {
    nanos: u64,
}

impl Timer {
    /// Runs a function and adds the CPU time that it takes.
    pub fn time<T>(&mut self, timed: impl FnOnce() -> T) -> T {
        let start = cpu_nanos();
        let result = timed();
        self.nanos += cpu_nanos() - start;
        result
    }
}

/// Repeats a pass until its mean CPU time is exact. Returns the mean, nanoseconds, and the result of the last pass.
///
/// # Errors
/// A pass failed.
pub fn repeat<T, E>(mut pass: impl FnMut(&mut Timer) -> Result<T, E>) -> Result<(u64, T), E> {
    let (began, mut timer, mut passes) = (cpu_nanos(), Timer::default(), 0);
    loop {
        let result = pass(&mut timer)?;
        passes += 1;
        if timer.nanos >= SHORT_NANOS || cpu_nanos() - began >= 5 * SHORT_NANOS {
            return Ok((timer.nanos / passes, result));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_repeated_until_it_took_long_enough() {
        let mut passes = 0;
        let work = || std::hint::black_box((0..200_000_u64).map(std::hint::black_box).sum::<u64>());
        let mean = repeat(|timer| {
            passes += 1;
            Ok::<_, ()>(timer.time(work))
        });
        let (nanos, sum) = mean.unwrap();
        assert_eq!(sum, 199_999 * 100_000);
        assert!(passes > 1 && nanos > 0 && nanos < SHORT_NANOS, "{passes} passes of {nanos} ns");
        assert_eq!(repeat(|_| Err::<(), _>("stop")), Err("stop"));
    }
}
