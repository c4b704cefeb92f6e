//! Checks configurations and reports every remark: for people, programs and CI.

mod form;
mod mask;

use std::cell::RefCell;
use std::collections::BTreeMap;

use kaudit_filter::audit::SourceKind;
use kaudit_filter::config::{self, Code, Diagnostic, FileLoader, Level};

pub use mask::masked;

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
        self.files += 1;
        self.configurations += checked.configurations;
        self.remarks.extend(checked.diagnostics.into_iter().map(|remark| {
            let other = (remark.file() != name).then(|| sibling(name, remark.file()));
            other.map_or(remark.clone(), |other| remark.in_file(&other))
        }));
        self.texts.extend(loaded.texts.into_inner());
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
        self.texts.borrow_mut().insert(sibling(self.name, path), text.clone());
        Ok(text)
    }
}

/// Resolves a path relative to the folder of another file.
fn sibling(name: &str, path: &str) -> String {
    match name.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
        _ => path.to_owned(),
    }
}
