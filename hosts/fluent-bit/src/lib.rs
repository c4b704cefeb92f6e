//! The native filter plugin for Fluent Bit, `flb-filter_kaudit.so`.
//!
//! [`abi`] is Fluent Bit's C interface and contains all `unsafe` code, `callbacks` implements start, filter and stop,
//! `chunk` filters one chunk of events, and `options` reads the section of the filter. The engine decides about
//! records.

pub mod abi;
mod callbacks;
mod chunk;
mod options;
mod own;
mod publish;
