//! Builds the WASM guest and the playground's module.
//!
//! The guest is `kaudit.wasm`, which reads a file, and `kaudit-base.wasm`, in which `kaudit-filter bake` embeds a
//! configuration.
//!
//! One guest has to load in every Fluent Bit from 2.2 on, whose runtime has no reference types, so the standard library
//! is built too, for the first version of WebAssembly and three small additions. That requires the library's source and
//! `wasm-ld`: rustup's components if they are installed, otherwise Debian's packages. Binaryen's `wasm-opt` then
//! reduces the guest's size by an eighth, and [`steps`] its steps by a tenth.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Done, apt_get, cargo, read, root, run, target_directory, workspace};
use crate::steps;

/// The WebAssembly features of every Fluent Bit from 2.2 on.
const FLAGS: &str =
    "-C target-cpu=mvp -C target-feature=+bulk-memory,+mutable-globals,+sign-ext -C panic=abort";

/// The same for `wasm-opt`.
const FEATURES: [&str; 4] =
    ["--mvp-features", "--enable-bulk-memory", "--enable-mutable-globals", "--enable-sign-ext"];

/// The options of `wasm-opt`.
///
/// The lowest kilobyte is the end of the stack, which comes first in memory: no pointer points there, so a constant
/// offset may be part of the load instruction. A large function with one caller is not inlined: Fluent Bit's
/// interpreter reserves the whole frame of a function, including constants, and the merged frames of recursive
/// functions would exceed its operand stack of eight kilobytes.
const OPTIMISED: [&str; 4] = ["-O3", "--low-memory-unused", "--one-caller-inline-max-function-size", "100"];

/// The directory of a built module, below the target directory.
const OUTPUT: &str = "wasm32-unknown-unknown/guest";

/// The Debian packages for building the drivers.
const WAMR: [&str; 3] = ["cmake", "clang", "libclang-dev"];

/// The Debian packages of a Rust that builds for WebAssembly.
const DEBIAN: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "libstd-rust-web-dev", "lld"];

/// The guest that reads its configuration from a file.
pub fn file() -> Done<PathBuf> {
    build("file", &target_directory()?, "")
}

/// The guest without a configuration.
pub fn base() -> Done<PathBuf> {
    build("base", &target_directory()?, "")
}

/// Builds the guest `file` or `base` below a directory, with further flags for the compiler.
pub fn build(kind: &str, target: &Path, flags: &str) -> Done<PathBuf> {
    let features: &[&str] = if kind == "file" { &["--features", "file"] } else { &[] };
    let built = compile("kaudit-wasm", features, target, flags)?;
    // The next kind is built in the same directory, which has the built standard library.
    let kept = built.with_file_name(kind).with_extension("wasm");
    if read(Command::new("wasm-opt").arg("--version")).is_err() {
        apt_get(&["binaryen"])
            .map_err(|error| format!("the guest needs `wasm-opt`, of Debian's `binaryen` ({error})"))?;
    }
    run(Command::new("wasm-opt").args(FEATURES).args(OPTIMISED).arg(&built).arg("-o").arg(&kept))?;
    let module = fs::read(&kept).map_err(|error| format!("{}: {error}", kept.display()))?;
    let module = steps::reduce_steps(&module).map_err(|error| format!("{}: {error}", kept.display()))?;
    fs::write(&kept, module).map_err(|error| format!("{}: {error}", kept.display()))?;
    Ok(kept)
}

/// Builds the playground's module below a directory, with further flags for the compiler; it is not optimised.
pub fn playground(target: &Path, flags: &str) -> Done<PathBuf> {
    compile("kaudit-playground", &[], target, flags)
}

fn compile(package: &str, features: &[&str], target: &Path, flags: &str) -> Done<PathBuf> {
    let target = target.join("guest");
    let mut cargo = toolchain(flags)?;
    cargo
        .args(["build", "--locked", "--package", package, "--no-default-features", "--profile", "guest"])
        // The parts of the library that no record needs, such as sorting: a twelfth of the guest.
        .args(["-Z", "build-std-features=optimize_for_size"])
        .args(features);
    run(for_wasm(&mut cargo, &target))?;
    Ok(target.join(OUTPUT).join(package.replace('-', "_")).with_extension("wasm"))
}

/// Returns a build for WebAssembly, including the standard library.
fn for_wasm<'a>(cargo: &'a mut Command, target: &Path) -> &'a mut Command {
    cargo
        .args(["-Z", "build-std=std,panic_abort", "--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(target)
        .current_dir(root())
        // This variable makes a stable compiler build the library, too.
        .env("RUSTC_BOOTSTRAP", "1")
}

const DRIVERS: &str = "drivers/wasm/Cargo.toml";

/// Builds the drivers of the guest, for WAMR and, for tests, for wasmtime; returns the first.
pub fn driver() -> Done<PathBuf> {
    drivers(&["build", "--release", "--locked"], &[])?;
    Ok(target_directory()?.join("wasm-driver/release/kaudit-wamr-driver"))
}

/// Runs the drivers' own tests, which load the modules in `dist/`.
pub fn test() -> Done {
    drivers(&["test", "--release", "--quiet", "--locked", "--tests"], &[])
}

/// Measures the guest, a naive guest and a Lua filter for the same job.
///
/// Criterion's results are below this directory.
pub fn bench(target: &Path) -> Done {
    let naive = target_directory()?.join("guest-naive");
    let mut rustc = toolchain("")?;
    let manifest = "benches/guest/naive/Cargo.toml";
    rustc.args(["build", "--release", "--locked", "--manifest-path", manifest]);
    run(for_wasm(&mut rustc, &naive))?;
    drivers_needs()?;
    let mut bench = cargo(&["bench", "--locked", "--manifest-path", "benches/guest/Cargo.toml"]);
    run(bench.env("CARGO_TARGET_DIR", target))
}

/// Runs the workspace's lints on the drivers.
pub fn lint() -> Done {
    run(&mut cargo(&["fmt", "--manifest-path", DRIVERS, "--check"]))?;
    let targets = ["--lib", "--bins", "--tests"];
    drivers(&[&["clippy", "--release", "--locked"][..], &targets].concat(), &["--", "--deny", "warnings"])
}

/// Ensures that WAMR can be built.
fn drivers_needs() -> Done {
    if read(Command::new("cmake").arg("--version")).is_ok() && has_libclang() {
        return Ok(());
    }
    apt_get(&WAMR).map_err(|error| format!("the drivers need cmake and libclang ({error})"))
}

/// Runs `cargo` in the drivers' workspace.
fn drivers(arguments: &[&str], more: &[&str]) -> Done {
    drivers_needs()?;
    workspace(DRIVERS, "wasm-driver", arguments, more)
}

/// Returns whether libclang, which generates the bindings to WAMR, is installed; `llvm-config` may exist without it.
fn has_libclang() -> bool {
    let libraries = Path::new("/usr/lib");
    let below = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten();
    let mut places = below(libraries).flat_map(|entry| [entry.path(), entry.path().join("lib")]);
    std::env::var_os("LIBCLANG_PATH").is_some()
        || places.any(|place| {
            below(&place).any(|file| file.file_name().to_string_lossy().starts_with("libclang.so"))
        })
}

/// Returns a `cargo` that can build the guest.
fn toolchain(flags: &str) -> Done<Command> {
    let sysroot = read(Command::new("rustc").args(["--print", "sysroot"]))?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    if sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").exists() {
        let mut cargo = Command::new("cargo");
        cargo.env("RUSTFLAGS", format!("{FLAGS} {flags}"));
        return Ok(cargo);
    }
    debian()?;
    let mut cargo = Command::new("/usr/bin/cargo");
    let path = std::env::var("PATH").unwrap_or_default();
    cargo
        .env("PATH", format!("/usr/bin:{path}"))
        .env("RUSTFLAGS", format!("{FLAGS} -C linker=wasm-ld {flags}"));
    // Set by the cargo that runs this task, for another toolchain.
    for variable in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC", "RUSTDOC"] {
        cargo.env_remove(variable);
    }
    Ok(cargo)
}

/// Ensures that Debian's Rust, which has its library's source, is installed.
pub fn debian() -> Done {
    if debian_is_complete() { Ok(()) } else { install() }
}

fn debian_is_complete() -> bool {
    ["/usr/bin/cargo", "/usr/bin/wasm-ld", "/usr/lib/rustlib/src/rust/library/std/Cargo.toml"]
        .iter()
        .all(|file| Path::new(file).exists())
}

fn install() -> Done {
    let advice = format!(
        "a build for another platform needs the source of Rust's standard library: `rustup component add rust-src`, or on Debian, as \
         root, `apt-get install {}`",
        DEBIAN.join(" ")
    );
    apt_get(&DEBIAN).map_err(|error| format!("{advice} ({error})"))
}
