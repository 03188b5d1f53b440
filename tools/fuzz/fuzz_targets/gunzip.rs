//! Feeds the check `gunzip` of `fuzz-checks` with what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz_checks::start("gunzip"), |input: &[u8]| fuzz_checks::gunzip(input));
