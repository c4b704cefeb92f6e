//! The driver of the guest in wasmtime.

use std::process::ExitCode;

use kaudit_wasm_driver::wasmtime::Wasmtime;

fn main() -> ExitCode {
    kaudit_wasm_driver::main(env!("CARGO_BIN_NAME"), |bytes| Wasmtime::new(&bytes))
}
