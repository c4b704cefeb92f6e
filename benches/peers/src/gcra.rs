//! A rate limit per key for the peers in Rust; the one in Lua has its own.

use std::collections::HashMap;

use crate::peer::LIMIT;

/// The time of each key's next record if all arrived at exactly the limit, milliseconds.
#[derive(Default)]
pub struct Gcra(HashMap<String, i64>);

impl Gcra {
    /// Returns whether a record of this key may pass.
    pub fn admit(&mut self, key: &str, now_ms: i64) -> bool {
        let (interval, full) = (1000 / LIMIT, 1000);
        let arrival = match self.0.get_mut(key) {
            Some(arrival) => arrival,
            None => self.0.entry(key.to_owned()).or_default(),
        };
        let next = (*arrival).max(now_ms) + interval;
        let admitted = next - now_ms <= full;
        if admitted {
            *arrival = next;
        }
        admitted
    }
}
