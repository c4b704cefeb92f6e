//! Vector's module, and the program that loads it, in tests and for `run --via vector`. That program is a workspace of
//! its own, since it embeds the Lua that the module must not have.

use std::path::PathBuf;

use crate::plugin;
use crate::shell::{Done, cargo, run as sh, target_directory};

const DRIVER: &str = "drivers/vector/Cargo.toml";

/// Builds the module, for every C library that Vector's own gnu builds run on.
pub fn build() -> Done<PathBuf> {
    plugin::portable("kaudit-vector", "libkaudit.so", "luaopen_kaudit")
}

/// Builds the program that loads it.
pub fn driver() -> Done<PathBuf> {
    driver_task(&["build", "--release", "--locked"], &[])?;
    Ok(target_directory()?.join("vector-driver/release/kaudit-vector-driver"))
}

/// Runs the driver's own tests; the module's are the workspace's.
pub fn test() -> Done {
    driver_task(&["test", "--quiet", "--locked"], &[])
}

/// Checks the driver as the workspace is checked.
pub fn lint() -> Done {
    sh(&mut cargo(&["fmt", "--manifest-path", DRIVER, "--check"]))?;
    driver_task(&["clippy", "--all-targets", "--locked"], &["--", "--deny", "warnings"])
}

/// Runs `cargo` in the driver's workspace.
fn driver_task(arguments: &[&str], more: &[&str]) -> Done {
    let mut command = cargo(arguments);
    command.args(["--manifest-path", DRIVER, "--target-dir"]).arg(target_directory()?.join("vector-driver"));
    sh(command.args(more))
}
