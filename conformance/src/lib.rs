//! The required behaviour of every host of kaudit-filter as data, and an independent judge.
//!
//! [`case`] reads the cases of `tests/data/cases`, a [`driver::Driver`] runs one case on one host, [`suite`] runs all
//! cases on all hosts and reports the differences, and [`contract`] checks whether Coralogix would accept an entry.
//! Nothing here imports the engine: expectations are written by hand, and the contract is checked by a schema and a
//! parser that the engine does not use. Decision: cases are data rather than test functions, so that a host in another
//! language, process or file format runs the same ones.

#![forbid(unsafe_code)]

pub mod case;
pub mod driver;
pub mod fluent_bit;
mod judge;
mod otlp;
pub mod program;
pub mod skips;
pub mod suite;
pub mod vector;
pub mod wasm;
