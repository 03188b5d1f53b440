//! The body of a request: decompressed, within its limit.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;

/// Why a body cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is larger than the limit, in bytes.
    TooLarge(u32),
    /// It says that it is gzip, and is not.
    NotGzip(String),
}

/// The bytes of a body, decompressed when it is gzip: by its header, or by its
/// first bytes, because a beacon cannot set headers.
///
/// # Errors
/// [`BodyError`].
pub fn read(body: &[u8], encoding: Option<&str>, limit: u32) -> Result<Vec<u8>, BodyError> {
    let is_gzip = encoding.is_some_and(|encoding| encoding.eq_ignore_ascii_case("gzip"));
    if !is_gzip && !body.starts_with(&[0x1f, 0x8b]) {
        return match u32::try_from(body.len()) {
            Ok(length) if length <= limit => Ok(body.to_vec()),
            _ => Err(BodyError::TooLarge(limit)),
        };
    }
    let mut text = Vec::with_capacity(body.len().saturating_mul(4).min(limit as usize));
    // One byte more, to see that there is more.
    let mut decoder = MultiGzDecoder::new(body).take(u64::from(limit) + 1);
    decoder.read_to_end(&mut text).map_err(|error| BodyError::NotGzip(error.to_string()))?;
    if text.len() > limit as usize { Err(BodyError::TooLarge(limit)) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_known_by_its_header_and_by_its_bytes() {
        assert_eq!(read(b"{}", None, 10), Ok(b"{}".to_vec()));
        assert_eq!(read(&gzip(b"{}"), Some("GZIP"), 10), Ok(b"{}".to_vec()));
        assert_eq!(read(&gzip(b"{}"), None, 10), Ok(b"{}".to_vec()));
        assert!(matches!(read(b"{}", Some("gzip"), 10), Err(BodyError::NotGzip(_))));
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        let bomb = gzip(&vec![b' '; 10_000_000]);
        assert_eq!(read(&bomb, Some("gzip"), 1_000), Err(BodyError::TooLarge(1_000)));
        assert_eq!(read(&[b' '; 1_001], None, 1_000), Err(BodyError::TooLarge(1_000)));
        assert!(read(&[b' '; 1_000], None, 1_000).is_ok());
    }
}
