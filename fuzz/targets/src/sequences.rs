//! Sequences of records through one filter with a key cache and one without.

use kaudit_filter::record::Record;

use crate::expand::expand;
use crate::pair::Pair;
use crate::{configs, records};

/// The maximum number of records of one input: more of them add no coverage.
const MAX_RECORDS: usize = 64;

/// Sequences of JSON records.
///
/// The first byte selects a configuration by its lower three bits, a host with a single output by the next one, and by
/// the next one whether records end at line breaks or at form feeds, so that they may contain line breaks.
pub fn json_sequence(input: &[u8]) {
    let Some((selector, input)) = input.split_first() else { return };
    let input = expand(input);
    let separator = if selector & 16 == 0 { b'\n' } else { 0x0c };
    let mut pair = Pair::new(configs::sequence(selector & 7), selector & 8 != 0);
    for text in input.split(|byte| *byte == separator).take(MAX_RECORDS) {
        records::check_json(text);
        pair.process(Record::json(text));
    }
    pair.finish();
}

/// The body of a chunk of Fluent Bit: a sequence of `MessagePack` values.
///
/// The first byte selects as in [`json_sequence`]. Of an event, which is a list of its time and its record, the record is
/// processed, too, as the plugin does.
pub fn msgpack_chunk(input: &[u8]) {
    let Some((selector, chunk)) = input.split_first() else { return };
    let mut pair = Pair::new(configs::sequence(selector & 7), selector & 8 != 0);
    let mut rest = chunk;
    for _ in 0..MAX_RECORDS {
        let mut after = rest;
        let other = rmpv::decode::read_value(&mut after);
        let (value, next) = match (Record::split_msgpack(rest), other) {
            (Ok((value, next)), other) => {
                assert!(other.is_err() || next == after, "a value of another length");
                (value, next)
            }
            // rmpv reads the unused byte as nil.
            (Err(error), Ok(value)) if !rest.contains(&0xc1) => panic!("{error}: {value}"),
            (Err(_), _) => break,
        };
        rest = next;
        records::check_msgpack(value);
        pair.process(Record::msgpack(value));
        if let Some(inner) = event_record(value) {
            records::check_msgpack(inner);
            pair.process(Record::msgpack(inner));
        }
    }
    pair.finish();
}

/// The record of an event `[time, record]`.
fn event_record(event: &[u8]) -> Option<&[u8]> {
    let inside = event.strip_prefix(&[0x92])?;
    let (_, record) = Record::split_msgpack(inside).ok()?;
    Some(record)
}
