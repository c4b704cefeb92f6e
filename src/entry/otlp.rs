//! The OTLP encoder: log records of the OpenTelemetry protocol in JSON.
//!
//! Sources: `opentelemetry/proto/{common,logs,resource}/v1/*.proto`, and the section "JSON Protobuf Encoding" of the OTLP
//! specification: names in lowerCamelCase, integers of 64 bits as decimal strings. The two resource attributes that
//! begin with `cx.` are Coralogix's; the others are OpenTelemetry's semantic conventions.
//!
//! | JSON | `AnyValue` |
//! |---|---|
//! | string, boolean | `stringValue`, `boolValue` |
//! | integer in 64 bits | `intValue` |
//! | larger integer | `stringValue`, since a `doubleValue` would round it |
//! | other number | `doubleValue` |
//! | list, object | `arrayValue`, `kvlistValue` |
//! | null | an empty `AnyValue` |

use super::json::{escape, int, json_string, number as json_number};
use super::out::Out;
use super::{Entry, OWN_KEY};
use crate::config::Severity;
use crate::record::{
    Body, BodyView, Encoding, Event, JsonPart, JsonString, Number, Record, is_plain, remark,
};

/// The name and version of the instrumentation scope.
const SCOPE: &str =
    concat!(r#""scope":{"name":"kaudit-filter","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);

/// Returns OTLP's `severityNumber` and `severityText` of a severity.
///
/// Decision: only the first number of each range. Coralogix does not document which of its severities the others
/// become, nor any for Verbose.
pub(super) fn severity(severity: Severity) -> (u8, &'static str) {
    match severity {
        Severity::Debug => (5, "DEBUG"),
        Severity::Verbose => (5, "VERBOSE"),
        Severity::Info => (9, "INFO"),
        Severity::Warn => (13, "WARN"),
        Severity::Error => (17, "ERROR"),
        Severity::Critical => (21, "CRITICAL"),
    }
}

/// Writes the beginning of a `ResourceLogs` object, up to its first log record.
pub(super) fn resource([application, subsystem, computer, cluster]: [&[u8]; 4], out: &mut impl Out) {
    out.put(br#"{"resource":{"#);
    let mut attributes = AttributeWriter { out, plain: false, open: false };
    attributes.add(br#""}},{"key":"cx.application.name","value":{"stringValue":""#, application);
    attributes.add(br#""}},{"key":"cx.subsystem.name","value":{"stringValue":""#, subsystem);
    attributes.add(br#""}},{"key":"host.name","value":{"stringValue":""#, computer);
    attributes.add(br#""}},{"key":"k8s.cluster.name","value":{"stringValue":""#, cluster);
    attributes.close();
    out.put(br#"},"scopeLogs":[{"#);
    out.put(SCOPE.as_bytes());
    out.put(br#","logRecords":["#);
}

/// Writes an entry as a `LogRecord`.
pub(super) fn record(entry: &Entry<'_>, out: &mut impl Out) {
    let (number, text) = severity(entry.severity);
    out.put(br#"{"timeUnixNano":""#);
    int(unix_nanos(entry.timestamp_ms.saturating_mul(1_000_000)), out);
    out.put(br#"","observedTimeUnixNano":""#);
    int(unix_nanos(entry.arrival_ns), out);
    out.put(br#"","severityNumber":"#);
    int(i64::from(number), out);
    out.put(br#","severityText":""#);
    out.put(text.as_bytes());
    out.put(br#"","body":"#);
    body(entry, out);
    let labels = entry.labels;
    if [labels.category, labels.class, labels.method, labels.thread].iter().any(|label| !label.is_empty()) {
        out.put(b",");
        let mut attributes = AttributeWriter { out, plain: labels.plain, open: false };
        attributes.add(br#""}},{"key":"category","value":{"stringValue":""#, labels.category);
        attributes.add(br#""}},{"key":"className","value":{"stringValue":""#, labels.class);
        attributes.add(br#""}},{"key":"methodName","value":{"stringValue":""#, labels.method);
        attributes.add(br#""}},{"key":"threadId","value":{"stringValue":""#, labels.thread);
        attributes.close();
    }
    out.put(b"}");
}

/// Returns nanoseconds since 1970; OTLP has no earlier times.
fn unix_nanos(nanos: i64) -> i64 {
    nanos.max(0)
}

/// Writes attributes whose values are strings.
///
/// All bytes before a value are written at once: the end of the previous attribute, the key and the opening quote.
struct AttributeWriter<'o, O> {
    out: &'o mut O,
    /// Whether the values need no escape sequences.
    plain: bool,
    /// Whether an attribute was written, which has no end yet.
    open: bool,
}

impl<O: Out> AttributeWriter<'_, O> {
    /// Writes an attribute unless its value is empty. `lead` begins with the end of the previous one.
    fn add(&mut self, lead: &[u8], value: &[u8]) {
        if value.is_empty() {
            return;
        }
        match lead {
            [b'"', b'}', b'}', b',', lead @ ..] if !self.open => {
                self.out.put(br#""attributes":["#);
                self.out.put(lead);
            }
            lead => self.out.put(lead),
        }
        self.open = true;
        if self.plain || is_plain(value) { self.out.put(value) } else { escape(value, self.out) }
    }

    fn close(self) {
        if self.open {
            self.out.put(br#""}}]"#);
        }
    }
}

/// Writes the body with the filter's own member, as an `AnyValue`.
fn body(entry: &Entry<'_>, out: &mut impl Out) {
    let mut writer =
        ValueWriter { out, marks: &entry.marks.events, position: Position::First, depth: 0, lists: 0 };
    match entry.body.view() {
        BodyView::Record(record, longest) if record.encoding() == Encoding::Json => {
            let verbatim = matches!(entry.body, Body::Verbatim(_));
            writer.json(record, if verbatim { None } else { Some(longest) });
        }
        BodyView::Record(record, longest) => record.events(longest, &mut |event, removed| {
            writer.event(event, removed);
            true
        }),
        BodyView::Document(events) => events.iter().for_each(|event| writer.event(event, 0)),
    }
}

/// Writes a value as an `AnyValue`, from its events in document order.
struct ValueWriter<'o, O> {
    out: &'o mut O,
    /// The filter's own data, the last member of the outermost map.
    marks: &'o [Event<'o>],
    position: Position,
    /// The number of open containers.
    depth: u32,
    /// Whether each open container is a list, the innermost in the lowest bit.
    lists: u64,
}

/// The position of the next value or key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// At the start of the value or of a container.
    First,
    /// After a value of the same container.
    Next,
    /// After a key, whose closing quote is not written yet.
    AfterKey,
}

/// The bytes between a key and its value. All leads of values begin with them.
const AFTER_KEY: usize = r#"","value":"#.len();

impl<O: Out> ValueWriter<'_, O> {
    /// Writes JSON text. `longest`: the length to which its strings are truncated, if they are.
    fn json(&mut self, record: Record<'_>, longest: Option<usize>) {
        record.parts(&mut |part| {
            match part {
                JsonPart::Structure(bytes) => self.structure(bytes),
                JsonPart::Key(key) => {
                    self.key();
                    self.json_text(key, longest.map(|_| usize::MAX));
                }
                JsonPart::Text(text) => {
                    self.lead(br#"","value":{"stringValue":""#);
                    self.json_text(text, longest);
                    self.tail(br#""}}"#);
                }
            }
            true
        });
    }

    /// Writes the content of a string of JSON text: unchanged, or in the encoder's spelling.
    fn json_text(&mut self, text: JsonString<'_>, longest: Option<usize>) {
        match longest {
            None => self.out.put(text.text.source()),
            Some(longest) => json_string(text, longest, self.out),
        }
    }

    /// Writes the JSON text between two strings.
    fn structure(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            rest = match byte {
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => after,
                b'{' | b'[' => {
                    self.open(byte == b'[');
                    after
                }
                b'}' | b']' => {
                    self.close();
                    after
                }
                _ => {
                    let end = after.iter().position(|byte| !is_literal(*byte)).unwrap_or(after.len());
                    let (literal, after) =
                        rest.split_at_checked(end.saturating_add(1)).unwrap_or((rest, &[]));
                    self.literal(literal);
                    after
                }
            };
        }
    }

    fn literal(&mut self, literal: &[u8]) {
        match literal {
            b"true" => self.bool(true),
            b"false" => self.bool(false),
            b"null" => self.null(),
            number => self.number(Number::Raw(number)),
        }
    }

    /// Writes an event. `removed` is the number of bytes removed from its string.
    fn event(&mut self, event: &Event<'_>, removed: usize) {
        match event {
            Event::Map(_) => self.open(false),
            Event::List(_) => self.open(true),
            Event::End => self.close(),
            Event::Key(key) => {
                self.key();
                escape(key.as_bytes(), self.out);
            }
            Event::Str(text) => self.text(text, removed),
            Event::Number(value) => self.number(*value),
            Event::Bool(value) => self.bool(*value),
            Event::Null => self.null(),
        }
    }

    /// Writes the bytes before a key. The key itself follows.
    fn key(&mut self) {
        self.out.put(if self.position == Position::Next { br#",{"key":""# } else { br#"{"key":""# });
        self.position = Position::AfterKey;
    }

    fn text(&mut self, text: &str, removed: usize) {
        self.lead(br#"","value":{"stringValue":""#);
        escape(text.as_bytes(), self.out);
        if removed > 0 {
            self.out.put(remark(removed).as_bytes());
        }
        self.tail(br#""}}"#);
    }

    fn bool(&mut self, value: bool) {
        self.lead(if value { br#"","value":{"boolValue":true"# } else { br#"","value":{"boolValue":false"# });
        self.tail(b"}}");
    }

    fn null(&mut self) {
        self.lead(br#"","value":{"#);
        self.tail(b"}}");
    }

    fn number(&mut self, number: Number<'_>) {
        match NumberType::of(number) {
            NumberType::Int => {
                self.lead(br#"","value":{"intValue":""#);
                json_number(number, self.out);
                self.tail(br#""}}"#);
            }
            NumberType::Large => {
                self.lead(br#"","value":{"stringValue":""#);
                json_number(number, self.out);
                self.tail(br#""}}"#);
            }
            NumberType::Double => {
                self.lead(br#"","value":{"doubleValue":"#);
                json_number(number, self.out);
                self.tail(b"}}");
            }
        }
    }

    fn open(&mut self, is_list: bool) {
        self.lead(if is_list {
            br#"","value":{"arrayValue":{"values":["#
        } else {
            br#"","value":{"kvlistValue":{"values":["#
        });
        self.depth = self.depth.saturating_add(1);
        self.lists = self.lists << 1 | u64::from(is_list);
        self.position = Position::First;
    }

    fn close(&mut self) {
        if self.depth == 1 {
            self.own_member();
        }
        self.depth = self.depth.saturating_sub(1);
        self.lists >>= 1;
        self.tail(b"]}}}");
    }

    fn own_member(&mut self) {
        let marks = self.marks;
        if !marks.is_empty() {
            self.key();
            self.out.put(OWN_KEY.as_bytes());
            for event in marks {
                self.event(event, 0);
            }
        }
    }

    /// Writes the bytes before a value. They begin with the end of its key.
    fn lead(&mut self, lead: &[u8]) {
        let value = lead.get(AFTER_KEY..).unwrap_or_default();
        match self.position {
            Position::AfterKey => self.out.put(lead),
            Position::First => self.out.put(value),
            Position::Next => {
                self.out.put(b",");
                self.out.put(value);
            }
        }
    }

    /// Writes the bytes after a value. The last of them ends a member.
    fn tail(&mut self, tail: &[u8]) {
        self.position = Position::Next;
        let is_member = self.depth > 0 && self.lists & 1 == 0;
        match tail.split_last() {
            Some((_, value)) if !is_member => self.out.put(value),
            _ => self.out.put(tail),
        }
    }
}

/// Returns whether a byte of JSON text belongs to the number or literal before it.
fn is_literal(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'E' | b'.' | b'+' | b'-')
}

/// The type of an `AnyValue` with which a number keeps its value.
enum NumberType {
    Int,
    /// An integer beyond 64 bits with a sign.
    Large,
    Double,
}

impl NumberType {
    fn of(number: Number<'_>) -> Self {
        match number {
            Number::Int(_) => Self::Int,
            Number::Uint(value) if i64::try_from(value).is_ok() => Self::Int,
            Number::Uint(_) => Self::Large,
            #[cfg(feature = "msgpack")]
            Number::Float(_) => Self::Double,
            Number::Raw(text) => {
                let digits = text.strip_prefix(b"-").unwrap_or(text);
                if !digits.iter().all(u8::is_ascii_digit) {
                    Self::Double
                } else if digits.len() <= 18 || number.raw().is_some_and(|text| text.parse::<i64>().is_ok()) {
                    Self::Int
                } else {
                    Self::Large
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
