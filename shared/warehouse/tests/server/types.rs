//! Types: what is inserted reads back equal, for every type and every way in
//! which its values may be held.

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::*;
use model::{Disposed, Disposition};
use warehouse::Warehouse;

use crate::support::{CLUSTER, Database, columns, load, token};

/// A column type, its values in Arrow, and what the server then says in TSV.
type Case = (&'static str, ArrayRef, Vec<&'static str>);

const UUIDS: [[u8; 16]; 2] =
    [*b"\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10", [0xff; 16]];

fn fixed<const N: usize>(values: &[[u8; N]]) -> ArrayRef {
    Arc::new(FixedSizeBinaryArray::try_from_iter(values.iter()).expect("fixed size"))
}

fn text(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn list(element: ArrayRef, lengths: &[usize], nullable: bool) -> ArrayRef {
    let field = Field::new("item", element.data_type().clone(), nullable);
    Arc::new(ListArray::new(
        Arc::new(field),
        OffsetBuffer::from_lengths(lengths.iter().copied()),
        element,
        None,
    ))
}

fn structure(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, array)| {
            (Arc::new(Field::new(name, array.data_type().clone(), array.null_count() > 0)), array)
        })
        .collect();
    Arc::new(StructArray::from(fields))
}

fn map(keys: ArrayRef, values: ArrayRef, lengths: &[usize]) -> ArrayRef {
    let entries = StructArray::from(vec![
        (Arc::new(Field::new("key", keys.data_type().clone(), false)), keys),
        (
            Arc::new(Field::new("value", values.data_type().clone(), values.null_count() > 0)),
            values,
        ),
    ]);
    let field = Field::new("entries", entries.data_type().clone(), false);
    Arc::new(MapArray::new(
        Arc::new(field),
        OffsetBuffer::from_lengths(lengths.iter().copied()),
        entries,
        None,
        false,
    ))
}

fn cases() -> Vec<Case> {
    let two = |a, b| vec![a, b];
    vec![
        ("Bool", Arc::new(BooleanArray::from(vec![true, false])), two("true", "false")),
        ("Int8", Arc::new(Int8Array::from(vec![i8::MIN, i8::MAX])), two("-128", "127")),
        ("Int16", Arc::new(Int16Array::from(vec![i16::MIN, i16::MAX])), two("-32768", "32767")),
        (
            "Int32",
            Arc::new(Int32Array::from(vec![i32::MIN, i32::MAX])),
            two("-2147483648", "2147483647"),
        ),
        (
            "Int64",
            Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX])),
            two("-9223372036854775808", "9223372036854775807"),
        ),
        ("UInt8", Arc::new(UInt8Array::from(vec![0, u8::MAX])), two("0", "255")),
        ("UInt16", Arc::new(UInt16Array::from(vec![0, u16::MAX])), two("0", "65535")),
        ("UInt32", Arc::new(UInt32Array::from(vec![0, u32::MAX])), two("0", "4294967295")),
        (
            "UInt64",
            Arc::new(UInt64Array::from(vec![0, u64::MAX])),
            two("0", "18446744073709551615"),
        ),
        ("Float32", Arc::new(Float32Array::from(vec![0.1, f32::NEG_INFINITY])), two("0.1", "-inf")),
        ("Float64", Arc::new(Float64Array::from(vec![0.1, f64::NAN])), two("0.1", "nan")),
        (
            "Decimal(9, 2)",
            Arc::new(
                Decimal128Array::from(vec![-123_456_789, 5])
                    .with_precision_and_scale(9, 2)
                    .expect("decimal"),
            ),
            two("-1234567.89", "0.05"),
        ),
        (
            "Decimal(18, 6)",
            Arc::new(
                Decimal128Array::from(vec![999_999_999_999_999_999, -1])
                    .with_precision_and_scale(18, 6)
                    .expect("decimal"),
            ),
            two("999999999999.999999", "-0.000001"),
        ),
        (
            "Decimal(38, 10)",
            Arc::new(
                Decimal128Array::from(vec![10_i128.pow(38) - 1, 1 - 10_i128.pow(38)])
                    .with_precision_and_scale(38, 10)
                    .expect("decimal"),
            ),
            two(
                "9999999999999999999999999999.9999999999",
                "-9999999999999999999999999999.9999999999",
            ),
        ),
        ("String", text(&["ü\u{0}x", ""]), two("ü\\0x", "")),
        (
            "String",
            Arc::new(BinaryArray::from_iter_values([&b"\xff\x01"[..], b""])),
            two("\u{fffd}\u{1}", ""),
        ),
        ("String", Arc::new(LargeStringArray::from_iter_values(["a", "b"])), two("a", "b")),
        ("LowCardinality(String)", text(&["a", "b"]), two("a", "b")),
        (
            "LowCardinality(String)",
            Arc::new(vec!["a", "b"].into_iter().collect::<DictionaryArray<Int32Type>>()),
            two("a", "b"),
        ),
        (
            "LowCardinality(Nullable(String))",
            Arc::new(StringArray::from(vec![Some("a"), None])),
            two("a", "\\N"),
        ),
        ("FixedString(3)", fixed(&[*b"abc", *b"d\0\0"]), two("abc", "d\\0\\0")),
        (
            "UUID",
            fixed(&UUIDS),
            two("01234567-89ab-cdef-fedc-ba9876543210", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
        ),
        ("Date", Arc::new(Date32Array::from(vec![0, 65_535])), two("1970-01-01", "2149-06-06")),
        (
            "Date32",
            Arc::new(Date32Array::from(vec![-25_567, 120_529])),
            two("1900-01-01", "2299-12-31"),
        ),
        (
            "DateTime('UTC')",
            Arc::new(TimestampSecondArray::from(vec![0, 4_294_967_295]).with_timezone("UTC")),
            two("1970-01-01 00:00:00", "2106-02-07 06:28:15"),
        ),
        (
            "DateTime('Europe/Berlin')",
            Arc::new(TimestampSecondArray::from(vec![0, 1]).with_timezone("UTC")),
            two("1970-01-01 01:00:00", "1970-01-01 01:00:01"),
        ),
        (
            "DateTime64(0, 'UTC')",
            Arc::new(TimestampSecondArray::from(vec![-1, 1]).with_timezone("UTC")),
            two("1969-12-31 23:59:59", "1970-01-01 00:00:01"),
        ),
        (
            "DateTime64(3, 'UTC')",
            Arc::new(
                TimestampMillisecondArray::from(vec![-1, 1_700_000_000_123]).with_timezone("UTC"),
            ),
            two("1969-12-31 23:59:59.999", "2023-11-14 22:13:20.123"),
        ),
        (
            "DateTime64(6, 'UTC')",
            Arc::new(TimestampMicrosecondArray::from(vec![-1, 1]).with_timezone("UTC")),
            two("1969-12-31 23:59:59.999999", "1970-01-01 00:00:00.000001"),
        ),
        (
            "DateTime64(9, 'UTC')",
            Arc::new(TimestampNanosecondArray::from(vec![-1, i64::MAX]).with_timezone("UTC")),
            two("1969-12-31 23:59:59.999999999", "2262-04-11 23:47:16.854775807"),
        ),
        (
            "DateTime64(1, 'UTC')",
            Arc::new(TimestampMillisecondArray::from(vec![100, -100]).with_timezone("UTC")),
            two("1970-01-01 00:00:00.1", "1969-12-31 23:59:59.9"),
        ),
        (
            "DateTime64(5, 'UTC')",
            Arc::new(
                TimestampMicrosecondArray::from(vec![10, 1_700_000_000_123_450])
                    .with_timezone("UTC"),
            ),
            two("1970-01-01 00:00:00.00001", "2023-11-14 22:13:20.12345"),
        ),
        (
            "DateTime64(7, 'UTC')",
            Arc::new(TimestampNanosecondArray::from(vec![100, -100]).with_timezone("UTC")),
            two("1970-01-01 00:00:00.0000001", "1969-12-31 23:59:59.9999999"),
        ),
        (
            "DateTime64(3, 'UTC')",
            Arc::new(
                TimestampMillisecondArray::from(vec![-2_208_988_800_000, 10_413_791_999_999])
                    .with_timezone("UTC"),
            ),
            two("1900-01-01 00:00:00.000", "2299-12-31 23:59:59.999"),
        ),
        ("Enum8('a b' = -1, 'c' = 2)", Arc::new(Int8Array::from(vec![-1, 2])), two("a b", "c")),
        ("Enum16('a' = -300, 'c' = 2)", Arc::new(Int16Array::from(vec![-300, 2])), two("a", "c")),
        (
            "Int128",
            fixed(&[i128::MIN.to_le_bytes(), [0; 16]]),
            two("-170141183460469231731687303715884105728", "0"),
        ),
        (
            "UInt128",
            fixed(&[[0xff; 16], [0; 16]]),
            two("340282366920938463463374607431768211455", "0"),
        ),
        ("Int256", fixed(&[[0xff; 32], [0; 32]]), two("-1", "0")),
        (
            "UInt256",
            fixed(&[[0xff; 32], [0; 32]]),
            two(
                "115792089237316195423570985008687907853269984665640564039457584007913129639935",
                "0",
            ),
        ),
        ("BFloat16", Arc::new(Float32Array::from(vec![1.5, -0.0078125])), two("1.5", "-0.0078125")),
        (
            "Decimal(76, 2)",
            Arc::new(
                Decimal256Array::from(vec![i256::from_i128(-150), i256::from_i128(i128::MAX)])
                    .with_precision_and_scale(76, 2)
                    .expect("decimal"),
            ),
            two("-1.5", "1701411834604692317316873037158841057.27"),
        ),
        (
            "Time",
            Arc::new(DurationSecondArray::from(vec![-3_599_999, 3_661])),
            two("-999:59:59", "01:01:01"),
        ),
        (
            "Time64(3)",
            Arc::new(DurationMillisecondArray::from(vec![3_661_001, 0])),
            two("01:01:01.001", "00:00:00.000"),
        ),
        (
            "Time64(4)",
            Arc::new(DurationMicrosecondArray::from(vec![100, -100])),
            two("00:00:00.0001", "-00:00:00.0001"),
        ),
        (
            "JSON",
            text(&[r#"{"a":{"b":1},"c":["x"]}"#, "{}"]),
            two(r#"{"a":{"b":1},"c":["x"]}"#, "{}"),
        ),
        (
            "SimpleAggregateFunction(max, UInt64)",
            Arc::new(UInt64Array::from(vec![1, 2])),
            two("1", "2"),
        ),
        (
            "LowCardinality(Nullable(FixedString(2)))",
            {
                let values = [Some(*b"ab"), None];
                Arc::new(
                    FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                        values.iter().map(|value| value.as_ref()),
                        2,
                    )
                    .expect("fixed size"),
                )
            },
            two("ab", "\\N"),
        ),
        (
            "IPv4",
            Arc::new(UInt32Array::from(vec![0x7f00_0001, u32::MAX])),
            two("127.0.0.1", "255.255.255.255"),
        ),
        (
            "IPv6",
            fixed(&[*b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", [0; 16]]),
            two("2001:db8::1", "::"),
        ),
        (
            "Array(Int32)",
            list(Arc::new(Int32Array::from(vec![1, 2])), &[2, 0], false),
            two("[1,2]", "[]"),
        ),
        (
            "Array(Nullable(String))",
            list(Arc::new(StringArray::from(vec![Some("a"), None])), &[0, 2], true),
            two("[]", "['a',NULL]"),
        ),
        (
            "Array(UUID)",
            list(fixed(&UUIDS), &[1, 1], false),
            two(
                "['01234567-89ab-cdef-fedc-ba9876543210']",
                "['ffffffff-ffff-ffff-ffff-ffffffffffff']",
            ),
        ),
        (
            "Array(LowCardinality(String))",
            list(text(&["a", "b"]), &[1, 1], false),
            two("['a']", "['b']"),
        ),
        (
            "Array(Enum8('a' = 1, 'b' = 2))",
            list(Arc::new(Int8Array::from(vec![1, 2])), &[1, 1], false),
            two("['a']", "['b']"),
        ),
        (
            "Array(Date)",
            list(Arc::new(Date32Array::from(vec![0, 1])), &[1, 1], false),
            two("['1970-01-01']", "['1970-01-02']"),
        ),
        ("Array(IPv6)", list(fixed(&[[0; 16], [0; 16]]), &[1, 1], false), two("['::']", "['::']")),
        (
            "Array(DateTime64(3, 'UTC'))",
            list(
                Arc::new(TimestampMillisecondArray::from(vec![1, 2]).with_timezone("UTC")),
                &[1, 1],
                false,
            ),
            two("['1970-01-01 00:00:00.001']", "['1970-01-01 00:00:00.002']"),
        ),
        (
            "Array(Array(UInt8))",
            list(list(Arc::new(UInt8Array::from(vec![1, 2, 3])), &[1, 2], false), &[2, 0], false),
            two("[[1],[2,3]]", "[]"),
        ),
        (
            "Tuple(a Int32, b Nullable(String))",
            structure(vec![
                ("a", Arc::new(Int32Array::from(vec![1, 2]))),
                ("b", Arc::new(StringArray::from(vec![Some("x"), None]))),
            ]),
            two("(1,'x')", "(2,NULL)"),
        ),
        (
            "Tuple(Int32, String)",
            structure(vec![
                ("1", Arc::new(Int32Array::from(vec![1, 2]))),
                ("2", text(&["x", "y"])),
            ]),
            two("(1,'x')", "(2,'y')"),
        ),
        (
            "Tuple(id UUID, day Date, kind Enum8('a' = 1, 'b' = 2))",
            structure(vec![
                ("id", fixed(&UUIDS)),
                ("day", Arc::new(Date32Array::from(vec![0, 1]))),
                ("kind", Arc::new(Int8Array::from(vec![1, 2]))),
            ]),
            two(
                "('01234567-89ab-cdef-fedc-ba9876543210','1970-01-01','a')",
                "('ffffffff-ffff-ffff-ffff-ffffffffffff','1970-01-02','b')",
            ),
        ),
        (
            "Array(Tuple(a Int32, b String))",
            list(
                structure(vec![
                    ("a", Arc::new(Int32Array::from(vec![1, 2]))),
                    ("b", text(&["x", "y"])),
                ]),
                &[2, 0],
                false,
            ),
            two("[(1,'x'),(2,'y')]", "[]"),
        ),
        (
            "Map(String, Int64)",
            map(text(&["a", "b"]), Arc::new(Int64Array::from(vec![1, 2])), &[2, 0]),
            two("{'a':1,'b':2}", "{}"),
        ),
        (
            "Map(LowCardinality(String), Nullable(Float64))",
            map(text(&["a", "b"]), Arc::new(Float64Array::from(vec![Some(0.5), None])), &[1, 1]),
            two("{'a':0.5}", "{'b':NULL}"),
        ),
        (
            "Map(String, Array(String))",
            map(text(&["a", "b"]), list(text(&["x", "y"]), &[1, 1], false), &[1, 1]),
            two("{'a':['x']}", "{'b':['y']}"),
        ),
    ]
}

/// Every scalar once more as Nullable, with its second value NULL.
fn nullable(cases: Vec<Case>) -> Vec<(String, ArrayRef, Vec<&'static str>)> {
    let mut all = Vec::new();
    for (name, array, expected) in cases {
        let scalar = !["LowCardinality", "Array", "Tuple", "Map", "JSON", "SimpleAggregate"]
            .iter()
            .any(|nested| name.starts_with(nested));
        if scalar && !matches!(array.data_type(), DataType::Dictionary(..)) {
            let indices = UInt32Array::from(vec![Some(0), None]);
            let with_null = arrow::compute::take(&array, &indices, None).expect("take");
            all.push((format!("Nullable({name})"), with_null, vec![expected[0], "\\N"]));
        }
        all.push((name.to_owned(), array, expected));
    }
    all
}

#[tokio::test]
async fn what_is_inserted_reads_back_equal() {
    let database = Database::new("types").await;
    let mut wrong = Vec::new();
    for (number, (name, array, expected)) in nullable(cases()).into_iter().enumerate() {
        for select in [false, true] {
            let mut table = database.events();
            table.name = format!("t{number}_{select}");
            table.columns = columns(&[("k", "UInt64"), ("v", &name)]);
            if select {
                table.select =
                    Some(warehouse::Select { expressions: "k".into(), passed: vec!["v".into()] });
            }
            database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
            let keys: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..array.len() as u64));
            let schema = Schema::new(vec![
                Field::new("k", DataType::UInt64, false),
                Field::new("v", array.data_type().clone(), array.null_count() > 0),
            ]);
            let batch =
                RecordBatch::try_new(Arc::new(schema), vec![keys, array.clone()]).expect("a batch");
            let what = format!("{name} from {:?}, select {select}", array.data_type());
            if let Err(error) =
                load(&database.warehouse, &table, token(number as u64), &[batch]).await
            {
                wrong.push(format!("{what}: {error}"));
                continue;
            }
            let sql =
                format!("SELECT toTypeName(v), v FROM {}.{} ORDER BY k", database.name, table.name);
            let answer =
                database.warehouse.query_raw(CLUSTER, &sql, "TSV", 1 << 20).await.expect("query");
            let answer = String::from_utf8_lossy(&answer).into_owned();
            let got: Vec<_> =
                answer.lines().map(|line| line.split_once('\t').expect("two columns").1).collect();
            if got != expected {
                wrong.push(format!("{what}: {got:?} instead of {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} types are wrong:\n{}", wrong.len(), wrong.join("\n"));
    database.drop().await;
}

/// The batches of one INSERT may bring a dictionary each.
#[tokio::test]
async fn dictionaries_may_differ_between_batches() {
    let database = Database::new("dictionaries").await;
    let mut table = database.events();
    table.columns = columns(&[("k", "UInt64"), ("v", "LowCardinality(Nullable(String))")]);
    database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
    let batches: Vec<_> =
        [(0, [Some("a"), Some("b")]), (2, [Some("c"), None]), (4, [Some("b"), Some("a")])]
            .into_iter()
            .map(|(from, values)| {
                let keys: ArrayRef = Arc::new(UInt64Array::from(vec![from, from + 1]));
                let values: ArrayRef =
                    Arc::new(values.into_iter().collect::<DictionaryArray<Int32Type>>());
                let fields = vec![
                    Field::new("k", DataType::UInt64, false),
                    Field::new("v", values.data_type().clone(), true),
                ];
                RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![keys, values])
                    .expect("a batch")
            })
            .collect();
    load(&database.warehouse, &table, token(1), &batches).await.expect("load");
    let sql = format!(
        "SELECT arrayStringConcat(groupArray(ifNull(v, '-'))) FROM (SELECT v FROM {}.events ORDER BY k)",
        database.name
    );
    assert_eq!(database.ask(&sql).await, "abc-ba");
    database.drop().await;
}

/// What must not be sent is refused before it is: the mapper gives no such
/// values, and were it to, the server would store something else.
#[tokio::test]
async fn a_value_that_does_not_fit_is_not_sent() {
    let database = Database::new("misfits").await;
    let decimal = Decimal128Array::from(vec![10_i128.pow(12), 1])
        .with_precision_and_scale(18, 2)
        .expect("decimal");
    let cases: Vec<(&str, ArrayRef, &str)> = vec![
        ("Int32", Arc::new(Int32Array::from(vec![Some(1), None])), "NULL in a Int32"),
        ("String", Arc::new(StringArray::from(vec![Some("a"), None])), "NULL in a String"),
        (
            "LowCardinality(String)",
            Arc::new(StringArray::from(vec![Some("a"), None])),
            "NULL in a LowCardinality(String)",
        ),
        (
            "Array(Int32)",
            list(Arc::new(Int32Array::from(vec![Some(1), None])), &[1, 1], true),
            "NULL in a Int32",
        ),
        ("Date", Arc::new(Date32Array::from(vec![0, 65_536])), "65536 is out of the range of Date"),
        ("DateTime", Arc::new(TimestampSecondArray::from(vec![0, -1])), "-1 is out of the range"),
        ("Enum8('a' = 1)", text(&["a", "z"]), "Utf8 is not how a Enum8('a' = 1) is held"),
        ("FixedString(3)", fixed(&[*b"abcd", *b"abcd"]), "is not how a FixedString(3) is held"),
        ("Decimal(9, 2)", Arc::new(decimal), "1000000000000 is out of the range"),
        ("Decimal(9, 3)", Arc::new(Decimal128Array::from(vec![1, 1])), "is not how a"),
        ("Int32", text(&["1", "x"]), "Utf8 is not how a Int32 is held"),
        (
            "Tuple(a Int32, b Int32)",
            structure(vec![
                ("b", Arc::new(Int32Array::from(vec![1, 2]))),
                ("a", Arc::new(Int32Array::from(vec![1, 2]))),
            ]),
            "is not how a Tuple(`a` Int32, `b` Int32) is held",
        ),
    ];
    for (number, (name, array, words)) in cases.into_iter().enumerate() {
        let mut table = database.events();
        table.name = format!("t{number}");
        table.columns = columns(&[("k", "UInt64"), ("v", name)]);
        database.warehouse.prepare(CLUSTER, &table).await.expect("prepare");
        let keys: ArrayRef = Arc::new(UInt64Array::from(vec![0, 1]));
        let batch =
            RecordBatch::try_from_iter([("k", keys), ("v", array.clone())]).expect("a batch");
        let error = load(&database.warehouse, &table, token(0), &[batch]).await.expect_err(name);
        assert_eq!(error.disposition(), Disposition::Fatal, "{error}");
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(cause.contains(words) && cause.contains("`v`"), "{name}: {cause}");
        assert_eq!(database.rows(&table.name).await, (0, 0), "{name}");
    }
    database.drop().await;
}
