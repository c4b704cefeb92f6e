//! The native filter plugin for Fluent Bit, `flb-filter_kaudit.so`.
//!
//! Three rooms: [`abi`] is Fluent Bit's C interface and all the `unsafe` there is, `chunk` turns one chunk of events
//! into another, `callbacks` is what the plugin does when it is started, called and stopped; `options` reads what the
//! user wrote. Deciding about records is the engine's.

pub mod abi;
mod callbacks;
mod chunk;
mod options;
