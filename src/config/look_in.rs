//! Option `look-in`: the paths under which a record is searched for findings.
//!
//! It applies to records that are not findings themselves. The default list is written once, in a macro call. The
//! engine's default, the option table, the schema and the manifest derive from it.

#[cfg(feature = "compile")]
use super::options;
#[cfg(feature = "compile")]
use super::problems::{Problems, quote};
#[cfg(feature = "compile")]
use super::section::{Section, describe_node, items};
#[cfg(feature = "compile")]
use super::yaml::YamlValue;
#[cfg(feature = "compile")]
use crate::error::Code;

/// The maximum number of paths.
/// Every record that is not a finding is searched under each of them.
#[cfg(any(feature = "compile", test))]
const MAX_PATHS: usize = 64;
/// The maximum number of keys in a path.
/// Agents and clouds nest a log line at most this deep.
#[cfg(any(feature = "compile", test))]
const MAX_KEYS: usize = 3;
/// The maximum length of a key, in bytes.
#[cfg(any(feature = "compile", test))]
const MAX_KEY_BYTES: usize = 128;

/// The path of every top-level object of a record that no other path names.
///
/// Such an object has to be unmistakably a finding: a detection with an entity type of kAudit's, or a selection with a
/// cluster or a principal.
pub(crate) const ANY_OBJECT: &str = "*";

macro_rules! paths {
    ($first:literal $($path:literal)*) => {
        /// The default of `look-in`, as it is written in a configuration.
        ///
        /// It covers the keys under which Fluent Bit (also with `Merge_Log_Key`), Vector, journald, OpenTelemetry,
        /// Splunk, GELF, Kafka envelopes, AWS, Azure and Google Cloud store a log line or a list of them.
        pub const LOOK_IN: &[&str] = &[$first, $($path,)* ANY_OBJECT];

        /// The same list in YAML, for the option table.
        #[cfg(feature = "compile")]
        pub(super) const LOOK_IN_TEXT: &str = concat!("[", $first, $(", ", $path,)* ", '*']");
    };
}

paths! {
    "log" "message" "msg" "MESSAGE" "log_processed" "body" "Body" "body.stringValue" "event" "data" "payload"
    "jsonPayload" "textPayload" "json" "parsed" "text" "value" "raw" "_raw" "exec" "short_message" "records" "items"
    "findings" "entries" "logEntries" "logEvents" "detections" "selections" "activity" "properties.log"
}

/// Returns the default paths, each as its keys.
pub(super) fn default() -> Vec<Vec<String>> {
    LOOK_IN.iter().map(|path| keys(path)).collect()
}

fn keys(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

/// Reads the list; `None` if the option is absent or is not a list.
#[cfg(feature = "compile")]
pub(super) fn read(problems: &mut Problems, root: &Section<'_>) -> Option<Vec<Vec<String>>> {
    const KEY: &str = "look-in";
    let field = root.get(KEY)?;
    let kind = options::find("", KEY).map_or("", |option| option.kind);
    // A null could mean the default or the record alone, so a list is required.
    if field.node.is_null() {
        let help = "`[]` searches only the record itself; omit the key for the default";
        problems.add(Code::Value, field.at, KEY, format!("expected {kind}, found nothing"), help);
        return None;
    }
    let list = items(problems, field.node, KEY, kind);
    if let Some(item) = list.get(MAX_PATHS) {
        let message = format!("a list of {} paths", list.len());
        problems.add(Code::TooLarge, item.at, KEY, message, format!("at most {MAX_PATHS}"));
        return None;
    }
    let mut paths: Vec<Vec<String>> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let at = format!("{KEY}[{index}]");
        let text = match &item.value {
            YamlValue::Scalar(scalar) if !item.is_null() => scalar.text.as_str(),
            YamlValue::Invalid => continue,
            _ => {
                let message = format!("expected a key or a dotted path, found {}", describe_node(item));
                problems.add(Code::Value, item.at, &at, message, "put a key such as `null` in quotes");
                continue;
            }
        };
        let path = keys(text);
        if let Some((message, help)) = refusal(text, &path) {
            problems.add(Code::Value, item.at, &at, message, help);
        } else if let Some(first) = paths.iter().position(|other| *other == path) {
            let message = format!("{} is already in the list, at position {first}", quote(text));
            problems.add(Code::RepeatedPath, item.at, &at, message, "remove one of the two");
        } else {
            paths.push(path);
        }
    }
    Some(paths)
}

/// Returns the message and the help for a path that is not allowed.
#[cfg(feature = "compile")]
fn refusal(text: &str, path: &[String]) -> Option<(String, String)> {
    if path.iter().any(String::is_empty) {
        let message = format!("{} has an empty key", quote(text));
        return Some((
            message,
            "write the keys of a path with one dot between them: `properties.log`".to_owned(),
        ));
    }
    if path.len() > MAX_KEYS {
        let message = format!("{} has {} keys", quote(text), path.len());
        return Some((message, format!("at most {MAX_KEYS}, with a dot between them")));
    }
    let longest = path.iter().map(String::len).max().filter(|bytes| *bytes > MAX_KEY_BYTES)?;
    Some((format!("a key of {longest} bytes"), format!("at most {MAX_KEY_BYTES}")))
}

#[cfg(test)]
mod tests {
    use super::{LOOK_IN, MAX_KEY_BYTES, MAX_KEYS, MAX_PATHS, default};
    use std::collections::BTreeSet;

    #[test]
    fn the_default_meets_the_rules_of_the_option() {
        let paths = default();
        assert!(paths.len() <= MAX_PATHS);
        assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), LOOK_IN.len(), "a path is repeated");
        for path in &paths {
            assert!((1..=MAX_KEYS).contains(&path.len()), "{path:?}");
            assert!(path.iter().all(|key| (1..=MAX_KEY_BYTES).contains(&key.len())), "{path:?}");
        }
        assert!(paths.contains(&vec!["properties".to_owned(), "log".to_owned()]));
    }
}
