//! Finds the configurations in a file and their dialect.
//!
//! A configuration is a key of a `ConfigMap`, the bare list of that key, or the filter's own document. Only the keys
//! that distinguish the dialects are examined here.

use alloc::vec::Vec;

use super::files::{FileLoader, load};
use super::problems::{Problems, SourceSpan};
use super::section::describe_node;
use super::yaml::{self, Node, Origin, YamlDocument, YamlMember, YamlValue};
use crate::error::Code;

/// The key of kAudit's list in its `ConfigMap`.
pub(super) const LIST_KEY: &str = "audit-integration";
/// The key of the filter's own document in a `ConfigMap`.
pub(super) const OWN_KEY: &str = "kaudit.yaml";

/// A configuration found in a file.
pub(super) enum ConfigSource {
    /// kAudit's list.
    List(Node),
    /// The filter's own document, and the `data` of the `ConfigMap` that contains it.
    Own(Node, Option<Node>),
}

impl ConfigSource {
    pub(super) fn at(&self) -> SourceSpan {
        match self {
            Self::List(node) | Self::Own(node, _) => node.at,
        }
    }
}

/// Returns the first configuration of a text; reports an absent or a second one.
pub(super) fn locate(problems: &mut Problems, file: usize, text: &str) -> Option<ConfigSource> {
    let mut sources = sources(problems, file, text).into_iter();
    let first = sources.next();
    if let (Some(first), Some(second)) = (&first, sources.next()) {
        let message = format!("a second configuration; the first begins on line {}", first.at().line);
        problems.add(Code::SecondConfiguration, second.at(), "", message, "give the filter one of them");
    }
    first
}

/// Returns whether a text was probably written for the filter, even if it is not valid.
pub(super) fn looks_like_configuration(text: &str) -> bool {
    let mut ignored = Problems::default();
    let file = ignored.file("");
    let Some(documents) = yaml::parse(text, Origin::file(file), &mut ignored) else {
        return text.contains(LIST_KEY) || text.contains("target-type");
    };
    documents.iter().any(|document| match &document.root.value {
        YamlValue::Map(_) if is_manifest(&document.root) => contains_our_config_map(&document.root),
        YamlValue::Map(_) => {
            ["integrations", "integrations-file"].iter().any(|key| document.root.get(key).is_some())
        }
        YamlValue::List(items) => items.iter().any(|item| item.get("target").is_some()),
        YamlValue::Scalar(_) | YamlValue::Invalid => false,
    })
}

/// Returns all configurations of a text; reports if there is none.
pub(super) fn sources(problems: &mut Problems, file: usize, text: &str) -> Vec<ConfigSource> {
    let begin = Origin::file(file).span(1, 0);
    let Some(documents) = yaml::parse(text, Origin::file(file), problems) else { return Vec::new() };
    if documents.is_empty() {
        let help = "expected a ConfigMap, a list of integrations or the filter's own document";
        problems.add(Code::NotAConfiguration, begin, "", "the file is empty", help);
        return Vec::new();
    }
    let errors = problems.errors();
    let mut sources = Vec::new();
    for document in documents {
        collect_from_document(problems, document, &mut sources);
    }
    if sources.is_empty() && problems.errors() == errors {
        let message = format!("no ConfigMap here has the key `{LIST_KEY}` or `{OWN_KEY}`");
        problems.add(Code::NoConfigMap, begin, "", message, format!("expected `data.{LIST_KEY}`"));
    }
    sources
}

fn collect_from_document(problems: &mut Problems, document: YamlDocument, sources: &mut Vec<ConfigSource>) {
    match &document.root.value {
        YamlValue::Map(_) if is_manifest(&document.root) => {
            if contains_our_config_map(&document.root) {
                let root = document.accept(problems);
                collect_from_manifest(problems, &root, sources);
            }
        }
        YamlValue::Map(_) => sources.push(ConfigSource::Own(document.accept(problems), None)),
        YamlValue::List(_) => sources.push(ConfigSource::List(document.accept(problems))),
        YamlValue::Invalid => {
            document.accept(problems);
        }
        YamlValue::Scalar(_) => {
            let root = document.accept(problems);
            let help = "expected a ConfigMap, a list of integrations or the filter's own document";
            problems.add(
                Code::NotAConfiguration,
                root.at,
                "",
                format!("{} is not a configuration", describe_node(&root)),
                help,
            );
        }
    }
}

fn is_manifest(node: &Node) -> bool {
    node.get("kind").is_some() || node.get("apiVersion").is_some()
}

fn is_kind(node: &Node, kind: &str) -> bool {
    matches!(node.get("kind").map(|kind| &kind.node.value), Some(YamlValue::Scalar(scalar)) if scalar.text == kind)
}

fn list_items(manifest: &Node) -> &[Node] {
    match manifest.get("items").map(|items| &items.node.value) {
        Some(YamlValue::List(items)) if is_kind(manifest, "List") || is_kind(manifest, "ConfigMapList") => {
            items
        }
        _ => &[],
    }
}

/// Returns whether a manifest is, or contains, a `ConfigMap` of kAudit or the filter.
///
/// All other manifests of a chart are ignored.
fn contains_our_config_map(manifest: &Node) -> bool {
    let ours = |map: &Node| [LIST_KEY, OWN_KEY].iter().any(|key| map.get(key).is_some());
    is_kind(manifest, "ConfigMap")
        && (ours(manifest) || manifest.get("data").is_some_and(|data| ours(&data.node)))
        || list_items(manifest).iter().any(contains_our_config_map)
}

fn collect_from_manifest(problems: &mut Problems, manifest: &Node, sources: &mut Vec<ConfigSource>) {
    for item in list_items(manifest).iter().filter(|item| contains_our_config_map(item)) {
        collect_from_manifest(problems, item, sources);
    }
    if !is_kind(manifest, "ConfigMap") {
        return;
    }
    for key in [LIST_KEY, OWN_KEY] {
        if let Some(member) = manifest.get(key) {
            problems.add(
                Code::NotUnderData,
                member.at,
                "",
                format!("`{key}` belongs under `data`"),
                "indent it",
            );
        }
    }
    let Some(data) = manifest.get("data").map(|data| &data.node) else { return };
    if let Some(own) = data.get(OWN_KEY) {
        sources
            .extend(parse_data_value(problems, own).map(|node| ConfigSource::Own(node, Some(data.clone()))));
    } else if let Some(list) = data.get(LIST_KEY) {
        sources.extend(parse_data_value(problems, list).map(ConfigSource::List));
    }
}

/// Parses the document in the text of a `ConfigMap`'s key.
pub(crate) fn parse_data_value(problems: &mut Problems, member: &YamlMember) -> Option<Node> {
    let path = format!("data.{}", member.key);
    let scalar = match &member.node.value {
        YamlValue::Scalar(scalar) => scalar,
        YamlValue::Invalid => return None,
        _ => {
            let message = format!("expected a text, found {}", describe_node(&member.node));
            let help = format!("write `{}: |` and indent the lines below it", member.key);
            problems.add(Code::DataNotText, member.node.at, &path, message, help);
            return None;
        }
    };
    let origin = scalar.inside.unwrap_or(Origin::Fixed(member.at));
    let mut documents = yaml::parse(&scalar.text, origin, problems)?.into_iter();
    let Some(document) = documents.next() else {
        problems.add(
            Code::DataEmpty,
            member.at,
            &path,
            "the key is empty",
            "expected a list of integrations",
        );
        return None;
    };
    if let Some(second) = documents.next() {
        let second = second.accept(problems);
        problems.add(
            Code::SecondDocument,
            second.at,
            &path,
            "a second document under one key",
            "remove the line `---`",
        );
    }
    Some(document.accept(problems))
}

/// Loads the list that `integrations-file` names.
///
/// The name is a key of the same `ConfigMap`, or a file that the host loads.
pub(super) fn load_list(
    problems: &mut Problems,
    (name, at): (&str, SourceSpan),
    siblings: Option<&Node>,
    files: &dyn FileLoader,
) -> Option<Node> {
    if let Some(member) = siblings.and_then(|data| data.get(name)) {
        return parse_data_value(problems, member);
    }
    let text = load(problems, files, name, Code::FileUnreadable, (at, "integrations-file"))?;
    let file = problems.file(&files.name(name));
    match locate(problems, file, &text)? {
        ConfigSource::List(list) => Some(list),
        ConfigSource::Own(node, _) => {
            let message = "expected a list of integrations, found a map";
            problems.add(Code::NotAList, node.at, "", message, "begin each integration with `- `");
            None
        }
    }
}
