//! The reasons why a stream cannot be read to its end.

use std::fmt;
use std::io;

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
