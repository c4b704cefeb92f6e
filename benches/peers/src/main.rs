//! Other implementations of the same job on the same records: `kaudit-peers [ROUNDS]`.
//!
//! The job is `benches/job.yaml` with a limit that is reached: kind, block list, sets of values, patterns over rules,
//! severity, names, labels, a limit for each entity. Before anything is timed, each peer has to give the engine's
//! answer for every record: the same verdict and, if it is kept, the same entry. The peers omit the engine's other
//! features (both spellings, nesting, duplicate keys, guards of age and size, summaries).
//!
//! The second job is the evaluation of audit events, in the module `audit`.
//!
//! Peers run in interleaved rounds. Each printed line is `FORMAT NAME MEDIAN LOWER UPPER`: CPU nanoseconds per record,
//! and the quartiles.

mod audit;
mod copy;
mod engine;
mod gcra;
mod luajit;
mod naive;
mod peer;
mod remap;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::process::ExitCode;

use kaudit_bench::Encoding;
use kaudit_bench::records::{Profile, Records};
use kaudit_timing::{Series, interleave, repeat};
use serde_json::Value;

use engine::{Engine, arrival};
use peer::{Answer, Peer};

/// The numbers of records in a pass and of their entities: some of them reach their limit.
const RECORDS: usize = 2_000;
const ENTITIES: u64 = 1_000;

fn peers(encoding: Encoding) -> Vec<(&'static str, Box<dyn Peer>)> {
    let engine: (_, Box<dyn Peer>) = ("engine", Box::new(Engine::new(encoding)));
    let mut peers = vec![engine, ("naive", Box::new(naive::Naive::new(encoding)))];
    match encoding {
        Encoding::Json => peers.push(("vrl", Box::new(remap::Remap::new()))),
        Encoding::MsgPack => {
            peers.push(("luajit", Box::new(luajit::LuaJit::new("job.lua", include_str!("job.lua")))));
        }
    }
    peers.push(("copy", Box::new(copy::Copy)));
    peers
}

/// Compares the answers of all implementations for these records.
type CheckAnswers = fn(Encoding, &[Vec<u8>]) -> Result<(), String>;

/// Creates all implementations.
type Peers = fn(Encoding) -> Vec<(&'static str, Box<dyn Peer>)>;

fn main() -> ExitCode {
    let rounds = std::env::args().nth(1).map_or(Ok(11), |rounds| rounds.parse());
    let Ok(rounds) = rounds else {
        eprintln!("expected the number of rounds");
        return ExitCode::from(2);
    };
    let findings: Vec<String> = Records::new(Profile::Mixed, ENTITIES, 1).take(RECORDS).collect();
    let events: Vec<String> = Records::new(Profile::AuditMetadata, ENTITIES, 1).take(RECORDS).collect();
    for (format, encoding) in Encoding::ALL {
        let jobs: [(&str, &[String], CheckAnswers, Peers); 2] =
            [("", &findings, check, peers), ("audit-", &events, audit::check, audit::peers)];
        for (job, texts, check, peers) in jobs {
            let records: Vec<Vec<u8>> = texts.iter().map(|text| encoding.of(text)).collect();
            if let Err(mistake) = check(encoding, &records) {
                eprintln!("{job}{format}: {mistake}");
                return ExitCode::FAILURE;
            }
            for (name, series) in measure(peers(encoding), &records, rounds) {
                let [lower, upper] = [0.25, 0.75].map(|share| series.quantile(share));
                println!("{job}{format} {name} {:.1} {lower:.1} {upper:.1}", series.median());
            }
        }
    }
    ExitCode::SUCCESS
}

/// Compares every peer's answers with the engine's. Copying has none.
fn check(encoding: Encoding, records: &[Vec<u8>]) -> Result<(), String> {
    let mut peers = peers(encoding);
    peers.retain(|(name, _)| *name != "copy");
    let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
    // Twice, so that limits are met as they are in later passes.
    for (number, record) in records.iter().chain(records).enumerate() {
        let now_ms = arrival(number);
        let mut answers = peers.iter_mut().map(|(name, peer)| {
            let mut out = Vec::new();
            let answer = peer.answer(record, now_ms, &mut out);
            (*name, answer, value(encoding, &out))
        });
        let Some((_, expected, entry)) = answers.next() else { return Err("no engine".to_owned()) };
        *verdicts.entry(if expected == Answer::Kept { "kept" } else { "not kept" }).or_default() += 1;
        for (name, answer, own) in answers {
            if answer != expected || own != entry {
                return Err(format!("{name} answers {answer:?} {own:?}, the engine {expected:?} {entry:?}"));
            }
        }
    }
    if verdicts.len() < 2 {
        return Err(format!("all records have the same verdict: {verdicts:?}"));
    }
    eprintln!("all agree: {verdicts:?}");
    Ok(())
}

/// Returns an entry as a value; whole numbers are equal in every notation.
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

/// Sorts the keys.
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
fn measure(
    peers: Vec<(&'static str, Box<dyn Peer>)>,
    records: &[Vec<u8>],
    rounds: usize,
) -> Vec<(&'static str, Series)> {
    // With the number of records that each has had.
    let mut peers: Vec<_> = peers.into_iter().map(|(name, peer)| (name, peer, 0)).collect();
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
            Ok::<_, Infallible>(())
        })?;
        Ok(nanos as f64 / records.len() as f64)
    });
    peers.into_iter().map(|(name, ..)| name).zip(series).collect()
}
