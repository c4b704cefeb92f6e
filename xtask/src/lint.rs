//! `cargo xtask lint`: everything that is checked without running the code.

mod wording;

use std::path::PathBuf;
use std::process::Command;

use crate::cycles;
use crate::policy;
use crate::shell::{Done, cargo, read, run as sh};
use crate::vector;
use crate::wasm;

/// Checks wording, formatting, clippy, import cycles, documentation, and the policy of dependencies.
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
    no_std()?;
    cycles::run(&[])?;
    vector::lint()?;
    wasm::lint()?;
    document(&["rustdoc", "--package", "kaudit-filter-cli", "--bin", "kaudit-filter", "--locked"])?;
    document(&["doc", "--workspace", "--no-deps", "--locked"])?;
    policy::check()?;
    deny()
}

/// Checks that the engine builds without the standard library, with every set of features that a host uses.
///
/// `#![no_std]` rejects a use in the engine itself. On a target that has no standard library, where it is installed
/// (`rustup target add x86_64-unknown-none`), the dependencies cannot use it either.
fn no_std() -> Done {
    let sysroot = read(Command::new("rustc").args(["--print", "sysroot"]))?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    let installed = sysroot.join("lib/rustlib").join(BARE).exists();
    for features in ["tables", "compile", "bake,msgpack,otlp"] {
        let mut check = cargo(&["clippy", "--package", "kaudit-filter", "--locked", "--no-default-features"]);
        check.args(["--features", features]);
        if installed {
            check.args(["--target", BARE]);
        }
        sh(check.args(["--", "--deny", "warnings"]))?;
    }
    Ok(())
}

/// A target without a standard library.
const BARE: &str = "x86_64-unknown-none";

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
