//! `cargo xtask kubernetes`: prints the resources that `kubectl apply -k` would send, without a cluster.
//!
//! Kustomize is a Go program that no package registry in use here offers; a Python package contains its library, and
//! another Kubernetes' schemas. Both are downloaded once, unpacked under `target/tools`, and called from a short
//! script.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{Done, read, root, run as sh, target_directory};

/// Kustomize's library, and the schemas of every version of Kubernetes.
///
/// The first requires a version of Python that its library, the only part in use, does not need.
const PACKAGES: [&str; 2] = ["pykustomize==0.1.4", "kubernetes-validate==1.37.0"];
const PIP_OPTIONS: [&str; 4] = ["--python-version", "3.14", "--only-binary", ":all:"];
const SCRIPT: &str = "xtask/src/kubernetes/render.py";

/// Renders the named folders; prints a line of JSON for each, the list of its resources.
pub fn run(folders: &[String]) -> Done {
    if folders.is_empty() {
        return Err(
            "name a folder with a kustomization.yaml, such as examples/kubernetes/overlays/fluent-bit"
                .to_owned(),
        );
    }
    let tools = tools()?;
    let mut python = script();
    let rendered = read(python.arg("render").arg(tools).args(folders))?;
    print!("{}", String::from_utf8_lossy(&rendered.stdout));
    Ok(())
}

fn tools() -> Done<PathBuf> {
    let tools = target_directory()?.join("tools/kubernetes");
    if !tools.join("schemas.json").exists() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]);
        sh(pip.args(PIP_OPTIONS).args(PACKAGES).arg("--dest").arg(&tools))?;
        sh(script().arg("unpack").arg(&tools))?;
    }
    Ok(tools)
}

fn script() -> Command {
    let mut python = Command::new("python3");
    python.arg(SCRIPT).current_dir(root());
    python
}
