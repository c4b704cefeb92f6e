//! The properties that the fuzz targets check. Each target is a function that takes any bytes and panics if a property
//! does not hold.
//!
//! The programs in `fuzz/` call them with inputs of libFuzzer's; `tests/corpora.rs` calls them with the files of
//! `fuzz/corpus/`. An input begins with bytes that select a configuration and a form; `json-sequence` and `text` accept
//! a sign for repetition, so that a small file makes a large record (see `expand`).

#![forbid(unsafe_code)]
#![expect(clippy::missing_panics_doc, reason = "a target panics where a property does not hold")]

mod any_value;
mod configs;
mod encodings;
mod expand;
mod json;
mod pair;
mod records;
mod secret;
mod sequences;
mod texts;

pub use encodings::both_encodings;
pub use sequences::{json_sequence, msgpack_chunk};
pub use texts::text;

/// A target: its name, which is the name of its program and of its corpus's folder, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("json-sequence", json_sequence),
    ("msgpack-chunk", msgpack_chunk),
    ("both-encodings", both_encodings),
    ("text", text),
];
