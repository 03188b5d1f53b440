//! Feeds the check `column_type` of `fuzz-checks` with what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz_checks::start("column_type"), |input: &[u8]| fuzz_checks::column_type(input));
