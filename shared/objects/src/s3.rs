//! Objects in S3.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use futures::StreamExt;
use model::ObjectId;

use crate::body::{Segment, Segments};
use crate::error::Cause;
use crate::{Body, ObjectError, ObjectInfo, ObjectReader};

/// Reads objects from S3, each pinned to its etag by `If-Match`.
#[derive(Debug, Clone)]
pub struct S3Objects {
    requests: Arc<Requests>,
}

impl S3Objects {
    /// Reads with this client's credentials, region and endpoint.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { requests: Arc::new(Requests { client }) }
    }
}

#[async_trait]
impl ObjectReader for S3Objects {
    async fn head(&self, bucket: &str, key: &str) -> Result<ObjectInfo, ObjectError> {
        let tried = Tried { what: "looking up", bucket, key, id: None, start: 0 };
        let head = self
            .requests
            .client
            .head_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| tried.error(error))?;
        let etag = head.e_tag().unwrap_or_default().trim_matches('"').to_owned();
        let size = u64::try_from(head.content_length().unwrap_or_default()).unwrap_or_default();
        Ok(ObjectInfo {
            id: ObjectId { bucket: bucket.to_owned(), key: key.to_owned(), etag },
            size,
        })
    }

    async fn read(&self, id: &ObjectId, range: Option<Range<u64>>) -> Result<Body, ObjectError> {
        Body::open(self.requests.clone(), id, range).await
    }
}

#[derive(Debug)]
struct Requests {
    client: Client,
}

#[async_trait]
impl Segments for Requests {
    async fn open(&self, id: &ObjectId, range: Option<Range<u64>>) -> Result<Segment, ObjectError> {
        let start = range.as_ref().map_or(0, |range| range.start);
        let tried =
            Tried { what: "reading", bucket: &id.bucket, key: &id.key, id: Some(id), start };
        let answer = self
            .client
            .get_object()
            .bucket(&id.bucket)
            .key(&id.key)
            .if_match(format!("\"{}\"", id.etag))
            // HTTP ranges name the last byte, ours the one behind it.
            .set_range(
                range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1))),
            )
            .send()
            .await
            .map_err(|error| tried.error(error))?;
        let length = u64::try_from(answer.content_length().unwrap_or_default()).unwrap_or_default();
        Ok(Segment {
            range: start..start.saturating_add(length),
            stream: pieces(answer.body).boxed(),
        })
    }
}

fn pieces(
    body: ByteStream,
) -> impl futures::Stream<Item = Result<bytes::Bytes, Cause>> + Send + 'static {
    futures::stream::unfold(body, |mut body| async move {
        let piece = body.next().await?;
        Some((piece.map_err(Cause::from), body))
    })
}

/// What was tried on what, for the error.
struct Tried<'a> {
    what: &'static str,
    bucket: &'a str,
    key: &'a str,
    id: Option<&'a ObjectId>,
    start: u64,
}

impl Tried<'_> {
    /// Decides by status and error code what an answer means.
    fn error<E>(&self, error: SdkError<E>) -> ObjectError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.code().unwrap_or_default().to_owned();
        let (bucket, key) = (self.bucket.to_owned(), self.key.to_owned());
        match (status, self.id) {
            (Some(412), Some(id)) => ObjectError::Changed { object: id.clone() },
            (Some(416), Some(id)) => {
                ObjectError::OutOfRange { object: id.clone(), start: self.start }
            }
            (Some(404), _) => ObjectError::Missing { bucket, key },
            (Some(403), _) if code == "InvalidObjectState" => {
                ObjectError::Archived { bucket, key, code }
            }
            // A clock or a token that is off mends itself with the next credentials.
            (Some(403), _) if code == "RequestTimeTooSkewed" => {
                ObjectError::Unavailable { what: self.what, bucket, key, source: error.into() }
            }
            (Some(401 | 403), _) => ObjectError::Denied {
                bucket,
                key,
                // Without ListBucket S3 answers 403 where it would answer 404.
                permission: "s3:GetObject and s3:ListBucket",
                reason: if code.is_empty() { "403 Forbidden".to_owned() } else { code },
            },
            _ => ObjectError::Unavailable { what: self.what, bucket, key, source: error.into() },
        }
    }
}
