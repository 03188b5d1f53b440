//! gunzip the plain way, with zlib-rs: what our own decoder is held against,
//! and what takes its place with the feature `plain-gunzip`.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The members of a gzip stream, one after the other. Zeros behind the last
/// one are padding (tapes and block devices leave them); anything else is not.
pub(super) struct Members<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { member: Some(GzDecoder::new(stream)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let Some(member) = &mut self.member else { return Ok(0) };
            let count = member.read(buf)?;
            if count > 0 {
                return Ok(count);
            }
            // The member has ended and its checksum was right.
            self.member = match self.member.take().map(GzDecoder::into_inner) {
                Some(mut rest) => has_member(&mut rest)?.then(|| GzDecoder::new(rest)),
                None => None,
            };
        }
    }
}

/// Whether another member follows.
fn has_member(rest: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let available = rest.fill_buf()?;
        let Some(first) = available.first() else { return Ok(false) };
        match *first {
            0 => {
                let zeros = available.iter().take_while(|byte| **byte == 0).count();
                rest.consume(zeros);
            }
            0x1f => return Ok(true),
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "something else follows the last member",
                ));
            }
        }
    }
}
