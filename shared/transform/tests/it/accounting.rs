//! Whatever the rows hold: every source row is written, filtered or rejected,
//! exactly once, and never a row is made up.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use proptest::prelude::*;

use crate::support::{apply, document, values};

const COLUMNS: &str = "  - {name: id, type: UInt8}\n  \
     - {name: amount, type: 'Nullable(Decimal(6, 2))', on_error: 'null'}\n  \
     - {name: at, type: DateTime, default: '2026-01-01'}\n  \
     - {name: tags, type: Array(Int8), default: '[]'}\n  \
     - {name: who, type: String, required: true}";
const STEPS: &str = "transform: [{filter: {column: id, op: lt, value: 150}}, {explode: {column: tags, position: n}}, \
     {filter: {column: tags, op: ne, value: 3}}, {trim: [who]}, {drop: [amount]}]";

fn cell() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        (0_u32..300).prop_map(|n| Some(n.to_string())),
        proptest::collection::vec(0_u8..6, 0..4).prop_map(|v| Some(format!("{v:?}"))),
        Just(Some("2026-05-05T10:00:00Z".to_owned())),
        "\\PC{0,6}".prop_map(Some),
    ]
}

proptest! {
    #[test]
    fn rows_are_accounted_for(rows in proptest::collection::vec(proptest::array::uniform5(cell()), 0..40)) {
        let column = |at: usize| -> ArrayRef {
            Arc::new(rows.iter().map(|row| row[at].clone()).collect::<StringArray>())
        };
        // `apply` asserts that the sum closes.
        let mapped = apply(&document(COLUMNS, STEPS), (0..5).map(column).collect());
        let rejected: BTreeSet<u64> = mapped.rejected.iter().map(|row| row.row).collect();
        let written: BTreeSet<u64> = mapped.source_rows.iter().copied().collect();
        prop_assert_eq!(rejected.len(), mapped.rejected.len());
        prop_assert_eq!(u64::try_from(written.len()).unwrap(), mapped.written);
        prop_assert!(rejected.is_disjoint(&written));
        prop_assert!(mapped.source_rows.is_sorted());
        let ids = values(mapped.batch.column(0));
        for (id, row) in ids.iter().zip(&mapped.source_rows) {
            let source = rows[usize::try_from(row - 100).unwrap()][0].as_deref().unwrap();
            prop_assert_eq!(id.parse::<f64>().unwrap(), source.trim().parse::<f64>().unwrap());
        }
    }

    #[test]
    fn any_text_is_decided_for_any_type(
        text in cell(),
        column_type in proptest::sample::select(vec![
            "Bool", "Int8", "UInt64", "Float32", "Float64", "Decimal(10, 3)", "String", "FixedString(3)", "UUID", "Date",
            "Date32", "DateTime", "DateTime64(3)", "DateTime64(9)", "IPv4", "IPv6", "Array(Int8)", "Tuple(Int8, String)",
            "Map(String, Int8)", "Array(Map(String, Array(Date)))", "Enum8('1' = 1)",
        ]),
    ) {
        let rows: ArrayRef = Arc::new(StringArray::from(vec![text, None]));
        apply(&document(&format!("  - {{name: c, type: \"{column_type}\"}}"), ""), vec![rows]);
    }
}
