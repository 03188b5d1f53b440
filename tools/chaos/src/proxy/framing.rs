//! Where a message of HTTP/1 ends: the proxy passes bytes, and must know which
//! of them are a whole request or a whole answer.

use anyhow::{Context as _, bail};

/// The first line and the headers of a message.
#[derive(Debug, Clone)]
pub struct Head {
    /// The head as it came, with the empty line.
    pub bytes: Vec<u8>,
    /// Its first line.
    pub line: String,
    headers: Vec<(String, String)>,
}

impl Head {
    /// The head at the start of these bytes, once it is whole.
    ///
    /// # Errors
    /// When it is no head.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let bytes = bytes[..end + 4].to_vec();
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').context("a header without a colon")?;
                Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Some(Self { bytes, line, headers }))
    }

    /// The value of a header; its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// The status of an answer; 0 when it has none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// Whether the connection ends behind this message.
    #[must_use]
    pub fn closes(&self) -> bool {
        let connection = self.header("connection").map(str::to_ascii_lowercase);
        match connection.as_deref() {
            Some("close") => true,
            Some("keep-alive") => false,
            _ => self.line.contains("HTTP/1.0"),
        }
    }

    /// The body of a request.
    ///
    /// # Errors
    /// When its length is no number.
    pub fn request_body(&self) -> anyhow::Result<Body> {
        Ok(self.announced()?.unwrap_or(Body::None))
    }

    /// The body of an answer to a request of this method.
    ///
    /// # Errors
    /// When its length is no number.
    pub fn answer_body(&self, method: &str) -> anyhow::Result<Body> {
        if method == "HEAD" || matches!(self.status(), 100..200 | 204 | 304) {
            return Ok(Body::None);
        }
        Ok(self.announced()?.unwrap_or(Body::UntilClose))
    }

    fn announced(&self) -> anyhow::Result<Option<Body>> {
        if self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            return Ok(Some(Body::Chunked(Chunks::Size { size: 0, extension: false })));
        }
        match self.header("content-length").map(str::parse) {
            None => Ok(None),
            Some(Ok(0)) => Ok(Some(Body::None)),
            Some(Ok(length)) => Ok(Some(Body::Length(length))),
            Some(Err(error)) => bail!("a content-length that is no number: {error}"),
        }
    }
}

/// What is still to come of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, each with its length before it.
    Chunked(Chunks),
    /// Everything up to the end of the connection.
    UntilClose,
}

/// Where in a chunked body the next byte stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunks {
    /// In the line with a chunk's size.
    Size {
        /// The digits so far.
        size: u64,
        /// Behind the `;`.
        extension: bool,
    },
    /// In the bytes of a chunk.
    Data(u64),
    /// In the line end behind a chunk.
    AfterData,
    /// In the lines behind the last chunk.
    Trailer {
        /// Whether this line holds nothing so far.
        empty: bool,
    },
}

impl Body {
    /// Whether nothing more is to come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        *self == Self::None
    }

    /// Takes what belongs to the body from the start of these bytes, and says
    /// how many that are.
    pub fn take(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::None => 0,
            Self::UntilClose => bytes.len(),
            Self::Length(left) => {
                let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= taken as u64;
                if *left == 0 {
                    *self = Self::None;
                }
                taken
            }
            Self::Chunked(chunks) => {
                let (taken, over) = chunks.take(bytes);
                if over {
                    *self = Self::None;
                }
                taken
            }
        }
    }
}

impl Chunks {
    fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            match self {
                Self::Data(left) => {
                    let here = (bytes.len() - at).min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= here as u64;
                    at += here;
                    if *left == 0 {
                        *self = Self::AfterData;
                    }
                    continue;
                }
                Self::Size { size, extension } => match (byte, char::from(byte).to_digit(16)) {
                    (b'\n', _) if *size == 0 => *self = Self::Trailer { empty: true },
                    (b'\n', _) => *self = Self::Data(*size),
                    (b';', _) => *extension = true,
                    (_, Some(digit)) if !*extension => *size = *size * 16 + u64::from(digit),
                    _ => {}
                },
                Self::AfterData if byte == b'\n' => {
                    *self = Self::Size { size: 0, extension: false };
                }
                Self::Trailer { empty: true } if byte == b'\n' => return (at + 1, true),
                Self::Trailer { empty } if byte != b'\r' => *empty = byte == b'\n',
                _ => {}
            }
            at += 1;
        }
        (at, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        Head::parse(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_chunked_body_ends_where_it_ends_however_it_is_cut() {
        let body =
            b"4\r\nWiki\r\n6;x=1\r\npedia \r\nE\r\nin\r\n\r\nchunks.\r\n0\r\nTrail: er\r\n\r\n";
        let more = [&body[..], b"GET / HTTP/1.1"].concat();
        for step in 1..more.len() {
            let mut left = head("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
                .request_body()
                .unwrap();
            let mut taken = 0;
            for piece in more.chunks(step) {
                let here = left.take(piece);
                taken += here;
                if left.is_over() {
                    break;
                }
                assert_eq!(here, piece.len(), "step {step}");
            }
            assert_eq!(taken, body.len(), "step {step}");
        }
    }

    #[test]
    fn lengths_and_answers_without_bodies() {
        let mut body = head("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n").request_body().unwrap();
        assert_eq!((body.take(b"ab"), body.is_over()), (2, false));
        assert_eq!((body.take(b"cde"), body.is_over()), (1, true));
        let answer = head("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
        assert_eq!(answer.answer_body("HEAD").unwrap(), Body::None);
        assert_eq!(answer.answer_body("GET").unwrap(), Body::Length(7));
        assert_eq!(head("HTTP/1.0 200 OK\r\n\r\n").answer_body("GET").unwrap(), Body::UntilClose);
        assert_eq!(head("HTTP/1.1 204 x\r\n\r\n").answer_body("GET").unwrap(), Body::None);
        assert!(Head::parse(b"GET / HTTP/1.1\r\nHost: x\r\n").unwrap().is_none());
    }
}
