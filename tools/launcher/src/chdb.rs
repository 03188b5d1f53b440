//! ClickHouse out of `libchdb.so`: the one place in the workspace that calls
//! foreign code.

// The library has a C interface and no Rust one. It is loaded at run time,
// because it is half a gigabyte that is fetched when the local stack is set
// up, long after this program was linked.
#![allow(unsafe_code)]

use std::ffi::{CString, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use libloading::{Library, Symbol};

type QueryCmdline = unsafe extern "C" fn(c_int, *mut *mut c_char) -> c_int;

/// Runs `clickhouse local` with these arguments and answers its exit code.
pub fn run(library: &Path, args: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let owned = std::iter::once(OsString::from("clickhouse"))
        .chain(args)
        .map(|arg| CString::new(arg.into_vec()).context("an argument holds a NUL byte"))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let count = c_int::try_from(owned.len()).context("too many arguments")?;
    // C promises a null pointer after the last argument. The strings are never
    // freed: the engine may keep pointers to them, and the process ends here.
    let mut argv: Vec<*mut c_char> = owned.into_iter().map(CString::into_raw).collect();
    argv.push(std::ptr::null_mut());

    // SAFETY: loading runs the library's initialisers; the library is the one
    // the stack fetched and checked, and no other thread is running yet.
    let library = unsafe { Library::new(library) }
        .with_context(|| format!("cannot load {}", library.display()))?;
    // SAFETY: this is the signature the library exports the function with.
    let query: Symbol<'_, QueryCmdline> = unsafe { library.get(b"chdb_query_cmdline\0") }.context(
        "the library has no chdb_query_cmdline: is it libchdb.so of @chdb/lib-* from npm?",
    )?;
    // SAFETY: `argv` holds `count` valid C strings and a null pointer, and
    // outlives the call.
    let code = unsafe { query(count, argv.as_mut_ptr()) };
    // The engine's threads may still run: the library must not be unmapped
    // under them.
    std::mem::forget(library);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}
