//! Parquet's moments of 96 bits: every digit, at every depth, under the rules
//! of a document, and beyond what 64 bits of nanoseconds hold.

use crate::files::fixture;
use crate::server::{Load, Server, all, columns};

/// File, columns, rules, the rows, and why they are not what ClickHouse reads.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// ClickHouse counts the nanoseconds in 64 bits: a moment beyond the years 1677
/// to 2262 silently becomes another. Here it is bad where the type does not
/// hold it, and is itself in a text. ClickHouse has no rules for zones.
const CASES: &[Case] = &[
    (
        "timestamps_int96_far",
        "t DateTime64(9, 'UTC')",
        "",
        &["0\t1970-01-01 00:00:00.123456789", "3\t1970-01-02 00:00:00.000001000"],
    ),
    (
        "timestamps_int96_far",
        "t DateTime64(3, 'UTC')",
        "",
        &["0\t1970-01-01 00:00:00.123", "3\t1970-01-02 00:00:00.000"],
    ),
    (
        "timestamps_int96_far",
        "t String",
        "",
        &[
            "0\t1970-01-01T00:00:00.123456789",
            "1\t9999-12-31T12:00:00.000000001",
            "2\t0001-01-01T00:00:00",
            "3\t1970-01-02T00:00:00.000001",
        ],
    ),
    (
        "timestamps_int96_far",
        "l Array(DateTime64(9, 'UTC'))",
        "",
        &["1\t[]", "3\t['1970-01-02 00:00:00.000001000']"],
    ),
    (
        "timestamps_int96_far",
        "l Array(String)",
        "",
        &[
            "0\t['1970-01-01T00:00:00.123456789','9999-12-31T12:00:00.000000001']",
            "1\t[]",
            "2\t['0001-01-01T00:00:00']",
            "3\t['1970-01-02T00:00:00.000001']",
        ],
    ),
    // A rule for zones takes no digits away.
    (
        "timestamps_int96_far",
        "t DateTime64(9, 'UTC')",
        ", timestamp: { zone: Europe/Berlin }",
        &["0\t1969-12-31 23:00:00.123456789", "3\t1970-01-01 23:00:00.000001000"],
    ),
    (
        "timestamps_int96",
        "t Nullable(DateTime64(9, 'UTC'))",
        ", timestamp: { zone: Europe/Berlin }",
        &[
            "0\t1969-12-31 23:00:00.000000000",
            "1\t1969-12-31 22:59:59.999999999",
            "2\t2023-11-14 21:13:20.123456789",
            "3\t\\N",
            "4\t2096-10-02 05:06:40.000000001",
            // Midnight of 1900 in Berlin is an hour before what the type holds.
        ],
    ),
    // Formats are for texts and numbers: a moment is one already.
    (
        "timestamps_int96",
        "t Nullable(DateTime64(9, 'UTC'))",
        ", timestamp: { formats: [unix] }",
        &[
            "0\t1970-01-01 00:00:00.000000000",
            "1\t1969-12-31 23:59:59.999999999",
            "2\t2023-11-14 22:13:20.123456789",
            "3\t\\N",
            "4\t2096-10-02 07:06:40.000000001",
            "5\t1900-01-01 00:00:00.000000000",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn old_moments_keep_every_digit_under_every_rule() {
    let server = Server::connect().await;
    all(CASES.to_vec(), async |(file, column, rules, rows)| {
        let load = Load {
            file: format!("{file}.parquet"),
            bytes: fixture(file),
            format: "parquet",
            columns: columns(&format!("n Int32; {column}")),
            policy: (*rules).to_owned(),
        };
        let what = format!("{file}, {column}{rules}");
        let table =
            server.load(&load).await.map_err(|error| format!("{what}: {}", error.chain()))?;
        let own = server.rows(&table.name, &load.columns).await;
        if own == *rows { Ok(()) } else { Err(format!("{what}: {own:#?} instead of {rows:#?}")) }
    })
    .await;
}
