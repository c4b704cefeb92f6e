//! The protocol of drivers: programs that load a built plugin as its agent does.
//!
//! A driver reads a [`Request`] from each line of its standard input and writes one [`Reply`] to a line of its standard
//! output, both as JSON. It runs as a process of its own, so that a crash of the plugin is an error like others. All
//! drivers are called in one form: `kaudit-…-driver [OPTION VALUE]… MODULE`.
//!
//! | side | |
//! |---|---|
//! | driver | [`run`] parses the arguments; a driver implements [`Plugin`] and [`Instance`], and [`serve()`] calls them |
//! | caller | [`Client`] starts a driver, and limits the time of each request |
//!
//! Decision: JSON instead of a binary format. A request can be typed by hand, and at 2 MB a chunk the encoding takes less
//! than the plugins do.

#![forbid(unsafe_code)]

mod client;
pub mod fluent_bit;
pub mod guest;
mod message;
mod plugin;
mod round;
mod serve;

pub use client::{Client, Error};
pub use kaudit_timing::Timer;
pub use message::{
    Chunk, Event, Filtered, Hex, Level, Line, Lost, Outcome, Record, Reply, Request, Round, Start, Stopped,
    Value, flatten,
};
pub use plugin::{Instance, Plugin};
pub use round::resident_kb;
pub use serve::{Arguments, run, serve, serve_standard};
