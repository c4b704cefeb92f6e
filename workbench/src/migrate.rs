//! Migrates kAudit's own configuration, in any dialect, to the filter's.
//!
//! The text is edited only where it has to change, so that comments are preserved. The result is read again and must
//! mean the same as the original, apart from the listed changes: a migration that would change the filtering is
//! rejected.

mod endpoints;
pub(crate) mod inputs;
pub(crate) mod lines;
mod targets;
pub(crate) mod yaml;

use kaudit_filter::config::{Config, FileLoader, Shape};
use kaudit_filter::policy::Policy;

use crate::check::CheckReport;
pub use inputs::{Input, Refusal};
use inputs::{MigratedPolicy, MigrationInput, configuration_of, lines_before, migration_input, policy_of};
use lines::Lines;

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

/// The name of the new document in remarks about parts that the input does not have.
const DOCUMENT: &str = "migrated document";

/// Migrates files to one document: integrations, a policy, or both, in one file or in two.
///
/// # Errors
/// The reason against a migration; the files' own mistakes first.
pub fn migrate(inputs: &[Input<'_>], files: &dyn FileLoader) -> Result<Migrated, Refusal> {
    let mut changes = Vec::new();
    let policy = policy_of(inputs, files)?;
    let configuration = configuration_of(inputs)?;
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
        text.push_str(&policy_section(policy, &mut changes));
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

/// Returns the section of the document, with a comment on the rules that are not enforced.
fn policy_section(policy: &MigratedPolicy<'_>, changes: &mut Vec<String>) -> String {
    changes.push("the rules under `audit-policy` were moved under `policy`".to_owned());
    let mut lines = vec![String::new(), format!("# kAudit's rules, from {}.", policy.name)];
    let enforced = policy.rules.rules.iter().filter(|rule| rule.enforcement.is_some());
    let ids: Vec<String> =
        enforced.map(|rule| rule.id.chars().filter(|c| !c.is_control()).collect()).collect();
    if !ids.is_empty() {
        let reason = "audit events report requests that are already answered";
        lines.push(format!("# `enforcement` has no effect here, as {reason}: {}.", ids.join(", ")));
        let rules = if ids.len() == 1 { "1 rule".to_owned() } else { format!("{} rules", ids.len()) };
        changes.push(format!("`enforcement` of {rules} has no effect: {reason}"));
    }
    lines.push("policy:".to_owned());
    lines.extend(policy.list.trim_end().lines().map(indented));
    lines.join("\n") + "\n"
}

fn indented(line: &str) -> String {
    if line.trim().is_empty() { String::new() } else { format!("  {line}") }
}

/// Returns every setting that affects findings, for comparison.
fn effective_settings(config: &Config) -> String {
    let mut config = config.clone();
    config.integrations.iter_mut().for_each(|integration| integration.line = 0);
    format!("{config:?}")
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
