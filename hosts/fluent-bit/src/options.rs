//! The options of the `[FILTER]` section, and the file that `config_file` names.
//!
//! The inline options, which replace a file, are the engine's ([`INLINE_OPTIONS`]), the same for every agent; this host
//! adds options about itself.

use std::ffi::{CStr, CString};
use std::path::Path;

use host_kit::config::{Accepted, ConfigFile, SiblingFiles, accept, excluded, unknown};
use host_kit::state::StateFile;
use kaudit_filter::config::{self, Config, Diagnostic, INLINE_OPTIONS, Shape, Unrecognised};

use crate::abi::{Instance, LogGroups, log_groups};

/// The file with the configuration.
const CONFIG_FILE: &CStr = c"config_file";
/// The interval between checks of the file.
const RELOAD_INTERVAL: &CStr = c"reload_interval";
/// The interval between statistics.
const STATS_INTERVAL: &CStr = c"stats_interval";
/// Whether statistics are also emitted as an entry.
const STATS_ENTRY: &CStr = c"stats_entry";

/// The file for pending summaries, reports and detections while the agent is stopped.
const STATE_PATH: &CStr = c"state_path";
/// Whether summaries and reports leave when they are due, and not with the next chunk.
const EMITTER: &CStr = c"emitter";
/// The interval in which each drop reason has one explained sample in the log.
const SAMPLE_INTERVAL: &CStr = c"sample_interval";

/// Options about the host, which are allowed together with a file.
const HOST: [&CStr; 7] =
    [CONFIG_FILE, RELOAD_INTERVAL, STATS_INTERVAL, STATS_ENTRY, STATE_PATH, EMITTER, SAMPLE_INTERVAL];

/// The options of a filter that Fluent Bit itself reads.
const FLUENT_BIT: [&str; 2] = ["active", "condition"];

/// The options, checked.
pub struct Options {
    /// The configuration.
    pub config: Config,
    /// Warnings; the filter runs nevertheless.
    pub warnings: Vec<String>,
    /// The file; `None`: the options are inline.
    pub file: Option<ConfigFile<SiblingFiles>>,
    /// Nanoseconds between two checks of the file.
    pub reload_interval: i64,
    /// Nanoseconds between two statistics.
    pub stats_interval: i64,
    /// Whether statistics are also emitted as an entry.
    pub stats_entry: bool,
    /// The file for pending summaries, reports and detections while the agent is stopped.
    pub state: Option<StateFile>,
    /// Whether summaries and reports leave when they are due.
    pub emitter: bool,
    /// Nanoseconds in which each drop reason has one explained sample in the log; `None`: there are none.
    pub sample_interval: Option<i64>,
}

/// Reads and checks all options.
///
/// # Errors
/// Every mistake, one line each.
pub fn read(given: &Instance) -> Result<Options, Vec<String>> {
    let mut mistakes = misspelt(&given.properties().unwrap_or_default());
    let mut seconds = |name, default| {
        interval(given, name, default).unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            default
        })
    };
    let reload_interval = seconds(RELOAD_INTERVAL, 5) * 1_000_000_000;
    let stats_interval = seconds(STATS_INTERVAL, 60) * 1_000_000_000;
    let has_samples = given.property(SAMPLE_INTERVAL).is_some_and(|value| !value.eq_ignore_ascii_case("off"));
    let sample_interval = has_samples.then(|| seconds(SAMPLE_INTERVAL, 60) * 1_000_000_000);
    let mut on = |name, default| {
        switch(given, name, default).unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            default
        })
    };
    let stats_entry = on(STATS_ENTRY, false);
    let emitter = on(EMITTER, true);
    let state = given.property(STATE_PATH).map(|path| StateFile::claim(Path::new(&path)));
    let state = state.transpose().unwrap_or_else(|mistake| {
        mistakes.push(format!("{}: {mistake}", spell(STATE_PATH)));
        None
    });
    let (read, file) = match given.property(CONFIG_FILE) {
        Some(path) => {
            mistakes.extend(beside_a_file(given));
            let file = ConfigFile::load(&path, SiblingFiles::of(Path::new(&path)));
            (supported(file.read()), Some(file))
        }
        None => (supported(inline(given)), None),
    };
    let (config, mut warnings) = match read {
        Ok((config, warnings)) if mistakes.is_empty() => (config, warnings),
        read => return Err(mistakes.into_iter().chain(read.err().unwrap_or_default()).collect()),
    };
    let is_condition = |name: &String| name.eq_ignore_ascii_case("condition");
    if config.coralogix.shape == Shape::Otlp && given.properties().iter().flatten().any(is_condition) {
        warnings.push(
            "condition: with shape otlp the names of entries are lost, since the agent removes the markers of groups; \
             remove it"
                .to_owned(),
        );
    }
    Ok(Options {
        config,
        warnings,
        file,
        reload_interval,
        stats_interval,
        stats_entry,
        state,
        emitter,
        sample_interval,
    })
}

/// Refuses a shape that the agent does not support, and records without a group beside groups.
pub fn supported(read: Accepted) -> Accepted {
    let (config, warnings) = read?;
    if config.coralogix.shape == Shape::Otlp && log_groups() == LogGroups::Unsupported {
        return Err(vec![
            "coralogix.shape: otlp: this Fluent Bit has no log groups, which contain the names of entries; use 3.1 or \
             later, or write singles or bulk"
                .to_owned(),
        ]);
    }
    if config.coralogix.shape == Shape::Otlp && config.unrecognised == Unrecognised::Pass {
        return Err(vec![
            "unrecognised: pass: not available in shape otlp: a record that passes has no group, and from 3.1 to 4.1 many \
             of them crash Fluent Bit's output; write wrap or drop"
                .to_owned(),
        ]);
    }
    Ok((config, warnings))
}

/// Reads the inline options.
fn inline(given: &Instance) -> Accepted {
    let options: Vec<(&str, String)> =
        INLINE_OPTIONS.iter().filter_map(|&(name, _)| Some((name, property(given, name)?))).collect();
    let options: Vec<(&str, &str)> = options.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let read = accept(config::read_inline(&options), line);
    let is_set = |name| options.iter().any(|(option, _)| *option == name);
    if is_set("rate_limit_by") && !is_set("rate_limit") {
        let mistake = "rate_limit_by: has no effect without `rate_limit`; set both or neither".to_owned();
        return Err(read.err().unwrap_or_default().into_iter().chain([mistake]).collect());
    }
    read
}

/// Formats a diagnostic without its level, which the log adds.
fn line(remark: &Diagnostic) -> String {
    let help = if remark.help().is_empty() { String::new() } else { format!("; {}", remark.help()) };
    format!("{}: {}{help}", remark.path(), remark.message())
}

/// Returns the value of an inline option.
fn property(given: &Instance, name: &str) -> Option<String> {
    given.property(&CString::new(name).ok()?)
}

/// Returns a mistake for each option that is unknown, or set twice.
fn misspelt(names: &[String]) -> Vec<String> {
    let (mut mistakes, all) = (Vec::new(), all());
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for (index, name) in names.iter().enumerate() {
        let lower = name.to_ascii_lowercase();
        let foreign = FLUENT_BIT.contains(&&*lower) || lower.starts_with('_');
        if !all.contains(&&*lower) && !foreign {
            mistakes.push(unknown(name, &all));
        } else if names[..index].iter().any(|other| other.eq_ignore_ascii_case(name)) {
            mistakes.push(format!("{name}: set more than once; remove all but one"));
        }
    }
    mistakes
}

/// Returns a mistake for each inline option that is set beside a configuration file.
fn beside_a_file(given: &Instance) -> Vec<String> {
    let set = INLINE_OPTIONS.iter().filter(|(name, _)| property(given, name).is_some());
    set.map(|(name, _)| excluded(name)).collect()
}

/// Returns the name of every option.
fn all() -> Vec<String> {
    let inline = INLINE_OPTIONS.iter().map(|(name, _)| (*name).to_owned());
    HOST.into_iter().map(spell).chain(inline).collect()
}

fn spell(option: &CStr) -> String {
    option.to_string_lossy().into_owned()
}

/// Reads a number of seconds, or of minutes, hours or days with the suffix `m`, `h` or `d`.
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

fn switch(given: &Instance, option: &CStr, default: bool) -> Result<bool, String> {
    let Some(value) = given.property(option) else { return Ok(default) };
    match value.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" => Ok(true),
        "off" | "false" | "no" => Ok(false),
        _ => Err(format!("{}: expected on or off, found `{value}`", spell(option))),
    }
}
