//! The types of options: the values that they accept, with all limits.
//!
//! A type is written once, in the option table. The reader parses values by it, and its text is what errors and the
//! reference state as the allowed values.

use alloc::string::String;
use alloc::vec::Vec;

use core::fmt;

use super::values::{format_duration, parse_boolean, parse_duration};

/// The values that an option accepts. Its text follows "expected".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionType {
    /// One of [`super::BOOLEANS`].
    Boolean,
    /// A whole number, also as a text.
    Integer {
        /// The description without the range: `a whole number`.
        noun: &'static str,
        /// The minimum.
        min: u64,
        /// The maximum.
        max: u64,
    },
    /// A whole number, or a map that contains it.
    IntegerOrMap {
        /// The minimum.
        min: u64,
        /// The maximum.
        max: u64,
    },
    /// A whole number and one of [`super::DURATION_UNITS`].
    Duration {
        /// The minimum, nanoseconds.
        min: u64,
        /// The maximum, nanoseconds.
        max: u64,
        /// Examples of values.
        examples: &'static str,
    },
    /// A value of an enumeration.
    Enum(EnumNames),
    /// A value of an enumeration, or a list of them.
    EnumList(EnumNames),
    /// A regular expression, not empty.
    Pattern,
    /// A template of a name, without control characters.
    Template {
        /// The maximum length, in characters.
        max_chars: usize,
        /// Whether the name may be empty.
        may_be_empty: bool,
    },
    /// Any text.
    Text,
    /// The name of a finding's field; list indices alone are none.
    FieldName,
    /// The name of a file, not empty.
    FileName,
    /// An http or https URI.
    Uri,
    /// The name of an integration.
    IntegrationName {
        /// The maximum length, in characters.
        max_chars: usize,
    },
    /// `all`, or a list of names of integrations.
    IntegrationNames,
    /// A list of paths, each of keys with dots between them.
    Paths {
        /// The maximum number of paths.
        /// Every record that is not a finding is searched under each of them.
        max_items: usize,
        /// The maximum number of keys in a path.
        /// Agents and clouds nest a log line at most this deep.
        max_keys: usize,
        /// The maximum length of a key, in bytes.
        max_key_bytes: usize,
    },
    /// A list of networks in CIDR notation.
    Networks,
    /// The rules of a policy, in kAudit's form.
    Rules,
    /// A map, whose keys are options with this path.
    Map,
    /// A list of maps, whose keys are options with this path and `[]`.
    MapList,
    /// The list of integrations, whose keys are options as well.
    Integrations,
    /// A target: a map, or the older dialect's list.
    Target,
}

/// The names of an enumeration's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnumNames {
    /// One name for each value.
    pub names: &'static [&'static str],
    /// Further names that the reader accepts; the text contains only numbers of them.
    pub aliases: &'static [&'static str],
    /// Whether case is ignored.
    pub any_case: bool,
}

impl EnumNames {
    /// Returns the aliases that are numbers.
    pub fn numbers(self) -> impl Iterator<Item = &'static str> {
        self.aliases.iter().copied().filter(|alias| alias.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

impl OptionType {
    /// Parses a boolean.
    pub(super) fn boolean(self, text: &str) -> Option<bool> {
        matches!(self, Self::Boolean).then(|| parse_boolean(text)).flatten()
    }

    /// Parses a whole number in the range, also from a quoted text.
    pub(super) fn integer(self, text: &str) -> Option<u64> {
        let (Self::Integer { min, max, .. } | Self::IntegerOrMap { min, max }) = self else { return None };
        text.trim().parse().ok().filter(|number| (min..=max).contains(number))
    }

    /// Parses a duration in the range, in nanoseconds.
    pub(super) fn duration(self, text: &str) -> Option<u64> {
        let Self::Duration { min, max, .. } = self else { return None };
        parse_duration(text).filter(|duration| (min..=max).contains(duration))
    }

    /// Returns a text within the limits of the type, without white space around a name.
    pub(super) fn text(self, text: &str) -> Option<&str> {
        match self {
            Self::Text => Some(text),
            Self::Pattern | Self::FileName => Some(text).filter(|text| !text.is_empty()),
            Self::Template { max_chars, may_be_empty } => {
                let fits = text.chars().nth(max_chars).is_none() && !text.contains(char::is_control);
                (fits && (may_be_empty || !text.trim().is_empty())).then_some(text)
            }
            Self::IntegrationName { max_chars } => {
                let name = text.trim();
                let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ');
                let fits = name.chars().nth(max_chars).is_none() && name.chars().all(allowed);
                (fits && !name.is_empty()).then_some(name)
            }
            Self::FieldName => {
                // A redaction ignores indices of lists, so a field of digits alone would match nothing.
                let is_name = |part: &str| part.bytes().any(|byte| !byte.is_ascii_digit());
                Some(text.trim()).filter(|field| field.split(['-', '_', '.']).any(is_name))
            }
            _ => None,
        }
    }

    /// Returns the names of which one may have been meant.
    pub(super) fn names(self) -> &'static [&'static str] {
        match self {
            Self::Boolean => &["true", "false"],
            Self::Enum(names) | Self::EnumList(names) => names.names,
            _ => &[],
        }
    }

    /// Whether a value may be a list of scalars.
    pub(super) fn has_scalar_items(self) -> bool {
        matches!(self, Self::EnumList(_) | Self::Paths { .. } | Self::IntegrationNames)
    }

    /// Whether a value in a target may be a secret, also a misplaced one.
    pub(super) fn may_be_secret(self) -> bool {
        !matches!(self, Self::Boolean | Self::Integer { .. } | Self::IntegerOrMap { .. })
    }
}

impl fmt::Display for OptionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Boolean => f.write_str("true or false"),
            Self::Integer { noun, min, max } => write!(f, "{noun} from {min} to {max}"),
            Self::IntegerOrMap { min, max } => write!(f, "a whole number from {min} to {max}, or a map"),
            Self::Duration { min, max, examples } => {
                let (min, max) = (format_duration(min), format_duration(max));
                write!(f, "a duration from {min} to {max}, such as {examples}")
            }
            Self::Enum(names) => names.fmt(f),
            Self::EnumList(names) => write!(f, "{names}, or a list of them"),
            Self::Pattern => f.write_str("a regular expression"),
            Self::Template { max_chars, .. } => {
                write!(f, "a template of at most {max_chars} characters, such as `{{cluster|kaudit}}`")
            }
            Self::Text => f.write_str("a text"),
            Self::FieldName => f.write_str("a field's name"),
            Self::FileName => f.write_str("a file's name, or a key of the same ConfigMap"),
            Self::Uri => f.write_str("an http or https URI"),
            Self::IntegrationName { max_chars } => {
                write!(f, "up to {max_chars} letters, digits, `_`, `-` and spaces")
            }
            Self::IntegrationNames => f.write_str("all, or a list of names of integrations"),
            Self::Paths { max_items, max_keys, .. } => write!(
                f,
                "a list of at most {max_items} keys or dotted paths of up to {max_keys} keys, such as `[log, properties.log]`"
            ),
            Self::Networks => f.write_str("a list of networks, such as `[10.0.0.0/8]`"),
            Self::Rules => f.write_str("a list of rules"),
            Self::Map => f.write_str("a map"),
            Self::MapList => f.write_str("a list of maps"),
            Self::Integrations => f.write_str("a list of integrations"),
            Self::Target => f.write_str("a map, or the older dialect's list"),
        }
    }
}

impl fmt::Display for EnumNames {
    /// Writes the names, and the numbers that are equivalent: `high, medium or low (0, 1 or 2)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&alternatives(self.names))?;
        let numbers: Vec<&str> = self.numbers().collect();
        match &numbers[..] {
            [] => Ok(()),
            [first, _, _, .., last] => write!(f, ", or a number from {first} to {last}"),
            few => write!(f, " ({})", alternatives(few)),
        }
    }
}

/// Returns `a, b or c`.
fn alternatives(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}
