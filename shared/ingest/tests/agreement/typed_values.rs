//! Values of one type in files that say what type a value has, loaded into columns of
//! another: each arrives as it is, as exact as the column can be, or is put aside; none
//! wraps and none is clamped.

use crate::server::{Load, Server, all, columns};

/// The type in the file, the column's, and values in SQL with what arrives of each.
type Case = (&'static str, &'static str, &'static [(&'static str, Option<&'static str>)]);

const CASES: &[Case] = &[
    (
        "Nullable(Int64)",
        "Int8",
        &[
            ("-128", Some("-128")),
            ("127", Some("127")),
            ("-129", None),
            ("128", None),
            ("NULL", None),
        ],
    ),
    ("Int64", "UInt64", &[("0", Some("0")), ("-1", None)]),
    (
        "UInt64",
        "Int64",
        &[("9223372036854775807", Some("9223372036854775807")), ("9223372036854775808", None)],
    ),
    ("Int64", "Bool", &[("0", Some("false")), ("1", Some("true")), ("2", None)]),
    ("Int64", "Enum8('a' = 1, 'b' = -2)", &[("1", Some("a")), ("-2", Some("b")), ("3", None)]),
    ("Int64", "String", &[("-5", Some("-5"))]),
    ("Int64", "Decimal(9, 2)", &[("9999999", Some("9999999")), ("10000000", None)]),
    (
        "Int64",
        "Float64",
        // A float is the nearest that there is, as of a text.
        &[
            ("9007199254740992", Some("9007199254740992")),
            ("9007199254740993", Some("9007199254740992")),
        ],
    ),
    (
        "Float64",
        "Int32",
        &[
            ("-1.0", Some("-1")),
            ("2147483647", Some("2147483647")),
            ("2147483648", None),
            ("1.5", None),
            ("nan", None),
            ("inf", None),
        ],
    ),
    (
        "Float64",
        "Float32",
        &[("0.5", Some("0.5")), ("1e300", None), ("nan", Some("nan")), ("-inf", Some("-inf"))],
    ),
    ("Float64", "Decimal(9, 2)", &[("1.25", Some("1.25")), ("1e9", None), ("nan", None)]),
    (
        "Decimal(38, 10)",
        "Decimal(9, 2)",
        &[
            ("1.25", Some("1.25")),
            ("1.255", None),
            ("10000000", None),
            ("-9999999.99", Some("-9999999.99")),
        ],
    ),
    ("Decimal(38, 10)", "Int32", &[("3", Some("3")), ("3.5", None), ("3000000000", None)]),
    (
        "DateTime64(6, 'UTC')",
        "DateTime('UTC')",
        &[
            ("'2106-02-07 06:28:15'", Some("2106-02-07 06:28:15")),
            ("'2106-02-07 06:28:16'", None),
            ("'1969-12-31 23:59:59'", None),
            // A time is as precise as its column: what is finer is cut off.
            ("'2024-01-01 00:00:00.5'", Some("2024-01-01 00:00:00")),
        ],
    ),
    (
        "DateTime64(6, 'UTC')",
        "DateTime64(3, 'UTC')",
        &[
            ("'2024-01-01 00:00:00.123'", Some("2024-01-01 00:00:00.123")),
            ("'2024-01-01 00:00:00.123999'", Some("2024-01-01 00:00:00.123")),
            ("'1969-12-31 23:59:59.999999'", Some("1969-12-31 23:59:59.999")),
        ],
    ),
    (
        "Date32",
        "Date",
        &[
            ("'1970-01-01'", Some("1970-01-01")),
            ("'2149-06-06'", Some("2149-06-06")),
            ("'2149-06-07'", None),
            ("'1969-12-31'", None),
        ],
    ),
    (
        "DateTime64(6, 'UTC')",
        "Date32",
        &[("'1960-05-06 00:00:00'", Some("1960-05-06")), ("'1960-05-06 01:00:00'", None)],
    ),
    ("FixedString(4)", "FixedString(3)", &[("'abcd'", None)]),
    (
        "Array(Nullable(Int64))",
        "Array(Int8)",
        &[("[1, -2]", Some("[1,-2]")), ("[]", Some("[]")), ("[1, 300]", None), ("[NULL]", None)],
    ),
    (
        "Map(String, Int64)",
        "Map(LowCardinality(String), UInt8)",
        &[("map('a', 1)", Some("{'a':1}")), ("map('a', 1, 'b', -1)", None)],
    ),
    (
        "Tuple(a Int64, b Nullable(String))",
        "Tuple(a Int16, b String)",
        &[("(1, 'x')", Some("(1,'x')")), ("(40000, 'x')", None), ("(1, NULL)", None)],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_type_arrives_as_it_is_or_is_put_aside() {
    let server = Server::connect().await;
    let cases = CASES
        .iter()
        .flat_map(|case| [("parquet", "Parquet"), ("arrow", "Arrow")].map(|format| (case, format)));
    all(cases.collect(), async |((from, to, values), (format, name))| {
        let what = format!("{from} to {to} in {name}");
        let rows: Vec<String> = (values.iter().enumerate())
            .map(|(n, (value, _))| {
                format!("SELECT toInt32({n}) AS n, CAST({value} AS {from}) AS v")
            })
            .collect();
        let sql = format!("SELECT * FROM ({}) ORDER BY n", rows.join(" UNION ALL "));
        let load = Load {
            file: what.replace(['/', '\''], "-"),
            bytes: server.ask(&sql, name).await.map_err(|error| format!("{what}: {error}"))?,
            format,
            columns: columns(&format!("n Int32; v {to}")),
            policy: String::new(),
        };
        let table = server.load(&load).await;
        let table = table.map_err(|error| format!("{what}: {}", error.chain()))?;
        let own = server.rows(&table.name, &load.columns).await;
        let arrives = |(n, (_, value)): (usize, &(&str, Option<&str>))| {
            value.map(|value| format!("{n}\t{value}"))
        };
        let expected: Vec<String> = values.iter().enumerate().filter_map(arrives).collect();
        let counts = &table.report.counts;
        let aside = (values.len() - expected.len()) as u64;
        if own == expected && counts.rows_quarantined == aside {
            Ok(())
        } else {
            Err(format!("{what}: {own:?} instead of {expected:?}; {counts:?}"))
        }
    })
    .await;
}
