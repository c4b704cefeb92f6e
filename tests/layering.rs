//! Tests the layering rules of ARCHITECTURE.md: imports, forbidden APIs, `unsafe`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The modules of the engine, each with the modules that it may import.
///
/// A module that is missing here is an error.
const MODULES: &[(&str, &[&str])] = &[
    // Vocabulary, which every module below may import.
    ("time", &[]),
    ("digest", &[]),
    ("record", &[]),
    ("finding", &["record", "time"]),
    ("template", &["finding"]),
    ("error", &[]),
    ("config", &["audit", "error", "finding", "pattern", "policy", "template"]),
    ("stats", &["finding"]),
    ("pattern", &[]),
    ("audit", &["finding", "record", "time"]),
    ("policy", &["audit", "config", "error", "pattern"]),
    // Stages. None imports another: only `filter` knows all of them.
    ("matcher", &["config", "finding", "pattern", "stats"]),
    ("severity", &["config", "finding", "pattern"]),
    ("limit", &["config", "digest", "time"]),
    ("counts", &["digest", "time"]),
    ("redact", &["config", "finding", "pattern", "record"]),
    ("detect", &["audit", "config", "digest", "finding", "record", "time"]),
    ("entry", &["config", "finding", "record"]),
    // From records to findings, before the stages.
    ("source", &["audit", "config", "finding", "policy", "record"]),
    // Output built of entries, and the order of the stages.
    ("envelope", &["config", "entry"]),
    (
        "filter",
        &[
            "audit", "config", "counts", "detect", "entry", "envelope", "finding", "limit", "matcher",
            "pattern", "policy", "record", "redact", "severity", "source", "stats", "template", "time",
        ],
    ),
    ("baked", &["config", "filter", "pattern"]),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every source file of the engine, without comments, with its top-level module.
fn sources() -> Vec<(String, PathBuf, String)> {
    let top = root().join("src");
    let mut found = Vec::new();
    let mut folders = vec![top.clone()];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if file.is_dir() {
                folders.push(file);
            } else if file.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&file).unwrap();
                let lines: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap()).collect();
                let file = file.strip_prefix(&top).unwrap().to_owned();
                let module = file.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
                found.push((module, file, lines.join("\n")));
            }
        }
    }
    found
}

/// Returns the names after `crate::`, including the names of a group.
fn imports(code: &str) -> BTreeSet<String> {
    imports_after("crate::", code)
}

/// Returns the names after a prefix of paths, including the names of a group.
fn imports_after(prefix: &str, code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let group = rest.strip_prefix('{').map_or(rest, |rest| &rest[..matching_brace(rest)]);
        let parts = if group.len() == rest.len() { vec![rest] } else { top_level(group) };
        for part in parts {
            let name: String = part.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.insert(name);
        }
    }
    names
}

fn matching_brace(text: &str) -> usize {
    let mut depth = 1;
    text.find(|c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        depth == 0
    })
    .unwrap()
}

fn top_level(group: &str) -> Vec<&str> {
    let mut depth = 0;
    group
        .split(|c| {
            depth += match c {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            c == ',' && depth == 0
        })
        .filter(|part| !part.trim().is_empty())
        .collect()
}

#[test]
fn imports_are_found_in_every_form() {
    for (code, expected) in [
        ("use crate::time::Time;", "time"),
        ("use crate::{finding::{Field, Kind}, time, record::Json};", "finding record time"),
        ("fn f(a: crate::stats::Reason, b: crate::Time) {}", "Time stats"),
        ("pub(crate) fn f() {}", ""),
    ] {
        assert_eq!(imports(code).into_iter().collect::<Vec<_>>().join(" "), expected, "{code}");
    }
}

#[test]
fn engine_modules_import_only_allowed_modules() {
    let mut breaches = Vec::new();
    let sources = sources();
    assert!(sources.len() >= MODULES.len(), "the engine's sources were not found");
    for (module, file, code) in sources {
        if module == "lib" {
            continue;
        }
        let Some((_, allowed)) = MODULES.iter().find(|(name, _)| *name == module) else {
            breaches.push(format!("{}: `{module}` is missing in MODULES", file.display()));
            continue;
        };
        assert!(
            !code.contains("super::super"),
            "{}: import modules by `crate::`, not `super::super`",
            file.display()
        );
        for name in imports(&code) {
            if name != module && !allowed.contains(&&*name) {
                breaches.push(format!("{}: `{module}` may not import `{name}`", file.display()));
            }
        }
    }
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

/// Returns the packages of the workspace.
///
/// Each has its name, its folder relative to the root, and the names of its dependencies without dependencies of tests
/// and builds.
fn packages() -> Vec<(String, String, Vec<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let package = |package: &Value| {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        let folder = manifest.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let used = package["dependencies"].as_array().unwrap().iter();
        let used =
            used.filter(|used| used["kind"].is_null()).map(|used| used["name"].as_str().unwrap().to_owned());
        (package["name"].as_str().unwrap().to_owned(), folder, used.collect())
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

#[test]
fn no_package_depends_on_a_host() {
    let packages = packages();
    let names: Vec<&str> = packages.iter().map(|(name, ..)| name.as_str()).collect();
    assert!(
        names.contains(&"kaudit-filter") && names.contains(&"kaudit-filter-cli") && names.contains(&"xtask")
    );
    for (name, folder, used) in &packages {
        for used in used.iter().filter(|used| names.contains(&used.as_str())) {
            let (_, used_folder, _) = packages.iter().find(|(name, ..)| name == used).unwrap();
            assert_ne!(used, "xtask", "{name} imports xtask");
            assert!(!folder.is_empty(), "the engine imports {used}");
            assert!(!used_folder.starts_with("hosts/"), "{name} imports the host {used}");
            let judge = folder == "conformance" || folder == "contract" || folder.starts_with("drivers/");
            assert!(!judge || used != "kaudit-filter", "{folder} judges or loads the engine and imports it");
        }
    }
}
