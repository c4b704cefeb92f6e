//! Runs the target [`kaudit_fuzz_targets::msgpack_chunk`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kaudit_fuzz_targets::msgpack_chunk(input));
