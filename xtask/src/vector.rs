//! Vector's module, and the program that loads it, in tests and for `run --via vector`. That program is a workspace of
//! its own, since it embeds the Lua that the module must not have.

use std::path::PathBuf;

use crate::plugin;
use crate::shell::{Done, cargo, run as sh, target_directory, workspace};

const DRIVER: &str = "drivers/vector/Cargo.toml";

/// Builds the module, for every C library that Vector's own gnu builds run on.
pub fn build() -> Done<PathBuf> {
    plugin::portable("kaudit-vector", "libkaudit.so", "luaopen_kaudit")
}

/// Builds the program that loads it.
pub fn driver() -> Done<PathBuf> {
    workspace(DRIVER, "vector-driver", &["build", "--release", "--locked"], &[])?;
    Ok(target_directory()?.join("vector-driver/release/kaudit-vector-driver"))
}

/// Runs the driver's own tests; the module's are the workspace's.
pub fn test() -> Done {
    workspace(DRIVER, "vector-driver", &["test", "--quiet", "--locked"], &[])
}

/// Checks the driver as the workspace is checked.
pub fn lint() -> Done {
    sh(&mut cargo(&["fmt", "--manifest-path", DRIVER, "--check"]))?;
    workspace(
        DRIVER,
        "vector-driver",
        &["clippy", "--all-targets", "--locked"],
        &["--", "--deny", "warnings"],
    )
}
