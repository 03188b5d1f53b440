//! Feeds the check `parquet` of `fuzz-checks` with what libFuzzer makes up.

#![no_main]

libfuzzer_sys::fuzz_target!(init: fuzz_checks::start("parquet"), |input: &[u8]| fuzz_checks::parquet(input));
