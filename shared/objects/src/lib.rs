//! Bytes of objects: the first stage of the data's way.
//!
//! [`ObjectReader`] is the port: what an object is now (`head`) and its bytes
//! (`read`), pinned to one etag, so that a reader never mixes two versions of a
//! key. [`S3Objects`] is the real one, [`FileObjects`] reads local files for
//! `motherlode load --local`, [`MemoryObjects`] is the twin for tests; all three
//! pass the same contract (`tests/contract.rs`).

mod body;
mod error;
mod file;
mod memory;
mod port;
mod s3;

pub use body::Body;
pub use error::ObjectError;
pub use file::{FileObjects, LOCAL_BUCKET};
pub use memory::MemoryObjects;
pub use port::{ObjectInfo, ObjectReader};
pub use s3::S3Objects;
