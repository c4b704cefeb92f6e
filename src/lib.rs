//! The engine of kaudit-filter: one record in, one verdict out.
//!
//! A host hands a [`record::Record`] and the time of its arrival to [`Filter::process`] and encodes the
//! [`Verdict`]'s entry. The engine knows nothing else: no clock, no file, no environment, no agent's interface.
//! Building a [`Filter`] can fail, with every mistake at once; running it cannot, and cannot panic.

#![forbid(unsafe_code)]
// Tests may fail loudly.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,          // running cannot panic
        clippy::expect_used,          // nor with a reason given
        clippy::panic,                // nor on purpose
        clippy::unreachable,          // what cannot happen is not written down as a crash
        clippy::indexing_slicing,     // an index that is out of range is a panic
        clippy::string_slice,         // so is a slice within a character
        clippy::arithmetic_side_effects, // and an overflow in a debug build
        clippy::print_stdout,         // the engine has no output of its own
        clippy::print_stderr,         // nor a log
    )
)]

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
pub mod template;
mod time;

#[cfg(feature = "bake")]
pub use baked::bake;
#[cfg(feature = "compile")]
pub use filter::explain;
pub use filter::{Filter, FindingTimes, Verdict};
pub use pattern::BuildError;
pub use time::{Civil, Time};
