//! Feeds the check `pipeline` of `fuzz-checks` with what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz_checks::start("pipeline"), |input: &[u8]| fuzz_checks::pipeline(input));
