//! Reads a configuration: the filter's own document and its sections.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use super::advice;
use super::dialect::{self, ConfigSource, LIST_KEY, OWN_KEY};
use super::files::{FileLoader, NoFiles};
use super::indentation::{self, RestoredIndentation};
use super::integrations::{self, UsedIntegrations};
use super::option_type::OptionType;
use super::paths;
use super::pattern_problem::Purpose;
use super::patterns::PatternBudget;
use super::problems::quote;
use super::read_audit;
use super::reader::ConfigReader;
use super::section::{Section, items};
use super::severity::Severity;
use super::target::IntegrationDefaults;
use super::types::{
    By, Config, Coralogix, Guard, KeyStyle, OnStale, RateLimits, Redaction, SeverityRow, Shape, TextForm,
    Unrecognised,
};
use super::yaml::{MERGE, Node, YamlValue};
use crate::audit::SourceKind;
use crate::error::{Code, Diagnostic, Level};
use crate::finding::{Category, Confidence, Etype, Kind};

/// The result of [`read`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReadResult {
    /// The configuration; present exactly if there is no error.
    pub config: Option<Config>,
    /// Errors and warnings, sorted by file and position.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a configuration in any of its dialects.
///
/// `name` is the file's name, for messages.
pub fn read(name: &str, text: &str, files: &dyn FileLoader) -> ReadResult {
    let mut result = ConfigReader::default().result(name, text, files);
    if let Some(indentation_error) = indentation_error(name, text, &result.diagnostics, files) {
        result.diagnostics = vec![indentation_error];
    }
    result
}

/// Reads a document that was made of inline options.
pub(super) fn read_inline_document(text: &str) -> ReadResult {
    ConfigReader { inline: true, ..ConfigReader::default() }.result("", text, &NoFiles)
}

/// The result of [`check`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckResult {
    /// The number of configurations in the file.
    pub configurations: usize,
    /// Errors, warnings and advice, sorted by file and position.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks every configuration of a text, and includes advice.
///
/// The text may be a rendered chart. Policies are checked for these sources of audit events, and for the sources that
/// `audit.source` names.
pub fn check(name: &str, text: &str, files: &dyn FileLoader, event_sources: &[SourceKind]) -> CheckResult {
    let mut reader = ConfigReader::default();
    let file = reader.problems.file(name);
    let sources = dialect::sources(&mut reader.problems, file, text);
    let configurations = sources.len();
    for (number, source) in sources.into_iter().enumerate() {
        if number == 1 {
            let message = format!("{configurations} configurations in one file");
            let help = "a file that the filter itself reads has one";
            reader.problems.add(Code::SeveralConfigurations, source.at(), "", message, help);
        }
        reader.pattern_budget = PatternBudget::default();
        reader.sources = event_sources.to_vec();
        reader.source(source, files);
    }
    let diagnostics = reader.problems.finish();
    match indentation_error(name, text, &diagnostics, files) {
        Some(indentation_error) => CheckResult { configurations: 1, diagnostics: vec![indentation_error] },
        None => CheckResult { configurations, diagnostics },
    }
}

/// Returns the one error that replaces all errors due to lost indentation.
fn indentation_error(
    name: &str,
    text: &str,
    found: &[Diagnostic],
    files: &dyn FileLoader,
) -> Option<Diagnostic> {
    if !indentation::has_structural_error(found) {
        return None;
    }
    let RestoredIndentation { text: restored, line, column, key, section } = indentation::restore(text)?;
    if indentation::has_structural_error(&ConfigReader::default().result(name, &restored, files).diagnostics)
    {
        return None;
    }
    let span = (line, column.saturating_add(1), key.chars().count());
    let message = format!("the indentation is lost: {} belongs under {}", quote(&key), quote(&section));
    let help = "indent the keys of a section by two spaces; `kaudit-filter check` prints the whole text";
    Some(Diagnostic::new(Code::IndentationLost, name, span, "").with_message(message, help))
}

/// Restores the indentation of a text with [`Code::IndentationLost`].
///
/// The result contains the secrets of the text.
pub fn restore_indentation(text: &str) -> Option<String> {
    indentation::restore(text).map(|restored| restored.text)
}

/// Returns whether a text may be, or contain, a configuration.
///
/// Tools use it to select files in a folder of other manifests and values.
pub fn may_be_configuration(text: &str) -> bool {
    dialect::looks_like_configuration(text)
}

impl ConfigReader {
    fn result(mut self, name: &str, text: &str, files: &dyn FileLoader) -> ReadResult {
        let file = self.problems.file(name);
        let config = dialect::locate(&mut self.problems, file, text)
            .and_then(|source| self.source(source, files))
            .filter(|_| self.problems.errors() == 0);
        let mut diagnostics = self.problems.finish();
        diagnostics.retain(|diagnostic| diagnostic.level() > Level::Advice);
        ReadResult { config, diagnostics }
    }

    fn source(&mut self, source: ConfigSource, files: &dyn FileLoader) -> Option<Config> {
        match source {
            ConfigSource::List(list) => {
                let config = Config::default();
                let defaults = integration_defaults(&config, false);
                let integrations =
                    integrations::read(self, &list, &[&list], &defaults, &UsedIntegrations::Coralogix);
                Some(Config { integrations, ..config })
            }
            ConfigSource::Own(node, siblings) => self.read_own_document(&node, siblings.as_ref(), files),
        }
    }

    fn read_own_document(
        &mut self,
        node: &Node,
        siblings: Option<&Node>,
        files: &dyn FileLoader,
    ) -> Option<Config> {
        let root = Section::from_node(&mut self.problems, node, "", String::new())?;
        root.check(&mut self.problems, None);
        let default = Config::default();
        let mut config = Config {
            coralogix: self.coralogix(&root),
            severity: self.severity(&root),
            guard: self.guard(&root),
            rate_limit: self.rate_limits(&root),
            unrecognised: root
                .value(&mut self.problems, "unrecognised", Unrecognised::of)
                .unwrap_or(default.unrecognised),
            look_in: paths::read(&mut self.problems, &root).unwrap_or(default.look_in),
            audit: read_audit::read(self, &root, siblings, files),
            redact: self.redact(&root),
            integrations: Vec::new(),
        };
        let used = self.used(&root);
        let load_list = self.load_list(&root, siblings, files);
        let list = match (root.get("integrations"), &load_list) {
            (Some(field), _) => field.node,
            (None, Some(list)) => list,
            (None, None) => return None,
        };
        let period_stated = root.has_merge_key()
            || root
                .get("rate-limit")
                .is_some_and(|field| field.node.get("period").is_some() || field.node.get(MERGE).is_some());
        let defaults = integration_defaults(&config, period_stated);
        config.integrations = integrations::read(self, list, &[node, list], &defaults, &used);
        if let Some(field) = root.get("detect") {
            advice::detections(&mut self.problems, field.at, &config.integrations);
        }
        Some(config)
    }

    /// Loads the list that `integrations-file` names.
    ///
    /// Reports an error unless there is exactly one list.
    fn load_list(
        &mut self,
        root: &Section<'_>,
        siblings: Option<&Node>,
        files: &dyn FileLoader,
    ) -> Option<Node> {
        let problems = &mut self.problems;
        match (root.get("integrations"), root.get("integrations-file")) {
            (None, None) if root.has_merge_key() => None,
            (None, None) => {
                problems.add(Code::Lists, root.at, "", "the list of integrations is missing", ONE_LIST);
                None
            }
            (Some(_), Some(field)) => {
                problems.add(
                    Code::Lists,
                    field.at,
                    "integrations-file",
                    "`integrations` is given too",
                    ONE_LIST,
                );
                None
            }
            (Some(_), None) => {
                if let Some(list) = siblings.and_then(|data| data.get(LIST_KEY)) {
                    let message = format!("this list is not read, as `{OWN_KEY}` has its own");
                    problems.add(
                        Code::ListNotRead,
                        list.at,
                        "",
                        message,
                        format!("there `integrations-file: {LIST_KEY}` reads it"),
                    );
                }
                None
            }
            (None, Some(field)) => {
                let name = root.text(problems, field.key)?;
                dialect::load_list(problems, (&name, field.node.at), siblings, files)
            }
        }
    }

    fn coralogix(&mut self, root: &Section<'_>) -> Coralogix {
        let problems = &mut self.problems;
        let section = root.section(problems, "coralogix");
        section.check(problems, None);
        let default = Coralogix::default();
        Coralogix {
            application_name: section
                .template(problems, "application-name")
                .unwrap_or(default.application_name),
            subsystem_name: section.template(problems, "subsystem-name").unwrap_or(default.subsystem_name),
            computer_name: section.template(problems, "computer-name").unwrap_or(default.computer_name),
            shape: section.value(problems, "shape", Shape::of).unwrap_or(default.shape),
            text: section.value(problems, "text", TextForm::of).unwrap_or(default.text),
            keys: section.value(problems, "keys", KeyStyle::of).unwrap_or(default.keys),
        }
    }

    fn severity(&mut self, root: &Section<'_>) -> Vec<SeverityRow> {
        let rows = root.sections(&mut self.problems, "severity");
        rows.iter().map(|row| self.severity_row(row)).collect()
    }

    fn severity_row(&mut self, row: &Section<'_>) -> SeverityRow {
        let problems = &mut self.problems;
        row.check(problems, None);
        let severity = |text: &str| Severity::of(&text.trim().to_ascii_lowercase());
        SeverityRow {
            kinds: row.values(problems, "type", Kind::of),
            etype: row.values(problems, "etype", Etype::of),
            category: row.values(problems, "category", Category::of),
            confidence: row.values(problems, "confidence", Confidence::of),
            non_authorized: row.boolean(problems, "non-authorized"),
            count: row.boolean(problems, "count"),
            severity: row.value(problems, "severity", severity),
            entity: self.pattern(row, "entity", Purpose::Accept),
            rule: self.pattern(row, "rule", Purpose::Accept),
        }
    }

    fn guard(&mut self, root: &Section<'_>) -> Guard {
        let problems = &mut self.problems;
        let section = root.section(problems, "guard");
        section.check(problems, None);
        let default = Guard::default();
        let guard = Guard {
            max_age_ms: section.milliseconds(problems, "max-age").unwrap_or(default.max_age_ms),
            max_ahead_ms: section.milliseconds(problems, "max-ahead").unwrap_or(default.max_ahead_ms),
            max_entry_bytes: section.integer(problems, "max-entry-bytes").unwrap_or(default.max_entry_bytes),
            on_stale: section.value(problems, "on-stale", OnStale::of).unwrap_or(default.on_stale),
        };
        advice::guard(problems, &section, &guard);
        guard
    }

    fn rate_limits(&mut self, root: &Section<'_>) -> RateLimits {
        let problems = &mut self.problems;
        let section = root.section(problems, "rate-limit");
        section.check(problems, None);
        let default = RateLimits::default();
        RateLimits {
            period_ns: section.duration(problems, "period").unwrap_or(default.period_ns),
            by: section.value(problems, "by", By::of).unwrap_or(default.by),
            burst: section.integer(problems, "burst"),
            max_keys: section.integer(problems, "max-keys").unwrap_or(default.max_keys),
            summary_every_ns: section.duration(problems, "summary-every").unwrap_or(default.summary_every_ns),
        }
    }

    fn redact(&mut self, root: &Section<'_>) -> Vec<Redaction> {
        let items = root.sections(&mut self.problems, "redact");
        items.iter().filter_map(|item| self.redaction(item)).collect()
    }

    fn redaction(&mut self, item: &Section<'_>) -> Option<Redaction> {
        let problems = &mut self.problems;
        item.check(problems, None);
        let field = item.text(problems, "field");
        let replacement = item.text(problems, "replacement");
        let pattern = self.pattern(item, "pattern", Purpose::Overwrite);
        let replacement = replacement.unwrap_or_else(|| "***".to_owned());
        Some(Redaction { field: field?, pattern: pattern?, replacement })
    }

    fn used(&mut self, root: &Section<'_>) -> UsedIntegrations {
        let Some(field) = root.get("use") else { return UsedIntegrations::Coralogix };
        match &field.node.value {
            YamlValue::Scalar(scalar) if scalar.text == "all" => UsedIntegrations::All,
            YamlValue::List(_) => {
                let mut names = Vec::new();
                for item in items(&mut self.problems, field.node, "use", OptionType::IntegrationNames) {
                    match &item.value {
                        YamlValue::Scalar(scalar) if !item.is_null() => {
                            names.push((scalar.text.clone(), item.at));
                        }
                        _ => root.report_invalid_value(&mut self.problems, field, item),
                    }
                }
                UsedIntegrations::Names(names)
            }
            _ => {
                root.report_invalid_value(&mut self.problems, field, field.node);
                UsedIntegrations::All
            }
        }
    }
}

const ONE_LIST: &str = "give one of `integrations` and `integrations-file`";

fn integration_defaults(config: &Config, period_stated: bool) -> IntegrationDefaults<'_> {
    let Coralogix { shape, text, .. } = config.coralogix;
    let without_fields = match (shape, text) {
        (Shape::Singles, TextForm::Object) => Some("{text: string}"),
        (Shape::Singles, TextForm::String) | (Shape::Bulk, _) => None,
        (Shape::Otlp, _) => Some("{shape: singles, text: string}"),
    };
    IntegrationDefaults { limits: &config.rate_limit, period_stated, without_fields, shape }
}
