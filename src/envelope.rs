//! Envelopes: entries of the same names, as many as fit into one request.

use alloc::vec::Vec;

use crate::config::Shape;
use crate::entry::{Entry, Out as _};

/// The maximum size of an envelope in bytes.
///
/// Coralogix accepts 2 MB per request and does not document whether before or after compression. The margin is for the
/// bytes that an agent adds.
pub const MAX_BYTES: usize = 1_900_000;

/// The maximum number of open envelopes.
///
/// Names are taken from records, so an attacker could request any number.
const MAX_OPEN: usize = 64;

/// The form of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The body of a request to `/logs/v1/bulk`.
    Bulk,
    /// A `ResourceLogs` object of OTLP in JSON: an element of the list `resourceLogs` of a request to `/v1/logs`.
    #[cfg(feature = "otlp")]
    ResourceLogs,
}

impl Form {
    /// Returns the form of a shape's envelopes; `None` if its entries are sent one by one.
    pub fn of(shape: Shape) -> Option<Self> {
        match shape {
            Shape::Bulk => Some(Self::Bulk),
            #[cfg(feature = "otlp")]
            Shape::Otlp => Some(Self::ResourceLogs),
            #[cfg(not(feature = "otlp"))]
            Shape::Otlp => None,
            Shape::Singles => None,
        }
    }

    /// Appends an envelope that contains only this entry.
    pub fn write_one(self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        self.head(entry, out);
        self.item(entry, out);
        out.put(self.tail());
    }

    /// Appends the bytes before the first item. Entries with the same head share an envelope.
    fn head(self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Bulk => entry.write_bulk_head(out),
            #[cfg(feature = "otlp")]
            Self::ResourceLogs => entry.write_otlp_head(out),
        }
    }

    fn item(self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Bulk => entry.write_bulk_item(out),
            #[cfg(feature = "otlp")]
            Self::ResourceLogs => entry.write_otlp_record(out),
        }
    }

    /// Returns the bytes after the last item.
    fn tail(self) -> &'static [u8] {
        match self {
            Self::Bulk => b"]}",
            #[cfg(feature = "otlp")]
            Self::ResourceLogs => b"]}]}",
        }
    }
}

/// Groups entries by the names that their envelope has in common.
#[derive(Debug, Default)]
pub struct Grouper {
    /// The open envelopes, oldest first.
    open: Vec<Envelope>,
}

#[derive(Debug)]
struct Envelope {
    form: Form,
    head: Vec<u8>,
    bytes: Vec<u8>,
}

impl Grouper {
    /// Adds an entry; returns the envelope that had to be closed for it, if any.
    pub fn push(&mut self, entry: &Entry<'_>, form: Form) -> Option<Vec<u8>> {
        let mut head = Vec::new();
        form.head(entry, &mut head);
        let mut item = Vec::new();
        form.item(entry, &mut item);
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
            None => self.open.push(Envelope::new(form, head, &item)),
        }
        closed
    }

    /// Closes the oldest open envelope. Call it until it returns `None`.
    pub fn close(&mut self) -> Option<Vec<u8>> {
        (!self.open.is_empty()).then(|| self.open.remove(0).close())
    }
}

impl Envelope {
    fn new(form: Form, head: Vec<u8>, item: &[u8]) -> Self {
        let mut bytes = head.clone();
        bytes.put(item);
        Self { form, head, bytes }
    }

    fn fits(&self, item: usize) -> bool {
        self.bytes.len().saturating_add(item) < MAX_BYTES
    }

    fn close(mut self) -> Vec<u8> {
        self.bytes.put(self.form.tail());
        self.bytes
    }
}
