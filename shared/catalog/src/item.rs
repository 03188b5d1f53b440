//! How documents lie in DynamoDB.
//!
//! | pk | sk | what |
//! | --- | --- | --- |
//! | `current` | source | the current document |
//! | `history#SOURCE` | version, 20 digits | every version |
//! | `catalog` | `revision` | a number that rises with each change |

use dynamo::{Fault, Item, Row, TableName, number, text, time};

use crate::Stored;

/// The partition of the current documents.
pub(crate) const CURRENT: &str = "current";

/// An item's key.
pub(crate) fn key(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    Item::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// Key of the number that rises with each change.
pub(crate) fn revision_key() -> Item {
    key("catalog", "revision")
}

/// The partition of a source's versions.
pub(crate) fn history(source: &str) -> String {
    format!("history#{source}")
}

/// The sort key of a version: as text it sorts as the number does.
pub(crate) fn version(config_version: u64) -> String {
    format!("{config_version:020}")
}

/// A document's item under a key.
pub(crate) fn item(key: Item, stored: &Stored) -> Item {
    let mut item = key;
    item.insert("source".to_owned(), text(&stored.source));
    item.insert("document".to_owned(), text(&stored.document));
    item.insert("yaml".to_owned(), text(&stored.yaml));
    item.insert("config_version".to_owned(), number(stored.config_version));
    item.insert("put_at".to_owned(), time(stored.put_at_ms));
    item.insert("put_by".to_owned(), text(&stored.put_by));
    if let Some(note) = &stored.note {
        item.insert("note".to_owned(), text(note));
    }
    item
}

/// The document that an item holds.
pub(crate) fn stored(table: &TableName, item: &Item) -> Result<Stored, Fault> {
    let row = Row::new(table, item);
    Ok(Stored {
        source: row.text("source")?.to_owned(),
        document: row.text("document")?.to_owned(),
        yaml: row.text("yaml")?.to_owned(),
        config_version: row.number("config_version")?,
        put_at_ms: row.time("put_at")?,
        put_by: row.text("put_by")?.to_owned(),
        note: row.text_if_any("note")?.map(str::to_owned),
    })
}
