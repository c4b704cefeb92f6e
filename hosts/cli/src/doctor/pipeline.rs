//! An agent's configuration: the file is read, and checked for the settings that keep records through failures.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::report::{AgentReport, CheckResult};
use super::settings::{Settings, matches};
use super::yaml::{members, root};
use super::{classic, fluent_bit, vector};

/// The maximum depth of files that include files.
const MAX_DEPTH: usize = 8;

/// The versions of the found agents, as texts.
#[derive(Debug, Default)]
pub struct Versions {
    pub fluent_bit: Option<String>,
    pub vector: Option<String>,
}

/// Checks the configuration of an agent.
///
/// # Errors
/// The file cannot be read, or it is of no agent.
pub fn check(file: &Path, versions: &Versions) -> Result<AgentReport, String> {
    let text =
        fs::read_to_string(file).map_err(|error| format!("{}: cannot read: {error}", file.display()))?;
    let checks = if is_vector(&text) {
        vector::check(&text, versions.vector.as_deref())
    } else {
        let mut files = Files::default();
        files.is_new(file);
        files.read(file, &text, 0)?;
        let mut checks = fluent_bit::check(&files.settings, versions.fluent_bit.as_deref());
        checks.extend(files.missing.into_iter().map(|file| {
            let text = format!("`{file}` cannot be read here, so its settings are not checked");
            ("include", CheckResult::Warned(text))
        }));
        checks
    };
    Ok(AgentReport { agent: file.display().to_string(), version: None, checks })
}

fn is_vector(text: &str) -> bool {
    let keys = ["sources", "transforms", "sinks"];
    root(text).is_some_and(|root| members(&root).any(|(key, _)| keys.contains(&key)))
}

/// The files of a configuration of Fluent Bit.
#[derive(Default)]
struct Files {
    settings: Settings,
    /// Files that cannot be read.
    missing: Vec<String>,
    /// The files that were read. Files that include each other by a pattern would be read exponentially often.
    visited: BTreeSet<PathBuf>,
}

impl Files {
    /// Returns whether a file has not been read yet, and notes it.
    fn is_new(&mut self, file: &Path) -> bool {
        self.visited.insert(fs::canonicalize(file).unwrap_or_else(|_| file.to_owned()))
    }

    /// Adds the settings of a file and of the files that it includes.
    fn read(&mut self, file: &Path, text: &str, depth: usize) -> Result<(), String> {
        let includes = match root(text) {
            Some(root) => fluent_bit::add_yaml(&root, &mut self.settings),
            None => classic::add(text, &mut self.settings).ok_or_else(|| {
                format!("{}: expected a configuration of Fluent Bit, or of Vector in YAML", file.display())
            })?,
        };
        for name in includes {
            let found = included(file, &name);
            if found.is_empty() || depth == MAX_DEPTH {
                self.missing.push(name);
                continue;
            }
            for path in found {
                if !self.is_new(&path) {
                    continue;
                }
                match fs::read_to_string(&path) {
                    Ok(text) => self.read(&path, &text, depth + 1)?,
                    Err(_) => self.missing.push(path.display().to_string()),
                }
            }
        }
        Ok(())
    }
}

/// Returns the files that an include names, relative to the file that contains it; the last part may have a `*`.
fn included(file: &Path, name: &str) -> Vec<PathBuf> {
    let path = file.parent().unwrap_or(Path::new("")).join(name);
    let Some(pattern) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.contains('*'))
    else {
        return if path.is_file() { vec![path] } else { Vec::new() };
    };
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| matches(pattern, name)))
        .map(|entry| entry.path())
        // Reading a named pipe would wait for ever.
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found
}
