//! Migrates kAudit's own configuration, in any dialect, to the filter's.
//!
//! The text is edited only where it has to change, so that comments are preserved. The result is read again and must
//! mean the same as the original, apart from the listed changes: a migration that would change the filtering is
//! rejected.

mod endpoints;
mod lines;
mod targets;
mod yaml;

use kaudit_filter::config::{Config, FileLoader, Shape};
use kaudit_filter::policy::{self, Policy, PolicyResult};
use saphyr::{LoadableYamlNode as _, YamlData};

use crate::check::CheckReport;
use lines::Lines;
use yaml::{Node, config_map_text, get, is_rule_list, manifest_config, without_markers};

/// The migrated document.
#[derive(Debug)]
pub struct Migrated {
    /// Its text.
    pub text: String,
    /// The changes, in sentences for the user.
    pub changes: Vec<String>,
    /// The remarks of `check` about the document, each at its position in the input if it has one there.
    pub remarks: CheckReport,
}

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

/// The name of the new document in remarks about parts that the input does not have.
const DOCUMENT: &str = "migrated document";

/// Migrates files to one document: integrations, a policy, or both, in one file or in two.
///
/// # Errors
/// The reason against a migration; the files' own mistakes first.
pub fn migrate(inputs: &[Input<'_>], files: &dyn FileLoader) -> Result<Migrated, Refusal> {
    let mut changes = Vec::new();
    let policy = policy_of(inputs, files)?;
    let is_configuration = |input: &&Input<'_>| {
        policy_list(input.text).is_none() || migration_input(input.text, &mut Vec::new()).is_ok()
    };
    let mut configurations = inputs.iter().filter(is_configuration);
    let configuration = configurations.next();
    if let Some(second) = configurations.next() {
        return Err(Refusal::Other(format!(
            "{}: a second configuration; give one, and at most one policy",
            second.name
        )));
    }
    let mut originals = CheckReport::default();
    let (mut text, original) = match configuration {
        Some(input) => {
            let mut report = CheckReport::default();
            let Some(original) = report.read(input.name, input.text, files) else {
                return Err(Refusal::Mistakes(Box::new(report)));
            };
            originals.file(input.name, input.text, files);
            document(input, original, &mut changes)?
        }
        None => (SELECTIONS_DOCUMENT.to_owned(), None),
    };
    if let Some(policy) = &policy {
        originals.policy(policy.name, policy.text, files);
        text.push_str(&policy.section(&mut changes));
        if original.is_none() {
            changes.push("an integration for the selections was added: replace `<domain>` in it".to_owned());
        }
    }
    let mut remarks = CheckReport::default();
    remarks.file(DOCUMENT, &text, files);
    let mut report = CheckReport::default();
    let name = inputs.first().map_or("", |input| input.name);
    match report.read(DOCUMENT, &text, files) {
        Some(result) if is_equivalent(&result, original.as_ref(), policy.as_ref()) => {
            Ok(Migrated { text, changes, remarks: remarks.at_positions_of(originals) })
        }
        Some(_) => Err(Refusal::Other(format!(
            "{name}: not migrated: the new document would filter differently; please report this file's form"
        ))),
        None => Err(Refusal::Mistakes(Box::new(report))),
    }
}

/// The configuration for a policy alone.
const SELECTIONS_DOCUMENT: &str = "\
# The selections of the policy below. The agent sends the entries: replace `<domain>` here and in its output.
integrations:
  - type: selections
    name: policy
    target: {target-type: http-api, http-api-uri: \"https://ingress.<domain>/logs/v1/singles\"}
";

/// Returns the text of a configuration as the filter's document, and the settings that it must have.
fn document(
    input: &Input<'_>,
    mut original: Config,
    changes: &mut Vec<String>,
) -> Result<(String, Option<Config>), Refusal> {
    let MigrationInput { text, is_document } = migration_input(input.text, changes)?;
    let lines = Lines { file: input.name, before: lines_before(&text, &original) };
    let text = targets::to_maps(&text, &lines, changes);
    let text = rename_old_categories(&text, changes);
    let shape = endpoints::shape(&text).filter(|_| !is_document);
    let text = endpoints::replace(&text, shape, &lines, changes);
    if let Some(shape) = shape {
        original.coralogix.shape = shape;
    }
    let text = if is_document { text } else { wrap_list(&text, input.name, &original, changes) };
    Ok((text, Some(original)))
}

/// Returns the number of lines before a list in its file, from the lines of its first integration in both.
fn lines_before(list: &str, original: &Config) -> usize {
    let documents = Node::load_from_str(list).unwrap_or_default();
    let root = documents.first();
    let items = root.and_then(|root| get(root, "integrations").or(Some(root)));
    let Some(YamlData::Sequence(items)) = items.map(|items| &items.data) else { return 0 };
    let first = items.iter().find(|item| get(item, "type").is_some());
    let first = first.map_or(0, |item| item.span.start.line());
    original.integrations.first().map_or(0, |integration| integration.line.saturating_sub(first))
}

/// Whether a document means the same as the files it was made of.
fn is_equivalent(result: &Config, original: Option<&Config>, policy: Option<&MigratedPolicy<'_>>) -> bool {
    let without_policy = |config: &Config| {
        let mut config = config.clone();
        if policy.is_some() {
            config.audit = None;
        }
        effective_settings(&config)
    };
    let same_rules = policy.is_none_or(|policy| {
        result
            .audit
            .as_ref()
            .is_some_and(|audit| without_lines(&audit.policy) == without_lines(&policy.rules))
    });
    same_rules && original.is_none_or(|original| without_policy(original) == without_policy(result))
}

fn without_lines(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    policy.rules.iter_mut().for_each(|rule| rule.line = 0);
    policy
}

/// A policy to migrate.
struct MigratedPolicy<'t> {
    /// The name of its file, and the file's text.
    name: &'t str,
    text: &'t str,
    /// The text of its list.
    list: String,
    rules: Policy,
}

/// Returns the policy of the files.
fn policy_of<'t>(
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

impl MigratedPolicy<'_> {
    /// Returns the section of the document, with a comment on the rules that are not enforced.
    fn section(&self, changes: &mut Vec<String>) -> String {
        changes.push("the rules under `audit-policy` were moved under `policy`".to_owned());
        let mut lines = vec![String::new(), format!("# kAudit's rules, from {}.", self.name)];
        let enforced = self.rules.rules.iter().filter(|rule| rule.enforcement.is_some());
        let ids: Vec<String> =
            enforced.map(|rule| rule.id.chars().filter(|c| !c.is_control()).collect()).collect();
        if !ids.is_empty() {
            let reason = "audit events report requests that are already answered";
            lines.push(format!("# `enforcement` has no effect here, as {reason}: {}.", ids.join(", ")));
            let rules = if ids.len() == 1 { "1 rule".to_owned() } else { format!("{} rules", ids.len()) };
            changes.push(format!("`enforcement` of {rules} has no effect: {reason}"));
        }
        lines.push("policy:".to_owned());
        lines.extend(self.list.trim_end().lines().map(indented));
        lines.join("\n") + "\n"
    }
}

fn indented(line: &str) -> String {
    if line.trim().is_empty() { String::new() } else { format!("  {line}") }
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

/// Returns every setting that affects findings, for comparison.
fn effective_settings(config: &Config) -> String {
    let mut config = config.clone();
    config.integrations.iter_mut().for_each(|integration| integration.line = 0);
    format!("{config:?}")
}

/// The text of a list, or of a document that is already in the filter's form.
struct MigrationInput {
    text: String,
    is_document: bool,
}

fn migration_input(text: &str, changes: &mut Vec<String>) -> Result<MigrationInput, Refusal> {
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

fn rename_old_categories(text: &str, changes: &mut Vec<String>) -> String {
    let new = text.replace("alcide.category/", "");
    if new != text {
        changes.push(
            "`alcide.category/incident` and `…/anomaly` were renamed to `incident` and `anomaly`".to_owned(),
        );
    }
    new
}

/// Returns the filter's document with the list in it.
fn wrap_list(list: &str, name: &str, original: &Config, changes: &mut Vec<String>) -> String {
    let mut lines = vec![format!("# Converted from {name} by `kaudit-filter migrate`."), String::new()];
    if original.integrations.iter().any(|integration| integration.rate_limit.is_some()) {
        lines.push(
            "# The period of `rate-limit: 10`. kAudit does not specify it; the filter's default is one second."
                .to_owned(),
        );
        lines.push("rate-limit: {period: 1s}".to_owned());
        lines.push(String::new());
        changes.push(
            "the period of the rate limits is explicit: `rate-limit: {period: 1s}`, the default".to_owned(),
        );
    }
    if original.coralogix.shape != Shape::default() {
        let shape = original.coralogix.shape.name();
        lines.push(format!("# Every endpoint below is `/logs/v1/{shape}`."));
        lines.push(format!("coralogix: {{shape: {shape}}}"));
        lines.push(String::new());
        changes.push(format!(
            "`coralogix: {{shape: {shape}}}` was added, since every endpoint is `/logs/v1/{shape}`"
        ));
    }
    lines.push("integrations:".to_owned());
    lines.extend(list.trim_end().lines().map(indented));
    changes.push("the list was moved under `integrations`".to_owned());
    lines.join("\n") + "\n"
}
