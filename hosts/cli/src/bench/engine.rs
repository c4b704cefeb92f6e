//! The engine in this process, over either encoding: its rounds, and each record by itself.

use std::convert::Infallible;

use kaudit_bench::Encoding;
use kaudit_bench::rounds::clock;
use kaudit_driver::repeat;
use kaudit_filter::config::Config;
use kaudit_filter::record::Record as FilterRecord;
use kaudit_filter::stats::Reason;
use kaudit_filter::{Filter, Time, Verdict};

use super::corpus::{Corpus, Record};
use super::door::{Door, Round};
use crate::run::Halt;

/// How far back a filter is warmed up: whatever a limit remembers is forgotten after so many years.
const BEFORE_MS: i64 = 10 * 365 * 86_400_000;
/// How many records warm a filter up.
const WARM: usize = 20_000;
/// How often single records are measured; the least counts.
const SINGLES: usize = 5;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It left as an entry.
    Kept,
    /// It was dropped, for the reason of this number in `Reason::ALL`.
    Dropped(usize),
    /// A limit held it back.
    Suppressed,
    /// It passed as it is.
    Passed,
}

impl Fate {
    /// The words for it.
    pub fn words(self) -> String {
        match self {
            Self::Kept => "kept".to_owned(),
            Self::Dropped(reason) => {
                format!("dropped: {}", Reason::ALL.get(reason).map_or("", |reason| reason.label()))
            }
            Self::Suppressed => "suppressed".to_owned(),
            Self::Passed => "passed".to_owned(),
        }
    }
}

/// A filter, and where it writes.
pub struct Worker<'c> {
    filter: Filter,
    corpus: &'c Corpus,
    encoding: Encoding,
    out: Vec<u8>,
}

impl<'c> Worker<'c> {
    /// A filter in working order: it has seen records of ten years ago, and owes nothing.
    pub fn warm(config: &Config, corpus: &'c Corpus, encoding: Encoding) -> Result<Self, Halt> {
        // Any seed; always the same, so that rounds are alike.
        let filter =
            Filter::new(config, 7).map_err(|error| Halt::Refused(vec![format!("kaudit-filter: {error}")]))?;
        let mut worker = Self { filter, corpus, encoding, out: Vec::with_capacity(4 << 20) };
        let mut end = Time::from_millis(0);
        for (record, at) in corpus.each().take(WARM) {
            end = Time::from_millis(at.millis() - BEFORE_MS);
            worker.out.clear();
            worker.process(record, end);
        }
        while worker.filter.finish(end).is_some() {}
        Ok(worker)
    }

    /// Filters a record; the fate of the last of its findings, and how many entries left.
    fn process(&mut self, record: &Record, now: Time) -> (Fate, u64) {
        let Self { filter, encoding, out, .. } = self;
        let (input, bytes) = match encoding {
            Encoding::Json => (FilterRecord::json(&record.json), record.json.as_bytes()),
            Encoding::MsgPack => (FilterRecord::msgpack(&record.msgpack), &*record.msgpack),
        };
        let (mut fate, mut left) = (Fate::Passed, 0);
        filter.process(input, now, |verdict| {
            fate = match verdict {
                Verdict::Kept(entry) => {
                    match encoding {
                        Encoding::Json => entry.write_json(out),
                        Encoding::MsgPack => entry.write_msgpack(out),
                    }
                    Fate::Kept
                }
                Verdict::Passed => {
                    out.extend_from_slice(bytes);
                    Fate::Passed
                }
                Verdict::Dropped(reason) => Fate::Dropped(reason as usize),
                Verdict::Suppressed => Fate::Suppressed,
            };
            left += u64::from(matches!(fate, Fate::Kept | Fate::Passed));
        });
        (fate, left)
    }

    /// All records once, chunk by chunk; what left: entries, the filter's own among them, and records that passed.
    fn pass(&mut self) -> u64 {
        let mut left = 0;
        for chunk in &self.corpus.chunks {
            self.out.clear();
            for record in &chunk.records {
                left += self.process(record, chunk.at).1;
            }
            left += self.due(chunk.at);
        }
        left
    }

    fn due(&mut self, now: Time) -> u64 {
        let mut own = 0;
        while let Some(entry) = self.filter.due(now) {
            match self.encoding {
                Encoding::Json => entry.write_json(&mut self.out),
                Encoding::MsgPack => entry.write_msgpack(&mut self.out),
            }
            own += 1;
        }
        own
    }
}

/// The engine as a door like others.
pub struct Engine<'c> {
    pub config: &'c Config,
    pub corpus: &'c Corpus,
    pub encoding: Encoding,
}

impl Door for Engine<'_> {
    fn round(&mut self) -> Result<Round, Halt> {
        let (nanos, left) = repeat(|timer| -> Result<u64, Halt> {
            let mut worker = Worker::warm(self.config, self.corpus, self.encoding)?;
            Ok(timer.time(|| worker.pass()))
        })?;
        Ok(Round { ns: per(nanos, self.corpus.records), left, resident_kb: None })
    }
}

/// Copying the records' bytes and nothing more.
pub fn copy(corpus: &Corpus) -> f64 {
    let mut out: Vec<u8> = Vec::with_capacity(4 << 20);
    let copied = repeat(|timer| -> Result<(), Infallible> {
        timer.time(|| {
            for chunk in &corpus.chunks {
                out.clear();
                for record in &chunk.records {
                    out.extend_from_slice(std::hint::black_box(record.json.as_bytes()));
                }
                std::hint::black_box(&mut out);
            }
        });
        Ok(())
    });
    let Ok((nanos, ())) = copied;
    per(nanos, corpus.records)
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn per(ns: u64, records: usize) -> f64 {
    ns as f64 / records as f64
}

/// One record by itself.
#[derive(Clone, Copy, Debug)]
pub struct Single {
    /// What became of it.
    pub fate: Fate,
    /// The least that it took, in nanoseconds, the clock's own time taken away.
    pub ns: f64,
}

/// Each record by itself, in order. The filter's own entries are not among them.
pub fn singles(config: &Config, corpus: &Corpus, encoding: Encoding) -> Result<Vec<Single>, Halt> {
    let mut singles: Vec<Single> = Vec::with_capacity(corpus.records);
    let idle = clock_ns();
    for pass in 0..SINGLES {
        let mut worker = Worker::warm(config, corpus, encoding)?;
        let mut number = 0;
        for chunk in &corpus.chunks {
            worker.out.clear();
            for record in &chunk.records {
                let start = clock();
                let (fate, _) = worker.process(record, chunk.at);
                let ns = (start.elapsed().as_secs_f64() * 1e9 - idle).max(0.0);
                match singles.get_mut(number) {
                    Some(single) => single.ns = single.ns.min(ns),
                    None => singles.push(Single { fate, ns }),
                }
                number += 1;
            }
            worker.due(chunk.at);
        }
        debug_assert!(pass == 0 || number == singles.len());
    }
    Ok(singles)
}

/// What it takes to read the clock.
fn clock_ns() -> f64 {
    let idle = (0..10_000).map(|_| clock().elapsed().as_secs_f64() * 1e9);
    idle.fold(f64::MAX, f64::min)
}
