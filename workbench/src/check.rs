//! Checks configurations and reports every remark: for people, programs and CI.

mod form;
mod mask;

use std::cell::RefCell;
use std::collections::BTreeMap;

use kaudit_filter::audit::SourceKind;
use kaudit_filter::config::{self, Code, Config, Diagnostic, FileLoader, Level};
use kaudit_filter::policy;

pub use mask::{masked, masked_line};

/// The remarks about the checked files.
#[derive(Debug, Default)]
pub struct CheckReport {
    /// The files' texts by the names in the diagnostics.
    texts: BTreeMap<String, String>,
    remarks: Vec<Diagnostic>,
    /// The sources of audit events for which policies are checked.
    event_sources: Vec<SourceKind>,
    files: usize,
    configurations: usize,
}

impl CheckReport {
    /// Creates a report that checks policies for these sources of audit events, too.
    pub fn for_sources(event_sources: Vec<SourceKind>) -> Self {
        Self { event_sources, ..Self::default() }
    }

    /// Checks a file; `files` loads the files that it names.
    pub fn file(&mut self, name: &str, text: &str, files: &dyn FileLoader) {
        let loaded = RecordingLoader { files, name, texts: RefCell::default() };
        let checked = config::check(name, text, &loaded, &self.event_sources);
        self.configurations += checked.configurations;
        let texts = loaded.texts.into_inner();
        self.add(name, text, texts, checked.diagnostics);
    }

    /// Reads a file's configuration like an agent, which gets no advice; `files` loads the files that it names.
    ///
    /// Returns `None` if it has errors.
    pub fn read(&mut self, name: &str, text: &str, files: &dyn FileLoader) -> Option<Config> {
        let loaded = RecordingLoader { files, name, texts: RefCell::default() };
        let read = config::read(name, text, &loaded);
        self.configurations += usize::from(read.config.is_some());
        let texts = loaded.texts.into_inner();
        self.add(name, text, texts, read.diagnostics);
        read.config
    }

    /// Checks a list of rules; `files` loads the files that it names.
    pub fn policy(&mut self, name: &str, text: &str, files: &dyn FileLoader) {
        let loaded = RecordingLoader { files, name, texts: RefCell::default() };
        let diagnostics = policy::read(name, text, &loaded).diagnostics;
        let texts = loaded.texts.into_inner();
        self.add(name, text, texts, diagnostics);
    }

    /// Replaces remarks by the remarks of another report about the same parts, with the same code and message.
    pub(crate) fn at_positions_of(mut self, other: Self) -> Self {
        let mut others = other.remarks;
        for remark in &mut self.remarks {
            let same = |one: &Diagnostic| one.code() == remark.code() && one.message() == remark.message();
            if let Some(index) = others.iter().position(same) {
                *remark = others.remove(index);
            }
        }
        self.texts.extend(other.texts);
        self
    }

    /// Adds the remarks about a file and about the files that it names.
    fn add(
        &mut self,
        name: &str,
        text: &str,
        others: BTreeMap<String, String>,
        remarks: impl IntoIterator<Item = Diagnostic>,
    ) {
        self.files += 1;
        self.remarks.extend(remarks.into_iter().map(|remark| {
            let other = (remark.file() != name).then(|| sibling(name, remark.file()));
            other.map_or(remark.clone(), |other| remark.in_file(&other))
        }));
        self.texts.extend(others);
        self.texts.insert(name.to_owned(), text.to_owned());
    }

    /// Returns whether no file was checked.
    pub fn is_empty(&self) -> bool {
        self.files == 0
    }

    /// Returns every remark, by file and position.
    pub fn remarks(&self) -> &[Diagnostic] {
        &self.remarks
    }

    /// Returns the number of remarks of this level.
    pub fn count(&self, level: Level) -> usize {
        self.remarks.iter().filter(|remark| remark.level() == level).count()
    }

    /// Returns a one-line summary.
    pub fn summary(&self) -> String {
        let of = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
        let found = of(self.configurations, "configuration");
        let checked = if self.files == 1 { found } else { format!("{found} in {}", of(self.files, "file")) };
        let mut counts = Vec::new();
        for (level, noun) in [(Level::Error, "error"), (Level::Warning, "warning")] {
            if self.count(level) > 0 {
                counts.push(of(self.count(level), noun));
            }
        }
        match self.count(Level::Advice) {
            0 => {}
            1 => counts.push("1 piece of advice".to_owned()),
            more => counts.push(format!("{more} pieces of advice")),
        }
        let counts = if counts.is_empty() { "no problems found".to_owned() } else { counts.join(", ") };
        format!("{checked}: {counts}")
    }
}

/// Returns the explanation of a code.
pub fn explain(code: Code) -> String {
    format!("{}: {} ({})\n\n{}\n", code.label(), code.title(), code.level().name(), code.explanation())
}

/// Returns all codes, one line each.
pub fn codes() -> String {
    let lines = Code::ALL
        .iter()
        .map(|code| format!("{}  {:<8}{}\n", code.label(), code.level().name(), code.title()));
    lines.collect()
}

/// Loads files through another loader and stores their texts for the remarks.
struct RecordingLoader<'f> {
    files: &'f dyn FileLoader,
    name: &'f str,
    texts: RefCell<BTreeMap<String, String>>,
}

impl FileLoader for RecordingLoader<'_> {
    fn load(&self, path: &str) -> Result<String, String> {
        let text = self.files.load(path)?;
        self.texts.borrow_mut().insert(sibling(self.name, &self.name(path)), text.clone());
        Ok(text)
    }

    fn name(&self, path: &str) -> String {
        self.files.name(path)
    }
}

/// Resolves a path relative to the folder of another file.
fn sibling(name: &str, path: &str) -> String {
    match name.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
        _ => path.to_owned(),
    }
}
