//! The same job on the same records in other ways: `kaudit-peers [ROUNDS]`.
//!
//! The job is `benches/job.yaml` with a limit that is met: kind, block list, the sets of words, patterns over rules,
//! severity, names, labels, a limit for each entity. Before anything is timed, each peer has to give the engine's answer
//! for every record: the same verdict and, of a kept one, the same entry. What the engine does besides (either spelling,
//! nesting, repeated keys, guards of age and size, summaries of what was suppressed) the peers leave out.
//!
//! Peers take turns, round after round. Each line told is `FORMAT NAME MEDIAN LOWER UPPER`: nanoseconds of one processor
//! for a record, and the quartiles.

mod copy;
mod gcra;
mod luajit;
mod naive;
mod remap;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::process::ExitCode;

use kaudit_bench::records::{Profile, Records};
use kaudit_bench::{Encoding, JOB, Worker};
use kaudit_timing::{Series, interleave, repeat};
use serde_json::Value;

/// Records in a pass, of so many entities: some of them meet their limit.
const RECORDS: usize = 2_000;
const ENTITIES: u64 = 1_000;
/// A limit for each entity and second.
pub const LIMIT: i64 = 2;

/// What became of a record. A kept one's entry is in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It leaves as an entry.
    Kept,
    /// It is dropped, or held back by the limit.
    Gone,
}

/// A way to do the job.
pub trait Peer {
    /// Decides on a record that arrives at this time, and writes its entry behind what is in the buffer.
    fn answer(&mut self, record: &[u8], now_ms: i64, out: &mut Vec<u8>) -> Answer;
}

/// The engine.
struct Engine(Worker, Encoding);

impl Engine {
    fn new(encoding: Encoding) -> Self {
        let job = JOB.replace("rate-limit: 100000", &format!("rate-limit: {LIMIT}"));
        Self(Worker::new(&job), encoding)
    }
}

impl Peer for Engine {
    fn answer(&mut self, record: &[u8], now_ms: i64, out: &mut Vec<u8>) -> Answer {
        if self.0.decide(self.1, record, now_ms, out) { Answer::Kept } else { Answer::Gone }
    }
}

fn peers(encoding: Encoding) -> Vec<(&'static str, Box<dyn Peer>)> {
    let engine: (_, Box<dyn Peer>) = ("engine", Box::new(Engine::new(encoding)));
    let mut peers = vec![engine, ("naive", Box::new(naive::Naive::new(encoding)))];
    match encoding {
        Encoding::Json => peers.push(("vrl", Box::new(remap::Remap::new()))),
        Encoding::MsgPack => peers.push(("luajit", Box::new(luajit::LuaJit::new()))),
    }
    peers.push(("copy", Box::new(copy::Copy)));
    peers
}

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).map_or(Ok(11), |rounds| rounds.parse());
    let Ok(rounds) = rounds else {
        eprintln!("expected a number of rounds");
        return ExitCode::from(2);
    };
    let texts: Vec<String> = Records::new(Profile::Mixed, ENTITIES, 1).take(RECORDS).collect();
    for (format, encoding) in Encoding::ALL {
        let records: Vec<Vec<u8>> = texts.iter().map(|text| encoding.of(text)).collect();
        if let Err(mistake) = check(encoding, &records) {
            eprintln!("{format}: {mistake}");
            return ExitCode::FAILURE;
        }
        for (name, series) in measure(encoding, &records, rounds) {
            let [lower, upper] = [0.25, 0.75].map(|share| series.quantile(share));
            println!("{format} {name} {:.1} {lower:.1} {upper:.1}", series.median());
        }
    }
    ExitCode::SUCCESS
}

/// Every peer's answers, held against the engine's. Copying has none.
fn check(encoding: Encoding, records: &[Vec<u8>]) -> Result<(), String> {
    let mut peers = peers(encoding);
    peers.retain(|(name, _)| *name != "copy");
    let mut fates: BTreeMap<&str, usize> = BTreeMap::new();
    // Twice, so that limits are met as they are in later passes.
    for (number, record) in records.iter().chain(records).enumerate() {
        let now_ms = arrival(number);
        let mut answers = peers.iter_mut().map(|(name, peer)| {
            let mut out = Vec::new();
            let answer = peer.answer(record, now_ms, &mut out);
            (*name, answer, value(encoding, &out))
        });
        let Some((_, expected, entry)) = answers.next() else { return Err("no engine".to_owned()) };
        *fates.entry(if expected == Answer::Kept { "kept" } else { "gone" }).or_default() += 1;
        for (name, answer, own) in answers {
            if answer != expected || own != entry {
                return Err(format!("{name} answers {answer:?} {own:?}, the engine {expected:?} {entry:?}"));
            }
        }
    }
    if fates.len() < 2 {
        return Err(format!("the records have one fate: {fates:?}"));
    }
    eprintln!("all agree: {fates:?}");
    Ok(())
}

/// A millisecond after the one before.
fn arrival(number: usize) -> i64 {
    kaudit_bench::records::START_MS + 3_600_000 + number as i64
}

/// An entry as a value; numbers that are whole are equal however they are written.
fn value(encoding: Encoding, bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return None;
    }
    let value: Value = match encoding {
        Encoding::Json => serde_json::from_slice(bytes).ok()?,
        Encoding::MsgPack => rmp_serde::from_slice(bytes).ok()?,
    };
    Some(sorted(value))
}

/// Without the order of keys.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<_, _> =
                members.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            members.into_iter().collect()
        }
        other => other,
    }
}

/// Measures every peer in turn.
fn measure(encoding: Encoding, records: &[Vec<u8>], rounds: usize) -> Vec<(&'static str, Series)> {
    // With the number of records that each has had.
    let mut peers: Vec<_> = peers(encoding).into_iter().map(|(name, peer)| (name, peer, 0)).collect();
    let mut out = Vec::with_capacity(4 << 20);
    let Ok(series) = interleave(rounds, peers.len(), |peer| -> Result<f64, Infallible> {
        let (_, peer, seen) = &mut peers[peer];
        let (nanos, ()) = repeat(|timer| {
            timer.time(|| {
                out.clear();
                for record in records {
                    peer.answer(std::hint::black_box(record), arrival(*seen), &mut out);
                    *seen += 1;
                }
                std::hint::black_box(&out);
            });
            Ok(())
        })?;
        Ok(nanos as f64 / records.len() as f64)
    });
    peers.into_iter().map(|(name, ..)| name).zip(series).collect()
}
