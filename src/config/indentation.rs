//! Restores lost indentation, as in a text that was copied from a web page.
//!
//! Every key of the option table belongs to one section, so the sequence of lines is enough to find the sections again.
//! Decision: the result is offered only if the reader then finds no structural error; an ambiguous text gets the
//! ordinary errors.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use core::iter::once;

use super::dialect::{LIST_KEY, OWN_KEY};
use super::option_type::OptionType;
use super::options;
use crate::error::{Code, Diagnostic, Level};

/// A longer text was probably not copied from a page.
const MAX_LINES: usize = 2000;
/// Levels of indentation; a ConfigMap with all options has seven.
const MAX_DEPTH: usize = 16;

/// Errors that lost indentation causes, or that show that it was not restored.
const STRUCTURAL: &[Code] = &[
    Code::Syntax,
    Code::KeyNotText,
    Code::DuplicateKey,
    Code::NotAConfiguration,
    Code::NoConfigMap,
    Code::NotUnderData,
    Code::DataNotText,
    Code::DataEmpty,
    Code::Lists,
    Code::NotAList,
    Code::UnknownKey,
    Code::OtherType,
    Code::Missing,
    Code::Shape,
    Code::LooseSecret,
    Code::NoIntegration,
    Code::TargetList,
];

/// A text with its indentation restored.
pub(super) struct RestoredIndentation {
    pub(super) text: String,
    /// The first line, from 1, that is not indented below its section.
    pub(super) line: usize,
    /// The number of characters of that line before its key.
    pub(super) column: usize,
    pub(super) key: String,
    /// The section that the key belongs to.
    pub(super) section: String,
}

/// Returns the text with its indentation restored, if a section lost its keys.
///
/// The text may have other errors.
pub(super) fn restore(text: &str) -> Option<RestoredIndentation> {
    if text.lines().nth(MAX_LINES).is_some() {
        return None;
    }
    let mut restorer = IndentationRestorer::default();
    for (number, line) in (1..).zip(text.lines()) {
        restorer.line(number, line)?;
    }
    let IndentationRestorer { out, first_lost, .. } = restorer;
    first_lost.map(|first_lost| RestoredIndentation { text: out, ..first_lost })
}

/// Returns whether lost indentation may have caused one of the errors.
pub(super) fn has_structural_error(diagnostics: &[Diagnostic]) -> bool {
    let error = |found: &Diagnostic| found.level() == Level::Error && STRUCTURAL.contains(&found.code());
    diagnostics.iter().any(error)
}

/// The kind of a map or list that is open at a line.
enum SectionContext {
    /// The root of a Kubernetes manifest.
    Manifest,
    Metadata,
    /// `labels` or `annotations`.
    Labels,
    Data,
    /// A map, by its path in the option table.
    Section(String),
    /// The items of a list of maps, by their path in the option table.
    Items(String),
    /// The items of a list of scalars.
    Scalars,
}

const MANIFEST_KEYS: &[&str] = &["apiVersion", "kind", "metadata", "data", "immutable"];
const METADATA_KEYS: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "annotations",
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

impl SectionContext {
    fn has_key(&self, key: &str) -> bool {
        match self {
            Self::Manifest => MANIFEST_KEYS.contains(&key),
            Self::Metadata => METADATA_KEYS.contains(&key),
            Self::Labels => !MANIFEST_KEYS.contains(&key) && !METADATA_KEYS.contains(&key),
            Self::Data => key == LIST_KEY || key == OWN_KEY,
            Self::Section(table) => {
                let key =
                    if table.ends_with(".target") { key.strip_prefix("ref/").unwrap_or(key) } else { key };
                options::find(table, key).is_some()
            }
            Self::Items(_) | Self::Scalars => false,
        }
    }

    /// Returns the map or list that a key opens on the lines below it.
    fn child(&self, key: &str, value: &str) -> Option<Self> {
        let block = value.starts_with('|');
        match self {
            Self::Manifest if key == "metadata" && value.is_empty() => Some(Self::Metadata),
            Self::Manifest if key == "data" && value.is_empty() => Some(Self::Data),
            Self::Metadata if matches!(key, "labels" | "annotations") && value.is_empty() => {
                Some(Self::Labels)
            }
            Self::Data if key == LIST_KEY && block => Some(Self::Items("integrations[]".to_owned())),
            Self::Data if key == OWN_KEY && block => Some(Self::Section(String::new())),
            Self::Section(table) if value.is_empty() => {
                let path = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
                let items = format!("{path}[]");
                if options::options_of(&path).next().is_some() {
                    Some(Self::Section(path))
                } else if options::options_of(&items).next().is_some() {
                    Some(Self::Items(items))
                } else {
                    let listed = options::type_of(table, key).is_some_and(OptionType::has_scalar_items);
                    listed.then_some(Self::Scalars)
                }
            }
            _ => None,
        }
    }
}

struct OpenSection {
    context: SectionContext,
    /// The indentation of its keys, or of the dashes of its items, in the output.
    indent: usize,
    /// The key that opened it.
    key: String,
    /// The indentation of that key in the input.
    original_indent: usize,
}

#[derive(Default)]
struct IndentationRestorer {
    open: Vec<OpenSection>,
    out: String,
    /// The first position at which the indentation is lost.
    first_lost: Option<RestoredIndentation>,
    /// No line was written to the map or list that was opened last.
    just_opened: bool,
}

impl IndentationRestorer {
    /// Adds a line; `None` if its section is unknown.
    fn line(&mut self, number: usize, line: &str) -> Option<()> {
        let content = line.trim();
        let found = line.chars().take_while(|c| *c == ' ').count();
        if content.is_empty() {
            self.out.push('\n');
            return Some(());
        }
        if content.starts_with('#') || content == "---" && self.open.is_empty() {
            let indent = self.open.last().map_or(0, |open| open.indent);
            self.write_line(indent, content);
            return Some(());
        }
        match content.strip_prefix('-').filter(|rest| rest.starts_with(' ')) {
            Some(rest) => self.item(number, found, rest.trim_start()),
            None => self.member(number, found, content),
        }
    }

    fn write_line(&mut self, indent: usize, content: &str) {
        self.out.extend(core::iter::repeat_n(' ', indent).chain(content.chars()).chain(once('\n')));
    }

    fn item(&mut self, number: usize, found: usize, content: &str) -> Option<()> {
        if self.open.is_empty() {
            self.push(SectionContext::Items("integrations[]".to_owned()), 0, "", 0)?;
        }
        let key = key(content).map(|(key, _)| key);
        let takes = |open: &OpenSection| match (&open.context, key) {
            (SectionContext::Scalars, None) => true,
            (SectionContext::Items(table), Some(key)) => SectionContext::Section(table.clone()).has_key(key),
            (SectionContext::Items(_), None) => content.starts_with('{'),
            _ => false,
        };
        let at = self.open.iter().rposition(takes)?;
        // A dash may be in the column of the list's key, but not inside the text of a ConfigMap's key.
        self.note_lost_indentation(number, found, content, at, |list| list.key == LIST_KEY);
        self.open.truncate(at.saturating_add(1));
        self.just_opened = false;
        let list = self.open.last()?;
        let indent = list.indent;
        let SectionContext::Items(table) = &list.context else {
            self.write_line(indent, &["- ", content].concat());
            return Some(());
        };
        let section = SectionContext::Section(table.clone());
        self.write_line(indent, &["- ", content].concat());
        self.push(section, indent.saturating_add(2), "", found)?;
        self.just_opened = false;
        let Some((key, value)) = self::key(content) else { return Some(()) };
        self.descend(key, value, found.saturating_add(2))
    }

    fn member(&mut self, number: usize, found: usize, content: &str) -> Option<()> {
        let (key, value) = key(content)?;
        if self.open.is_empty() {
            let manifest = MANIFEST_KEYS.contains(&key);
            let root =
                if manifest { SectionContext::Manifest } else { SectionContext::Section(String::new()) };
            self.push(root, 0, "", 0)?;
        }
        let at = self.open.iter().rposition(|open| open.context.has_key(key))?;
        self.note_lost_indentation(number, found, content, at, |_| true);
        self.open.truncate(at.saturating_add(1));
        self.just_opened = false;
        let indent = self.open.last()?.indent;
        self.write_line(indent, content);
        self.descend(key, value, found)
    }

    /// Opens the map or list below a key of the innermost map.
    fn descend(&mut self, key: &str, value: &str, found: usize) -> Option<()> {
        let open = self.open.last()?;
        let indent = open.indent.saturating_add(2);
        if let Some(context) = open.context.child(key, value) {
            self.push(context, indent, key, found)?;
            self.just_opened = true;
        }
        Some(())
    }

    fn push(&mut self, context: SectionContext, indent: usize, key: &str, found: usize) -> Option<()> {
        self.open.push(OpenSection { context, indent, key: key.to_owned(), original_indent: found });
        (self.open.len() <= MAX_DEPTH).then_some(())
    }

    /// Records the first line below a key that is not indented more than the key.
    fn note_lost_indentation(
        &mut self,
        number: usize,
        found: usize,
        content: &str,
        at: usize,
        counts: impl Fn(&OpenSection) -> bool,
    ) {
        let Some(open) =
            self.open.get(at).filter(|_| self.just_opened && at.saturating_add(1) == self.open.len())
        else {
            return;
        };
        if self.first_lost.is_none() && !open.key.is_empty() && found <= open.original_indent && counts(open)
        {
            let key = key(content).map_or("-", |(key, _)| key);
            self.first_lost = Some(RestoredIndentation {
                text: String::new(),
                line: number,
                column: found,
                key: key.to_owned(),
                section: open.key.clone(),
            });
        }
    }
}

/// Splits a line into its key and value, without a comment.
///
/// `None` if the line has no plain key.
fn key(content: &str) -> Option<(&str, &str)> {
    let (key, value) = content.split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let fits = !key.is_empty() && key.chars().all(plain) && (value.is_empty() || value.starts_with(' '));
    let value = value.trim();
    let value = if value.starts_with('#') { "" } else { value };
    fits.then_some((key, value))
}
