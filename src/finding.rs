//! The known fields of a finding, borrowed from its record, and its kind.
//!
//! Keys are accepted in either spelling (`short-doc`, `short_doc`) and in any order. Of two duplicate keys the first
//! counts.

use alloc::string::String;
use core::fmt::Write as _;

use crate::record::{Encoding, Number, Str, Value, is_ascii, utf8};
use crate::time::{self, ParsedTime};

macro_rules! fields {
    ($($variant:ident $name:literal,)*) => {
        /// A top-level field of a finding that the filter knows by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
        pub enum Field {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Field {
            /// Every field, in slot order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns kAudit's own, hyphenated name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

fields! {
    AccessType "access-type",
    ApiGroup "api-group",
    CallerIp "caller-ip",
    Category "category",
    Cluster "cluster",
    Confidence "confidence",
    Count "count",
    CountPeriod "count-period",
    Direction "direction",
    Doc "doc",
    Eid "eid",
    Etype "etype",
    Id "id",
    NonAuthorized "non-authorized",
    Principal "principal",
    Project "project",
    ResourceName "resource-name",
    ResourceNamespace "resource-namespace",
    ResourceType "resource-type",
    Rule "rule",
    ShortDoc "short-doc",
    StatusCode "status-code",
    StatusReason "status-reason",
    Subresource "subresource",
    Time "time",
    Timestamp "timestamp",
    Username "username",
    Verb "verb",
}

impl Field {
    /// Returns the field with this name, in either spelling.
    pub fn of(key: &str) -> Option<Self> {
        let key = key.replace('_', "-");
        Self::ALL.iter().copied().find(|field| field.name() == key)
    }
}

macro_rules! closed_list {
    ($(#[$doc:meta])* $type:ident: $($variant:ident $name:literal $($alias:literal)*,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
        #[expect(missing_docs, reason = "the names are kAudit's own")]
        pub enum $type { $($variant,)* }

        impl $type {
            /// Every value, in numeric order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];
            /// The name of every value, in the same order.
            pub const NAMES: &[&str] = &[$($name,)*];
            /// Further names that are accepted.
            pub const ALIASES: &[&str] = &[$($($alias,)*)*];

            /// Returns the value with this name in a configuration.
            pub fn of(name: &str) -> Option<Self> {
                Self::of_bytes(name.as_bytes())
            }

            #[inline]
            fn of_bytes(name: &[u8]) -> Option<Self> {
                $(if name == $name.as_bytes() $(|| name == $alias.as_bytes())* {
                    return Some(Self::$variant);
                })*
                None
            }

            /// Returns the value's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

closed_list! {
    /// The type of entity that a detection is about.
    Etype: Principal "principal", Resource "resource", Cluster "cluster",
}
closed_list! {
    /// A detection's category. The older dialect writes `alcide.category/incident`.
    Category: Incident "incident" "alcide.category/incident", Anomaly "anomaly" "alcide.category/anomaly",
}
closed_list! {
    /// A detection's confidence. `0`, `1` and `2` mean high, medium and low.
    Confidence: High "high" "0", Medium "medium" "1", Low "low" "2",
}
closed_list! {
    /// The kinds of finding, named as the `type` of the integration that sends them.
    Kind: Detection "detections", Selection "selections", Activity "activity",
}

closed_list! {
    /// The kinds of detection that the filter makes of audit events.
    DetectionKind:
        RemoteCommands "remote-commands", RemoteShells "remote-shells", AccessTool "access-tool",
        Targets "targets", StatusReason "status-reason", Unauthorized "unauthorized",
}

/// The properties of a finding that data filters and severity rows match on.
#[derive(Clone, Copy)]
pub(crate) struct MatchInput<'a> {
    pub kind: Kind,
    pub etype: Option<Etype>,
    pub category: Option<Category>,
    pub confidence: Option<Confidence>,
    /// The entity. Both it and the rule are UTF-8.
    pub entity: &'a [u8],
    pub rule: &'a [u8],
}

impl MatchInput<'_> {
    /// The number of combinations of a kind with one value or none of each closed list.
    pub const COMBINATIONS: usize =
        Kind::ALL.len() * (Etype::ALL.len() + 1) * (Category::ALL.len() + 1) * (Confidence::ALL.len() + 1);

    /// Returns the unique number of this combination.
    #[inline(always)]
    pub fn combination(&self) -> usize {
        fn digit(before: usize, value: Option<usize>, values: usize) -> usize {
            before.wrapping_mul(values.wrapping_add(1)).wrapping_add(value.unwrap_or(values))
        }
        let of_etype = digit(self.kind as usize, self.etype.map(|value| value as usize), Etype::ALL.len());
        let of_category = digit(of_etype, self.category.map(|value| value as usize), Category::ALL.len());
        digit(of_category, self.confidence.map(|value| value as usize), Confidence::ALL.len())
    }

    /// Iterates over all combinations in numeric order, without texts.
    pub fn of_each_combination() -> impl Iterator<Item = Self> {
        fn each<T: Copy>(values: &'static [T]) -> impl Iterator<Item = Option<T>> {
            values.iter().copied().map(Some).chain([None])
        }
        let kinds = Kind::ALL.iter().flat_map(|&kind| each(Etype::ALL).map(move |etype| (kind, etype)));
        let categories = kinds.flat_map(|all| each(Category::ALL).map(move |category| (all, category)));
        categories.flat_map(|((kind, etype), category)| {
            each(Confidence::ALL).map(move |confidence| Self {
                kind,
                etype,
                category,
                confidence,
                entity: b"",
                rule: b"",
            })
        })
    }
}

/// The known fields of one finding. The default is an empty set.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fields<'a> {
    slots: [Value<'a>; Field::ALL.len()],
    /// Whether all strings of the record are known to be UTF-8.
    is_utf8: bool,
    /// Whether the JSON form of every string is the string itself.
    is_plain: bool,
}

impl<'a> Fields<'a> {
    /// Returns the slot of the field with this number, if it is still vacant.
    ///
    /// Of two duplicate keys the first counts, even if its value is null. `Err` contains whether there is such a field.
    #[inline(always)]
    pub(crate) fn vacant(&mut self, slot: usize) -> Result<&mut Value<'a>, bool> {
        match self.slots.get_mut(slot) {
            Some(slot @ Value::Absent) => Ok(slot),
            slot => Err(slot.is_some()),
        }
    }

    /// Returns the field's value; `Absent` if the record does not contain it.
    #[inline]
    pub fn get(&self, field: Field) -> Value<'a> {
        self.slots.get(field as usize).copied().unwrap_or_default()
    }

    /// Returns the field as text; numbers and booleans are converted.
    ///
    /// Returns `None` for a field that is absent, null, empty or nested.
    pub fn text<'s>(&self, field: Field, scratch: &'s mut String) -> Option<&'s str>
    where
        'a: 's,
    {
        let text = match self.get(field) {
            Value::Str(text) => text.decode(scratch),
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            Value::Number(Number::Raw(text)) => utf8(text)?,
            Value::Number(number) => {
                scratch.clear();
                // Writing into a string cannot fail.
                let _ = write!(scratch, "{number}");
                scratch
            }
            Value::Absent | Value::Null | Value::Map(_) | Value::List(_) => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// Returns the field as UTF-8 bytes. A plain string is not decoded.
    #[inline]
    pub(crate) fn utf8<'s>(&self, field: Field, scratch: &'s mut String) -> Option<&'s [u8]>
    where
        'a: 's,
    {
        match self.get(field) {
            Value::Absent | Value::Null | Value::Str(Str::Plain([])) => None,
            Value::Str(Str::Plain(text)) if self.is_utf8 || is_ascii(text) => Some(text),
            _ => self.text(field, scratch).map(str::as_bytes),
        }
    }

    /// Sets the properties of the record's strings (see [`Self::is_plain`]).
    pub(crate) fn set_spelling(&mut self, is_utf8: bool, is_plain: bool) {
        (self.is_utf8, self.is_plain) = (is_utf8, is_plain);
    }

    /// Returns whether the JSON form of every string is the string itself.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Returns the field as an integer, from a number or a string.
    #[inline]
    pub fn integer(&self, field: Field) -> Option<i64> {
        match self.get(field) {
            Value::Number(number) => number.as_i64(),
            Value::Str(text) => text.decode(&mut String::new()).trim().parse().ok(),
            _ => None,
        }
    }

    /// Returns the field as a boolean, from a boolean or a string.
    #[inline]
    pub fn truth(&self, field: Field) -> Option<bool> {
        match self.get(field) {
            Value::Bool(value) => Some(value),
            Value::Str(text) => match text.decode(&mut String::new()) {
                text if text.eq_ignore_ascii_case("true") => Some(true),
                text if text.eq_ignore_ascii_case("false") => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// Parses the field as an instant: a number, a text, or a date table of Vector.
    #[inline]
    fn instant(&self, field: Field, encoding: Encoding) -> Instant {
        let parsed = match self.get(field) {
            Value::Absent | Value::Null => return Instant::Missing,
            // Nearly all times are milliseconds from 2001 to 2286.
            Value::Number(number @ Number::Raw(text))
                if text.len() == 13
                    && let Some(millis) = number.digits() =>
            {
                return Instant::Read(ParsedTime { millis, unit: time::Unit::Milliseconds });
            }
            Value::Number(Number::Raw(text)) => utf8(text).and_then(time::read_number),
            Value::Number(Number::Int(value)) => time::read_integer(value),
            #[cfg(feature = "msgpack")]
            Value::Number(Number::Float(value)) => time::read_float(value),
            Value::Str(text) => match text.decode(&mut String::new()) {
                "" => return Instant::Missing,
                text => time::read_text(text),
            },
            Value::Map(bytes) => civil(encoding, bytes),
            Value::Bool(_) | Value::List(_) | Value::Number(Number::Uint(_)) => None,
        };
        parsed.map_or(Instant::Unreadable, Instant::Read)
    }

    /// Returns the finding's time, from the fields `time` and `timestamp`.
    ///
    /// Prefers the first that is valid and accepted, then the first that is valid. Log agents add a `time` of their
    /// own.
    pub(crate) fn time(&self, encoding: Encoding, accepts: impl Fn(i64) -> bool) -> Instant {
        let time = self.instant(Field::Time, encoding);
        if matches!(time, Instant::Read(parsed) if accepts(parsed.millis)) {
            return time;
        }
        self.other_time(time, encoding, accepts)
    }

    #[cold]
    fn other_time(&self, time: Instant, encoding: Encoding, accepts: impl Fn(i64) -> bool) -> Instant {
        match (time, self.instant(Field::Timestamp, encoding)) {
            (_, timestamp @ Instant::Read(parsed)) if accepts(parsed.millis) => timestamp,
            (Instant::Missing | Instant::Unreadable, timestamp @ Instant::Read(_))
            | (Instant::Missing, timestamp) => timestamp,
            (time, _) => time,
        }
    }

    /// Returns whether a field has a value: a text that is not empty, a number or a boolean.
    #[inline]
    pub(crate) fn has(&self, field: Field) -> bool {
        match self.slots.get(field as usize) {
            Some(Value::Str(text)) => !text.source().is_empty(),
            Some(Value::Bool(_) | Value::Number(_)) => true,
            _ => false,
        }
    }

    /// Returns the kind of finding that has these fields, if any.
    #[inline]
    pub fn kind(&self) -> Option<Kind> {
        if self.has(Field::Etype) && self.has(Field::Eid) {
            return Some(Kind::Detection);
        }
        let rule = self.has(Field::Rule);
        if rule && (self.has(Field::Count) || self.has(Field::Id) || self.has(Field::Verb)) {
            return Some(Kind::Selection);
        }
        (!rule && self.has(Field::Id) && self.has(Field::Verb)).then_some(Kind::Activity)
    }

    /// Returns whether an object that was truncated after these fields began as a finding.
    pub(crate) fn is_part_of_finding(&self) -> bool {
        [Field::Etype, Field::Eid, Field::Rule].into_iter().any(|field| self.has(field))
            || (self.has(Field::Id) && self.has(Field::Verb))
    }

    /// Returns whether these fields describe the same finding as `other`.
    ///
    /// At least one identifying field is in both, and no such field differs.
    pub(crate) fn is_same_finding(&self, other: &Fields<'_>) -> bool {
        const IDENTITY: [Field; 8] = [
            Field::Etype,
            Field::Eid,
            Field::ShortDoc,
            Field::Rule,
            Field::Id,
            Field::Principal,
            Field::Username,
            Field::Verb,
        ];
        let (mut one, mut two) = (String::new(), String::new());
        self.kind() == other.kind()
            && IDENTITY.into_iter().all(|field| {
                let [one, two] = [self.text(field, &mut one), other.text(field, &mut two)];
                one.is_none() || two.is_none() || one == two
            })
    }

    /// Returns whether a selection is already a count, which count reports do not add up again.
    pub fn is_count(&self) -> bool {
        self.has(Field::Count)
    }

    /// Returns a detection's `etype`, if it is one of the three known values.
    pub fn etype(&self) -> Option<Etype> {
        self.closed_value(Field::Etype, Etype::of_bytes)
    }

    /// Returns a detection's `category`, if it is one of the two known values.
    pub fn category(&self) -> Option<Category> {
        self.closed_value(Field::Category, Category::of_bytes)
    }

    /// Returns a detection's `confidence`, if it is one of the three known values.
    pub fn confidence(&self) -> Option<Confidence> {
        self.closed_value(Field::Confidence, Confidence::of_bytes)
    }

    /// Parses a value of a closed list, in any case and with surrounding white space.
    #[inline]
    fn closed_value<T>(&self, field: Field, of: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let lenient = |text: &str| of(text.trim().to_ascii_lowercase().as_bytes());
        match self.get(field) {
            Value::Str(Str::Plain(text)) => of(text).or_else(|| lenient(utf8(text)?)),
            Value::Str(text) => lenient(text.decode(&mut String::new())),
            Value::Number(number) => match number.as_i64()? {
                0 => of(b"0"),
                1 => of(b"1"),
                2 => of(b"2"),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the field that contains the entity.
    ///
    /// It is `eid` for a detection, otherwise `principal` or, if that is missing, `username`.
    #[inline]
    pub fn entity_field(&self, kind: Kind) -> Field {
        match kind {
            Kind::Detection => Field::Eid,
            _ if self.has(Field::Principal) => Field::Principal,
            Kind::Selection | Kind::Activity => Field::Username,
        }
    }
}

/// The result of parsing a field as an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instant {
    /// The field is absent, null or empty.
    Missing,
    /// The field is not an instant.
    Unreadable,
    /// The field is this instant.
    Read(ParsedTime),
}

/// Returns `None`: only hosts that read MessagePack have date tables.
#[cfg(not(feature = "msgpack"))]
fn civil(_: Encoding, _: &[u8]) -> Option<ParsedTime> {
    None
}

/// Parses the date table that Vector's Lua makes of a timestamp.
#[cfg(feature = "msgpack")]
fn civil(encoding: Encoding, bytes: &[u8]) -> Option<ParsedTime> {
    let record = crate::record::Record::new(encoding, bytes);
    let part = |key| match record.member(key) {
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    let date = time::Civil {
        year: part("year")?,
        month: part("month")?,
        day: part("day")?,
        hour: part("hour")?,
        minute: part("min")?,
        second: part("sec")?,
        nanos: part("nanosec").unwrap_or(0),
    };
    Some(ParsedTime { millis: date.millis()?, unit: time::Unit::Text })
}

impl Kind {
    /// Returns the field that names the event.
    ///
    /// It is the short-doc of a detection, the rule of a selection, the verb of an activity.
    pub fn subject_field(self) -> Field {
        match self {
            Self::Detection => Field::ShortDoc,
            Self::Selection => Field::Rule,
            Self::Activity => Field::Verb,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_combination_has_a_unique_number() {
        let numbers = MatchInput::of_each_combination().map(|input| input.combination());
        assert!(numbers.eq(0..MatchInput::COMBINATIONS));
    }
}
