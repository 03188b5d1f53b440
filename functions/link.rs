//! How functions are linked: the build script of each of them.
#![expect(clippy::print_stdout, reason = "so a build script says what it wants")]

fn main() {
    println!("cargo::rerun-if-changed=../link.rs");
    // A program that lies where it was linked for: the loader has no hundred thousand
    // addresses to correct before its first line runs (docs/decisions/0020).
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
