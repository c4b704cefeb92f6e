//! The engine, as the peers' opponent.

use kaudit_bench::{Encoding, JOB, Worker};

use crate::peer::{Answer, LIMIT, Peer};

/// The engine.
pub struct Engine(pub Worker, pub Encoding);

impl Engine {
    pub fn new(encoding: Encoding) -> Self {
        let job = JOB.replace("rate-limit: 100000", &format!("rate-limit: {LIMIT}"));
        Self(Worker::new(&job), encoding)
    }
}

impl Peer for Engine {
    fn answer(&mut self, record: &[u8], now_ms: i64, out: &mut Vec<u8>) -> Answer {
        if self.0.decide(self.1, record, now_ms, out) { Answer::Kept } else { Answer::NotKept }
    }
}

/// Returns a time one millisecond after the previous one.
pub fn arrival(number: usize) -> i64 {
    kaudit_bench::records::START_MS + 3_600_000 + number as i64
}
