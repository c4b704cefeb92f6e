//! `cargo xtask lint`: everything that is checked without running the code.

mod wording;

use crate::policy;
use crate::shell::{Done, cargo, read, run as sh};
use crate::vector;
use crate::wasm;

/// Checks wording, formatting, clippy, documentation with private items, and the policy of dependencies.
///
/// A warning is an error.
pub fn run(_: &[String]) -> Done {
    wording::check()?;
    sh(&mut cargo(&["fmt", "--all", "--check"]))?;
    // Only their formatting: clippy would have to build VRL, two runtimes and libFuzzer.
    for package in ["benches/peers", "benches/guest", "benches/guest/naive", "fuzz"] {
        let manifest = format!("{package}/Cargo.toml");
        sh(&mut cargo(&["fmt", "--manifest-path", &manifest, "--check"]))?;
    }
    sh(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))?;
    vector::lint()?;
    wasm::lint()?;
    document(&[
        "rustdoc",
        "--package",
        "kaudit-filter-cli",
        "--bin",
        "kaudit-filter",
        "--locked",
        "--",
        PRIVATE,
    ])?;
    document(&["doc", "--workspace", "--no-deps", "--locked", PRIVATE])?;
    policy::check()?;
    deny()
}

const PRIVATE: &str = "--document-private-items";

fn document(arguments: &[&str]) -> Done {
    sh(cargo(arguments).env("RUSTDOCFLAGS", "--deny warnings"))
}

/// Checks the same policy and the database of advisories with cargo-deny.
///
/// It takes minutes to build and needs the network, so it runs only if it is installed; otherwise its absence is
/// printed.
fn deny() -> Done {
    if read(&mut cargo(&["deny", "--version"])).is_err() {
        eprintln!("advisories not checked: cargo-deny is not installed (`cargo install cargo-deny`)");
        return Ok(());
    }
    sh(&mut cargo(&["deny", "check"]))
}
