//! The ends of JSON values, and the texts of their faults.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Returns the length of the JSON value at the beginning.
pub fn value_length(bytes: &[u8]) -> serde_json::Result<usize> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<Any>();
    match values.next() {
        Some(Err(error)) => Err(error),
        Some(Ok(_)) | None => Ok(values.byte_offset()),
    }
}

/// Any JSON value, parsed and discarded.
///
/// Serde's `IgnoredAny` has no limit of nesting: a stream of opening brackets would be parsed to its end from every
/// line.
struct Any;

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// Returns the line of an error within its record, from 1.
///
/// `serde_json` reports a raw line feed in a string at byte 0 of the next line.
pub fn error_line(error: &serde_json::Error) -> u64 {
    error.line().saturating_sub(usize::from(error.column() == 0)).max(1) as u64
}

/// Returns the text of a fault in a record that begins on `line`.
pub fn describe(error: &serde_json::Error, line: u64) -> String {
    if error.is_eof() {
        return "the record is truncated".to_owned();
    }
    if error.column() == 0 {
        return format!("a string does not end on line {}", line + error_line(error) - 1);
    }
    let text = error.to_string();
    let text = match text.split(" at line ").next().unwrap_or_default() {
        "recursion limit exceeded" => "nested too deeply",
        text => text,
    };
    let byte = error.column();
    match error_line(error) {
        1 => format!("{text} at byte {byte}"),
        later => format!("{text} at byte {byte} of line {}", line + later - 1),
    }
}
