//! Any batch that can be built → Native → ClickHouse → read back: the same
//! values. What single types look like is in `types`; here it is how they are
//! nested, sliced, held as dictionaries and spread over batches.

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::*;
use model::ColumnType;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use warehouse::Warehouse;

use crate::support::{CLUSTER, Database, columns, load, token};

const CASES: u32 = 160;

/// A type whose values are made of numbers.
#[derive(Debug, Clone)]
enum Shape {
    /// Name of the type, whether it takes NULL, whether it is `LowCardinality`.
    Leaf(&'static str, bool, bool),
    Array(Box<Shape>),
    Tuple(Vec<Shape>),
    /// The key is a String.
    Map(Box<Shape>),
}

use Shape::{Leaf, Map, Tuple};

#[derive(Debug, Clone)]
enum Value {
    Null,
    Number(i64),
    /// Of an array or a tuple.
    Parts(Vec<Value>),
    /// Of a map.
    Entries(Vec<(i64, Value)>),
}

impl Shape {
    fn name(&self) -> String {
        match self {
            Leaf(name, nullable, low) => {
                let name = if *nullable { format!("Nullable({name})") } else { (*name).to_owned() };
                if *low { format!("LowCardinality({name})") } else { name }
            }
            Self::Array(element) => format!("Array({})", element.name()),
            Tuple(fields) => {
                format!("Tuple({})", fields.iter().map(Self::name).collect::<Vec<_>>().join(", "))
            }
            Map(value) => format!("Map(String, {})", value.name()),
        }
    }

    fn values(&self) -> BoxedStrategy<Value> {
        let number = prop_oneof![any::<i64>(), 0_i64..4, Just(i64::MIN), Just(i64::MAX)];
        match self {
            Leaf(_, false, _) => number.prop_map(Value::Number).boxed(),
            Leaf(_, true, _) => {
                prop_oneof![1 => Just(Value::Null), 3 => number.prop_map(Value::Number)].boxed()
            }
            Self::Array(element) => {
                prop::collection::vec(element.values(), 0..4).prop_map(Value::Parts).boxed()
            }
            Tuple(fields) => {
                fields.iter().map(Self::values).collect::<Vec<_>>().prop_map(Value::Parts).boxed()
            }
            Map(value) => prop::collection::vec((number, value.values()), 0..3)
                .prop_map(Value::Entries)
                .boxed(),
        }
    }

    /// The values as Arrow holds them.
    fn array(&self, values: &[&Value]) -> ArrayRef {
        match self {
            Leaf(name, _, low) => leaf(name, *low, values),
            Self::Array(element) => {
                let lists: Vec<_> = values.iter().map(|value| value.parts()).collect();
                let inner: Vec<&Value> = lists.iter().copied().flatten().collect();
                let inner = element.array(&inner);
                let field = Field::new("item", inner.data_type().clone(), true);
                let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.len()));
                Arc::new(ListArray::new(Arc::new(field), offsets, inner, None))
            }
            Tuple(fields) => {
                let column = |(at, field): (usize, &Self)| {
                    let parts: Vec<_> = values.iter().map(|value| &value.parts()[at]).collect();
                    let array = field.array(&parts);
                    let name = (at + 1).to_string();
                    (Arc::new(Field::new(name, array.data_type().clone(), true)), array)
                };
                Arc::new(StructArray::from(
                    fields.iter().enumerate().map(column).collect::<Vec<_>>(),
                ))
            }
            Map(inner) => {
                let entries: Vec<_> = values.iter().map(|value| value.entries()).collect();
                let flat: Vec<_> = entries.iter().copied().flatten().collect();
                let keys: Vec<Value> = flat.iter().map(|(key, _)| Value::Number(*key)).collect();
                let keys = leaf("String", false, &keys.iter().collect::<Vec<_>>());
                let inner = inner.array(&flat.iter().map(|(_, value)| value).collect::<Vec<_>>());
                let fields = vec![
                    (Arc::new(Field::new("key", keys.data_type().clone(), false)), keys),
                    (Arc::new(Field::new("value", inner.data_type().clone(), true)), inner),
                ];
                let structs = StructArray::from(fields);
                let field = Field::new("entries", structs.data_type().clone(), false);
                let offsets = OffsetBuffer::from_lengths(entries.iter().map(|list| list.len()));
                Arc::new(MapArray::new(Arc::new(field), offsets, structs, None, false))
            }
        }
    }

    /// A value as the server shows it in TSV.
    fn text(&self, value: &Value, is_inside: bool) -> String {
        let join = |texts: Vec<String>| texts.join(",");
        match (self, value) {
            (Leaf(..), Value::Null) => (if is_inside { "NULL" } else { "\\N" }).to_owned(),
            (Leaf(name, ..), Value::Number(number)) => {
                let text = shown(name, *number);
                let is_quoted = is_inside && QUOTED.contains(name);
                if is_quoted { format!("'{text}'") } else { text }
            }
            (Self::Array(element), value) => {
                let parts = value.parts().iter().map(|part| element.text(part, true));
                format!("[{}]", join(parts.collect()))
            }
            (Tuple(fields), value) => {
                let parts = fields.iter().zip(value.parts());
                format!("({})", join(parts.map(|(field, part)| field.text(part, true)).collect()))
            }
            (Map(inner), value) => {
                let entries = value.entries().iter().map(|(key, value)| {
                    format!("'{}':{}", shown("String", *key), inner.text(value, true))
                });
                format!("{{{}}}", join(entries.collect()))
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Value {
    fn parts(&self) -> &[Self] {
        if let Self::Parts(parts) = self { parts } else { panic!("{self:?}") }
    }

    fn entries(&self) -> &[(i64, Self)] {
        if let Self::Entries(entries) = self { entries } else { panic!("{self:?}") }
    }

    fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }
}

/// Types whose values stand in quotes within others.
const QUOTED: [&str; 14] = [
    "String",
    "FixedString(3)",
    "UUID",
    "Date",
    "Date32",
    "DateTime64(3, 'UTC')",
    "DateTime('UTC')",
    "DateTime64(1, 'UTC')",
    "DateTime64(9, 'UTC')",
    "Time",
    "IPv4",
    "IPv6",
    ENUM,
    WIDE_ENUM,
];
const ENUM: &str = "Enum8('a' = -1, 'b' = 2)";
const WIDE_ENUM: &str = "Enum16('a' = -1000, 'b' = 2)";

/// A day that `Date` holds.
fn day(number: i64) -> i32 {
    i32::from(u16::from_le_bytes(low(number)))
}

/// A day that `Date32` holds: 1900 to 2299.
fn wide_day(number: i64) -> i32 {
    i32::try_from(number.rem_euclid(146_097)).expect("a day") - 25_567
}

/// The lowest bytes of a number: every value of a type of that width.
fn low<const N: usize>(number: i64) -> [u8; N] {
    number.to_le_bytes()[..N].try_into().expect("fewer than eight")
}

/// A moment around 1970, in milliseconds.
fn moment(number: i64) -> i64 {
    i64::from(small(number)) * 86_400_123
}

fn day_text(days: i32) -> String {
    let day = arrow::temporal_conversions::date32_to_datetime(days).expect("a day");
    day.format("%Y-%m-%d").to_string()
}

fn v6(number: i64) -> std::net::Ipv6Addr {
    // Not one of those that hold an address of version 4.
    std::net::Ipv6Addr::from(u128::from_be_bytes(sixteen(number)) | 1 << 127)
}

/// A second that `DateTime` holds, and how it is shown.
fn seconds(number: i64) -> i64 {
    i64::from(u32::from_le_bytes(low(number)))
}

fn clock(number: i64, format: &str) -> String {
    let time = arrow::temporal_conversions::timestamp_s_to_datetime(seconds(number));
    time.expect("a moment").format(format).to_string()
}

fn tiny(number: i64) -> i8 {
    i8::try_from(small(number) % 100).expect("tiny")
}

fn small(number: i64) -> i32 {
    i32::try_from(number.rem_euclid(2_000)).expect("small") - 1_000
}

/// As many digits as `Decimal(9, 3)` has.
fn nine_digits(number: i64) -> i64 {
    number.rem_euclid(1_999_999_999) - 999_999_999
}

fn wide(number: i64) -> i128 {
    i128::from(number) * 10_i128.pow(15)
}

fn three(number: i64) -> [u8; 3] {
    let number = small(number).unsigned_abs() % 1_000;
    format!("{number:03}").into_bytes().try_into().expect("three digits")
}

fn sixteen(number: i64) -> [u8; 16] {
    (i128::from(number) * 0x1_0000_0000_0001).to_be_bytes()
}

/// What a number becomes in a type, as text.
fn shown(name: &str, number: i64) -> String {
    match name {
        "Bool" => (number % 2 == 0).to_string(),
        "Int8" => i8::from_le_bytes(low(number)).to_string(),
        "BFloat16" => tiny(number).to_string(),
        "UInt8" => u8::from_le_bytes(low(number)).to_string(),
        "Int16" => i16::from_le_bytes(low(number)).to_string(),
        "Int32" => i32::from_le_bytes(low(number)).to_string(),
        "UInt32" => u32::from_le_bytes(low(number)).to_string(),
        "UInt128" => u128::from_le_bytes(sixteen(number)).to_string(),
        "Int64" => number.to_string(),
        "UInt64" => number.cast_unsigned().to_string(),
        "Int128" => wide(number).to_string(),
        "Float64" => (f64::from(small(number)) / 4.0).to_string(),
        "Float32" => (f64::from(small(number)) / 4.0).to_string(),
        "UInt16" => u16::from_le_bytes(low(number)).to_string(),
        "Int256" => wide(number).to_string(),
        "Date" => day_text(day(number)),
        "Date32" => day_text(wide_day(number)),
        "DateTime64(3, 'UTC')" => {
            let time = arrow::temporal_conversions::timestamp_ms_to_datetime(moment(number));
            time.expect("a moment").format("%Y-%m-%d %H:%M:%S%.3f").to_string()
        }
        "DateTime('UTC')" => clock(number, "%Y-%m-%d %H:%M:%S"),
        "DateTime64(1, 'UTC')" => clock(number, "%Y-%m-%d %H:%M:%S.0"),
        "DateTime64(9, 'UTC')" => clock(number, "%Y-%m-%d %H:%M:%S.000000000"),
        "Time" => {
            let seconds = small(number);
            let (sign, seconds) = (if seconds < 0 { "-" } else { "" }, seconds.abs());
            format!("{sign}{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
        }
        "IPv4" => std::net::Ipv4Addr::from(u32::from_le_bytes(low(number))).to_string(),
        "IPv6" => v6(number).to_string(),
        ENUM | WIDE_ENUM => (if number % 2 == 0 { "a" } else { "b" }).to_owned(),
        "Decimal(9, 3)" => shown("Decimal(20, 3)", nine_digits(number)),
        "Decimal(20, 3)" | "Decimal(60, 3)" => {
            let sign = if number < 0 { "-" } else { "" };
            let (whole, rest) = (number.unsigned_abs() / 1_000, number.unsigned_abs() % 1_000);
            let rest = format!("{rest:03}");
            let rest = rest.trim_end_matches('0');
            format!("{sign}{whole}{}{rest}", if rest.is_empty() { "" } else { "." })
        }
        // The empty text is among them.
        "String" => "ü".repeat(usize::try_from(small(number).rem_euclid(50)).expect("small")),
        "FixedString(3)" => String::from_utf8(three(number).to_vec()).expect("digits"),
        "UUID" => {
            let hex: String = sixteen(number).iter().map(|byte| format!("{byte:02x}")).collect();
            [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
        }
        other => panic!("{other}"),
    }
}

fn leaf(name: &str, is_dictionary: bool, values: &[&Value]) -> ArrayRef {
    let numbers = || values.iter().map(|value| value.number());
    let bytes = |size: i32, each: &dyn Fn(i64) -> Vec<u8>| -> ArrayRef {
        let rows = numbers().map(|number| number.map(each));
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(rows, size).expect("bytes"))
    };
    let array: ArrayRef = match name {
        "Bool" => Arc::new(numbers().map(|n| n.map(|n| n % 2 == 0)).collect::<BooleanArray>()),
        "Int8" => {
            Arc::new(numbers().map(|n| n.map(|n| i8::from_le_bytes(low(n)))).collect::<Int8Array>())
        }
        "UInt8" => Arc::new(
            numbers().map(|n| n.map(|n| u8::from_le_bytes(low(n)))).collect::<UInt8Array>(),
        ),
        "BFloat16" => {
            Arc::new(numbers().map(|n| n.map(|n| f32::from(tiny(n)))).collect::<Float32Array>())
        }
        "Int32" => Arc::new(
            numbers().map(|n| n.map(|n| i32::from_le_bytes(low(n)))).collect::<Int32Array>(),
        ),
        "UInt32" => Arc::new(
            numbers().map(|n| n.map(|n| u32::from_le_bytes(low(n)))).collect::<UInt32Array>(),
        ),
        "UInt128" => bytes(16, &|n| sixteen(n).to_vec()),
        "DateTime('UTC')" => Arc::new(
            numbers()
                .map(|n| n.map(seconds))
                .collect::<TimestampSecondArray>()
                .with_timezone("UTC"),
        ),
        "DateTime64(1, 'UTC')" => Arc::new(
            numbers()
                .map(|n| n.map(|n| seconds(n) * 1_000))
                .collect::<TimestampMillisecondArray>()
                .with_timezone("UTC"),
        ),
        "DateTime64(9, 'UTC')" => Arc::new(
            numbers()
                .map(|n| n.map(|n| seconds(n) * 1_000_000_000))
                .collect::<TimestampNanosecondArray>()
                .with_timezone("UTC"),
        ),
        "Time" => Arc::new(
            numbers().map(|n| n.map(|n| i64::from(small(n)))).collect::<DurationSecondArray>(),
        ),
        WIDE_ENUM => Arc::new(
            numbers()
                .map(|n| n.map(|n| if n % 2 == 0 { -1_000 } else { 2 }))
                .collect::<Int16Array>(),
        ),
        "Decimal(9, 3)" => {
            let decimals = numbers().map(|n| n.map(|n| i128::from(nine_digits(n))));
            let decimals = decimals.collect::<Decimal128Array>();
            Arc::new(decimals.with_precision_and_scale(9, 3).expect("a decimal"))
        }
        "Decimal(60, 3)" => {
            let decimals = numbers().map(|n| n.map(|n| i256::from_i128(i128::from(n))));
            let decimals = decimals.collect::<Decimal256Array>();
            Arc::new(decimals.with_precision_and_scale(60, 3).expect("a decimal"))
        }
        "Int16" => Arc::new(
            numbers().map(|n| n.map(|n| i16::from_le_bytes(low(n)))).collect::<Int16Array>(),
        ),
        "Int64" => Arc::new(numbers().collect::<Int64Array>()),
        "UInt64" => Arc::new(numbers().map(|n| n.map(i64::cast_unsigned)).collect::<UInt64Array>()),
        "Int128" => bytes(16, &|n| wide(n).to_le_bytes().to_vec()),
        "Float64" => Arc::new(
            numbers().map(|n| n.map(|n| f64::from(small(n)) / 4.0)).collect::<Float64Array>(),
        ),
        "Float32" => Arc::new(
            numbers()
                .map(|n| n.map(|n| f32::from(i16::try_from(small(n)).expect("small")) / 4.0))
                .collect::<Float32Array>(),
        ),
        "UInt16" => Arc::new(
            numbers().map(|n| n.map(|n| u16::from_le_bytes(low(n)))).collect::<UInt16Array>(),
        ),
        "Int256" => bytes(32, &|n| i256::from_i128(wide(n)).to_le_bytes().to_vec()),
        "Date" => Arc::new(numbers().map(|n| n.map(day)).collect::<Date32Array>()),
        "Date32" => Arc::new(numbers().map(|n| n.map(wide_day)).collect::<Date32Array>()),
        "DateTime64(3, 'UTC')" => Arc::new(
            numbers()
                .map(|n| n.map(moment))
                .collect::<TimestampMillisecondArray>()
                .with_timezone("UTC"),
        ),
        "IPv4" => Arc::new(
            numbers().map(|n| n.map(|n| u32::from_le_bytes(low(n)))).collect::<UInt32Array>(),
        ),
        "IPv6" => bytes(16, &|n| v6(n).octets().to_vec()),
        ENUM => Arc::new(
            numbers().map(|n| n.map(|n| if n % 2 == 0 { -1 } else { 2 })).collect::<Int8Array>(),
        ),
        "Decimal(20, 3)" => {
            let decimals = numbers().map(|n| n.map(i128::from)).collect::<Decimal128Array>();
            Arc::new(decimals.with_precision_and_scale(20, 3).expect("a decimal"))
        }
        // As views now and then: that is how texts come out of Parquet.
        "String" if !is_dictionary && values.len() % 2 == 1 => {
            Arc::new(numbers().map(|n| n.map(|n| shown(name, n))).collect::<StringViewArray>())
        }
        "String" => Arc::new(numbers().map(|n| n.map(|n| shown(name, n))).collect::<StringArray>()),
        "FixedString(3)" => bytes(3, &|n| three(n).to_vec()),
        "UUID" => bytes(16, &|n| sixteen(n).to_vec()),
        other => panic!("{other}"),
    };
    if !is_dictionary {
        return array;
    }
    let to = DataType::Dictionary(Box::new(DataType::Int32), Box::new(array.data_type().clone()));
    cast(&array, &to).expect("a dictionary")
}

fn shapes() -> impl Strategy<Value = Shape> {
    let plain = prop::sample::select(vec![
        "Bool",
        "Int16",
        "Int64",
        "UInt64",
        "Int128",
        "Float64",
        "Decimal(20, 3)",
        "String",
        "FixedString(3)",
        "UUID",
        "Float32",
        "Int256",
        "Date",
        "Date32",
        "DateTime64(3, 'UTC')",
        "IPv4",
        "IPv6",
        ENUM,
        WIDE_ENUM,
        "Int8",
        "UInt8",
        "Int32",
        "UInt32",
        "UInt128",
        "BFloat16",
        "DateTime('UTC')",
        "DateTime64(1, 'UTC')",
        "DateTime64(9, 'UTC')",
        "Time",
        "Decimal(9, 3)",
        "Decimal(60, 3)",
    ]);
    let leaf = prop_oneof![
        4 => (plain, any::<bool>()).prop_map(|(name, nullable)| Leaf(name, nullable, false)),
        1 => any::<bool>().prop_map(|nullable| Leaf("String", nullable, true)),
        1 => any::<bool>().prop_map(|nullable| Leaf("UInt16", nullable, true)),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|element| Shape::Array(Box::new(element))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Tuple),
            inner.prop_map(|value| Map(Box::new(value))),
        ]
    })
}

/// A type; batches of its values, some without rows; values around each slice.
fn tables() -> impl Strategy<Value = (Shape, Vec<Vec<Value>>, usize, usize)> {
    let table = |shape: Shape| {
        let batches = prop::collection::vec(prop::collection::vec(shape.values(), 0..12), 1..4);
        (Just(shape), batches)
    };
    (shapes().prop_flat_map(table), 0_usize..3, 0_usize..3)
        .prop_map(|((shape, batches), before, after)| (shape, batches, before, after))
}

#[test]
fn any_batch_reads_back_as_it_was() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let database = runtime.block_on(Database::new("round_trip"));
    let number = std::cell::Cell::new(0);
    let mut runner =
        TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&tables(), |(shape, batches, before, after)| {
        number.set(number.get() + 1);
        let found =
            runtime.block_on(round_trip(&database, number.get(), &shape, &batches, before, after));
        let expected: Vec<_> =
            batches.iter().flatten().map(|value| shape.text(value, false)).collect();
        prop_assert_eq!(found, Ok(expected), "{}", shape.name());
        Ok(())
    });
    runtime.block_on(database.drop());
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

async fn round_trip(
    database: &Database,
    number: u64,
    shape: &Shape,
    batches: &[Vec<Value>],
    before: usize,
    after: usize,
) -> Result<Vec<String>, String> {
    let mut table = database.events();
    table.name = format!("t{number}");
    table.columns = columns(&[("k", "UInt64"), ("v", &shape.name())]);
    assert!(ColumnType::parse(&shape.name()).is_ok());
    database.warehouse.prepare(CLUSTER, &table).await.map_err(|error| format!("{error:?}"))?;
    let mut next = 0;
    let batch = |values: &Vec<Value>| {
        // Rows of the batch itself stand around the slice: what is cut off must not be sent.
        let around =
            |count: usize| values.iter().cycle().take(if values.is_empty() { 0 } else { count });
        let (front, back) = (around(before), around(after));
        let all: Vec<&Value> = front.chain(values).chain(back).collect();
        let start = if values.is_empty() { 0 } else { before };
        let array = shape.array(&all).slice(start, values.len());
        let keys: ArrayRef =
            Arc::new(UInt64Array::from_iter_values(next..next + values.len() as u64));
        next += values.len() as u64;
        let fields = vec![
            Field::new("k", DataType::UInt64, false),
            Field::new("v", array.data_type().clone(), true),
        ];
        RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![keys, array]).expect("a batch")
    };
    let batches: Vec<_> = batches.iter().map(batch).collect();
    load(&database.warehouse, &table, token(number), &batches)
        .await
        .map_err(|error| format!("{error:?}"))?;
    let sql = format!("SELECT v FROM {}.{} ORDER BY k", database.name, table.name);
    let answer = database.warehouse.query_raw(CLUSTER, &sql, "TSV", 1 << 22).await;
    let answer = answer.map_err(|error| format!("{error:?}"))?;
    Ok(String::from_utf8_lossy(&answer).split_terminator('\n').map(str::to_owned).collect())
}
