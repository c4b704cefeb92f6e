//! The state of detections as bytes, which a host stores while it does not run.
//!
//! Integers and digests, little-endian: no name and no value of an event. Version 1 is
//!
//! | bytes | content |
//! |---|---|
//! | 8 | [`MAGIC`] |
//! | 4 | the version |
//! | 8, 8 | the latest time of an event, and the end of the last closed window, milliseconds |
//! | 4, 20 each | clusters: digest, first window |
//! | 4, 48 each | baselines, sorted by digest: digest, then eight numbers |
//! | 16 | the digest of everything before |

use alloc::vec::Vec;

use core::fmt;

use super::baseline::Baseline;
use crate::digest::{Digest, Secret};

/// The beginning of every snapshot.
const MAGIC: &[u8; 8] = b"kadetect";

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// The reason why a snapshot cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// It is not a snapshot of detections.
    Foreign,
    /// It has a version that this filter cannot read.
    Version(u32),
    /// It is incomplete, or its checksum is wrong.
    Damaged,
    /// The configuration has no section `detect`.
    NotConfigured,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("not a snapshot of detections"),
            Self::Version(version) => {
                write!(f, "a snapshot of version {version}; this filter reads version {VERSION}")
            }
            Self::Damaged => f.write_str("a damaged snapshot of detections"),
            Self::NotConfigured => f.write_str("the configuration has no section `detect`"),
        }
    }
}

impl core::error::Error for SnapshotError {}

/// The state that a snapshot contains.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// `None`: there was no event.
    pub latest_ms: Option<i64>,
    pub closed_ms: i64,
    pub clusters: Vec<(Digest, u32)>,
    pub baselines: Vec<(Digest, Baseline)>,
}

impl State {
    /// Returns the bytes of a snapshot.
    pub fn write(mut self) -> Vec<u8> {
        self.baselines.sort_unstable_by_key(|(digest, _)| digest.to_bytes());
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&self.latest_ms.unwrap_or(i64::MIN).to_le_bytes());
        out.extend_from_slice(&self.closed_ms.to_le_bytes());
        push_length(self.clusters.len(), &mut out);
        for (digest, first) in &self.clusters {
            out.extend_from_slice(&digest.to_bytes());
            out.extend_from_slice(&first.to_le_bytes());
        }
        push_length(self.baselines.len(), &mut out);
        for (digest, baseline) in &self.baselines {
            out.extend_from_slice(&digest.to_bytes());
            for number in baseline.numbers() {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
        let checksum = Secret::new(0).digest(&out).to_bytes();
        out.extend_from_slice(&checksum);
        out
    }

    /// Reads a snapshot.
    pub fn read(snapshot: &[u8]) -> Result<Self, SnapshotError> {
        let content = snapshot.strip_prefix(MAGIC).ok_or(SnapshotError::Foreign)?;
        let (version, _) = content.split_first_chunk().ok_or(SnapshotError::Damaged)?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let (content, checksum) = snapshot.split_last_chunk::<16>().ok_or(SnapshotError::Damaged)?;
        if Secret::new(0).digest(content).to_bytes() != *checksum {
            return Err(SnapshotError::Damaged);
        }
        // The checksum is right, but another program may have computed it.
        let rest = content.get(MAGIC.len().saturating_add(4)..).unwrap_or_default();
        Self::parse(&mut Input(rest)).ok_or(SnapshotError::Damaged)
    }

    fn parse(input: &mut Input<'_>) -> Option<Self> {
        let latest_ms = input.time()?;
        let closed_ms = input.time()?;
        let mut state =
            Self { latest_ms: (latest_ms != i64::MIN).then_some(latest_ms), closed_ms, ..Self::default() };
        for _ in 0..input.number()? {
            state.clusters.push((input.digest()?, input.number()?));
        }
        for _ in 0..input.number()? {
            let digest = input.digest()?;
            let mut numbers = [0; 8];
            for number in &mut numbers {
                *number = input.number()?;
            }
            state.baselines.push((digest, Baseline::of_numbers(numbers)));
        }
        input.0.is_empty().then_some(state)
    }
}

fn push_length(length: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

/// The bytes that were not read yet.
struct Input<'b>(&'b [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (chunk, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*chunk)
    }

    fn number(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn time(&mut self) -> Option<i64> {
        self.take().map(i64::from_le_bytes)
    }

    fn digest(&mut self) -> Option<Digest> {
        self.take().map(Digest::of_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let digest = |name: &str| Secret::new(0).digest(name.as_bytes());
        let mut baseline = Baseline::default();
        baseline.learn(8_794_863, 6);
        baseline.report(8_794_863, 6);
        let mut baselines: Vec<(Digest, Baseline)> =
            ["a", "b", "c"].iter().map(|name| (digest(name), baseline)).collect();
        baselines.sort_unstable_by_key(|(digest, _)| digest.to_bytes());
        State {
            latest_ms: Some(1_583_075_340_000),
            closed_ms: 7,
            clusters: vec![(digest("crm"), 9)],
            baselines,
        }
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written() {
        assert_eq!(State::read(&state().write()), Ok(state()));
        assert_eq!(State::read(&State::default().write()), Ok(State::default()));
    }

    #[test]
    fn other_snapshots_are_refused() {
        let snapshot = state().write();
        for (text, expected) in [
            (&b""[..], SnapshotError::Foreign),
            (b"{}", SnapshotError::Foreign),
            (MAGIC, SnapshotError::Damaged),
            (b"kadetect\x02\0\0\0", SnapshotError::Version(2)),
        ] {
            assert_eq!(State::read(text), Err(expected));
        }
        for length in MAGIC.len()..snapshot.len() {
            assert_eq!(State::read(&snapshot[..length]), Err(SnapshotError::Damaged), "{length}");
        }
        for at in 12..snapshot.len() {
            let mut changed = snapshot.clone();
            changed[at] ^= 1;
            assert_eq!(State::read(&changed), Err(SnapshotError::Damaged), "{at}");
        }
        // A right checksum after content that is too short or too long.
        for content in [&snapshot[..40], &[&snapshot[..snapshot.len() - 16], b"x"].concat()] {
            let forged = [content, &Secret::new(0).digest(content).to_bytes()].concat();
            assert_eq!(State::read(&forged), Err(SnapshotError::Damaged));
        }
    }
}
