//! Finds the configuration in a file: a `ConfigMap`'s key, the bare list of that key, or the filter's own document.
//!
//! It looks no further than it must to tell them apart; what they hold is read by others.

use super::report::{Place, Report, quote};
use super::section::shape;
use super::yaml::{self, Document, Member, Node, Origin, Value};
use crate::error::Code;

/// The key of kAudit's list in its `ConfigMap`.
pub(super) const LIST_KEY: &str = "audit-integration";
/// The key of the filter's own document in a `ConfigMap`.
pub(super) const OWN_KEY: &str = "kaudit.yaml";

/// What a file holds.
pub(super) enum Source {
    /// kAudit's list.
    List(Node),
    /// The filter's own document, and the `data` of the `ConfigMap` it was found in.
    Own(Node, Option<Node>),
}

impl Source {
    pub(super) fn at(&self) -> Place {
        match self {
            Self::List(node) | Self::Own(node, _) => node.at,
        }
    }
}

/// Finds the one configuration of a text, or reports why there is none.
pub(super) fn locate(report: &mut Report, file: usize, text: &str) -> Option<Source> {
    let mut sources = sources(report, file, text).into_iter();
    let first = sources.next();
    if let (Some(first), Some(second)) = (&first, sources.next()) {
        let message = format!("a second configuration; the first begins on line {}", first.at().line);
        report.say(Code::SecondConfiguration, second.at(), "", message, "give the filter one of them");
    }
    first
}

/// Whether a text looks as if it were meant for the filter, readable or not.
pub(super) fn likely(text: &str) -> bool {
    let mut unheard = Report::default();
    let file = unheard.file("");
    let Some(documents) = yaml::parse(text, Origin::file(file), &mut unheard) else {
        return text.contains(LIST_KEY) || text.contains("target-type");
    };
    documents.iter().any(|document| match &document.root.value {
        Value::Map(_) if is_manifest(&document.root) => concerns(&document.root),
        Value::Map(_) => {
            ["integrations", "integrations-file"].iter().any(|key| document.root.get(key).is_some())
        }
        Value::List(items) => items.iter().any(|item| item.get("target").is_some()),
        Value::Scalar(_) | Value::Bad => false,
    })
}

/// Finds the configurations of a text, or reports why there is none.
pub(super) fn sources(report: &mut Report, file: usize, text: &str) -> Vec<Source> {
    let begin = Origin::file(file).place(1, 0);
    let Some(documents) = yaml::parse(text, Origin::file(file), report) else { return Vec::new() };
    if documents.is_empty() {
        let help = "expected a ConfigMap, a list of integrations or the filter's own document";
        report.say(Code::NotAConfiguration, begin, "", "the file is empty", help);
        return Vec::new();
    }
    let errors = report.errors();
    let mut sources = Vec::new();
    for document in documents {
        of_document(report, document, &mut sources);
    }
    if sources.is_empty() && report.errors() == errors {
        let message = format!("no ConfigMap here has the key `{LIST_KEY}` or `{OWN_KEY}`");
        report.say(Code::NoConfigMap, begin, "", message, format!("looked for `data.{LIST_KEY}`"));
    }
    sources
}

fn of_document(report: &mut Report, document: Document, sources: &mut Vec<Source>) {
    match &document.root.value {
        Value::Map(_) if is_manifest(&document.root) => {
            if concerns(&document.root) {
                let root = document.accept(report);
                of_manifest(report, &root, sources);
            }
        }
        Value::Map(_) => sources.push(Source::Own(document.accept(report), None)),
        Value::List(_) => sources.push(Source::List(document.accept(report))),
        Value::Bad => {
            document.accept(report);
        }
        Value::Scalar(_) => {
            let root = document.accept(report);
            let help = "expected a ConfigMap, a list of integrations or the filter's own document";
            report.say(
                Code::NotAConfiguration,
                root.at,
                "",
                format!("{} is no configuration", shape(&root)),
                help,
            );
        }
    }
}

fn is_manifest(node: &Node) -> bool {
    node.get("kind").is_some() || node.get("apiVersion").is_some()
}

fn is_kind(node: &Node, kind: &str) -> bool {
    matches!(node.get("kind").map(|kind| &kind.node.value), Some(Value::Scalar(scalar)) if scalar.text == kind)
}

fn list_items(manifest: &Node) -> &[Node] {
    match manifest.get("items").map(|items| &items.node.value) {
        Some(Value::List(items)) if is_kind(manifest, "List") || is_kind(manifest, "ConfigMapList") => items,
        _ => &[],
    }
}

/// Whether a manifest is, or holds, a `ConfigMap` of ours. The rest of a chart is nobody's business here.
fn concerns(manifest: &Node) -> bool {
    let ours = |map: &Node| [LIST_KEY, OWN_KEY].iter().any(|key| map.get(key).is_some());
    is_kind(manifest, "ConfigMap")
        && (ours(manifest) || manifest.get("data").is_some_and(|data| ours(&data.node)))
        || list_items(manifest).iter().any(concerns)
}

fn of_manifest(report: &mut Report, manifest: &Node, sources: &mut Vec<Source>) {
    for item in list_items(manifest).iter().filter(|item| concerns(item)) {
        of_manifest(report, item, sources);
    }
    if !is_kind(manifest, "ConfigMap") {
        return;
    }
    for key in [LIST_KEY, OWN_KEY] {
        if let Some(member) = manifest.get(key) {
            report.say(
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
        sources.extend(text_of(report, own).map(|node| Source::Own(node, Some(data.clone()))));
    } else if let Some(list) = data.get(LIST_KEY) {
        sources.extend(text_of(report, list).map(Source::List));
    }
}

/// The document that a `ConfigMap`'s key holds as text.
pub(super) fn text_of(report: &mut Report, member: &Member) -> Option<Node> {
    let path = format!("data.{}", member.key);
    let scalar = match &member.node.value {
        Value::Scalar(scalar) => scalar,
        Value::Bad => return None,
        _ => {
            let message = format!("expected a text, found {}", shape(&member.node));
            let help = format!("write `{}: |` and indent what is below it", member.key);
            report.say(Code::DataNotText, member.node.at, &path, message, help);
            return None;
        }
    };
    let origin = scalar.inside.unwrap_or(Origin::Fixed(member.at));
    let mut documents = yaml::parse(&scalar.text, origin, report)?.into_iter();
    let Some(document) = documents.next() else {
        report.say(Code::DataEmpty, member.at, &path, "the key is empty", "expected a list of integrations");
        return None;
    };
    if let Some(second) = documents.next() {
        let second = second.accept(report);
        report.say(
            Code::SecondDocument,
            second.at,
            &path,
            "a second document under one key",
            "remove the line `---`",
        );
    }
    Some(document.accept(report))
}

/// The list that `integrations-file` names: a key of the same `ConfigMap`, or a file that the host loads.
pub(super) fn list_from(
    report: &mut Report,
    (name, at): (&str, Place),
    siblings: Option<&Node>,
    files: &dyn super::Files,
) -> Option<Node> {
    if let Some(member) = siblings.and_then(|data| data.get(name)) {
        return text_of(report, member);
    }
    let text = match files.load(name) {
        Ok(text) => text,
        Err(reason) => {
            let message = format!("{} cannot be read: {reason}", quote(name));
            report.say(Code::FileUnreadable, at, "integrations-file", message, "");
            return None;
        }
    };
    let file = report.file(name);
    match locate(report, file, &text)? {
        Source::List(list) => Some(list),
        Source::Own(node, _) => {
            let message = "expected a list of integrations, found a map";
            report.say(Code::NotAList, node.at, "", message, "begin each integration with `- `");
            None
        }
    }
}
