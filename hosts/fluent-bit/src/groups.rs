//! The groups of a chunk, one for each resource, and their numbers.
//!
//! The output `opentelemetry` reads a chunk that consists of the results of many calls:
//! - A group with the `resource_id` of the group before it continues the resource, and its attributes are not read
//!   (3.1 to 4.0.11, and 4.1.0). So resources that differ never have the same number, in all calls; equal ones have the same,
//!   so that a chunk has few resources. No number is 0: records without a group have it.
//! - When a scope has `batch_size` records, 1,000 by default, the output sends them, together with all earlier scopes. It
//!   sends the earlier ones again in the next request. So no scope gets that many: after [`SCOPE_RECORDS`] records, another
//!   `scope_id` follows. The chunk is one request then, of at most about 2 MB.
//! - A resource has at most 100 scopes (3.1 to 4.1), so a scope continues in the next call.
//!
//! Groups are not nested, and none is empty.

use std::collections::HashMap;
use std::ops::Range;

use kaudit_filter::Time;
use kaudit_filter::entry::{Entry, Out};

use crate::event::{Event, GROUP_END, Head, Marker, split};
use crate::msgpack::{map, text, uint};
use crate::otlp;
use crate::records::Records;
use crate::slots::Slots;

/// The maximum number of records in a scope.
const SCOPE_RECORDS: u32 = 900;
/// The maximum number of resources of a call, besides the shared one, and of those that are remembered for later calls.
const MAX_KNOWN: usize = 1024;
/// The memory for a chunk's records that is kept for the next one, bytes.
const KEPT_BYTES: usize = 4 << 20;

/// The names of the resource of all entries for whose resources there is no space in the request.
const SHARED: &[u8] = b"\x82\xb3cx.application.name\xa6kaudit\xb1cx.subsystem.name\xadkaudit-shared";
/// The number of sets of names whose resources are found at once.
const RECENT: usize = 256;

/// The group in which a finding arrived.
#[derive(Clone, Copy, Debug, Default)]
pub struct Incoming<'a> {
    /// The number of its start marker in the chunk; 0 for a finding without a group.
    pub number: u32,
    /// The body of its start marker; empty for none.
    pub body: &'a [u8],
}

/// Collects a chunk's entries by resource.
#[derive(Debug)]
pub struct Groups {
    /// `None`: a request has any number of resources.
    slots: Option<Slots>,
    /// Resources of earlier calls by the bodies of their start markers.
    known: HashMap<Vec<u8>, Known>,
    numbers: Numbers,
    /// The number of the last group's resource; `None`: something else follows it.
    last: Option<u64>,
    /// Whether nothing of an incoming group or its records' metadata is kept, since rules of `redact` do not apply to it.
    pub redacts: bool,
    /// The number of records in the resource that others share, since the start.
    pub shared_records: u64,
    /// The number of records in groups of other filters, since the start.
    pub passed_records: u64,
    chunk: Chunk,
}

/// The groups of the current chunk.
#[derive(Debug, Default)]
struct Chunk {
    /// The number of resources that may still be added.
    free: usize,
    resources: Vec<Resource>,
    /// The resource of each description.
    by_body: HashMap<Vec<u8>, usize>,
    /// Resources by the hash of their names and incoming group: the last ones.
    recent: Vec<Recent>,
    /// The resource that others share.
    shared: Option<usize>,
    records: Records,
    /// Events without a group.
    alone: Vec<u8>,
}

#[derive(Debug)]
struct Resource {
    body: Vec<u8>,
    known: Known,
    parts: Vec<Part>,
}

/// The number of a resource, and its scope.
#[derive(Clone, Copy, Debug)]
struct Known {
    number: u64,
    scope: Scope,
}

/// A scope, and the number of records that it may still get.
#[derive(Clone, Copy, Debug)]
struct Scope {
    number: u64,
    left: u32,
}

/// The numbers of resources and scopes, each used once.
#[derive(Debug)]
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }

    fn scope(&mut self) -> Scope {
        Scope { number: self.next(), left: SCOPE_RECORDS }
    }
}

/// Records of one scope, as ranges of the chunk's records.
#[derive(Debug)]
struct Part {
    scope: u64,
    ranges: Vec<Range<usize>>,
}

/// The resource of entries with these names, from this incoming group.
#[derive(Clone, Debug, Default)]
struct Recent {
    names: Vec<u8>,
    incoming: u32,
    /// `None`: there is none in this chunk.
    resource: Option<usize>,
}

impl Groups {
    /// Returns no groups. `seed` separates the numbers of several filters; `slots` limits the resources of a request.
    pub fn new(seed: u64, slots: Option<Slots>) -> Self {
        Self {
            slots,
            known: HashMap::new(),
            // A positive integer, with as many after it.
            numbers: Numbers(seed >> 2),
            last: None,
            redacts: false,
            shared_records: 0,
            passed_records: 0,
            chunk: Chunk::default(),
        }
    }

    /// Begins a chunk.
    pub fn begin(&mut self, now: Time) -> &mut Self {
        let Chunk { resources, by_body, recent, shared, records, alone, .. } = &mut self.chunk;
        resources.clear();
        by_body.clear();
        recent.resize_with(RECENT, Recent::default);
        for recent in recent {
            recent.resource = None;
        }
        (*shared, records.failed) = (None, false);
        records.bytes.clear();
        alone.clear();
        records.bytes.shrink_to(KEPT_BYTES);
        self.chunk.free = self.slots.as_mut().map_or(usize::MAX, |slots| slots.free(now));
        if self.slots.as_ref().is_some_and(Slots::is_unused) {
            // The last resource is in an earlier request.
            self.last = None;
        }
        self
    }

    /// Notes that other records will follow the groups, which take this number of rows in a request.
    pub fn reserve(&mut self, rows: usize) {
        self.chunk.free = self.chunk.free.saturating_sub(rows);
    }

    /// Begins a chunk that is not sent now: it has any number of resources.
    pub fn begin_unlimited(&mut self, now: Time) -> &mut Self {
        self.begin(now).chunk.free = usize::MAX;
        self
    }

    /// Returns whether memory ran out, so that records are missing.
    pub fn failed(&self) -> bool {
        self.chunk.records.failed
    }

    /// Adds an entry.
    pub fn entry(&mut self, head: Head<'_>, entry: &Entry<'_>, incoming: Incoming<'_>) {
        let (head, incoming) = if self.redacts {
            (Head { metadata: &[], ..head }, Incoming::default())
        } else {
            (head, incoming)
        };
        let names = entry.msgpack_resource();
        let slot = slot(names, incoming.number);
        let recent = self.chunk.recent.get(slot);
        let recent = recent.filter(|recent| recent.incoming == incoming.number && recent.names == names);
        let resource = match recent.and_then(|recent| recent.resource) {
            Some(resource) => resource,
            None => self.find(names, incoming, slot),
        };
        let is_shared = self.chunk.shared == Some(resource);
        self.shared_records += u64::from(is_shared);
        let start = self.chunk.records.bytes.len();
        otlp::record(head, entry, if is_shared { names } else { &[] }, &mut self.chunk.records);
        self.add(resource, start);
    }

    /// Adds events that [`Groups::write`] wrote, one after the other. Returns those for which there is no space now.
    pub fn encoded(&mut self, events: &[u8]) -> Vec<u8> {
        let (mut offsets, mut left) = (Vec::new(), Vec::new());
        if split(events, &mut offsets).is_err() {
            return left;
        }
        // The resource of the current group, unless there is no space for it, and its start marker.
        let mut group: (Option<usize>, &[u8]) = (None, &[]);
        for Event { start, body, end, marker } in offsets {
            let event = &events[start..end];
            match (marker, group) {
                (Some(Marker::Start), _) => {
                    let found = self.chunk.by_body.get(&events[body..end]).copied();
                    group = (found.or_else(|| self.open(events[body..end].to_vec())), event);
                }
                (Some(Marker::End), _) => group = (None, &[]),
                (None, (Some(resource), _)) => {
                    let at = self.chunk.records.bytes.len();
                    self.chunk.records.put(event);
                    self.add(resource, at);
                }
                // The shape was another one when the event was written.
                (None, (None, [])) => self.chunk.alone.extend_from_slice(event),
                (None, (None, marker)) => left.extend([marker, event, &GROUP_END].concat()),
            }
        }
        left
    }

    /// Writes the groups.
    pub fn write(&mut self, now: Time, out: &mut impl Out) {
        let Chunk { resources, records, alone, .. } = &self.chunk;
        if self.known.len() + resources.len() > MAX_KNOWN {
            self.known.clear();
        }
        // The resource of the last group continues.
        let first = resources.iter().position(|resource| Some(resource.known.number) == self.last);
        let others = (0..resources.len()).filter(|at| Some(*at) != first);
        for Resource { body, known, parts } in
            first.into_iter().chain(others).filter_map(|at| resources.get(at))
        {
            if self.last == Some(known.number) {
                self.slots.iter_mut().for_each(|slots| slots.keep(now));
            } else {
                self.last = Some(known.number);
                self.slots.iter_mut().for_each(|slots| slots.take(now));
            }
            for Part { scope, ranges } in parts {
                start(known.number, *scope, body, out);
                for range in ranges {
                    out.put(&records.bytes[range.clone()]);
                }
                out.put(&GROUP_END);
            }
            match self.known.get_mut(body) {
                Some(before) => *before = *known,
                None => drop(self.known.insert(body.clone(), *known)),
            }
        }
        out.put(alone);
        self.others(usize::from(!self.chunk.alone.is_empty()), now);
    }

    /// Notes that the other records follow, which take this number of rows in a request.
    pub fn others(&mut self, rows: usize, now: Time) {
        if rows > 0 {
            self.last = None;
            self.slots.iter_mut().for_each(|slots| (0..rows).for_each(|_| slots.take(now)));
        }
    }

    /// Notes that the chunk's groups are not sent.
    pub fn discard(&mut self) {
        self.last = None;
        self.chunk.records.failed = false;
    }

    /// Returns the resource for names that are not among the recent ones, and puts them there.
    #[inline(never)]
    fn find(&mut self, names: &[u8], incoming: Incoming<'_>, slot: usize) -> usize {
        let mut body = Vec::new();
        otlp::group(names, incoming.body, &mut body);
        let found = self.chunk.by_body.get(&body).copied();
        let resource = found.or_else(|| self.open(body)).unwrap_or_else(|| self.shared());
        if let Some(recent) = self.chunk.recent.get_mut(slot) {
            names.clone_into(&mut recent.names);
            (recent.incoming, recent.resource) = (incoming.number, Some(resource));
        }
        resource
    }

    /// Adds a resource, unless there is no space for it.
    fn open(&mut self, body: Vec<u8>) -> Option<usize> {
        if self.chunk.resources.len() >= MAX_KNOWN {
            return None;
        }
        let known = self.known(&body);
        if self.last != Some(known.number) {
            self.chunk.free = self.chunk.free.checked_sub(1)?;
        }
        Some(self.push(known, body))
    }

    /// Returns the resource that others share; a row is reserved for it.
    fn shared(&mut self) -> usize {
        if let Some(shared) = self.chunk.shared {
            return shared;
        }
        let mut body = Vec::new();
        otlp::group(SHARED, &[], &mut body);
        let found = self.chunk.by_body.get(&body).copied();
        let shared = found.unwrap_or_else(|| {
            let known = self.known(&body);
            self.push(known, body)
        });
        self.chunk.shared = Some(shared);
        shared
    }

    fn push(&mut self, known: Known, body: Vec<u8>) -> usize {
        let at = self.chunk.resources.len();
        self.chunk.by_body.insert(body.clone(), at);
        self.chunk.resources.push(Resource { body, known, parts: Vec::new() });
        at
    }

    /// Returns the numbers of a resource from earlier calls, or new ones.
    fn known(&mut self, body: &[u8]) -> Known {
        let numbers = &mut self.numbers;
        let known = self.known.get(body).copied();
        known.unwrap_or_else(|| Known { number: numbers.next(), scope: numbers.scope() })
    }

    /// Adds the record that begins at this offset to a resource.
    fn add(&mut self, resource: usize, start: usize) {
        let end = self.chunk.records.bytes.len();
        let Some(Resource { known: Known { scope, .. }, parts, .. }) = self.chunk.resources.get_mut(resource)
        else {
            return;
        };
        if scope.left == 0 {
            *scope = self.numbers.scope();
        }
        scope.left -= 1;
        if parts.last().is_none_or(|part| part.scope != scope.number) {
            parts.push(Part { scope: scope.number, ranges: Vec::new() });
        }
        let Some(Part { ranges, .. }) = parts.last_mut() else { return };
        match ranges.last_mut().filter(|range| range.end == start) {
            Some(range) => range.end = end,
            None => ranges.push(start..end),
        }
    }
}

/// Returns the index of names among the recent ones. A collision costs time and changes nothing.
fn slot(names: &[u8], incoming: u32) -> usize {
    const BITS: u32 = RECENT.trailing_zeros();
    let mut hash = u64::from(incoming);
    for part in names.chunks(8) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    (hash >> (u64::BITS - BITS)) as usize
}

/// Writes a start marker.
fn start(resource: u64, scope: u64, body: &[u8], out: &mut impl Out) {
    out.put(&[0x92, 0x92, 0xd7, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    map(3, out);
    text("schema", out);
    text("otlp", out);
    text("resource_id", out);
    uint(resource, out);
    text("scope_id", out);
    uint(scope, out);
    out.put(body);
}
