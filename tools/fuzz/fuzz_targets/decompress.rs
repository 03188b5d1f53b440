//! Feeds the check `decompress` of `fuzz-checks` with what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz_checks::start("decompress"), |input: &[u8]| fuzz_checks::decompress(input));
