//! Builds Vector's module and its driver, for tests and `run --via vector`.
//!
//! The driver is a workspace of its own, since it embeds the Lua that the module must not contain.

use std::path::PathBuf;

use crate::plugin;
use crate::shell::{Done, cargo, run as sh, target_directory, workspace};

const DRIVER: &str = "drivers/vector/Cargo.toml";

/// Builds the module, for every C library on which Vector's own gnu builds run.
pub fn build() -> Done<PathBuf> {
    plugin::portable("kaudit-vector", "libkaudit.so", "luaopen_kaudit")
}

/// Builds the program that loads it.
pub fn driver() -> Done<PathBuf> {
    workspace(DRIVER, "vector-driver", &["build", "--release", "--locked"], &[])?;
    Ok(target_directory()?.join("vector-driver/release/kaudit-vector-driver"))
}

/// Runs the driver's own tests; the module's tests are in the workspace.
pub fn test() -> Done {
    workspace(DRIVER, "vector-driver", &["test", "--quiet", "--locked"], &[])
}

/// Runs the workspace's lints on the driver.
pub fn lint() -> Done {
    sh(&mut cargo(&["fmt", "--manifest-path", DRIVER, "--check"]))?;
    workspace(
        DRIVER,
        "vector-driver",
        &["clippy", "--all-targets", "--locked"],
        &["--", "--deny", "warnings"],
    )
}
