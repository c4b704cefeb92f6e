//! The destination of a command's output, and the entries in it: one entry or one envelope per line, or per message.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use host_kit::Emission;
use kaudit_filter::entry::Entry;

use crate::outcome::Outcome;
use crate::protobuf;
use crate::terminal::{self, error_line};

/// The destination of a command's output.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Destination {
    /// Write the output to this file [default: standard output]
    #[arg(long = "output", short = 'o', value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Destination {
    /// Opens the destination; a file is replaced.
    ///
    /// # Errors
    /// The file cannot be written; the reason was reported.
    pub fn open(&self) -> Result<Box<dyn Write>, Outcome> {
        match &self.file {
            None => Ok(Box::new(io::stdout().lock())),
            Some(file) => File::create(file)
                .map(|file| Box::new(file) as Box<dyn Write>)
                .map_err(|error| cannot_write(file, &error)),
        }
    }

    /// Writes a text.
    ///
    /// # Errors
    /// Standard output cannot be written. A failure to write a file is reported and is an outcome.
    pub fn write(&self, text: &[u8]) -> io::Result<Outcome> {
        match &self.file {
            None => io::stdout().write_all(text).map(|()| Outcome::Done),
            Some(file) => {
                Ok(fs::write(file, text).map_or_else(|error| cannot_write(file, &error), |()| Outcome::Done))
            }
        }
    }

    /// Returns whether the output gets colours.
    pub fn is_coloured(&self) -> bool {
        terminal::is_coloured(self.file.is_none() && io::stdout().is_terminal())
    }
}

/// Reports that a file cannot be written.
pub fn cannot_write(file: &Path, error: &io::Error) -> Outcome {
    error_line(format_args!("{}: cannot write: {error}", file.display()));
    Outcome::Failed
}

/// The form of an envelope in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A line of JSON.
    Line,
    /// A line of JSON: a request to `/v1/logs` that contains the `ResourceLogs` object.
    OtlpJson,
    /// The same request as a message of protobuf, after its length.
    OtlpProtobuf,
}

/// A writer of entries, which counts them.
pub struct Output<W> {
    out: W,
    framing: Framing,
    line: Vec<u8>,
    /// Entries written, including those in envelopes.
    pub entries: u64,
    /// Envelopes written.
    pub envelopes: u64,
    /// Records that pass and cannot be written, since the output is protobuf.
    pub not_written: u64,
}

impl<W: Write> Output<W> {
    /// Returns an output that writes to `out`.
    pub fn new(out: W, framing: Framing) -> Self {
        Self { out, framing, line: Vec::new(), entries: 0, envelopes: 0, not_written: 0 }
    }

    /// Writes an entry or an envelope; ignores other emissions.
    pub fn emit(&mut self, emission: Emission<'_>) -> io::Result<()> {
        match emission {
            Emission::Entry(entry) => self.entry(entry),
            Emission::Grouped(_) => {
                self.entries += 1;
                Ok(())
            }
            Emission::Envelope(envelope) => self.envelope(&envelope),
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
        if self.framing == Framing::OtlpProtobuf {
            self.not_written += 1;
            return Ok(());
        }
        self.line.clear();
        self.line.extend(record.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    /// Flushes the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn envelope(&mut self, envelope: &[u8]) -> io::Result<()> {
        self.envelopes += 1;
        self.line.clear();
        match self.framing {
            Framing::Line => self.line.extend_from_slice(envelope),
            Framing::OtlpJson => self.line.extend([&br#"{"resourceLogs":["#[..], envelope, b"]}"].concat()),
            Framing::OtlpProtobuf => {
                return self.out.write_all(&protobuf::message(envelope)?);
            }
        }
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }
}
