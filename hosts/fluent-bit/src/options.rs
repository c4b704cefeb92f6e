//! What the user wrote: the options of the `[FILTER]` section, and the file that `config_file` names.
//!
//! The options in place of a file are the engine's ([`INLINE_OPTIONS`]), the same for every agent; this host adds those about
//! itself.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::path::Path;

use kaudit_filter::config::{self, Config, Diagnostic, FileLoader, INLINE_OPTIONS, Level};

use crate::abi::Instance;

/// The file with the configuration.
const CONFIG_FILE: &CStr = c"config_file";
/// How often the file is looked at.
const RELOAD_INTERVAL: &CStr = c"reload_interval";
/// How often statistics are written.
const STATS_INTERVAL: &CStr = c"stats_interval";
/// Whether statistics leave as an entry, too.
const STATS_ENTRY: &CStr = c"stats_entry";

/// Options about the host, which go with a file as well.
const HOST: [&CStr; 4] = [CONFIG_FILE, RELOAD_INTERVAL, STATS_INTERVAL, STATS_ENTRY];

/// What Fluent Bit itself reads among a filter's options.
const FLUENT_BIT: [&str; 2] = ["active", "condition"];

/// The options, checked.
pub struct Options {
    /// The configuration as it was read.
    pub config: Config,
    /// Remarks that do not keep the filter from running.
    pub warnings: Vec<String>,
    /// The file and what it was made of; `None`: the options are inline.
    pub file: Option<Source>,
    /// Nanoseconds between two looks at the file.
    pub reload_interval: i64,
    /// Nanoseconds between two statistics.
    pub stats_interval: i64,
    /// Whether statistics leave as an entry, too.
    pub stats_entry: bool,
}

/// Reads and checks all options.
///
/// # Errors
/// Every mistake, one line each.
pub fn read(given: &Instance) -> Result<Options, Vec<String>> {
    let mut mistakes = unknown(&given.properties().unwrap_or_default());
    let mut seconds = |name, default| {
        interval(given, name, default).unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            default
        })
    };
    let reload_interval = seconds(RELOAD_INTERVAL, 5) * 1_000_000_000;
    let stats_interval = seconds(STATS_INTERVAL, 60) * 1_000_000_000;
    let stats_entry = switch(given, STATS_ENTRY).unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        false
    });
    let (read, file) = match given.property(CONFIG_FILE) {
        Some(path) => {
            mistakes.extend(beside_a_file(given));
            let source = Source::load(&path);
            (source.read(), Some(source))
        }
        None => (inline(given), None),
    };
    let (config, warnings) = match read {
        Ok((config, warnings)) if mistakes.is_empty() => (config, warnings),
        read => return Err(mistakes.into_iter().chain(read.err().unwrap_or_default()).collect()),
    };
    Ok(Options { config, warnings, file, reload_interval, stats_interval, stats_entry })
}

/// A configuration, and remarks that do not keep it from being used; or every mistake.
pub type Read = Result<(Config, Vec<String>), Vec<String>>;

/// A configuration file and those it names, by their texts.
///
/// Decision: the texts are compared, not the files' times. They are small, and a `ConfigMap` mount swaps symlinks
/// within the second that some file systems' times count in.
#[derive(PartialEq, Eq)]
pub struct Source {
    path: String,
    text: Result<String, String>,
    /// What `integrations-file` names, as far as it was asked for.
    others: RefCell<Vec<(String, Result<String, String>)>>,
}

impl Source {
    /// Loads a file.
    pub fn load(path: &str) -> Self {
        Self { path: path.to_owned(), text: load(Path::new(path)), others: RefCell::default() }
    }

    /// The same files as they are now.
    pub fn again(&self) -> Self {
        let source = Self::load(&self.path);
        for (name, _) in &*self.others.borrow() {
            let _ = source.load(name);
        }
        source
    }

    /// The configuration.
    pub fn read(&self) -> Read {
        let unreadable =
            |reason: &String| vec![format!("config_file: `{}` cannot be read: {reason}", self.path)];
        let text = self.text.as_ref().map_err(unreadable)?;
        let config::ReadResult { config, diagnostics } = config::read(&self.path, text, self);
        let lines = |level| {
            diagnostics
                .iter()
                .filter(move |remark| remark.level() == level)
                .map(ToString::to_string)
                .collect()
        };
        config.map(|config| (config, lines(Level::Warning))).ok_or_else(|| lines(Level::Error))
    }
}

impl FileLoader for Source {
    fn load(&self, name: &str) -> Result<String, String> {
        let text = load(&Path::new(&self.path).with_file_name(name));
        self.others.borrow_mut().push((name.to_owned(), text.clone()));
        text
    }
}

/// Greater than any sensible configuration; what is greater is surely another file.
const MAX_BYTES: u64 = 4 << 20;

fn load(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|error| reason(&error))?.len();
    if size > MAX_BYTES {
        return Err(format!("it is {size} bytes long; at most {MAX_BYTES} are read"));
    }
    std::fs::read_to_string(path).map_err(|error| reason(&error))
}

/// The system's words, without its number for them.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

/// The options given in place of a file.
fn inline(given: &Instance) -> Read {
    let options: Vec<(&str, String)> =
        INLINE_OPTIONS.iter().filter_map(|&(name, _)| Some((name, property(given, name)?))).collect();
    let options: Vec<(&str, &str)> = options.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let config::ReadResult { config, diagnostics } = config::read_inline(&options);
    let lines = |level| diagnostics.iter().filter(move |remark| remark.level() == level).map(line).collect();
    let mut mistakes: Vec<String> = lines(Level::Error);
    let is_set = |name| options.iter().any(|(option, _)| *option == name);
    if is_set("rate_limit_by") && !is_set("rate_limit") {
        mistakes.push("rate_limit_by: has no effect without `rate_limit`; set both or neither".to_owned());
    }
    match config {
        Some(config) if mistakes.is_empty() => Ok((config, lines(Level::Warning))),
        _ => Err(mistakes),
    }
}

/// A remark without its level, which the log has.
fn line(remark: &Diagnostic) -> String {
    let help = if remark.help().is_empty() { String::new() } else { format!("; {}", remark.help()) };
    format!("{}: {}{help}", remark.path(), remark.message())
}

/// An option by a name that is known to the engine.
fn property(given: &Instance, name: &str) -> Option<String> {
    given.property(&CString::new(name).ok()?)
}

/// Options that neither the plugin nor Fluent Bit knows, and those that are set twice.
fn unknown(names: &[String]) -> Vec<String> {
    let mut mistakes = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let lower = name.to_ascii_lowercase();
        let known = all().contains(&lower);
        let foreign = FLUENT_BIT.contains(&&*lower) || lower.starts_with('_');
        if !known && !foreign {
            mistakes.push(format!("{name}: unknown option; one of {}", all().join(", ")));
        } else if names[..index].iter().any(|other| other.eq_ignore_ascii_case(name)) {
            mistakes.push(format!("{name}: set more than once; remove all but one"));
        }
    }
    mistakes
}

/// Options that a configuration file excludes.
fn beside_a_file(given: &Instance) -> Vec<String> {
    let set = INLINE_OPTIONS.iter().filter(|(name, _)| property(given, name).is_some());
    set.map(|(name, _)| format!("{name}: excluded by `config_file`; write it in the file")).collect()
}

/// Every option's name.
fn all() -> Vec<String> {
    let inline = INLINE_OPTIONS.iter().map(|(name, _)| (*name).to_owned());
    HOST.into_iter().map(spell).chain(inline).collect()
}

fn spell(option: &CStr) -> String {
    option.to_string_lossy().into_owned()
}

/// A number of seconds, or of minutes, hours or days with `m`, `h` or `d` behind it.
fn interval(given: &Instance, option: &CStr, default: i64) -> Result<i64, String> {
    const DAY: i64 = 86_400;
    let Some(value) = given.property(option) else { return Ok(default) };
    let (number, unit) = value.split_at(value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len()));
    let unit = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => DAY,
        _ => 0,
    };
    let seconds = number.parse().ok().and_then(|number: i64| number.checked_mul(unit));
    seconds.filter(|seconds| (1..=DAY).contains(seconds)).ok_or_else(|| {
        format!("{}: expected a time from 1s to 1d, such as 30s or 5m, found `{value}`", spell(option))
    })
}

fn switch(given: &Instance, option: &CStr) -> Result<bool, String> {
    let Some(value) = given.property(option) else { return Ok(false) };
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" => Ok(true),
        "off" | "false" | "no" => Ok(false),
        _ => Err(format!("{}: expected on or off, found `{value}`", spell(option))),
    }
}
