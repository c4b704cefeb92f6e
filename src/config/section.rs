//! Reads a map against the option table: known keys and typed values.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use saphyr_parser::ScalarStyle;

use super::option_type::OptionType;
use super::options;
use super::problems::{Problems, SourceSpan, quote};
use super::values::MILLISECOND;
use super::yaml::{MERGE, Node, Scalar, YamlMember, YamlValue};
use crate::error::Code;
use crate::template::Template;

/// The maximum size of a value; no pattern has megabytes.
const MAX_VALUE_BYTES: usize = 16 * 1024;
/// The maximum length of a list or map.
///
/// It bounds the time of reading, and the time that integrations take per record.
const MAX_ITEMS: usize = 1000;

/// One map of the configuration, with its path.
pub(super) struct Section<'n> {
    /// The path as users write it: `integrations[1].target`.
    pub(super) path: String,
    /// The path in the option table: `integrations[].target`.
    table: String,
    /// The position of errors about missing keys.
    pub(super) at: SourceSpan,
    fields: Vec<SectionField<'n>>,
}

/// A member of a section.
#[derive(Clone, Copy)]
pub(super) struct SectionField<'n> {
    pub(super) key: &'n str,
    pub(super) at: SourceSpan,
    pub(super) node: &'n Node,
    /// The value may be a secret or replace one, so no message repeats it.
    pub(super) secret: bool,
}

impl<'n> From<&'n YamlMember> for SectionField<'n> {
    fn from(member: &'n YamlMember) -> Self {
        Self { key: &member.key, at: member.at, node: &member.node, secret: false }
    }
}

impl<'n> Section<'n> {
    /// Converts a map to a section; a null is an empty map.
    pub(super) fn from_node(
        problems: &mut Problems,
        node: &'n Node,
        table: &str,
        path: String,
    ) -> Option<Self> {
        match &node.value {
            YamlValue::Map(members) if members.len() > MAX_ITEMS => {
                let message = format!("a map of {} keys", members.len());
                problems.add(Code::TooLarge, node.at, &path, message, format!("at most {MAX_ITEMS}"));
                None
            }
            YamlValue::Map(members) => Some(Self::from_fields(
                members.iter().map(SectionField::from).collect(),
                node.at,
                table,
                path,
            )),
            YamlValue::Invalid => None,
            _ if node.is_null() => Some(Self::from_fields(Vec::new(), node.at, table, path)),
            _ => {
                problems.add(
                    Code::Shape,
                    node.at,
                    &path,
                    format!("expected a map, found {}", describe_node(node)),
                    "",
                );
                None
            }
        }
    }

    /// Creates a section of given fields.
    pub(super) fn from_fields(
        fields: Vec<SectionField<'n>>,
        at: SourceSpan,
        table: &str,
        path: String,
    ) -> Self {
        Self { path, table: table.to_owned(), at, fields }
    }

    /// Reports unknown keys, and missing ones that every such section has to have.
    ///
    /// `kind` is the type of the integration or target, if it is known.
    pub(super) fn check(&self, problems: &mut Problems, kind: Option<&str>) {
        for field in &self.fields {
            let path = self.path_of(field.key);
            // The values of references may be in any map, and a merge key was already reported.
            if field.key.starts_with("val-") || field.key == MERGE {
                continue;
            }
            match options::find(&self.table, field.key) {
                None if field.secret && !is_option_like(field.key) => {
                    // `{http-api-token: a,b}` turns half of a secret into a key.
                    let message = "an unknown key, which may be a part of a value";
                    problems.add(Code::LooseSecret, field.at, &self.path, message, "put the value in quotes");
                }
                None => {
                    let message = format!("unknown key {}", quote(field.key));
                    problems.add(Code::UnknownKey, field.at, &path, message, self.advice(field.key, kind));
                }
                Some(option) => {
                    let Some(kind) =
                        kind.filter(|kind| !option.only.is_empty() && !option.only.contains(kind))
                    else {
                        continue;
                    };
                    let message = format!("{} does not belong to {kind}", quote(field.key));
                    problems.add(
                        Code::OtherType,
                        field.at,
                        &path,
                        message,
                        format!("it belongs to {}", option.only.join(" and ")),
                    );
                }
            }
        }
        for (key, option) in options::options_of(&self.table) {
            if option.required && option.only.is_empty() && self.get(key).is_none() {
                self.report_missing(problems, key);
            }
        }
    }

    fn advice(&self, key: &str, kind: Option<&str>) -> String {
        let known = || {
            options::options_of(&self.table)
                .filter(|(_, option)| {
                    kind.is_none_or(|kind| option.only.is_empty() || option.only.contains(&kind))
                })
                .map(|(name, _)| name)
        };
        if let Some(parent) = options::map_of_key(&self.table, key) {
            return format!("it belongs under `{parent}`");
        }
        match nearest(key, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys: {}", known().collect::<Vec<_>>().join(", ")),
        }
    }

    /// Returns the path of one of the section's keys.
    pub(super) fn path_of(&self, key: &str) -> String {
        let key: String = key.chars().take(64).collect();
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }

    fn table_of(&self, key: &str) -> String {
        if self.table.is_empty() { key.to_owned() } else { format!("{}.{key}", self.table) }
    }

    /// Returns the field of this key.
    pub(super) fn get(&self, key: &str) -> Option<&SectionField<'n>> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// Returns all fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = &SectionField<'n>> {
        self.fields.iter()
    }

    /// Returns the map under a key; an absent one is empty.
    pub(super) fn section(&self, problems: &mut Problems, key: &str) -> Section<'n> {
        let (path, table) = (self.path_of(key), self.table_of(key));
        self.get(key)
            .and_then(|field| Section::from_node(problems, field.node, &table, path.clone()))
            .unwrap_or_else(|| Section::from_fields(Vec::new(), self.at, &table, path))
    }

    /// Returns the maps of the list under a key.
    pub(super) fn sections(&self, problems: &mut Problems, key: &str) -> Vec<Section<'n>> {
        let Some(field) = self.get(key) else { return Vec::new() };
        let table = format!("{}[]", self.table_of(key));
        let path = self.path_of(key);
        items(problems, field.node, &path, OptionType::MapList)
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                Section::from_node(problems, item, &table, format!("{path}[{index}]"))
            })
            .collect()
    }

    /// Returns whether a rejected merge key may have contained the keys that are absent.
    pub(super) fn has_merge_key(&self) -> bool {
        self.get(MERGE).is_some()
    }

    /// Reports that a key is missing, unless the section has a merge key.
    pub(super) fn report_missing(&self, problems: &mut Problems, key: &str) {
        if self.has_merge_key() {
            return;
        }
        problems.add(Code::Missing, self.at, &self.path, format!("`{key}` is missing"), self.expected(key));
    }

    /// Returns the type of a key in the option table.
    pub(super) fn type_of(&self, key: &str) -> Option<OptionType> {
        options::type_of(&self.table, key)
    }

    fn expected(&self, key: &str) -> String {
        self.type_of(key).map_or_else(String::new, |expected| format!("expected {expected}"))
    }

    /// Reports a value that the option table does not allow.
    pub(super) fn report_invalid_value(
        &self,
        problems: &mut Problems,
        field: &SectionField<'n>,
        node: &Node,
    ) {
        if matches!(node.value, YamlValue::Invalid) {
            return;
        }
        let found = match &node.value {
            _ if field.secret || node.is_null() => describe_node(node).to_owned(),
            YamlValue::Scalar(scalar) if scalar.text.is_empty() => "an empty text".to_owned(),
            YamlValue::Scalar(scalar) => quote(&scalar.text),
            _ => describe_node(node).to_owned(),
        };
        let message = format!("{}, found {found}", self.expected(field.key));
        let word = match &node.value {
            YamlValue::Scalar(scalar) if !field.secret => {
                let names = self.type_of(field.key).map_or(&[][..], OptionType::names);
                nearest_enum_value(&scalar.text, names)
            }
            _ => None,
        };
        let help = word.map_or_else(String::new, |word| format!("did you mean `{word}`?"));
        problems.add(Code::Value, node.at, &self.path_of(field.key), message, help);
    }

    /// Reads one value; `read` returns `None` for an invalid one.
    pub(super) fn value<T>(
        &self,
        problems: &mut Problems,
        key: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let field = self.get(key)?;
        self.convert(problems, field, field.node, read)
    }

    /// Reads a boolean.
    pub(super) fn boolean(&self, problems: &mut Problems, key: &str) -> Option<bool> {
        let expected = self.type_of(key)?;
        self.value(problems, key, |text| expected.boolean(text))
    }

    /// Reads a whole number.
    pub(super) fn integer<T: TryFrom<u64>>(&self, problems: &mut Problems, key: &str) -> Option<T> {
        let expected = self.type_of(key)?;
        let number = self.value(problems, key, |text| expected.integer(text))?;
        T::try_from(number).ok()
    }

    /// Reads a duration, in nanoseconds.
    pub(super) fn duration(&self, problems: &mut Problems, key: &str) -> Option<u64> {
        let expected = self.type_of(key)?;
        self.value(problems, key, |text| expected.duration(text))
    }

    /// Reads a duration, in milliseconds.
    pub(super) fn milliseconds(&self, problems: &mut Problems, key: &str) -> Option<i64> {
        self.duration(problems, key).and_then(|duration| i64::try_from(duration / MILLISECOND).ok())
    }

    /// Reads a text, in the form that the type of the key requires.
    pub(super) fn text(&self, problems: &mut Problems, key: &str) -> Option<String> {
        let expected = self.type_of(key)?;
        self.value(problems, key, |text| expected.text(text).map(str::to_owned))
    }

    /// Reads one value or a list of values.
    pub(super) fn values<T>(
        &self,
        problems: &mut Problems,
        key: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let (Some(field), Some(expected)) = (self.get(key), self.type_of(key)) else { return Vec::new() };
        let nodes = match &field.node.value {
            YamlValue::List(_) => items(problems, field.node, &self.path_of(key), expected),
            _ => core::slice::from_ref(field.node),
        };
        nodes.iter().filter_map(|node| self.convert(problems, field, node, &read)).collect()
    }

    fn convert<T>(
        &self,
        problems: &mut Problems,
        field: &SectionField<'n>,
        node: &Node,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = match &node.value {
            YamlValue::Scalar(scalar) if !node.is_null() => {
                if scalar.text.len() > MAX_VALUE_BYTES {
                    let message = format!("a value of {} bytes", scalar.text.len());
                    let help = format!("at most {MAX_VALUE_BYTES}");
                    problems.add(Code::TooLarge, node.at, &self.path_of(field.key), message, help);
                    return None;
                }
                read(&scalar.text)
            }
            _ => None,
        };
        if value.is_none() {
            self.report_invalid_value(problems, field, node);
        }
        value
    }

    /// Reads a name template.
    pub(super) fn template(&self, problems: &mut Problems, key: &str) -> Option<Template> {
        let text = self.text(problems, key)?;
        match Template::parse(&text) {
            Ok(template) => Some(template),
            Err(error) => {
                // From the error's brace to the closing one.
                let end = text.get(error.offset..).and_then(|rest| rest.find('}'));
                let end = end.map_or(text.len(), |end| error.offset.saturating_add(end).saturating_add(1));
                let at = self.get(key).map_or(self.at, |field| field.node.span_of(error.offset..end));
                problems.add(Code::Template, at, &self.path_of(key), error.message, error.help);
                None
            }
        }
    }
}

/// Returns the items of a list; reports another node or too long a list.
pub(super) fn items<'n>(
    problems: &mut Problems,
    node: &'n Node,
    path: &str,
    expected: OptionType,
) -> &'n [Node] {
    match &node.value {
        YamlValue::List(items) if items.len() > MAX_ITEMS => {
            let message = format!("a list of {} items", items.len());
            problems.add(Code::TooLarge, node.at, path, message, format!("at most {MAX_ITEMS}"));
        }
        YamlValue::List(items) => return items,
        YamlValue::Invalid => {}
        _ if node.is_null() => {}
        _ => problems.add(
            Code::Shape,
            node.at,
            path,
            format!("expected {expected}, found {}", describe_node(node)),
            "begin each item with `- `",
        ),
    }
    &[]
}

/// Returns whether a key has the form of an option name.
fn is_option_like(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// Describes the kind of a node, without its value.
pub(crate) fn describe_node(node: &Node) -> &'static str {
    match &node.value {
        _ if node.is_null() => "nothing",
        YamlValue::Scalar(Scalar { style: ScalarStyle::Plain, text, .. }) if text.parse::<i64>().is_ok() => {
            "a number"
        }
        YamlValue::Scalar(_) => "a text",
        YamlValue::List(_) => "a list",
        YamlValue::Map(_) => "a map",
        YamlValue::Invalid => "something else",
    }
}

/// Returns the name that was probably meant.
///
/// It differs in at most two letters, and in fewer than half of its letters.
pub fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if word.len() > 64 {
        return None;
    }
    names
        .map(|name| (distance(word, name), name))
        .filter(|(distance, name)| *distance <= 2 && distance.saturating_mul(2) < name.len())
        .min()
        .map(|(_, name)| name)
}

/// Returns the value of an enumeration that was probably meant.
///
/// It differs in case, is similar, or is abbreviated.
pub(super) fn nearest_enum_value(word: &str, names: &[&'static str]) -> Option<&'static str> {
    let word = word.trim().to_ascii_lowercase();
    let names = || names.iter().copied();
    let begins = |name: &&str| word.len() > 2 && (name.starts_with(&word) || word.starts_with(*name));
    names().find(|name| *name == word).or_else(|| nearest(&word, names())).or_else(|| names().find(begins))
}

/// Returns the edit distance of two texts (Damerau-Levenshtein).
///
/// Letters are added, removed, replaced or exchanged with their neighbour, each at most once.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut previous = None;
    for (index, a) in left.chars().enumerate() {
        let mut next = vec![index.saturating_add(1)];
        let mut letters = None;
        for (column, b) in right.iter().copied().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
            let gap = at(&next, column).min(at(&row, column.saturating_add(1))).saturating_add(1);
            let same = at(&row, column).saturating_add(usize::from(a != b));
            let exchanged = match (letters, previous) {
                (Some(before), Some(above_left)) if before == a && above_left == b => {
                    at(&above, column.saturating_sub(1)).saturating_add(1)
                }
                _ => usize::MAX,
            };
            next.push(gap.min(same).min(exchanged));
            letters = Some(b);
        }
        above = core::mem::replace(&mut row, next);
        previous = Some(a);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{OptionType, distance, nearest_enum_value};
    use crate::config::Severity;
    use crate::finding::{Category, Confidence};

    #[test]
    fn distances() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("hihg", "high", 1),
            ("principl", "principal", 1),
            ("resuorce", "resource", 1),
            ("ab", "ba", 1),
            ("abcd", "badc", 2),
            ("kitten", "sitting", 3),
            ("é", "e", 1),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn words_that_were_probably_meant() {
        let (confidences, severities) = (Confidence::NAMES, Severity::NAMES);
        for (word, names, expected) in [
            ("hihg", confidences, Some("high")),
            ("MEDIUM", confidences, Some("medium")),
            ("med", confidences, Some("medium")),
            ("0", confidences, None),
            ("crit", severities, Some("critical")),
            ("information", severities, Some("info")),
            ("fatal", severities, None),
            ("incidents", Category::NAMES, Some("incident")),
            ("ture", OptionType::Boolean.names(), Some("true")),
            ("map", OptionType::Map.names(), None),
        ] {
            assert_eq!(nearest_enum_value(word, names), expected, "{word}");
        }
    }
}
