//! Feeds the check `json` of `fuzz-checks` with what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz_checks::start("json"), |input: &[u8]| fuzz_checks::json(input));
