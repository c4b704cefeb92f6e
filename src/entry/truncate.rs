//! Cuts the longest strings of a text until its entry fits, by as little as possible.
//!
//! Coralogix answers 200 and drops what is too large, so an entry that does not fit is cut here. Decision: one length
//! for all strings, worked out from their lengths. Cutting only the longest string would lose a stack of middling ones,
//! cutting from the end would lose whole fields; trying lengths by halving wrote the entry seventeen times, which made a
//! record above the maximum cost eighty times one below it.

use super::Entry;
use crate::config::TextForm;
use crate::record::{Body, Document, Event, REMARK, escaped_length, truncate, twice_escaped_length};

/// How often the length is worked out again where the strings' beginnings have more escape sequences than the rest; then
/// it is halved.
const TRIES: usize = 4;

/// Cuts the strings of a document until the entry is at most `max` bytes of JSON; `false`, and unchanged, if that is not
/// possible.
pub(super) fn cut(entry: &mut Entry<'_>, max: usize) -> bool {
    let size = entry.length();
    if size <= max {
        return true;
    }
    let Body::Document(original) = core::mem::replace(&mut entry.body, Body::Document(Document::default()))
    else {
        return false;
    };
    let sizes = Sizes::of(&original, entry.text);
    let mut excess = size.saturating_sub(max);
    let Some(mut length) = sizes.length_without(excess) else {
        entry.body = Body::Document(original);
        return false;
    };
    for tries in 0_usize.. {
        entry.body = Body::Document(shortened(&original, length));
        let more = entry.length().saturating_sub(max);
        if more == 0 {
            return true;
        }
        if length == 0 {
            break;
        }
        excess = excess.saturating_add(more);
        let computed = sizes.length_without(excess).filter(|_| tries < TRIES);
        length = computed.map_or(length / 2, |computed| computed.min(length.saturating_sub(1)));
    }
    entry.body = Body::Document(original);
    false
}

/// The document with every string cut to so many bytes and a remark.
fn shortened<'a>(document: &Document<'a>, length: usize) -> Document<'a> {
    let events = document.events.iter().map(|event| {
        let mut event = event.clone();
        if let Event::Str(text) = &mut event {
            truncate(text, length);
        }
        event
    });
    Document { events: events.collect() }
}

/// The strings that are long enough to be cut, the longest first: bytes, and bytes as JSON.
struct Sizes(Vec<(usize, usize)>);

impl Sizes {
    fn of(document: &Document<'_>, form: TextForm) -> Self {
        let mut sizes: Vec<_> = document
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Str(text) if text.len() > REMARK => {
                    let size = match form {
                        TextForm::Object => escaped_length(text),
                        TextForm::String => twice_escaped_length(text),
                    };
                    Some((text.len(), size))
                }
                _ => None,
            })
            .collect();
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        Self(sizes)
    }

    /// The greatest length of strings that makes the document so many bytes smaller, as far as their sizes tell; `None`
    /// if no length does.
    fn length_without(&self, excess: usize) -> Option<usize> {
        let mut bytes = 0_usize;
        let mut size = 0_usize;
        let mut rest = self.0.iter();
        let mut count = 0_usize;
        while let Some((longest, escaped)) = rest.next() {
            count = count.saturating_add(1);
            bytes = bytes.saturating_add(*longest);
            size = size.saturating_add(*escaped);
            // Cut to a length between this string's and the next one's, all that are longer become equal.
            let next = rest.as_slice().first().map_or(0, |(next, _)| next.saturating_add(REMARK));
            let target = size.saturating_sub(excess).saturating_sub(count.saturating_mul(REMARK));
            // Bytes for the size that is left, by the share of escape sequences in these strings.
            let left = (target as u128).saturating_mul(bytes as u128).checked_div(size as u128);
            let left = left.and_then(|left| usize::try_from(left).ok()).unwrap_or(0);
            let length = left.checked_div(count).unwrap_or(0);
            if size > excess.saturating_add(count.saturating_mul(REMARK))
                && length.saturating_add(REMARK) >= next
            {
                return Some(length.min(longest.saturating_sub(1)));
            }
        }
        None
    }
}
