//! Runs events through the built `kaudit.so`, in a Lua configured as Vector configures it: `kaudit-vector-driver MODULE`.
//!
//! It serves the protocol of `kaudit_driver`. Each start makes a new Lua. `flush` is called after each chunk. Events become
//! tables and come back by Vector's rules: [`value`].

mod abi;
mod metric;
mod transform;
mod value;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kaudit_driver::{Chunk, Level, Line, Plugin, Record, Start};

use transform::Transform;

fn main() -> ExitCode {
    kaudit_driver::run(env!("CARGO_BIN_NAME"), &[], |arguments| {
        kaudit_driver::serve_standard(&mut Module(arguments.module.clone()))
    })
}

/// The module's file; each Lua loads it.
struct Module(PathBuf);

impl Plugin for Module {
    type Chunk = Vec<Record>;
    type Instance = Transform;

    fn encode(&self, chunk: &Chunk) -> Result<Vec<Record>, String> {
        Ok(chunk.records.clone())
    }

    fn start(&mut self, start: &Start) -> Result<Transform, Vec<Line>> {
        let directory = self.0.parent().unwrap_or(Path::new("."));
        let transform = Transform::new(directory, &start.options, start.at);
        transform.map_err(|error| Line::of(Level::Error, &transform::words(&error)))
    }
}
