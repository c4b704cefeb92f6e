//! `cargo xtask doctor`: builds the plugins and has the program say which agents of this machine load them. What is asked
//! of an agent is the program's business, since operators have it and not this repository.

use std::process::Command;

use crate::dist;
use crate::shell::{Done, root, run as sh};

/// Builds, and runs `kaudit-filter doctor` with the arguments.
pub fn run(arguments: &[String]) -> Done {
    dist::run(&["program", "plugin", "module"].map(str::to_owned))?;
    sh(Command::new(root().join("dist/kaudit-filter")).arg("doctor").args(arguments))
}
