//! Feeds the check `document` of `fuzz-checks` with what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz_checks::start("document"), |input: &[u8]| fuzz_checks::document(input));
