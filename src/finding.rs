//! Recognises a record as one of kAudit's findings and holds the few fields that matter, borrowed.
//!
//! It looks at top-level keys only and never at the order they come in. Keys are read in either spelling (`short-doc`,
//! `short_doc`). Decision: the first of two equal keys counts, so that a scan may stop early.

#![expect(clippy::inline_always, reason = "each member of a record comes by here, measured")]

mod key;

use core::fmt::Write as _;

pub(crate) use key::Key;

use crate::record::{Name, Number, Text, Value, spelled};

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

            /// The name in both spellings: kAudit's own, and with underscores.
            const fn spellings(self) -> [&'static [u8]; 2] {
                match self {
                    $(Self::$variant => [$name.as_bytes(), &const { snake::<{ $name.len() }>($name) }],)*
                }
            }
        }
    };
}

/// A name with underscores for its hyphens.
#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn snake<const N: usize>(name: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        bytes[at] = if name.as_bytes()[at] == b'-' { b'_' } else { name.as_bytes()[at] };
        at += 1;
    }
    bytes
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
    pub fn of(key: &[u8]) -> Option<Self> {
        Key::of(&Name::of(key)).field()
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

            /// The value a record or configuration means by this word.
            pub fn of(word: &str) -> Option<Self> {
                Self::of_bytes(word.as_bytes())
            }

            /// The same of a word that need not be characters.
            #[inline]
            pub(crate) fn of_bytes(word: &[u8]) -> Option<Self> {
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

/// A finding as the clauses of data filters and severity rows look at it. What is seldom called takes it by value, so
/// that its parts need no place in memory before.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub kind: Kind,
    pub etype: Option<Etype>,
    pub category: Option<Category>,
    pub confidence: Option<Confidence>,
    /// UTF-8, as is the rule.
    pub entity: &'a [u8],
    pub rule: &'a [u8],
}

impl Question<'_> {
    /// How many combinations there are of a kind with words of the closed lists, or with none of a list's.
    pub const COMBINATIONS: usize =
        Kind::ALL.len() * (Etype::ALL.len() + 1) * (Category::ALL.len() + 1) * (Confidence::ALL.len() + 1);

    /// The combination that this question is one of; no other has the number.
    #[inline(always)]
    pub fn combination(&self) -> usize {
        fn digit(before: usize, word: Option<usize>, words: usize) -> usize {
            before.wrapping_mul(words.wrapping_add(1)).wrapping_add(word.unwrap_or(words))
        }
        let of_etype = digit(self.kind as usize, self.etype.map(|word| word as usize), Etype::ALL.len());
        let of_category = digit(of_etype, self.category.map(|word| word as usize), Category::ALL.len());
        digit(of_category, self.confidence.map(|word| word as usize), Confidence::ALL.len())
    }

    /// A question of each combination, in the order of their numbers, without texts.
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

/// The known top-level fields of one record. The default is an empty set.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    slots: [Value<'a>; Field::ALL.len()],
}

impl Default for Fields<'_> {
    #[inline]
    fn default() -> Self {
        static NONE: Fields<'static> = Fields { slots: [Value::Null; Field::ALL.len()] };
        // An interpreter copies them all in one step and writes each in one.
        if cfg!(target_family = "wasm") { NONE } else { Self { slots: [Value::Null; Field::ALL.len()] } }
    }
}

impl<'a> Fields<'a> {
    /// Takes a value, if the key names a field and this has none yet; whether the key does.
    #[inline(always)]
    pub(crate) fn offer(&mut self, key: Key, value: Value<'a>) -> bool {
        let slot = self.slots.get_mut(key.number());
        let is_field = slot.is_some();
        if let Some(slot @ Value::Null) = slot {
            *slot = value;
        }
        is_field
    }

    /// The field's value; `Null` when the record has none.
    #[inline(always)]
    pub fn get(&self, field: Field) -> Value<'a> {
        self.slots.get(field as usize).copied().unwrap_or(Value::Null)
    }

    /// The field as text, a number or boolean spelled out; `None` when absent, null, empty or nested.
    pub fn text<'s>(&self, field: Field, scratch: &'s mut String) -> Option<&'s str>
    where
        'a: 's,
    {
        let value = self.get(field);
        let text = match value {
            Value::Plain(_) | Value::Escaped(_) | Value::Bytes(_) => value.text()?.decode(scratch),
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            Value::Number(Number::Raw(text) | Number::Digits(text)) => spelled(text),
            Value::Number(number) => {
                scratch.clear();
                // Writing into a string cannot fail.
                let _ = write!(scratch, "{number}");
                scratch
            }
            Value::Null | Value::Map | Value::List => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// The same as bytes, which are UTF-8.
    #[inline(always)]
    pub(crate) fn utf8<'s>(&self, field: Field, scratch: &'s mut String) -> Option<&'s [u8]>
    where
        'a: 's,
    {
        match self.get(field) {
            Value::Null | Value::Plain([]) | Value::Bytes([]) => None,
            Value::Plain(text) => Some(text),
            Value::Bytes(bytes) => Some(Text::Bytes(bytes).utf8(scratch)),
            _ => self.odd_utf8(field, scratch),
        }
    }

    #[inline(never)]
    fn odd_utf8<'s>(&self, field: Field, scratch: &'s mut String) -> Option<&'s [u8]>
    where
        'a: 's,
    {
        self.text(field, scratch).map(str::as_bytes)
    }

    /// The field as a whole number, given as a number or as a string.
    #[inline(always)]
    pub fn integer(&self, field: Field) -> Option<i64> {
        match self.get(field) {
            Value::Number(number) => number.as_i64(),
            Value::Plain(text) | Value::Bytes(text) => integer_in(text),
            Value::Escaped(text) => integer_in(&resolved(text)),
            _ => None,
        }
    }

    /// The field as a truth value, given as a boolean or as a string.
    #[inline(always)]
    pub fn truth(&self, field: Field) -> Option<bool> {
        match self.get(field) {
            Value::Bool(value) => Some(value),
            Value::Plain(text) | Value::Bytes(text) => truth_in(text),
            Value::Escaped(text) => truth_in(&resolved(text)),
            _ => None,
        }
    }

    /// Whether a field says something: a text that is not empty, a number or a boolean.
    #[inline(always)]
    fn has(&self, field: Field) -> bool {
        match self.slots.get(field as usize) {
            Some(Value::Plain(text) | Value::Bytes(text)) => !text.is_empty(),
            Some(Value::Escaped(_) | Value::Bool(_) | Value::Number(_)) => true,
            _ => false,
        }
    }

    /// Which kind of finding these fields make, if any.
    #[inline(always)]
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

    /// Whether a selection is already a count, which no count report adds up again.
    #[inline(always)]
    pub fn is_count(&self) -> bool {
        self.has(Field::Count)
    }

    /// A detection's `etype`, when it is one of the three known.
    #[inline(always)]
    pub fn etype(&self) -> Option<Etype> {
        self.word(Field::Etype, Etype::of_bytes)
    }

    /// A detection's `category`, when it is one of the two known.
    #[inline(always)]
    pub fn category(&self) -> Option<Category> {
        self.word(Field::Category, Category::of_bytes)
    }

    /// A detection's `confidence`, when it is one of the three known.
    #[inline(always)]
    pub fn confidence(&self) -> Option<Confidence> {
        self.word(Field::Confidence, Confidence::of_bytes)
    }

    #[inline(always)]
    fn word<T>(&self, field: Field, of: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        match self.get(field) {
            Value::Plain(text) | Value::Bytes(text) => of(text),
            Value::Escaped(text) => of(&resolved(text)),
            Value::Number(number) => of(digit(number)?),
            _ => None,
        }
    }

    /// The field that holds the entity: `eid` of a detection, `principal` (or else `username`) of the others.
    #[inline(always)]
    pub fn entity_field(&self, kind: Kind) -> Field {
        match kind {
            Kind::Detection => Field::Eid,
            _ if self.has(Field::Principal) => Field::Principal,
            Kind::Selection | Kind::Activity => Field::Username,
        }
    }
}

/// A word in escapes, which some encoders write.
#[cold]
fn resolved(text: &str) -> Vec<u8> {
    let mut scratch = String::new();
    Text::Escaped(text).decode(&mut scratch);
    scratch.into_bytes()
}

#[inline(never)]
fn truth_in(text: &[u8]) -> Option<bool> {
    match text {
        text if text.eq_ignore_ascii_case(b"true") => Some(true),
        text if text.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

#[inline(never)]
fn integer_in(text: &[u8]) -> Option<i64> {
    core::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// A number that stands for a word.
#[inline(never)]
fn digit(number: Number<'_>) -> Option<&'static [u8]> {
    match number.as_i64()? {
        0 => Some(b"0"),
        1 => Some(b"1"),
        2 => Some(b"2"),
        _ => None,
    }
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
        let numbers = Question::of_each_combination().map(|question| question.combination());
        assert!(numbers.eq(0..Question::COMBINATIONS));
    }
}
