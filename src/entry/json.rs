//! The JSON encoder.

use alloc::string::ToString as _;

use super::out::{CallbackOut, LengthCounter, Out};
use super::{Entry, OWN_KEY};
use crate::config::TextForm;
use crate::record::{
    Body, BodyView, Encoding, Event, JsonPart, JsonString, Number, REMARK, Record, is_plain, original_length,
    plain_length, remark,
};

/// Writes a whole entry for `/logs/v1/singles`.
pub(super) fn entry(entry: &Entry<'_>, out: &mut impl Out) {
    head(entry, out);
    out.put(&entry.labels.names.json);
    labels(entry, true, out);
    tail(entry, entry.text, out);
}

/// Writes the names of a bulk envelope, and the beginning of its items.
pub(super) fn bulk_head(entry: &Entry<'_>, out: &mut impl Out) {
    out.put(b"{");
    // The first name has no comma before it.
    out.put(entry.labels.names.json.split_first().map_or(&[], |(_, names)| names));
    out.put(br#"","logEntries":["#);
}

/// Writes an item of a bulk envelope. The envelope contains the names.
pub(super) fn bulk_item(entry: &Entry<'_>, out: &mut impl Out) {
    head(entry, out);
    labels(entry, false, out);
    tail(entry, TextForm::String, out);
}

/// Writes names as members, each after a comma; the last string is not closed.
pub(super) fn names([application, subsystem, computer]: [&[u8]; 3], out: &mut impl Out) {
    let mut members = MemberWriter { out, plain: false, open: false };
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

/// Writes the labels and the text's key. `open`: an unclosed string precedes them.
#[inline]
fn labels(entry: &Entry<'_>, open: bool, out: &mut impl Out) {
    let mut members = MemberWriter { out, plain: entry.labels.plain, open };
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
            text(entry, &mut EscapingOut(out));
            out.put(b"\"");
        }
    }
    out.put(b"}");
}

/// Writes members whose values are strings.
///
/// All bytes before a value are written at once: the previous value's closing quote, the comma, the key and the opening
/// quote.
struct MemberWriter<'o, O> {
    out: &'o mut O,
    /// Whether the values need no escape sequences.
    plain: bool,
    /// Whether the previous value has no closing quote yet.
    open: bool,
}

impl<O: Out> MemberWriter<'_, O> {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn member(&mut self, lead: &[u8], value: &[u8]) {
        self.close(lead);
        self.open = true;
        if self.plain || is_plain(value) { self.out.put(value) } else { escape_slow(value, self.out) }
    }

    /// Writes a member unless its value is empty.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn label(&mut self, lead: &[u8], value: &[u8]) {
        if !value.is_empty() {
            self.member(lead, value);
        }
    }

    /// Closes the previous value and writes `following`, which begins with the quote.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn close(&mut self, following: &[u8]) {
        let following = match following {
            [_, following @ ..] if !self.open => following,
            following => following,
        };
        self.out.put(following);
    }
}

/// Writes the body, with the filter's own member after the last one.
pub(super) fn text(entry: &Entry<'_>, out: &mut impl Out) {
    let marks = &entry.marks.events;
    match &entry.body {
        Body::Verbatim(record) if record.encoding() == Encoding::Json => {
            let body = record.bytes();
            if marks.is_empty() {
                return out.put(body);
            }
            let open = map_without_end(body);
            out.put(open);
            own_member(marks, open != b"{", out);
        }
        _ => {
            let mut put = |bytes: &[u8]| {
                out.put(bytes);
                true
            };
            rewritten(entry.body.view(), marks, &mut CallbackOut::new(&mut put));
        }
    }
}

/// Writes a body that is not copied.
#[inline(never)]
fn rewritten(body: BodyView<'_>, marks: &[Event<'_>], out: &mut CallbackOut<'_>) {
    match body {
        BodyView::Record(record, longest) if record.encoding() == Encoding::Json => {
            // A truncated body always has marks.
            let open = map_without_end(record.bytes());
            truncated(record.inner(open), longest, out);
            own_member(marks, open != b"{", out);
        }
        _ => {
            // With marks, the end of the map is written later.
            let mut writer = EventWriter::default();
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

/// Returns a map without its closing bracket.
fn map_without_end(body: &[u8]) -> &[u8] {
    body.strip_suffix(b"}").unwrap_or(body).trim_ascii_end()
}

/// Writes JSON text as the encoder would, with truncated strings.
///
/// Stops when the output accepts no more.
fn truncated(record: Record<'_>, longest: usize, out: &mut CallbackOut<'_>) {
    record.parts(&mut |part| {
        match part {
            JsonPart::Structure(bytes) => {
                bytes.split(u8::is_ascii_whitespace).for_each(|piece| out.put(piece));
            }
            JsonPart::Key(key) => quoted(key, usize::MAX, out),
            JsonPart::Text(text) => quoted(text, longest, out),
        }
        out.accepts_more
    });
}

fn quoted(text: JsonString<'_>, longest: usize, out: &mut CallbackOut<'_>) {
    out.put(b"\"");
    json_string(text, longest, out);
    out.put(b"\"");
}

/// Writes the content of a string of a JSON record, truncated to `longest` bytes.
pub(super) fn json_string(
    JsonString { text, canonical_length }: JsonString<'_>,
    longest: usize,
    out: &mut impl Out,
) {
    match canonical_length {
        Some(length) if length <= longest.saturating_add(REMARK) => out.put(text.source()),
        Some(length) => {
            let (source, kept) = text.source_beginning(longest);
            let all = original_length(length, text.source());
            out.put(source);
            out.put(remark(all.saturating_sub(kept)).as_bytes());
        }
        None => {
            let (kept, removed) = text.truncated(longest);
            escape(kept.as_bytes(), out);
            if removed > 0 {
                out.put(remark(removed).as_bytes());
            }
        }
    }
}

/// Writes the body until the output accepts no more.
pub(super) fn prefix(body: BodyView<'_>, out: &mut CallbackOut<'_>) {
    match body {
        BodyView::Record(record, longest) if record.encoding() == Encoding::Json => {
            truncated(record, longest, out);
        }
        _ => {
            let mut writer = EventWriter::default();
            each_event(body, &mut |event, removed| {
                writer.event(event, removed, out);
                out.accepts_more
            });
        }
    }
}

/// Calls `on` with each event of the body, until it returns `false`.
///
/// The number is the bytes removed from the event's string.
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
    let mut writer = EventWriter::default();
    for event in marks {
        writer.event(event, 0, out);
    }
    out.put(b"}");
}

/// Writes the events of a value.
#[derive(Default)]
struct EventWriter {
    /// Whether the next value needs a comma.
    /// It needs none at the start, after a bracket or after a key.
    comma: bool,
    /// Whether each open container is a list, the innermost in the lowest bit.
    lists: u64,
}

impl EventWriter {
    /// Writes an event. `removed` is the number of bytes removed from its string.
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

/// Writes a string, with a remark if bytes were removed from its end.
fn string(text: &str, removed: usize, out: &mut impl Out) {
    out.put(b"\"");
    escape(text.as_bytes(), out);
    if removed > 0 {
        out.put(remark(removed).as_bytes());
    }
    out.put(b"\"");
}

pub(super) fn number(number: Number<'_>, out: &mut impl Out) {
    match number {
        Number::Int(value) => int(value, out),
        Number::Raw(text) => out.put(text),
        Number::Uint(_) => out.put(number.to_string().as_bytes()),
        #[cfg(feature = "msgpack")]
        Number::Float(_) => out.put(number.to_string().as_bytes()),
    }
}

/// Returns the length of a number.
pub(super) fn number_length(value: Number<'_>) -> usize {
    let mut length = LengthCounter::default();
    number(value, &mut length);
    length.0
}

pub(super) fn int(value: i64, out: &mut impl Out) {
    out.put(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes the content of a JSON string.
#[inline]
pub(super) fn escape(text: &[u8], out: &mut impl Out) {
    if is_plain(text) { out.put(text) } else { escape_slow(text, out) }
}

fn escape_slow(text: &[u8], out: &mut impl Out) {
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

/// Escapes its input, for JSON inside a JSON string.
struct EscapingOut<'o>(&'o mut dyn Out);

impl Out for EscapingOut<'_> {
    fn put(&mut self, bytes: &[u8]) {
        escape(bytes, &mut self.0);
    }
}
