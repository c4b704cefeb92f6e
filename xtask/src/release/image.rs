//! The container image, as an archive in the OCI image layout: one layer for each platform, with the artefacts alone.
//!
//! Kubernetes mounts it as an image volume, or an init container copies a plugin with its program `cp`, so that both need the
//! same image, and no Docker to build it. There is no base image whose packages need updates. Decision: the JSON is written here. The
//! annotations of the crate `oci-spec` are hash maps, whose order changes from run to run.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::archive::{Archive, gzip, sum};
use crate::plugin;
use crate::shell::{Done, run as sh};

/// The artefacts in the image: an agent's plugins, and the program.
pub const FILES: [&str; 5] =
    ["kaudit-filter", "flb-filter_kaudit.so", "kaudit.so", "kaudit.wasm", "kaudit-base.wasm"];

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The user of other containers of Kubernetes without a user of their own: not root, and of no account.
const USER: &str = "65532:65532";

/// An archive in the OCI image layout.
pub struct Image {
    version: &'static str,
    layout: Archive,
    manifests: Vec<Value>,
}

impl Image {
    /// Returns an image without a platform.
    pub fn new(version: &'static str) -> Self {
        Self { version, layout: Archive::new(""), manifests: Vec::new() }
    }

    /// Adds a platform, by its name in images, with the files of its layer.
    pub fn platform(&mut self, architecture: &str, files: &Archive) -> Done {
        let tar = files.tar()?;
        let packed = gzip(&tar).map_err(|error| format!("the layer of {architecture}: {error}"))?;
        let layer = self.blob(LAYER, packed);
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "config": {"User": USER, "Env": ["PATH=/"], "Labels": labels(self.version)},
            "rootfs": {"type": "layers", "diff_ids": [digest(&tar)]},
            "history": [{"created_by": "cargo xtask release"}],
        });
        let config = self.blob(CONFIG, config.to_string().into_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": [layer],
            "annotations": labels(self.version),
        });
        let mut manifest = self.blob(MANIFEST, manifest.to_string().into_bytes());
        manifest["platform"] = json!({"architecture": architecture, "os": "linux"});
        self.manifests.push(manifest);
        Ok(())
    }

    /// Returns the archive. The layout contains one index, named by the version, with the manifests of all platforms.
    pub fn pack(mut self) -> Done<Vec<u8>> {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": self.manifests,
            "annotations": labels(self.version),
        });
        let mut index = self.blob(INDEX, index.to_string().into_bytes());
        index["annotations"] = json!({"org.opencontainers.image.ref.name": self.version});
        let entry = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [index]});
        self.layout.file("index.json", entry.to_string().into_bytes(), false);
        self.layout.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.into(), false);
        self.layout.tar()
    }

    /// Adds a blob; returns its descriptor.
    fn blob(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let descriptor = json!({"mediaType": media_type, "digest": digest(&bytes), "size": bytes.len()});
        self.layout.file(&format!("blobs/sha256/{}", sum(&bytes)), bytes, false);
        descriptor
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sum(bytes))
}

/// Returns the labels of an image, which are also the annotations of its manifests.
fn labels(version: &str) -> Value {
    json!({
        "org.opencontainers.image.title": "kaudit-filter",
        "org.opencontainers.image.description": "Plugins for Fluent Bit and Vector that turn kAudit findings and Kubernetes audit events into Coralogix entries",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "Apache-2.0",
        "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
        "org.opencontainers.image.documentation": concat!(env!("CARGO_PKG_REPOSITORY"), "/tree/main/examples/kubernetes"),
    })
}

/// Builds the program `cp` for an architecture, such as `x86_64`; returns it and the licence of its C library.
pub fn copier(architecture: &str, target: &Path, tools: &Path) -> Done<(Vec<u8>, Vec<u8>)> {
    let zig = plugin::zig(tools)?;
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/release/cp.c");
    let program = target.join(format!("cp-{architecture}"));
    let mut command = Command::new(zig.join("zig"));
    command.args(["cc", "-target", &format!("{architecture}-linux-musl"), "-static", "-s", "-Os"]);
    command.args(["-Wall", "-Wextra", "-Werror", "-ffile-prefix-map=/=", "-o"]).arg(&program).arg(source);
    sh(&mut command)?;
    let read = |path: &Path| std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    Ok((read(&program)?, read(&zig.join("lib/libc/musl/COPYRIGHT"))?))
}
