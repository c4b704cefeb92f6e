//! The parts of a YAML document that a migration needs.

use saphyr::{MarkedYaml, Scalar, YamlData};

pub type Node<'s> = MarkedYaml<'s>;

/// Returns the configuration in a Kubernetes manifest, with its key.
pub fn manifest_config<'n>(root: &'n Node<'_>) -> Option<(&'static str, &'n str)> {
    config_map_text(root, &["kaudit.yaml", "audit-integration"])
}

/// Returns the first text under one of these keys of a `ConfigMap` in a manifest, with its key.
pub fn config_map_text<'n>(root: &'n Node<'_>, keys: &[&'static str]) -> Option<(&'static str, &'n str)> {
    if let Some(YamlData::Sequence(items)) = get(root, "items").map(|items| &items.data) {
        return items.iter().find_map(|item| config_map_text(item, keys));
    }
    get(root, "kind").and_then(scalar).filter(|kind| *kind == "ConfigMap")?;
    let data = get(root, "data")?;
    keys.iter().find_map(|key| Some((*key, get(data, key).and_then(scalar)?)))
}

/// Returns a bare list without the lines that begin and end a document.
pub fn without_markers(text: &str) -> String {
    let lines = text.trim_start_matches('\u{feff}').lines();
    lines
        .filter(|line| !matches!(line.trim_end(), "---" | "..."))
        .map(|line| line.to_owned() + "\n")
        .collect()
}

pub fn get<'n, 's>(node: &'n Node<'s>, key: &str) -> Option<&'n Node<'s>> {
    let YamlData::Mapping(members) = &node.data else { return None };
    members.iter().find(|(name, _)| scalar(name) == Some(key)).map(|(_, value)| value)
}

pub fn scalar<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => Some(text),
        _ => None,
    }
}

/// Returns whether a document is a list of rules.
pub fn is_rule_list(root: &Node<'_>) -> bool {
    let YamlData::Sequence(items) = &root.data else { return false };
    items.iter().any(|item| get(item, "conditions").is_some())
}
