//! Fetches the package once into the cache, whoever asks first.
//!
//! A marker that is written last says that the folder is whole; a folder
//! without it is the remains of an attempt that was interrupted.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::prepare::prepare;
use crate::{DemoDataError, DemoObject, Oracle, SOURCES};

/// The npm package that the files are from.
pub const PACKAGE: &str = "vega-datasets";
/// Its version.
pub const VERSION: &str = "3.2.1";

/// The fetched files.
#[derive(Debug, Clone)]
pub struct DemoData {
    files: PathBuf,
}

impl DemoData {
    /// The files, fetched into the folder that `MOTHERLODE_CACHE` names, or
    /// into `cache`. `progress` hears what takes its time.
    ///
    /// # Errors
    /// [`DemoDataError`] when npm or tar is missing or fails, or the package
    /// lacks a file.
    pub fn fetch(cache: &Path, progress: &dyn Fn(&str)) -> Result<Self, DemoDataError> {
        let cache = match std::env::var_os("MOTHERLODE_CACHE").filter(|cache| !cache.is_empty()) {
            Some(cache) => PathBuf::from(cache),
            None => cache.to_path_buf(),
        };
        let folder = cache.join(format!("{PACKAGE}-{VERSION}"));
        let marker = folder.join(".complete");
        if !marker.is_file() {
            fs::create_dir_all(&cache).map_err(DemoDataError::io("create", &cache))?;
            // Another process may be at it. The lock is the kernel's: it ends
            // with the process that holds it.
            let lock_path = cache.join(format!("{PACKAGE}-{VERSION}.lock"));
            let lock = File::create(&lock_path).map_err(DemoDataError::io("create", &lock_path))?;
            lock.lock().map_err(DemoDataError::io("lock", &lock_path))?;
            if !marker.is_file() {
                install(&folder, progress)?;
                fs::write(&marker, "").map_err(DemoDataError::io("write", &marker))?;
            }
        }
        Ok(Self { files: folder.join("data") })
    }

    /// Every file of the package, by name.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn files(&self) -> Result<Vec<PathBuf>, DemoDataError> {
        let listed = fs::read_dir(&self.files).map_err(DemoDataError::io("list", &self.files))?;
        let paths = listed.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>();
        let mut paths = paths.map_err(DemoDataError::io("list", &self.files))?;
        paths.sort();
        Ok(paths)
    }

    /// An original file of the package.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn original(&self, file: &str) -> Result<Vec<u8>, DemoDataError> {
        let path = self.files.join(file);
        fs::read(&path).map_err(DemoDataError::io("read", &path))
    }

    /// The bytes of an object, as they go to S3. The same every time.
    ///
    /// # Errors
    /// When the original cannot be read, or is not what the list says.
    pub fn object(&self, object: &DemoObject) -> Result<Vec<u8>, DemoDataError> {
        prepare(&self.original(object.file)?, object)
    }

    /// The file that ClickHouse is to read by itself.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn oracle_body(&self, oracle: &Oracle) -> Result<Vec<u8>, DemoDataError> {
        self.original(oracle.file)
    }
}

fn install(folder: &Path, progress: &dyn Fn(&str)) -> Result<(), DemoDataError> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(DemoDataError::io("remove", folder))?;
    }
    fs::create_dir_all(folder).map_err(DemoDataError::io("create", folder))?;
    let package = format!("{PACKAGE}@{VERSION}");
    progress(&format!("fetching {package} (18 MB, once)"));
    run(
        "npm",
        "install Node.js (Debian: apt-get install npm)",
        &["pack".as_ref(), package.as_ref(), "--pack-destination".as_ref(), folder.as_os_str()],
    )?;
    progress("unpacking it");
    let archive = folder.join(format!("{PACKAGE}-{VERSION}.tgz"));
    let strip = OsStr::new("--strip-components=1");
    run(
        "tar",
        "install tar",
        &[
            "-xzf".as_ref(),
            archive.as_os_str(),
            "-C".as_ref(),
            folder.as_os_str(),
            strip,
            "package/data".as_ref(),
        ],
    )?;
    fs::remove_file(&archive).map_err(DemoDataError::io("remove", &archive))?;
    let files = folder.join("data");
    let objects = SOURCES.iter().flat_map(|source| source.objects).map(|object| object.file);
    for file in objects.chain(SOURCES.iter().map(|source| source.oracle.file)) {
        if !files.join(file).is_file() {
            return Err(DemoDataError::Content {
                file: file.to_owned(),
                reason: "it is not in the package".to_owned(),
            });
        }
    }
    Ok(())
}

fn run(
    program: &'static str,
    remedy: &'static str,
    arguments: &[&OsStr],
) -> Result<(), DemoDataError> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| DemoDataError::Program { program, remedy, source })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let skip = said.lines().count().saturating_sub(10);
    let words: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    Err(DemoDataError::Command {
        command: format!("{program} {}", words.join(" ")),
        status: output.status.to_string(),
        output: said.lines().skip(skip).collect::<Vec<_>>().join("\n"),
    })
}
