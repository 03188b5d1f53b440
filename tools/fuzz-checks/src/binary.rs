//! The decoders of Arrow's own kind: Parquet and Arrow IPC.

use decode::Request;
use model::document::{Compression, Format};

use crate::choices::Choices;
use crate::decoding::{assert_same, assert_same_batches, decode, decode_stream};
use crate::text::request;

/// The Parquet decoder: the same batches twice, and from the middle on.
pub fn parquet(input: &[u8]) {
    let (mut choices, content) = Choices::split(input);
    let request = Request {
        compression: Compression::None,
        ..request(Format::Parquet, &["a", "b", "c.x"], &mut choices)
    };
    let whole = decode(content, usize::MAX, &request);
    assert_same(&decode(content, usize::MAX, &request), &whole);
    check_rest(content, &request, &whole);
}

/// The decoder of Arrow files by their footer, and of streams: besides, the pieces in
/// which a stream arrives make no difference.
pub fn arrow(input: &[u8]) {
    let (mut choices, content) = Choices::split(input);
    let request = Request {
        compression: Compression::None,
        ..request(Format::Arrow, &["a", "b", "c.x"], &mut choices)
    };
    let at_once = usize::from(choices.byte() % 64) + 1;
    let whole = decode_stream(content, usize::MAX, &request);
    assert_same(&decode_stream(content, at_once, &request), &whole);
    let whole = decode(content, usize::MAX, &request);
    assert_same(&decode(content, usize::MAX, &request), &whole);
    check_rest(content, &request, &whole);
}

fn check_rest(content: &[u8], request: &Request, whole: &crate::decoding::Outcome) {
    let start_row = request.plan.chunk_rows;
    let Some(first) = whole.batches.iter().position(|batch| batch.rows.start >= start_row) else {
        return;
    };
    if whole.error.is_some() {
        return;
    }
    let rest = decode(content, usize::MAX, &Request { start_row, ..request.clone() });
    assert!(rest.error.is_none(), "{:?}", rest.error);
    assert_same_batches(&rest.batches, &whole.batches[first..]);
}
