//! Filters one chunk into another.
//!
//! A chunk is a sequence of events in `MessagePack`: `[[timestamp, metadata], body]`, or `[timestamp, body]` of older
//! inputs. An event whose finding is kept is emitted with the bytes of its head (timestamp and metadata) unchanged, and
//! the entry as its body; an event with several findings becomes one event for each entry, in order, all with its head.
//! Group markers, the events that Fluent Bit puts around records of one origin, keep their positions.
//!
//! The whole chunk is split into events before the first is filtered, so that a chunk with an error anywhere passes
//! unchanged as a whole, before any of its findings counts against a rate limit.

use host_kit::{Emission, Session};
use kaudit_filter::Time;
use kaudit_filter::entry::{Entry, Out};
use kaudit_filter::record::{Record, SyntaxError, SyntaxErrorKind};
use kaudit_filter::stats::Reason;

/// The keys of an envelope's event, for `out_http`'s `body_key` and `headers_key`.
const BODY_KEY: &str = "body";
const HEADERS_KEY: &str = "headers";

/// The result of filtering a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It stays unchanged; written output is discarded.
    Untouched,
    /// It is dropped.
    Dropped,
    /// The written output replaces it.
    Replaced,
}

/// Returns the bytes of each event of the filter's own.
pub fn own_events(events: &[u8]) -> Vec<Vec<u8>> {
    let mut offsets = Vec::new();
    let whole = split(events, &mut offsets).is_ok();
    let each = offsets.iter().filter_map(|event| events.get(event.start..event.end)).map(<[u8]>::to_vec);
    if whole { each.collect() } else { Vec::new() }
}

/// Sets the timestamps of an event of the filter's own that are out of range to `now`.
///
/// Coralogix does not accept entries older than a day, and the agent may have been stopped for longer.
pub fn restamp(event: &mut [u8], is_in_range: impl Fn(i64) -> bool, now: Time) {
    /// The first member of an entry, after the head of its map.
    const ENTRY: &[u8] = b"\xa9timestamp\xd3";
    /// The first member of an item of an envelope; no string contains it, since its quotes would be escaped.
    const ITEM: &[u8] = br#"{"timestamp":"#;
    /// The digits of a time in milliseconds from 2001 to 2286.
    const DIGITS: usize = 13;
    let body = head(now).len();
    if let Some(time) = event.get_mut(body + 1..).and_then(|body| after(body, ENTRY)) {
        if let Some(time) = time.first_chunk_mut().filter(|time| !is_in_range(i64::from_be_bytes(**time))) {
            *time = now.millis().to_be_bytes();
        }
        return;
    }
    let digits = now.millis().to_string();
    let mut at = 0;
    while let Some(rest) = event.get_mut(at..).filter(|rest| rest.len() >= ITEM.len() + DIGITS) {
        at += 1;
        let Some(time) = after(rest, ITEM).and_then(|rest| rest.get_mut(..DIGITS)) else {
            continue;
        };
        let millis = std::str::from_utf8(time).ok().and_then(|digits| digits.parse().ok());
        if millis.is_some_and(|millis| !is_in_range(millis)) && digits.len() == DIGITS {
            time.copy_from_slice(digits.as_bytes());
        }
    }
}

/// Returns the bytes after a prefix.
fn after<'b>(bytes: &'b mut [u8], prefix: &[u8]) -> Option<&'b mut [u8]> {
    if bytes.starts_with(prefix) { bytes.get_mut(prefix.len()..) } else { None }
}

/// One event, as offsets in the chunk.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    start: usize,
    body: usize,
    end: usize,
    marker: bool,
}

/// Splits a chunk into its events.
pub fn split(chunk: &[u8], events: &mut Vec<Event>) -> Result<(), SyntaxError> {
    events.clear();
    let mut start = 0;
    while start < chunk.len() {
        if let Some(event) = usual(chunk, start) {
            start = event.end;
            events.push(event);
            continue;
        }
        let at = |error: SyntaxError| SyntaxError { offset: error.offset + start, ..error };
        let (event, rest) = Record::split_msgpack(&chunk[start..]).map_err(at)?;
        let not_an_event = SyntaxError { kind: SyntaxErrorKind::NotAnEvent, offset: start };
        let inside = pair(event).ok_or(not_an_event)?;
        let (head, body) = Record::split_msgpack(inside).map_err(|_| not_an_event)?;
        let timestamp = pair(head).unwrap_or(head);
        let end = chunk.len() - rest.len();
        events.push(Event { start, body: end - body.len(), end, marker: is_marker(timestamp) });
        start = end;
    }
    Ok(())
}

/// Reads an event in the form of nearly all events, `[[time, {}], body]`: only its body needs to be walked.
fn usual(chunk: &[u8], start: usize) -> Option<Event> {
    // No metadata: a map whose length was to be filled in later, or the shortest.
    const NONE: [&[u8]; 2] = [&[0xdf, 0, 0, 0, 0], &[0x80]];
    let (head, rest): (&[u8; 12], _) = chunk.get(start..)?.split_first_chunk()?;
    let timestamp = head.strip_prefix(&[0x92, 0x92]).filter(|timestamp| timestamp.starts_with(&[0xd7, 0]))?;
    let body = NONE.iter().find_map(|none| rest.strip_prefix(*none))?;
    let (_, rest) = Record::split_msgpack(body).ok()?;
    let (body, end) = (chunk.len() - body.len(), chunk.len() - rest.len());
    Some(Event { start, body, end, marker: is_marker(timestamp) })
}

/// Returns the contents of a list of two elements.
fn pair(bytes: &[u8]) -> Option<&[u8]> {
    let heads: [&[u8]; 3] = [&[0x92], &[0xdc, 0, 2], &[0xdd, 0, 0, 0, 2]];
    heads.iter().find_map(|head| bytes.strip_prefix(*head))
}

/// A group begins at second −1 and ends at −2, in 32 bits without a sign, at no nanosecond.
fn is_marker(timestamp: &[u8]) -> bool {
    let time = timestamp.strip_prefix(&[0xd7, 0]).or(timestamp.strip_prefix(&[0xc7, 8, 0]));
    time.and_then(|time| time.first_chunk()).is_some_and(|time| {
        [[255, 255, 255, 255, 0, 0, 0, 0], [255, 255, 255, 254, 0, 0, 0, 0]].contains(time)
    })
}

/// Filters a chunk's events and writes the output to `out`.
pub struct Pass<'a, O> {
    chunk: &'a [u8],
    out: &'a mut O,
    now: Time,
    /// Whether the output contains an event other than group markers.
    any: bool,
    /// Whether an event did not pass; until then nothing is copied.
    touched: bool,
}

impl<'a, O: Out> Pass<'a, O> {
    /// Returns a pass over one chunk.
    pub fn new(chunk: &'a [u8], out: &'a mut O, now: Time) -> Self {
        Self { chunk, out, now, any: false, touched: false }
    }

    /// Filters every event; `on_dropped` is called for each dropped finding, with its record.
    pub fn events(
        &mut self,
        session: &mut Session,
        events: &[Event],
        mut on_dropped: impl FnMut(Record<'_>, Reason),
    ) {
        for event in events {
            let Event { start, body, end, marker } = *event;
            if marker {
                self.copy(start..end);
                continue;
            }
            let record = Record::msgpack(&self.chunk[body..end]);
            session.record(record, self.now, |emission| match emission {
                Emission::Entry(entry) => {
                    self.touch(start);
                    self.entry(&self.chunk[start..body], entry);
                }
                Emission::Envelope(json) => self.envelope(&json),
                Emission::Dropped(reason) => {
                    self.touch(start);
                    on_dropped(record, reason);
                }
                Emission::Grouped(_) | Emission::Suppressed => self.touch(start),
                Emission::Passed => {
                    self.any = true;
                    self.copy(start..end);
                }
            });
        }
    }

    /// Appends an event that is not of the chunk: an entry of the filter's own, or an envelope.
    pub fn own(&mut self, emission: &Emission<'_>) {
        self.touch(self.chunk.len());
        match emission {
            Emission::Entry(entry) => self.entry(&head(self.now), entry),
            Emission::Envelope(json) => self.envelope(json),
            _ => {}
        }
    }

    /// Appends events that are already encoded.
    pub fn encoded(&mut self, events: &[u8]) {
        if !events.is_empty() {
            self.touch(self.chunk.len());
            self.any = true;
            self.out.put(events);
        }
    }

    /// Returns the result for the chunk.
    pub fn finish(self) -> Outcome {
        match (self.touched, self.any) {
            (false, _) => Outcome::Untouched,
            (true, false) => Outcome::Dropped,
            (true, true) => Outcome::Replaced,
        }
    }

    /// Starts writing the chunk's replacement; the events before `start` are copied.
    fn touch(&mut self, start: usize) {
        if !self.touched {
            self.touched = true;
            self.out.put(&self.chunk[..start]);
        }
    }

    fn copy(&mut self, event: core::ops::Range<usize>) {
        if self.touched {
            self.out.put(&self.chunk[event]);
        }
    }

    fn entry(&mut self, head: &[u8], entry: &Entry<'_>) {
        self.any = true;
        self.out.put(head);
        entry.write_msgpack(self.out);
    }

    /// Writes an envelope: an event that `out_http` sends as a request of its own.
    fn envelope(&mut self, json: &[u8]) {
        self.any = true;
        self.out.put(&head(self.now));
        self.out.put(&[0x82]);
        string(BODY_KEY, self.out);
        self.out.put(&[0xdb]);
        self.out.put(&u32::try_from(json.len()).unwrap_or(0).to_be_bytes());
        self.out.put(json);
        string(HEADERS_KEY, self.out);
        self.out.put(&[0x81]);
        string("Content-Type", self.out);
        string("application/json", self.out);
    }
}

/// Returns `[[now, {}], `, the beginning of an event; its body follows.
fn head(now: Time) -> [u8; 13] {
    let (seconds, nanos) = (now.nanos().div_euclid(1_000_000_000), now.nanos().rem_euclid(1_000_000_000));
    // Event times have 32 bits without a sign, which reach to 2106.
    let seconds = u32::try_from(seconds).unwrap_or(0).to_be_bytes();
    let nanos = u32::try_from(nanos).unwrap_or(0).to_be_bytes();
    let mut bytes = [0x92, 0x92, 0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80];
    bytes[4..8].copy_from_slice(&seconds);
    bytes[8..12].copy_from_slice(&nanos);
    bytes
}

/// Writes a string of at most 31 bytes.
fn string(text: &str, out: &mut impl Out) {
    out.put(&[0xa0 | u8::try_from(text.len()).unwrap_or(0)]);
    out.put(text.as_bytes());
}
