//! Feeds the check `notification` of `fuzz-checks` with what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz_checks::start("notification"), |input: &[u8]| fuzz_checks::notification(input));
