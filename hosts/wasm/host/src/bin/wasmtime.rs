//! The driver of the guest in wasmtime; the library describes its requests.

use std::process::ExitCode;

use kaudit_wasm_host::wasmtime::Wasmtime;

fn main() -> ExitCode {
    kaudit_wasm_host::main(|bytes| Wasmtime::new(&bytes))
}
