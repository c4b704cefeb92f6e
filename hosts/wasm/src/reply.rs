//! The answer to one record: at most one JSON object.

use host_kit::{Emission, Session};
use kaudit_filter::config::{Config, Shape};
use kaudit_filter::entry::Entry;
use kaudit_filter::envelope::Form;
use kaudit_filter::record::Record;
use kaudit_filter::{Filter, Time};

/// The notice for an operator whose configuration has limits or count reports.
///
/// It is printed when an instance starts: once from Fluent Bit 4.1 on, and for every chunk by an older one.
pub const NOTICE: &str = "rate limits and count reports begin a second after the start; Fluent Bit before 4.1 starts \
                          this filter again for each chunk, so there all findings pass";

/// The age in nanoseconds from which an instance suppresses or counts findings.
///
/// Fluent Bit before 4.1 discards an instance with its chunk, some milliseconds after its start, and with it all
/// pending summaries; a guest cannot read the version of Fluent Bit, but no chunk takes so long.
const SETTLED_NS: i64 = 1_000_000_000;

/// The guest: a filter and the buffer of its last answer.
pub struct Guest {
    session: Session,
    started: Time,
    settled: bool,
    reply: Vec<u8>,
}

impl Guest {
    /// Returns a guest with this filter, started `now`.
    pub fn new(mut filter: Filter, config: &Config, now: Time) -> Self {
        filter.set_single_output();
        filter.set_suppression_enabled(false);
        let session = Session::new(filter, config).without_envelopes();
        Self { session, started: now, settled: false, reply: Vec::new() }
    }

    /// Returns the notice to print at the start, if any.
    pub fn notice(&self) -> Option<&'static str> {
        self.session.may_suppress().then_some(NOTICE)
    }

    /// Returns the answer to one record that arrived `now`: a JSON object, or nothing if the record is dropped, and a NUL
    /// that ends it.
    ///
    /// The answer to a dropped record is a pending summary or report, if one is due. A record with several findings is
    /// one entry, marked `batch`: Fluent Bit takes one object for each record.
    #[inline]
    pub fn answer(&mut self, record: &[u8], now: Time) -> &[u8] {
        if !self.settled && now.nanos().saturating_sub(self.started.nanos()) >= SETTLED_NS {
            self.settled = true;
            self.session.set_suppression_enabled(true);
        }
        let Self { session, reply, .. } = self;
        let shape = session.shape();
        reply.clear();
        let mut dropped = false;
        session.record(Record::json(record), now, |emission| match emission {
            Emission::Entry(entry) | Emission::Grouped(entry) => write(entry, shape, reply),
            Emission::Passed => pass(record, reply),
            Emission::Dropped(_) | Emission::Suppressed => dropped = true,
            Emission::Envelope(_) => {}
        });
        if dropped && let Some(entry) = session.next_due(now) {
            write(&entry, shape, reply);
        }
        reply.push(0);
        reply
    }
}

/// Writes an entry, or an envelope with one.
fn write(entry: &Entry<'_>, shape: Shape, reply: &mut Vec<u8>) {
    match Form::of(shape) {
        Some(form) => form.write_one(entry, reply),
        None => entry.write_json(reply),
    }
}

/// Writes a record unchanged.
///
/// Fluent Bit would lose a reply that is not a JSON object, so another record becomes a text in one.
fn pass(record: &[u8], reply: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(record);
    if Record::json(&*text).check().is_ok() {
        return reply.extend_from_slice(text.as_bytes());
    }
    reply.extend_from_slice(br#"{"message":""#);
    for character in text.chars() {
        match character {
            '"' | '\\' => reply.extend([b'\\', character as u8]),
            '\0'..='\x1f' => reply.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes()),
            _ => reply.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    reply.extend_from_slice(br#""}"#);
}
