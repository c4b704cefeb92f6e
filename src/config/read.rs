//! Reads a configuration: the filter's own document and its sections.

use saphyr_parser::ScalarStyle;

use super::advice;
use super::dialect::{self, ConfigSource, LIST_KEY, OWN_KEY};
use super::indentation::{self, RestoredIndentation};
use super::integrations::{self, IntegrationDefaults, UsedIntegrations};
use super::look_in;
use super::patterns::{self, PatternBudget, Purpose};
use super::problems::{Problems, quote};
use super::section::{Section, items};
use super::values::{COUNT, INTERVALS, PERIODS, age, boolean, duration, integer, one_of, severity};
use super::yaml::{MERGE, Node, YamlValue};
use super::{
    By, Config, Coralogix, Guard, KeyStyle, OnStale, RateLimits, Redaction, SeverityRow, Shape, TextForm,
    Unrecognised,
};
use crate::error::{Code, Diagnostic, Level};
use crate::finding::{Category, Confidence, Etype, Kind};

/// The result of [`read`].
#[derive(Clone, Debug)]
pub struct ReadResult {
    /// The configuration; present exactly if there is no error.
    pub config: Option<Config>,
    /// Errors and warnings, sorted by file and position.
    pub diagnostics: Vec<Diagnostic>,
}

/// Loads the file that `integrations-file` names.
///
/// The engine itself reads no files.
pub trait FileLoader {
    /// Returns the text of a file; `path` is as written in the configuration.
    ///
    /// # Errors
    /// The reason for which it cannot be read, in a form for the user.
    fn load(&self, path: &str) -> Result<String, String>;
}

/// The loader of a host without files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl FileLoader for NoFiles {
    fn load(&self, _: &str) -> Result<String, String> {
        Err("no file can be read here; write the list under `integrations`".to_owned())
    }
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
pub struct CheckResult {
    /// The number of configurations in the file.
    pub configurations: usize,
    /// Errors, warnings and advice, sorted by file and position.
    pub diagnostics: Vec<Diagnostic>,
}

/// Checks every configuration of a text, and includes advice.
///
/// The text may be a rendered chart.
pub fn check(name: &str, text: &str, files: &dyn FileLoader) -> CheckResult {
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

/// The state of reading that all sections share.
#[derive(Default)]
pub(super) struct ConfigReader {
    pub(super) problems: Problems,
    pattern_budget: PatternBudget,
    /// The document was made of inline options.
    inline: bool,
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
                let defaults = IntegrationDefaults {
                    limits: &config.rate_limit,
                    period_stated: false,
                    fields: true,
                    shape: config.coralogix.shape,
                };
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
        let mut config = Config {
            coralogix: self.coralogix(&root),
            severity: self.severity(&root),
            guard: self.guard(&root),
            rate_limit: self.rate_limits(&root),
            redact: self.redact(&root),
            ..Config::default()
        };
        root.set(&mut self.problems, "unrecognised", &mut config.unrecognised, one_of(UNRECOGNISED));
        if let Some(paths) = look_in::read(&mut self.problems, &root) {
            config.look_in = paths;
        }
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
        let Coralogix { shape, text, .. } = config.coralogix;
        let fields = shape == Shape::Singles && text == TextForm::Object;
        let defaults = IntegrationDefaults { limits: &config.rate_limit, period_stated, fields, shape };
        config.integrations = integrations::read(self, list, &[node, list], &defaults, &used);
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
                let name =
                    root.value(problems, field.key, |text| (!text.is_empty()).then(|| text.to_owned()))?;
                dialect::load_list(problems, (&name, field.node.at), siblings, files)
            }
        }
    }

    fn coralogix(&mut self, root: &Section<'_>) -> Coralogix {
        let problems = &mut self.problems;
        let section = root.section(problems, "coralogix");
        section.check(problems, None);
        let mut coralogix = Coralogix::default();
        let names = [
            ("application-name", &mut coralogix.application_name, false),
            ("subsystem-name", &mut coralogix.subsystem_name, false),
            ("computer-name", &mut coralogix.computer_name, true),
        ];
        for (key, name, may_be_empty) in names {
            if let Some(template) = section.template(problems, key, may_be_empty) {
                *name = template;
            }
        }
        section.set(problems, "shape", &mut coralogix.shape, one_of(SHAPES));
        section.set(problems, "text", &mut coralogix.text, one_of(TEXT_FORMS));
        section.set(problems, "keys", &mut coralogix.keys, one_of(KEYS));
        coralogix
    }

    fn severity(&mut self, root: &Section<'_>) -> Vec<SeverityRow> {
        let rows = root.sections(&mut self.problems, "severity");
        rows.iter().map(|row| self.severity_row(row)).collect()
    }

    fn severity_row(&mut self, row: &Section<'_>) -> SeverityRow {
        let problems = &mut self.problems;
        row.check(problems, None);
        if row.get("severity").is_none() {
            row.report_missing(problems, "severity");
        }
        SeverityRow {
            kinds: row.values(problems, "type", Kind::of),
            etype: row.values(problems, "etype", Etype::of),
            category: row.values(problems, "category", Category::of),
            confidence: row.values(problems, "confidence", Confidence::of),
            non_authorized: row.value(problems, "non-authorized", boolean),
            count: row.value(problems, "count", boolean),
            severity: row.value(problems, "severity", severity),
            entity: self.pattern(row, "entity", Purpose::Accept),
            rule: self.pattern(row, "rule", Purpose::Accept),
        }
    }

    fn guard(&mut self, root: &Section<'_>) -> Guard {
        let problems = &mut self.problems;
        let section = root.section(problems, "guard");
        section.check(problems, None);
        let mut guard = Guard::default();
        section.set(problems, "max-age", &mut guard.max_age_ms, age);
        section.set(problems, "max-ahead", &mut guard.max_ahead_ms, age);
        section.set(problems, "max-entry-bytes", &mut guard.max_entry_bytes, integer(16_384..=1_000_000));
        section.set(problems, "on-stale", &mut guard.on_stale, one_of(ON_STALE));
        advice::guard(problems, &section, &guard);
        guard
    }

    fn rate_limits(&mut self, root: &Section<'_>) -> RateLimits {
        let problems = &mut self.problems;
        let section = root.section(problems, "rate-limit");
        section.check(problems, None);
        let mut limits = RateLimits::default();
        section.set(problems, "period", &mut limits.period_ns, duration(PERIODS));
        section.set(problems, "by", &mut limits.by, one_of(BY));
        limits.burst = section.value(problems, "burst", integer(COUNT));
        section.set(problems, "max-keys", &mut limits.max_keys, integer(1..=1_000_000));
        section.set(problems, "summary-every", &mut limits.summary_every_ns, duration(INTERVALS));
        limits
    }

    fn redact(&mut self, root: &Section<'_>) -> Vec<Redaction> {
        let items = root.sections(&mut self.problems, "redact");
        items.iter().filter_map(|item| self.redaction(item)).collect()
    }

    fn redaction(&mut self, item: &Section<'_>) -> Option<Redaction> {
        let problems = &mut self.problems;
        item.check(problems, None);
        for key in ["field", "pattern"] {
            if item.get(key).is_none() {
                item.report_missing(problems, key);
            }
        }
        let text = |text: &str| Some(text.to_owned());
        // A redaction ignores indices of lists, so a field of digits alone would match nothing.
        let is_name = |part: &str| part.bytes().any(|byte| !byte.is_ascii_digit());
        let field = item.value(problems, "field", |field| {
            text(field.trim()).filter(|field| field.split(['-', '_', '.']).any(is_name))
        });
        let replacement = item.value(problems, "replacement", text);
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
                for item in items(&mut self.problems, field.node, "use", "") {
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

    /// Returns a pattern after its check.
    ///
    /// A pattern with errors is returned as well, as the configuration is then not used.
    pub(super) fn pattern(&mut self, section: &Section<'_>, key: &str, purpose: Purpose) -> Option<String> {
        let pattern =
            section.value(&mut self.problems, key, |text| (!text.is_empty()).then(|| text.to_owned()))?;
        let node = section.get(key)?.node;
        let style = match &node.value {
            YamlValue::Scalar(scalar) => scalar.style,
            _ => ScalarStyle::Plain,
        };
        let path = section.path_of(key);
        for problem in patterns::check(&pattern, purpose, style, &mut self.pattern_budget) {
            let at = node.span_of(problem.span);
            let help = match problem.repaired {
                None => problem.help,
                // An agent's own configuration has no quotes around a value.
                Some(pattern) if self.inline => format!("{}: write `{pattern}`", problem.help),
                Some(pattern) => format!("{}: write `'{}'`", problem.help, pattern.replace('\'', "''")),
            };
            self.problems.add(problem.code, at, &path, problem.message, help);
        }
        Some(pattern)
    }
}

const ONE_LIST: &str = "give one of `integrations` and `integrations-file`";

const SHAPES: &[(&str, Shape)] = &[("singles", Shape::Singles), ("bulk", Shape::Bulk)];
const TEXT_FORMS: &[(&str, TextForm)] = &[("object", TextForm::Object), ("string", TextForm::String)];
const KEYS: &[(&str, KeyStyle)] = &[("original", KeyStyle::Original), ("snake", KeyStyle::Snake)];
const ON_STALE: &[(&str, OnStale)] = &[("clamp", OnStale::Clamp), ("drop", OnStale::Drop)];
const UNRECOGNISED: &[(&str, Unrecognised)] =
    &[("wrap", Unrecognised::Wrap), ("pass", Unrecognised::Pass), ("drop", Unrecognised::Drop)];
pub(super) const BY: &[(&str, By)] =
    &[("none", By::None), ("entity", By::Entity), ("rule", By::Rule), ("cluster", By::Cluster)];
