//! The memory of an event's fields, which is reused for the next event.

use alloc::string::String;
use alloc::vec::Vec;

use core::fmt::Write as _;

use super::nested::{Key, NestedKeys, Parts, each_text, is_extra_key};
use crate::audit::field::{EventField, FieldValue};
use crate::audit::user_agent;
use crate::record::{KeyCache, MemberVisitor, Record, Str, Value, unescape, utf8};

/// The number of fields with a fixed name.
const FIELDS: usize = EventField::ALL.len();

const _: () = assert!(FIELDS <= 128, "a bit for each");

/// The maximum number of products of a user agent. Callers choose it.
const MAX_PRODUCTS: usize = 32;

/// The kind of a field's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Absent,
    Unknown,
    Text,
    List,
}

/// The values of the fields of one event, and the memory for the values of the next.
///
/// Once it has grown, an event is read without an allocation.
pub(crate) struct EventBuffers {
    cache: KeyCache<NestedKeys>,
    /// A bit for each field that was computed.
    computed: u128,
    states: [State; FIELDS],
    texts: [String; FIELDS],
    lists: [TextList; FIELDS],
    product_names: TextList,
    product_versions: TextList,
    extras: Vec<Extra>,
    /// The number of extra attributes that were computed.
    extra_count: usize,
    /// The spelling of a part that is not one range of the event.
    raw: Vec<u8>,
}

/// The values of one extra attribute of the user.
struct Extra {
    key: String,
    state: State,
    values: TextList,
}

/// A list of texts that keeps the memory of removed texts.
#[derive(Default)]
pub(super) struct TextList {
    texts: Vec<String>,
    length: usize,
}

impl TextList {
    fn clear(&mut self) {
        self.length = 0;
    }

    /// Appends a text unless it is empty.
    pub fn push(&mut self, fill: impl FnOnce(&mut String)) {
        if self.length >= self.texts.len() {
            self.texts.push(String::new());
        }
        if let Some(text) = self.texts.get_mut(self.length) {
            text.clear();
            fill(text);
            self.length = self.length.saturating_add(usize::from(!text.is_empty()));
        }
    }

    /// Sorts the texts and removes duplicates.
    fn sort_distinct(&mut self) {
        self.texts.get_mut(..self.length).unwrap_or_default().sort_unstable();
        let mut kept = 0_usize;
        for at in 0..self.length {
            let is_new = kept.checked_sub(1).is_none_or(|last| self.texts.get(last) != self.texts.get(at));
            if is_new {
                self.texts.swap(kept, at);
                kept = kept.saturating_add(1);
            }
        }
        self.length = kept;
    }

    fn as_slice(&self) -> &[String] {
        self.texts.get(..self.length).unwrap_or_default()
    }
}

impl Default for EventBuffers {
    fn default() -> Self {
        Self {
            cache: KeyCache::new(NestedKeys),
            computed: 0,
            states: [State::Absent; FIELDS],
            texts: [const { String::new() }; FIELDS],
            lists: [const { TextList { texts: Vec::new(), length: 0 } }; FIELDS],
            product_names: TextList::default(),
            product_versions: TextList::default(),
            extras: Vec::new(),
            extra_count: 0,
            raw: Vec::new(),
        }
    }
}

impl EventBuffers {
    /// Forgets the values of the last event.
    pub(super) fn reset(&mut self) {
        self.computed = 0;
        self.extra_count = 0;
    }

    /// Returns the emptied buffer for the spelling of a part.
    pub(super) fn raw(&mut self) -> &mut Vec<u8> {
        self.raw.clear();
        &mut self.raw
    }

    #[inline]
    pub(super) fn is_computed(&self, field: EventField) -> bool {
        self.computed & bit(field) != 0
    }

    /// Sets the state of a field.
    pub(super) fn set(&mut self, field: EventField, state: State) {
        self.computed |= bit(field);
        if let Some(slot) = self.states.get_mut(field as usize) {
            *slot = state;
        }
    }

    /// Whether a field was computed and is a text.
    pub(super) fn is_text(&self, field: EventField) -> bool {
        self.is_computed(field) && self.states.get(field as usize) == Some(&State::Text)
    }

    pub(super) fn set_all(&mut self, fields: &[EventField], state: State) {
        for &field in fields {
            self.set(field, state);
        }
    }

    /// Sets a field to the text that `fill` appends; to absent if that is empty.
    pub(super) fn put(&mut self, field: EventField, fill: impl FnOnce(&mut String)) {
        let state = match self.texts.get_mut(field as usize) {
            Some(text) => {
                text.clear();
                fill(text);
                if text.is_empty() { State::Absent } else { State::Text }
            }
            None => State::Absent,
        };
        self.set(field, state);
    }

    /// Removes the text of a field for the time of other changes; empty if the field has no text.
    pub(super) fn take(&mut self, field: EventField) -> String {
        let is_text = self.is_text(field);
        let mut text = self.texts.get_mut(field as usize).map(core::mem::take).unwrap_or_default();
        if !is_text {
            text.clear();
        }
        text
    }

    /// Puts back the text that [`Self::take`] returned.
    pub(super) fn restore(&mut self, field: EventField, text: String) {
        if let Some(slot) = self.texts.get_mut(field as usize) {
            *slot = text;
        }
    }

    /// Sets a field to the texts of other fields, joined by `/`.
    pub(super) fn join(&mut self, field: EventField, parts: &[EventField]) {
        let mut out = self.take(field);
        out.clear();
        for &part in parts {
            if let FieldValue::Text(text) = self.value(part) {
                if !out.is_empty() {
                    out.push('/');
                }
                out.push_str(text);
            }
        }
        let state = if out.is_empty() { State::Absent } else { State::Text };
        self.restore(field, out);
        self.set(field, state);
    }

    /// Sets a field to the list that `fill` fills; to absent if that is empty.
    pub(super) fn put_list(&mut self, field: EventField, fill: impl FnOnce(&mut TextList)) {
        self.clear_list(field);
        if let Some(list) = self.lists.get_mut(field as usize) {
            fill(list);
        }
        self.finish_list(field, State::Absent);
    }

    /// Empties the list of a field, which is then filled by [`Self::add`] and finished by [`Self::finish_list`].
    pub(super) fn clear_list(&mut self, field: EventField) {
        self.lists.get_mut(field as usize).into_iter().for_each(TextList::clear);
    }

    /// Appends a text to the list of a field, unless it is empty.
    pub(super) fn add(&mut self, field: EventField, fill: impl FnOnce(&mut String)) {
        if let Some(list) = self.lists.get_mut(field as usize) {
            list.push(fill);
        }
    }

    /// Sets a field to its list, sorted and without duplicates; to `empty` if it has no texts.
    pub(super) fn finish_list(&mut self, field: EventField, empty: State) {
        let list = self.lists.get_mut(field as usize);
        let is_empty = list.is_none_or(|list| {
            list.sort_distinct();
            list.as_slice().is_empty()
        });
        self.set(field, if is_empty { empty } else { State::List });
    }

    /// Returns the value of a field that was computed.
    pub(super) fn value(&self, field: EventField) -> FieldValue<'_> {
        let at = field as usize;
        match self.states.get(at) {
            Some(State::Text) => self.texts.get(at).map_or(FieldValue::Absent, |text| FieldValue::Text(text)),
            Some(State::List) => {
                self.lists.get(at).map_or(FieldValue::Absent, |list| FieldValue::List(list.as_slice()))
            }
            Some(State::Unknown) => FieldValue::Unknown,
            Some(State::Absent) | None => FieldValue::Absent,
        }
    }

    /// Returns the values of some keys of an object; `Absent` for any other value.
    pub(super) fn parts<'a, const N: usize>(
        &mut self,
        record: Record<'a>,
        object: Value<'a>,
        keys: [Key; N],
    ) -> [Value<'a>; N] {
        let mut parts = Parts { keys, values: [Value::Absent; N] };
        if let Value::Map(bytes) = object {
            // The record's scan has checked the object.
            let _ = record.inner(bytes).members(&mut self.cache, &mut parts);
        }
        parts.values
    }

    /// Sets the field of the webhooks that failed and were ignored.
    pub(super) fn put_failed_open(&mut self, record: Record<'_>, annotations: Value<'_>) {
        let field = EventField::FailedOpenWebhook;
        self.clear_list(field);
        if let (Some(list), Value::Map(bytes)) = (self.lists.get_mut(field as usize), annotations) {
            let _ = record.inner(bytes).members(&mut self.cache, &mut FailedOpen(list));
        }
        self.finish_list(field, State::Absent);
    }

    /// Splits a user agent into products and the remaining text.
    pub(super) fn split_user_agent(&mut self, agent: &str) {
        self.clear_products();
        let mut rest = self.take(EventField::CallerSuppliedUserAgent);
        rest.clear();
        let (names, versions) = (&mut self.product_names, &mut self.product_versions);
        user_agent::split(
            agent,
            &mut |name, version| {
                if names.length < MAX_PRODUCTS {
                    names.push(|out| user_agent::push_key(name, out));
                    versions.push(|out| out.push_str(version));
                }
            },
            &mut rest,
        );
        let state = if rest.is_empty() { State::Absent } else { State::Text };
        self.restore(EventField::CallerSuppliedUserAgent, rest);
        self.set(EventField::CallerSuppliedUserAgent, state);
    }

    pub(super) fn clear_products(&mut self) {
        self.product_names.clear();
        self.product_versions.clear();
    }

    /// Returns the products of the user agent that was split last.
    pub(super) fn products(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.product_names.as_slice().iter().map(String::as_str);
        names.zip(self.product_versions.as_slice().iter().map(String::as_str))
    }

    fn find_extra(&self, key: &str) -> Option<&Extra> {
        self.extras.iter().take(self.extra_count).find(|extra| extra.key == key)
    }

    pub(super) fn has_extra(&self, key: &str) -> bool {
        self.find_extra(key).is_some()
    }

    /// Returns the values of an extra attribute that was read.
    pub(super) fn extra(&self, key: &str) -> FieldValue<'_> {
        match self.find_extra(key) {
            Some(Extra { state: State::Unknown, .. }) => FieldValue::Unknown,
            Some(Extra { state: State::List, values, .. }) => FieldValue::List(values.as_slice()),
            _ => FieldValue::Absent,
        }
    }

    /// Reads the values of a key in the user's extra attributes.
    pub(super) fn read_extra(&mut self, record: Record<'_>, key: &str, extra: Option<Value<'_>>) {
        if self.extra_count >= self.extras.len() {
            self.extras.push(Extra { key: String::new(), state: State::Absent, values: TextList::default() });
        }
        let Some(slot) = self.extras.get_mut(self.extra_count) else { return };
        self.extra_count = self.extra_count.saturating_add(1);
        slot.key.clear();
        slot.key.push_str(key);
        slot.values.clear();
        let values = &mut slot.values;
        if let Some(Value::Map(bytes)) = extra {
            let _ = record.inner(bytes).each_member(&mut |name, value| {
                if is_extra_key(name.decode(&mut String::new()), key) {
                    each_text(record, value, &mut |text| {
                        values.push(|out| push_value(Value::Str(text), out));
                    });
                }
            });
        }
        slot.state = match (extra, slot.values.as_slice()) {
            (None, _) => State::Unknown,
            (_, []) => State::Absent,
            _ => State::List,
        };
    }

    /// Sets a field to the first value of an extra attribute; to `other` if there is none.
    pub(super) fn put_first_extra(&mut self, field: EventField, key: &str, other: State) {
        let mut out = self.take(field);
        out.clear();
        let state = match self.extra(key) {
            FieldValue::List([first, ..]) => {
                out.push_str(first);
                State::Text
            }
            _ => other,
        };
        self.restore(field, out);
        self.set(field, state);
    }
}

fn bit(field: EventField) -> u128 {
    1_u128.checked_shl(field as u32).unwrap_or(0)
}

/// Collects the annotations about webhooks that failed.
struct FailedOpen<'l>(&'l mut TextList);

impl<'a> MemberVisitor<'a, Key> for FailedOpen<'_> {
    const VERBATIM: bool = false;

    fn text(&mut self, key: Key, text: &'a [u8]) {
        self.value(key, Value::Str(Str::Plain(text)));
    }

    fn value(&mut self, key: Key, value: Value<'a>) {
        if key == Key::FailedOpenWebhook {
            self.0.push(|out| push_value(value, out));
        }
    }
}

/// Appends a text, number or boolean as text, and nothing for any other value.
pub(super) fn push_value(value: Value<'_>, out: &mut String) {
    match value {
        Value::Str(Str::Plain(bytes)) => match utf8(bytes) {
            Some(text) => out.push_str(text),
            None => out.push_str(&String::from_utf8_lossy(bytes)),
        },
        Value::Str(Str::Escaped(bytes)) => unescape(&String::from_utf8_lossy(bytes), out),
        Value::Number(number) => match number.as_i64() {
            // Also of a float, as Lua has only these.
            Some(integer) => out.push_str(itoa::Buffer::new().format(integer)),
            None => {
                // Writing into a string cannot fail.
                let _ = write!(out, "{number}");
            }
        },
        Value::Bool(value) => out.push_str(if value { "true" } else { "false" }),
        Value::Absent | Value::Null | Value::Map(_) | Value::List(_) => (),
    }
}
