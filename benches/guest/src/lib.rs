//! What the WASM guest costs; see `benches/guest.rs`.
