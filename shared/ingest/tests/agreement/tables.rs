//! Tables that somebody made with types that a document does not name: `JSON`
//! with limits and hints, `Variant` and `Dynamic`. The document writes the type
//! of the values, and the server puts them in.

use crate::server::{Load, Server, all, columns};

/// Columns of the table, of the document, the file, and what is read back.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const CASES: &[Case] = &[
    (
        "JSON(max_dynamic_paths = 2, a UInt32, SKIP secret)",
        "JSON",
        "{\"n\":1,\"v\":{\"a\":4294967295,\"b\":{\"c\":2},\"secret\":5,\"d\":1,\"e\":\"x\"}}\n{\"n\":2,\"v\":{}}\n",
        "v",
        &[
            "1\t{\"a\":4294967295,\"b\":{\"c\":2},\"d\":1,\"e\":\"x\"}",
            // A path with a hint is always there; so is what the server puts there.
            "2\t{\"a\":0}",
        ],
    ),
    (
        "JSON(a Nullable(Int8), SKIP REGEXP '^x')",
        "JSON",
        "{\"n\":1,\"v\":{\"a\":-128,\"x1\":1,\"y\":2}}\n",
        "v",
        &["1\t{\"a\":-128,\"y\":2}"],
    ),
    // What looks like a day stays a text, whatever the values before it were.
    (
        "JSON",
        "JSON",
        "{\"n\":1,\"v\":{\"d\":\"2024-02-29\",\"t\":\"2106-02-07 06:28:16\"}}\n\
         {\"n\":2,\"v\":{\"d\":\"1900-01-01\",\"t\":\"2024-01-01 00:00:00.1234567891\"}}\n\
         {\"n\":3,\"v\":{\"d\":\"2024-02-30\",\"b\":[true,1]}}\n",
        "v",
        &[
            "1\t{\"d\":\"2024-02-29\",\"t\":\"2106-02-07 06:28:16\"}",
            "2\t{\"d\":\"1900-01-01\",\"t\":\"2024-01-01 00:00:00.1234567891\"}",
            "3\t{\"b\":[true,1],\"d\":\"2024-02-30\"}",
        ],
    ),
    // An exception, of the server's making: a hint in the table is its maker's
    // wish, and no document knows of it.
    ("JSON(a UInt8)", "JSON", "{\"n\":1,\"v\":{\"a\":1.5}}\n", "v", &["1\t{\"a\":1}"]),
    (
        "Variant(String, Int64)",
        "Nullable(String)",
        "{\"n\":1,\"v\":\"a\"}\n{\"n\":2,\"v\":null}\n{\"n\":3,\"v\":\"5\"}\n",
        "v, variantType(v)",
        &["1\ta\tString", "2\t\\N\tNone", "3\t5\tString"],
    ),
    (
        "Variant(String, Int64)",
        "Int64",
        "{\"n\":1,\"v\":-9223372036854775808}\n",
        "v, variantType(v)",
        &["1\t-9223372036854775808\tInt64"],
    ),
    (
        "Variant(Array(UInt8), Map(String, String))",
        "Array(UInt8)",
        "{\"n\":1,\"v\":[1,255]}\n{\"n\":2,\"v\":[]}\n",
        "v, variantType(v)",
        &["1\t[1,255]\tArray(UInt8)", "2\t[]\tArray(UInt8)"],
    ),
    // A value that the document does not know yet was added to the table.
    (
        "Enum16('z' = -300, 'a' = 1, 'b' = 2)",
        "Enum8('b' = 2, 'a' = 1)",
        "{\"n\":1,\"v\":\"a\"}\n{\"n\":2,\"v\":\"b\"}\n{\"n\":3,\"v\":1}\n",
        "v, toInt16(v)",
        &["1\ta\t1", "2\tb\t2", "3\ta\t1"],
    ),
    (
        "Dynamic",
        "Nullable(Decimal(10, 2))",
        "{\"n\":1,\"v\":1.5}\n{\"n\":2,\"v\":null}\n",
        "v, dynamicType(v)",
        &["1\t1.5\tDecimal(10, 2)", "2\t\\N\tNone"],
    ),
    (
        "Dynamic(max_types = 2)",
        "LowCardinality(String)",
        "{\"n\":1,\"v\":\"a\"}\n{\"n\":2,\"v\":\"a\"}\n",
        "v, dynamicType(v)",
        &["1\ta\tLowCardinality(String)", "2\ta\tLowCardinality(String)"],
    ),
];

fn load(column_type: &str, file: &str) -> Load {
    Load {
        file: "rows.jsonl".to_owned(),
        bytes: file.as_bytes().to_vec(),
        format: "{json: {}}",
        columns: columns(&format!("n Int32; v {column_type}")),
        policy: ", on_error: fail".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_other_types_take_their_members() {
    let server = Server::connect().await;
    all(CASES.to_vec(), async |(there, written, file, selected, rows)| {
        let load = load(written, file);
        let table = server.load_into(&format!("n Int32, v {there}"), &load).await;
        let table = table.map_err(|error| format!("{written} into {there}: {}", error.chain()))?;
        let sql = format!("SELECT n, {selected} FROM {} ORDER BY n", table.name);
        let own = String::from_utf8_lossy(&server.ask(&sql, "TSV").await?).into_owned();
        let own: Vec<_> = own.lines().collect();
        if own == *rows { Ok(()) } else { Err(format!("{there}: {own:?} instead of {rows:?}")) }
    })
    .await;
}

/// What the server cannot put in fails the object with its reason, and lands
/// nothing: no value wraps.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_member_is_refused_loudly() {
    let server = Server::connect().await;
    let cases = vec![
        (
            "JSON(a UInt8)",
            "JSON",
            "{\"n\":1,\"v\":{\"a\":300}}\n",
            "cannot convert Int64 value 300 to UInt8",
        ),
        ("JSON(a UInt8)", "JSON", "{\"n\":1,\"v\":{\"a\":\"x\"}}\n", "cannot parse UInt8 value"),
        (
            "Variant(String, Int32)",
            "Int64",
            "{\"n\":1,\"v\":5}\n",
            "Cannot convert type Int64 to Variant",
        ),
    ];
    all(cases, async |(there, written, file, words)| {
        let loaded = server.load_into(&format!("n Int32, v {there}"), &load(written, file)).await;
        match loaded {
            Ok(table) => Err(format!("{there}: loaded, {:?}", table.report.counts)),
            Err(error) if error.chain().contains(words) => Ok(()),
            Err(error) => Err(format!("{there}: no `{words}` in: {}", error.chain())),
        }
    })
    .await;
}
