//! What a fuzz target does before its first input.

use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::path::PathBuf;

/// Bytes of address space: one allocation that trusts a length from the input
/// ends the run, also when its memory is never touched.
const ADDRESS_SPACE: u64 = 2 << 30;

/// The folder that the target writes its seeds to, when somebody names one.
const SEEDS: &str = "FUZZ_SEEDS";

/// When it is set, every panic is told, also those that the product catches.
const PANICS: &str = "FUZZ_PANICS";

/// Bounds the memory, leaves panics that the product answers for to it, and
/// writes the seeds.
pub fn start(target: &str) {
    let bound = rustix::process::Rlimit { current: Some(ADDRESS_SPACE), maximum: None };
    rustix::process::setrlimit(rustix::process::Resource::As, bound).expect("a bound of memory");

    // libFuzzer's hook ends the process at every panic. The decoders catch those
    // of the arrow and parquet crates, which trust their input.
    // Whoever looks into a finding wants to see those, too.
    if std::env::var_os(PANICS).is_some() {
        drop(take_hook());
        return;
    }
    let every = take_hook();
    set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
        if !panic.location().is_some_and(|location| is_answered_for(location.file())) {
            every(panic);
        }
    }));

    if let Some(folder) = std::env::var_os(SEEDS).map(PathBuf::from) {
        std::fs::create_dir_all(&folder).expect("a folder for seeds");
        for (place, seed) in crate::seeds(target).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{place:03}")), seed).expect("a seed");
        }
    }
}

/// Whether the panic is of a crate from outside. One that nobody catches ends
/// the run all the same.
fn is_answered_for(file: &str) -> bool {
    file.contains("/registry/src/")
}
