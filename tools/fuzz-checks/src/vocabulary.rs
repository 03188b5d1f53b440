//! What people and AWS write: source documents, column types, notifications.

use model::ColumnType;
use model::document::SourceDocument;
use model::notification::{Named, objects_of};

/// A text that may be a source document: what is read is written and read again
/// as the same, and a document that is valid can be planned or is refused.
pub fn document(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let document = match SourceDocument::from_yaml(text) {
        Ok(document) => document,
        Err(error) => {
            assert!(!error.problems().is_empty());
            return;
        }
    };
    assert!(document.problems().is_empty());
    let json = document.to_json().expect("a document that was read can be written");
    assert_eq!(SourceDocument::from_json(&json).as_ref(), Ok(&document));
    assert_eq!(SourceDocument::from_yaml(&json).as_ref(), Ok(&document), "JSON is YAML");
    assert!(!document.output_columns().is_empty());
    assert_eq!(document.breaks_continuation_of(&document), None);
    if let Err(error) = transform::check(&document) {
        assert!(!error.to_string().is_empty());
    }
}

/// A text that may be a column type: what is parsed is rendered and parsed
/// again as the same, and has an Arrow type.
pub fn column_type(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let parsed = match ColumnType::parse(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let rendered = parsed.to_string();
    assert_eq!(ColumnType::parse(&rendered).as_ref(), Ok(&parsed), "{rendered}");
    let field = native::arrow_field("a", &parsed);
    assert_eq!(field.data_type(), &native::arrow_type(&parsed));
}

/// A text that may be a message of the queue: every object that it names is
/// named again by a message of our own for it.
pub fn notification(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let named = match objects_of(text) {
        Ok(named) => named,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    for Named { bucket, key, source, etag, part } in named {
        let own = Named { bucket, key, source, etag, part };
        let message = serde_json::to_string(&own).expect("texts can be written");
        assert_eq!(objects_of(&message), Ok(vec![own]), "{message}");
    }
}
