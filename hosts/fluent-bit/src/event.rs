//! Splits a chunk into events, and reads their heads.
//!
//! An event is `[[timestamp, metadata], body]`, or `[timestamp, body]` of older inputs.

use kaudit_filter::Time;
use kaudit_filter::record::{Record, SyntaxError, SyntaxErrorKind};

use crate::msgpack::pair;

/// A group marker, by its second: an event that Fluent Bit puts around records of one origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// Second −1: its body describes the origin.
    Start,
    /// Second −2.
    End,
}

/// The marker at the end of a group.
pub const GROUP_END: [u8; 14] = [0x92, 0x92, 0xd7, 0, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0, 0x80, 0x80];

/// One event, as offsets in the chunk.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The offset of its first byte.
    pub start: usize,
    /// The offset of its body.
    pub body: usize,
    /// The offset after its last byte.
    pub end: usize,
    /// `None`: a record.
    pub marker: Option<Marker>,
}

/// Splits a chunk into its events.
///
/// # Errors
/// The chunk contains anything else.
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
        events.push(Event { start, body: end - body.len(), end, marker: marker(timestamp) });
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
    Some(Event { start, body, end, marker: marker(timestamp) })
}

/// A group begins at second −1 and ends at −2, in 32 bits without a sign, at no nanosecond.
fn marker(timestamp: &[u8]) -> Option<Marker> {
    let time = timestamp.strip_prefix(&[0xd7, 0]).or(timestamp.strip_prefix(&[0xc7, 8, 0]))?;
    match time.first_chunk()? {
        [255, 255, 255, 255, 0, 0, 0, 0] => Some(Marker::Start),
        [255, 255, 255, 254, 0, 0, 0, 0] => Some(Marker::End),
        _ => None,
    }
}

/// The head of an event.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The timestamp, encoded.
    pub timestamp: &'a [u8],
    /// The metadata, encoded; empty for none.
    pub metadata: &'a [u8],
}

impl<'a> Head<'a> {
    /// Reads the bytes before an event's body.
    pub fn of(bytes: &'a [u8]) -> Self {
        let head = pair(bytes).unwrap_or_default();
        let (timestamp, metadata) =
            pair(head).and_then(|head| Record::split_msgpack(head).ok()).unwrap_or((head, &[]));
        Self { timestamp, metadata }
    }
}

/// Returns `[[now, {}], `, the beginning of an event; its body follows.
pub fn head(now: Time) -> [u8; 13] {
    let (seconds, nanos) = (now.nanos().div_euclid(1_000_000_000), now.nanos().rem_euclid(1_000_000_000));
    // Event times have 32 bits without a sign, which reach to 2106.
    let seconds = u32::try_from(seconds).unwrap_or(0).to_be_bytes();
    let nanos = u32::try_from(nanos).unwrap_or(0).to_be_bytes();
    let mut bytes = [0x92, 0x92, 0xd7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80];
    bytes[4..8].copy_from_slice(&seconds);
    bytes[8..12].copy_from_slice(&nanos);
    bytes
}
