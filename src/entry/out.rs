//! Outputs of the encoders.

use alloc::vec::Vec;

/// The output of an encoder: a buffer of the host, or a counter.
pub trait Out {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Out for &mut dyn Out {
    fn put(&mut self, bytes: &[u8]) {
        (**self).put(bytes);
    }
}

impl Out for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Passes the output to a callback.
///
/// For rare paths: their code exists once, not once per output type.
pub(super) struct CallbackOut<'s> {
    /// Receives bytes; returns whether it accepts more.
    put: &'s mut dyn FnMut(&[u8]) -> bool,
    pub accepts_more: bool,
}

impl<'s> CallbackOut<'s> {
    pub fn new(put: &'s mut dyn FnMut(&[u8]) -> bool) -> Self {
        Self { put, accepts_more: true }
    }
}

impl Out for CallbackOut<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.accepts_more = (self.put)(bytes);
    }
}

/// Counts bytes instead of writing them.
#[derive(Default)]
pub(super) struct LengthCounter(pub usize);

impl Out for LengthCounter {
    fn put(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len());
    }
}
