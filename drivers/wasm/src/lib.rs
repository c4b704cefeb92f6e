//! Runs the guest in a WebAssembly runtime.
//!
//! `kaudit-wamr-driver MODULE` uses Fluent Bit's runtime, `kaudit-wasmtime-driver MODULE` another. Both serve the
//! protocol of `kaudit_driver`.

mod abi;
pub mod wamr;
pub mod wasi;
pub mod wasmtime;

use std::process::ExitCode;

pub use kaudit_driver::Start;
use kaudit_driver::{Chunk, Event, Filtered, Level, Line, Lost, Plugin, Record, Timer};

/// An instance of the guest.
pub trait Instance {
    /// Sets the guest's clock, nanoseconds since 1970.
    fn set_clock(&mut self, nanos: i64);

    /// Filters a record as Fluent Bit does: it is copied to memory from the guest's `malloc`, with a tag, each followed
    /// by a NUL.
    ///
    /// # Errors
    /// The reason why Fluent Bit would lose the record.
    fn answer(&mut self, record: &[u8]) -> Result<Vec<u8>, String>;

    /// Returns the instructions since the start; `None`: the runtime does not count them.
    fn spent(&mut self) -> Option<u64> {
        None
    }
}

/// A module in a runtime.
pub trait Runtime {
    /// Its instances.
    type Instance: Instance;

    /// Creates an instance and calls its `_initialize`.
    ///
    /// # Errors
    /// The reason why Fluent Bit would not start.
    fn start(&self, start: &Start) -> Result<Self::Instance, String>;

    /// Returns and forgets the standard error of its instances.
    fn take_errors(&self) -> Vec<u8>;
}

/// The tag of all records.
pub const TAG: &str = "kaudit";

/// The name of the guest's filter function.
pub const FUNCTION: &str = "kaudit";

/// The default of Fluent Bit's `wasm_stack_size`, the operand stack of an instance, bytes.
const STACK: u32 = 8 << 10;

/// A loaded guest, for the protocol.
struct Guest<R>(R);

/// A started guest, for the protocol.
struct Started<I>(I);

impl<R: Runtime> Plugin for Guest<R> {
    type Chunk = Vec<Vec<u8>>;
    type Instance = Started<R::Instance>;

    fn encode(&self, chunk: &Chunk) -> Result<Vec<Vec<u8>>, String> {
        let bytes = |record: &Record| match record {
            Record::Text(text) => Ok(text.clone().into_bytes()),
            Record::Hex(bytes) => Ok(bytes.0.clone()),
            _ => Err("a guest has no such record".to_owned()),
        };
        chunk.records.iter().map(bytes).collect()
    }

    fn start(&mut self, start: &Start) -> Result<Self::Instance, Vec<Line>> {
        self.0.start(start).map(Started).map_err(|error| Line::of(Level::Error, &error))
    }

    fn take_log(&mut self) -> Vec<Line> {
        Line::of(Level::Warning, &String::from_utf8_lossy(&self.0.take_errors()))
    }
}

impl<I: Instance> kaudit_driver::Instance for Started<I> {
    type Chunk = Vec<Vec<u8>>;

    /// An interpreter is slow, and has no cache of its own.
    const WARM_UP: usize = 2;

    fn filter(&mut self, at: i64, records: &Vec<Vec<u8>>) -> Result<Filtered, String> {
        self.0.set_clock(at);
        let (mut filtered, before) = (Filtered::default(), self.0.spent());
        for (index, record) in records.iter().enumerate() {
            let reply = self.0.answer(record);
            match reply.and_then(|reply| String::from_utf8(reply).map_err(|error| error.to_string())) {
                Ok(body) if body.is_empty() => (),
                Ok(body) => filtered.events.push(Event { body, ..Event::default() }),
                Err(reason) => filtered.lost.push(Lost { record: index, reason }),
            }
        }
        filtered.instructions = self.0.spent().zip(before).map(|(after, before)| after - before);
        Ok(filtered)
    }

    fn count(&mut self, at: i64, records: &Vec<Vec<u8>>, timer: &mut Timer) -> Result<u64, String> {
        self.0.set_clock(at);
        timer.time(|| {
            records
                .iter()
                .try_fold(0, |count, record| Ok(count + u64::from(!self.0.answer(record)?.is_empty())))
        })
    }
}

/// Converts a time for the guest's clock, which has no time before 1970.
fn clock(nanos: i64) -> u64 {
    u64::try_from(nanos).unwrap_or(0)
}

/// A driver's `main`.
pub fn main<R: Runtime>(name: &str, load: impl FnOnce(Vec<u8>) -> Result<R, String>) -> ExitCode {
    kaudit_driver::run(name, &[], |arguments| {
        let fault = |error: String| format!("{}: {error}", arguments.module.display());
        let bytes = std::fs::read(&arguments.module).map_err(|error| fault(error.to_string()))?;
        kaudit_driver::serve_standard(&mut Guest(load(bytes).map_err(fault)?))
    })
}
