//! Builds Fluent Bit's plugin for every C library on which Fluent Bit runs.
//!
//! An ordinary shared object requires the C library of the machine it was built on, which is newer than in many images
//! (Amazon Linux 2 has 2.26, Debian 11 has 2.31). Decision: zig's linker, which has the symbols of every glibc, instead
//! of an old system in a container: it is two downloads, stored under `target/tools`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{Dyn, FileHeader, SectionHeader};
use object::{Endianness, Object, ObjectSymbol};

use crate::shell::{Done, cargo, run as sh, target_directory};

const ZIGBUILD: &str = "0.24.1";
const ZIG: &str = "0.17.1";
/// The oldest C library in use: of RHEL 7 and manylinux2014.
pub const GLIBC: (u32, u32) = (2, 17);
/// The libraries of glibc; from 2.34 on the others are empty.
const LIBC: [&str; 6] = [
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];

/// Builds the released file.
pub fn build() -> Done<PathBuf> {
    portable("kaudit-fluent-bit", "libflb_filter_kaudit.so", "filter_kaudit_plugin")
}

/// Builds a package's shared object, which exports this one symbol, and checks its requirements.
pub fn portable(package: &str, library: &str, export: &str) -> Done<PathBuf> {
    let target = target_directory()?;
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let tools = tools(&target.join("tools"))?;
    let mut command = Command::new(tools.join("bin/cargo-zigbuild"));
    command.args(["rustc", "--release", "--locked", "--package", package, "--crate-type", "cdylib"]);
    command.args(["--target", &format!("{triple}.{}.{}", GLIBC.0, GLIBC.1)]);
    command
        .env("CARGO_ZIGBUILD_ZIG_PATH", tools.join("python/ziglang/zig"))
        .current_dir(crate::shell::root());
    sh(&mut command)?;
    let file = target.join(triple).join("release").join(library);
    check(&file, export).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// Installs zig and cargo-zigbuild, once.
pub fn tools(directory: &Path) -> Done<PathBuf> {
    if !directory.join("bin/cargo-zigbuild").exists() {
        let version = ["--version", ZIGBUILD, "--locked", "--no-default-features"];
        sh(cargo(&["install", "--quiet", "cargo-zigbuild"]).args(version).arg("--root").arg(directory))?;
    }
    zig(directory)?;
    Ok(directory.to_owned())
}

/// Installs zig, once; returns its directory.
pub fn zig(directory: &Path) -> Done<PathBuf> {
    let zig = directory.join("python/ziglang");
    if !zig.join("zig").exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--root-user-action=ignore"]);
        sh(pip.arg(format!("ziglang=={ZIG}")).arg("--target").arg(directory.join("python")))?;
    }
    Ok(zig)
}

/// Rejects a file that exports more than one symbol, or requires more than an old C library.
fn check(path: &Path, export: &str) -> Done {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let Needs { exports, libraries, newest } = needs(&bytes).map_err(|error| error.to_string())?;
    if exports != [export] {
        return Err(format!("exports {}", exports.join(", ")));
    }
    if let Some(library) = libraries.iter().find(|library| !LIBC.contains(&library.as_str())) {
        return Err(format!("needs {library}"));
    }
    if newest > GLIBC {
        return Err(format!("needs glibc {}.{}", newest.0, newest.1));
    }
    eprintln!("needs {} of glibc {}.{} or later", libraries.join(", "), newest.0, newest.1);
    Ok(())
}

/// The exports and requirements of a shared object.
struct Needs {
    exports: Vec<String>,
    libraries: Vec<String>,
    /// Returns the newest version of glibc whose symbols it requires.
    newest: (u32, u32),
}

fn needs(bytes: &[u8]) -> object::Result<Needs> {
    let file = object::File::parse(bytes)?;
    let exports = file.dynamic_symbols().filter(|symbol| symbol.is_definition() && symbol.is_global());
    let exports = exports.map(|symbol| symbol.name().map(str::to_owned)).collect::<Result<_, _>>()?;

    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let mut libraries = Vec::new();
    if let Some((entries, strings)) = sections.dynamic(endian, bytes)? {
        let strings = sections.strings(endian, bytes, strings)?;
        for entry in entries.iter().filter(|entry| entry.tag32(endian) == Some(DT_NEEDED)) {
            libraries.push(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
        }
    }
    let mut newest = (0, 0);
    for section in sections.iter() {
        let Some((mut needed, strings)) = section.gnu_verneed(endian, bytes)? else { continue };
        let strings = sections.strings(endian, bytes, strings)?;
        while let Some((_, mut versions)) = needed.next()? {
            while let Some(version) = versions.next()? {
                newest = newest.max(glibc(version.name(endian, strings)?));
            }
        }
    }
    Ok(Needs { exports, libraries, newest })
}

/// Parses `GLIBC_2.14`; another name is newer than every version.
fn glibc(name: &[u8]) -> (u32, u32) {
    let parts = std::str::from_utf8(name).ok().and_then(|name| name.strip_prefix("GLIBC_"));
    let mut parts = parts.unwrap_or_default().split('.').map(|part| part.parse().unwrap_or(u32::MAX));
    (parts.next().unwrap_or(u32::MAX), parts.next().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_compared_as_numbers() {
        let table = [("GLIBC_2.2.5", true), ("GLIBC_2.17", true), ("GLIBC_2.18", false), ("GCC_3.0", false)];
        for (name, old) in table {
            assert_eq!(super::glibc(name.as_bytes()) <= super::GLIBC, old, "{name}");
        }
    }
}
