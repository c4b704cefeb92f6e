//! Vector's implementation: a program in its remap language for the line of an event, followed by a throttle.

use vrl::compiler::runtime::{Runtime, Terminate};
use vrl::compiler::{TargetValue, TimeZone, compile};
use vrl::value::{KeyString, ObjectMap, Secrets, Value};

use crate::gcra::Gcra;
use crate::peer::{Answer, Peer};

const SOURCE: &str = include_str!("job.vrl");

/// A program and its runtime.
pub struct Program {
    program: vrl::compiler::Program,
    runtime: Runtime,
}

impl Program {
    /// Compiles a program; its name is for errors.
    pub fn new(name: &str, source: &str) -> Self {
        let compiled = compile(source, &vrl::stdlib::all());
        let program = compiled.unwrap_or_else(|error| panic!("{name}: {error:?}")).program;
        Self { program, runtime: Runtime::default() }
    }

    /// Returns the event of a line after the program; `None` if it aborts.
    pub fn resolve(&mut self, line: &[u8]) -> Option<ObjectMap> {
        let message = Value::Bytes(line.to_vec().into());
        let event = ObjectMap::from([(KeyString::from("message"), message)]);
        let mut target = TargetValue {
            value: Value::Object(event),
            metadata: Value::Object(ObjectMap::new()),
            secrets: Secrets::default(),
        };
        self.runtime.clear();
        match self.runtime.resolve(&mut target, &self.program, &TimeZone::default()) {
            Ok(_) => {}
            Err(Terminate::Abort(_)) => return None,
            Err(error) => panic!("the program: {error}"),
        }
        match target.value {
            Value::Object(event) => Some(event),
            _ => None,
        }
    }
}

/// The job's program and its throttle.
pub struct Remap {
    program: Program,
    throttle: Gcra,
}

impl Remap {
    /// Compiles it.
    pub fn new() -> Self {
        Self { program: Program::new("job.vrl", SOURCE), throttle: Gcra::default() }
    }
}

impl Peer for Remap {
    fn answer(&mut self, record: &[u8], now_ms: i64, out: &mut Vec<u8>) -> Answer {
        let Some(event) = self.program.resolve(record) else { return Answer::NotKept };
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
