//! Rounds: the time in which an instance filters all stored chunks.

use kaudit_timing::{Timer, repeat};

use crate::plugin::{Instance, Plugin};
use crate::{Chunk, Line, Round, Start};

/// How far before the first chunk an instance is warmed up: ten years, after which no rate limit remembers anything.
const BEFORE_NANOS: i64 = 10 * 365 * 86_400 * 1_000_000_000;

/// How far the clock is advanced after the warm-up, so that pending entries are emitted: summaries, and reports of an
/// hour and of a day.
const DRAIN_NANOS: [i64; 2] = [125 * 60 * 1_000_000_000, 25 * 3600 * 1_000_000_000];

/// Why there is no result.
pub enum Halt {
    Refused(Vec<Line>),
    Failed(String),
}

impl From<String> for Halt {
    fn from(error: String) -> Self {
        Self::Failed(error)
    }
}

/// Runs a round.
pub fn round<P: Plugin>(plugin: &mut P, start: &Start, chunks: &[(i64, P::Chunk)]) -> Result<Round, Halt> {
    let empty = plugin.encode(&Chunk::default())?;
    let (nanos, events) = repeat(|timer| {
        plugin.take_log();
        let started = plugin.start(start);
        let mut instance = started.map_err(|lines| Halt::Refused([plugin.take_log(), lines].concat()))?;
        let (mut idle, mut last) = (Timer::default(), 0);
        for (at, chunk) in chunks.iter().take(P::Instance::WARM_UP) {
            last = at - BEFORE_NANOS;
            instance.count(last, chunk, &mut idle)?;
        }
        for nanos in DRAIN_NANOS {
            instance.count(last + nanos, &empty, &mut idle)?;
        }
        chunks
            .iter()
            .try_fold(0, |events, (at, chunk)| Ok::<_, Halt>(events + instance.count(*at, chunk, timer)?))
    })?;
    plugin.take_log();
    Ok(Round { nanos, events, resident_kb: resident_kb()? })
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
