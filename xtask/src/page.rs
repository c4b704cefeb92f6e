//! Builds the playground's page: its module, packed into one file of HTML.

use std::path::{Path, PathBuf};

use crate::shell::{Done, cargo, run as sh, target_directory};
use crate::wasm;

/// Builds the page.
pub fn build() -> Done<PathBuf> {
    build_in(&target_directory()?, "")
}

/// Builds the module below a directory, with further flags for the compiler, and then the one file that has everything
/// in it.
pub fn build_in(target: &Path, flags: &str) -> Done<PathBuf> {
    let module = wasm::playground(target, flags)?;
    let page = target.join("playground.html");
    let builder = ["run", "--quiet", "--locked", "--package", "kaudit-playground-page", "--"];
    sh(cargo(&builder).arg(module).arg(&page))?;
    Ok(page)
}
