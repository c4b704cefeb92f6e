//! The manifest of a release: artefacts, their interfaces, options, drop reasons.
//!
//! Options, defaults and drop reasons come from the code, everything else from `artefacts.toml`. Decision: the manifest
//! is committed as `manifest.json`, so that it can be read without a build, and a test reports when it is out of date.
//! Checksums differ from build to build, and are only in the manifest of a release.

#![forbid(unsafe_code)]

mod reference;

use kaudit_filter::config::{EnumNames, INLINE_OPTIONS, OPTIONS, OptionSpec, OptionType};
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
/// `artefacts.toml` cannot be parsed.
pub fn manifest() -> Result<Value, String> {
    let delivered: Value = toml::from_str(ARTEFACTS).map_err(|error| format!("artefacts.toml: {error}"))?;
    let artefacts = delivered["artefact"].as_array().ok_or("artefacts.toml lists no artefact")?;
    let reasons = Reason::ALL.iter().map(|reason| json!({"label": reason.label(), "help": reason.help()}));
    Ok(json!({
        "$schema": "manifest.schema.json",
        "name": "kaudit-filter",
        "version": env!("CARGO_PKG_VERSION"),
        "licence": env!("CARGO_PKG_LICENSE"),
        "artefacts": artefacts.iter().map(artefact_json).collect::<Result<Vec<_>, _>>()?,
        "capabilities": delivered["capabilities"],
        "options": OPTIONS.iter().map(option_json).collect::<Vec<_>>(),
        "drop-reasons": reasons.collect::<Vec<_>>(),
        "sbom": {"format": "CycloneDX", "version": "1.6", "file": "sbom.cdx.json"},
    }))
}

/// Returns the reference pages of the book: their file names, and their texts.
///
/// # Errors
/// `artefacts.toml` cannot be parsed, or has no program with exit codes.
pub fn reference_pages() -> Result<Vec<(&'static str, String)>, String> {
    let manifest = manifest()?;
    let mut artefacts = manifest["artefacts"].as_array().into_iter().flatten();
    let exit_codes = artefacts.find_map(|artefact| artefact["interface"].get("exit-codes"));
    Ok(reference::pages(exit_codes.ok_or("artefacts.toml has no exit codes")?).into())
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
            let mut option = option_json(doc);
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
fn option_json(option: &OptionSpec) -> Value {
    let mut members = Map::new();
    members.insert("path".to_owned(), json!(option.path));
    members.insert("types".to_owned(), json!(yaml_types(option.value)));
    members.insert("expects".to_owned(), json!(option.value.to_string()));
    if let Some(default) = option.default {
        members.insert("default".to_owned(), json!(default.to_string()));
    }
    if option.required {
        members.insert("required".to_owned(), json!(true));
    }
    if !option.only.is_empty() {
        members.insert("only".to_owned(), json!(option.only));
    }
    members.insert("help".to_owned(), json!(option.full_help()));
    Value::Object(members)
}

/// Returns the YAML types that a value may have.
fn yaml_types(value: OptionType) -> &'static [&'static str] {
    let has_numbers = |names: EnumNames| names.numbers().next().is_some();
    match value {
        OptionType::Boolean => &["boolean"],
        OptionType::Integer { .. } => &["integer"],
        OptionType::IntegerOrMap { .. } => &["integer", "map"],
        OptionType::Enum(names) if has_numbers(names) => &["string", "integer"],
        OptionType::EnumList(names) if has_numbers(names) => &["string", "integer", "list"],
        OptionType::EnumList(_) | OptionType::IntegrationNames => &["string", "list"],
        OptionType::Enum(_)
        | OptionType::Duration { .. }
        | OptionType::Pattern
        | OptionType::Template { .. }
        | OptionType::Text
        | OptionType::FieldName
        | OptionType::FileName
        | OptionType::Uri
        | OptionType::IntegrationName { .. } => &["string"],
        OptionType::Paths { .. }
        | OptionType::MapList
        | OptionType::Integrations
        | OptionType::Networks
        | OptionType::Rules => &["list"],
        OptionType::Map => &["map"],
        OptionType::Target => &["map", "list"],
    }
}
