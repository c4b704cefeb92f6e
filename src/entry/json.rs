//! The JSON encoder.

use super::{Entry, OWN_KEY, Out};
use crate::config::TextForm;
use crate::record::{Body, Event, Number, Tape, plain_length};

/// A whole entry for `/logs/v1/singles`.
pub(super) fn entry(entry: &Entry<'_>, out: &mut impl Out) {
    head(entry, out);
    member(br#","applicationName":""#, entry.labels.application, out);
    names(entry, out);
    tail(entry, entry.text, out);
}

/// An envelope's names, and the beginning of its items.
pub(super) fn bulk_head(entry: &Entry<'_>, out: &mut impl Out) {
    member(br#"{"applicationName":""#, entry.labels.application, out);
    names(entry, out);
    out.put(br#","logEntries":["#);
}

/// An item of an envelope, whose names stand outside.
pub(super) fn bulk_item(entry: &Entry<'_>, out: &mut impl Out) {
    head(entry, out);
    tail(entry, TextForm::String, out);
}

fn head(entry: &Entry<'_>, out: &mut impl Out) {
    out.put(br#"{"timestamp":"#);
    int(entry.timestamp_ms, out);
    out.put(br#","severity":"#);
    int(i64::from(entry.severity as u8), out);
}

/// The names behind the first.
fn names(entry: &Entry<'_>, out: &mut impl Out) {
    member(br#","subsystemName":""#, entry.labels.subsystem, out);
    label(br#","computerName":""#, entry.labels.computer, out);
}

fn tail(entry: &Entry<'_>, form: TextForm, out: &mut impl Out) {
    label(br#","category":""#, entry.labels.category, out);
    label(br#","className":""#, entry.labels.class, out);
    label(br#","methodName":""#, entry.labels.method, out);
    label(br#","threadId":""#, entry.labels.thread, out);
    out.put(br#","text":"#);
    match form {
        TextForm::Object => text(entry, out),
        TextForm::String => {
            out.put(b"\"");
            text(entry, &mut Escaped(out));
            out.put(b"\"");
        }
    }
    out.put(b"}");
}

/// The body with the filter's own member behind its last.
pub(super) fn text(entry: &Entry<'_>, out: &mut impl Out) {
    let marks = &entry.marks.events;
    match &entry.body {
        Body::Json(body) if marks.is_empty() => out.put(body.as_bytes()),
        Body::Json(body) => {
            let open = body.strip_suffix('}').unwrap_or(body).trim_end();
            out.put(open.as_bytes());
            own_member(marks, open != "{", out);
        }
        Body::MsgPack(_) => tape_with_marks(&entry.body.clone().into_tape(), marks, out),
        Body::Tape(tape) => tape_with_marks(tape, marks, out),
    }
}

fn tape_with_marks(tape: &Tape<'_>, marks: &[Event<'_>], out: &mut impl Out) {
    if marks.is_empty() {
        return events(&tape.events, out);
    }
    let members = tape.events.split_last().map_or(&[][..], |(_, members)| members);
    events(members, out);
    own_member(marks, members.len() > 1, out);
}

fn own_member(marks: &[Event<'_>], comma: bool, out: &mut impl Out) {
    if comma {
        out.put(b",");
    }
    string(OWN_KEY, out);
    out.put(b":");
    events(marks, out);
    out.put(b"}");
}

/// The events of a value.
pub(super) fn events(events: &[Event<'_>], out: &mut impl Out) {
    // Whether the next value needs a comma: none behind a bracket or a key.
    let mut comma = false;
    let mut lists: Vec<bool> = Vec::new();
    for event in events {
        if comma && !matches!(event, Event::End) {
            out.put(b",");
        }
        comma = true;
        match event {
            Event::Map(_) | Event::List(_) => {
                let list = matches!(event, Event::List(_));
                out.put(if list { b"[" } else { b"{" });
                lists.push(list);
                comma = false;
            }
            Event::End => out.put(if lists.pop() == Some(true) { b"]" } else { b"}" }),
            Event::Key(key) => {
                string(key, out);
                out.put(b":");
                comma = false;
            }
            Event::Str(text) => {
                out.put(b"\"");
                escape(text.as_bytes(), out);
                out.put(b"\"");
            }
            Event::Number(value) => number(*value, out),
            Event::Bool(true) => out.put(b"true"),
            Event::Bool(false) => out.put(b"false"),
            Event::Null => out.put(b"null"),
        }
    }
}

/// A member, whose `lead` is all up to the value's opening quote.
fn member(lead: &[u8], value: &[u8], out: &mut impl Out) {
    out.put(lead);
    escape(value, out);
    out.put(b"\"");
}

/// The same, where there is a value.
#[inline]
fn label(lead: &[u8], value: &[u8], out: &mut impl Out) {
    if !value.is_empty() {
        member(lead, value, out);
    }
}

fn string(text: &str, out: &mut impl Out) {
    out.put(b"\"");
    escape(text.as_bytes(), out);
    out.put(b"\"");
}

fn number(number: Number<'_>, out: &mut impl Out) {
    match number {
        Number::Int(value) => int(value, out),
        Number::Raw(text) => out.put(text.as_bytes()),
        // Rare, and outside the hot path.
        Number::Uint(_) | Number::Float(_) => out.put(number.to_string().as_bytes()),
    }
}

fn int(value: i64, out: &mut impl Out) {
    out.put(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes what stands inside a JSON string.
fn escape(text: &[u8], out: &mut impl Out) {
    let mut rest = text;
    loop {
        let (plain, from) = rest.split_at_checked(plain_length(rest)).unwrap_or((rest, &[]));
        out.put(plain);
        let Some((&byte, after)) = from.split_first() else { return };
        match byte {
            b'"' => out.put(b"\\\""),
            b'\\' => out.put(b"\\\\"),
            b'\n' => out.put(b"\\n"),
            b'\r' => out.put(b"\\r"),
            b'\t' => out.put(b"\\t"),
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.put(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            }
        }
        rest = after;
    }
}

/// Escapes what is written through it, for JSON within a JSON string.
struct Escaped<'o, O>(&'o mut O);

impl<O: Out> Out for Escaped<'_, O> {
    fn put(&mut self, bytes: &[u8]) {
        escape(bytes, self.0);
    }
}
