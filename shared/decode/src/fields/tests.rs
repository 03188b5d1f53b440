//! Requests against a schema with structs, lists and maps.

use super::*;
use arrow::array::{
    BinaryViewArray, DictionaryArray, Int32Array, Int32Builder, LargeStringArray, ListBuilder,
    ListViewArray, MapArray, MapBuilder, StringBuilder, StringViewArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{Fields as ArrowFields, Int32Type as ArrowInt32};
use model::document::{Drift, Format};
use rstest::rstest;

use crate::test_support;

fn request(origins: &[&str], drift: Drift) -> Request {
    Request { drift, ..test_support::request(Format::Arrow, origins) }
}

fn nested() -> RecordBatch {
    let inner = ArrowFields::from(vec![Field::new("x", DataType::Int32, true)]);
    let point = StructArray::new(
        inner,
        vec![Arc::new(Int32Array::from(vec![Some(1), Some(2), None]))],
        Some(NullBuffer::from(vec![true, false, true])),
    );
    let mut list = ListBuilder::new(Int32Builder::new());
    list.append_value([Some(10), Some(11)]);
    list.append_null();
    list.append_value([Some(30)]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for (key, value) in [("a", 7), ("b", 8)] {
        map.keys().append_value(key);
        map.values().append_value(value);
    }
    map.append(true).unwrap();
    map.append(true).unwrap();
    map.append(false).unwrap();
    RecordBatch::try_from_iter([
        ("id", Arc::new(Int32Array::from(vec![1, 2, 3])) as ArrayRef),
        ("point", Arc::new(point)),
        ("list", Arc::new(list.finish())),
        ("map", Arc::new(map.finish())),
    ])
    .unwrap()
}

fn values(origin: &str) -> Vec<Option<i32>> {
    let (batch, request) = (nested(), request(&[origin], Drift::default()));
    let fields = Fields::find(&batch.schema(), &request).unwrap();
    let out = fields.extract(&batch, &request).unwrap();
    assert_eq!(out.schema().field(0).name(), &format!("to_{origin}"));
    out.column(0).as_primitive::<arrow::datatypes::Int32Type>().iter().collect()
}

#[rstest]
#[case("id", &[Some(1), Some(2), Some(3)])]
#[case("point.x", &[Some(1), None, None])]
#[case("list.0", &[Some(10), None, Some(30)])]
#[case("list.1", &[Some(11), None, None])]
#[case("map.b", &[Some(8), None, None])]
fn paths_reach_values(#[case] origin: &str, #[case] expected: &[Option<i32>]) {
    assert_eq!(values(origin), expected);
}

/// However the texts of its keys lie, a map is asked by them; a list by its places.
#[test]
fn keys_and_places_are_found_in_every_form() {
    let keys: [ArrayRef; 6] = [
        Arc::new(StringArray::from(vec!["a", "b", "b"])),
        Arc::new(LargeStringArray::from(vec!["a", "b", "b"])),
        Arc::new(StringViewArray::from(vec!["a", "b", "b"])),
        Arc::new(BinaryArray::from_iter_values(["a", "b", "b"])),
        Arc::new(BinaryViewArray::from_iter_values(["a", "b", "b"])),
        Arc::new(["a", "b", "b"].into_iter().collect::<DictionaryArray<ArrowInt32>>()),
    ];
    for keys in keys {
        let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let fields = ArrowFields::from(vec![
            Field::new("keys", keys.data_type().clone(), false),
            Field::new("values", DataType::Int32, true),
        ]);
        let entries = StructArray::new(fields.clone(), vec![keys.clone(), values], None);
        let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
        let offsets = OffsetBuffer::from_lengths([1, 2]);
        let map: ArrayRef = Arc::new(MapArray::new(field, offsets, entries, None, false));
        let found = Step::into(&Step::Key("b".to_owned()), &map).unwrap();
        let found = found.as_primitive::<ArrowInt32>().clone();
        assert_eq!(found, Int32Array::from(vec![None, Some(3)]), "{}", keys.data_type());
        // What is read as bytes is located by what it means, a text.
        let is_bytes = matches!(keys.data_type(), DataType::Binary | DataType::BinaryView);
        assert_eq!(is_text(keys.data_type()), !is_bytes);
    }
    let element = Arc::new(Field::new("item", DataType::Int32, true));
    let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let (offsets, sizes) = (vec![1, 0].into(), vec![2, 1].into());
    let list: ArrayRef = Arc::new(ListViewArray::new(element, offsets, sizes, values, None));
    let found = Step::into(&Step::Element(1), &list).unwrap();
    let found = found.as_primitive::<ArrowInt32>().clone();
    assert_eq!(found, Int32Array::from(vec![Some(3), None]));
}

#[rstest]
#[case("nothing")]
#[case("id.x")]
#[case("point.y")]
#[case("list.x")]
fn what_is_missing_is_null(#[case] origin: &str) {
    let (batch, request) = (nested(), request(&[origin, "map"], Drift::default()));
    let fields = Fields::find(&batch.schema(), &request).unwrap();
    let out = fields.extract(&batch, &request).unwrap();
    assert_eq!((out.num_rows(), out.column(0).logical_null_count()), (3, 3));
}

#[test]
fn an_object_with_none_of_the_columns_is_another_object() {
    let (batch, request) = (nested(), request(&["ID", "point.y"], Drift::default()));
    let error = Fields::find(&batch.schema(), &request).unwrap_err().to_string();
    assert!(
        error.contains("`id`, `point`, `list`, `map`") && error.contains("`ID`, `point.y`"),
        "{error}"
    );
}

#[rstest]
#[case(UnknownColumn::Ignore, MissingColumn::Quarantine, "has no `gone`")]
#[case(UnknownColumn::Quarantine, MissingColumn::Null, "has a column `point`")]
fn drift_refuses_rows(
    #[case] unknown: UnknownColumn,
    #[case] missing: MissingColumn,
    #[case] words: &str,
) {
    let request = request(&["id", "gone"], Drift { unknown, missing });
    let fields = Fields::find(&nested().schema(), &request).unwrap();
    assert!(fields.refused().unwrap().contains(words), "{:?}", fields.refused());
}

#[rstest]
#[case(UnknownColumn::Ignore, MissingColumn::Fail, "no `gone`, which column `to_gone` reads")]
#[case(UnknownColumn::Fail, MissingColumn::Null, "column `point` that the source does not know")]
fn drift_fails_the_object(
    #[case] unknown: UnknownColumn,
    #[case] missing: MissingColumn,
    #[case] words: &str,
) {
    let request = request(&["id", "gone"], Drift { unknown, missing });
    let error = Fields::find(&nested().schema(), &request).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn a_column_read_in_part_is_known() {
    let drift = Drift { unknown: UnknownColumn::Fail, missing: MissingColumn::Null };
    let request = request(&["id", "point.x", "list.0", "map.zz"], drift);
    let fields = Fields::find(&nested().schema(), &request).unwrap();
    assert_eq!(fields.columns(), [0, 1, 2, 3]);
    assert_eq!(fields.paths().nth(1).unwrap(), ["point", "x"]);
    assert_eq!(fields.paths().nth(2).unwrap(), ["list"]);
}

#[test]
fn two_columns_of_one_name_are_ambiguous() {
    let schema = Schema::new(vec![
        Field::new("a", DataType::Int32, true),
        Field::new("a", DataType::Utf8, true),
    ]);
    let error = Fields::find(&schema, &request(&["a"], Drift::default())).unwrap_err().to_string();
    assert!(error.contains("two columns are named `a`"), "{error}");
}
