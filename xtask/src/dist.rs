//! `cargo xtask dist`: builds everything that users install, for release, in `dist/`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::page;
use crate::plugin;
use crate::shell::{Done, cargo, root, run as sh, target_directory};
use crate::vector;
use crate::wasm;

/// An artefact: its name on the command line, its file under `dist/`, and its build function.
struct Artefact {
    name: &'static str,
    file: &'static str,
    /// Builds it and returns its path.
    build: fn() -> Done<PathBuf>,
}

const ARTEFACTS: &[Artefact] = &[
    Artefact { name: "program", file: "kaudit-filter", build: program },
    Artefact { name: "plugin", file: "flb-filter_kaudit.so", build: plugin::build },
    Artefact { name: "module", file: "kaudit.so", build: vector::build },
    // The drivers of `run --via`, which load the plugins from their own directory.
    Artefact { name: "plugin-driver", file: "kaudit-fluent-bit-driver", build: plugin_driver },
    Artefact { name: "module-driver", file: "kaudit-vector-driver", build: vector::driver },
    Artefact { name: "wasm", file: "kaudit.wasm", build: wasm::file },
    Artefact { name: "wasm-base", file: "kaudit-base.wasm", build: wasm::base },
    Artefact { name: "playground", file: "playground.html", build: page::build },
    Artefact { name: "wasm-driver", file: "kaudit-wamr-driver", build: wasm::driver },
];

/// Builds the named artefacts, or all.
pub fn run(names: &[String]) -> Done {
    let known = |name: &&String| ARTEFACTS.iter().any(|artefact| artefact.name == *name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let known: Vec<_> = ARTEFACTS.iter().map(|artefact| artefact.name).collect();
        return Err(format!("unknown artefact `{unknown}`; one of {}", known.join(", ")));
    }
    let wanted = |artefact: &&Artefact| names.is_empty() || names.iter().any(|name| name == artefact.name);
    ARTEFACTS.iter().filter(wanted).try_for_each(install)
}

fn install(artefact: &Artefact) -> Done {
    let built = (artefact.build)()?;
    let to = root().join("dist").join(artefact.file);
    let size = copy(&built, &to).map_err(|error| format!("cannot write dist/{}: {error}", artefact.file))?;
    #[expect(clippy::cast_precision_loss, reason = "a file's size, shown with one decimal")]
    let megabytes = size as f64 / 1e6;
    eprintln!("dist/{}: {megabytes:.1} MB", artefact.file);
    Ok(())
}

/// Replaces the file instead of writing into it: the old one may be running.
fn copy(from: &Path, to: &Path) -> std::io::Result<u64> {
    fs::create_dir_all(to.with_file_name(""))?;
    if to.exists() {
        fs::remove_file(to)?;
    }
    fs::copy(from, to)
}

fn program() -> Done<PathBuf> {
    released("kaudit-filter-cli", "kaudit-filter")
}

fn plugin_driver() -> Done<PathBuf> {
    released("kaudit-fluent-bit-driver", "kaudit-fluent-bit-driver")
}

/// Builds a package's program for this system.
fn released(package: &str, program: &str) -> Done<PathBuf> {
    sh(&mut cargo(&["build", "--release", "--locked", "--package", package]))?;
    Ok(target_directory()?.join("release").join(program))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_manifest_has_the_artefacts_that_are_built_here() {
        let manifest = fs::read_to_string(root().join("plugin-manifest/manifest.json")).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        let in_manifest = manifest["artefacts"].as_array().unwrap().iter();
        let in_manifest: Vec<Value> =
            in_manifest.map(|artefact| json!([artefact["name"], artefact["file"]])).collect();
        let here: Vec<Value> =
            ARTEFACTS.iter().map(|artefact| json!([artefact.name, artefact.file])).collect();
        for artefact in here.iter().chain(&in_manifest) {
            assert!(here.contains(artefact) && in_manifest.contains(artefact), "{artefact} is not in both");
        }
    }
}
