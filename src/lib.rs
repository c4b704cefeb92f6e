//! The engine of kaudit-filter: one record in, one verdict out.
//!
//! A host passes a [`record::Record`] and the time of its arrival to [`Filter::process`] and encodes the entry of the
//! [`Verdict`]. The engine has no I/O: no clock, no file, no environment and no agent interface. Building a [`Filter`]
//! can fail and reports every mistake at once. Running it cannot fail and cannot panic.

#![forbid(unsafe_code)]
// The compiler thus rejects files, clocks, threads, the environment and output.
#![cfg_attr(not(test), no_std)]
// Tests may fail loudly.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,          // running cannot panic
        clippy::expect_used,          // nor with a reason given
        clippy::panic,                // nor on purpose
        clippy::unreachable,          // impossible cases return a default instead
        clippy::indexing_slicing,     // an index out of range panics
        clippy::string_slice,         // and so does a slice within a character
        clippy::arithmetic_side_effects, // and an overflow in a debug build
    )
)]

#[cfg(not(any(feature = "compile", feature = "tables")))]
compile_error!(
    "enable the feature `compile` or `tables`: a filter is built from a configuration or from its tables"
);

#[macro_use]
extern crate alloc;

#[cfg(feature = "tables")]
mod baked;
pub mod bulk;
pub mod config;
mod counts;
mod digest;
pub mod entry;
#[cfg(feature = "compile")]
mod error;
mod filter;
pub mod finding;
mod limit;
mod matcher;
mod pattern;
pub mod record;
mod redact;
mod severity;
mod source;
pub mod stats;
mod template;
mod time;

#[cfg(feature = "bake")]
pub use baked::bake;
#[cfg(feature = "compile")]
pub use filter::explain;
pub use filter::{Filter, FindingTimes, Verdict};
pub use pattern::BuildError;
pub use time::{Civil, Time};
