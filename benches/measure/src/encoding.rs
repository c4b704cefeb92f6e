//! The encodings of a record.

/// The encoding of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON text, in and out.
    Json,
    /// MessagePack, in and out.
    MsgPack,
}

impl Encoding {
    /// Both, by name.
    pub const ALL: [(&str, Self); 2] = [("json", Self::Json), ("msgpack", Self::MsgPack)];

    /// Returns a record of JSON text in this encoding.
    ///
    /// # Panics
    /// The text is not JSON.
    pub fn of(self, text: &str) -> Vec<u8> {
        match self {
            Self::Json => text.as_bytes().to_vec(),
            Self::MsgPack => msgpack(text).expect("JSON"),
        }
    }
}

/// Returns JSON text as MessagePack; `None` if it is not JSON.
pub fn msgpack(text: &str) -> Option<Vec<u8>> {
    rmp_serde::to_vec(&serde_json::from_str::<serde_json::Value>(text).ok()?).ok()
}
