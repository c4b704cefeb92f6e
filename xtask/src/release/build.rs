//! Builds the artefacts of a platform with zig's linker for an old C library, like the plugins of `dist`.
//!
//! Another platform than this machine's needs Rust's standard library for it: rustup's component if that is installed;
//! otherwise Debian's Rust builds the library too, from its source.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::page;
use crate::plugin::{self, GLIBC};
use crate::shell::{Done, read, root, run as sh, target_directory};
use crate::wasm;

/// A platform.
pub struct Platform {
    /// Its name in container images.
    pub name: &'static str,
    /// Its name in Rust.
    pub triple: &'static str,
}

impl Platform {
    /// Returns the name of its processors in container images and in Debian, such as `amd64`.
    pub fn architecture(&self) -> &str {
        self.name.trim_start_matches("linux-")
    }

    /// Returns the name of its processors in Rust and zig, such as `x86_64`.
    pub fn machine(&self) -> &str {
        self.triple.split('-').next().unwrap_or(self.triple)
    }
}

/// Every platform.
pub const PLATFORMS: [Platform; 2] = [
    Platform { name: "linux-amd64", triple: "x86_64-unknown-linux-gnu" },
    Platform { name: "linux-arm64", triple: "aarch64-unknown-linux-gnu" },
];

/// The build of a package, its file, and the name of the artefact.
const NATIVE: [(&[&str], &str, &str); 5] = [
    (&["build", "--package", "kaudit-filter-cli"], "kaudit-filter", "kaudit-filter"),
    (
        &["rustc", "--package", "kaudit-fluent-bit", "--crate-type", "cdylib"],
        "libflb_filter_kaudit.so",
        "flb-filter_kaudit.so",
    ),
    (&["rustc", "--package", "kaudit-vector", "--crate-type", "cdylib"], "libkaudit.so", "kaudit.so"),
    (
        &["build", "--package", "kaudit-fluent-bit-driver"],
        "kaudit-fluent-bit-driver",
        "kaudit-fluent-bit-driver",
    ),
    (
        &["build", "--manifest-path", "drivers/vector/Cargo.toml"],
        "kaudit-vector-driver",
        "kaudit-vector-driver",
    ),
];

/// Builds everything for a platform; returns the files by their names.
pub fn run(platform: &Platform, target: &Path) -> Done<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for (arguments, file, name) in NATIVE {
        sh(&mut command(platform, target, arguments)?)?;
        files.push((name.to_owned(), target.join(platform.triple).join("release").join(file)));
    }
    for (name, kind) in [("kaudit.wasm", "file"), ("kaudit-base.wasm", "base")] {
        files.push((name.to_owned(), wasm::build(kind, target, &nameless(target)?)?));
    }
    files.push(("playground.html".to_owned(), page::build_in(target, &nameless(target)?)?));
    let read = |(name, path): (String, PathBuf)| {
        fs::read(&path).map(|bytes| (name, bytes)).map_err(|error| format!("{}: {error}", path.display()))
    };
    files.into_iter().map(read).collect()
}

fn command(platform: &Platform, target: &Path, arguments: &[&str]) -> Done<Command> {
    let tools = plugin::tools(&target_directory()?.join("tools"))?;
    let mut command = Command::new(tools.join("bin/cargo-zigbuild"));
    command.args(arguments).args(["--release", "--locked", "--target-dir"]).arg(target);
    command.arg("--target").arg(format!("{}.{}.{}", platform.triple, GLIBC.0, GLIBC.1));
    command.current_dir(root());
    command.env("CARGO_ZIGBUILD_ZIG_PATH", tools.join("python/ziglang/zig"));
    command.env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    command.env("RUSTFLAGS", nameless(target)?);
    if !has_library(platform)? {
        with_debian(&mut command, platform)?;
    }
    Ok(command)
}

/// Returns flags that keep the paths of this machine out of the artefacts.
fn nameless(target: &Path) -> Done<String> {
    let home = env::var_os("HOME").map(PathBuf::from).ok_or("the variable HOME is not set")?;
    let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    let root = fs::canonicalize(root()).map_err(|error| error.to_string())?;
    // The last match counts, so the longer path comes after the shorter.
    let named = [(home.as_path(), "home"), (&cargo, "cargo"), (&root, "kaudit-filter"), (target, "target")];
    let flags = named.map(|(path, name)| format!("--remap-path-prefix={}=/{name}", path.display()));
    Ok(flags.join(" "))
}

/// Returns whether the toolchain has a standard library for the platform.
fn has_library(platform: &Platform) -> Done<bool> {
    let libraries =
        read(Command::new("rustc").args(["--print", "target-libdir", "--target", platform.triple]))?;
    Ok(Path::new(String::from_utf8_lossy(&libraries.stdout).trim()).is_dir())
}

/// Makes Debian's Rust build it together with the standard library.
fn with_debian(command: &mut Command, platform: &Platform) -> Done {
    wasm::debian().map_err(|error| {
        format!("no standard library for {0}: `rustup target add {0}`; and {error}", platform.triple)
    })?;
    let path = env::var("PATH").unwrap_or_default();
    clean(command).env("PATH", format!("/usr/bin:{path}")).env("RUSTC_BOOTSTRAP", "1");
    command.args(["-Z", "build-std=std,panic_unwind"]);
    Ok(())
}

/// A command of `cargo` for someone else's toolchain.
fn clean(command: &mut Command) -> &mut Command {
    // Set by the cargo that runs this task.
    for variable in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUSTDOC"] {
        command.env_remove(variable);
    }
    command
}
