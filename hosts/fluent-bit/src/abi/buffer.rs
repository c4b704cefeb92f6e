//! Memory that Fluent Bit frees.

use std::ptr;

use kaudit_filter::entry::Out;

/// Bytes that the host will free: allocated by the C library, and growing by doubling.
///
/// If memory runs out, [`Buffer::failed`] returns it at the end; the process is not aborted.
///
/// Decision: the first allocation is for a whole chunk of entries, since a buffer that grows from zero is copied once
/// more. Pages that are not written to take no memory.
pub struct Buffer {
    least: usize,
    start: *mut u8,
    length: usize,
    capacity: usize,
    failed: bool,
}

impl Buffer {
    /// Returns an empty buffer, whose first allocation will have at least `least` bytes.
    pub fn of(least: usize) -> Self {
        Self { least, start: ptr::null_mut(), length: 0, capacity: 0, failed: false }
    }

    /// Returns whether memory ran out, so that bytes are missing.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Reserves `more` further bytes; returns whether there is enough memory.
    pub fn reserve(&mut self, more: usize) -> bool {
        more <= self.capacity - self.length || self.grow(more)
    }

    #[cold]
    fn grow(&mut self, more: usize) -> bool {
        let needed = self.length.checked_add(more).filter(|_| !self.failed);
        let grown = needed.and_then(|needed| {
            let ample = needed.max(self.capacity.saturating_mul(2)).max(self.least);
            [ample, needed].into_iter().find_map(|capacity| {
                // SAFETY: `start` is null or was allocated here, and nothing else refers to it.
                let start = unsafe { libc::realloc(self.start.cast(), capacity) };
                (!start.is_null()).then_some((start.cast(), capacity))
            })
        });
        if let Some((start, capacity)) = grown {
            (self.start, self.capacity) = (start, capacity);
        } else {
            // Nothing is written any more, of any length.
            (self.failed, self.capacity) = (true, self.length);
        }
        grown.is_some()
    }

    /// Hands the bytes over to the host, which frees them.
    pub fn into_raw(self) -> (*mut u8, usize) {
        let raw = (self.start, self.length);
        std::mem::forget(self);
        raw
    }
}

impl Out for Buffer {
    fn put(&mut self, bytes: &[u8]) {
        if self.reserve(bytes.len()) {
            // SAFETY: `reserve` ensured space for the bytes after the first `length`; no slice of this memory exists.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.add(self.length), bytes.len()) };
            self.length += bytes.len();
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: `start` is null or was allocated here and not handed over.
        unsafe { libc::free(self.start.cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_memory_is_reported() {
        let mut buffer = Buffer::of(2);
        buffer.put(b"text");
        buffer.reserve(usize::MAX / 2);
        assert!(buffer.failed());
        buffer.put(b"more");
        assert_eq!(buffer.length, 4, "nothing is written any more");
    }
}
