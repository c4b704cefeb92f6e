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

mod skim;

use std::fmt;
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

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

/// The reason why the rest of a stream cannot be read.
#[derive(Debug)]
pub enum Error {
    /// Reading the source failed.
    Io(io::Error),
    /// The record on this line is larger than the limit.
    TooLarge { line: u64, limit: usize },
    /// The stream ends in the array that begins on this line.
    Unclosed { line: u64 },
}

impl Error {
    /// Returns whether the contents are invalid, such as a truncated gzip stream.
    /// Otherwise, reading failed.
    pub fn is_contents(&self) -> bool {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        match self {
            Self::Io(error) => matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof),
            Self::TooLarge { .. } | Self::Unclosed { .. } => true,
        }
    }

    /// Returns the line of the error, if it has one.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Io(_) => None,
            Self::TooLarge { line, .. } | Self::Unclosed { line } => Some(*line),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read: {error}"),
            Self::TooLarge { limit, .. } => {
                write!(f, "record too large: the limit is {limit} bytes; the rest of the file is not read")
            }
            Self::Unclosed { .. } => {
                f.write_str("the array that begins here is not closed; the file may be truncated")
            }
        }
    }
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

/// Returns the length of the JSON value at the beginning.
fn value_length(bytes: &[u8]) -> serde_json::Result<usize> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Any>();
    match values.next() {
        Some(Err(error)) => Err(error),
        Some(Ok(_)) | None => Ok(values.byte_offset()),
    }
}

/// Any JSON value, parsed and discarded.
///
/// Serde's `IgnoredAny` has no limit of nesting: a stream of opening brackets would be parsed to its end from every
/// line.
struct Any;

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// Returns the line of an error within its record, from 1.
///
/// `serde_json` reports a raw line feed in a string at byte 0 of the next line.
fn error_line(error: &serde_json::Error) -> u64 {
    error.line().saturating_sub(usize::from(error.column() == 0)).max(1) as u64
}

/// Returns the text of a fault in a record that begins on `line`.
fn describe(error: &serde_json::Error, line: u64) -> String {
    if error.is_eof() {
        return "the record is truncated".to_owned();
    }
    if error.column() == 0 {
        return format!("a string does not end on line {}", line + error_line(error) - 1);
    }
    let text = error.to_string();
    let text = match text.split(" at line ").next().unwrap_or_default() {
        "recursion limit exceeded" => "nested too deeply",
        text => text,
    };
    let byte = error.column();
    match error_line(error) {
        1 => format!("{text} at byte {byte}"),
        later => format!("{text} at byte {byte} of line {}", line + later - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the bytes in pieces of a fixed size, as a pipe may.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let len = self.1.min(self.0.len()).min(into.len());
            into[..len].copy_from_slice(&self.0[..len]);
            self.0 = &self.0[len..];
            Ok(len)
        }
    }

    /// Returns every record as `line|text` or `line|text|fault`, and the last error.
    fn read(source: impl Read, limit: usize) -> Vec<String> {
        let mut records = Records::new(source);
        records.limit = limit;
        let mut found = Vec::new();
        loop {
            match records.next() {
                Ok(Some(Piece { line, bytes, fault })) => {
                    let mut parts = vec![line.to_string(), String::from_utf8_lossy(bytes).into_owned()];
                    parts.extend(fault);
                    found.push(parts.join("|"));
                }
                Ok(None) => return found,
                Err(error) => {
                    found.push(format!("{}: {error}", error.line().unwrap_or_default()));
                    return found;
                }
            }
        }
    }

    /// A name, the stream, and the expected records.
    type Case = (&'static str, &'static str, &'static [&'static str]);

    const RECORDS: &[Case] = &[
        ("nothing", "", &[]),
        ("blank lines", "\n \r\n\t", &[]),
        ("lines", "{\"a\":1}\n{\"b\":2}\n", &["1|{\"a\":1}", "2|{\"b\":2}"]),
        ("no last newline", "{}\r\n{\"b\":2}", &["1|{}", "2|{\"b\":2}"]),
        ("byte order mark", "\u{feff}{\"a\":1}", &["1|{\"a\":1}"]),
        ("concatenated", "{\"a\":1}{\"b\":2} {}", &["1|{\"a\":1}", "1|{\"b\":2}", "1|{}"]),
        ("commas between", "{},\n{},\n", &["1|{}", "2|{}"]),
        (
            "over lines",
            "{\n \"a\": {\n  \"b\": []\n }\n}\n{\n}",
            &["1|{\n \"a\": {\n  \"b\": []\n }\n}", "6|{\n}"],
        ),
        ("brackets in a string", "{\"a\":\"}]\\\"{\"}{}", &["1|{\"a\":\"}]\\\"{\"}", "1|{}"]),
        ("array", "[{\"a\":1},{\"b\":[2]}]", &["1|{\"a\":1}", "1|{\"b\":[2]}"]),
        (
            "array over lines",
            "[\n  {\n    \"a\": 1\n  },\n  {}\n]\n{}",
            &["2|{\n    \"a\": 1\n  }", "5|{}", "7|{}"],
        ),
        ("empty arrays", "[] [ ]\n[\n]{}", &["3|{}"]),
        ("byte order mark before an array", "\u{feff}[{\"a\":1},{}]", &["1|{\"a\":1}", "1|{}"]),
        ("NUL bytes before a record", "\0\0\0{\"a\":1}\n{}", &["1|{\"a\":1}", "2|{}"]),
        ("byte order mark and NUL bytes before an array", "\u{feff}\0\0[{}]", &["1|{}"]),
        ("NUL bytes after a record", "{\"a\":1}\0\0\n{} \0", &["1|{\"a\":1}", "2|{}"]),
        ("array of no records", "[1,[2]]\n{}", &["1|[1,[2]]", "2|{}"]),
        ("array within an array", "[{},[{}]]", &["1|{}", "1|[{}]"]),
    ];

    const FAULTS: &[Case] = &[
        ("text", "panic!\n{}", &["1|panic!|not a JSON object", "2|{}"]),
        (
            "text in brackets",
            "[2020/03/01] up\n{}",
            &["1|[2020/03/01] up|expected `,` or `]` at byte 6", "2|{}"],
        ),
        ("text after a record", "{} tail {}\n{}", &["1|{}", "1|tail {}|not a JSON object", "2|{}"]),
        ("a brace too many", "{}}\n{}", &["1|{}", "1|}|not a JSON object", "2|{}"]),
        ("a bracket too many", "{}]\n{}", &["1|{}", "1|]|not a JSON object", "2|{}"]),
        ("a number in an array", "[{}, 12, {}]", &["1|{}", "1|12|not a JSON object", "1|{}"]),
        ("NUL bytes alone", "\0\0\n{}", &["1|\0\0|not a JSON object", "2|{}"]),
        ("NUL bytes before text", "\0up\n{}", &["1|\0up|not a JSON object", "2|{}"]),
        (
            "half of a surrogate pair in an array",
            "[{\"a\":\"\\ud83d\"},{\"b\":1}]",
            &["1|{\"a\":\"\\ud83d\"}|unexpected end of hex escape at byte 13", "1|{\"b\":1}"],
        ),
        (
            "half of a surrogate pair, and another record on the line",
            "{\"a\":\"\\ud83dx\"}{}",
            &["1|{\"a\":\"\\ud83dx\"}|unexpected end of hex escape at byte 13", "1|{}"],
        ),
        (
            "a number out of range in an array",
            "[{\"a\":1},{\"a\":1e400,\"b\":[{}]},{}]\n{}",
            &["1|{\"a\":1}", "1|{\"a\":1e400,\"b\":[{}]}|number out of range at byte 10", "1|{}", "2|{}"],
        ),
        (
            "a malformed element of an array",
            "[{\"a\":tru,\"b\":[{},{}]},{\"b\":1}]{}",
            &["1|{\"a\":tru,\"b\":[{},{}]}|expected ident at byte 9", "1|{\"b\":1}", "1|{}"],
        ),
        (
            "an element of an array that is truncated",
            "[{\"a\":1,\"b\":,{\"b\":1} , {}]\n{}",
            &["1|{\"a\":1,\"b\":|expected value at byte 12", "1|{\"b\":1}", "1|{}", "2|{}"],
        ),
        (
            "an element of an array that is truncated in a string",
            "[{\"a\":\"b,{\"b\":1},{}]\n{}",
            &["1|{\"a\":\"b|expected `,` or `}` at byte 11", "1|{\"b\":1}", "1|{}", "2|{}"],
        ),
        (
            "array not closed",
            "{}\n[{},\n",
            &["1|{}", "2|{}", "2: the array that begins here is not closed; the file may be truncated"],
        ),
        (
            "truncated in a string",
            "{\"a\":\"b\n{}",
            &["1|{\"a\":\"b|a string does not end on line 1", "2|{}"],
        ),
        (
            "truncated at a key",
            "{\"a\":1,\n{}\n",
            &["1|{\"a\":1,|key must be a string at byte 1 of line 2", "2|{}"],
        ),
        (
            "truncated at a value, which the next line could contain",
            "{\"a\":\n{}\n{}",
            &["1|{\"a\":|expected `,` or `}` at byte 1 of line 3", "2|{}", "3|{}"],
        ),
        ("truncated at the end", "{}\n{\"a\":[{}", &["1|{}", "2|{\"a\":[{}|the record is truncated"]),
        (
            "truncated in a list, to which all following lines could belong",
            "{\"a\":[\n{},\n{}",
            &["1|{\"a\":[|the record is truncated", "2|{}", "3|{}"],
        ),
        (
            "malformed over lines",
            "{\n \"a\": x,\n \"b\": {\n }\n}\n{}",
            &["1|{\n \"a\": x,\n \"b\": {\n }\n}|expected value at byte 7 of line 2", "6|{}"],
        ),
        (
            "malformed over lines in an array",
            "[\n  {\n    \"a\": x,\n    \"b\": [\n      {}\n    ]\n  },\n  {}\n]\n{}",
            &[
                "2|{\n    \"a\": x,\n    \"b\": [\n      {}\n    ]\n  },|expected value at byte 10 of line 3",
                "8|{}",
                "10|{}",
            ],
        ),
        (
            "malformed over lines at an array's end",
            "[\n  {\n    \"a\": x\n  }\n]\n{}",
            &["2|{\n    \"a\": x\n  }|expected value at byte 10 of line 3", "6|{}"],
        ),
        (
            "larger than the limit of 80 bytes",
            "{}\n{\"a\":\"0123456789012345678901234567890123456789012345678901234567890123456789012345\"}\n{}",
            &["1|{}", "2: record too large: the limit is 80 bytes; the rest of the file is not read"],
        ),
    ];

    #[test]
    fn records_do_not_depend_on_the_size_of_reads() {
        for (name, input, expected) in RECORDS.iter().chain(FAULTS) {
            for size in [1, 2, 3, 7, 4096] {
                assert_eq!(
                    read(Trickle(input.as_bytes(), size), 80),
                    *expected,
                    "{name}, {size} bytes at a time"
                );
            }
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_have_a_fault_and_an_end() {
        assert_eq!(
            read(&b"{\"a\":\"\xff\"}\n{}"[..], MAX_RECORD),
            ["1|{\"a\":\"\u{fffd}\"}|invalid unicode code point at byte 7", "2|{}"]
        );
        assert_eq!(
            read(&b"[{\"a\":\"\xff\"},{}]\n{\"b\":\"\xff\",\"c\":[\n{}]}"[..], MAX_RECORD),
            [
                "1|{\"a\":\"\u{fffd}\"}|invalid unicode code point at byte 7",
                "1|{}",
                "2|{\"b\":\"\u{fffd}\",\"c\":[|invalid unicode code point at byte 7",
                "3|{}",
                "3|]}|not a JSON object",
            ]
        );
    }

    #[test]
    fn a_stream_of_opening_brackets_takes_linear_time() {
        let found = read("{\"a\":[\n".repeat(1000).as_bytes(), MAX_RECORD);
        assert_eq!(found.len(), 1000);
        for (at, record) in found.iter().enumerate().take(900) {
            assert_eq!(
                *record,
                format!("{line}|{{\"a\":[|nested too deeply at byte 6 of line {}", at + 64, line = at + 1)
            );
        }
    }
}
