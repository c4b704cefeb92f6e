//! The encoded records of a chunk.
//!
//! The process is not aborted if memory runs out, as [`Buffer`](crate::abi::Buffer) does not abort it.

use kaudit_filter::entry::Out;

/// Encoded records, one after the other; without memory for more, they are incomplete.
#[derive(Debug, Default)]
pub struct Records {
    /// The records.
    pub bytes: Vec<u8>,
    /// Whether memory ran out.
    pub failed: bool,
}

impl Out for Records {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let is_large_enough = bytes.len() <= self.bytes.capacity() - self.bytes.len();
        if is_large_enough || self.grow(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

impl Records {
    #[cold]
    fn grow(&mut self, more: usize) -> bool {
        self.failed |= self.bytes.try_reserve(more).is_err();
        !self.failed
    }
}
