//! An agent's configuration: the file is read, and checked for the settings that keep records through failures.

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
        let mut settings = Settings::default();
        let mut missing = Vec::new();
        read_fluent_bit(file, &text, 0, &mut settings, &mut missing)?;
        let mut checks = fluent_bit::check(&settings, versions.fluent_bit.as_deref());
        checks.extend(missing.into_iter().map(|file| {
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

/// Adds the settings of a file and of the files that it includes; `missing` gets those that cannot be read.
fn read_fluent_bit(
    file: &Path,
    text: &str,
    depth: usize,
    settings: &mut Settings,
    missing: &mut Vec<String>,
) -> Result<(), String> {
    let includes = match root(text) {
        Some(root) => fluent_bit::add_yaml(&root, settings),
        None => classic::add(text, settings).ok_or_else(|| {
            format!("{}: expected a configuration of Fluent Bit, or of Vector in YAML", file.display())
        })?,
    };
    for name in includes {
        let found = included(file, &name);
        if found.is_empty() || depth == MAX_DEPTH {
            missing.push(name);
            continue;
        }
        for path in found {
            match fs::read_to_string(&path) {
                Ok(text) => read_fluent_bit(&path, &text, depth + 1, settings, missing)?,
                Err(_) => missing.push(path.display().to_string()),
            }
        }
    }
    Ok(())
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
        .collect();
    found.sort();
    found
}
