//! `cargo xtask doctor`: builds the plugins and tries to load them in the agents of this machine.
//!
//! The checks are in the program, since operators have the program and not this repository.

use std::process::Command;

use crate::dist;
use crate::shell::{Done, root, run as sh};

/// Builds, and runs `kaudit-filter doctor` with the arguments.
pub fn run(arguments: &[String]) -> Done {
    dist::run(&["program", "plugin", "module"].map(str::to_owned))?;
    sh(Command::new(root().join("dist/kaudit-filter")).arg("doctor").args(arguments))
}
