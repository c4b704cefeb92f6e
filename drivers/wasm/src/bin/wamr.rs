//! The driver of the guest in WAMR.

use std::process::ExitCode;

use kaudit_wasm_driver::wamr::Wamr;

fn main() -> ExitCode {
    kaudit_wasm_driver::main(env!("CARGO_BIN_NAME"), Wamr::new)
}
