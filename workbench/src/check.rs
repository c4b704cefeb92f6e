//! Looks at configurations and tells every remark about them: for people, for programs, for CI.

mod form;
mod mask;

use std::cell::RefCell;
use std::collections::BTreeMap;

use kaudit_filter::config::{self, Code, Diagnostic, Files, Level};

pub use mask::masked;

/// What was found in some files.
#[derive(Default)]
pub struct Report {
    /// Texts by the names that diagnostics have.
    texts: BTreeMap<String, String>,
    remarks: Vec<Diagnostic>,
    files: usize,
    configurations: usize,
}

impl Report {
    /// Looks at a file; `files` loads what it names in turn.
    pub fn file(&mut self, name: &str, text: &str, files: &dyn Files) {
        let loaded = Loaded { files, beside: name, texts: RefCell::default() };
        let checked = config::check(name, text, &loaded);
        self.files += 1;
        self.configurations += checked.configurations;
        self.remarks.extend(checked.diagnostics.into_iter().map(|remark| {
            let other = (remark.file() != name).then(|| sibling(name, remark.file()));
            other.map_or(remark.clone(), |other| remark.in_file(&other))
        }));
        self.texts.extend(loaded.texts.into_inner());
        self.texts.insert(name.to_owned(), text.to_owned());
    }

    /// Whether no file was looked at.
    pub fn is_empty(&self) -> bool {
        self.files == 0
    }

    /// Every remark, by file and place.
    pub fn remarks(&self) -> &[Diagnostic] {
        &self.remarks
    }

    /// How many remarks of this level there are.
    pub fn count(&self, level: Level) -> usize {
        self.remarks.iter().filter(|remark| remark.level() == level).count()
    }

    /// One line that sums up.
    pub fn summary(&self) -> String {
        let of = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let found = of(self.configurations, "configuration");
        let looked = if self.files == 1 { found } else { format!("{found} in {}", of(self.files, "file")) };
        let mut counts = Vec::new();
        for (level, word) in [(Level::Error, "error"), (Level::Warning, "warning")] {
            if self.count(level) > 0 {
                counts.push(of(self.count(level), word));
            }
        }
        match self.count(Level::Advice) {
            0 => {}
            1 => counts.push("1 piece of advice".to_owned()),
            more => counts.push(format!("{more} pieces of advice")),
        }
        let counts = if counts.is_empty() { "nothing to remark".to_owned() } else { counts.join(", ") };
        format!("{looked}: {counts}")
    }
}

/// What a code means, for reading.
pub fn explain(code: Code) -> String {
    format!("{}: {} ({})\n\n{}\n", code.label(), code.title(), code.level().word(), code.explanation())
}

/// All codes, one line each.
pub fn codes() -> String {
    let lines = Code::ALL
        .iter()
        .map(|code| format!("{}  {:<8}{}\n", code.label(), code.level().word(), code.title()));
    lines.collect()
}

/// Loads through another, and remembers the texts for the remarks about them.
struct Loaded<'f> {
    files: &'f dyn Files,
    beside: &'f str,
    texts: RefCell<BTreeMap<String, String>>,
}

impl Files for Loaded<'_> {
    fn load(&self, path: &str) -> Result<String, String> {
        let text = self.files.load(path)?;
        self.texts.borrow_mut().insert(sibling(self.beside, path), text.clone());
        Ok(text)
    }
}

/// The path of a file that stands beside another.
fn sibling(name: &str, path: &str) -> String {
    match name.rsplit_once('/') {
        Some((folder, _)) if !path.starts_with('/') => format!("{folder}/{path}"),
        _ => path.to_owned(),
    }
}
