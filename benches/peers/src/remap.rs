//! Vector's implementation: a program in its remap language for the line of an event, followed by a throttle.

use vrl::compiler::runtime::{Runtime, Terminate};
use vrl::compiler::{Program, TargetValue, TimeZone, compile};
use vrl::value::{KeyString, ObjectMap, Secrets, Value};

use crate::gcra::Gcra;
use crate::peer::{Answer, Peer};

const SOURCE: &str = include_str!("job.vrl");

/// The program and its runtime.
pub struct Remap {
    program: Program,
    runtime: Runtime,
    throttle: Gcra,
}

impl Remap {
    /// Compiles it.
    pub fn new() -> Self {
        let compiled = compile(SOURCE, &vrl::stdlib::all());
        let program = compiled.unwrap_or_else(|error| panic!("job.vrl: {error:?}")).program;
        Self { program, runtime: Runtime::default(), throttle: Gcra::default() }
    }
}

impl Peer for Remap {
    fn answer(&mut self, record: &[u8], now_ms: i64, out: &mut Vec<u8>) -> Answer {
        let message = Value::Bytes(record.to_vec().into());
        let event = ObjectMap::from([(KeyString::from("message"), message)]);
        let mut target = TargetValue {
            value: Value::Object(event),
            metadata: Value::Object(ObjectMap::new()),
            secrets: Secrets::default(),
        };
        self.runtime.clear();
        match self.runtime.resolve(&mut target, &self.program, &TimeZone::default()) {
            Ok(_) => {}
            Err(Terminate::Abort(_)) => return Answer::NotKept,
            Err(error) => panic!("job.vrl: {error}"),
        }
        let Value::Object(event) = &target.value else { return Answer::NotKept };
        // The throttle's `key_field` is a template over the event.
        let key = event.get("key").and_then(Value::to_str_lossy).unwrap_or_default();
        if !self.throttle.admit(&key, now_ms) {
            return Answer::NotKept;
        }
        let message = event.get("message").and_then(Value::as_bytes);
        out.extend_from_slice(message.expect("the program leaves a text"));
        Answer::Kept
    }
}
