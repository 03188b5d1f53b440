//! The contract of the port `ObjectReader`, for S3, files and memory alike, and
//! what a cut body does.
//!
//! The S3 tests read the endpoint from `MOTHERLODE_TEST_AWS`.

#![expect(clippy::expect_used, reason = "a helper of a test fails by panicking, like the test")]

use aws_sdk_s3::primitives::ByteStream;
use model::{Disposed, Disposition};
use objects::{FileObjects, LOCAL_BUCKET, MemoryObjects, ObjectError, ObjectReader, S3Objects};
use rstest::rstest;

/// Writes objects for the reader under test.
enum Store {
    Memory(MemoryObjects),
    Files(tempfile::TempDir, FileObjects),
    S3(aws_sdk_s3::Client, S3Objects, String),
}

impl Store {
    async fn new(kind: &str) -> Self {
        match kind {
            "memory" => Self::Memory(MemoryObjects::new()),
            "files" => Self::Files(tempfile::tempdir().expect("a folder"), FileObjects::new()),
            _ => {
                let client = s3_client();
                let bucket = format!("objects-contract-{}", std::process::id());
                // Several tests share the bucket; in us-east-1 creating it again succeeds.
                client.create_bucket().bucket(&bucket).send().await.expect("a bucket");
                Self::S3(client.clone(), S3Objects::new(client), bucket)
            }
        }
    }

    fn reader(&self) -> &dyn ObjectReader {
        match self {
            Self::Memory(reader) => reader,
            Self::Files(_, reader) => reader,
            Self::S3(_, reader, _) => reader,
        }
    }

    fn address(&self, name: &str) -> (String, String) {
        match self {
            Self::Memory(_) => ("memory".into(), name.into()),
            Self::Files(folder, _) => {
                (LOCAL_BUCKET.into(), folder.path().join(name).to_str().expect("UTF-8").into())
            }
            Self::S3(_, _, bucket) => (bucket.clone(), name.into()),
        }
    }

    async fn put(&self, name: &str, content: &[u8]) {
        let (bucket, key) = self.address(name);
        match self {
            Self::Memory(reader) => {
                reader.put(&bucket, &key, content.to_vec());
            }
            Self::Files(..) => std::fs::write(key, content).expect("write"),
            Self::S3(client, ..) => {
                let body = ByteStream::from(content.to_vec());
                client.put_object().bucket(bucket).key(key).body(body).send().await.expect("put");
            }
        }
    }

    async fn remove(&self, name: &str) {
        let (bucket, key) = self.address(name);
        match self {
            Self::Memory(reader) => reader.remove(&bucket, &key),
            Self::Files(..) => std::fs::remove_file(key).expect("remove"),
            Self::S3(client, ..) => {
                client.delete_object().bucket(bucket).key(key).send().await.expect("delete");
            }
        }
    }
}

fn s3_client() -> aws_sdk_s3::Client {
    let endpoint = std::env::var("MOTHERLODE_TEST_AWS")
        .expect("MOTHERLODE_TEST_AWS must hold the endpoint URL of an S3 (moto); `cargo xtask test` sets it");
    let credentials = aws_sdk_s3::config::Credentials::new("test", "test", None, None, "test");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new("us-east-1"))
        .credentials_provider(credentials)
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

fn content(length: u32) -> Vec<u8> {
    (0..length).flat_map(u32::to_le_bytes).collect()
}

#[rstest]
#[tokio::test]
async fn whole_objects_and_ranges_are_read(#[values("memory", "files", "s3")] kind: &str) {
    let store = Store::new(kind).await;
    let bytes = content(200_000);
    store.put("ranges ü+%.bin", &bytes).await;
    let (bucket, key) = store.address("ranges ü+%.bin");
    let info = store.reader().head(&bucket, &key).await.expect("head");
    assert_eq!(info.size, bytes.len() as u64);
    assert!(!info.id.etag.is_empty() && !info.id.etag.contains('"'), "{:?}", info.id);

    let whole = store.reader().read(&info.id, None).await.expect("read");
    assert_eq!(whole.remaining(), info.size);
    assert_eq!(whole.collect(bytes.len()).await.expect("collect"), bytes);
    let end = info.size;
    for (range, expected) in [
        (0..10, &bytes[..10]),
        (799_990..end, &bytes[799_990..]),
        (799_999..end + 50, &bytes[799_999..]),
    ] {
        let body = store.reader().read(&info.id, Some(range.clone())).await.expect("read a range");
        assert_eq!(body.collect(1_000).await.expect("collect"), expected, "{range:?}");
    }
    let nothing = store.reader().read(&info.id, Some(5..5)).await.expect("an empty range");
    assert!(nothing.collect(0).await.expect("collect").is_empty());
    let error =
        store.reader().read(&info.id, Some(end..end + 1)).await.expect_err("behind the end");
    assert!(matches!(error, ObjectError::OutOfRange { .. }), "{error}");
    let error = store
        .reader()
        .read(&info.id, None)
        .await
        .expect("read")
        .collect(1_000)
        .await
        .expect_err("too large");
    assert!(matches!(error, ObjectError::TooLarge { .. }), "{error}");
}

#[rstest]
#[tokio::test]
async fn an_empty_object_has_an_empty_body(#[values("memory", "files", "s3")] kind: &str) {
    let store = Store::new(kind).await;
    store.put("empty", b"").await;
    let (bucket, key) = store.address("empty");
    let info = store.reader().head(&bucket, &key).await.expect("head");
    assert_eq!(info.size, 0);
    let mut body = store.reader().read(&info.id, None).await.expect("read");
    assert!(body.next().await.is_none());
}

#[rstest]
#[tokio::test]
async fn a_missing_object_is_put_aside(#[values("memory", "files", "s3")] kind: &str) {
    let store = Store::new(kind).await;
    let (bucket, key) = store.address("missing");
    let error = store.reader().head(&bucket, &key).await.expect_err("missing");
    assert!(matches!(error, ObjectError::Missing { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Quarantine);

    store.put("removed", b"x").await;
    let (bucket, key) = store.address("removed");
    let info = store.reader().head(&bucket, &key).await.expect("head");
    store.remove("removed").await;
    let error = store.reader().read(&info.id, None).await.expect_err("removed");
    assert!(matches!(error, ObjectError::Missing { .. }), "{error}");
}

#[rstest]
#[tokio::test]
async fn another_version_is_not_read(#[values("memory", "files", "s3")] kind: &str) {
    let store = Store::new(kind).await;
    store.put("changed", b"first").await;
    let (bucket, key) = store.address("changed");
    let first = store.reader().head(&bucket, &key).await.expect("head");
    store.put("changed", b"second!").await;
    for range in [None, Some(1..3)] {
        let error = store.reader().read(&first.id, range).await.expect_err("changed");
        assert!(matches!(error, ObjectError::Changed { .. }), "{error}");
        assert_eq!(error.disposition(), Disposition::Quarantine);
    }
    let second = store.reader().head(&bucket, &key).await.expect("head");
    assert_ne!(first.id.etag, second.id.etag);
    let body = store.reader().read(&second.id, None).await.expect("read");
    assert_eq!(body.collect(100).await.expect("collect"), &b"second!"[..]);
}

#[tokio::test]
async fn the_same_file_content_is_the_same_object() {
    let store = Store::new("files").await;
    store.put("same", b"content").await;
    let (bucket, key) = store.address("same");
    let first = store.reader().head(&bucket, &key).await.expect("head");
    store.put("same", b"content").await;
    assert_eq!(first, store.reader().head(&bucket, &key).await.expect("head"));
}

#[rstest]
#[case::once(&[5_000], 2)]
#[case::at_once(&[0], 2)]
#[case::three_times(&[1, 1_000, 2_500], 4)]
#[case::only_the_end_is_lost(&[40_000], 1)]
#[tokio::test]
async fn a_cut_body_is_taken_up_again(#[case] cuts: &[usize], #[case] requests: usize) {
    let store = MemoryObjects::new();
    let bytes = content(10_000);
    let id = store.put("b", "k", bytes.clone());
    cuts.iter().for_each(|cut| store.cut_after(*cut));
    let body = store.read(&id, None).await.expect("read");
    assert_eq!(body.collect(bytes.len()).await.expect("collect"), bytes);
    assert_eq!(store.requests_and_cuts(), (requests, 0));
}

#[tokio::test]
async fn a_body_that_is_cut_too_often_is_given_back() {
    let store = MemoryObjects::new();
    let id = store.put("b", "k", content(10_000));
    (0..4).for_each(|_| store.cut_after(100));
    let mut body = store.read(&id, None).await.expect("read");
    let mut seen = 0;
    let error = loop {
        match body.next().await.expect("no clean end") {
            Ok(piece) => seen += piece.len(),
            Err(error) => break error,
        }
    };
    assert_eq!(seen, 400);
    assert!(matches!(error, ObjectError::Cut { at: 400, resumes: 3, .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Retry);
    assert!(matches!(body.next().await, Some(Err(ObjectError::Cut { .. }))), "an error is no end");
}

#[tokio::test]
async fn a_body_that_changes_while_it_is_cut_is_not_mixed() {
    let store = MemoryObjects::new();
    let id = store.put("b", "k", content(10_000));
    store.cut_after(2_000);
    let mut body = store.read(&id, None).await.expect("read");
    store.put("b", "k", content(10_001));
    let error = loop {
        match body.next().await.expect("no clean end") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ObjectError::Changed { .. }), "{error}");
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_tried_again_later() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    let config = s3_client().config().to_builder().endpoint_url(url).build();
    let error = S3Objects::new(aws_sdk_s3::Client::from_conf(config))
        .head("b", "k")
        .await
        .expect_err("refused");
    assert_eq!(error.disposition(), Disposition::Retry, "{error}");
}
