//! Feeds the check `csv` of `fuzz-checks` with what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz_checks::start("csv"), |input: &[u8]| fuzz_checks::csv(input));
