//! Builds the WASM guest (`kaudit.wasm`, which reads a file, and `kaudit-base.wasm`, into which `kaudit-filter bake` puts
//! a configuration) and the playground's module.
//!
//! One guest has to load in every Fluent Bit from 2.2 on, whose runtime knows no reference types, so the standard
//! library is built along, for the first WebAssembly and three small additions. That takes the library's source and
//! `wasm-ld`: rustup's components where they are installed, else Debian's packages. Binaryen's `wasm-opt` then takes an
//! eighth off the guest, and [`steps`] a tenth off its steps.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Done, apt_get, cargo, read, root, run, target_directory, workspace};
use crate::steps;

/// What every Fluent Bit from 2.2 on understands.
const FLAGS: &str =
    "-C target-cpu=mvp -C target-feature=+bulk-memory,+mutable-globals,+sign-ext -C panic=abort";

/// The same for `wasm-opt`.
const FEATURES: [&str; 4] =
    ["--mvp-features", "--enable-bulk-memory", "--enable-mutable-globals", "--enable-sign-ext"];

/// What `wasm-opt` is to do. The lowest kilobyte is the end of the stack, which comes first in memory: nobody has a
/// pointer there, so what is added to one may be part of the instruction that loads. A large function with one caller
/// stays a function: Fluent Bit's interpreter reserves the whole frame of a function, its constants included, and merged
/// frames of what calls itself do not fit into its operand stack of eight kilobytes.
const OPTIMISED: [&str; 4] = ["-O3", "--low-memory-unused", "--one-caller-inline-max-function-size", "100"];

/// Where cargo puts a module, below its target directory.
const OUTPUT: &str = "wasm32-unknown-unknown/guest";

/// What the drivers are built with.
const WAMR: [&str; 3] = ["cmake", "clang", "libclang-dev"];

/// A Rust that builds for WebAssembly.
const DEBIAN: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "libstd-rust-web-dev", "lld"];

/// The guest that reads its configuration from a file.
pub fn file() -> Done<PathBuf> {
    build("file", &target_directory()?, "")
}

/// The guest that waits for a configuration.
pub fn base() -> Done<PathBuf> {
    build("base", &target_directory()?, "")
}

/// Builds the guest `file` or `base` below a directory, with further flags for the compiler.
pub fn build(kind: &str, target: &Path, flags: &str) -> Done<PathBuf> {
    let features: &[&str] = if kind == "file" { &["--features", "file"] } else { &[] };
    let built = compile("kaudit-wasm", features, target, flags)?;
    // The next kind is built in the same place, where the standard library is.
    let kept = built.with_file_name(kind).with_extension("wasm");
    if read(Command::new("wasm-opt").arg("--version")).is_err() {
        apt_get(&["binaryen"])
            .map_err(|error| format!("the guest needs `wasm-opt`, of Debian's `binaryen` ({error})"))?;
    }
    run(Command::new("wasm-opt").args(FEATURES).args(OPTIMISED).arg(&built).arg("-o").arg(&kept))?;
    let module = fs::read(&kept).map_err(|error| format!("{}: {error}", kept.display()))?;
    let module = steps::spare(&module).map_err(|error| format!("{}: {error}", kept.display()))?;
    fs::write(&kept, module).map_err(|error| format!("{}: {error}", kept.display()))?;
    Ok(kept)
}

/// The playground's module, as the compiler leaves it, below a directory, with further flags for the compiler.
pub fn playground(target: &Path, flags: &str) -> Done<PathBuf> {
    compile("kaudit-playground", &[], target, flags)
}

fn compile(package: &str, features: &[&str], target: &Path, flags: &str) -> Done<PathBuf> {
    let target = target.join("guest");
    let mut cargo = toolchain(flags)?;
    cargo
        .args(["build", "--locked", "--package", package, "--no-default-features", "--profile", "guest"])
        // The library's sorting and the like, which no record waits for: a twelfth of the guest.
        .args(["-Z", "build-std-features=optimize_for_size"])
        .args(features);
    run(for_wasm(&mut cargo, &target))?;
    Ok(target.join(OUTPUT).join(package.replace('-', "_")).with_extension("wasm"))
}

/// A build for WebAssembly, the standard library included.
fn for_wasm<'a>(cargo: &'a mut Command, target: &Path) -> &'a mut Command {
    cargo
        .args(["-Z", "build-std=std,panic_abort", "--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(target)
        .current_dir(root())
        // The library can be built along with a stable compiler, too, when it is asked like this.
        .env("RUSTC_BOOTSTRAP", "1")
}

const DRIVERS: &str = "drivers/wasm/Cargo.toml";

/// Builds the programs that run the guest, in WAMR and, for tests, in wasmtime; gives the first.
pub fn driver() -> Done<PathBuf> {
    drivers(&["build", "--release", "--locked"], &[])?;
    Ok(target_directory()?.join("wasm-driver/release/kaudit-wamr-driver"))
}

/// Runs the drivers' own tests, which look at the modules in `dist/`.
pub fn test() -> Done {
    drivers(&["test", "--release", "--quiet", "--locked", "--tests"], &[])
}

/// Measures the guest beside others that do the same: one written without care, and a Lua filter. What was measured is
/// left below this directory, as criterion leaves it.
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

/// Checks the drivers as the workspace is checked.
pub fn lint() -> Done {
    run(&mut cargo(&["fmt", "--manifest-path", DRIVERS, "--check"]))?;
    let targets = ["--lib", "--bins", "--tests"];
    drivers(&[&["clippy", "--release", "--locked"][..], &targets].concat(), &["--", "--deny", "warnings"])
}

/// Sees to it that WAMR can be built.
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

/// Whether the library is there that makes the bindings to WAMR's interface; `llvm-config` may be there without it.
fn has_libclang() -> bool {
    let libraries = Path::new("/usr/lib");
    let below = |directory: &Path| fs::read_dir(directory).into_iter().flatten().flatten();
    let mut places = below(libraries).flat_map(|entry| [entry.path(), entry.path().join("lib")]);
    std::env::var_os("LIBCLANG_PATH").is_some()
        || places.any(|place| {
            below(&place).any(|file| file.file_name().to_string_lossy().starts_with("libclang.so"))
        })
}

/// The `cargo` that can build the guest.
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

/// Sees to it that Debian's Rust is there, which has its library's source.
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
        "what is built for another platform needs the source of Rust's standard library: `rustup component add rust-src`, or on Debian, as \
         root, `apt-get install {}`",
        DEBIAN.join(" ")
    );
    apt_get(&DEBIAN).map_err(|error| format!("{advice} ({error})"))
}
