//! What is measured on: records in memory, in the chunks in which an agent hands them on.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kaudit_bench::records::{Profile, Records};
use kaudit_filter::config::Config;
use kaudit_filter::record::Record as FilterRecord;
use kaudit_filter::{FindingTimes, Time};
use serde_json::json;

use crate::run::Halt;
use crate::{clock, eprintln_line, input};

/// Records beyond so many bytes of JSON are not read: they are held in memory, twice.
const MOST: usize = 1 << 30;

/// An agent's chunks are of about so many bytes at most.
const CHUNK: usize = 2 << 20;

/// The records of a bench.
pub struct Corpus {
    /// Where they are from, for people.
    pub source: String,
    /// They, in their order.
    pub chunks: Vec<Chunk>,
    /// How many there are.
    pub records: usize,
    /// Their length as JSON.
    pub bytes: usize,
    /// How many of them are not JSON objects.
    pub malformed: usize,
    times: FindingTimes,
}

/// Records that arrive together.
pub struct Chunk {
    /// When they do: at the last one's own time.
    pub at: Time,
    /// They.
    pub records: Vec<Record>,
}

/// A record as JSON and as `MessagePack`; what is no object comes under `log` there, where agents put lines.
pub struct Record {
    /// JSON, on one line.
    pub json: String,
    /// `MessagePack`.
    pub msgpack: Vec<u8>,
}

impl Corpus {
    /// The records of files, gzipped or not; `-` is standard input.
    ///
    /// # Errors
    /// A file cannot be read, or there are no records.
    pub fn read(files: &[PathBuf]) -> Result<Self, Halt> {
        let names: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
        let mut corpus = Self::empty(names.join(", "));
        for file in files {
            let failed = |error: &dyn std::fmt::Display| Halt::Failed(format!("{}: {error}", file.display()));
            let mut records = input::Records::new(open(file).map_err(|error| failed(&error))?);
            while let Some(piece) = records.next().map_err(|error| failed(&error))? {
                if corpus.bytes + piece.bytes.len() > MOST {
                    eprintln_line(format_args!(
                        "{}:{}: measured without what follows: 1 GiB is enough",
                        file.display(),
                        piece.line
                    ));
                    return Ok(corpus);
                }
                corpus.malformed += usize::from(piece.fault.is_some());
                corpus.push(String::from_utf8_lossy(piece.bytes).replace(['\n', '\r'], " "));
            }
        }
        if corpus.records == 0 {
            return Err(Halt::Failed("no records to measure on".to_owned()));
        }
        Ok(corpus)
    }

    /// Records made by seed.
    pub fn generate(count: usize, profile: Profile, entities: u64, seed: u64) -> Self {
        let name = Profile::ALL.iter().find(|(_, known)| *known == profile).map_or("", |(name, _)| name);
        let mut corpus = Self::empty(format!("generated: {name}, {entities} entities, seed {seed}"));
        Records::new(profile, entities, seed).take(count).for_each(|json| corpus.push(json));
        corpus
    }

    fn empty(source: String) -> Self {
        let times = FindingTimes::new(&Config::default());
        Self { source, chunks: Vec::new(), records: 0, bytes: 0, malformed: 0, times }
    }

    /// Every record with the time at which its chunk arrives.
    pub fn each(&self) -> impl Iterator<Item = (&Record, Time)> {
        self.chunks.iter().flat_map(|chunk| chunk.records.iter().map(|record| (record, chunk.at)))
    }

    /// Adds a record to the chunk of its second, or begins the next chunk.
    fn push(&mut self, json: String) {
        let last = self.chunks.last().map(|chunk| chunk.at);
        let at = self.times.first(FilterRecord::json(&json)).or(last).unwrap_or_else(clock::wall);
        self.records += 1;
        self.bytes += json.len();
        let msgpack = kaudit_bench::msgpack(&json).filter(|_| json.starts_with('{'));
        let msgpack = msgpack.or_else(|| kaudit_bench::msgpack(&json!({ "log": json }).to_string()));
        let record = Record { json, msgpack: msgpack.unwrap_or_default() };
        match self.chunks.last_mut() {
            Some(chunk) if chunk.has_room(at) => {
                chunk.at = at;
                chunk.records.push(record);
            }
            _ => self.chunks.push(Chunk { at, records: vec![record] }),
        }
    }
}

impl Chunk {
    fn has_room(&self, at: Time) -> bool {
        let second = |time: Time| time.millis().div_euclid(1000);
        let bytes: usize = self.records.iter().map(|record| record.json.len()).sum();
        second(at) == second(self.at) && bytes < CHUNK
    }
}

fn open(file: &Path) -> io::Result<Box<dyn Read>> {
    if file == Path::new("-") {
        return input::decompressed(io::stdin().lock());
    }
    input::decompressed(File::open(file)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_a_second() {
        let corpus = Corpus::generate(2_500, Profile::Mixed, 10, 1);
        let sizes: Vec<_> = corpus.chunks.iter().map(|chunk| chunk.records.len()).collect();
        assert_eq!(sizes, [1000, 1000, 500]);
        assert_eq!(corpus.each().count(), corpus.records);
    }

    #[test]
    fn a_line_of_text_is_a_record() {
        let mut corpus = Corpus::empty(String::new());
        corpus.push("no json".to_owned());
        let bytes = &corpus.chunks[0].records[0].msgpack;
        assert_eq!(bytes, b"\x81\xa3log\xa7no json");
    }
}
