//! `filter`: keeps the rows for which a condition holds.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, Scalar,
};
use arrow::compute::kernels::cmp;
use arrow::compute::{FilterBuilder, is_not_null, is_null, not, or_kleene, prep_null_mask_filter};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::error::ArrowError;
use model::ColumnType;
use model::document::{Filter as Condition, FilterOp};

use super::Frame;
use crate::MapError;
use crate::cast::{Target, TimeRules, plain};
use crate::plan::literal;

/// A condition whose values have been parsed by the column's type.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    at: usize,
    column: String,
    op: FilterOp,
    /// One array of one value for each value of the condition.
    values: Vec<ArrayRef>,
}

impl Filter {
    pub fn plan(
        condition: &Condition,
        at: usize,
        column_type: &ColumnType,
    ) -> Result<Self, String> {
        let op = condition.op;
        let is_ordered = !matches!(
            column_type.bare(),
            ColumnType::Enum(..) | ColumnType::Int(128..) | ColumnType::UInt(128..)
        );
        if !is_ordered && matches!(op, FilterOp::Lt | FilterOp::Le | FilterOp::Gt | FilterOp::Ge) {
            return Err(format!(
                "values of {column_type} have no order here; use eq, ne, in or not_in"
            ));
        }
        let target = Target::new(column_type, &Arc::new(TimeRules::new(None)?));
        let given = match (op, &condition.value) {
            (FilterOp::IsNull | FilterOp::NotNull, _) => &[][..],
            (_, Some(serde_json::Value::Array(values))) => values.as_slice(),
            (_, Some(value)) => std::slice::from_ref(value),
            (_, None) => return Err("a value to compare with is missing".to_owned()),
        };
        let parse = |value: &serde_json::Value| {
            if value.is_null() {
                return Err("NULL compares with nothing; use is_null or not_null".to_owned());
            }
            literal(&target, value).map_err(|words| {
                format!("the value does not fit column `{}`: {words}", condition.column)
            })
        };
        let values = given.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { at, column: condition.column.clone(), op, values })
    }

    pub fn run(&self, frame: Frame) -> Result<Frame, MapError> {
        self.try_run(frame).map_err(MapError::arrow(&self.column))
    }

    fn try_run(&self, frame: Frame) -> Result<Frame, ArrowError> {
        let keep = self.holds(&plain(&frame.columns[self.at])?)?;
        // NULL, that is unknown, is not true.
        let keep = if keep.null_count() > 0 { prep_null_mask_filter(&keep) } else { keep };
        if keep.true_count() == keep.len() {
            return Ok(frame);
        }
        let filter = FilterBuilder::new(&keep).optimize().build();
        let columns =
            frame.columns.iter().map(|column| filter.filter(column)).collect::<Result<_, _>>()?;
        let rows = keep.values().set_indices().map(|row| frame.rows[row]).collect();
        Ok(Frame { columns, rows })
    }

    fn holds(&self, column: &ArrayRef) -> Result<BooleanArray, ArrowError> {
        match self.op {
            FilterOp::IsNull => is_null(column),
            FilterOp::NotNull => is_not_null(column),
            FilterOp::In => self.any(column),
            FilterOp::NotIn => not(&self.any(column)?),
            op => match self.values.first() {
                Some(value) => compare(column, op, value),
                // The plan has refused this.
                None => Ok(BooleanArray::new_null(column.len())),
            },
        }
    }

    /// NULL where the column is, also for an empty list.
    fn any(&self, column: &ArrayRef) -> Result<BooleanArray, ArrowError> {
        let none = BooleanArray::new(
            arrow::buffer::BooleanBuffer::new_unset(column.len()),
            column.nulls().cloned(),
        );
        self.values.iter().try_fold(none, |found, value| {
            or_kleene(&found, &compare(column, FilterOp::Eq, value)?)
        })
    }
}

fn compare(column: &ArrayRef, op: FilterOp, value: &ArrayRef) -> Result<BooleanArray, ArrowError> {
    match column.data_type() {
        DataType::Float32 => Ok(floats(column.as_primitive::<Float32Type>(), op, value)),
        DataType::Float64 => Ok(floats(column.as_primitive::<Float64Type>(), op, value)),
        _ => {
            let value = Scalar::new(Arc::clone(value));
            match op {
                FilterOp::Ne => cmp::neq(column, &value),
                FilterOp::Lt => cmp::lt(column, &value),
                FilterOp::Le => cmp::lt_eq(column, &value),
                FilterOp::Gt => cmp::gt(column, &value),
                FilterOp::Ge => cmp::gt_eq(column, &value),
                _ => cmp::eq(column, &value),
            }
        }
    }
}

/// By IEEE 754, as ClickHouse compares: 0 equals -0, and NaN nothing. Arrow's
/// kernels order floats totally.
fn floats<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    op: FilterOp,
    value: &ArrayRef,
) -> BooleanArray
where
    T::Native: PartialOrd,
{
    let value = value.as_primitive::<T>().value(0);
    BooleanArray::from_unary(column, |own| match op {
        FilterOp::Ne => own != value,
        FilterOp::Lt => own < value,
        FilterOp::Le => own <= value,
        FilterOp::Gt => own > value,
        FilterOp::Ge => own >= value,
        _ => own == value,
    })
}
