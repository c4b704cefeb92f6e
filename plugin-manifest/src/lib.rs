//! The manifest of a release: artefacts, their interfaces, options, drop reasons.
//!
//! Options, defaults and drop reasons come from the code, everything else from `artefacts.toml`. Decision: the manifest
//! is committed as `manifest.json`, so that it can be read without a build, and a test reports when it is out of date.
//! Checksums differ from build to build, and are only in the manifest of a release.

#![forbid(unsafe_code)]

use kaudit_filter::config::{INLINE_OPTIONS, OPTIONS, OptionDoc};
use kaudit_filter::stats::Reason;
use serde_json::{Map, Value, json};

/// A file of a release.
#[derive(Clone, Debug)]
pub struct File {
    /// The path in the release.
    pub path: String,
    /// The target triple, such as `x86_64-unknown-linux-gnu`.
    pub platform: String,
    /// The SHA-256 digest, in hexadecimal.
    pub sha256: String,
    /// The size in bytes.
    pub bytes: u64,
}

/// The artefacts of a release.
const ARTEFACTS: &str = include_str!("../artefacts.toml");

/// Returns the manifest of this version.
///
/// # Errors
/// `artefacts.toml` cannot be parsed, or an option's type is unknown.
pub fn manifest() -> Result<Value, String> {
    let delivered: Value = toml::from_str(ARTEFACTS).map_err(|error| format!("artefacts.toml: {error}"))?;
    let artefacts = delivered["artefact"].as_array().ok_or("artefacts.toml lists no artefact")?;
    let options: Result<Vec<Value>, String> = OPTIONS.iter().map(option_json).collect();
    let reasons = Reason::ALL.iter().map(|reason| json!({"label": reason.label(), "help": reason.help()}));
    Ok(json!({
        "$schema": "manifest.schema.json",
        "name": "kaudit-filter",
        "version": env!("CARGO_PKG_VERSION"),
        "licence": env!("CARGO_PKG_LICENSE"),
        "artefacts": artefacts.iter().map(artefact_json).collect::<Result<Vec<_>, _>>()?,
        "capabilities": delivered["capabilities"],
        "options": options?,
        "drop-reasons": reasons.collect::<Vec<_>>(),
        "sbom": {"format": "CycloneDX", "version": "1.6", "file": "sbom.cdx.json"},
    }))
}

/// Returns the manifest of a release with these files.
///
/// # Errors
/// The same as for [`manifest`], and a file that belongs to no artefact.
pub fn of_release(files: &[File]) -> Result<Value, String> {
    let mut manifest = manifest()?;
    let artefacts = manifest["artefacts"].as_array_mut().ok_or("the manifest has no artefacts")?;
    for file in files {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let artefact = artefacts.iter_mut().find(|artefact| artefact["file"] == name);
        let artefact = artefact.ok_or_else(|| format!("artefacts.toml has no `{name}`"))?;
        let file = json!({
            "path": file.path, "platform": file.platform, "sha256": file.sha256, "bytes": file.bytes
        });
        match artefact["files"].as_array_mut() {
            Some(files) => files.push(file),
            None => artefact["files"] = json!([file]),
        }
    }
    Ok(manifest)
}

/// Returns the text of a manifest as it is stored.
pub fn text(manifest: &Value) -> String {
    format!("{manifest:#}\n")
}

/// Returns an artefact with its own options, followed by the inline options.
fn artefact_json(declared: &Value) -> Result<Value, String> {
    let mut artefact = declared.as_object().cloned().unwrap_or_default();
    let own = artefact.shift_remove("option").unwrap_or_else(|| json!([]));
    let mut options = own.as_array().cloned().unwrap_or_default();
    if artefact.shift_remove("inline-options") == Some(json!(true)) {
        for (name, path) in INLINE_OPTIONS {
            let doc = OPTIONS.iter().find(|option| option.path == *path);
            let doc = doc.ok_or_else(|| format!("the inline option `{name}` refers to no option"))?;
            let mut option = option_json(doc)?;
            option["name"] = json!(name);
            options.push(option);
        }
    }
    if !options.is_empty() {
        artefact.insert("options".to_owned(), Value::Array(options));
    }
    Ok(Value::Object(artefact))
}

/// Returns the JSON of an option.
fn option_json(option: &OptionDoc) -> Result<Value, String> {
    let mut members = Map::new();
    members.insert("path".to_owned(), json!(option.path));
    members.insert("types".to_owned(), json!(yaml_types(option.kind)?));
    members.insert("expects".to_owned(), json!(option.kind));
    if !option.default.is_empty() {
        members.insert("default".to_owned(), json!(option.default));
    }
    if !option.only.is_empty() {
        members.insert("only".to_owned(), json!(option.only));
    }
    members.insert("help".to_owned(), json!(option.help));
    Ok(Value::Object(members))
}

/// Prefixes of [`OptionDoc::kind`], and the YAML types that they allow.
const TYPES: &[(&str, &[&str])] = &[
    ("a map, or the older dialect's list", &["map", "list"]),
    ("a map", &["map"]),
    ("a list of ", &["list"]),
    ("a whole number from 1 to 100000, or a map", &["integer", "map"]),
    ("a whole number ", &["integer"]),
    ("a port ", &["integer"]),
    ("true or false", &["boolean"]),
    ("high, medium or low (0, 1 or 2), or a list of them", &["string", "integer", "list"]),
    ("debug, verbose, info, warn, error or critical, or a number from 1 to 6", &["string", "integer"]),
    ("all, or a list of names", &["string", "list"]),
    ("principal, resource or cluster, or a list of them", &["string", "list"]),
    ("incident or anomaly, or a list of them", &["string", "list"]),
    ("detections, selections or activity, or a list of them", &["string", "list"]),
    ("a text", &["string"]),
    ("a template ", &["string"]),
    ("a regular expression", &["string"]),
    ("a duration ", &["string"]),
    ("a field's name", &["string"]),
    ("a file's name", &["string"]),
    ("an http or https URI", &["string"]),
    ("up to 15 letters", &["string"]),
    ("singles or bulk", &["string"]),
    ("object or string", &["string"]),
    ("original or snake", &["string"]),
    ("clamp or drop", &["string"]),
    ("none, entity, rule or cluster", &["string"]),
    ("wrap, pass or drop", &["string"]),
    ("details or count", &["string"]),
    ("detections, selections or activity", &["string"]),
    ("http-api, slack, syslog", &["string"]),
];

fn yaml_types(kind: &str) -> Result<&'static [&'static str], String> {
    let row = TYPES.iter().find(|(words, _)| kind.starts_with(words));
    row.map(|(_, types)| *types).ok_or_else(|| format!("unknown type of the kind `{kind}`"))
}
