//! The engine in this process: rounds over either encoding, and each record separately.

use std::convert::Infallible;
use std::hint::black_box;

use kaudit_filter::config::Config;
use kaudit_filter::record::Record as FilterRecord;
use kaudit_filter::stats::Reason;
use kaudit_filter::{BuildError, Filter, Time, Verdict};
use kaudit_timing::{now, repeat};

use crate::corpus::{Corpus, Record};
use crate::encoding::Encoding;

/// How far before the first record a filter is warmed up: ten years, after which no rate limit remembers anything.
const BEFORE_MS: i64 = 10 * 365 * 86_400_000;
/// How many records warm a filter up.
const WARM_UP: usize = 20_000;
/// How often each record is measured separately; the minimum counts.
const PASSES: usize = 5;
/// The capacity of the output buffer.
const OUT_BYTES: usize = 4 << 20;

/// The verdict for the last finding of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordVerdict {
    /// An entry was emitted.
    Kept,
    /// It was dropped; the index of the reason in `Reason::ALL`.
    Dropped(usize),
    /// A rate limit suppressed it.
    Suppressed,
    /// It passed unchanged.
    Passed,
}

impl RecordVerdict {
    /// Returns the verdict for people.
    pub fn label(self) -> String {
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

/// A configuration and the records that it is measured on.
#[derive(Clone, Copy)]
pub struct Engine<'c> {
    /// The configuration.
    pub config: &'c Config,
    /// The records.
    pub corpus: &'c Corpus,
    /// The encoding of records and entries.
    pub encoding: Encoding,
}

impl<'c> Engine<'c> {
    /// Filters all records. Returns the CPU time per record, nanoseconds, and the number of entries and records emitted.
    ///
    /// # Errors
    /// The filter cannot be built.
    pub fn round(self) -> Result<(f64, u64), BuildError> {
        let (nanos, emitted) = repeat(|timer| -> Result<u64, BuildError> {
            let mut worker = self.warm_worker()?;
            Ok(timer.time(|| worker.pass()))
        })?;
        Ok((per_record(nanos, self.corpus), emitted))
    }

    /// Returns a filter that is warmed up by records of ten years before, and has nothing pending.
    fn warm_worker(self) -> Result<Worker<'c>, BuildError> {
        // Any seed; always the same, so that rounds are comparable.
        let filter = Filter::new(self.config, 7)?;
        let mut worker = Worker { filter, engine: self, out: Vec::with_capacity(OUT_BYTES) };
        let mut end = Time::from_millis(0);
        for (record, at) in self.corpus.each().take(WARM_UP) {
            end = Time::from_millis(at.millis() - BEFORE_MS);
            worker.out.clear();
            worker.process(record, end);
        }
        while worker.filter.finish(end).is_some() {}
        Ok(worker)
    }
}

/// A filter and its output buffer.
struct Worker<'c> {
    filter: Filter,
    engine: Engine<'c>,
    out: Vec<u8>,
}

impl Worker<'_> {
    /// Filters a record. Returns its verdict, and the number of entries emitted.
    fn process(&mut self, record: &Record, now: Time) -> (RecordVerdict, u64) {
        let Self { filter, engine: Engine { encoding, .. }, out } = self;
        let (input, bytes) = match encoding {
            Encoding::Json => (FilterRecord::json(&record.json), record.json.as_bytes()),
            Encoding::MsgPack => (FilterRecord::msgpack(&record.msgpack), &*record.msgpack),
        };
        let (mut last, mut emitted) = (RecordVerdict::Passed, 0);
        filter.process(input, now, |verdict| {
            last = match verdict {
                Verdict::Kept(entry) => {
                    match encoding {
                        Encoding::Json => entry.write_json(out),
                        Encoding::MsgPack => entry.write_msgpack(out),
                    }
                    RecordVerdict::Kept
                }
                Verdict::Passed => {
                    out.extend_from_slice(bytes);
                    RecordVerdict::Passed
                }
                Verdict::Dropped(reason) => RecordVerdict::Dropped(reason as usize),
                Verdict::Suppressed => RecordVerdict::Suppressed,
            };
            emitted += u64::from(matches!(last, RecordVerdict::Kept | RecordVerdict::Passed));
        });
        (last, emitted)
    }

    /// Filters all records, chunk by chunk. Returns the number of records and entries emitted, summaries included.
    fn pass(&mut self) -> u64 {
        let mut emitted = 0;
        for chunk in &self.engine.corpus.chunks {
            self.out.clear();
            for record in &chunk.records {
                emitted += self.process(record, chunk.at).1;
            }
            emitted += self.due(chunk.at);
        }
        emitted
    }

    fn due(&mut self, now: Time) -> u64 {
        let mut emitted = 0;
        while let Some(entry) = self.filter.due(now) {
            match self.engine.encoding {
                Encoding::Json => entry.write_json(&mut self.out),
                Encoding::MsgPack => entry.write_msgpack(&mut self.out),
            }
            emitted += 1;
        }
        emitted
    }
}

/// Copies the JSON of the records. Returns the CPU time per record, nanoseconds: the baseline.
pub fn copy(corpus: &Corpus) -> f64 {
    let mut out: Vec<u8> = Vec::with_capacity(OUT_BYTES);
    let copied = repeat(|timer| -> Result<(), Infallible> {
        timer.time(|| {
            for chunk in &corpus.chunks {
                out.clear();
                for record in &chunk.records {
                    out.extend_from_slice(black_box(record.json.as_bytes()));
                }
                black_box(&mut out);
            }
        });
        Ok(())
    });
    let Ok((nanos, ())) = copied;
    per_record(nanos, corpus)
}

#[expect(clippy::cast_precision_loss, reason = "printed with few digits")]
fn per_record(nanos: u64, corpus: &Corpus) -> f64 {
    nanos as f64 / corpus.records as f64
}

/// The cost of one record.
#[derive(Clone, Copy, Debug)]
pub struct RecordCost {
    /// Its verdict.
    pub verdict: RecordVerdict,
    /// The minimum of the elapsed times, nanoseconds, without the time of reading the clock.
    pub ns: f64,
}

/// Measures each record separately, in order. Summaries are not included.
///
/// # Errors
/// The filter cannot be built.
pub fn each_record(engine: Engine<'_>) -> Result<Vec<RecordCost>, BuildError> {
    let mut costs: Vec<RecordCost> = Vec::with_capacity(engine.corpus.records);
    let overhead = clock_nanos();
    for _ in 0..PASSES {
        let mut worker = engine.warm_worker()?;
        let mut index = 0;
        for chunk in &engine.corpus.chunks {
            worker.out.clear();
            for record in &chunk.records {
                let start = now();
                let (verdict, _) = worker.process(record, chunk.at);
                let ns = (start.elapsed().as_secs_f64() * 1e9 - overhead).max(0.0);
                match costs.get_mut(index) {
                    Some(cost) => cost.ns = cost.ns.min(ns),
                    None => costs.push(RecordCost { verdict, ns }),
                }
                index += 1;
            }
            worker.due(chunk.at);
        }
    }
    Ok(costs)
}

/// Returns the time of reading the clock, nanoseconds.
fn clock_nanos() -> f64 {
    let idle = (0..10_000).map(|_| now().elapsed().as_secs_f64() * 1e9);
    idle.fold(f64::MAX, f64::min)
}
