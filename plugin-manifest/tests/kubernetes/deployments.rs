//! The resources of every kustomization, and of every chart with our values.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::charts;
use crate::files::examples;

/// The folders that users apply.
const FOLDERS: [&str; 10] = [
    "config",
    "overlays/fluent-bit",
    "overlays/image-volume",
    "overlays/vector",
    "overlays/wasm",
    "aggregator",
    "openshift",
    "fluent-operator",
    "audit/config",
    "audit/webhook",
];

/// The resources of every kustomization, by the folder's name.
pub static RENDERED: LazyLock<BTreeMap<&str, Vec<Value>>> = LazyLock::new(|| {
    // The repository contains no module; a file of the same size replaces it.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes");
    let _ = fs::remove_dir_all(&scratch);
    copy(&examples("kubernetes"), &scratch);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    module.resize(400_000, 0xfe);
    fs::write(scratch.join("wasm/kaudit.wasm"), module).unwrap();

    let mut xtask = Command::new(env!("CARGO"));
    xtask.args(["run", "--quiet", "--package", "xtask", "--", "kubernetes"]);
    xtask.args(FOLDERS.map(|folder| scratch.join(folder))).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = xtask.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let rendered = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    FOLDERS.into_iter().zip(rendered).collect()
});

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// Returns the charts with our values, alone and added to a release's own, with the ConfigMap that they mount.
pub fn chart_deployments() -> Vec<(String, Vec<Value>)> {
    let with_config = |(name, own): (String, Vec<Value>)| {
        let folder = if name.contains("audit") { "audit/config" } else { "config" };
        (name, own.into_iter().chain(RENDERED[folder].iter().cloned()).collect())
    };
    charts::rendered().into_iter().map(with_config).collect()
}

/// Returns all deployments: folders and values files with their resources.
pub fn deployments() -> Vec<(String, Vec<Value>)> {
    let pods = |folder: &&str| !folder.ends_with("config") && **folder != *"fluent-operator";
    let rendered = RENDERED.iter().filter(|(folder, _)| pods(folder));
    rendered
        .map(|(folder, resources)| ((*folder).to_owned(), resources.clone()))
        .chain(chart_deployments())
        .collect()
}
