//! Filters one chunk into another.
//!
//! A chunk is a sequence of events in `MessagePack` ([`event`](crate::event)). An event whose finding is kept is emitted with
//! the bytes of its head (timestamp and metadata) unchanged, and the entry as its body; an event with several findings
//! becomes one event for each entry, in order, all with its head. Group markers keep their positions.
//!
//! In the shape `otlp`, entries leave in groups of their own ([`groups`](crate::groups)), and incoming groups are removed.
//! Only groups that a filter wrote pass as they are, after the others: the plugin's own entries arrive at the other
//! filters of a pipeline in this form.
//!
//! The whole chunk is split into events before the first is filtered, so that a chunk with an error anywhere passes
//! unchanged as a whole, before any of its findings counts against a rate limit.

use std::ops::Range;

use host_kit::{Emission, Session};
use kaudit_filter::Time;
use kaudit_filter::entry::{Entry, Out};
use kaudit_filter::record::Record;
use kaudit_filter::stats::Reason;

use crate::event::{Event, GROUP_END, Head, Marker, head, split};
use crate::groups::{Groups, Incoming};
use crate::msgpack::{map, text};
use crate::otlp;

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

/// Returns the bytes of each event of the filter's own; in the shape `otlp`, each in a group of its own.
pub fn own_events(events: &[u8]) -> Vec<Vec<u8>> {
    let mut offsets = Vec::new();
    if split(events, &mut offsets).is_err() {
        return Vec::new();
    }
    let (mut units, mut group) = (Vec::new(), None);
    for Event { start, end, marker, .. } in offsets {
        let event = &events[start..end];
        match (marker, group) {
            (Some(Marker::Start), _) => group = Some(event),
            (Some(Marker::End), _) => group = None,
            (None, Some(group)) => units.push([group, event, &GROUP_END].concat()),
            (None, None) => units.push(event.to_vec()),
        }
    }
    units
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
    if let Some(time) = otlp::timestamp(event) {
        let nanos = i64::try_from(u64::from_be_bytes(*time)).unwrap_or(i64::MAX);
        if !is_in_range(nanos / 1_000_000) {
            *time = now.nanos().to_be_bytes();
        }
        return;
    }
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

/// Filters a chunk's events and writes the output to `out`.
pub struct Pass<'a, O> {
    chunk: &'a [u8],
    out: &'a mut O,
    now: Time,
    /// Whether the output contains an event other than group markers.
    any: bool,
    /// Whether an event did not pass; until then nothing is copied.
    touched: bool,
    /// The groups of the shape `otlp`; `None` in the other shapes.
    groups: Option<&'a mut Groups>,
    /// With groups: the groups that pass.
    passed: Passed,
    /// The group of the current event.
    incoming: Incoming<'a>,
}

/// Groups that pass, as ranges of the chunk.
#[derive(Debug, Default)]
struct Passed {
    ranges: Vec<Range<usize>>,
    /// The start marker of the current group, until an event of the group passes.
    marker: Option<Range<usize>>,
    /// Whether the last event is in a group that has no end yet.
    in_group: bool,
    /// The number of groups.
    rows: usize,
}

impl Passed {
    fn marker(&mut self, marker: Marker, range: Range<usize>) {
        match marker {
            Marker::Start => self.marker = Some(range),
            Marker::End => {
                self.marker = None;
                if std::mem::take(&mut self.in_group) {
                    self.push(range);
                }
            }
        }
    }

    fn event(&mut self, range: Range<usize>) {
        if let Some(marker) = self.marker.take() {
            self.push(marker);
            self.in_group = true;
            self.rows += 1;
        }
        self.push(range);
    }

    fn push(&mut self, range: Range<usize>) {
        match self.ranges.last_mut().filter(|last| last.end == range.start) {
            Some(last) => last.end = range.end,
            None => self.ranges.push(range),
        }
    }
}

impl<'a, O: Out> Pass<'a, O> {
    /// Returns a pass over one chunk; the groups are for the shape `otlp`, and begun.
    pub fn new(chunk: &'a [u8], out: &'a mut O, now: Time, groups: Option<&'a mut Groups>) -> Self {
        let (passed, incoming) = (Passed::default(), Incoming::default());
        Self { chunk, out, now, any: false, touched: false, groups, passed, incoming }
    }

    /// Filters every event; `on_dropped` is called for each dropped finding, with its record.
    pub fn events(
        &mut self,
        session: &mut Session,
        events: &[Event],
        mut on_dropped: impl FnMut(Record<'_>, Reason),
    ) {
        if let Some(groups) = &mut self.groups {
            let is_own = |event: &&Event| otlp::is_own(&self.chunk[event.body..event.end]);
            let starts = events.iter().filter(|event| event.marker == Some(Marker::Start));
            groups.reserve(starts.filter(is_own).count());
        }
        let mut is_own = false;
        for (index, event) in events.iter().enumerate() {
            let Event { start, body, end, marker } = *event;
            if let Some(marker) = marker {
                is_own = self.marker(marker, index, event);
                continue;
            }
            if is_own {
                self.groups.iter_mut().for_each(|groups| groups.passed_records += 1);
                self.pass(start..end);
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
                Emission::Passed => self.pass(start..end),
            });
        }
    }

    /// Appends an event that is not of the chunk: an entry of the filter's own, or an envelope.
    pub fn own(&mut self, emission: &Emission<'_>) {
        self.touch(self.chunk.len());
        self.incoming = Incoming::default();
        match emission {
            Emission::Entry(entry) => self.entry(&head(self.now), entry),
            Emission::Envelope(json) => self.envelope(json),
            _ => {}
        }
    }

    /// Appends events that are already encoded. Returns those that have to wait for a later chunk.
    pub fn encoded(&mut self, events: &[u8]) -> Vec<u8> {
        if events.is_empty() {
            return Vec::new();
        }
        self.touch(self.chunk.len());
        self.any = true;
        if let Some(groups) = &mut self.groups {
            return groups.encoded(events);
        }
        self.out.put(events);
        Vec::new()
    }

    /// Completes the output, and returns the result for the chunk.
    pub fn finish(self) -> Outcome {
        let Self { touched, any, groups, passed, now, .. } = self;
        let outcome = match (touched, any) {
            (false, _) => Outcome::Untouched,
            (true, false) => Outcome::Dropped,
            (true, true) => Outcome::Replaced,
        };
        let Some(groups) = groups else { return outcome };
        if outcome == Outcome::Replaced {
            groups.write(now, self.out);
            passed.ranges.into_iter().for_each(|range| self.out.put(&self.chunk[range]));
            if passed.in_group {
                self.out.put(&GROUP_END);
            }
        }
        groups.others(passed.rows, now);
        outcome
    }

    /// Starts writing the chunk's replacement; the events before `start` are copied.
    fn touch(&mut self, start: usize) {
        if !self.touched {
            self.touched = true;
            if self.groups.is_none() {
                self.out.put(&self.chunk[..start]);
            }
        }
    }

    /// Notes a marker; returns whether it begins a group that a filter wrote.
    fn marker(&mut self, marker: Marker, index: usize, event: &Event) -> bool {
        let Event { start, body, end, .. } = *event;
        if self.groups.is_none() {
            self.copy(start..end);
            return false;
        }
        self.passed.marker(marker, start..end);
        let number = u32::try_from(index).unwrap_or(u32::MAX - 1) + 1;
        self.incoming = match marker {
            Marker::Start => Incoming { number, body: &self.chunk[body..end] },
            Marker::End => Incoming::default(),
        };
        otlp::is_own(self.incoming.body)
    }

    fn pass(&mut self, event: Range<usize>) {
        self.any = true;
        if self.groups.is_some() {
            self.passed.event(event);
        } else {
            self.copy(event);
        }
    }

    fn copy(&mut self, event: Range<usize>) {
        if self.touched {
            self.out.put(&self.chunk[event]);
        }
    }

    fn entry(&mut self, head: &[u8], entry: &Entry<'_>) {
        self.any = true;
        if let Some(groups) = &mut self.groups {
            return groups.entry(Head::of(head), entry, self.incoming);
        }
        self.out.put(head);
        entry.write_msgpack(self.out);
    }

    /// Writes an envelope: an event that `out_http` sends as a request of its own.
    fn envelope(&mut self, json: &[u8]) {
        self.any = true;
        self.out.put(&head(self.now));
        map(2, self.out);
        text(BODY_KEY, self.out);
        self.out.put(&[0xdb]);
        self.out.put(&u32::try_from(json.len()).unwrap_or(0).to_be_bytes());
        self.out.put(json);
        text(HEADERS_KEY, self.out);
        map(1, self.out);
        text("Content-Type", self.out);
        text("application/json", self.out);
    }
}
