//! The built module in a Lua configured as Vector configures it: the suite of cases, and what only this host has.

mod module;
mod suite;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use conformance::vector::{Vector, Way};

/// The module under the name Lua looks for, and the program that loads it.
struct Built {
    module: PathBuf,
    host: PathBuf,
}

/// Builds both: the module is a library of another build than this test, and the host excludes the module's features.
static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target =
        Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the scratch directory stands in target");
    let cargo = |arguments: &[&str], target: &Path| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.arg("build").args(arguments).current_dir(package).env("CARGO_TARGET_DIR", target);
        assert!(cargo.status().expect("cargo can be started").success(), "{cargo:?} failed");
    };
    cargo(&["--quiet", "--package", "kaudit-vector"], target);
    cargo(&["--quiet", "--manifest-path", "host/Cargo.toml"], &target.join("vector-host"));
    let module = scratch("lua").join("kaudit.so");
    fs::copy(target.join("debug/libkaudit.so"), &module).expect("the module can be copied");
    Built { module, host: target.join("vector-host/debug/kaudit-vector-host") }
});

/// A directory of a test's own.
fn scratch(name: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vector").join(name);
    fs::create_dir_all(&directory).expect("the scratch directory can be made");
    directory
}

fn vector(way: Way, test: &str) -> Vector {
    Vector::new(way, &BUILT.host, &BUILT.module, &scratch(test))
}
