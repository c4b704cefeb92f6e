//! The interface of all peers.

/// A limit for each entity and second.
pub const LIMIT: i64 = 2;

/// The verdict for a record. The entry of a kept one is in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is emitted as an entry.
    Kept,
    /// It is dropped, or suppressed by the limit.
    NotKept,
}

/// An implementation of the job.
pub trait Peer {
    /// Filters a record that arrives at this time, and appends its entry to the buffer.
    fn answer(&mut self, record: &[u8], now_ms: i64, out: &mut Vec<u8>) -> Answer;
}
