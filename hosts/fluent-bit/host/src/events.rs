//! Chunks of events, to and from JSON; by a reader and writer of `MessagePack` that are not the engine's.

use rmpv::Value;

/// `[[timestamp, {}], body]`, as inputs of 2.1 and later write it: the number of metadata is filled in later, and has
/// room for any.
pub fn event(nanos: i64, body: &str) -> Result<Vec<u8>, String> {
    let (time, body) = (encode(&time(nanos))?, encode(&parse(body)?)?);
    Ok([&[0x92, 0x92], &time[..], &[0xdf, 0, 0, 0, 0], &body].concat())
}

/// `[timestamp, body]`, as older inputs do.
pub fn old_event(nanos: i64, body: &str) -> Result<Vec<u8>, String> {
    encode(&Value::Array(vec![time(nanos), parse(body)?]))
}

/// The events of a chunk, each as its head and its body in JSON.
pub fn read(mut chunk: &[u8]) -> Result<Vec<(String, String)>, String> {
    let mut events = Vec::new();
    while !chunk.is_empty() {
        let event = rmpv::decode::read_value(&mut chunk).map_err(|error| error.to_string())?;
        let Value::Array(parts) = event else { return Err(format!("not an event: {event}")) };
        let [head, body] = &parts[..] else { return Err("not an event: not a list of two".to_owned()) };
        let body = serde_json::to_string(body).map_err(|error| error.to_string())?;
        events.push((hex(&encode(head)?), body));
    }
    Ok(events)
}

fn time(nanos: i64) -> Value {
    let part = |part: i64| u32::try_from(part).unwrap_or(0).to_be_bytes();
    let (seconds, nanos) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    Value::Ext(0, [part(seconds), part(nanos)].concat())
}

/// Keeps the order of keys, and keys that stand twice.
fn parse(json: &str) -> Result<Value, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn encode(value: &Value) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Bytes from pairs of hexadecimal digits.
pub fn unhex(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.trim().as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(pair).collect();
    bytes.filter(|_| digits.len().is_multiple_of(2)).ok_or_else(|| format!("not hexadecimal: `{text}`"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
