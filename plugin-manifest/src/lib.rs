//! The manifest of what is delivered, for programs to read: artefacts and their interfaces, options, reasons of drops.
//!
//! What the code knows comes from the code: options, defaults, reasons. What it does not know stands in
//! `artefacts.toml`. Decision: the manifest is committed as `manifest.json`, so that it can be read without building
//! anything, and a test says when it is stale; checksums, which differ from build to build, are in a release's alone.

#![forbid(unsafe_code)]

use kaudit_filter::config::{INLINE, OPTIONS, OptionDoc};
use kaudit_filter::stats::Reason;
use serde_json::{Map, Value, json};

/// A file of a release.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path in the release.
    pub path: String,
    /// The target that it runs on, such as `x86_64-unknown-linux-gnu`.
    pub platform: String,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What is delivered, as `artefacts.toml` has it.
const ARTEFACTS: &str = include_str!("../artefacts.toml");

/// The manifest of this version.
///
/// # Errors
/// `artefacts.toml` cannot be read, or an option expects what has no type here.
pub fn manifest() -> Result<Value, String> {
    let delivered: Value = toml::from_str(ARTEFACTS).map_err(|error| format!("artefacts.toml: {error}"))?;
    let artefacts = delivered["artefact"].as_array().ok_or("artefacts.toml lists no artefact")?;
    let options: Result<Vec<Value>, String> = OPTIONS.iter().map(documented).collect();
    let reasons = Reason::ALL.iter().map(|reason| json!({"label": reason.label(), "help": reason.help()}));
    Ok(json!({
        "$schema": "manifest.schema.json",
        "name": "kaudit-filter",
        "version": env!("CARGO_PKG_VERSION"),
        "licence": env!("CARGO_PKG_LICENSE"),
        "artefacts": artefacts.iter().map(artefact).collect::<Result<Vec<_>, _>>()?,
        "capabilities": delivered["capabilities"],
        "options": options?,
        "drop-reasons": reasons.collect::<Vec<_>>(),
        "sbom": {"format": "CycloneDX", "version": "1.6", "file": "sbom.cdx.json"},
    }))
}

/// The manifest of a release with these files.
///
/// # Errors
/// As [`manifest`], and a file that is no artefact's.
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

/// The text of a manifest as it is stored.
pub fn text(manifest: &Value) -> String {
    format!("{manifest:#}\n")
}

/// An artefact with all its options: those of its own, then the inline ones.
fn artefact(written: &Value) -> Result<Value, String> {
    let mut artefact = written.as_object().cloned().unwrap_or_default();
    let own = artefact.shift_remove("option").unwrap_or_else(|| json!([]));
    let mut options = own.as_array().cloned().unwrap_or_default();
    if artefact.shift_remove("inline-options") == Some(json!(true)) {
        for (name, path) in INLINE {
            let doc = OPTIONS.iter().find(|option| option.path == *path);
            let doc = doc.ok_or_else(|| format!("the inline option `{name}` stands for no option"))?;
            let mut option = documented(doc)?;
            option["name"] = json!(name);
            options.push(option);
        }
    }
    if !options.is_empty() {
        artefact.insert("options".to_owned(), Value::Array(options));
    }
    Ok(Value::Object(artefact))
}

/// An option as its table has it.
fn documented(option: &OptionDoc) -> Result<Value, String> {
    let mut members = Map::new();
    members.insert("path".to_owned(), json!(option.path));
    members.insert("types".to_owned(), json!(types(option.kind)?));
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

/// How the words of [`OptionDoc::kind`] begin or end, and the YAML types of a value that they allow.
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

fn types(kind: &str) -> Result<&'static [&'static str], String> {
    let row = TYPES.iter().find(|(words, _)| kind.starts_with(words));
    row.map(|(_, types)| *types).ok_or_else(|| format!("no type is known of `{kind}`"))
}
