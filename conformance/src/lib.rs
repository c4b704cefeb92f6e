//! What every host of kaudit-filter has to do, as data, and a judge who did not write it.
//!
//! [`case`] reads the cases of `tests/data/cases`, a [`driver::Driver`] puts one case through one host, [`suite`] runs
//! all cases through all hosts and tells what differs, and [`contract`] says whether Coralogix would take an entry.
//! Nothing here imports the engine: expectations are written down by hand, and the contract is checked by a schema and
//! a parser that the engine does not use. Decision: cases are data rather than test functions, so that a host in
//! another language, process or file format runs the same ones.

#![forbid(unsafe_code)]

pub mod case;
pub mod driver;
pub mod fluent_bit;
mod judge;
pub mod program;
pub mod skips;
pub mod suite;
pub mod vector;
pub mod wasm;
