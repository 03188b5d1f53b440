//! Parquet files that ClickHouse itself writes, in each of its ways.

use crate::server::{Load, Server, all, columns, differences};

/// More than 25 types: name, type, and the value of row `number`.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("n", "Int32", "number"),
    ("i8", "Int8", "number - 100"),
    ("i16", "Int16", "number * 300 - 30000"),
    ("i64", "Int64", "number * 1000000007 - 5"),
    ("i128", "Int128", "toInt128(number) * 1000000000000000000 * 1000"),
    ("i256", "Int256", "-toInt256(number) * 1000000000000000000 * 1000"),
    ("u8", "UInt8", "number"),
    ("u16", "UInt16", "number * 600"),
    ("u32", "UInt32", "number * 40000000"),
    ("u64", "UInt64", "18446744073709551615 - number"),
    ("u128", "UInt128", "toUInt128(number) * 18446744073709551615"),
    ("u256", "UInt256", "toUInt256(number) * 18446744073709551615"),
    ("f32", "Float32", "number / 3"),
    ("f64", "Float64", "if(number = 7, nan, number / 7)"),
    ("d9", "Decimal(9, 2)", "toDecimal32(number, 2) / 4"),
    ("d18", "Decimal(18, 6)", "-toDecimal64(number, 6) / 8"),
    ("d38", "Decimal(38, 10)", "toDecimal128(number, 10) * 1000000000000"),
    ("d76", "Decimal(76, 20)", "toDecimal256(number, 20) * 1000000000000"),
    ("b", "Bool", "number % 2 = 0"),
    ("s", "String", "if(number % 5 = 0, '', concat('text ', toString(number % 9)))"),
    ("fs", "FixedString(4)", "toString(number)"),
    (
        "id",
        "UUID",
        "toUUID(concat('00000000-0000-4000-8000-', leftPad(toString(number), 12, '0')))",
    ),
    ("day", "Date", "toDate('2024-01-01') + number"),
    ("day32", "Date32", "toDate32('1960-01-01') + number"),
    ("t3", "DateTime64(3, 'UTC')", "toDateTime64('1969-12-31 23:59:59.5', 3, 'UTC') + number"),
    ("t6", "DateTime64(6, 'UTC')", "toDateTime64('2024-01-01 00:00:00.123456', 6, 'UTC') + number"),
    (
        "t9",
        "DateTime64(9, 'UTC')",
        "toDateTime64('2024-01-01 00:00:00.123456789', 9, 'UTC') + number",
    ),
    ("e8", "Enum8('a' = -1, 'b' = 2)", "if(number % 2 = 0, 'a', 'b')"),
    ("e16", "Enum16('a' = -300, 'b' = 300)", "if(number % 2 = 0, 'a', 'b')"),
    ("ip4", "IPv4", "toIPv4(concat('10.0.0.', toString(number)))"),
    ("ip6", "IPv6", "toIPv6(concat('2001:db8::', toString(number)))"),
    ("ns", "Nullable(String)", "if(number % 3 = 0, NULL, toString(number))"),
    ("ni", "Nullable(Int64)", "if(number % 4 = 0, NULL, number)"),
    ("lc", "LowCardinality(String)", "toString(number % 3)"),
    ("lcn", "LowCardinality(Nullable(String))", "if(number % 3 = 0, NULL, toString(number % 5))"),
    ("a", "Array(Int32)", "range(number % 4)"),
    ("aa", "Array(Array(Nullable(String)))", "[[toString(number), NULL], []]"),
    ("tu", "Tuple(a Int32, b Nullable(String))", "tuple(number, if(number % 2 = 0, NULL, 'x'))"),
    ("m", "Map(String, Int64)", "map('a', number, 'b', -number)"),
    ("ma", "Map(String, Array(Nullable(Float64)))", "map('k', [number / 2, NULL])"),
];

/// Settings of the writer, one way a line.
const WAYS: &[&str] = &[
    "output_format_parquet_version = '2.latest'",
    "output_format_parquet_version = '1.0', output_format_parquet_compression_method = 'none'",
    "output_format_parquet_compression_method = 'snappy'",
    "output_format_parquet_compression_method = 'gzip'",
    "output_format_parquet_compression_method = 'brotli'",
    "output_format_parquet_compression_method = 'lz4'",
    "output_format_parquet_string_as_string = 0",
    "output_format_parquet_fixed_string_as_fixed_byte_array = 0",
    "output_format_parquet_row_group_size = 17, output_format_parquet_data_page_size = 128",
    "output_format_parquet_max_dictionary_size = 0",
    "output_format_parquet_write_checksums = 1, output_format_parquet_write_page_index = 0",
    "output_format_parquet_compliant_nested_types = 0",
    "output_format_parquet_parallel_encoding = 0",
];

#[tokio::test(flavor = "multi_thread")]
async fn files_that_clickhouse_writes_are_read_as_it_reads_them() {
    let server = Server::connect().await;
    let schema: Vec<_> = COLUMNS.iter().map(|(name, kind, _)| format!("{name} {kind}")).collect();
    let values: Vec<_> = COLUMNS
        .iter()
        .map(|(name, kind, value)| format!("CAST({value} AS {kind:?}) AS {name}"))
        .collect();
    let values = values.join(", ").replace('"', "");
    all(WAYS.to_vec(), async |way| {
        let sql = format!("SELECT {values} FROM numbers(100) SETTINGS {way}");
        let load = Load {
            file: "clickhouse.parquet".to_owned(),
            bytes: server.ask(&sql, "Parquet").await?,
            format: "parquet",
            columns: columns(&schema.join("; ")),
            policy: ", on_error: fail".to_owned(),
        };
        let table =
            server.load(&load).await.map_err(|error| format!("{way}: {}", error.chain()))?;
        let own = server.rows(&table.name, &load.columns).await;
        let oracle = server.read_by_itself(&load, "Parquet", &[]).await;
        let oracle = oracle.map_err(|error| format!("{way}: ClickHouse: {error}"))?;
        let found = differences(&load.columns, &own, &server.rows(&oracle, &load.columns).await);
        if found.is_empty() && own.len() == 100 {
            Ok(())
        } else {
            Err(format!("{way}: {}", found.join("\n    ")))
        }
    })
    .await;
}
