//! The memory of texts and tallies, which has one maximum.

/// The maximum, in bytes. With the tables of baselines it is below 8 MB.
const MAX: usize = 2_500_000;

/// A budget of memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    used: usize,
}

impl Memory {
    /// Takes memory; returns whether that much is left.
    pub fn take(&mut self, bytes: usize) -> bool {
        let used = self.used.saturating_add(bytes);
        let fits = used <= MAX;
        if fits {
            self.used = used;
        }
        fits
    }

    /// Returns memory that was taken.
    pub fn release(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }

    #[cfg(test)]
    pub fn used(&self) -> usize {
        self.used
    }
}

/// Returns the memory of a text on the heap, with its pointer and length.
pub(super) fn of_text(text: &str) -> usize {
    text.len().saturating_add(32)
}
