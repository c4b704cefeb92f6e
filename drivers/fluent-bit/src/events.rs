//! Chunks of events, to and from JSON, without the engine's `MessagePack` reader and writer.

use kaudit_driver::{Event, Hex, Record};
use rmpv::Value;

/// Returns a record as an event, or as bytes of a chunk.
pub fn encode(nanos: i64, record: &Record) -> Result<Vec<u8>, String> {
    match record {
        Record::Text(text) => event(nanos, text),
        Record::OldEvent(body) => write(&Value::Array(vec![time(nanos), parse(body)?])),
        Record::Raw(bytes) => Ok(bytes.0.clone()),
        Record::Hex(_) | Record::Log(_) => Err("Fluent Bit has no such record".to_owned()),
    }
}

/// Returns `[[timestamp, {}], body]`, as inputs of 2.1 and later write it.
///
/// The number of metadata members has a fixed width. A text that is not a JSON object is put under `log`, as inputs do
/// with lines.
pub fn event(nanos: i64, text: &str) -> Result<Vec<u8>, String> {
    let body = if text.trim_start().starts_with('{') { parse(text).ok() } else { None };
    let body = body.unwrap_or_else(|| Value::Map(vec![("log".into(), text.into())]));
    let (time, body) = (write(&time(nanos))?, write(&body)?);
    Ok([&[0x92, 0x92], &time[..], &[0xdf, 0, 0, 0, 0], &body].concat())
}

/// Returns the events of a chunk.
pub fn read(mut chunk: &[u8]) -> Result<Vec<Event>, String> {
    let mut events = Vec::new();
    while !chunk.is_empty() {
        let event = rmpv::decode::read_value(&mut chunk).map_err(|error| error.to_string())?;
        let Value::Array(parts) = event else { return Err(format!("not an event: {event}")) };
        let [head, body] = &parts[..] else { return Err("not an event: not a list of two".to_owned()) };
        let json = |error: serde_json::Error| error.to_string();
        let metadata =
            head.as_array().and_then(|head| head.get(1)).filter(|map| map != &&Value::Map(Vec::new()));
        let metadata = metadata.map(serde_json::to_value).transpose().map_err(json)?;
        let body = serde_json::to_string(body).map_err(json)?;
        events.push(Event { head: Some(Hex(write(head)?)), metadata, body });
    }
    Ok(events)
}

/// Returns the number of events of a chunk.
pub fn count(mut chunk: &[u8]) -> Result<u64, String> {
    let mut count = 0;
    while !chunk.is_empty() {
        rmpv::decode::read_value_ref(&mut chunk).map_err(|error| error.to_string())?;
        count += 1;
    }
    Ok(count)
}

fn time(nanos: i64) -> Value {
    let part = |part: i64| u32::try_from(part).unwrap_or(0).to_be_bytes();
    let (seconds, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    Value::Ext(0, [part(seconds), part(nanos)].concat())
}

/// Encodes a value; keeps the order of keys, and duplicate keys.
fn parse(json: &str) -> Result<Value, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn write(value: &Value) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).map_err(|error| error.to_string())?;
    Ok(bytes)
}
