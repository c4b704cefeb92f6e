//! Writes entries, one line of JSON each: as they are, or in envelopes.

use std::io::{self, Write};

use kaudit_filter::bulk::Grouper;
use kaudit_filter::config::Shape;
use kaudit_filter::entry::Entry;

/// Where entries go.
pub struct Output<W> {
    out: W,
    line: Vec<u8>,
    /// Gathers entries into envelopes; `None`: each is written at once.
    grouper: Option<Grouper>,
    /// Entries written, within envelopes or not.
    pub entries: u64,
    /// Envelopes written.
    pub envelopes: u64,
}

impl<W: Write> Output<W> {
    /// Writes to `out`, in the shape that the endpoint takes.
    pub fn new(out: W, shape: Shape) -> Self {
        let grouper = (shape == Shape::Bulk).then(Grouper::default);
        Self { out, line: Vec::new(), grouper, entries: 0, envelopes: 0 }
    }

    /// Writes an entry, or the envelope that it has no room in any more.
    pub fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        self.entries += 1;
        if let Some(grouper) = &mut self.grouper {
            return grouper.push(entry).map_or(Ok(()), |envelope| self.envelope(envelope));
        }
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

    /// Writes the envelopes that are still open.
    pub fn finish(&mut self) -> io::Result<()> {
        while let Some(envelope) = self.grouper.as_mut().and_then(Grouper::close) {
            self.envelope(envelope)?;
        }
        self.flush()
    }

    fn envelope(&mut self, mut envelope: Vec<u8>) -> io::Result<()> {
        self.envelopes += 1;
        envelope.push(b'\n');
        self.out.write_all(&envelope)
    }
}
