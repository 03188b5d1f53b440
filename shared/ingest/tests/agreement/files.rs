//! Files of many writers, codecs, encodings and shapes: `test-fixtures/parquet`.

use std::path::PathBuf;

use crate::server::{Load, Server, all, columns, differences};

const MIXED: &str = "n Int32; i Nullable(Int64); f Nullable(Float64); s Nullable(String); b Nullable(Bool); \
    d Nullable(Date32); t Nullable(DateTime64(6, 'UTC')); m Nullable(Decimal(12, 2)); a Array(Nullable(Int32))";
const DECIMALS: &str = "n Int32; d9 Nullable(Decimal(9, 2)); d18 Nullable(Decimal(18, 6)); \
    d38 Nullable(Decimal(38, 10)); d76 Nullable(Decimal(76, 20))";

/// What a file is read as.
enum Reading {
    /// As ClickHouse reads it by itself.
    Same,
    /// As ClickHouse reads another file of the same values, because it does not read this one.
    Like(&'static str),
    /// As these rows, because ClickHouse does not read the file, or reads it
    /// otherwise, for the reason given.
    Literal(
        #[expect(dead_code, reason = "for whoever reads the case")] &'static str,
        &'static [&'static str],
    ),
}

use Reading::{Like, Literal, Same};

/// The rule for a group named `array` or `…_tuple` in a list of two levels: it is the element,
/// though it has one field. ClickHouse takes the field for the element.
const STRUCT_OF_ONE: &str = "the format's rule for lists of two levels";

fn cases() -> Vec<(&'static str, &'static str, Reading)> {
    vec![
        ("codec_none", MIXED, Same),
        ("codec_snappy", MIXED, Same),
        ("codec_gzip", MIXED, Same),
        ("codec_brotli", MIXED, Same),
        ("codec_zstd", MIXED, Same),
        ("codec_lz4_raw", MIXED, Same),
        ("codec_lz4_hadoop", "n Int32; v Int32", Same),
        (
            "encoding_plain",
            "n Int32; i32 Nullable(Int32); i64 Nullable(Int64); s Nullable(String); x Nullable(FixedString(4)); \
             f32 Nullable(Float32); f64 Nullable(Float64); b Nullable(Bool)",
            Same,
        ),
        ("encoding_rle_booleans", "n Int32; b Nullable(Bool)", Same),
        ("encoding_delta_binary_packed", "n Int32; i32 Nullable(Int32); i64 Nullable(Int64)", Same),
        ("encoding_delta_length_byte_array", "n Int32; s Nullable(String)", Same),
        (
            "encoding_delta_byte_array",
            "n Int32; s Nullable(String); x Nullable(FixedString(4))",
            Same,
        ),
        (
            "encoding_byte_stream_split",
            "n Int32; i32 Nullable(Int32); i64 Nullable(Int64); x Nullable(FixedString(4)); \
             f32 Nullable(Float32); f64 Nullable(Float64)",
            Same,
        ),
        ("encoding_dictionary", "n Int32; s LowCardinality(String)", Same),
        ("encoding_dictionary_fallback", "n Int32; s String; i Int64", Same),
        ("encoding_dictionary_fallback", "n Int32; s LowCardinality(String); i Int64", Same),
        ("pages_v1", MIXED, Same),
        // ClickHouse 26.7 reads beyond the end of pages of version 2 that hold lists.
        ("pages_v2", MIXED, Like("pages_v1")),
        ("row_groups", MIXED, Same),
        ("no_rows", MIXED, Same),
        ("no_row_groups", "n Int32; s String", Same),
        ("no_statistics", MIXED, Same),
        ("checksums_v1", "n Int32; v Int64", Same),
        ("checksums_v2", "n Int32; v Int64", Same),
        ("decimals_fixed", DECIMALS, Same),
        ("decimals_integers", DECIMALS, Same),
        ("decimals_byte_array", DECIMALS, Same),
        (
            "timestamps",
            "n Int32; ms_local Nullable(DateTime64(3, 'UTC')); ms_utc Nullable(DateTime64(3, 'UTC')); \
             us_local Nullable(DateTime64(6, 'UTC')); us_utc Nullable(DateTime64(6, 'UTC')); \
             ns_local Nullable(DateTime64(9, 'UTC')); ns_utc Nullable(DateTime64(9, 'UTC'))",
            Same,
        ),
        ("timestamps_zone", "n Int32; b Nullable(DateTime64(6, 'Europe/Berlin'))", Same),
        ("timestamps_int96", "n Int32; t Nullable(DateTime64(9, 'UTC'))", Same),
        ("timestamps_int96_spark", "n Int32; t Nullable(DateTime64(6, 'UTC'))", Same),
        (
            "timestamps_int96_nested",
            "n Int32; l Array(Nullable(DateTime64(9, 'UTC'))); s Tuple(t Nullable(DateTime64(9, 'UTC')), x Int32); \
             m Map(String, Nullable(DateTime64(9, 'UTC')))",
            Same,
        ),
        (
            "times_of_day",
            "n Int32; ms Nullable(Time64(3)); us Nullable(Time64(6)); ns Nullable(Time64(9))",
            Same,
        ),
        ("dates", "n Int32; d Nullable(Date); d32 Nullable(Date32); d64 Nullable(Date32)", Same),
        ("uuids", "n Int32; u Nullable(UUID)", Same),
        ("float16", "n Int32; h Nullable(Float32)", Same),
        (
            "unsigned",
            "n Int32; u8 Nullable(UInt8); u16 Nullable(UInt16); u32 Nullable(UInt32); u64 Nullable(UInt64); \
             i8 Nullable(Int8); i16 Nullable(Int16); i32 Nullable(Int32); i64 Nullable(Int64)",
            Same,
        ),
        ("json_extension", "n Int32; j Nullable(String)", Same),
        (
            "binary",
            "n Int32; x Nullable(String); f Nullable(FixedString(3)); l Nullable(String); v Nullable(String)",
            Same,
        ),
        (
            "annotations",
            "n Int32; enum Enum8('red' = 1, 'green' = 2); json String; bson String; bare String",
            Same,
        ),
        ("annotations", "n Int32; json JSON", Same),
        (
            "nested_full",
            "n Int32; ll Array(Array(Int64)); ls Array(Tuple(x Int32, y String)); sl Tuple(v Array(Float64)); \
             m Map(String, Int64); ml Map(String, Array(Int32)); im Map(Int32, String); fl Array(Int32); big Array(String)",
            Same,
        ),
        (
            "nested_null_values",
            "n Int32; l Array(Nullable(Int64)); ll Array(Array(Nullable(String))); \
             ls Array(Tuple(x Nullable(Int32), y Nullable(String))); s Tuple(x Nullable(Int32), y Nullable(String)); \
             m Map(String, Nullable(Int64))",
            Same,
        ),
        ("nested_required", "n Int32; l Array(Int64)", Same),
        (
            "nested_deep",
            "n Int32; v Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Array(Int32))))))))))))))))))))",
            Same,
        ),
        ("legacy_repeated_primitive", "n Int32; v Array(Int32)", Same),
        ("legacy_repeated_group", "n Int32; v Array(Tuple(x Int32, y String))", Same),
        ("legacy_two_level", "n Int32; v Array(Int32)", Same),
        ("legacy_two_level_required", "n Int32; v Array(Int32)", Same),
        (
            "legacy_array",
            "n Int32; v Array(Tuple(x Int32))",
            Literal(STRUCT_OF_ONE, &["0\t[(1),(2)]", "1\t[]", "2\t[(3)]"]),
        ),
        ("legacy_array_of_two", "n Int32; v Array(Tuple(x Int32, y String))", Same),
        (
            "legacy_tuple",
            "n Int32; v Array(Tuple(x Int32))",
            Literal(STRUCT_OF_ONE, &["0\t[(1),(2)]", "1\t[]", "2\t[(3)]"]),
        ),
        (
            "dictionary_offset_0",
            "n Int32; v Int32; s LowCardinality(String)",
            Literal(
                "parquet-mr 1.8 wrote 0 where there is no dictionary (PARQUET-1402); ClickHouse looks there",
                &["0\t1\taa", "1\t2\tbb", "2\t3\tbb"],
            ),
        ),
        (
            "narrow_integers",
            "n Int32; i8 Int32; i16 Int32; u8 Int32; u16 Int32",
            Literal(
                "what is said to have fewer bits than it lies in is read as it lies; ClickHouse wraps it",
                &["0\t1\t1\t1\t1", "1\t300\t300\t300\t300", "2\t70000\t70000\t70000\t70000"],
            ),
        ),
        (
            "intervals",
            "n Int32; v String",
            Literal(
                "an interval is said in words; ClickHouse gives its twelve bytes",
                &["0\tP1M2DT3S", "1\tP14M", "2\tPT0.05S"],
            ),
        ),
        ("legacy_hive", "n Int32; v Array(Int32)", Same),
        ("legacy_map_key_value", "n Int32; v Map(String, Int32)", Same),
        ("legacy_map_optional_key", "n Int32; v Map(String, Int32)", Same),
        (
            "legacy_map_without_values",
            "n Int32; v Array(String)",
            Literal(
                "a map of keys alone is a list of them; ClickHouse makes a tuple of it",
                &["0\t['a','b']", "1\t[]", "2\t['c']"],
            ),
        ),
        (
            "polars",
            "n Int32; s Nullable(String); c LowCardinality(Nullable(String)); f Nullable(Float64); \
             t Nullable(DateTime64(6, 'UTC')); d Nullable(Date); k Nullable(Time64(9)); m Nullable(Decimal(18, 3)); \
             l Array(Nullable(Int64)); p Tuple(x Int64, y Nullable(String)); u UInt64; i128 Int64; b Nullable(Bool); \
             x Nullable(String)",
            Same,
        ),
        (
            "duckdb",
            "n Int32; s Nullable(String); m Decimal(20, 1); h Float64; u8 UInt8; u64 UInt64; f Float64; f32 Float32; \
             d Date; t DateTime64(6, 'UTC'); tz DateTime64(6, 'UTC'); ns DateTime64(9, 'UTC'); k Time64(6); id UUID; \
             l Array(Nullable(Int64)); p Tuple(x Int32, y String); mp Map(String, Int64); d38 Decimal(38, 10); \
             bs String; b Bool; e String",
            Same,
        ),
        ("duckdb_v1", "n Int32; s String; i Int64; f Float64", Same),
        ("duckdb_v2", "n Int32; s String; i Int64; f Float64", Same),
        (
            "fastparquet",
            "n Int32; s Nullable(String); f Float64; t Nullable(DateTime64(9, 'UTC')); b Bool; c String",
            Same,
        ),
        (
            "fastparquet_int96",
            "n Int32; t Nullable(DateTime64(9, 'UTC')); s Nullable(String)",
            Same,
        ),
        ("pandas_index", "n Int32; s String; t Nullable(DateTime64(9, 'UTC'))", Same),
    ]
}

/// A file of the folder `test-fixtures/parquet`.
pub fn fixture(name: &str) -> Vec<u8> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../test-fixtures/parquet");
    let path = root.join(format!("{name}.parquet"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_as_clickhouse_reads_them() {
    let server = Server::connect().await;
    all(cases(), async |(file, schema, reading)| {
        let load = Load {
            file: format!("{file}.parquet"),
            bytes: fixture(file),
            format: "parquet",
            columns: columns(schema),
            policy: ", on_error: fail".to_owned(),
        };
        let table =
            server.load(&load).await.map_err(|error| format!("{file}: {}", error.chain()))?;
        let own = server.rows(&table.name, &load.columns).await;
        let other: Vec<String> = match reading {
            Like(other) => {
                let like = Load { bytes: fixture(other), file: (*other).to_owned(), ..load };
                let oracle = server.read_by_itself(&like, "Parquet", &[]).await;
                let oracle = oracle.map_err(|error| format!("{file}: ClickHouse: {error}"))?;
                let found =
                    differences(&like.columns, &own, &server.rows(&oracle, &like.columns).await);
                return if found.is_empty() {
                    Ok(())
                } else {
                    Err(format!("{file}: {}", found.join("\n    ")))
                };
            }
            Literal(_, rows) => rows.iter().map(|row| (*row).to_owned()).collect(),
            Same => {
                let oracle = server.read_by_itself(&load, "Parquet", &[]).await;
                let oracle = oracle.map_err(|error| format!("{file}: ClickHouse: {error}"))?;
                server.rows(&oracle, &load.columns).await
            }
        };
        let found = differences(&load.columns, &own, &other);
        if found.is_empty() { Ok(()) } else { Err(format!("{file}: {}", found.join("\n    "))) }
    })
    .await;
}

/// NULL where the type takes none is bad, at every level; ClickHouse makes the
/// empty list, the empty map or the tuple of blanks of it in silence.
#[tokio::test(flavor = "multi_thread")]
async fn null_where_the_type_takes_none_is_put_aside() {
    let server = Server::connect().await;
    let cases: Vec<(&str, &str, &[&str])> = vec![
        ("list", "Array(Int64)", &["0\t[1]", "2\t[]"]),
        ("inner_list", "Array(Array(Int64))", &["0\t[[1]]", "2\t[]"]),
        ("struct", "Tuple(x Int32, y String)", &["0\t(1,'a')", "2\t(2,'b')"]),
        ("struct_in_list", "Array(Tuple(x Int32, y String))", &["1\t[]", "2\t[]"]),
        ("map", "Map(String, Int64)", &["0\t{'a':1}", "2\t{}"]),
    ];
    all(cases, async |(name, column_type, rows)| {
        let load = Load {
            file: format!("{name}.parquet"),
            bytes: fixture(&format!("nested_null_{name}")),
            format: "parquet",
            columns: columns(&format!("n Int32; v {column_type}")),
            policy: String::new(),
        };
        let table =
            server.load(&load).await.map_err(|error| format!("{name}: {}", error.chain()))?;
        let own = server.rows(&table.name, &load.columns).await;
        if own == *rows { Ok(()) } else { Err(format!("{name}: {own:?} instead of {rows:?}")) }
    })
    .await;
}
