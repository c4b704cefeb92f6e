//! `cargo xtask test`: runs every test, on the artefacts that users install.

use crate::dist;
use crate::playground;
use crate::shell::{Done, apt_get, on_path, run as sh};
use crate::vector;
use crate::wasm;

/// Builds the artefacts, which some tests run, and runs every test of the workspace.
///
/// Arguments are passed to `cargo test`.
pub fn run(arguments: &[String]) -> Done {
    dist::run(&[])?;
    vector::test()?;
    wasm::test()?;
    install_promtool()?;
    let mut tests = playground::with_browser(&["test", "--workspace", "--locked", "--no-fail-fast"])?;
    sh(tests.args(arguments).env("KAUDIT_DIST", "complete"))
}

/// Installs the program that tests the alert rules of `examples/prometheus`.
fn install_promtool() -> Done {
    if on_path("promtool") {
        return Ok(());
    }
    apt_get(&["prometheus"]).map_err(|error| {
        format!("the tests of alert rules need promtool: install Debian's package `prometheus` ({error})")
    })
}
