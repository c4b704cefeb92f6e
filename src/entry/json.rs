//! The JSON encoder.

use super::{Entry, Length, OWN_KEY, Out, Sink};
use crate::config::TextForm;
use crate::record::{
    Body, BodyView, Encoding, Event, Number, Part, REMARK, Record, Spelling, is_plain, original_length,
    plain_length, remark,
};

/// A whole entry for `/logs/v1/singles`.
pub(super) fn entry(entry: &Entry<'_>, out: &mut impl Out) {
    head(entry, out);
    out.put(&entry.labels.names.json);
    labels(entry, true, out);
    tail(entry, entry.text, out);
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
    out.put(br#"{"timestamp":"#);
    int(entry.timestamp_ms, out);
    let mut severity = *br#","severity":0"#;
    severity.last_mut().into_iter().for_each(|digit| *digit = b'0' | entry.severity as u8);
    out.put(&severity);
}

/// The labels, and the text's key; `open`: a string stands before them.
#[inline]
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
    /// Whether the values need no escape sequences.
    plain: bool,
    /// Whether there is a quote to close.
    open: bool,
}

impl<O: Out> Members<'_, O> {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn member(&mut self, lead: &[u8], value: &[u8]) {
        self.close(lead);
        self.open = true;
        if self.plain || is_plain(value) { self.out.put(value) } else { escape_odd(value, self.out) }
    }

    /// The same, where there is a value.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn label(&mut self, lead: &[u8], value: &[u8]) {
        if !value.is_empty() {
            self.member(lead, value);
        }
    }

    /// Closes the last value with what stands behind it.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn close(&mut self, behind: &[u8]) {
        let behind = match behind {
            [_, behind @ ..] if !self.open => behind,
            behind => behind,
        };
        self.out.put(behind);
    }
}

/// The body with the filter's own member after its last.
pub(super) fn text(entry: &Entry<'_>, out: &mut impl Out) {
    let marks = &entry.marks.events;
    match &entry.body {
        Body::Verbatim(record) if record.encoding() == Encoding::Json => {
            let body = record.bytes();
            if marks.is_empty() {
                return out.put(body);
            }
            let open = open_map(body);
            out.put(open);
            own_member(marks, open != b"{", out);
        }
        _ => {
            let mut put = |bytes: &[u8]| {
                out.put(bytes);
                true
            };
            rewritten(entry.body.view(), marks, &mut Sink::new(&mut put));
        }
    }
}

/// The same of a body that is not copied.
#[inline(never)]
fn rewritten(body: BodyView<'_>, marks: &[Event<'_>], out: &mut Sink<'_>) {
    match body {
        BodyView::Record(record, longest) if record.encoding() == Encoding::Json => {
            // With its marks: nothing is truncated without one.
            let open = open_map(record.bytes());
            truncated(record.inner(open), longest, out);
            own_member(marks, open != b"{", out);
        }
        _ => {
            // With marks, all but the end of the map.
            let mut writer = Writer::default();
            let (mut count, mut depth) = (0_usize, 0_usize);
            each_event(body, &mut |event, removed| {
                depth = match event {
                    Event::Map(_) | Event::List(_) => depth.saturating_add(1),
                    Event::End => depth.saturating_sub(1),
                    _ => depth,
                };
                let goes_on = depth > 0 || marks.is_empty();
                if goes_on {
                    writer.event(event, removed, out);
                    count = count.saturating_add(1);
                }
                goes_on
            });
            if !marks.is_empty() {
                own_member(marks, count > 1, out);
            }
        }
    }
}

/// A map without its closing bracket.
fn open_map(body: &[u8]) -> &[u8] {
    body.strip_suffix(b"}").unwrap_or(body).trim_ascii_end()
}

/// Writes JSON text as an encoder would, with truncated strings, as long as the sink takes it.
fn truncated(record: Record<'_>, longest: usize, out: &mut Sink<'_>) {
    record.parts(&mut |part| {
        match part {
            Part::Structure(bytes) => {
                bytes.split(u8::is_ascii_whitespace).for_each(|piece| out.put(piece));
            }
            Part::Key(key) => respelled(key, usize::MAX, out),
            Part::Text(text) => respelled(text, longest, out),
        }
        out.takes_more
    });
}

/// Writes a string of a JSON record, truncated.
fn respelled(Spelling { text, length }: Spelling<'_>, longest: usize, out: &mut Sink<'_>) {
    match length {
        Some(length) if length <= longest.saturating_add(REMARK) => {
            out.put(b"\"");
            out.put(text.source());
            out.put(b"\"");
        }
        Some(length) => {
            let (source, kept) = text.source_beginning(longest);
            let all = original_length(length, text.source());
            out.put(b"\"");
            out.put(source);
            out.put(remark(all.saturating_sub(kept)).as_bytes());
            out.put(b"\"");
        }
        None => {
            let (kept, removed) = text.truncated(longest);
            string(&kept, removed, out);
        }
    }
}

/// Writes the beginning of the body.
pub(super) fn beginning(body: BodyView<'_>, out: &mut Sink<'_>) {
    match body {
        BodyView::Record(record, longest) if record.encoding() == Encoding::Json => {
            truncated(record, longest, out);
        }
        _ => {
            let mut writer = Writer::default();
            each_event(body, &mut |event, removed| {
                writer.event(event, removed, out);
                out.takes_more
            });
        }
    }
}

/// Calls `on` with each event of the body, and how many bytes are removed from it, until it returns `false`.
fn each_event(body: BodyView<'_>, on: &mut impl FnMut(&Event<'_>, usize) -> bool) {
    match body {
        BodyView::Record(record, longest) => record.events(longest, on),
        BodyView::Document(events) => {
            events.iter().all(|event| on(event, 0));
        }
    }
}

fn own_member(marks: &[Event<'_>], comma: bool, out: &mut impl Out) {
    if comma {
        out.put(b",");
    }
    string(OWN_KEY, 0, out);
    out.put(b":");
    let mut writer = Writer::default();
    for event in marks {
        writer.event(event, 0, out);
    }
    out.put(b"}");
}

/// Writes the events of a value.
#[derive(Default)]
struct Writer {
    /// Whether the next value needs a comma: none at the start, after a bracket or a key.
    comma: bool,
    /// Whether each open container is a list, the innermost in the lowest bit.
    lists: u64,
}

impl Writer {
    /// Writes an event; `removed` is the number of bytes that are removed from its string.
    fn event(&mut self, event: &Event<'_>, removed: usize, out: &mut impl Out) {
        if self.comma && !matches!(event, Event::End) {
            out.put(b",");
        }
        self.comma = !matches!(event, Event::Map(_) | Event::List(_) | Event::Key(_));
        match event {
            Event::Map(_) => {
                out.put(b"{");
                self.lists <<= 1;
            }
            Event::List(_) => {
                out.put(b"[");
                self.lists = self.lists << 1 | 1;
            }
            Event::End => {
                out.put(if self.lists & 1 == 1 { b"]" } else { b"}" });
                self.lists >>= 1;
            }
            Event::Key(key) => {
                string(key, 0, out);
                out.put(b":");
            }
            Event::Str(text) => string(text, removed, out),
            Event::Number(value) => number(*value, out),
            Event::Bool(true) => out.put(b"true"),
            Event::Bool(false) => out.put(b"false"),
            Event::Null => out.put(b"null"),
        }
    }
}

/// Writes a string, with a remark if bytes are removed from its end.
fn string(text: &str, removed: usize, out: &mut impl Out) {
    out.put(b"\"");
    escape(text.as_bytes(), out);
    if removed > 0 {
        out.put(remark(removed).as_bytes());
    }
    out.put(b"\"");
}

fn number(number: Number<'_>, out: &mut impl Out) {
    match number {
        Number::Int(value) => int(value, out),
        Number::Raw(text) => out.put(text),
        Number::Uint(_) => out.put(number.to_string().as_bytes()),
        #[cfg(feature = "msgpack")]
        Number::Float(_) => out.put(number.to_string().as_bytes()),
    }
}

/// The length of a number.
pub(super) fn number_length(value: Number<'_>) -> usize {
    let mut length = Length::default();
    number(value, &mut length);
    length.0
}

fn int(value: i64, out: &mut impl Out) {
    out.put(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes what stands inside a JSON string.
#[inline]
fn escape(text: &[u8], out: &mut impl Out) {
    if is_plain(text) { out.put(text) } else { escape_odd(text, out) }
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
struct Escaped<'o>(&'o mut dyn Out);

impl Out for Escaped<'_> {
    fn put(&mut self, bytes: &[u8]) {
        escape(bytes, &mut self.0);
    }
}
