//! Restores the indentation of a configuration that has lost it, as a text copied from a web page has.
//!
//! Every key of the option table has one section that it belongs to, so a sequence of lines is enough to find the sections
//! again. Decision: the result is only offered if the reader then finds no mistake of structure; a text that is not
//! certain to be understood gets the ordinary errors.

use core::iter::once;

use super::dialect::{LIST_KEY, OWN_KEY};
use super::options;
use crate::error::{Code, Diagnostic, Level};

/// A longer text is not one that was copied from a page.
const MAX_LINES: usize = 2000;
/// Levels of indentation; a ConfigMap with all options has seven.
const MAX_DEPTH: usize = 16;

/// Errors that the lost indentation is the cause of, or that show that it was not restored.
const OF_STRUCTURE: &[Code] = &[
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

/// A text whose indentation was restored.
pub(super) struct Restored {
    pub(super) text: String,
    /// The first line, from 1, that is not indented below its section.
    pub(super) line: usize,
    /// The characters of that line before its key, and the key.
    pub(super) column: usize,
    pub(super) key: String,
    /// The section that the key belongs to.
    pub(super) section: String,
}

/// Returns the text with its indentation restored, if a section lost its keys. The text may still have other mistakes.
pub(super) fn restore(text: &str) -> Option<Restored> {
    if text.lines().nth(MAX_LINES).is_some() {
        return None;
    }
    let mut restorer = Restorer::default();
    for (number, line) in (1..).zip(text.lines()) {
        restorer.line(number, line)?;
    }
    let Restorer { out, lost, .. } = restorer;
    lost.map(|lost| Restored { text: out, ..lost })
}

/// Whether some error may have the lost indentation as its cause.
pub(super) fn concerns(diagnostics: &[Diagnostic]) -> bool {
    let error = |found: &Diagnostic| found.level() == Level::Error && OF_STRUCTURE.contains(&found.code());
    diagnostics.iter().any(error)
}

/// A map that is open at a line.
enum Context {
    /// A manifest.
    Manifest,
    Metadata,
    /// `labels` or `annotations`.
    Labels,
    Data,
    /// A map by its path in the option table.
    Section(String),
    /// The items of a list of maps, by their path in the table.
    Items(String),
    /// The items of a list of words.
    Words,
}

const OF_MANIFEST: &[&str] = &["apiVersion", "kind", "metadata", "data", "immutable"];
const OF_METADATA: &[&str] = &[
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

impl Context {
    fn has(&self, key: &str) -> bool {
        match self {
            Self::Manifest => OF_MANIFEST.contains(&key),
            Self::Metadata => OF_METADATA.contains(&key),
            Self::Labels => !OF_MANIFEST.contains(&key) && !OF_METADATA.contains(&key),
            Self::Data => key == LIST_KEY || key == OWN_KEY,
            Self::Section(table) => {
                let key =
                    if table.ends_with(".target") { key.strip_prefix("ref/").unwrap_or(key) } else { key };
                options::find(table, key).is_some()
            }
            Self::Items(_) | Self::Words => false,
        }
    }

    /// The map or list that a key opens on the lines below it.
    fn below(&self, key: &str, value: &str) -> Option<Self> {
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
                if options::of(&path).next().is_some() {
                    Some(Self::Section(path))
                } else if options::of(&items).next().is_some() {
                    Some(Self::Items(items))
                } else {
                    let listed = options::find(table, key).is_some_and(|option| option.kind.contains("list"));
                    listed.then_some(Self::Words)
                }
            }
            _ => None,
        }
    }
}

struct Open {
    context: Context,
    /// Of its keys, or of the dashes of its items.
    indent: usize,
    /// The key that opened it, and its indentation in the text.
    key: String,
    found: usize,
}

#[derive(Default)]
struct Restorer {
    open: Vec<Open>,
    out: String,
    /// The first place where the indentation is lost.
    lost: Option<Restored>,
    /// The map or list that was opened last has no line yet.
    fresh: bool,
}

impl Restorer {
    /// Adds a line; `None` if it is not understood.
    fn line(&mut self, number: usize, line: &str) -> Option<()> {
        let content = line.trim();
        let found = line.chars().take_while(|c| *c == ' ').count();
        if content.is_empty() {
            self.out.push('\n');
            return Some(());
        }
        if content.starts_with('#') || content == "---" && self.open.is_empty() {
            let indent = self.open.last().map_or(0, |open| open.indent);
            self.put(indent, content);
            return Some(());
        }
        match content.strip_prefix('-').filter(|rest| rest.starts_with(' ')) {
            Some(rest) => self.item(number, found, rest.trim_start()),
            None => self.member(number, found, content),
        }
    }

    fn put(&mut self, indent: usize, content: &str) {
        self.out.extend(core::iter::repeat_n(' ', indent).chain(content.chars()).chain(once('\n')));
    }

    fn item(&mut self, number: usize, found: usize, content: &str) -> Option<()> {
        if self.open.is_empty() {
            self.push(Context::Items("integrations[]".to_owned()), 0, "", 0)?;
        }
        let key = key(content).map(|(key, _)| key);
        let takes = |open: &Open| match (&open.context, key) {
            (Context::Words, None) => true,
            (Context::Items(table), Some(key)) => Context::Section(table.clone()).has(key),
            (Context::Items(_), None) => content.starts_with('{'),
            _ => false,
        };
        let at = self.open.iter().rposition(takes)?;
        // A dash may be in the column of the list's key, but not within the text of a ConfigMap's key.
        self.note(number, found, content, at, |list| list.key == LIST_KEY);
        self.open.truncate(at.saturating_add(1));
        self.fresh = false;
        let list = self.open.last()?;
        let indent = list.indent;
        let Context::Items(table) = &list.context else {
            self.put(indent, &["- ", content].concat());
            return Some(());
        };
        let section = Context::Section(table.clone());
        self.put(indent, &["- ", content].concat());
        self.push(section, indent.saturating_add(2), "", found)?;
        self.fresh = false;
        let Some((key, value)) = self::key(content) else { return Some(()) };
        self.descend(key, value, found.saturating_add(2))
    }

    fn member(&mut self, number: usize, found: usize, content: &str) -> Option<()> {
        let (key, value) = key(content)?;
        if self.open.is_empty() {
            let manifest = OF_MANIFEST.contains(&key);
            let root = if manifest { Context::Manifest } else { Context::Section(String::new()) };
            self.push(root, 0, "", 0)?;
        }
        let at = self.open.iter().rposition(|open| open.context.has(key))?;
        self.note(number, found, content, at, |_| true);
        self.open.truncate(at.saturating_add(1));
        self.fresh = false;
        let indent = self.open.last()?.indent;
        self.put(indent, content);
        self.descend(key, value, found)
    }

    /// Opens the map or list below a key of the innermost map.
    fn descend(&mut self, key: &str, value: &str, found: usize) -> Option<()> {
        let open = self.open.last()?;
        let indent = open.indent.saturating_add(2);
        if let Some(context) = open.context.below(key, value) {
            self.push(context, indent, key, found)?;
            self.fresh = true;
        }
        Some(())
    }

    fn push(&mut self, context: Context, indent: usize, key: &str, found: usize) -> Option<()> {
        self.open.push(Open { context, indent, key: key.to_owned(), found });
        (self.open.len() <= MAX_DEPTH).then_some(())
    }

    /// Notes the first line below a key that is not indented more than the key.
    fn note(
        &mut self,
        number: usize,
        found: usize,
        content: &str,
        at: usize,
        counts: impl Fn(&Open) -> bool,
    ) {
        let Some(open) = self.open.get(at).filter(|_| self.fresh && at.saturating_add(1) == self.open.len())
        else {
            return;
        };
        if self.lost.is_none() && !open.key.is_empty() && found <= open.found && counts(open) {
            let key = key(content).map_or("-", |(key, _)| key);
            self.lost = Some(Restored {
                text: String::new(),
                line: number,
                column: found,
                key: key.to_owned(),
                section: open.key.clone(),
            });
        }
    }
}

/// The key of a line and the value after it, without a comment; `None` if the line has no plain key.
fn key(content: &str) -> Option<(&str, &str)> {
    let (key, value) = content.split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let fits = !key.is_empty() && key.chars().all(plain) && (value.is_empty() || value.starts_with(' '));
    let value = value.trim();
    let value = if value.starts_with('#') { "" } else { value };
    fits.then_some((key, value))
}
