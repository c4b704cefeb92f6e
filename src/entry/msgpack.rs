//! The `MessagePack` encoder, for Fluent Bit.

use super::out::{LengthCounter, Out};
use super::{Entry, Labels, OWN_KEY, json};
use crate::config::TextForm;
use crate::record::{Body, BodyView, Encoding, Event, Number, Record, Str, remark};

/// Writes a whole entry.
pub(super) fn entry(entry: &Entry<'_>, out: &mut impl Out) {
    let Labels { names, category, class, method, thread, .. } = entry.labels;
    let optional = [&names.computer, category, class, method, thread];
    let members = optional.iter().fold(5, |sum: u8, label| sum.wrapping_add(u8::from(!label.is_empty())));
    let mut first = *b"\x80\xa9timestamp\xd3";
    let [head, ..] = &mut first;
    *head |= members;
    out.put(&first);
    // The longest form for any number: nearly all timestamps need it.
    out.put(&entry.timestamp_ms.to_be_bytes());
    let mut severity = *b"\xa8severity\0";
    let [.., number] = &mut severity;
    *number = entry.severity as u8;
    out.put(&severity);
    out.put(&names.msgpack);
    labels(entry.labels, out);
    out.put(b"\xa4text");
    match entry.text {
        TextForm::Object => text(entry, out),
        TextForm::String => {
            // A string's length precedes it, so the text is written twice: first to measure it.
            let mut length = LengthCounter::default();
            json::text(entry, &mut length);
            str_head(length.0, out);
            json::text(entry, out);
        }
    }
}

/// Writes labels as members.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub(super) fn labels(Labels { category, class, method, thread, .. }: Labels<'_>, out: &mut impl Out) {
    label(b"\xa8category\xa0", category, out);
    label(b"\xa9className\xa0", class, out);
    label(b"\xaamethodName\xa0", method, out);
    label(b"\xa8threadId\xa0", thread, out);
}

/// Writes names as members.
pub(super) fn names([application, subsystem, computer]: [&[u8]; 3], out: &mut impl Out) {
    member(b"\xafapplicationName\xa0", application, out);
    member(b"\xadsubsystemName\xa0", subsystem, out);
    label(b"\xaccomputerName\xa0", computer, out);
}

/// Writes a member. `lead` is its key and the head of an empty string.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
fn member<const N: usize>(lead: &[u8; N], value: &[u8], out: &mut impl Out) {
    match (u8::try_from(value.len()), lead.split_last()) {
        (Ok(length @ 0..=31), _) => {
            let mut lead = *lead;
            if let Some(head) = lead.last_mut() {
                *head |= length;
            }
            out.put(&lead);
        }
        (_, Some((_, key))) => {
            out.put(key);
            str_head(value.len(), out);
        }
        _ => (),
    }
    out.put(value);
}

/// Writes a member unless its value is empty.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub(super) fn label<const N: usize>(lead: &[u8; N], value: &[u8], out: &mut impl Out) {
    if !value.is_empty() {
        member(lead, value, out);
    }
}

/// Writes the body, with the filter's own member after the last one.
pub(super) fn text(entry: &Entry<'_>, out: &mut impl Out) {
    let marks = &entry.marks.events;
    match &entry.body {
        Body::Verbatim(record) if record.encoding() == Encoding::MsgPack => {
            let body = record.bytes();
            if marks.is_empty() {
                return out.put(body);
            }
            let (count, members) = map_head(body);
            map(count.saturating_add(1), out);
            out.put(members);
            own_member(marks, out);
        }
        body => rewritten(body.view(), marks, out),
    }
}

/// Writes a body that is not copied.
#[inline(never)]
fn rewritten(body: BodyView<'_>, marks: &[Event<'_>], out: &mut impl Out) {
    let read;
    let document = match body {
        BodyView::Record(record, longest) if record.encoding() == Encoding::MsgPack => {
            return truncated(record, longest, marks, out);
        }
        BodyView::Record(record, longest) => {
            read = record.truncated_document(longest);
            &read.events
        }
        BodyView::Document(events) => events,
    };
    match document.split_first() {
        Some((Event::Map(count), members)) if !marks.is_empty() => {
            map(count.saturating_add(1), out);
            events(members, out);
            own_member(marks, out);
        }
        _ => events(document, out),
    }
}

/// Writes a map with truncated strings; all other bytes are copied.
fn truncated(record: Record<'_>, longest: usize, marks: &[Event<'_>], out: &mut impl Out) {
    let (count, members) = map_head(record.bytes());
    map(count.saturating_add(u32::from(!marks.is_empty())), out);
    // The bytes that are not yet written.
    let mut left = members;
    record.strings(&mut |text, head, after| {
        let (kept, removed) = Str::Plain(text).truncated(longest);
        if removed > 0 {
            let remark = remark(removed);
            out.put(left.get(..left.len().saturating_sub(head)).unwrap_or_default());
            str_head(kept.len().saturating_add(remark.len()), out);
            out.put(kept.as_bytes());
            out.put(remark.as_bytes());
            left = members.get(members.len().saturating_sub(after)..).unwrap_or_default();
        }
    });
    out.put(left);
    if !marks.is_empty() {
        own_member(marks, out);
    }
}

fn own_member(marks: &[Event<'_>], out: &mut impl Out) {
    str(OWN_KEY, out);
    events(marks, out);
}

/// Splits off a map's head; returns the number of its members, and their bytes.
fn map_head(body: &[u8]) -> (u32, &[u8]) {
    match body {
        [head @ 0x80..=0x8f, members @ ..] => (u32::from(head & 0x0f), members),
        [0xde, a, b, members @ ..] => (u32::from(u16::from_be_bytes([*a, *b])), members),
        [0xdf, a, b, c, d, members @ ..] => (u32::from_be_bytes([*a, *b, *c, *d]), members),
        _ => (0, body),
    }
}

fn events(events: &[Event<'_>], out: &mut impl Out) {
    for event in events {
        match event {
            Event::Map(count) => map(*count, out),
            Event::List(count) => list(*count, out),
            Event::End => (),
            Event::Key(text) | Event::Str(text) => str(text, out),
            Event::Number(value) => number(*value, out),
            Event::Bool(true) => out.put(&[0xc3]),
            Event::Bool(false) => out.put(&[0xc2]),
            Event::Null => out.put(&[0xc0]),
        }
    }
}

fn map(count: u32, out: &mut impl Out) {
    match (u8::try_from(count), u16::try_from(count)) {
        (Ok(count @ 0..=15), _) => out.put(&[0x80 | count]),
        (_, Ok(count)) => head(0xde, count.to_be_bytes(), out),
        _ => head(0xdf, count.to_be_bytes(), out),
    }
}

fn list(count: u32, out: &mut impl Out) {
    match (u8::try_from(count), u16::try_from(count)) {
        (Ok(count @ 0..=15), _) => out.put(&[0x90 | count]),
        (_, Ok(count)) => head(0xdc, count.to_be_bytes(), out),
        _ => head(0xdd, count.to_be_bytes(), out),
    }
}

pub(super) fn str(text: &str, out: &mut impl Out) {
    str_head(text.len(), out);
    out.put(text.as_bytes());
}

#[inline]
fn str_head(length: usize, out: &mut impl Out) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ 0..=31), _) => out.put(&[0xa0 | length]),
        (Ok(length), _) => out.put(&[0xd9, length]),
        (_, Ok(length)) => head(0xda, length.to_be_bytes(), out),
        // An entry is at most a megabyte.
        _ => head(0xdb, u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes(), out),
    }
}

fn number(number: Number<'_>, out: &mut impl Out) {
    match number {
        Number::Int(value) => int(value, out),
        Number::Uint(value) => head(0xcf, value.to_be_bytes(), out),
        Number::Float(value) => head(0xcb, value.to_be_bytes(), out),
        Number::Raw(_) => {
            let text = number.raw().unwrap_or_default();
            match (text.parse::<i64>(), text.parse::<u64>(), text.parse::<f64>()) {
                (Ok(value), ..) => int(value, out),
                (_, Ok(value), _) => head(0xcf, value.to_be_bytes(), out),
                (.., Ok(value)) if value.is_finite() => head(0xcb, value.to_be_bytes(), out),
                _ => str(text, out),
            }
        }
    }
}

fn int(value: i64, out: &mut impl Out) {
    match (u8::try_from(value), u32::try_from(value), i8::try_from(value)) {
        (Ok(small @ 0..=0x7f), ..) => out.put(&[small]),
        (_, Ok(value), _) => head(0xce, value.to_be_bytes(), out),
        (.., Ok(value @ -32..0)) => out.put(&value.to_be_bytes()),
        _ => head(0xd3, value.to_be_bytes(), out),
    }
}

fn head<const N: usize>(kind: u8, bytes: [u8; N], out: &mut impl Out) {
    out.put(&[kind]);
    out.put(&bytes);
}
