//! What bytes mean, type by type.

use arrow::array::{
    BinaryArray, BinaryBuilder, DictionaryArray, FixedSizeBinaryArray, FixedSizeListBuilder,
    Int32Array, LargeBinaryArray, ListBuilder, MapBuilder, StringBuilder,
};
use arrow::datatypes::TimeUnit;
use arrow::util::display::array_value_to_string;
use rstest::rstest;

use super::*;

/// Nanoseconds of the day, then the Julian day.
fn old(moments: &[(i64, i32)]) -> ArrayRef {
    let bytes = moments
        .iter()
        .map(|(nanoseconds, day)| [&nanoseconds.to_le_bytes()[..], &day.to_le_bytes()].concat());
    Arc::new(FixedSizeBinaryArray::try_from_iter(bytes).unwrap())
}

fn shown(array: &ArrayRef) -> Vec<String> {
    (0..array.len()).map(|row| array_value_to_string(array, row).unwrap()).collect()
}

const EPOCH: i32 = 2_440_588;
/// 9999-12-31.
const FAR: i32 = 5_373_484;

#[rstest]
#[case(&[(1, EPOCH)], Digits::All, "Timestamp(ns)", &["1970-01-01T00:00:00.000000001"])]
#[case(&[(1, EPOCH)], Digits::Six, "Timestamp(µs)", &["1970-01-01T00:00:00"])]
#[case(&[(-1, EPOCH)], Digits::Six, "Timestamp(µs)", &["1969-12-31T23:59:59.999999"])]
#[case(&[(2_000, FAR)], Digits::All, "Timestamp(µs)", &["9999-12-31T00:00:00.000002"])]
// The last nanosecond that 64 bits count from 1970, and the next.
#[case(&[(85_636_854_775_807, EPOCH + 106_751)], Digits::All, "Timestamp(ns)", &["2262-04-11T23:47:16.854775807"])]
#[case(&[(85_636_854_775_808, EPOCH + 106_751)], Digits::All, "Utf8", &["2262-04-11T23:47:16.854775808"])]
// Some need all digits and others a far year: no unit holds both.
#[case(&[(1, EPOCH), (0, FAR)], Digits::All, "Utf8", &["1970-01-01T00:00:00.000000001", "9999-12-31T00:00:00"])]
#[case(&[(1, EPOCH), (0, 1_721_426)], Digits::All, "Utf8", &["1970-01-01T00:00:00.000000001", "0001-01-01T00:00:00"])]
// Beyond what 64 bits count in microseconds.
#[case(&[(0, i32::MAX)], Digits::Six, "Utf8", &["+5874898-06-03T00:00:00"])]
#[case(&[(1_500_000, i32::MIN)], Digits::Six, "Utf8", &["-5884323-05-15T00:00:00.001500"])]
fn old_moments_keep_every_digit(
    #[case] moments: &[(i64, i32)],
    #[case] digits: Digits,
    #[case] data_type: &str,
    #[case] expected: &[&str],
) {
    let meant = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let found = as_meant(&old(moments), &meant, digits).unwrap();
    assert_eq!(found.data_type().to_string(), data_type);
    assert_eq!(shown(&found), expected);
}

/// A text of a moment with a zone is a moment still.
#[test]
fn old_moments_with_a_zone_say_so_as_texts() {
    let meant = DataType::Timestamp(TimeUnit::Nanosecond, Some("Europe/Berlin".into()));
    let found = as_meant(&old(&[(1, EPOCH), (0, FAR)]), &meant, Digits::All).unwrap();
    assert_eq!(shown(&found), ["1970-01-01T00:00:00.000000001Z", "9999-12-31T00:00:00Z"]);
}

/// Every day of some centuries, against arrow's calendar.
#[test]
fn days_of_texts_are_those_of_the_calendar() {
    let days: Vec<i32> = (-1_000_000..1_000_000).step_by(97).collect();
    let moments: Vec<_> = days.iter().map(|day| (1, day + EPOCH)).collect();
    let meant = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let texts = as_meant(&old(&moments), &meant, Digits::All).unwrap();
    assert_eq!(texts.data_type(), &DataType::Utf8);
    let dates: ArrayRef = Arc::new(arrow::array::Date32Array::from(days));
    let dates: Vec<_> =
        shown(&dates).iter().map(|day| format!("{day}T00:00:00.000000001")).collect();
    assert_eq!(shown(&texts), dates);
}

fn both(good: bool) -> [&'static [u8]; 2] {
    if good { [b"a", "ü".as_bytes()] } else { [b"a", b"\xff"] }
}

fn lists(good: bool) -> ArrayRef {
    let mut made = ListBuilder::new(BinaryBuilder::new());
    made.append_value([Some(b"before a slice")]);
    made.append_value(both(good).map(Some));
    Arc::new(made.finish().slice(1, 1))
}

fn maps(good: bool) -> ArrayRef {
    let mut made = MapBuilder::new(None, BinaryBuilder::new(), BinaryBuilder::new());
    for _ in 0..2 {
        made.keys().append_value(both(good)[1]);
        made.values().append_value(both(good)[1]);
        made.append(true).unwrap();
    }
    Arc::new(made.finish().slice(1, 1))
}

fn fixed(good: bool) -> ArrayRef {
    let mut made = FixedSizeListBuilder::new(BinaryBuilder::new(), 2);
    both(good).iter().for_each(|bytes| made.values().append_value(bytes));
    made.append(true);
    Arc::new(made.finish())
}

fn words(good: bool) -> ArrayRef {
    let words: ArrayRef = Arc::new(BinaryArray::from(both(good).to_vec()));
    Arc::new(DictionaryArray::new(Int32Array::from(vec![Some(1), Some(0), None]), words))
}

fn structs_of(good: bool) -> ArrayRef {
    let list = lists(good);
    let field = Arc::new(Field::new("l", list.data_type().clone(), true));
    Arc::new(StructArray::from(vec![(field, list)]))
}

/// Texts come out where all bytes are; else the bytes, of the same values.
#[rstest]
#[case(|good| Arc::new(BinaryArray::from(both(good).to_vec())) as ArrayRef)]
#[case(|good| Arc::new(LargeBinaryArray::from(both(good).to_vec())) as ArrayRef)]
#[case(|good| Arc::new(arrow::array::BinaryViewArray::from(both(good).to_vec())) as ArrayRef)]
#[case(lists)]
#[case(fixed)]
#[case(maps)]
#[case(words)]
#[case(structs_of)]
fn bytes_are_texts_where_they_can_be(#[case] made: fn(bool) -> ArrayRef) {
    let texts = |array: &ArrayRef| {
        let text = array.data_type().to_string().replace("Binary", "Utf8");
        let meant = match array.data_type() {
            DataType::LargeBinary => DataType::LargeUtf8,
            DataType::BinaryView => DataType::Utf8View,
            other => each_leaf(other, &mut |leaf| Some(as_text(leaf))).unwrap(),
        };
        (text, as_meant(array, &meant, Digits::All).unwrap())
    };
    let (text, found) = texts(&made(true));
    assert_eq!(found.data_type().to_string(), text);
    assert!(shown(&found).concat().contains('ü'), "{:?}", shown(&found));

    let (_, found) = texts(&made(false));
    assert_eq!(&found, &made(false));
}

fn as_text(leaf: &DataType) -> DataType {
    match leaf {
        DataType::Binary => DataType::Utf8,
        DataType::Dictionary(key, _) => DataType::Dictionary(key.clone(), Box::new(DataType::Utf8)),
        other => other.clone(),
    }
}

/// What a column of texts takes is not looked at.
#[test]
fn a_column_of_texts_takes_bytes() {
    let bytes: ArrayRef = Arc::new(BinaryArray::from(both(true).to_vec()));
    let of = |column_type: &str| {
        let column_type = ColumnType::parse(column_type).unwrap();
        of_field(&bytes, &DataType::Utf8, Some(&column_type)).unwrap().data_type().clone()
    };
    assert_eq!(of("LowCardinality(Nullable(String))"), DataType::Binary);
    assert_eq!(of("JSON"), DataType::Utf8);
    let found = of_field(&bytes, &DataType::Utf8, None).unwrap();
    assert_eq!(found.data_type(), &DataType::Utf8);
}

#[test]
fn leaves_are_found_and_changed_in_order() {
    let mut map =
        MapBuilder::new(None, StringBuilder::new(), ListBuilder::new(StringBuilder::new()));
    let map = map.finish().data_type().clone();
    let words = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let schema = Schema::new(vec![
        Field::new("a", DataType::Int32, false),
        Field::new("m", map, true),
        Field::new("w", words.clone(), true),
    ]);
    let found = leaves(&schema);
    assert_eq!(found, [DataType::Int32, DataType::Utf8, DataType::Utf8, words]);
    let read = with_leaves(&schema, found.iter().map(as_bytes));
    assert_eq!(with_leaves(&read, found), schema);
    assert_eq!(
        leaves(&read)[1..],
        [
            DataType::Binary,
            DataType::Binary,
            DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Binary))
        ]
    );
    assert!(!read.field(0).is_nullable());
}
