//! Reads a configuration: the sections of the filter's own document, and what they mean together.

use saphyr_parser::ScalarStyle;

use super::advice;
use super::dialect::{self, LIST_KEY, OWN_KEY, Source};
use super::indentation::{self, Restored};
use super::integrations::{self, Defaults, Use};
use super::look_in;
use super::patterns::{self, Budget, Purpose};
use super::report::{Report, quote};
use super::section::{Section, items};
use super::values::{COUNT, INTERVALS, PERIODS, age, among, boolean, duration, severity, whole};
use super::yaml::{MERGE, Node, Value};
use super::{
    By, Config, Coralogix, Guard, Keys, OnStale, RateLimits, Redaction, SeverityRow, Shape, TextForm,
    Unrecognised,
};
use crate::error::{Code, Diagnostic, Level};
use crate::finding::{Category, Confidence, Etype, Kind};

/// What reading a configuration gives.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The configuration, exactly when there is no error.
    pub config: Option<Config>,
    /// Errors and warnings, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Loads the file that `integrations-file` names: the engine itself reads none.
pub trait Files {
    /// The text of a file, its path as the configuration has it.
    ///
    /// # Errors
    /// Why it cannot be read, in words for the user.
    fn load(&self, path: &str) -> Result<String, String>;
}

/// For a host that has no files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn load(&self, _: &str) -> Result<String, String> {
        Err("no file can be read here; write the list under `integrations`".to_owned())
    }
}

/// Reads a configuration in any of its dialects. `name` is the file's name, for messages.
pub fn read(name: &str, text: &str, files: &dyn Files) -> Reading {
    let mut reading = Reader::default().reading(name, text, files);
    if let Some(lost) = lost(name, text, &reading.diagnostics, files) {
        reading.diagnostics = vec![lost];
    }
    reading
}

/// Reads a document that was made of inline options.
pub(super) fn read_inline(text: &str) -> Reading {
    Reader { inline: true, ..Reader::default() }.reading("", text, &NoFiles)
}

/// What looking at a file gives.
#[derive(Clone, Debug)]
pub struct Checked {
    /// How many configurations the file has.
    pub configurations: usize,
    /// Errors, warnings and advice, by file and place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Looks at every configuration of a text, such as a rendered chart's, and says all there is to say.
pub fn check(name: &str, text: &str, files: &dyn Files) -> Checked {
    let mut reader = Reader::default();
    let file = reader.report.file(name);
    let sources = dialect::sources(&mut reader.report, file, text);
    let configurations = sources.len();
    for (number, source) in sources.into_iter().enumerate() {
        if number == 1 {
            let message = format!("{configurations} configurations in one file");
            let help = "a file that the filter itself reads has one";
            reader.report.say(Code::SeveralConfigurations, source.at(), "", message, help);
        }
        reader.budget = Budget::default();
        reader.source(source, files);
    }
    let diagnostics = reader.report.finish();
    match lost(name, text, &diagnostics, files) {
        Some(lost) => Checked { configurations: 1, diagnostics: vec![lost] },
        None => Checked { configurations, diagnostics },
    }
}

/// The one error in place of those that lost indentation causes.
fn lost(name: &str, text: &str, found: &[Diagnostic], files: &dyn Files) -> Option<Diagnostic> {
    if !indentation::concerns(found) {
        return None;
    }
    let Restored { text: restored, line, column, key, section } = indentation::restore(text)?;
    if indentation::concerns(&Reader::default().reading(name, &restored, files).diagnostics) {
        return None;
    }
    let place = (line, column.saturating_add(1), key.chars().count());
    let message = format!("the indentation is lost: {} belongs under {}", quote(&key), quote(&section));
    let help = "indent the keys of a section by two spaces; `kaudit-filter check` prints the whole text";
    Some(Diagnostic::new(Code::IndentationLost, name, place, "").says(message, help))
}

/// Returns a text whose indentation is lost ([`Code::IndentationLost`]) with its indentation restored. It has the secrets of
/// the text.
pub fn with_indentation(text: &str) -> Option<String> {
    indentation::restore(text).map(|restored| restored.text)
}

/// Whether a text may be, or hold, a configuration: what to look at in a folder of other manifests and values.
pub fn may_be_configuration(text: &str) -> bool {
    dialect::likely(text)
}

/// What reading keeps in mind from one section to the next.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) report: Report,
    budget: Budget,
    /// The document was made of inline options.
    inline: bool,
}

impl Reader {
    fn reading(mut self, name: &str, text: &str, files: &dyn Files) -> Reading {
        let file = self.report.file(name);
        let config = dialect::locate(&mut self.report, file, text)
            .and_then(|source| self.source(source, files))
            .filter(|_| self.report.errors() == 0);
        let mut diagnostics = self.report.finish();
        diagnostics.retain(|diagnostic| diagnostic.level() > Level::Advice);
        Reading { config, diagnostics }
    }

    fn source(&mut self, source: Source, files: &dyn Files) -> Option<Config> {
        match source {
            Source::List(list) => {
                let config = Config::default();
                let defaults = Defaults {
                    limits: &config.rate_limit,
                    period_stated: false,
                    fields: true,
                    shape: config.coralogix.shape,
                };
                let integrations = integrations::read(self, &list, &[&list], &defaults, &Use::Coralogix);
                Some(Config { integrations, ..config })
            }
            Source::Own(node, siblings) => self.own(&node, siblings.as_ref(), files),
        }
    }

    fn own(&mut self, node: &Node, siblings: Option<&Node>, files: &dyn Files) -> Option<Config> {
        let root = Section::open(&mut self.report, node, "", String::new())?;
        root.check(&mut self.report, None);
        let mut config = Config {
            coralogix: self.coralogix(&root),
            severity: self.severity(&root),
            guard: self.guard(&root),
            rate_limit: self.rate_limits(&root),
            redact: self.redact(&root),
            ..Config::default()
        };
        root.set(&mut self.report, "unrecognised", &mut config.unrecognised, among(UNRECOGNISED));
        if let Some(paths) = look_in::read(&mut self.report, &root) {
            config.look_in = paths;
        }
        let chosen = self.chosen(&root);
        let loaded = self.loaded(&root, siblings, files);
        let list = match (root.get("integrations"), &loaded) {
            (Some(field), _) => field.node,
            (None, Some(list)) => list,
            (None, None) => return None,
        };
        let period_stated = root.merges()
            || root
                .get("rate-limit")
                .is_some_and(|field| field.node.get("period").is_some() || field.node.get(MERGE).is_some());
        let Coralogix { shape, text, .. } = config.coralogix;
        let fields = shape == Shape::Singles && text == TextForm::Object;
        let defaults = Defaults { limits: &config.rate_limit, period_stated, fields, shape };
        config.integrations = integrations::read(self, list, &[node, list], &defaults, &chosen);
        Some(config)
    }

    /// The list that `integrations-file` names, and whether there is exactly one list.
    fn loaded(&mut self, root: &Section<'_>, siblings: Option<&Node>, files: &dyn Files) -> Option<Node> {
        let report = &mut self.report;
        match (root.get("integrations"), root.get("integrations-file")) {
            (None, None) if root.merges() => None,
            (None, None) => {
                report.say(Code::Lists, root.at, "", "the list of integrations is missing", ONE_LIST);
                None
            }
            (Some(_), Some(field)) => {
                report.say(
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
                    report.say(
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
                    root.value(report, field.key, |text| (!text.is_empty()).then(|| text.to_owned()))?;
                dialect::list_from(report, (&name, field.node.at), siblings, files)
            }
        }
    }

    fn coralogix(&mut self, root: &Section<'_>) -> Coralogix {
        let report = &mut self.report;
        let section = root.section(report, "coralogix");
        section.check(report, None);
        let mut coralogix = Coralogix::default();
        let names = [
            ("application-name", &mut coralogix.application_name, false),
            ("subsystem-name", &mut coralogix.subsystem_name, false),
            ("computer-name", &mut coralogix.computer_name, true),
        ];
        for (key, name, may_be_empty) in names {
            if let Some(template) = section.template(report, key, may_be_empty) {
                *name = template;
            }
        }
        section.set(report, "shape", &mut coralogix.shape, among(SHAPES));
        section.set(report, "text", &mut coralogix.text, among(TEXT_FORMS));
        section.set(report, "keys", &mut coralogix.keys, among(KEYS));
        coralogix
    }

    fn severity(&mut self, root: &Section<'_>) -> Vec<SeverityRow> {
        let rows = root.sections(&mut self.report, "severity");
        rows.iter().map(|row| self.severity_row(row)).collect()
    }

    fn severity_row(&mut self, row: &Section<'_>) -> SeverityRow {
        let report = &mut self.report;
        row.check(report, None);
        if row.get("severity").is_none() {
            row.missing(report, "severity");
        }
        SeverityRow {
            kinds: row.values(report, "type", Kind::of),
            etype: row.values(report, "etype", Etype::of),
            category: row.values(report, "category", Category::of),
            confidence: row.values(report, "confidence", Confidence::of),
            non_authorized: row.value(report, "non-authorized", boolean),
            count: row.value(report, "count", boolean),
            severity: row.value(report, "severity", severity),
            entity: self.pattern(row, "entity", Purpose::Accept),
            rule: self.pattern(row, "rule", Purpose::Accept),
        }
    }

    fn guard(&mut self, root: &Section<'_>) -> Guard {
        let report = &mut self.report;
        let section = root.section(report, "guard");
        section.check(report, None);
        let mut guard = Guard::default();
        section.set(report, "max-age", &mut guard.max_age_ms, age);
        section.set(report, "max-ahead", &mut guard.max_ahead_ms, age);
        section.set(report, "max-entry-bytes", &mut guard.max_entry_bytes, whole(16_384..=1_000_000));
        section.set(report, "on-stale", &mut guard.on_stale, among(ON_STALE));
        advice::guard(report, &section, &guard);
        guard
    }

    fn rate_limits(&mut self, root: &Section<'_>) -> RateLimits {
        let report = &mut self.report;
        let section = root.section(report, "rate-limit");
        section.check(report, None);
        let mut limits = RateLimits::default();
        section.set(report, "period", &mut limits.period_ns, duration(PERIODS));
        section.set(report, "by", &mut limits.by, among(BY));
        limits.burst = section.value(report, "burst", whole(COUNT));
        section.set(report, "max-keys", &mut limits.max_keys, whole(1..=1_000_000));
        section.set(report, "summary-every", &mut limits.summary_every_ns, duration(INTERVALS));
        limits
    }

    fn redact(&mut self, root: &Section<'_>) -> Vec<Redaction> {
        let items = root.sections(&mut self.report, "redact");
        items.iter().filter_map(|item| self.redaction(item)).collect()
    }

    fn redaction(&mut self, item: &Section<'_>) -> Option<Redaction> {
        let report = &mut self.report;
        item.check(report, None);
        for key in ["field", "pattern"] {
            if item.get(key).is_none() {
                item.missing(report, key);
            }
        }
        let text = |text: &str| Some(text.to_owned());
        // A redaction looks past positions in lists: a field of nothing else would be none.
        let is_name = |word: &str| word.bytes().any(|byte| !byte.is_ascii_digit());
        let field = item.value(report, "field", |field| {
            text(field.trim()).filter(|field| field.split(['-', '_', '.']).any(is_name))
        });
        let replacement = item.value(report, "replacement", text);
        let pattern = self.pattern(item, "pattern", Purpose::Overwrite);
        let replacement = replacement.unwrap_or_else(|| "***".to_owned());
        Some(Redaction { field: field?, pattern: pattern?, replacement })
    }

    fn chosen(&mut self, root: &Section<'_>) -> Use {
        let Some(field) = root.get("use") else { return Use::Coralogix };
        match &field.node.value {
            Value::Scalar(scalar) if scalar.text == "all" => Use::All,
            Value::List(_) => {
                let mut names = Vec::new();
                for item in items(&mut self.report, field.node, "use", "") {
                    match &item.value {
                        Value::Scalar(scalar) if !item.is_null() => {
                            names.push((scalar.text.clone(), item.at));
                        }
                        _ => root.refuse(&mut self.report, field, item),
                    }
                }
                Use::Names(names)
            }
            _ => {
                root.refuse(&mut self.report, field, field.node);
                Use::All
            }
        }
    }

    /// A pattern that has been looked at; one with errors is given too, as the configuration is then of no use anyway.
    pub(super) fn pattern(&mut self, section: &Section<'_>, key: &str, purpose: Purpose) -> Option<String> {
        let pattern =
            section.value(&mut self.report, key, |text| (!text.is_empty()).then(|| text.to_owned()))?;
        let node = section.get(key)?.node;
        let style = match &node.value {
            Value::Scalar(scalar) => scalar.style,
            _ => ScalarStyle::Plain,
        };
        let path = section.path_of(key);
        for remark in patterns::check(&pattern, purpose, style, &mut self.budget) {
            let at = node.place_of(remark.span);
            let help = match remark.repaired {
                None => remark.help,
                // An agent's own configuration has no quotes around a value.
                Some(pattern) if self.inline => format!("{}: write `{pattern}`", remark.help),
                Some(pattern) => format!("{}: write `'{}'`", remark.help, pattern.replace('\'', "''")),
            };
            self.report.say(remark.code, at, &path, remark.message, help);
        }
        Some(pattern)
    }
}

const ONE_LIST: &str = "give one of `integrations` and `integrations-file`";

const SHAPES: &[(&str, Shape)] = &[("singles", Shape::Singles), ("bulk", Shape::Bulk)];
const TEXT_FORMS: &[(&str, TextForm)] = &[("object", TextForm::Object), ("string", TextForm::String)];
const KEYS: &[(&str, Keys)] = &[("original", Keys::Original), ("snake", Keys::Snake)];
const ON_STALE: &[(&str, OnStale)] = &[("clamp", OnStale::Clamp), ("drop", OnStale::Drop)];
const UNRECOGNISED: &[(&str, Unrecognised)] =
    &[("wrap", Unrecognised::Wrap), ("pass", Unrecognised::Pass), ("drop", Unrecognised::Drop)];
pub(super) const BY: &[(&str, By)] =
    &[("none", By::None), ("entity", By::Entity), ("rule", By::Rule), ("cluster", By::Cluster)];
