//! Records in memory, in chunks as an agent passes them on.

use kaudit_filter::config::{Audit, Config};
use kaudit_filter::record::Record as FilterRecord;
use kaudit_filter::{FindingTimes, Time};
use serde_json::json;

use crate::encoding::msgpack;
use crate::records::{Profile, Records, START_MS};

/// The maximum size of the JSON: records are held in memory in both encodings.
const MAX_BYTES: usize = 1 << 30;

/// The approximate maximum size of an agent's chunk.
const CHUNK_BYTES: usize = 2 << 20;

/// The records that are measured.
pub struct Corpus {
    /// The origin of the records, for people.
    pub source: String,
    /// The records in their order.
    pub chunks: Vec<Chunk>,
    /// The number of records.
    pub records: usize,
    /// Their length as JSON.
    pub bytes: usize,
    /// The number of records that are not JSON objects.
    pub malformed: usize,
    times: FindingTimes,
    now: Time,
}

/// Records that arrive together.
pub struct Chunk {
    /// The arrival time: the time of the last record.
    pub at: Time,
    /// The records.
    pub records: Vec<Record>,
    /// Their length as JSON.
    bytes: usize,
}

/// A record in both encodings. Text that is not an object is under `log` in MessagePack, where agents put lines.
pub struct Record {
    /// JSON, on one line.
    pub json: String,
    /// MessagePack.
    pub msgpack: Vec<u8>,
}

impl Corpus {
    /// Returns a corpus without records. Records without a time before the first time arrive at `now`.
    pub fn new(source: String, now: Time) -> Self {
        let mut config = Config::default();
        // Audit events have times, too.
        config.audit = Some(Audit::default());
        let times = FindingTimes::new(&config);
        Self { source, chunks: Vec::new(), records: 0, bytes: 0, malformed: 0, times, now }
    }

    /// Returns records that are generated from a seed.
    pub fn generate(count: usize, profile: Profile, entities: u64, seed: u64) -> Self {
        let name = Profile::ALL.iter().find(|(_, known)| *known == profile).map_or("", |(name, _)| name);
        let source = format!("generated: {name}, {entities} entities, seed {seed}");
        let mut corpus = Self::new(source, Time::from_millis(START_MS));
        Records::new(profile, entities, seed).take(count).for_each(|json| corpus.push(json));
        corpus
    }

    /// Whether a record of this length still fits.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.bytes + bytes <= MAX_BYTES
    }

    /// Returns each record with the arrival time of its chunk.
    pub fn each(&self) -> impl Iterator<Item = (&Record, Time)> {
        self.chunks.iter().flat_map(|chunk| chunk.records.iter().map(|record| (record, chunk.at)))
    }

    /// Adds a record to the chunk of its second, or starts the next chunk.
    pub fn push(&mut self, json: String) {
        let last = self.chunks.last().map_or(self.now, |chunk| chunk.at);
        let at = self.times.first(FilterRecord::json(&json)).unwrap_or(last);
        self.records += 1;
        self.bytes += json.len();
        let encoded = msgpack(&json).filter(|_| json.starts_with('{'));
        let encoded = encoded.or_else(|| msgpack(&json!({ "log": json }).to_string()));
        let record = Record { json, msgpack: encoded.unwrap_or_default() };
        match self.chunks.last_mut() {
            Some(chunk) if chunk.accepts(at) => {
                chunk.at = at;
                chunk.bytes += record.json.len();
                chunk.records.push(record);
            }
            _ => self.chunks.push(Chunk { at, bytes: record.json.len(), records: vec![record] }),
        }
    }
}

impl Chunk {
    fn accepts(&self, at: Time) -> bool {
        let second = |time: Time| time.millis().div_euclid(1000);
        second(at) == second(self.at) && self.bytes < CHUNK_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_contains_the_records_of_one_second() {
        let corpus = Corpus::generate(2_500, Profile::Mixed, 10, 1);
        let sizes: Vec<_> = corpus.chunks.iter().map(|chunk| chunk.records.len()).collect();
        assert_eq!(sizes, [1000, 1000, 500]);
        assert_eq!(corpus.each().count(), corpus.records);
    }

    #[test]
    fn a_line_of_text_is_a_record() {
        let mut corpus = Corpus::new(String::new(), Time::from_millis(0));
        corpus.push("no json".to_owned());
        let bytes = &corpus.chunks[0].records[0].msgpack;
        assert_eq!(bytes, b"\x81\xa3log\xa7no json");
    }
}
