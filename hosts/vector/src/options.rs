//! What the user gives to `kaudit.new`: a file, or the common options inline, and what only this host has.

use std::fs;
use std::path::Path;

use kaudit_filter::config::{self, Config, FileLoader, INLINE_OPTIONS, Level, ReadResult};
use mlua::prelude::{LuaFunction, LuaValue};

/// The options, read.
pub struct Options {
    pub config: Config,
    /// Gives the time of arrival, epoch milliseconds.
    pub now: Option<LuaFunction>,
    pub way: Option<Way>,
}

/// How events come in and leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A line in `log.message`.
    Text,
    /// Decoded, in `log` itself.
    Table,
}

/// What was found of the options, and what is wrong with them.
#[derive(Default)]
struct Found {
    file: Option<String>,
    inline: Vec<(&'static str, String)>,
    now: Option<LuaFunction>,
    way: Option<Way>,
    mistakes: Vec<String>,
}

impl Options {
    /// Reads the options.
    ///
    /// # Errors
    /// Every mistake, one a line.
    pub fn read(options: &LuaValue) -> Result<Self, String> {
        let LuaValue::Table(options) = options else {
            return Err(
                "kaudit: error: expected a table of options; kaudit.new{config_file = \"…\"}".to_owned()
            );
        };
        let mut found = Found::default();
        options
            .for_each(|name: LuaValue, value: LuaValue| {
                found.take(&name, value);
                Ok(())
            })
            .map_err(|error| error.to_string())?;
        found.inline.sort_by_key(|(name, _)| INLINE_OPTIONS.iter().position(|(known, _)| known == name));
        let reading = found.reading();
        let remark = |diagnostic: &config::Diagnostic| format!("kaudit: {diagnostic}");
        let (warnings, errors): (Vec<_>, Vec<_>) =
            reading.diagnostics.iter().partition(|diagnostic| diagnostic.level() == Level::Warning);
        found.mistakes.sort();
        found.mistakes.extend(errors.into_iter().map(remark));
        match reading.config {
            Some(config) if found.mistakes.is_empty() => {
                // Vector's own log is on standard error, too.
                for warning in warnings {
                    eprintln!("{}", remark(warning));
                }
                Ok(Self { config, now: found.now, way: found.way })
            }
            _ => Err(found.mistakes.join("\n")),
        }
    }
}

impl Found {
    fn take(&mut self, name: &LuaValue, value: LuaValue) {
        let name = name.to_string().unwrap_or_default();
        match (name.as_str(), value) {
            ("config_file", LuaValue::String(file)) => self.file = Some(file.to_string_lossy()),
            ("now", LuaValue::Function(now)) => self.now = Some(now),
            ("way", LuaValue::String(way)) if way == "text" => self.way = Some(Way::Text),
            ("way", LuaValue::String(way)) if way == "table" => self.way = Some(Way::Table),
            ("config_file", _) => self.wrong("config_file", "expected the path of a file, as a string"),
            ("now", _) => self.wrong("now", "expected a function that gives epoch milliseconds"),
            ("way", _) => self.wrong("way", "expected \"text\" or \"table\""),
            (name, value) => {
                let Some((known, _)) = INLINE_OPTIONS.iter().find(|(known, _)| *known == name) else {
                    let known: Vec<&str> = INLINE_OPTIONS.iter().map(|(known, _)| *known).collect();
                    let known = known.join(", ");
                    return self
                        .wrong(name, &format!("unknown option; known: config_file, now, way, {known}"));
                };
                match spelt(&value) {
                    Some(text) => self.inline.push((known, text)),
                    None => self.wrong(known, "expected a string, a number or a list of strings"),
                }
            }
        }
    }

    fn wrong(&mut self, option: &str, what: &str) {
        self.mistakes.push(format!("kaudit: error: {option}: {what}"));
    }

    /// The file's configuration, or that of the inline options.
    fn reading(&mut self) -> ReadResult {
        let nothing = || ReadResult { config: None, diagnostics: Vec::new() };
        let Some(file) = &self.file else {
            let inline: Vec<(&str, &str)> =
                self.inline.iter().map(|(name, text)| (*name, text.as_str())).collect();
            return config::read_inline(&inline);
        };
        if let Some((option, _)) = self.inline.first() {
            let what = "given beside `config_file`; write it in the file, or give no file";
            let option = *option;
            self.wrong(option, what);
            return nothing();
        }
        match fs::read_to_string(file) {
            Ok(text) => config::read(file, &text, &SiblingFiles(Path::new(file))),
            Err(error) => {
                let what = format!("`{file}` cannot be read: {error}");
                self.wrong("config_file", &what);
                nothing()
            }
        }
    }
}

/// An option's text: a list is one of words.
fn spelt(value: &LuaValue) -> Option<String> {
    match value {
        LuaValue::Table(list) => {
            let words: Vec<String> = list.sequence_values().collect::<Result<_, _>>().ok()?;
            Some(words.join(","))
        }
        LuaValue::String(_) | LuaValue::Integer(_) => value.to_string().ok(),
        _ => None,
    }
}

/// Files whose paths count from the configuration's own directory.
struct SiblingFiles<'a>(&'a Path);

impl FileLoader for SiblingFiles<'_> {
    fn load(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.0.with_file_name(path)).map_err(|error| error.to_string())
    }
}
