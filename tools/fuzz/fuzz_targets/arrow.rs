//! Feeds the check `arrow` of `fuzz-checks` with what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz_checks::start("arrow"), |input: &[u8]| fuzz_checks::arrow(input));
