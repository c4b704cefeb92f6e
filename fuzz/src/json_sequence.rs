//! Runs the target [`kaudit_fuzz_targets::json_sequence`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| kaudit_fuzz_targets::json_sequence(input));
