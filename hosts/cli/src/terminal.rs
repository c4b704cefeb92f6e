//! The flags that every command has, and the output that they control.
//!
//! Decision: the flags are global to the process, like the streams that they control; each command would otherwise pass
//! them to every function that prints a line.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use clap::ColorChoice;

static FLAGS: OnceLock<Flags> = OnceLock::new();

/// Flags of every command.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Flags {
    /// Colour the output; `auto` colours it on a terminal, unless `NO_COLOR` is set
    #[arg(long, value_name = "WHEN", default_value_t = ColorChoice::Auto, global = true, display_order = 900)]
    color: ColorChoice,

    /// Print only errors to standard error: no notes, warnings, counters or progress
    #[arg(long, short, global = true, display_order = 901)]
    quiet: bool,
}

impl Flags {
    /// Applies the flags to the process; only the first call has an effect.
    pub fn apply(self) {
        let _ = FLAGS.set(self);
    }
}

/// Returns whether `--quiet` is set.
pub fn is_quiet() -> bool {
    FLAGS.get().is_some_and(|flags| flags.quiet)
}

/// Returns whether output gets colours; `terminal` states whether it is written to a terminal (no-color.org).
pub fn is_coloured(terminal: bool) -> bool {
    match FLAGS.get().map_or(ColorChoice::Auto, |flags| flags.color) {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// Returns whether standard error gets colours.
pub fn colours_errors() -> bool {
    is_coloured(io::stderr().is_terminal())
}

/// Writes a line about an error to standard error.
/// A failure is ignored, since there is no other output for it.
pub fn error_line(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a line to standard error that is no error; `--quiet` suppresses it.
pub fn note_line(line: std::fmt::Arguments<'_>) {
    if !is_quiet() {
        error_line(line);
    }
}
