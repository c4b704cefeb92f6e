//! Makes an entry fit: the longest strings of its text are cut, as little as will do.
//!
//! What Coralogix finds too large it drops while it answers 200, so an entry that does not fit is mended here. Decision:
//! one length for all strings, the greatest that fits, found by halving; cutting only the one longest string would lose
//! a stack of middling ones, cutting from the end would lose whole fields.

use std::borrow::Cow;

use super::{Entry, Length, json};
use crate::finding::Field;
use crate::record::{Body, Event, Tape};

/// Text is escaped twice where it is JSON within a string: `\u0000` becomes `\\u0000`; one byte at most eight.
const WORST_ESCAPE: usize = 8;

/// The entry's members besides names, labels, text and marks.
const HEADER: usize = 256;

/// What is cut off must be worth the remark that replaces it.
const REMARK: usize = 40;

/// Cuts until the entry is at most `max` bytes of JSON; whether it had to.
#[inline(always)]
pub(super) fn fit(entry: &mut Entry<'_>, max: usize) -> bool {
    upper_bound(entry) > max && fit_long(entry, max)
}

#[inline(never)]
fn fit_long(entry: &mut Entry<'_>, max: usize) -> bool {
    let original = length(entry);
    if original <= max {
        return false;
    }
    entry.mark("truncated", Tape::map([("bytes", Tape::uint(original as u64))]));
    if !cut_strings(entry, max) {
        entry.body = Body::Tape(essence(entry, max));
        cut_strings(entry, max);
    }
    true
}

#[inline(always)]
fn upper_bound(entry: &Entry<'_>) -> usize {
    let body = match &entry.body {
        Body::Json(text) => text.len(),
        #[cfg(feature = "msgpack")]
        Body::MsgPack(bytes) => bytes.len(),
        Body::Tape(_) => return usize::MAX,
    };
    // Marks are at most a few numbers and words, unless they carry what a finding had in their place.
    if entry.marks.events.len() > 16 {
        return usize::MAX;
    }
    let marks = entry.marks.events.len().saturating_mul(64);
    let others = entry.labels.json_bound().wrapping_add(HEADER).wrapping_add(marks);
    body.saturating_mul(WORST_ESCAPE).saturating_add(others)
}

fn length(entry: &Entry<'_>) -> usize {
    let mut length = Length::default();
    json::entry(entry, &mut length);
    length.0
}

/// Finds the greatest length of strings with which the entry fits; `false` when there is none.
fn cut_strings(entry: &mut Entry<'_>, max: usize) -> bool {
    let body = core::mem::replace(&mut entry.body, Body::Tape(Tape::default()));
    let tape = body.into_tape();
    let mut fits_with = |length_of_strings| {
        entry.body = Body::Tape(cut(&tape, length_of_strings));
        length(entry) <= max
    };
    if !fits_with(0) {
        entry.body = Body::Tape(tape);
        return false;
    }
    let (mut fits, mut too_long) = (0, max);
    while too_long.saturating_sub(fits) > 1 {
        let middle = fits.midpoint(too_long);
        if fits_with(middle) {
            fits = middle;
        } else {
            too_long = middle;
        }
    }
    fits_with(fits)
}

/// The tape with every string cut to so many bytes and a remark.
fn cut<'a>(tape: &Tape<'a>, length: usize) -> Tape<'a> {
    let events = tape.events.iter().map(|event| match event {
        Event::Str(text) if text.len() > length.saturating_add(REMARK) => {
            let kept = text.get(..text.floor_char_boundary(length)).unwrap_or_default();
            let lost = text.len().saturating_sub(kept.len());
            Event::Str(Cow::Owned(format!("{kept}…[truncated {lost} bytes]")))
        }
        other => other.clone(),
    });
    Tape { events: events.collect() }
}

/// What is left of a body whose keys and numbers alone are too many: the fields the filter knows, and the beginning of
/// the whole as text.
fn essence(entry: &Entry<'_>, max: usize) -> Tape<'static> {
    let tape = entry.body.clone().into_tape();
    let mut text = Vec::new();
    json::events(&tape.events, &mut text);
    text.truncate(max);
    let mut essence = Tape::map([]);
    for (field, value) in known_members(&tape) {
        essence.insert(field.name(), value);
    }
    essence.insert("message", Tape::str(String::from_utf8_lossy(&text).into_owned()));
    essence
}

/// The known members of the top level that are text or numbers, the first of each name.
fn known_members(tape: &Tape<'_>) -> Vec<(Field, Tape<'static>)> {
    let mut depth = 0_usize;
    let mut field = None;
    let mut known: Vec<(Field, Tape<'static>)> = Vec::new();
    for event in &tape.events {
        match event {
            Event::Map(_) | Event::List(_) => depth = depth.saturating_add(1),
            Event::End => depth = depth.saturating_sub(1),
            Event::Key(key) if depth == 1 => {
                field =
                    Field::of(key.as_bytes()).filter(|field| known.iter().all(|(other, _)| other != field));
                continue;
            }
            Event::Str(text) => known.extend(field.map(|field| (field, Tape::str(text.to_string())))),
            Event::Number(number) => {
                known.extend(field.zip(number.as_i64()).map(|(field, value)| (field, Tape::int(value))));
            }
            Event::Bool(_) | Event::Null | Event::Key(_) => (),
        }
        field = None;
    }
    known
}
