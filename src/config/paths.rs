//! Reads option `look-in`: the paths under which a record is searched for findings.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use super::look_in::keys;
use super::option_type::OptionType;
use super::problems::{Problems, quote};
use super::section::{Section, describe_node, items};
use super::yaml::YamlValue;
use crate::error::Code;

const KEY: &str = "look-in";

/// Reads the list; `None` if the option is absent or is not a list.
pub(super) fn read(problems: &mut Problems, root: &Section<'_>) -> Option<Vec<Vec<String>>> {
    let field = root.get(KEY)?;
    let expected = root.type_of(KEY)?;
    let OptionType::Paths { max_items, max_keys, max_key_bytes } = expected else { return None };
    // A null could mean the default or the record alone, so a list is required.
    if field.node.is_null() {
        let help = "`[]` searches only the record itself; omit the key for the default";
        problems.add(Code::Value, field.at, KEY, format!("expected {expected}, found nothing"), help);
        return None;
    }
    let list = items(problems, field.node, KEY, expected);
    if let Some(item) = list.get(max_items) {
        let message = format!("a list of {} paths", list.len());
        problems.add(Code::TooLarge, item.at, KEY, message, format!("at most {max_items}"));
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
        if let Some((message, help)) = refusal(text, &path, max_keys, max_key_bytes) {
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
fn refusal(text: &str, path: &[String], max_keys: usize, max_key_bytes: usize) -> Option<(String, String)> {
    if path.iter().any(String::is_empty) {
        let message = format!("{} has an empty key", quote(text));
        return Some((
            message,
            "write the keys of a path with one dot between them: `properties.log`".to_owned(),
        ));
    }
    if path.len() > max_keys {
        let message = format!("{} has {} keys", quote(text), path.len());
        return Some((message, format!("at most {max_keys}, with a dot between them")));
    }
    let longest = path.iter().map(String::len).max().filter(|bytes| *bytes > max_key_bytes)?;
    Some((format!("a key of {longest} bytes"), format!("at most {max_key_bytes}")))
}
