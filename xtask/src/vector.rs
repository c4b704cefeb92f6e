//! Vector's module, and the program that loads it, in tests and for `run --via vector`. That program is a workspace of
//! its own, since it embeds the Lua that the module must not have.

use std::path::PathBuf;

use crate::plugin;
use crate::shell::{Done, cargo, run as sh, target_directory};

const HOST: &str = "hosts/vector/host/Cargo.toml";

/// Builds the module, for every C library that Vector's own gnu builds run on.
pub fn build() -> Done<PathBuf> {
    plugin::portable("kaudit-vector", "libkaudit.so", "luaopen_kaudit")
}

/// Builds the program that loads it.
pub fn driver() -> Done<PathBuf> {
    host(&["build", "--release", "--locked"], &[])?;
    Ok(target_directory()?.join("vector-host/release/kaudit-vector-host"))
}

/// Runs the host's own tests; the module's are the workspace's.
pub fn test() -> Done {
    host(&["test", "--quiet", "--locked"], &[])
}

/// Checks the host as the workspace is checked.
pub fn lint() -> Done {
    sh(&mut cargo(&["fmt", "--manifest-path", HOST, "--check"]))?;
    host(&["clippy", "--all-targets", "--locked"], &["--", "--deny", "warnings"])
}

fn host(arguments: &[&str], more: &[&str]) -> Done {
    let mut command = cargo(arguments);
    command.args(["--manifest-path", HOST, "--target-dir"]).arg(target_directory()?.join("vector-host"));
    sh(command.args(more))
}
