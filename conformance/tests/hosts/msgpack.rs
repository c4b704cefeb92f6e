//! Converts JSON to `MessagePack` and back; keeps the order of members, and duplicate keys.

use rmpv::Value;

/// Returns a record as an agent has it after decoding JSON.
///
/// # Panics
/// The text is not JSON: the suite passes such records to no host that decodes them.
pub fn encode(json: &[u8]) -> Vec<u8> {
    let value: Value = serde_json::from_slice(json).expect("the record is JSON");
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &value).expect("a vector takes all");
    bytes
}

/// Returns an entry as the agent's output would write it.
///
/// Bytes and keys that are not text become JSON that violates the contract.
///
/// # Panics
/// The bytes are not one `MessagePack` value.
pub fn decode(mut bytes: &[u8]) -> Vec<u8> {
    let value = rmpv::decode::read_value(&mut bytes).expect("the output is MessagePack");
    assert!(bytes.is_empty(), "{} bytes after the output", bytes.len());
    let mut json = Vec::new();
    write(&value, &mut json);
    json
}

fn write(value: &Value, json: &mut Vec<u8>) {
    match value {
        Value::Map(members) => {
            json.push(b'{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    json.push(b',');
                }
                write(key, json);
                json.push(b':');
                write(value, json);
            }
            json.push(b'}');
        }
        Value::Array(items) => {
            json.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(b',');
                }
                write(item, json);
            }
            json.push(b']');
        }
        Value::String(text) => match text.as_str() {
            Some(text) => json.extend(serde_json::Value::from(text).to_string().bytes()),
            None => json.extend([b"\"", text.as_bytes(), b"\""].concat()),
        },
        Value::Nil => json.extend(b"null"),
        Value::Boolean(_) | Value::Integer(_) => json.extend(value.to_string().bytes()),
        Value::F64(number) => json.extend(format!("{number:?}").bytes()),
        Value::F32(number) => json.extend(format!("{number:?}").bytes()),
        // Its bytes are included, so that tests can search them.
        Value::Binary(bytes) | Value::Ext(_, bytes) => json.extend([b"<no JSON>", &bytes[..]].concat()),
    }
}
