//! The known fields of a finding, borrowed from its record, and its kind.
//!
//! Keys are read in either spelling (`short-doc`, `short_doc`) and in any order. The first of two equal keys counts.

use core::fmt::Write as _;

use crate::record::{Encoding, Number, Str, Value, is_ascii, utf8};
use crate::time::{self, Reading};

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
            /// Every field, in the order of their slots.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// kAudit's own, hyphenated name.
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
    /// The field a key names, in either spelling.
    pub fn of(key: &str) -> Option<Self> {
        let key = key.replace('_', "-");
        Self::ALL.iter().copied().find(|field| field.name() == key)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident: $($variant:ident $($word:literal)+,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[cfg_attr(feature = "tables", derive(serde::Serialize, serde::Deserialize))]
        #[expect(missing_docs, reason = "the words are kAudit's own")]
        pub enum $type { $($variant,)* }

        impl $type {
            /// Every value, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The value that a configuration names by this word.
            pub fn of(word: &str) -> Option<Self> {
                Self::of_bytes(word.as_bytes())
            }

            #[inline]
            fn of_bytes(word: &[u8]) -> Option<Self> {
                $(if $(word == $word.as_bytes())||+ {
                    return Some(Self::$variant);
                })*
                None
            }

            /// The word itself.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => first!($($word)+),)* }
            }
        }
    };
}
macro_rules! first {
    ($first:literal $($rest:literal)*) => {
        $first
    };
}

words! {
    /// What a detection is about.
    Etype: Principal "principal", Resource "resource", Cluster "cluster",
}
words! {
    /// A detection's category; the older dialect writes `alcide.category/incident`.
    Category: Incident "incident" "alcide.category/incident", Anomaly "anomaly" "alcide.category/anomaly",
}
words! {
    /// A detection's confidence; `0`, `1` and `2` are high, medium and low.
    Confidence: High "high" "0", Medium "medium" "1", Low "low" "2",
}
words! {
    /// The kinds of finding, by the `type` of the integration that sends them.
    Kind: Detection "detections", Selection "selections", Activity "activity",
}

/// The properties of a finding that data filters and severity rows match on.
#[derive(Clone, Copy)]
pub(crate) struct MatchInput<'a> {
    pub kind: Kind,
    pub etype: Option<Etype>,
    pub category: Option<Category>,
    pub confidence: Option<Confidence>,
    /// UTF-8, as is the rule.
    pub entity: &'a [u8],
    pub rule: &'a [u8],
}

impl MatchInput<'_> {
    /// How many combinations there are of a kind with words of the closed lists, or with none of a list's.
    pub const COMBINATIONS: usize =
        Kind::ALL.len() * (Etype::ALL.len() + 1) * (Category::ALL.len() + 1) * (Confidence::ALL.len() + 1);

    /// The number of this combination; no other has it.
    #[inline(always)]
    pub fn combination(&self) -> usize {
        fn digit(before: usize, word: Option<usize>, words: usize) -> usize {
            before.wrapping_mul(words.wrapping_add(1)).wrapping_add(word.unwrap_or(words))
        }
        let of_etype = digit(self.kind as usize, self.etype.map(|word| word as usize), Etype::ALL.len());
        let of_category = digit(of_etype, self.category.map(|word| word as usize), Category::ALL.len());
        digit(of_category, self.confidence.map(|word| word as usize), Confidence::ALL.len())
    }

    /// Each combination, in the order of their numbers, without texts.
    pub fn of_each_combination() -> impl Iterator<Item = Self> {
        fn each<T: Copy>(words: &'static [T]) -> impl Iterator<Item = Option<T>> {
            words.iter().copied().map(Some).chain([None])
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
pub struct Fields<'a> {
    slots: [Value<'a>; Field::ALL.len()],
    /// Whether all strings of the record are known to be UTF-8.
    is_utf8: bool,
    /// Whether they may all stand in JSON as they are.
    is_plain: bool,
}

impl<'a> Fields<'a> {
    /// Where the value of the field with this number goes, unless it was offered one before: of two equal keys the first
    /// counts, even if its value is null. `Err` says whether there is such a field.
    #[inline(always)]
    pub(crate) fn vacant(&mut self, slot: usize) -> Result<&mut Value<'a>, bool> {
        match self.slots.get_mut(slot) {
            Some(slot @ Value::Absent) => Ok(slot),
            slot => Err(slot.is_some()),
        }
    }

    /// The field's value; `Absent` when the record has none.
    #[inline]
    pub fn get(&self, field: Field) -> Value<'a> {
        self.slots.get(field as usize).copied().unwrap_or_default()
    }

    /// The field as text, a number or boolean spelled out; `None` when absent, null, empty or nested.
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

    /// The same as bytes, which are UTF-8: a string without escape sequences is not read.
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

    /// Says whether all strings of the record are known to be UTF-8, and whether they may stand in JSON as they are.
    pub(crate) fn set_spelling(&mut self, is_utf8: bool, is_plain: bool) {
        (self.is_utf8, self.is_plain) = (is_utf8, is_plain);
    }

    /// Whether all strings may stand in JSON as they are.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The field as an integer, given as a number or as a string.
    #[inline]
    pub fn integer(&self, field: Field) -> Option<i64> {
        match self.get(field) {
            Value::Number(number) => number.as_i64(),
            Value::Str(text) => text.decode(&mut String::new()).trim().parse().ok(),
            _ => None,
        }
    }

    /// The field as a truth value, given as a boolean or as a string.
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

    /// The field as an instant: a number, a text, or a table of its parts as Vector's Lua has them.
    #[inline]
    fn instant(&self, field: Field, encoding: Encoding) -> Instant {
        let reading = match self.get(field) {
            Value::Absent | Value::Null => return Instant::Missing,
            // Nearly all times: milliseconds from 2001 to 2286.
            Value::Number(number @ Number::Raw(text))
                if text.len() == 13
                    && let Some(millis) = number.digits() =>
            {
                return Instant::Read(Reading { millis, unit: time::Unit::Milliseconds });
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
        reading.map_or(Instant::Unreadable, Instant::Read)
    }

    /// The finding's time: the first of `time` and `timestamp` that can be read and is accepted, or else that can be
    /// read. Log agents add a `time` of their own.
    pub(crate) fn time(&self, encoding: Encoding, accepts: impl Fn(i64) -> bool) -> Instant {
        let time = self.instant(Field::Time, encoding);
        if matches!(time, Instant::Read(reading) if accepts(reading.millis)) {
            return time;
        }
        self.other_time(time, encoding, accepts)
    }

    #[cold]
    fn other_time(&self, time: Instant, encoding: Encoding, accepts: impl Fn(i64) -> bool) -> Instant {
        match (time, self.instant(Field::Timestamp, encoding)) {
            (_, timestamp @ Instant::Read(reading)) if accepts(reading.millis) => timestamp,
            (Instant::Missing | Instant::Unreadable, timestamp @ Instant::Read(_))
            | (Instant::Missing, timestamp) => timestamp,
            (time, _) => time,
        }
    }

    /// Whether a field says something: a text that is not empty, a number or a boolean.
    #[inline]
    pub(crate) fn has(&self, field: Field) -> bool {
        match self.slots.get(field as usize) {
            Some(Value::Str(text)) => !text.source().is_empty(),
            Some(Value::Bool(_) | Value::Number(_)) => true,
            _ => false,
        }
    }

    /// Which kind of finding these fields make, if any.
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

    /// Whether an object that breaks off after these fields was to be a finding.
    pub(crate) fn is_part_of_finding(&self) -> bool {
        [Field::Etype, Field::Eid, Field::Rule].into_iter().any(|field| self.has(field))
            || (self.has(Field::Id) && self.has(Field::Verb))
    }

    /// Whether these fields describe the same finding as others: of those that identify one, at least one is in both,
    /// and none differs.
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

    /// Whether a selection is already a count, which no count report adds up again.
    pub fn is_count(&self) -> bool {
        self.has(Field::Count)
    }

    /// A detection's `etype`, when it is one of the three known.
    pub fn etype(&self) -> Option<Etype> {
        self.word(Field::Etype, Etype::of_bytes)
    }

    /// A detection's `category`, when it is one of the two known.
    pub fn category(&self) -> Option<Category> {
        self.word(Field::Category, Category::of_bytes)
    }

    /// A detection's `confidence`, when it is one of the three known.
    pub fn confidence(&self) -> Option<Confidence> {
        self.word(Field::Confidence, Confidence::of_bytes)
    }

    /// A word of a closed list: in any case, with or without white space around it.
    #[inline]
    fn word<T>(&self, field: Field, of: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
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

    /// The field that holds the entity: `eid` of a detection, `principal` (or else `username`) of the others.
    #[inline]
    pub fn entity_field(&self, kind: Kind) -> Field {
        match kind {
            Kind::Detection => Field::Eid,
            _ if self.has(Field::Principal) => Field::Principal,
            Kind::Selection | Kind::Activity => Field::Username,
        }
    }
}

/// What a field says about an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instant {
    /// Nothing: it is absent, null or empty.
    Missing,
    /// Something that is no instant.
    Unreadable,
    /// This.
    Read(Reading),
}

/// Only hosts that read MessagePack have dates as tables.
#[cfg(not(feature = "msgpack"))]
fn civil(_: Encoding, _: &[u8]) -> Option<Reading> {
    None
}

/// A date as the table that Vector's Lua makes of a timestamp.
#[cfg(feature = "msgpack")]
fn civil(encoding: Encoding, bytes: &[u8]) -> Option<Reading> {
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
    Some(Reading { millis: date.millis()?, unit: time::Unit::Text })
}

impl Kind {
    /// The field that names what happened: a detection's short-doc, a selection's rule, an activity's verb.
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
    fn each_combination_has_a_number_of_its_own() {
        let numbers = MatchInput::of_each_combination().map(|input| input.combination());
        assert!(numbers.eq(0..MatchInput::COMBINATIONS));
    }
}
