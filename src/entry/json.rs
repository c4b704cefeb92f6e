//! The JSON encoder.

#![expect(clippy::inline_always, reason = "a kept record's entry is some twenty writes, measured")]

use super::{Entry, Labels, OWN_KEY, Out};
use crate::config::TextForm;
use crate::record::{Body, Event, Number, Tape, plain_length};

/// A whole entry for `/logs/v1/singles`.
pub(super) fn entry(entry: &Entry<'_>, out: &mut impl Out) {
    if cfg!(target_family = "wasm")
        && let (true, TextForm::Object, Body::Json(body), [], Some(head)) =
            (entry.labels.plain, entry.text, &entry.body, &*entry.marks.events, usual_head(entry))
    {
        return usual(entry, &head, body, out);
    }
    head(entry, out);
    out.put(&entry.labels.names.json);
    labels(entry, true, out);
    tail(entry, entry.text, out);
}

/// An entry of which nothing is to be escaped or added. Decision: a loop, in an interpreter of WebAssembly, whose
/// processor foresees the steps of a loop better than those of a way that is taken once for each record.
#[inline(always)]
fn usual(entry: &Entry<'_>, head: &[u8], body: &[u8], out: &mut impl Out) {
    let Labels { names, category, class, method, thread, .. } = entry.labels;
    let lead = |lead: &'static [u8], label: &[u8]| if label.is_empty() { &[][..] } else { lead };
    out.put_all(&[
        head,
        &names.json,
        lead(br#"","category":""#, category),
        category,
        lead(br#"","className":""#, class),
        class,
        lead(br#"","methodName":""#, method),
        method,
        lead(br#"","threadId":""#, thread),
        thread,
        br#"","text":"#,
        body,
        b"}",
    ]);
}

/// An envelope's names, and the beginning of its items.
pub(super) fn bulk_head(entry: &Entry<'_>, out: &mut impl Out) {
    out.put(b"{");
    // Without the comma before the first.
    out.put(entry.labels.names.json.split_first().map_or(&[], |(_, names)| names));
    out.put(br#"","logEntries":["#);
}

/// An item of an envelope, whose names stand outside.
pub(super) fn bulk_item(entry: &Entry<'_>, out: &mut impl Out) {
    head(entry, out);
    labels(entry, false, out);
    tail(entry, TextForm::String, out);
}

/// Names as members, each behind a comma; the last is left open.
pub(super) fn names([application, subsystem, computer]: [&[u8]; 3], out: &mut impl Out) {
    let mut members = Members { out, plain: false, open: false };
    members.member(br#"","applicationName":""#, application);
    members.member(br#"","subsystemName":""#, subsystem);
    members.label(br#"","computerName":""#, computer);
}

fn head(entry: &Entry<'_>, out: &mut impl Out) {
    if let Some(head) = usual_head(entry) {
        return out.put(&head);
    }
    out.put(br#"{"timestamp":"#);
    int(entry.timestamp_ms, out);
    out.put(br#","severity":"#);
    out.put(&[severity(entry)]);
}

/// What an entry of any usual time begins with.
#[inline(always)]
fn usual_head(entry: &Entry<'_>) -> Option<[u8; 39]> {
    let time = match entry.digits {
        Some(digits) => *digits,
        None => thirteen_digits(entry.timestamp_ms)?,
    };
    let mut head = *br#"{"timestamp":0000000000000,"severity":0"#;
    head.get_mut(13..26).into_iter().for_each(|digits| digits.copy_from_slice(&time));
    head.last_mut().into_iter().for_each(|digit| *digit = severity(entry));
    Some(head)
}

/// A severity's one digit.
fn severity(entry: &Entry<'_>) -> u8 {
    b'0' | entry.severity as u8
}

/// The digits of a number that has thirteen, as the milliseconds since 1970 of any time from 2001 to 2286.
#[inline(always)]
fn thirteen_digits(number: i64) -> Option<[u8; 13]> {
    const EIGHT: u64 = 100_000_000;
    let number =
        u64::try_from(number).ok().filter(|number| (10_000 * EIGHT..100_000 * EIGHT).contains(number))?;
    let [first, last] = [number / EIGHT, number % EIGHT].map(eight_digits);
    let mut digits = [0; 13];
    let (five, eight) = digits.split_first_chunk_mut::<5>()?;
    let [_, _, _, from @ ..] = first;
    *five = from;
    eight.copy_from_slice(&last);
    Some(digits)
}

/// The digits of a number below a hundred million, zeros in front: parts of eight, four and two bytes are divided side by
/// side, by factors that are exact for numbers so small.
#[inline(always)]
fn eight_digits(number: u64) -> [u8; 8] {
    let split = |both: u64, ten: u64, factor: u64, shift: u32, mask: u64, width: u32| {
        let upper = both.wrapping_mul(factor).wrapping_shr(shift) & mask;
        upper | both.wrapping_sub(upper.wrapping_mul(ten)).wrapping_shl(width)
    };
    let fours = (number / 10_000) | (number % 10_000).wrapping_shl(32);
    let twos = split(fours, 100, 5243, 19, 0x0000_007f_0000_007f, 16);
    let ones = split(twos, 10, 103, 10, 0x000f_000f_000f_000f, 8);
    (ones | 0x3030_3030_3030_3030).to_le_bytes()
}

/// The labels, and the text's key; `open`: a string stands before them.
#[inline(always)]
fn labels(entry: &Entry<'_>, open: bool, out: &mut impl Out) {
    let mut members = Members { out, plain: entry.labels.plain, open };
    members.label(br#"","category":""#, entry.labels.category);
    members.label(br#"","className":""#, entry.labels.class);
    members.label(br#"","methodName":""#, entry.labels.method);
    members.label(br#"","threadId":""#, entry.labels.thread);
    members.close(br#"","text":"#);
}

fn tail(entry: &Entry<'_>, form: TextForm, out: &mut impl Out) {
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

/// Members whose values are strings. What stands before a value is written at once: the quote that closes the value
/// before, the comma, the key and the opening quote.
struct Members<'o, O> {
    out: &'o mut O,
    /// Whether the values may stand there as they are.
    plain: bool,
    /// Whether there is a quote to close.
    open: bool,
}

impl<O: Out> Members<'_, O> {
    #[inline(always)]
    fn member(&mut self, lead: &[u8], value: &[u8]) {
        self.close(lead);
        self.open = true;
        self.text(value);
    }

    /// The same, where there is a value.
    #[inline(always)]
    fn label(&mut self, lead: &[u8], value: &[u8]) {
        if !value.is_empty() {
            self.member(lead, value);
        }
    }

    /// Closes the last value with what stands behind it.
    #[inline(always)]
    fn close(&mut self, behind: &[u8]) {
        let behind = match behind {
            [_, behind @ ..] if !self.open => behind,
            behind => behind,
        };
        self.out.put(behind);
    }

    #[inline(always)]
    fn text(&mut self, value: &[u8]) {
        if self.plain { self.out.put(value) } else { escape(value, self.out) }
    }
}

/// The body with the filter's own member behind its last.
pub(super) fn text(entry: &Entry<'_>, out: &mut impl Out) {
    let marks = &entry.marks.events;
    match &entry.body {
        Body::Json(body) if marks.is_empty() => out.put(body),
        Body::Json(body) => {
            let open = body.strip_suffix(b"}").unwrap_or(body).trim_ascii_end();
            out.put(open);
            own_member(marks, open != b"{", out);
        }
        #[cfg(feature = "msgpack")]
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

fn string(text: &str, out: &mut impl Out) {
    out.put(b"\"");
    escape(text.as_bytes(), out);
    out.put(b"\"");
}

fn number(number: Number<'_>, out: &mut impl Out) {
    match number {
        Number::Int(value) => int(value, out),
        Number::Raw(text) | Number::Digits(text) => out.put(text),
        // Rare, and outside the hot path.
        Number::Uint(_) => out.put(number.to_string().as_bytes()),
        #[cfg(feature = "msgpack")]
        Number::Float(_) => out.put(number.to_string().as_bytes()),
    }
}

fn int(value: i64, out: &mut impl Out) {
    out.put(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes what stands inside a JSON string.
#[inline]
fn escape(text: &[u8], out: &mut impl Out) {
    if plain_length(text) == text.len() { out.put(text) } else { escape_odd(text, out) }
}

fn escape_odd(text: &[u8], out: &mut impl Out) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_numbers_are() {
        let times = [
            0,
            1,
            9_999_999_999_999,
            1_000_000_000_000,
            1_773_748_800_000,
            1_773_709_999_999,
            1_900_000_009_090,
        ];
        let edges = [-1, 999_999_999_999, 10_000_000_000_000, i64::MIN, i64::MAX];
        for time in times
            .into_iter()
            .chain(edges)
            .chain((0..100_000).map(|step| 1_700_000_000_000 + step * 87_178_291))
        {
            let thirteen = thirteen_digits(time);
            let text = time.to_string();
            assert_eq!(thirteen.is_some(), text.len() == 13 && time > 0, "{time}");
            assert!(thirteen.is_none_or(|digits| digits == text.as_bytes()), "{time}");
        }
    }
}
