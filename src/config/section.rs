//! A map read against the option table: known keys, typed values, and the words for what is neither.

use saphyr_parser::ScalarStyle;

use super::options;
use super::report::{Place, Report, quote};
use super::yaml::{MERGE, Member, Node, Scalar, Value};
use crate::error::Code;
use crate::template::Template;

/// No value of a configuration is longer; a text of megabytes is no pattern.
const MAX_VALUE_BYTES: usize = 16 * 1024;
/// No list or map is longer: what reading costs, and what an integration costs at each record, is bounded.
const MAX_ITEMS: usize = 1000;

/// One map of the configuration, with its path.
pub(super) struct Section<'n> {
    /// As the user would say it: `integrations[1].target`.
    pub(super) path: String,
    /// As the table has it: `integrations[].target`.
    table: String,
    /// Where to say that something is missing.
    pub(super) at: Place,
    fields: Vec<Field<'n>>,
}

/// A member of a section.
#[derive(Clone, Copy)]
pub(super) struct Field<'n> {
    pub(super) key: &'n str,
    pub(super) at: Place,
    pub(super) node: &'n Node,
    /// The value may be a secret, or stand where one belongs: no message repeats it.
    pub(super) secret: bool,
}

impl<'n> From<&'n Member> for Field<'n> {
    fn from(member: &'n Member) -> Self {
        Self { key: &member.key, at: member.at, node: &member.node, secret: false }
    }
}

impl<'n> Section<'n> {
    /// A map as a section; no value at all is an empty map.
    pub(super) fn open(report: &mut Report, node: &'n Node, table: &str, path: String) -> Option<Self> {
        match &node.value {
            Value::Map(members) if members.len() > MAX_ITEMS => {
                let message = format!("a map of {} keys", members.len());
                report.say(Code::TooLarge, node.at, &path, message, format!("at most {MAX_ITEMS}"));
                None
            }
            Value::Map(members) => {
                Some(Self::of(members.iter().map(Field::from).collect(), node.at, table, path))
            }
            Value::Bad => None,
            _ if node.is_null() => Some(Self::of(Vec::new(), node.at, table, path)),
            _ => {
                report.say(Code::Shape, node.at, &path, format!("expected a map, found {}", shape(node)), "");
                None
            }
        }
    }

    /// A section of fields that were put together.
    pub(super) fn of(fields: Vec<Field<'n>>, at: Place, table: &str, path: String) -> Self {
        Self { path, table: table.to_owned(), at, fields }
    }

    /// Reports every key that does not belong here. `kind` is the type of the integration or target, where it is known.
    pub(super) fn check(&self, report: &mut Report, kind: Option<&str>) {
        for field in &self.fields {
            let path = self.path_of(field.key);
            // The values of references may appear anywhere, and a merge key has been refused.
            if field.key.starts_with("val-") || field.key == MERGE {
                continue;
            }
            match options::find(&self.table, field.key) {
                None if field.secret && !is_word(field.key) => {
                    // `{http-api-token: a,b}` makes a key of half a secret.
                    let message = "an unknown key, which may be a part of a value";
                    report.say(Code::LooseSecret, field.at, &self.path, message, "put the value in quotes");
                }
                None => {
                    let message = format!("unknown key {}", quote(field.key));
                    report.say(Code::UnknownKey, field.at, &path, message, self.advice(field.key, kind));
                }
                Some(option) => {
                    let Some(kind) =
                        kind.filter(|kind| !option.only.is_empty() && !option.only.contains(kind))
                    else {
                        continue;
                    };
                    let message = format!("{} does not belong to {kind}", quote(field.key));
                    report.say(
                        Code::OtherType,
                        field.at,
                        &path,
                        message,
                        format!("it belongs to {}", option.only.join(" and ")),
                    );
                }
            }
        }
    }

    fn advice(&self, key: &str, kind: Option<&str>) -> String {
        let known = || {
            options::of(&self.table)
                .filter(|(_, option)| {
                    kind.is_none_or(|kind| option.only.is_empty() || option.only.contains(&kind))
                })
                .map(|(name, _)| name)
        };
        if let Some(parent) = options::elsewhere(&self.table, key) {
            return format!("it belongs under `{parent}`");
        }
        match nearest(key, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known keys: {}", known().collect::<Vec<_>>().join(", ")),
        }
    }

    /// The path of one of the section's keys.
    pub(super) fn path_of(&self, key: &str) -> String {
        let key: String = key.chars().take(64).collect();
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }

    fn table_of(&self, key: &str) -> String {
        if self.table.is_empty() { key.to_owned() } else { format!("{}.{key}", self.table) }
    }

    /// The field of this name.
    pub(super) fn get(&self, key: &str) -> Option<&Field<'n>> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// All fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = &Field<'n>> {
        self.fields.iter()
    }

    /// The map under a key; an absent one is empty.
    pub(super) fn section(&self, report: &mut Report, key: &str) -> Section<'n> {
        let (path, table) = (self.path_of(key), self.table_of(key));
        self.get(key)
            .and_then(|field| Section::open(report, field.node, &table, path.clone()))
            .unwrap_or_else(|| Section::of(Vec::new(), self.at, &table, path))
    }

    /// The maps of the list under a key.
    pub(super) fn sections(&self, report: &mut Report, key: &str) -> Vec<Section<'n>> {
        let Some(field) = self.get(key) else { return Vec::new() };
        let table = format!("{}[]", self.table_of(key));
        let path = self.path_of(key);
        items(report, field.node, &path, options::find(&self.table, key).map_or("", |option| option.kind))
            .iter()
            .enumerate()
            .filter_map(|(index, item)| Section::open(report, item, &table, format!("{path}[{index}]")))
            .collect()
    }

    /// Whether a refused merge key may have given any key that is absent.
    pub(super) fn merges(&self) -> bool {
        self.get(MERGE).is_some()
    }

    /// Reports that a key is not there, unless a refused merge key may have given it.
    pub(super) fn missing(&self, report: &mut Report, key: &str) {
        if self.merges() {
            return;
        }
        report.say(
            Code::Missing,
            self.at,
            &self.path,
            format!("`{key}` is missing"),
            format!("expected {}", self.kind(key)),
        );
    }

    /// Whether the table has a key for this section.
    pub(super) fn knows(&self, key: &str) -> bool {
        options::find(&self.table, key).is_some()
    }

    fn kind(&self, key: &str) -> &'static str {
        options::find(&self.table, key).map_or("", |option| option.kind)
    }

    /// Reports that a value is not what the table says.
    pub(super) fn refuse(&self, report: &mut Report, field: &Field<'n>, node: &Node) {
        if matches!(node.value, Value::Bad) {
            return;
        }
        let found = match &node.value {
            _ if field.secret || node.is_null() => shape(node).to_owned(),
            Value::Scalar(scalar) if scalar.text.is_empty() => "an empty text".to_owned(),
            Value::Scalar(scalar) => quote(&scalar.text),
            _ => shape(node).to_owned(),
        };
        let message = format!("expected {}, found {found}", self.kind(field.key));
        let word = match &node.value {
            Value::Scalar(scalar) if !field.secret => nearest_word(&scalar.text, self.kind(field.key)),
            _ => None,
        };
        let help = word.map_or_else(String::new, |word| format!("did you mean `{word}`?"));
        report.say(Code::Value, node.at, &self.path_of(field.key), message, help);
    }

    /// One value; `read` gives `None` for what is not allowed.
    pub(super) fn value<T>(
        &self,
        report: &mut Report,
        key: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let field = self.get(key)?;
        self.convert(report, field, field.node, read)
    }

    /// Sets what the user gives in place of a default.
    pub(super) fn set<T>(
        &self,
        report: &mut Report,
        key: &str,
        to: &mut T,
        read: impl FnOnce(&str) -> Option<T>,
    ) {
        if let Some(value) = self.value(report, key, read) {
            *to = value;
        }
    }

    /// One value or a list of them.
    pub(super) fn values<T>(
        &self,
        report: &mut Report,
        key: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Vec<T> {
        let Some(field) = self.get(key) else { return Vec::new() };
        let nodes = match &field.node.value {
            Value::List(_) => items(report, field.node, &self.path_of(key), ""),
            _ => core::slice::from_ref(field.node),
        };
        nodes.iter().filter_map(|node| self.convert(report, field, node, &read)).collect()
    }

    fn convert<T>(
        &self,
        report: &mut Report,
        field: &Field<'n>,
        node: &Node,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = match &node.value {
            Value::Scalar(scalar) if !node.is_null() => {
                if scalar.text.len() > MAX_VALUE_BYTES {
                    let message = format!("a value of {} bytes", scalar.text.len());
                    report.say(Code::TooLarge, node.at, &self.path_of(field.key), message, "at most 16384");
                    return None;
                }
                read(&scalar.text)
            }
            _ => None,
        };
        if value.is_none() {
            self.refuse(report, field, node);
        }
        value
    }

    /// A name template.
    pub(super) fn template(&self, report: &mut Report, key: &str, empty: bool) -> Option<Template> {
        let fits = |text: &str| {
            let short = text.chars().nth(256).is_none() && !text.contains(char::is_control);
            (short && (empty || !text.trim().is_empty())).then(|| text.to_owned())
        };
        let text = self.value(report, key, fits)?;
        match Template::parse(&text) {
            Ok(template) => Some(template),
            Err(error) => {
                // From its brace to the one that closes it.
                let end = text.get(error.offset..).and_then(|rest| rest.find('}'));
                let end = end.map_or(text.len(), |end| error.offset.saturating_add(end).saturating_add(1));
                let at = self.get(key).map_or(self.at, |field| field.node.place_of(error.offset..end));
                report.say(Code::Template, at, &self.path_of(key), error.message, error.help);
                None
            }
        }
    }
}

/// The items of a list; what is none, or too long a one, is reported.
pub(super) fn items<'n>(report: &mut Report, node: &'n Node, path: &str, kind: &str) -> &'n [Node] {
    match &node.value {
        Value::List(items) if items.len() > MAX_ITEMS => {
            let message = format!("a list of {} items", items.len());
            report.say(Code::TooLarge, node.at, path, message, format!("at most {MAX_ITEMS}"));
        }
        Value::List(items) => return items,
        Value::Bad => {}
        _ if node.is_null() => {}
        _ => report.say(
            Code::Shape,
            node.at,
            path,
            format!("expected {kind}, found {}", shape(node)),
            "begin each item with `- `",
        ),
    }
    &[]
}

/// Whether a key looks like one of kAudit's.
fn is_word(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// What a node is, without its value.
pub(super) fn shape(node: &Node) -> &'static str {
    match &node.value {
        _ if node.is_null() => "nothing",
        Value::Scalar(Scalar { style: ScalarStyle::Plain, text, .. }) if text.parse::<i64>().is_ok() => {
            "a number"
        }
        Value::Scalar(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Bad => "something else",
    }
}

/// The name that was probably meant: at most two letters away, and fewer than half of them.
pub(super) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    if word.len() > 64 {
        return None;
    }
    names
        .map(|name| (distance(word, name), name))
        .filter(|(distance, name)| *distance <= 2 && distance.saturating_mul(2) < name.len())
        .min()
        .map(|(_, name)| name)
}

/// The word of an enumeration that was probably meant: one that differs in its case, is near, or is abbreviated.
fn nearest_word(word: &str, kind: &'static str) -> Option<&'static str> {
    let word = word.trim().to_ascii_lowercase();
    let names = || options::words(kind);
    let begins = |name: &&str| word.len() > 2 && (name.starts_with(&word) || word.starts_with(*name));
    names().find(|name| *name == word).or_else(|| nearest(&word, names())).or_else(|| names().find(begins))
}

/// How many letters have to be added, removed, replaced or exchanged with their neighbour (Damerau-Levenshtein, each letter
/// at most once).
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
    use super::{distance, nearest_word};

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
        let levels = "debug, verbose, info, warn, error or critical, or a number from 1 to 6";
        for (word, kind, expected) in [
            ("hihg", "high, medium or low (0, 1 or 2), or a list of them", Some("high")),
            ("MEDIUM", "high, medium or low (0, 1 or 2), or a list of them", Some("medium")),
            ("med", "high, medium or low (0, 1 or 2), or a list of them", Some("medium")),
            ("0", "high, medium or low (0, 1 or 2), or a list of them", None),
            ("crit", levels, Some("critical")),
            ("information", levels, Some("info")),
            ("fatal", levels, None),
            ("incidents", "incident or anomaly, or a list of them", Some("incident")),
            ("ture", "true or false", Some("true")),
            ("map", "a map", None),
            ("a 1", "a whole number from 1 to 100000, or a map", None),
        ] {
            assert_eq!(nearest_word(word, kind), expected, "{word}");
        }
    }
}
