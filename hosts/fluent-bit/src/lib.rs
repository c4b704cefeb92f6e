//! The native filter plugin for Fluent Bit, `flb-filter_kaudit.so`.
//!
//! [`abi`] is Fluent Bit's C interface and contains all `unsafe` code, `callbacks` implements start, filter and stop,
//! `chunk` filters one chunk of events, and `options` reads the section of the filter. In the shape `otlp`, `groups` collects
//! the entries of a chunk by resource, and `otlp` encodes them. The engine decides about records.

pub mod abi;
mod callbacks;
mod chunk;
mod event;
mod groups;
mod msgpack;
mod options;
mod otlp;
mod own;
mod publish;
mod records;
mod slots;
