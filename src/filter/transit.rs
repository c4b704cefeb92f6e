//! Recognises the filter's own entries and envelopes in its input.
//! They occur after `rewrite_tag`, a second filter or a second agent.
//!
//! They pass unchanged if they still meet Coralogix's contract and contain nothing to redact. Any sender can write a
//! record that looks like an entry, so everything else is treated like any other record.

use super::shape::Shaper;
use crate::config::Severity;
use crate::entry::{LABEL_BYTES, LABEL_CHARS};
use crate::record::{Event, Limits, Quality, Record, escaped_length};
use crate::redact::{Editor, Scope};
use crate::time::Time;

/// The label members of an entry or an item, which are optional.
const LABELS: [&str; 4] = ["category", "className", "methodName", "threadId"];

/// The name members of an entry or an envelope; the first two are required.
const NAMES: [&str; 3] = ["applicationName", "subsystemName", "computerName"];

/// The maximum number of items that are checked.
const MAX_ITEMS: usize = 10_000;

impl Shaper {
    /// Returns whether a record is an own entry or envelope that may pass.
    #[inline(never)]
    pub fn passes(&self, record: Record<'_>, now: Time) -> bool {
        // Redaction cannot read an extension of MessagePack, and no entry contains one.
        if record.check().is_ok_and(|scan| scan.quality().has(Quality::NO_JSON_TYPE)) {
            return false;
        }
        let mut editor =
            Editor::new(&self.redactor, (!self.redactor.is_empty()).then_some(Scope::Everything));
        let (document, complete) = record.read(Limits::NONE, &mut editor);
        if !complete || editor.changed > 0 {
            return false;
        }
        let mut events = document.events.iter();
        matches!(events.next(), Some(Event::Map(_)))
            && self.is_entry(&mut events, Form::Entry, record.bytes().len(), now)
            && events.next().is_none()
    }

    /// Returns whether the members up to the map's end have the given form.
    fn is_entry<'e>(
        &self,
        events: &mut core::slice::Iter<'e, Event<'e>>,
        form: Form,
        bytes: usize,
        now: Time,
    ) -> bool {
        let mut names = [false; 2];
        let (mut timestamp, mut severity, mut text, mut items) = (false, false, false, None);
        let mut item_lists = 0_usize;
        loop {
            let key = match events.next() {
                Some(Event::Key(key)) => key.as_ref(),
                Some(Event::End) => break,
                _ => return false,
            };
            let Some(value) = events.next() else { return false };
            let is_valid = match (key, value) {
                ("timestamp", Event::Number(number)) => {
                    timestamp = number.as_i64().is_some_and(|millis| self.is_in_range(millis, now.millis()));
                    timestamp
                }
                ("severity", Event::Number(number)) => {
                    severity = number.as_i64().is_some_and(|number| Severity::from_number(number).is_some());
                    severity
                }
                ("text", Event::Str(value)) => {
                    text = !value.trim().is_empty();
                    text
                }
                ("text", Event::Map(members)) => {
                    text = form == Form::Entry && *members > 0;
                    text && skip(events)
                }
                ("logEntries", Event::List(count)) if form == Form::Entry => {
                    items = Some(*count as usize);
                    item_lists = item_lists.saturating_add(1);
                    self.are_items(events, now)
                }
                (key, Event::Str(value)) if form == Form::Entry && NAMES.contains(&key) => {
                    if let Some(name) =
                        NAMES.iter().position(|name| *name == key).and_then(|index| names.get_mut(index))
                    {
                        *name = !value.trim().is_empty();
                    }
                    is_label(value)
                }
                (key, Event::Str(value)) if LABELS.contains(&key) => is_label(value),
                _ => false,
            };
            if !is_valid {
                return false;
            }
        }
        let is_named = form == Form::Item || names == [true; 2];
        match items {
            Some(count) => {
                is_named && item_lists == 1 && (1..=MAX_ITEMS).contains(&count) && !timestamp && !text
            }
            None => is_named && timestamp && severity && text && bytes <= self.guard.max_entry_bytes,
        }
    }

    /// Returns whether the elements up to the list's end are an envelope's items.
    fn are_items<'e>(&self, events: &mut core::slice::Iter<'e, Event<'e>>, now: Time) -> bool {
        loop {
            match events.next() {
                Some(Event::End) => return true,
                Some(Event::Map(_)) => {
                    let before = events.as_slice().len();
                    let start = events.as_slice();
                    if !self.is_entry(events, Form::Item, 0, now) {
                        return false;
                    }
                    let read = before.saturating_sub(events.as_slice().len());
                    let size =
                        start.iter().take(read).fold(0_usize, |sum, event| sum.saturating_add(event.size()));
                    if size > self.guard.max_entry_bytes {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }
}

/// The members that are expected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// The members of an entry or an envelope.
    Entry,
    /// The members of an item in an envelope, whose text is a string.
    Item,
}

fn is_label(text: &str) -> bool {
    text.chars().nth(LABEL_CHARS).is_none() && escaped_length(text.as_bytes()) <= LABEL_BYTES
}

/// Skips to the end of the current map; returns whether it was found.
fn skip(events: &mut core::slice::Iter<'_, Event<'_>>) -> bool {
    let mut depth = 1_usize;
    for event in events {
        match event {
            Event::Map(_) | Event::List(_) => depth = depth.saturating_add(1),
            Event::End => depth = depth.saturating_sub(1),
            _ => (),
        }
        if depth == 0 {
            return true;
        }
    }
    false
}
