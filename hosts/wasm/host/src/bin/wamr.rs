//! The driver of the guest in WAMR; the library describes its requests.

use std::process::ExitCode;

use kaudit_wasm_host::wamr::Wamr;

fn main() -> ExitCode {
    kaudit_wasm_host::main(Wamr::new)
}
