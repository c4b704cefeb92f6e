//! Third-party software in the artefacts: a bill of materials (`CycloneDX`), and the licences as text.
//!
//! Decision: from `cargo metadata` and the lock files rather than by a further tool: they are what the build goes by, and
//! the same commit gives the same bill, without a time or a random number. Its JSON is written here: `cyclonedx-bom` ends
//! at version 1.5 and adds a random serial number.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use toml::Table;

use super::build::PLATFORMS;
use crate::shell::{Done, cargo, read, root};

/// The bill of materials and the licences.
pub struct Bill {
    /// `CycloneDX`, as JSON.
    pub cyclonedx: String,
    /// Every package with its licence, and the licences' texts.
    pub licences: String,
    /// The notices of Rust's standard library, as its toolchain has them: a page.
    pub library: String,
}

/// Workspaces, and their packages that become artefacts.
const DELIVERED: [(&str, &[&str]); 2] = [
    (
        "",
        &[
            "kaudit-filter-cli",
            "kaudit-fluent-bit",
            "kaudit-vector",
            "kaudit-fluent-bit-driver",
            "kaudit-wasm",
            "kaudit-playground",
        ],
    ),
    ("drivers/vector/", &["kaudit-vector-driver"]),
];

/// Packages whose source in another language is compiled into artefacts, although they are build dependencies.
const COMPILED_IN: [&str; 1] = ["lua-src"];

/// The copyright notices of a toolchain's standard library, below its root.
const LIBRARY_NOTICES: &str = "share/doc/rust/COPYRIGHT-library.html";

/// Builds both.
pub fn make() -> Done<Bill> {
    let mut packages = BTreeMap::new();
    for (folder, delivered) in DELIVERED {
        for platform in PLATFORMS {
            collect(folder, delivered, platform.triple, &mut packages)?;
        }
    }
    let (version, library) = library()?;
    Ok(Bill { cyclonedx: cyclonedx(&packages, &version), licences: licences(&packages, &version)?, library })
}

/// A third-party package.
struct Package {
    licence: String,
    sha256: Option<String>,
    /// The directory of its source.
    directory: String,
    needs: BTreeSet<Id>,
}

/// Name and version.
type Id = (String, String);

/// Collects the packages that are linked into the artefacts, without packages that only build or test them.
fn collect(folder: &str, delivered: &[&str], triple: &str, packages: &mut BTreeMap<Id, Package>) -> Done {
    let manifest = format!("{folder}Cargo.toml");
    let arguments =
        ["metadata", "--format-version", "1", "--locked", "--filter-platform", triple, "--manifest-path"];
    let output = read(cargo(&arguments).arg(root().join(&manifest)))?;
    let metadata: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo's metadata: {error}"))?;
    let sums = sums(&format!("{folder}Cargo.lock"))?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let by_id = |values: &Value| -> BTreeMap<String, Value> {
        list(values).into_iter().map(|value| (word(&value["id"]), value)).collect()
    };
    let (known, nodes) = (by_id(&metadata["packages"]), by_id(&metadata["resolve"]["nodes"]));
    let id = |key: &str| (word(&known[key]["name"]), word(&known[key]["version"]));

    let mut waiting: Vec<&String> = known
        .iter()
        .filter(|(_, package)| delivered.contains(&&*word(&package["name"])))
        .map(|(key, _)| key)
        .collect();
    if waiting.len() != delivered.len() {
        return Err(format!("{manifest} does not have all of {}", delivered.join(", ")));
    }
    let mut seen = BTreeSet::new();
    while let Some(key) = waiting.pop() {
        if !seen.insert(key) {
            continue;
        }
        let compiled_in = |key: &str| COMPILED_IN.contains(&&*id(key).0);
        let linked = |dependency: &&Value| {
            let other = word(&dependency["pkg"]);
            compiled_in(&other)
                || !compiled_in(key)
                    && list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null())
                    && is_active(&known[key], &nodes[key], &id(&other).0)
        };
        let dependencies = list(&nodes[key]["deps"]);
        let needs: Vec<String> =
            dependencies.iter().filter(linked).map(|dependency| word(&dependency["pkg"])).collect();
        waiting.extend(needs.iter().filter_map(|need| known.get_key_value(need)).map(|(key, _)| key));
        let package = &known[key];
        let entry = packages.entry(id(key)).or_insert_with(|| Package {
            licence: word(&package["license"]).replace('/', " OR "),
            sha256: sums.get(&id(key)).cloned(),
            directory: word(&package["manifest_path"]).trim_end_matches("Cargo.toml").to_owned(),
            needs: BTreeSet::new(),
        });
        entry.needs.extend(needs.iter().map(|need| id(need)));
    }
    Ok(())
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Returns the checksums of a lock file; the workspace's own packages have none.
fn sums(lock: &str) -> Done<BTreeMap<Id, String>> {
    let text = fs::read_to_string(root().join(lock)).map_err(|error| format!("{lock}: {error}"))?;
    let table: Table = text.parse().map_err(|error| format!("{lock}: {error}"))?;
    let packages =
        table.get("package").and_then(toml::Value::as_array).ok_or_else(|| format!("{lock} is empty"))?;
    let text = |package: &toml::Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    let rows = packages.iter().filter_map(|package| {
        Some(((text(package, "name")?, text(package, "version")?), text(package, "checksum")?))
    });
    Ok(rows.collect())
}

/// Returns the version of the standard library that is linked into every artefact, and its notices.
fn library() -> Done<(String, String)> {
    let word = |arguments: &[&str]| -> Done<String> {
        Ok(String::from_utf8_lossy(&read(Command::new("rustc").args(arguments))?.stdout).trim().to_owned())
    };
    let version = word(&["--version", "--verbose"])?;
    let version =
        version.lines().find_map(|line| line.strip_prefix("release: ")).ok_or("rustc has no release")?;
    let notices = Path::new(&word(&["--print", "sysroot"])?).join(LIBRARY_NOTICES);
    let text = fs::read_to_string(&notices).map_err(|error| {
        format!("{}: {error}; a release needs a toolchain from rustup, which contains it", notices.display())
    })?;
    Ok((version.to_owned(), text))
}

fn cyclonedx(packages: &BTreeMap<Id, Package>, rust: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let reference = |(name, version): &Id| format!("pkg:cargo/{name}@{version}");
    let components = packages.iter().map(|(id, package)| {
        let mut component = json!({
            "type": "library",
            "bom-ref": reference(id),
            "name": id.0,
            "version": id.1,
            "licenses": [{"expression": package.licence}],
            "purl": reference(id),
        });
        if let Some(sum) = &package.sha256 {
            component["hashes"] = json!([{"alg": "SHA-256", "content": sum}]);
        }
        component
    });
    let library = json!({
        "type": "library",
        "bom-ref": format!("pkg:github/rust-lang/rust@{rust}"),
        "name": "rust-std",
        "version": rust,
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
        "purl": format!("pkg:github/rust-lang/rust@{rust}"),
    });
    let dependencies = packages.iter().map(|(id, package)| {
        json!({"ref": reference(id), "dependsOn": package.needs.iter().map(reference).collect::<Vec<_>>()})
    });
    let bill = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {
            "type": "application", "name": "kaudit-filter", "version": version,
            "bom-ref": format!("kaudit-filter@{version}"), "licenses": [{"expression": env!("CARGO_PKG_LICENSE")}],
        }},
        "components": components.chain([library]).collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    });
    format!("{bill:#}\n")
}

/// The beginnings of the names of files with a package's licence.
const TEXTS: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];

fn licences(packages: &BTreeMap<Id, Package>, rust: &str) -> Done<String> {
    let mut text =
        "The artefacts contain these packages, under these licences. Their texts follow.\n\n".to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ((name, version), package) in packages.iter().filter(|(_, package)| package.sha256.is_some()) {
        let own = of(Path::new(&package.directory))?;
        let missing = if own.is_empty() { " (its package has no text of it)" } else { "" };
        let _ = writeln!(text, "{name} {version}: {}{missing}", package.licence);
        for licence in own {
            texts.entry(licence).or_default().push(format!("{name} {version}"));
        }
    }
    let _ =
        writeln!(text, "Rust's standard library {rust}: MIT OR Apache-2.0, and more in LICENCES.rust.html");
    for (licence, packages) in texts {
        let _ = write!(text, "\n{}\n{}\n\n{}\n", "-".repeat(100), packages.join(", "), licence.trim());
    }
    Ok(text)
}

/// Returns whether a package uses a dependency with its active features.
///
/// Cargo's metadata also contains optional dependencies that a feature only names weakly, as in `proptest?/std`.
fn is_active(package: &Value, node: &Value, name: &str) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let declared = list(&package["dependencies"]);
    let mut declared = declared.iter().filter(|one| one["name"] == name && one["kind"].is_null());
    let features = list(&node["features"]);
    let enabled: Vec<Value> =
        features.iter().flat_map(|feature| list(&package["features"][word(feature)])).collect();
    declared.any(|one| {
        let key = if one["rename"].is_null() { name.to_owned() } else { word(&one["rename"]) };
        let is_enabled = |item: &Value| {
            let item = word(item);
            item == format!("dep:{key}") || item == key || item.starts_with(&format!("{key}/"))
        };
        one["optional"] == false || enabled.iter().any(is_enabled)
    })
}

/// Returns the licence texts in a package's folder.
fn of(folder: &Path) -> Done<Vec<String>> {
    let fault = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut texts = BTreeMap::new();
    for file in fs::read_dir(folder).map_err(fault)? {
        let path = file.map_err(fault)?.path();
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_uppercase());
        if path.is_file() && TEXTS.iter().any(|start| name.starts_with(start)) {
            texts.insert(name, fs::read_to_string(&path).map_err(fault)?.replace('\r', ""));
        }
    }
    Ok(texts.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bill_has_exactly_the_linked_packages() {
        let bill = make().unwrap();
        let parsed: Value = serde_json::from_str(&bill.cyclonedx).unwrap();
        let components = parsed["components"].as_array().unwrap();
        let component = |name: &str| components.iter().find(|component| component["name"] == name);
        // Dependencies of the engine, a plugin, the module, its driver, a guest, the page, and of all.
        for name in ["regex-automata", "libc", "mlua", "lua-src", "kaudit-wasm", "wasm-bindgen", "rust-std"] {
            assert!(component(name).is_some(), "{name} is missing");
        }
        // Dependencies of tests, tasks and builds.
        for name in ["proptest", "criterion", "xtask", "conformance", "minreq", "cc"] {
            assert!(component(name).is_none(), "{name} is not delivered");
        }
        let references: Vec<&Value> = components.iter().map(|component| &component["bom-ref"]).collect();
        for component in components {
            let foreign = !component["hashes"].is_null();
            let name = component["name"].as_str().unwrap();
            assert_eq!(
                foreign,
                !name.starts_with("kaudit")
                    && name != "rust-std"
                    && name != "contract"
                    && name != "plugin-manifest",
                "{name}"
            );
            assert_ne!(component["licenses"][0]["expression"], "", "{name}");
        }
        for dependency in parsed["dependencies"].as_array().unwrap() {
            for need in dependency["dependsOn"].as_array().unwrap() {
                assert!(references.contains(&need), "{need} is not a component");
            }
        }
        let named = components.iter().filter(|component| !component["hashes"].is_null());
        for component in named {
            let line = format!(
                "{} {}: ",
                component["name"].as_str().unwrap(),
                component["version"].as_str().unwrap()
            );
            assert!(bill.licences.contains(&line), "{line}");
        }
        for text in ["Permission is hereby granted", "Lua.org, PUC-Rio", "Rust's standard library 1."] {
            assert!(bill.licences.contains(text), "{text}");
        }
        assert!(bill.library.contains("The Rust Standard Library"));
    }
}
