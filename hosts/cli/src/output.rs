//! Writes entries as lines of JSON, one entry or one envelope per line.

use std::io::{self, Write};

use host_kit::Emission;
use kaudit_filter::entry::Entry;

/// A writer of entries, which counts them.
pub struct Output<W> {
    out: W,
    line: Vec<u8>,
    /// Entries written, including those in envelopes.
    pub entries: u64,
    /// Envelopes written.
    pub envelopes: u64,
}

impl<W: Write> Output<W> {
    /// Returns an output that writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, line: Vec::new(), entries: 0, envelopes: 0 }
    }

    /// Writes an entry or an envelope; ignores other emissions.
    pub fn emit(&mut self, emission: Emission<'_>) -> io::Result<()> {
        match emission {
            Emission::Entry(entry) => self.entry(entry),
            Emission::Grouped(_) => {
                self.entries += 1;
                Ok(())
            }
            Emission::Envelope(envelope) => self.envelope(envelope),
            Emission::Passed | Emission::Dropped(_) | Emission::Suppressed => Ok(()),
        }
    }

    fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        self.entries += 1;
        self.line.clear();
        entry.write_json(&mut self.line);
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    /// Writes a record that passes unchanged, on one line.
    /// A line break in JSON is white space.
    pub fn passed(&mut self, record: &[u8]) -> io::Result<()> {
        self.line.clear();
        self.line.extend(record.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    /// Flushes the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn envelope(&mut self, mut envelope: Vec<u8>) -> io::Result<()> {
        self.envelopes += 1;
        envelope.push(b'\n');
        self.out.write_all(&envelope)
    }
}
