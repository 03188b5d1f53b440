//! Files that cannot be loaded: refused with the reason, and the column where
//! there is one.

use std::time::Duration;

use crate::files::fixture;
use crate::server::{Load, Server, all, columns};

/// File and words of the message.
fn cases() -> Vec<(&'static str, &'static [&'static str])> {
    vec![
        ("encrypted_footer", &["encryption (the footer is encrypted)"]),
        ("encrypted_columns", &["encryption (of single columns)"]),
        ("truncated", &["it is cut off"]),
        ("magic", &["it is cut off"]),
        ("checksum_v1", &["column `v` of row group 0", "CRC checksum mismatch"]),
        ("checksum_v2", &["column `v` of row group 0", "CRC checksum mismatch"]),
        ("index_beyond_dictionary", &["column `v`"]),
        ("dictionary_missing", &["column `v`"]),
        ("dictionary_count_huge", &["column `v`", "2147483647 values"]),
        ("dictionary_count_short", &["column `v`"]),
        ("dictionary_count_negative", &["column `v`"]),
        ("index_width", &["column `v`"]),
        ("page_of_gigabytes", &["column `v`", "claims 2147483647 bytes"]),
        ("page_larger_than_said", &["column `v`"]),
        ("bomb_brotli", &["column `v`", "claims 12 bytes and holds more"]),
        ("page_gzip_larger_than_said", &["column `v`", "claims 12 bytes and holds more"]),
        ("page_lz4_larger_than_said", &["column `v`", "claims 12 bytes and holds more"]),
        ("page_smaller_than_said", &["column `v`"]),
        ("page_compressed_negative", &["column `v`", "claims -5 bytes"]),
        ("page_uncompressed_negative", &["column `v`", "claims -5 bytes"]),
        ("page_beyond_chunk", &["column `v`"]),
        ("page_values_negative", &["column `v`"]),
        ("page_values_huge", &["column `v`"]),
        ("page_values_short", &["column `v`"]),
        ("chunk_values_negative", &["column `v`"]),
        ("chunk_size_negative", &["column `v`"]),
        ("chunk_offset_negative", &["column `v`"]),
        ("chunk_offset_beyond", &["column `v`"]),
        ("rows_negative", &["claims -1 rows"]),
        ("rows_huge", &["claims 4611686018427387904 rows in"]),
        ("rows_too_many", &["column `v`"]),
        ("encoding_unknown", &["footer is damaged", "Encoding 77"]),
        ("text_length_beyond_page", &["column `v`"]),
        ("delta_count_huge", &["column `v`"]),
        ("delta_blocks_huge", &["column `v`"]),
        ("bomb_in_page", &["column `v`", "more than 1000 times"]),
        ("billions_of_nulls", &["claims 2147483647 rows in"]),
        ("nesting_100", &["column `v` nests more than 100 levels"]),
        ("nesting_5000", &["column `v` nests more than 100 levels"]),
        ("nesting_30000", &["column `v` nests more than 100 levels"]),
        ("children_negative", &["footer is damaged"]),
        ("children_huge", &["footer is damaged"]),
        ("group_without_children", &["no columns at all"]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_loaded_is_refused_with_its_reason() {
    let server = Server::connect().await;
    all(cases(), async |(file, words)| {
        let load = Load {
            file: format!("{file}.parquet"),
            bytes: fixture(&format!("refused_{file}")),
            format: "parquet",
            columns: columns("v Nullable(String)"),
            policy: String::new(),
        };
        let loaded = tokio::time::timeout(Duration::from_secs(60), server.load(&load)).await;
        let message = match loaded {
            Err(_) => return Err(format!("{file}: not refused within a minute")),
            Ok(Ok(table)) => return Err(format!("{file}: loaded, {:?}", table.report.counts)),
            Ok(Err(error)) => error.chain(),
        };
        match words.iter().find(|words| !message.contains(**words)) {
            None => Ok(()),
            Some(words) => Err(format!("{file}: no `{words}` in: {message}")),
        }
    })
    .await;
}
