//! Envelopes for `/logs/v1/bulk`: entries of the same names, as many as fit.

use alloc::vec::Vec;

use crate::entry::{Entry, Out};

/// The maximum size of an envelope in bytes.
///
/// Coralogix accepts 2 MB per request and does not document whether before or after compression. The margin is for the
/// bytes that an agent adds.
pub const MAX_BYTES: usize = 1_900_000;

/// The maximum number of open envelopes.
///
/// Names are taken from records, so an attacker could request any number.
const MAX_OPEN: usize = 64;

/// Groups entries by application, subsystem and computer name.
#[derive(Debug, Default)]
pub struct Grouper {
    /// The open envelopes, oldest first.
    open: Vec<Envelope>,
}

#[derive(Debug)]
struct Envelope {
    head: Vec<u8>,
    bytes: Vec<u8>,
}

impl Grouper {
    /// Adds an entry; returns the envelope that had to be closed for it, if any.
    pub fn push(&mut self, entry: &Entry<'_>) -> Option<Vec<u8>> {
        let mut head = Vec::new();
        entry.write_bulk_head(&mut head);
        let mut item = Vec::new();
        entry.write_bulk_item(&mut item);
        let mut closed = None;
        let at = self.open.iter().position(|envelope| envelope.head == head);
        let at = match at {
            Some(at) if self.open.get(at).is_some_and(|envelope| envelope.fits(item.len())) => Some(at),
            Some(full) => {
                closed = Some(self.open.remove(full).close());
                None
            }
            None if self.open.len() >= MAX_OPEN => {
                closed = Some(self.open.remove(0).close());
                None
            }
            None => None,
        };
        match at.and_then(|at| self.open.get_mut(at)) {
            Some(envelope) => {
                envelope.bytes.put(b",");
                envelope.bytes.put(&item);
            }
            None => self.open.push(Envelope::new(head, &item)),
        }
        closed
    }

    /// Closes the oldest open envelope. Call it until it returns `None`.
    pub fn close(&mut self) -> Option<Vec<u8>> {
        (!self.open.is_empty()).then(|| self.open.remove(0).close())
    }
}

impl Envelope {
    fn new(head: Vec<u8>, item: &[u8]) -> Self {
        let mut bytes = head.clone();
        bytes.put(item);
        Self { head, bytes }
    }

    fn fits(&self, item: usize) -> bool {
        self.bytes.len().saturating_add(item) < MAX_BYTES
    }

    fn close(mut self) -> Vec<u8> {
        self.bytes.put(b"]}");
        self.bytes
    }
}
