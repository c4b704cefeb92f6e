//! The evaluation of audit events: the same rules for the engine, VRL and LuaJIT, generated from one table.

mod code;
mod policy;
mod probes;
mod rules;

use std::collections::BTreeSet;

use kaudit_bench::{AUDIT_JOB, Encoding, Worker};
use serde::Deserialize as _;
use serde_json::Value;

use crate::copy::Copy;
use crate::engine::{Engine, arrival};
use crate::luajit::LuaJit;
use crate::peer::{Answer, Peer};
use crate::remap::Program;

/// VRL with the rules; a selected event gets the list of them.
struct Remap(Program);

impl Peer for Remap {
    fn answer(&mut self, record: &[u8], _: i64, out: &mut Vec<u8>) -> Answer {
        let Some(event) = self.0.resolve(record) else { return Answer::NotKept };
        let message = event.get("message").and_then(vrl::value::Value::as_bytes);
        out.extend_from_slice(message.expect("the program returns a text"));
        Answer::Kept
    }
}

/// Returns every implementation for an encoding, the engine first.
pub fn peers(encoding: Encoding) -> Vec<(&'static str, Box<dyn Peer>)> {
    let worker = Worker::with_policy(AUDIT_JOB, &policy::policy());
    let peer: (_, Box<dyn Peer>) = match encoding {
        Encoding::Json => ("vrl", Box::new(Remap(Program::new("the audit program", &code::vrl())))),
        Encoding::MsgPack => ("luajit", Box::new(LuaJit::new("the audit script", &code::lua()))),
    };
    vec![("engine", Box::new(Engine(worker, encoding))), peer, ("copy", Box::new(Copy))]
}

/// Compares each peer's rules with the engine's, for every event and for the probes.
///
/// # Errors
/// They differ, or a rule selects no event.
pub fn check(encoding: Encoding, records: &[Vec<u8>]) -> Result<(), String> {
    let mut peers = peers(encoding);
    peers.retain(|(name, _)| *name != "copy");
    let mut selected = BTreeSet::new();
    let probes: Vec<Vec<u8>> = probes::probes().iter().map(|text| encoding.of(text)).collect();
    for (number, record) in records.iter().chain(&probes).enumerate() {
        let mut expected: Option<BTreeSet<String>> = None;
        for (name, peer) in &mut peers {
            let mut out = Vec::new();
            peer.answer(record, arrival(number), &mut out);
            let own = names(encoding, &out);
            match &expected {
                None => expected = Some(own),
                Some(expected) if *expected != own => {
                    let record = String::from_utf8_lossy(record);
                    return Err(format!("{name} selects {own:?}, the engine {expected:?}: {record}"));
                }
                Some(_) => {}
            }
        }
        selected.extend(expected.unwrap_or_default());
    }
    if let Some((name, _)) = rules::RULES.iter().find(|(name, _)| !selected.contains(*name)) {
        return Err(format!("the rule `{name}` selects no event"));
    }
    eprintln!("all agree on {} events; each rule selects one", records.len() + probes.len());
    Ok(())
}

/// Returns the rules in what an implementation has written: of the engine an entry for each.
fn names(encoding: Encoding, mut out: &[u8]) -> BTreeSet<String> {
    let mut values: Vec<Value> = Vec::new();
    match encoding {
        Encoding::Json => {
            values.extend(
                serde_json::Deserializer::from_slice(out).into_iter().map(|value| value.expect("JSON")),
            );
        }
        Encoding::MsgPack => {
            while !out.is_empty() {
                let mut reader = rmp_serde::Deserializer::new(&mut out);
                values.push(Value::deserialize(&mut reader).expect("MessagePack"));
            }
        }
    }
    let list = values.iter().flat_map(|value| value["rules"].as_array().into_iter().flatten());
    let entries = values.iter().map(|value| &value["methodName"]);
    list.chain(entries).filter_map(|rule| rule.as_str().map(str::to_owned)).collect()
}
