//! `explode`: makes one row of each element of an array column.

use std::sync::Arc;

use arrow::array::{Array, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::error::ArrowError;
use model::ColumnType;
use model::document::{Explode as Spec, OutputColumn};

use super::Frame;
use crate::MapError;

/// The array column, and whether positions are wanted.
#[derive(Debug, Clone)]
pub(super) struct Explode {
    at: usize,
    column: String,
    position: bool,
}

impl Explode {
    pub fn plan(spec: &Spec, at: usize, columns: &mut Vec<OutputColumn>) -> Result<Self, String> {
        let ColumnType::Array(element) = &columns[at].column_type else {
            return Err(format!(
                "`explode` works on an Array; `{}` is {}",
                spec.column, columns[at].column_type
            ));
        };
        columns[at].column_type = element.as_ref().clone();
        if let Some(name) = &spec.position {
            columns.insert(
                at + 1,
                OutputColumn { name: name.clone(), column_type: ColumnType::UInt(32) },
            );
        }
        Ok(Self { at, column: spec.column.clone(), position: spec.position.is_some() })
    }

    pub fn run(&self, frame: Frame) -> Result<Frame, MapError> {
        self.try_run(frame).map_err(MapError::arrow(&self.column))
    }

    fn try_run(&self, frame: Frame) -> Result<Frame, ArrowError> {
        let list = frame.columns[self.at].as_list::<i32>();
        // An Array column holds no NULL, so the elements lie without a gap.
        let offsets = list.offsets();
        let start = usize::try_from(offsets[0]).unwrap_or_default();
        let count = usize::try_from(offsets[offsets.len() - 1] - offsets[0]).unwrap_or_default();
        let elements = list.values().slice(start, count);

        let (mut sources, mut positions) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut rows = Vec::with_capacity(count);
        for (row, length) in offsets.lengths().enumerate() {
            let source = u32::try_from(row).map_err(|_| ArrowError::OffsetOverflowError(row))?;
            for position in 0..length {
                sources.push(source);
                rows.push(frame.rows[row]);
                positions.push(
                    u32::try_from(position)
                        .map_err(|_| ArrowError::OffsetOverflowError(position))?,
                );
            }
        }
        let sources = UInt32Array::from(sources);
        let mut columns = Vec::with_capacity(frame.columns.len() + 1);
        for (at, column) in frame.columns.iter().enumerate() {
            columns.push(if at == self.at {
                Arc::clone(&elements)
            } else {
                take(column, &sources, None)?
            });
        }
        if self.position {
            columns.insert(self.at + 1, Arc::new(UInt32Array::from(positions)));
        }
        Ok(Frame { columns, rows })
    }
}
