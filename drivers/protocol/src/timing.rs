//! CPU time of this thread, and memory of this process.
//!
//! CPU time, not elapsed time, since other programs on the machine disturb it less.

use rustix::time::{ClockId, clock_gettime};

/// The minimum measured time of a round.
///
/// A shorter round is repeated with new instances, until the sum is this time, or five times this time including the
/// starts of the instances.
const SHORT_NANOS: u64 = 20_000_000;

/// Measures the part of an [`Instance::count`](crate::Instance::count) that the agent spends in the plugin.
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

/// Repeats a pass, with a new instance each, until the mean of their times is precise.
///
/// Returns the mean time, and the result of the last pass.
///
/// # Errors
/// The error of a pass.
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

/// CPU time of this thread, nanoseconds.
pub fn cpu_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |part: i64| u64::try_from(part).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

/// Resident memory of this process, kB: `VmRSS`.
///
/// # Errors
/// `/proc` is not mounted.
pub fn resident_kb() -> Result<u64, String> {
    let file = "/proc/self/status";
    let status = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim_end_matches("kB").trim().parse().map_err(|_| format!("{file}: no number in `VmRSS:{line}`"))
}
