//! Derives the resources of `examples/coralogix/otlp` from `examples/coralogix`, with the fields of OTLP logs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::query::Query;
use super::{LABELS, Location};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/coralogix")
}

fn moved_query(query: &str) -> String {
    let parsed = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    parsed.moved(Location::Otlp).unwrap_or_else(|| query.to_owned())
}

fn moved_field(field: &str) -> String {
    Location::Otlp.field(field).unwrap_or_else(|| field.to_owned())
}

/// Replaces the text between a marker and an end, wherever the marker occurs.
fn replace(text: &str, marker: &str, end: &[char], new: impl Fn(&str) -> String) -> String {
    let mut parts = text.split(marker);
    let mut replaced = parts.next().unwrap().to_owned();
    for part in parts {
        let length = part.find(end).unwrap_or(part.len());
        replaced.extend([marker, &new(&part[..length]), &part[length..]]);
    }
    replaced
}

/// Derives a file of the operator's resources.
fn yaml(text: &str) -> String {
    let queries = ["luceneQuery: '", " {query: '", "lucene: '"];
    let text =
        queries.iter().fold(text.to_owned(), |text, marker| replace(&text, marker, &['\''], moved_query));
    let fields = ["keypathToTrack: ", "sourceField: "];
    fields.iter().fold(text, |text, marker| replace(&text, marker, &['}', '\n'], moved_field))
}

/// Derives Terraform's file.
fn terraform(text: &str) -> String {
    // An escaped quote is no end of a string.
    const QUOTE: &str = "\u{1}";
    let mut text = text.replace("\\\"", QUOTE);
    let query = |query: &str| moved_query(&query.replace(QUOTE, "\"")).replace('"', QUOTE);
    for marker in ["lucene_query = \"", "lucene     = \"", "lucene = \""] {
        text = replace(&text, marker, &['"'], query);
    }
    for marker in ["keypath_to_track = \"", "source_field = \""] {
        text = replace(&text, marker, &['"'], moved_field);
    }
    let labels =
        replace(&text, "metric_labels = {", &['}'], |labels| replace(labels, "= \"", &['"'], moved_field));
    labels.replace(QUOTE, "\\\"")
}

/// Derives a dashboard.
fn dashboard(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(dashboard),
        Value::Object(members) => {
            if let Some(query) = members.get("luceneQuery").map(|query| query["value"].clone()) {
                members["luceneQuery"]["value"] = moved_query(query.as_str().unwrap()).into();
            }
            match (members.get("scope").and_then(Value::as_str), members.get("keypath").cloned()) {
                (Some("DATASET_SCOPE_USER_DATA"), Some(Value::Array(path))) => {
                    let path: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
                    members["keypath"] = moved_field(&path.join(".")).split('.').collect();
                }
                (Some("DATASET_SCOPE_LABEL"), Some(path)) => {
                    let name = path[0].as_str().unwrap();
                    let is_label = |label: &str| {
                        label.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case(name))
                    };
                    if let Some((_, attribute)) = LABELS.iter().find(|(label, _)| is_label(label)) {
                        let path: Vec<&str> = attribute.splitn(3, '.').collect();
                        members["keypath"] = json!(path);
                        members["scope"] = "DATASET_SCOPE_USER_DATA".into();
                    }
                }
                _ => members.values_mut().for_each(dashboard),
            }
        }
        _ => {}
    }
}

/// Returns the derived file of this name.
fn derived(name: &str) -> String {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    if name == "dashboard.json" {
        let mut value = serde_json::from_str(&text).unwrap();
        dashboard(&mut value);
        return serde_json::to_string_pretty(&value).unwrap() + "\n";
    }
    let derived = if name == "main.tf" { terraform(&text) } else { yaml(&text) };
    format!("# Generated from ../{name} for findings that arrive by OTLP.\n{derived}")
}

#[test]
fn the_resources_for_otlp_are_derived_from_the_others() {
    let names = [
        "alerts.yaml",
        "views.yaml",
        "events2metrics.yaml",
        "dashboard.json",
        "dashboard.yaml",
        "main.tf",
        "kustomization.yaml",
    ];
    let bless = std::env::var_os("BLESS").is_some();
    for name in names {
        let (path, derived) = (folder().join("otlp").join(name), derived(name));
        if bless {
            fs::create_dir_all(folder().join("otlp")).unwrap();
            fs::write(&path, &derived).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        let command = "BLESS=1 cargo test -p kaudit-filter-cli --bin kaudit-filter resources_for_otlp";
        assert!(found == derived, "examples/coralogix/otlp/{name} is stale: run {command}");
    }
    // Every resource has its counterpart.
    let count = |folder: PathBuf| {
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        files
            .filter(|name| {
                ![".md", ".sh"].iter().any(|end| name.to_string_lossy().ends_with(end)) && name != "otlp"
            })
            .count()
    };
    assert_eq!((count(folder()), count(folder().join("otlp"))), (names.len(), names.len()));
}
