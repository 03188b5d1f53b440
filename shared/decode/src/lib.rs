//! The bytes of an object become Arrow batches.
//!
//! Pure and synchronous: whoever opens a decoder hands it a stream (or, for
//! Parquet and Arrow, ranges) and takes batches until there are none. The bytes go
//! through `compression`, then through one of the formats; every row keeps the
//! bytes it came from, so that a bad one can be put aside exactly as it was.

mod arrow_ipc;
mod arrow_rows;
mod batch;
mod compression;
mod csv;
mod encoding;
mod error;
mod fields;
mod json;
mod meaning;
mod parquet;
#[cfg(test)]
mod properties;
mod raw_json;
mod request;
mod sniff;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod testing;
mod typed;
mod window;

use std::io::Read;
use std::sync::Arc;

use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaData;
use model::Drift;
use model::document::{Compression, Format};
use window::FrontToBack;

pub use batch::{DecodedBatch, RawRows};
pub use error::{DecodeError, Place};
pub use request::{FieldOrigin, FieldRequest, Input, Limits, RangeRead, Request};

/// Turns one object into batches, in the order of its rows.
pub trait Decoder: Send {
    /// The next batch, or `None` at the end of the object. After an error the
    /// decoder is used up.
    ///
    /// # Errors
    /// [`DecodeError`] when the object cannot be decoded any further.
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, DecodeError>;

    /// The drift that was met and not told before, each column once. Drift that
    /// ends the object is told by the error instead.
    fn take_drift(&mut self) -> Vec<Drift>;
}

/// What is wrong with a text that is to be one JSON object (RFC 8259), in words; nothing
/// of one that is. It is as strict as the decoder of JSON objects.
#[must_use]
pub fn json_object_problem(text: &str) -> Option<String> {
    json::object_problem(text)
}

/// Whether objects of this format are read by ranges ([`Input::Ranges`])
/// instead of from start to end ([`Input::Stream`]): where a footer says what lies
/// where. Arrow's streams are understood as [`Input::Stream`], too.
#[must_use]
pub fn needs_ranges(format: &Format) -> bool {
    matches!(format, Format::Parquet | Format::Arrow)
}

/// Opens an object. What its first bytes give away (wrong format, wrong
/// compression, a header that lacks columns) is told here.
///
/// # Errors
/// [`DecodeError`] when the object is not what the request says.
pub fn open(input: Input, request: Request) -> Result<Box<dyn Decoder>, DecodeError> {
    match (&request.format, input) {
        (Format::Parquet, Input::Ranges(ranges)) => parquet::open(ranges, request),
        (Format::Arrow, Input::Ranges(ranges)) => open_arrow(ranges, request),
        (Format::Csv(_) | Format::Json(_) | Format::Arrow, Input::Stream(stream)) => {
            open_stream(stream, request)
        }
        (format, _) => {
            Err(DecodeError::WrongInput { name: request.name.clone(), format: format.name() })
        }
    }
}

/// A row group of a Parquet file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowGroup {
    /// Its rows.
    pub rows: u64,
    /// Bytes of its column chunks in the file.
    pub bytes: u64,
}

/// The row groups of a Parquet file, by its footer alone.
///
/// # Errors
/// [`DecodeError`] when the footer cannot be read.
pub fn row_groups(ranges: &dyn RangeRead, name: &str) -> Result<Vec<RowGroup>, DecodeError> {
    parquet::row_groups(ranges, name)
}

/// The metadata of a Parquet file as [`open`] believes it, for whoever reads the file by
/// the parquet crate alone: without dictionary pages that cannot be where they are said to
/// be (PARQUET-1402).
///
/// # Errors
/// [`ParquetError`] when the metadata contradicts itself.
pub fn placed_dictionaries(metadata: ParquetMetaData) -> Result<ParquetMetaData, ParquetError> {
    self::parquet::placed(metadata)
}

/// The content of an object as [`open`] reads it: decompressed, within the
/// request's limits. Its errors carry a [`DecodeError`].
///
/// # Errors
/// [`DecodeError`] when the first bytes contradict the request.
pub fn decompressed(
    stream: Box<dyn Read + Send>,
    request: &Request,
) -> Result<Box<dyn Read + Send>, DecodeError> {
    compression::decompress(stream, request)
}

/// A file by its footer; a stream, or what is compressed, from front to back.
fn open_arrow(
    ranges: Arc<dyn RangeRead>,
    request: Request,
) -> Result<Box<dyn Decoder>, DecodeError> {
    let is_compressed = !matches!(request.compression, Compression::Auto | Compression::None);
    if !is_compressed && arrow_ipc::is_file(ranges.as_ref(), &request.name)? {
        return arrow_ipc::open_file(ranges, request);
    }
    open_stream(Box::new(FrontToBack::new(ranges)), request)
}

fn open_stream(
    stream: Box<dyn Read + Send>,
    request: Request,
) -> Result<Box<dyn Decoder>, DecodeError> {
    let stream = decompressed(stream, &request)?;
    match request.format.clone() {
        Format::Csv(options) => csv::open(sniff::expect_text(stream, &request)?, &options, request),
        Format::Json(options) => {
            json::open(sniff::expect_text(stream, &request)?, &options, request)
        }
        // Parquet came by ranges.
        Format::Arrow | Format::Parquet => arrow_ipc::open(stream, request),
    }
}
