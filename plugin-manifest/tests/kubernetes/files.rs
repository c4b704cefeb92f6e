//! The files of the repository, and values of JSON.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub fn examples(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(path)
}

pub fn text(path: &str) -> String {
    fs::read_to_string(examples(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the documents of a file in YAML.
pub fn documents(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub fn manifest() -> Value {
    plugin_manifest::manifest().unwrap()
}

pub fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

pub fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
