//! Splits a stream of bytes into records.
//!
//! Records are JSON objects, separated by lines or not, or the elements of top-level arrays; plain or gzipped.
//!
//! No byte is discarded silently. Text that is not JSON is a record, too, unchanged and with its fault, and reading
//! continues at the next record. Only the separators of records are skipped: white space, commas, brackets of arrays,
//! byte order marks, and NUL bytes, with which a file begins that was truncated while it was written. Memory is
//! bounded: one record at a time, up to [`MAX_RECORD`].
//! Decision: the end of a record is found by a JSON reader instead of by counting braces, since a truncated record
//! would swallow all following ones.

mod error;
mod json;
mod skim;
#[cfg(test)]
mod tests;

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

pub use error::Error;
use json::{describe, error_line, value_length};
use skim::Stop;

/// The maximum size of a record, in bytes.
/// Findings are below a megabyte; a larger record is probably a single document.
pub const MAX_RECORD: usize = 64 << 20;

/// Bytes per read from the source.
const CHUNK: usize = 128 << 10;

/// The size, in bytes, from which on an incomplete record is parsed less often.
///
/// It is then parsed again only when it has doubled, so that the work is linear. Below, it is parsed after every read,
/// so that a record from a pipe is not delayed.
const EAGER: usize = 1 << 20;

const GZIP: &[u8] = b"\x1f\x8b";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Decompresses gzip, recognised by its first bytes; returns other data as is.
///
/// Several concatenated members are one stream.
pub fn decompressed<'a>(mut source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut head = Vec::new();
    source.by_ref().take(GZIP.len() as u64).read_to_end(&mut head)?;
    let gzipped = head == GZIP;
    let whole = io::Cursor::new(head).chain(source);
    Ok(if gzipped { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) })
}

/// The fault of a record that does not begin like an object or list.
pub const NOT_AN_OBJECT: &str = "not a JSON object";

/// One record of the stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The line of its first byte, from 1.
    pub line: u64,
    /// The record's bytes, unchanged.
    pub bytes: &'a [u8],
    /// The error of a strict JSON reader.
    /// The engine may recognise the record nevertheless.
    pub fault: Option<String>,
}

/// A reader of the records of one source.
pub struct Records<R> {
    source: R,
    /// The bytes read; those before `at` have been processed.
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
    /// The line of `at`.
    line: u64,
    /// The indentation of the line of `at`, and whether `at` is within it.
    indent: usize,
    leading: bool,
    /// Whether a record ended on the line of `at`.
    trailing: bool,
    /// The line of the open top-level array.
    array: Option<u64>,
    limit: usize,
}

/// The length of a record, and its fault.
struct Extent {
    len: usize,
    fault: Option<String>,
}

impl<R: Read> Records<R> {
    /// Returns a reader that begins at the current position of `source`.
    pub fn new(source: R) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            at: 0,
            ended: false,
            line: 1,
            indent: 0,
            leading: true,
            trailing: false,
            array: None,
            limit: MAX_RECORD,
        }
    }

    /// Returns the next record; `None` at the end.
    /// After an error, no further record can be read.
    pub fn next(&mut self) -> Result<Option<Piece<'_>>, Error> {
        if !self.find_record()? {
            return Ok(None);
        }
        let line = self.line;
        let Extent { len, fault } = self.measure()?;
        if len > self.limit {
            return Err(Error::TooLarge { line, limit: self.limit });
        }
        let start = self.at;
        self.advance(len);
        self.trailing = true;
        let bytes = self.buffer[start..start + len].trim_ascii_end();
        Ok(Some(Piece { line, bytes, fault }))
    }

    /// Returns whether the next record has not been read from the source yet.
    pub fn is_drained(&self) -> bool {
        self.rest().iter().all(u8::is_ascii_whitespace)
    }

    /// Skips separators up to the first byte of the next record; `false` at the end.
    fn find_record(&mut self) -> Result<bool, Error> {
        loop {
            self.skip_blank();
            match self.rest().first().copied() {
                None if self.fill()? => {}
                None => return self.array.take().map_or(Ok(false), |line| Err(Error::Unclosed { line })),
                Some(b']') if self.array.take().is_some() => self.advance(1),
                Some(b'[') if self.array.is_none() && self.opens_array()? => {
                    self.array = Some(self.line);
                    self.advance(1);
                }
                Some(0xef) if self.has_byte_order_mark()? => self.at += BYTE_ORDER_MARK.len(),
                Some(0) if let Some(len) = self.padding()? => self.at += len,
                Some(_) => return Ok(true),
            }
        }
    }

    /// Returns whether a bracket opens an array of records.
    /// It does if an object or the closing bracket follows.
    ///
    /// A line of text may begin with a bracket, too.
    fn opens_array(&mut self) -> Result<bool, Error> {
        loop {
            match self.rest().iter().skip(1).copied().find(|byte| !byte.is_ascii_whitespace()) {
                Some(byte) => return Ok(matches!(byte, b'{' | b']')),
                None if self.fill()? => {}
                None => return Ok(true),
            }
        }
    }

    fn has_byte_order_mark(&mut self) -> Result<bool, Error> {
        while self.rest().len() < BYTE_ORDER_MARK.len() && self.fill()? {}
        Ok(self.rest().starts_with(BYTE_ORDER_MARK))
    }

    /// Returns the length of a run of NUL bytes before or after a record on its line.
    ///
    /// A line that consists of NUL bytes is a line of text.
    fn padding(&mut self) -> Result<Option<usize>, Error> {
        loop {
            match self.rest().iter().position(|byte| *byte != 0) {
                Some(len) => {
                    let ends = matches!(self.rest()[len], b'\n' | b'\r');
                    let is_padding = matches!(self.rest()[len], b'{' | b'[') || ends && self.trailing;
                    return Ok(is_padding.then_some(len));
                }
                None if self.fill()? => {}
                None => return Ok(self.trailing.then_some(self.rest().len())),
            }
        }
    }

    fn measure(&mut self) -> Result<Extent, Error> {
        if !matches!(self.rest().first(), Some(b'{' | b'[')) {
            let end: fn(&u8) -> bool =
                if self.array.is_some() { |byte| b",]\n".contains(byte) } else { |byte| *byte == b'\n' };
            let len = self.length_until(end)?;
            return Ok(Extent { len, fault: Some(NOT_AN_OBJECT.to_owned()) });
        }
        loop {
            match value_length(self.rest()) {
                Ok(len) => return Ok(Extent { len, fault: None }),
                Err(error) if error.is_eof() && self.fill()? => {}
                Err(error) => {
                    let fault = Some(describe(&error, self.line));
                    // A record with half of a surrogate pair or a number out of range has an end nevertheless.
                    match skim::value(self.rest()) {
                        Ok(len) if self.is_one_record(len) => return Ok(Extent { len, fault }),
                        Err(Stop::End) if !error.is_eof() && self.fill()? => {}
                        _ => return Ok(Extent { len: self.malformed_length(&error)?, fault }),
                    }
                }
            }
        }
    }

    /// Returns whether the value of `len` bytes is a record.
    ///
    /// With bytes that are not UTF-8, the end of a value is unreliable and may be on another line: then lines are
    /// records, and in an array a value has to end on its line.
    fn is_one_record(&self, len: usize) -> bool {
        let value = &self.rest()[..len];
        std::str::from_utf8(value).is_ok() || self.array.is_some() && !value.contains(&b'\n')
    }

    /// Returns the length of a malformed record.
    ///
    /// It ends with its line, or in an array before the next element on the line. If the error is on a later line, the
    /// record includes the lines with deeper indentation and its closing bracket. So a truncated line affects no other
    /// line, and a malformed record that is printed over many lines is one fault.
    fn malformed_length(&mut self, error: &serde_json::Error) -> Result<usize, Error> {
        if error_line(error) == 1 {
            let len = self.length_until(|byte| *byte == b'\n')?;
            let line = &self.rest()[..len];
            return Ok(if self.array.is_some() { skim::element(line).unwrap_or(len) } else { len });
        }
        loop {
            if let Some(len) = self.next_record_line() {
                return Ok(len);
            }
            if !self.fill()? {
                return Ok(self.rest().len());
            }
        }
    }

    /// Returns the offset of the first line that does not belong to this record.
    fn next_record_line(&self) -> Option<usize> {
        let rest = self.rest();
        let mut lines = rest.iter().enumerate().filter(|&(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        lines.find(|&line| {
            let indent = rest[line..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            indent <= self.indent
                && match rest.get(line + indent) {
                    None | Some(b'\n' | b'\r' | b'}') => false,
                    Some(b']') => self.array.is_some(),
                    Some(_) => true,
                }
        })
    }

    fn length_until(&mut self, end: impl Fn(&u8) -> bool) -> Result<usize, Error> {
        loop {
            if let Some(len) = self.rest().iter().position(&end) {
                return Ok(len);
            }
            if !self.fill()? {
                return Ok(self.rest().len());
            }
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    fn skip_blank(&mut self) {
        while let Some(&byte) = self.buffer.get(self.at) {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.indent = 0;
                    self.leading = true;
                    self.trailing = false;
                }
                b' ' | b'\t' if self.leading => self.indent += 1,
                b' ' | b'\t' | b'\r' | b',' => {}
                _ => {
                    self.leading = false;
                    return;
                }
            }
            self.at += 1;
        }
    }

    fn advance(&mut self, len: usize) {
        let passed = &self.buffer[self.at..self.at + len];
        self.line += passed.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        self.at += len;
    }

    /// Reads more bytes of the current record; `false` at the end of the stream.
    fn fill(&mut self) -> Result<bool, Error> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let had = self.buffer.len();
        if had > self.limit {
            return Err(Error::TooLarge { line: self.line, limit: self.limit });
        }
        let target = if had < EAGER { had + 1 } else { had * 2 };
        while self.buffer.len() < target && !self.ended {
            self.read_chunk().map_err(Error::Io)?;
        }
        Ok(self.buffer.len() > had)
    }

    fn read_chunk(&mut self) -> io::Result<()> {
        let had = self.buffer.len();
        self.buffer.resize(had + CHUNK, 0);
        let read = loop {
            match self.source.read(&mut self.buffer[had..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(had + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        Ok(())
    }
}
