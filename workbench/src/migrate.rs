//! Migrates kAudit's own configuration, in any dialect, to the filter's.
//!
//! The text is edited only where it has to change, so that comments are preserved. The result is read again and must
//! mean the same as the original, apart from the listed changes: a migration that would change the filtering is
//! rejected.

use std::ops::Range;

use kaudit_filter::config::{self, Code, Config, Diagnostic, FileLoader};
use kaudit_filter::policy::{self, Policy, PolicyResult};
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use crate::check::CheckReport;

type Node<'s> = MarkedYaml<'s>;

/// The migrated document.
#[derive(Debug)]
pub struct Migrated {
    /// Its text.
    pub text: String,
    /// The changes, in sentences for the user.
    pub changes: Vec<String>,
    /// The remarks of `check` about the document.
    pub remarks: CheckReport,
}

/// A file to migrate.
#[derive(Clone, Copy, Debug)]
pub struct Input<'t> {
    /// Its name, for messages.
    pub name: &'t str,
    /// Its text.
    pub text: &'t str,
}

/// Migrates files to one document: integrations, a policy, or both, in one file or in two.
///
/// # Errors
/// The reasons against a migration, in lines for the user: the files' own mistakes first.
pub fn migrate(inputs: &[Input<'_>], files: &dyn FileLoader) -> Result<Migrated, Vec<String>> {
    let mut changes = Vec::new();
    let policy = policy_of(inputs, files)?;
    let is_configuration = |input: &&Input<'_>| {
        policy_list(input.text).is_none() || migration_input(input.text, &mut Vec::new()).is_ok()
    };
    let mut configurations = inputs.iter().filter(is_configuration);
    let configuration = configurations.next();
    if let Some(second) = configurations.next() {
        return Err(vec![format!(
            "{}: a second configuration; give one, and at most one policy",
            second.name
        )]);
    }
    let (mut text, original) = match configuration {
        Some(Input { name, text }) => {
            let reading = config::read(name, text, files);
            let Some(original) = reading.config else {
                return Err(reading.diagnostics.iter().map(ToString::to_string).collect());
            };
            (document(name, text, &original, &mut changes)?, Some(original))
        }
        None => (SELECTIONS_DOCUMENT.to_owned(), None),
    };
    if let Some(policy) = &policy {
        text.push_str(&policy.section(&mut changes));
        if original.is_none() {
            changes.push("an integration for the selections was added: replace `<domain>` in it".to_owned());
        }
    }
    let mut remarks = CheckReport::default();
    remarks.file("kaudit.yaml", &text, files);
    let result = config::read("kaudit.yaml", &text, files);
    let name = inputs.first().map_or("", |input| input.name);
    match result.config {
        Some(result) if is_equivalent(&result, original.as_ref(), policy.as_ref()) => {
            Ok(Migrated { text, changes, remarks })
        }
        Some(_) => Err(vec![format!(
            "{name}: not migrated: the new document would filter differently; please report this file's form"
        )]),
        None => Err(result.diagnostics.iter().map(ToString::to_string).collect()),
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

/// Returns the text of a configuration as the filter's document.
fn document(
    name: &str,
    text: &str,
    original: &Config,
    changes: &mut Vec<String>,
) -> Result<String, Vec<String>> {
    let MigrationInput { text, is_document } = migration_input(text, changes)?;
    let text = targets_to_maps(&text, changes);
    let text = rename_old_categories(&text, changes);
    let text = replace_endpoints_and_secrets(&text, changes);
    Ok(if is_document { text } else { wrap_list(&text, name, original, changes) })
}

/// Whether a document means the same as the files it was made of.
fn is_equivalent(result: &Config, original: Option<&Config>, policy: Option<&MigratedPolicy>) -> bool {
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
struct MigratedPolicy {
    /// The name of its file.
    name: String,
    /// The text of its list.
    list: String,
    rules: Policy,
}

/// Returns the policy of the files.
fn policy_of(inputs: &[Input<'_>], files: &dyn FileLoader) -> Result<Option<MigratedPolicy>, Vec<String>> {
    let mut lists = inputs.iter().filter_map(|input| Some((input, policy_list(input.text)?)));
    let Some((Input { name, text }, list)) = lists.next() else { return Ok(None) };
    if let Some((second, _)) = lists.next() {
        return Err(vec![format!("{}: a second policy; give one", second.name)]);
    }
    let PolicyResult { policy, diagnostics, .. } = policy::read(name, text, files);
    match policy {
        Some(rules) => Ok(Some(MigratedPolicy { name: (*name).to_owned(), list, rules })),
        None => Err(diagnostics.iter().map(ToString::to_string).collect()),
    }
}

impl MigratedPolicy {
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

/// Returns whether a document is a list of rules.
fn is_rule_list(root: &Node<'_>) -> bool {
    let YamlData::Sequence(items) = &root.data else { return false };
    items.iter().any(|item| get(item, "conditions").is_some())
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

fn migration_input(text: &str, changes: &mut Vec<String>) -> Result<MigrationInput, Vec<String>> {
    let documents = Node::load_from_str(text).map_err(|error| vec![error.to_string()])?;
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
    Err(vec!["no list of integrations found".to_owned()])
}

/// Returns the configuration in a Kubernetes manifest, with its key.
fn manifest_config<'n>(root: &'n Node<'_>) -> Option<(&'static str, &'n str)> {
    config_map_text(root, &["kaudit.yaml", "audit-integration"])
}

/// Returns the first text under one of these keys of a `ConfigMap` in a manifest, with its key.
fn config_map_text<'n>(root: &'n Node<'_>, keys: &[&'static str]) -> Option<(&'static str, &'n str)> {
    if let Some(YamlData::Sequence(items)) = get(root, "items").map(|items| &items.data) {
        return items.iter().find_map(|item| config_map_text(item, keys));
    }
    get(root, "kind").and_then(scalar).filter(|kind| *kind == "ConfigMap")?;
    let data = get(root, "data")?;
    keys.iter().find_map(|key| Some((*key, get(data, key).and_then(scalar)?)))
}

/// Returns a bare list without the lines that begin and end a document.
fn without_markers(text: &str) -> String {
    let lines = text.trim_start_matches('\u{feff}').lines();
    lines
        .filter(|line| !matches!(line.trim_end(), "---" | "..."))
        .map(|line| line.to_owned() + "\n")
        .collect()
}

fn get<'n, 's>(node: &'n Node<'s>, key: &str) -> Option<&'n Node<'s>> {
    let YamlData::Mapping(members) = &node.data else { return None };
    members.iter().find(|(name, _)| scalar(name) == Some(key)).map(|(_, value)| value)
}

fn scalar<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    match &node.data {
        YamlData::Value(Scalar::String(text)) => Some(text),
        _ => None,
    }
}

/// Converts the older dialect's targets, lists of one-key maps or pairs, to maps.
fn targets_to_maps(text: &str, changes: &mut Vec<String>) -> String {
    let Ok(documents) = Node::load_from_str(text) else { return text.to_owned() };
    let root = documents.first();
    let list = root.and_then(|root| get(root, "integrations").or(Some(root)));
    let Some(YamlData::Sequence(items)) = list.map(|list| &list.data) else { return text.to_owned() };
    let chars: Vec<char> = text.chars().collect();
    let mut out = chars.clone();
    let mut messages = Vec::new();
    // From the end, so that earlier offsets stay valid.
    for item in items.iter().rev() {
        let Some(target) = get(item, "target") else { continue };
        let YamlData::Sequence(parts) = &target.data else { continue };
        let line = target.span.start.line();
        let Some(members) = target_members(parts, &chars) else {
            messages.push(format!(
                "line {line} of the list: several targets are not converted; keep only the one for Coralogix"
            ));
            continue;
        };
        let start = target.span.start.index();
        let indent = start - chars[..start].iter().rposition(|c| *c == '\n').map_or(0, |line| line + 1);
        let own_lines = chars[start - indent..start].iter().all(|c| *c == ' ');
        let end = start
            + chars[start..target.span.end.index()]
                .iter()
                .rposition(|c| !c.is_whitespace())
                .map_or(0, |last| last + 1);
        let map = if own_lines {
            members.join(&format!("\n{:indent$}", ""))
        } else {
            format!("{{{}}}", members.join(", "))
        };
        out.splice(start..end, map.chars());
        messages.push(format!(
            "line {line} of the list: the target was converted from the older dialect to a map"
        ));
    }
    messages.reverse();
    changes.extend(messages);
    out.into_iter().collect()
}

/// Returns the members of an older target; `None`: there are several targets.
/// They are in the form in which they are written.
fn target_members(parts: &[Node<'_>], chars: &[char]) -> Option<Vec<String>> {
    let written = |node: &Node<'_>| -> String {
        let text: String = chars[node.span.start.index()..node.span.end.index()].iter().collect();
        // The parser's span of a quoted text includes the comment after it.
        let text = text.trim_end();
        match text.chars().next().filter(|quote| matches!(quote, '\'' | '"')) {
            Some(quote) => text[..=text.rfind(quote).unwrap_or(text.len() - 1)].to_owned(),
            None => text.to_owned(),
        }
    };
    let all = |node: &Node<'_>| -> Option<Vec<String>> {
        let YamlData::Mapping(members) = &node.data else { return None };
        Some(members.iter().map(|(key, value)| format!("{}: {}", written(key), written(value))).collect())
    };
    let mut found: Vec<String> = Vec::new();
    for part in parts {
        match &part.data {
            YamlData::Mapping(_) => found.extend(all(part)?),
            YamlData::Sequence(pair) => match &pair[..] {
                [kind, map] if matches!(map.data, YamlData::Mapping(_)) => {
                    found.push(format!("target-type: {}", written(kind)));
                    found.extend(all(map)?);
                }
                [key, value] => found.push(format!("{}: {}", written(key), written(value))),
                _ => return None,
            },
            _ => return None,
        }
    }
    let types = found.iter().filter(|member| member.starts_with("target-type:")).count();
    (types == 1).then_some(found)
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

/// Replaces old endpoints and removes plain-text secrets, as `check` finds them.
fn replace_endpoints_and_secrets(text: &str, changes: &mut Vec<String>) -> String {
    let checked = config::check("", text, &config::NoFiles, &[]);
    let mut lines: Vec<Vec<char>> = text.split('\n').map(|line| line.chars().collect()).collect();
    let mut edits: Vec<(&Diagnostic, String)> = Vec::new();
    for remark in &checked.diagnostics {
        match remark.code() {
            Code::OldEndpoint => {
                let current = remark.help().split('`').nth(1).unwrap_or_default();
                changes.push(format!(
                    "line {} of the list: the endpoint was replaced by the current one, `{current}`",
                    remark.line()
                ));
                edits.push((remark, format!("\"{current}\"")));
            }
            Code::PlainSecret => {
                changes.push(format!(
                    "line {} of the list: a secret was removed; the agent has it, and the filter needs none",
                    remark.line()
                ));
                edits.push((remark, "\"\"".to_owned()));
            }
            _ => {}
        }
    }
    edits.sort_by_key(|(remark, _)| std::cmp::Reverse((remark.line(), remark.column())));
    for (remark, new) in edits {
        if let Some(line) = lines.get_mut(remark.line() - 1) {
            let start = (remark.column() - 1).min(line.len());
            let end = (start + remark.width()).min(line.len());
            line.splice(start..end, new.chars());
        }
    }
    let lines = (1..).zip(lines).map(|(number, line)| {
        let line: String = line.into_iter().collect();
        let Some(user) = user_info(&line) else { return line };
        changes.push(format!(
            "line {number} of the list: the user name and password in a URI were removed; the filter needs none"
        ));
        [&line[..user.start], &line[user.end..]].concat()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the range of `user:password@` in the line's `http-api-uri`.
fn user_info(line: &str) -> Option<Range<usize>> {
    let start = line.find("http-api-uri")?;
    let start = start + line[start..].find("://")? + 3;
    let rest = &line[start..];
    let host = &rest[..rest.find(['/', '?', '#', ' ', '\'', '"', '}']).unwrap_or(rest.len())];
    Some(start..start + host.rfind('@')? + 1)
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
    lines.push("integrations:".to_owned());
    lines.extend(list.trim_end().lines().map(indented));
    changes.push("the list was moved under `integrations`".to_owned());
    lines.join("\n") + "\n"
}
