//! The argument of `kaudit.new`: a file or the inline options, and this host's own options.

use std::path::Path;

use host_kit::config::{Accepted, ConfigFile, SiblingFiles, accept, excluded, unknown};
use kaudit_filter::config::{self, Config, INLINE_OPTIONS};
use mlua::prelude::{LuaFunction, LuaValue};

/// The options, read.
pub struct Options {
    pub config: Config,
    /// Returns the time of arrival, epoch milliseconds.
    pub now: Option<LuaFunction>,
    pub mode: Option<Mode>,
}

/// The form of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A line in `log.message`.
    Text,
    /// Decoded, in `log` itself.
    Table,
}

/// The options found so far, and their mistakes.
#[derive(Default)]
struct Found {
    file: Option<String>,
    inline: Vec<(&'static str, String)>,
    now: Option<LuaFunction>,
    mode: Option<Mode>,
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
        found.mistakes.sort();
        match found.config() {
            Ok((config, warnings)) if found.mistakes.is_empty() => {
                // Vector's own log is on standard error, too.
                for warning in warnings {
                    eprintln!("kaudit: {warning}");
                }
                Ok(Self { config, now: found.now, mode: found.mode })
            }
            read => {
                let mistakes = found.mistakes.iter().cloned().chain(read.err().unwrap_or_default());
                Err(mistakes.map(|mistake| format!("kaudit: {mistake}")).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

impl Found {
    fn take(&mut self, name: &LuaValue, value: LuaValue) {
        let name = name.to_string().unwrap_or_default();
        match (name.as_str(), value) {
            ("config_file", LuaValue::String(file)) => self.file = Some(file.to_string_lossy()),
            ("now", LuaValue::Function(now)) => self.now = Some(now),
            ("way", LuaValue::String(mode)) if mode == "text" => self.mode = Some(Mode::Text),
            ("way", LuaValue::String(mode)) if mode == "table" => self.mode = Some(Mode::Table),
            ("config_file", _) => self.wrong("config_file", "expected the path of a file, as a string"),
            ("now", _) => self.wrong("now", "expected a function that returns epoch milliseconds"),
            ("way", _) => self.wrong("way", "expected \"text\" or \"table\""),
            (name, value) => {
                let Some((known, _)) = INLINE_OPTIONS.iter().find(|(known, _)| *known == name) else {
                    let inline = INLINE_OPTIONS.iter().map(|(known, _)| *known);
                    let known: Vec<&str> = ["config_file", "now", "way"].into_iter().chain(inline).collect();
                    return self.mistakes.push(format!("error: {}", unknown(name, &known)));
                };
                match spelt(&value) {
                    Some(text) => self.inline.push((known, text)),
                    None => self.wrong(known, "expected a string, a number or a list of strings"),
                }
            }
        }
    }

    fn wrong(&mut self, option: &str, what: &str) {
        self.mistakes.push(format!("error: {option}: {what}"));
    }

    /// Returns the configuration of the file or of the inline options.
    fn config(&self) -> Accepted {
        match (&self.file, self.inline.first()) {
            (None, _) => {
                let inline: Vec<(&str, &str)> =
                    self.inline.iter().map(|(name, text)| (*name, text.as_str())).collect();
                accept(config::read_inline(&inline), ToString::to_string)
            }
            (Some(_), Some((option, _))) => Err(vec![format!("error: {}", excluded(option))]),
            (Some(file), None) => ConfigFile::load(file, SiblingFiles::of(Path::new(file))).read(),
        }
    }
}

/// Returns an option's text; the items of a list are joined by commas.
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
