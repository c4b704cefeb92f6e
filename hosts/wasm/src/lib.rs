//! kaudit-filter as a guest of Fluent Bit's `wasm` filter.
//!
//! Fluent Bit loses a record whenever the guest fails, so the guest does not fail: it answers every record with a JSON
//! object, or with the empty text that means "drop". Everything that can fail, fails in `_initialize`, which prevents
//! Fluent Bit from starting.
//!
//! `reply` builds the answer, `setup` the filter; only `abi` calls the host, and exists on WebAssembly only. Decision:
//! no `wasm32-wasip1` and no C library: the few functions of WASI that every Fluent Bit from 2.2 on offers are imported
//! by hand, which keeps the module small and its imports known.

#[cfg(target_family = "wasm")]
mod abi;
pub mod reply;
#[cfg(target_family = "wasm")]
mod setup;
