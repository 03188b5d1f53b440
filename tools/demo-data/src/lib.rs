//! The demo's sources: which real file each is made from, how it is packed for
//! S3, what becomes of its rows, and what ClickHouse itself reads in the file.
//!
//! The demo and the end-to-end tests share this list, so that what is shown is
//! what is proved. The files are those of the npm package `vega-datasets`; each
//! of them has its own licence, so they are fetched and not kept here.

mod error;
mod fetch;
mod oracle;
mod prepare;
mod sources;

pub use error::DemoDataError;
pub use fetch::{DemoData, PACKAGE, VERSION};
pub use oracle::{Oracle, fingerprint};
pub use prepare::{Content, Packing};
pub use sources::{DemoObject, DemoSource, Rows, SOURCES};

/// The bucket that every object of the demo goes to.
pub const BUCKET: &str = "landing";

/// The source of that name.
#[must_use]
pub fn source(name: &str) -> Option<&'static DemoSource> {
    SOURCES.iter().find(|source| source.name == name)
}
