//! Entries as Fluent Bit's log records of the schema `otlp`, from which its output `opentelemetry` builds requests.
//!
//! A resource is a group: the body of its start marker has the resource's attributes and the scope. A record has its OTLP
//! fields in the metadata, under `otlp`, and the finding as its body. Numbers must be positive integers of `MessagePack`.
//! Sources: `plugins/out_opentelemetry/opentelemetry_logs.c`, `plugins/in_opentelemetry/opentelemetry_logs.c`.

use kaudit_filter::entry::{Entry, Out};

use crate::event::{Head, split};
use crate::msgpack::{Members, large_as_text, map, may_have_large, string, text};
use crate::records::Records;

/// The name of the scope of the filter's groups.
const SCOPE: &str = "kaudit-filter";
/// The attributes that every resource of the filter has.
const NAMES: [&str; 2] = ["cx.application.name", "cx.subsystem.name"];

/// Writes the body of a start marker. `names` are attributes, a map. `incoming` is the body of the group in which the
/// finding arrived, or empty.
///
/// The first attributes of an incoming resource are kept ([`first`]), except those with the key of a name.
pub fn group(names: &[u8], incoming: &[u8], out: &mut impl Out) {
    let attributes =
        Members::of(incoming).get("resource").map(|resource| Members::of(resource).get("attributes"));
    let attributes = Members::of(attributes.flatten().unwrap_or_default());
    let others = first(attributes.filter(|(key, _)| !has(names, key)));
    map(2, out);
    text("resource", out);
    map(1, out);
    text("attributes", out);
    map(Members::of(names).len() + others.clone().count(), out);
    out.put(Members::of(names).bytes());
    write(others, out);
    text("scope", out);
    map(2, out);
    text("name", out);
    text(SCOPE, out);
    text("version", out);
    text(env!("CARGO_PKG_VERSION"), out);
}

/// Returns whether the body of a start marker is like [`group`]'s: the group is of a filter.
///
/// Any sender of OTLP can write one, so the records of such groups are counted.
pub fn is_own(group: &[u8]) -> bool {
    let name = Members::of(group).get("scope").and_then(|scope| Members::of(scope).get("name"));
    let attributes =
        Members::of(group).get("resource").and_then(|resource| Members::of(resource).get("attributes"));
    let has_name = |key| Members::of(attributes.unwrap_or_default()).get(key).is_some();
    name.and_then(string) == Some(SCOPE.as_bytes()) && NAMES.into_iter().all(has_name)
}

/// Writes an entry as an event with this head.
///
/// `names` are also attributes of the record: a map, or empty if the resource has them.
///
/// The output converts integers to 64 bits with a sign. Larger ones are strings, as in the JSON of OTLP.
pub fn record(head: Head<'_>, entry: &Entry<'_>, names: &[u8], out: &mut Records) {
    out.put(&[0x92, 0x92]);
    out.put(head.timestamp);
    if Members::of(head.metadata).len() == 0 && names.is_empty() {
        let labels = entry.label_count();
        out.put(b"\x81\xa4otlp");
        map(FIELDS + usize::from(labels > 0), out);
        entry.write_msgpack_fields(out);
        if labels > 0 {
            text("attributes", out);
            map(labels, out);
            entry.write_msgpack_labels(out);
        }
    } else {
        merged(head.metadata, entry, names, out);
    }
    let start = out.bytes.len();
    entry.write_msgpack_text(out);
    if may_have_large(&out.bytes[start..]) {
        let text = out.bytes.split_off(start);
        large_as_text(&text, out);
    }
}

/// The number of members that [`Entry::write_msgpack_fields`] writes.
const FIELDS: usize = 4;
/// The members of an incoming record's `otlp` that are kept, besides `attributes`.
const KEPT: [&str; 3] = ["trace_id", "span_id", "trace_flags"];

/// Writes the metadata of a record that arrived with some, or that has its names in it.
///
/// Of the incoming metadata, the trace, attributes with other keys, and members outside of `otlp` are kept, of each the
/// [`first`].
#[inline(never)]
fn merged(metadata: &[u8], entry: &Entry<'_>, names: &[u8], out: &mut impl Out) {
    let metadata = Members::of(metadata);
    let incoming = Members::of(metadata.clone().get("otlp").unwrap_or_default());
    let others = first(metadata.filter(|(key, _)| string(key) != Some(b"otlp")));
    let is_short = |value: &&[u8]| value.len() <= MAX_INCOMING;
    let trace = KEPT.into_iter().filter_map(|key| Some((key, incoming.clone().get(key).filter(is_short)?)));
    let labels = entry.labels();
    let is_label = |key: &[u8]| {
        labels.iter().any(|(name, label)| !label.is_empty() && string(key) == Some(name.as_bytes()))
    };
    let attributes = Members::of(incoming.clone().get("attributes").unwrap_or_default());
    let attributes = first(attributes.filter(|(key, _)| !is_label(key) && !has(names, key)));
    let count = entry.label_count() + Members::of(names).len() + attributes.clone().count();

    map(1 + others.clone().count(), out);
    text("otlp", out);
    map(FIELDS + trace.clone().count() + usize::from(count > 0), out);
    entry.write_msgpack_fields(out);
    for (key, value) in trace {
        text(key, out);
        out.put(value);
    }
    if count > 0 {
        text("attributes", out);
        map(count, out);
        entry.write_msgpack_labels(out);
        out.put(Members::of(names).bytes());
        write(attributes, out);
    }
    write(others, out);
}

/// The maximum length of incoming members, bytes: one incoming resource precedes the entries of many names.
const MAX_INCOMING: usize = 4096;

/// Returns the first members that are not longer than [`MAX_INCOMING`] in all.
fn first<'a>(
    members: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone {
    members.scan(MAX_INCOMING, |left, (key, value)| {
        *left = left.checked_sub(key.len() + value.len())?;
        Some((key, value))
    })
}

/// Returns whether a map has a key.
fn has(map: &[u8], key: &[u8]) -> bool {
    Members::of(map).any(|(name, _)| string(name) == string(key))
}

fn write<'a>(members: impl Iterator<Item = (&'a [u8], &'a [u8])>, out: &mut impl Out) {
    for (key, value) in members {
        out.put(key);
        out.put(value);
    }
}

/// Returns the bytes of a record's timestamp, nanoseconds, in an event of the filter's own that [`record`] wrote, or in a
/// group that begins with it.
///
/// Decision: only at its place, after the event's time. Text may contain the bytes of the key.
pub fn timestamp(event: &mut [u8]) -> Option<&mut [u8; 8]> {
    const TIME: usize = 12;
    const KEY: &[u8] = b"\x81\xa4otlp";
    const FIRST: &[u8] = b"\xa9timestamp\xcf";
    let mut events = Vec::new();
    split(event, &mut events).ok()?;
    let start = events.iter().find(|event| event.marker.is_none())?.start;
    let (head, rest) = event.get_mut(start + TIME..)?.split_at_mut_checked(KEY.len() + 1 + FIRST.len())?;
    // The head of the map of fields is between them.
    let is_record = head.starts_with(KEY) && head.ends_with(FIRST);
    rest.first_chunk_mut().filter(|_| is_record)
}
