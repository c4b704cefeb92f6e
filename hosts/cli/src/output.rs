//! Writes entries, one line of JSON each: as they are, or in envelopes.

use std::io::{self, Write};

use host_kit::Emission;
use kaudit_filter::entry::Entry;

/// Where entries go.
pub struct Output<W> {
    out: W,
    line: Vec<u8>,
    /// Entries written, within envelopes or not.
    pub entries: u64,
    /// Envelopes written.
    pub envelopes: u64,
}

impl<W: Write> Output<W> {
    /// Returns an output that writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, line: Vec::new(), entries: 0, envelopes: 0 }
    }

    /// Writes an entry or an envelope; other emissions of the filter write nothing.
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

    /// Writes a record that is not a finding and passes as it is, on one line: a line's end within JSON is white space.
    pub fn passed(&mut self, record: &[u8]) -> io::Result<()> {
        self.line.clear();
        self.line.extend(record.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    /// Hands on what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn envelope(&mut self, mut envelope: Vec<u8>) -> io::Result<()> {
        self.envelopes += 1;
        envelope.push(b'\n');
        self.out.write_all(&envelope)
    }
}
