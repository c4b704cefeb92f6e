//! JSON values for comparison, parsed by an independent reader: members in order, duplicate keys included.

use std::cmp::Ordering;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value.
#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    /// Parses a text that is exactly one value.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Returns the first value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Returns whether a map in it has a duplicate key.
    pub fn has_duplicates(&self) -> bool {
        match self {
            Self::Map(members) => {
                let mut keys: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
                keys.sort_unstable();
                keys.windows(2).any(|pair| pair[0] == pair[1])
                    || members.iter().any(|(_, value)| value.has_duplicates())
            }
            Self::List(elements) => elements.iter().any(Self::has_duplicates),
            _ => false,
        }
    }

    /// Returns the depth of nested maps and lists.
    pub fn depth(&self) -> usize {
        match self {
            Self::Map(members) => 1 + members.iter().map(|(_, value)| value.depth()).max().unwrap_or(0),
            Self::List(elements) => 1 + elements.iter().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Calls `on` with every string in it, keys included, and with the text of each list of bytes.
    pub fn texts(&self, on: &mut dyn FnMut(&str)) {
        self.strings(on);
        match self {
            Self::List(elements) => {
                let byte = |element: &Self| match element {
                    Self::Int(number) => u8::try_from(*number).ok(),
                    _ => None,
                };
                if let Some(bytes) = elements.iter().map(byte).collect::<Option<Vec<_>>>() {
                    on(&String::from_utf8_lossy(&bytes));
                }
                for element in elements {
                    element.texts(on);
                }
            }
            Self::Map(members) => {
                for (_, value) in members {
                    value.texts(on);
                }
            }
            _ => (),
        }
    }

    /// Calls `on` with every string in it, keys included.
    pub fn strings(&self, on: &mut dyn FnMut(&str)) {
        match self {
            Self::Str(text) => on(text),
            Self::List(elements) => elements.iter().for_each(|element| element.strings(on)),
            Self::Map(members) => {
                for (key, value) in members {
                    on(key);
                    value.strings(on);
                }
            }
            _ => (),
        }
    }
}

/// Equal by value: members in any order, `1` and `1.0` are one number.
impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Int(one), Self::Int(other)) => one == other,
            (Self::Float(one), Self::Float(other)) => one == other,
            (Self::Int(int), Self::Float(float)) | (Self::Float(float), Self::Int(int)) => {
                is_same(*int, *float)
            }
            (Self::Str(one), Self::Str(other)) => one == other,
            (Self::List(one), Self::List(other)) => one == other,
            (Self::Map(one), Self::Map(other)) => {
                let sorted = |members: &[(String, Self)]| {
                    let mut order: Vec<usize> = (0..members.len()).collect();
                    order.sort_by_key(|&at| &members[at].0);
                    order
                };
                one.len() == other.len()
                    && sorted(one).into_iter().zip(sorted(other)).all(|(a, b)| one[a] == other[b])
            }
            _ => false,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a float that was parsed from the integer's digits has the same rounding"
)]
fn is_same(int: i128, float: f64) -> bool {
    (int as f64).partial_cmp(&float) == Some(Ordering::Equal)
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Int(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Str(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Json::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Map(members))
    }
}
