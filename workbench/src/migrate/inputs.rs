//! The files to migrate: integrations, a policy, or both.

use kaudit_filter::config::{Config, FileLoader};
use kaudit_filter::policy::{self, Policy, PolicyResult};
use saphyr::{LoadableYamlNode as _, YamlData};

use super::yaml::{Node, config_map_text, get, is_rule_list, manifest_config, without_markers};
use crate::check::CheckReport;

/// The reason against a migration.
#[derive(Debug)]
pub enum Refusal {
    /// The mistakes of the files, or of the new document.
    Mistakes(Box<CheckReport>),
    /// Another reason, in one line.
    Other(String),
}

/// A file to migrate.
#[derive(Clone, Copy, Debug)]
pub struct Input<'t> {
    /// Its name, for messages.
    pub name: &'t str,
    /// Its text.
    pub text: &'t str,
}

/// Returns the file with the integrations, if one has them.
pub fn configuration_of<'i, 't>(inputs: &'i [Input<'t>]) -> Result<Option<&'i Input<'t>>, Refusal> {
    let is_configuration = |input: &&Input<'_>| {
        policy_list(input.text).is_none() || migration_input(input.text, &mut Vec::new()).is_ok()
    };
    let mut configurations = inputs.iter().filter(is_configuration);
    let configuration = configurations.next();
    match configurations.next() {
        None => Ok(configuration),
        Some(second) => Err(Refusal::Other(format!(
            "{}: a second configuration; give one, and at most one policy",
            second.name
        ))),
    }
}

/// Returns the number of lines before a list in its file, from the lines of its first integration in both.
pub fn lines_before(list: &str, original: &Config) -> usize {
    let documents = Node::load_from_str(list).unwrap_or_default();
    let root = documents.first();
    let items = root.and_then(|root| get(root, "integrations").or(Some(root)));
    let Some(YamlData::Sequence(items)) = items.map(|items| &items.data) else { return 0 };
    let first = items.iter().find(|item| get(item, "type").is_some());
    let first = first.map_or(0, |item| item.span.start.line());
    original.integrations.first().map_or(0, |integration| integration.line.saturating_sub(first))
}

/// A policy to migrate.
pub struct MigratedPolicy<'t> {
    /// The name of its file, and the file's text.
    pub name: &'t str,
    pub text: &'t str,
    /// The text of its list.
    pub list: String,
    pub rules: Policy,
}

/// Returns the policy of the files.
pub fn policy_of<'t>(
    inputs: &[Input<'t>],
    files: &dyn FileLoader,
) -> Result<Option<MigratedPolicy<'t>>, Refusal> {
    let mut lists = inputs.iter().filter_map(|input| Some((input, policy_list(input.text)?)));
    let Some((&Input { name, text }, list)) = lists.next() else { return Ok(None) };
    if let Some((second, _)) = lists.next() {
        return Err(Refusal::Other(format!("{}: a second policy; give one", second.name)));
    }
    let PolicyResult { policy, .. } = policy::read(name, text, files);
    if let Some(rules) = policy {
        return Ok(Some(MigratedPolicy { name, text, list, rules }));
    }
    let mut report = CheckReport::default();
    report.policy(name, text, files);
    Err(Refusal::Mistakes(Box::new(report)))
}

/// Returns the list of rules in a text: of kAudit's ConfigMap, or the list alone.
fn policy_list(text: &str) -> Option<String> {
    let documents = Node::load_from_str(text).ok()?;
    let of_manifest = documents.iter().find_map(|root| config_map_text(root, &["audit-policy"]));
    match of_manifest {
        Some((_, list)) => Some(list.to_owned()),
        None => documents.iter().any(is_rule_list).then(|| without_markers(text)),
    }
}

/// The text of a list, or of a document that is already in the filter's form.
pub struct MigrationInput {
    /// The text.
    pub text: String,
    /// Whether it is a document.
    pub is_document: bool,
}

/// Returns the list or document of a file.
pub fn migration_input(text: &str, changes: &mut Vec<String>) -> Result<MigrationInput, Refusal> {
    let documents = Node::load_from_str(text).map_err(|error| Refusal::Other(error.to_string()))?;
    for root in &documents {
        if let Some((key, inner)) = manifest_config(root) {
            changes.push(format!("the text under `{key}` was extracted from its ConfigMap"));
            return Ok(MigrationInput { text: inner.to_owned(), is_document: key == "kaudit.yaml" });
        }
        match &root.data {
            YamlData::Sequence(_) if !is_rule_list(root) => {
                return Ok(MigrationInput { text: without_markers(text), is_document: false });
            }
            YamlData::Mapping(_) if get(root, "kind").is_none() => {
                return Ok(MigrationInput { text: text.to_owned(), is_document: true });
            }
            _ => {}
        }
    }
    Err(Refusal::Other("no list of integrations found".to_owned()))
}
