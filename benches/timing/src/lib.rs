//! Measures CPU time on a machine that other programs use, too.
//!
//! | module | contents |
//! |---|---|
//! | `clock` | the CPU time of a thread, and passes that are repeated until their mean is exact |
//! | `rounds` | targets measured in turn, and the warm-up round |
//! | `series` | medians, quantiles, and the difference of two series |
//!
//! Decision: CPU time of this thread instead of elapsed time, since a thread that waits for a core costs nothing. Single
//! records are shorter than the resolution of that clock: for them, the minimum of several elapsed times.

#![forbid(unsafe_code)]

mod clock;
mod rounds;
mod series;

pub use clock::{Timer, cpu_nanos, now, repeat};
pub use rounds::interleave;
pub use series::{Difference, Series, quantile};

/// Returns the processor, the number of cores, and the load of this machine.
pub fn machine() -> String {
    let file = |path| std::fs::read_to_string(path).unwrap_or_default();
    let (processor, load) = (file("/proc/cpuinfo"), file("/proc/loadavg"));
    let name = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or(std::env::consts::ARCH, |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let load = load.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown");
    format!("{name}, {cores} cores, load {load}")
}
