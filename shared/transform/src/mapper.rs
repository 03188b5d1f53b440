//! The way of a batch: cast each column, put bad rows aside, do the steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, RecordBatch, UInt32Array};
use arrow::compute::{FilterBuilder, take};
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use model::document::{OutputColumn, SourceDocument};
use model::{Captures, ColumnType, RejectedRow};

use crate::cast::{Fault, value_text};
use crate::plan::{self, ColumnPlan, MappedField, Origin};
use crate::steps::{Frame, Steps};
use native::arrow_field;

use crate::MapError;

/// Turns the decoded batches of one object into batches for its table.
#[derive(Debug, Clone)]
pub struct Mapper {
    columns: Vec<ColumnPlan>,
    fields: Vec<MappedField>,
    steps: Steps,
    /// Which of the columns that the steps leave become one array for each field.
    nested: Vec<bool>,
    schema: SchemaRef,
}

/// A batch for the table, and what became of the source rows: `written`,
/// `filtered` and the rejected ones together are all of them.
#[derive(Debug)]
pub struct Mapped {
    /// The rows for the table, as [`Mapper::schema`] says; a column of
    /// `LowCardinality` may be a dictionary of that type, one of `String` bytes.
    pub batch: RecordBatch,
    /// Ordinal of the source row of each row of `batch`.
    pub source_rows: Vec<u64>,
    /// Source rows of which at least one row is in `batch`.
    pub written: u64,
    /// Source rows that a step dropped.
    pub filtered: u64,
    /// Source rows that do not fit, in order, each once.
    pub rejected: Vec<RejectedRow>,
}

/// The bad values of a batch: for each row its columns, in document order.
type BadRows = BTreeMap<usize, Vec<(usize, Fault)>>;

/// Whether a document can be planned: its defaults, constants, time formats and
/// steps fit its columns. What only a key can tell is not looked at.
///
/// # Errors
/// [`MapError::Document`] with the path of the field.
pub fn check(document: &SourceDocument) -> Result<(), MapError> {
    plan::columns(document, None)?;
    Steps::plan(document)?;
    Ok(())
}

impl Mapper {
    /// Plans what is done with the batches of one object of the source.
    ///
    /// # Errors
    /// [`MapError::Document`] when a default, a constant, a time format or a
    /// step does not fit its column; [`MapError::Capture`] when a part of the
    /// object's key does not.
    pub fn new(document: &SourceDocument, captures: &Captures) -> Result<Self, MapError> {
        let (columns, fields) = plan::columns(document, Some(captures))?;
        let (steps, output) = Steps::plan(document)?;
        let nested = output
            .iter()
            .map(|column| matches!(column.column_type, ColumnType::Nested(_)))
            .collect();
        let output = output.into_iter().flat_map(OutputColumn::expanded);
        let fields_out: Vec<_> =
            output.map(|column| arrow_field(&column.name, &column.column_type)).collect();
        Ok(Self { columns, fields, steps, nested, schema: Arc::new(Schema::new(fields_out)) })
    }

    /// What must be decoded, in the order in which [`Mapper::apply`] expects it.
    #[must_use]
    pub fn fields(&self) -> &[MappedField] {
        &self.fields
    }

    /// Schema of [`Mapped::batch`], without provenance columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Maps one decoded batch. `row_numbers` holds the ordinal of each row
    /// within the object; `raw` gives a row of the batch as it stands there.
    ///
    /// # Errors
    /// [`MapError::Value`] at a bad value under `on_error: fail`;
    /// [`MapError::Batch`] and [`MapError::Arrow`] when the batch as a whole
    /// cannot be handled.
    pub fn apply(
        &self,
        batch: &RecordBatch,
        row_numbers: &[u64],
        raw: &dyn Fn(usize) -> Vec<u8>,
    ) -> Result<Mapped, MapError> {
        if batch.num_columns() != self.fields.len() || batch.num_rows() != row_numbers.len() {
            return Err(MapError::Batch {
                found: batch.num_columns(),
                expected: self.fields.len(),
                rows: row_numbers.len(),
                batch_rows: batch.num_rows(),
            });
        }
        let (arrays, bad) = self.cast(batch, row_numbers)?;
        let rejected = bad
            .iter()
            .map(|(row, faults)| self.rejected(batch, *row, faults, row_numbers, raw))
            .collect();
        let frame = self.kept(arrays, &bad, row_numbers)?;
        let kept = frame.rows.len();
        let frame = self.steps.run(frame)?;
        let written = distinct(&frame.rows);
        let batch = self.batch(frame.columns)?;
        Ok(Mapped {
            batch,
            source_rows: frame.rows,
            written: count(written),
            filtered: count(kept - written),
            rejected,
        })
    }

    /// The columns as a batch: of [`Mapper::schema`], but for columns that are
    /// held as dictionaries or as views.
    fn batch(&self, columns: Vec<ArrayRef>) -> Result<RecordBatch, MapError> {
        let mut expanded = Vec::with_capacity(self.schema.fields().len());
        for (column, is_nested) in columns.into_iter().zip(&self.nested) {
            if *is_nested {
                expanded.extend(arrays_of_fields(&column).map_err(MapError::arrow(""))?);
            } else {
                expanded.push(column);
            }
        }
        let columns = expanded;
        let is_as_planned = self
            .schema
            .fields()
            .iter()
            .zip(&columns)
            .all(|(field, column)| field.data_type() == column.data_type());
        let schema = if is_as_planned {
            self.schema()
        } else {
            let fields = self.schema.fields().iter().zip(&columns).map(|(field, column)| {
                Field::new(field.name(), column.data_type().clone(), field.is_nullable())
            });
            Arc::new(Schema::new(fields.collect::<Vec<_>>()))
        };
        RecordBatch::try_new(schema, columns).map_err(MapError::arrow(""))
    }

    /// Casts every column that was decoded.
    fn cast(
        &self,
        batch: &RecordBatch,
        row_numbers: &[u64],
    ) -> Result<(Vec<ArrayRef>, BadRows), MapError> {
        let mut bad = BadRows::new();
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (at, column) in self.columns.iter().enumerate() {
            let source = match &column.origin {
                Origin::Field(field) => batch.column(*field),
                Origin::Same(one) => {
                    arrays.push(Arc::clone(one));
                    continue;
                }
            };
            let settled = column
                .target
                .cast(source)
                .and_then(|casted| column.policy.settle(casted))
                .map_err(MapError::arrow(&column.name))?;
            if let Some(failed) = settled.failed {
                return Err(MapError::Value {
                    row: row_numbers[failed.row],
                    column: column.name.clone(),
                    column_type: column.target.column_type.to_string(),
                    reason: column.reason(&failed.fault, source, failed.row),
                });
            }
            for one in settled.rejected {
                bad.entry(one.row).or_default().push((at, one.fault));
            }
            arrays.push(settled.array);
        }
        Ok((arrays, bad))
    }

    /// The rows that were not rejected, with all columns at full length.
    fn kept(
        &self,
        arrays: Vec<ArrayRef>,
        bad: &BadRows,
        row_numbers: &[u64],
    ) -> Result<Frame, MapError> {
        let kept = row_numbers.len() - bad.len();
        let good: Option<BooleanArray> = (!bad.is_empty())
            .then(|| (0..row_numbers.len()).map(|row| Some(!bad.contains_key(&row))).collect());
        let filter = good.as_ref().map(|good| FilterBuilder::new(good).optimize().build());
        let mut columns = Vec::with_capacity(arrays.len());
        for (array, plan) in arrays.into_iter().zip(&self.columns) {
            columns.push(match (&plan.origin, &filter) {
                (Origin::Same(one), _) => {
                    repeated(one, kept).map_err(MapError::arrow(&plan.name))?
                }
                (Origin::Field(_), Some(filter)) => {
                    filter.filter(&array).map_err(MapError::arrow(&plan.name))?
                }
                (Origin::Field(_), None) => array,
            });
        }
        let rows = row_numbers
            .iter()
            .enumerate()
            .filter(|(row, _)| !bad.contains_key(row))
            .map(|(_, n)| *n);
        Ok(Frame {
            columns,
            rows: if bad.is_empty() { row_numbers.to_vec() } else { rows.collect() },
        })
    }

    /// A bad row with its first bad column; the others are named in the reason.
    fn rejected(
        &self,
        batch: &RecordBatch,
        row: usize,
        faults: &[(usize, Fault)],
        row_numbers: &[u64],
        raw: &dyn Fn(usize) -> Vec<u8>,
    ) -> RejectedRow {
        let words = |(at, fault): &(usize, Fault)| {
            let column = &self.columns[*at];
            match &column.origin {
                Origin::Field(field) => (column, column.reason(fault, batch.column(*field), row)),
                // Settled when it was planned.
                Origin::Same(_) => (column, String::new()),
            }
        };
        let mut rejected = RejectedRow {
            row: row_numbers[row],
            column: String::new(),
            column_type: String::new(),
            reason: String::new(),
            raw: raw(row),
        };
        for fault in faults {
            let (column, reason) = words(fault);
            if rejected.column.is_empty() {
                rejected.column.clone_from(&column.name);
                rejected.column_type = column.target.column_type.to_string();
                rejected.reason = reason;
            } else {
                rejected.add(&column.name, &reason);
            }
        }
        rejected
    }
}

impl ColumnPlan {
    fn reason(&self, fault: &Fault, source: &ArrayRef, row: usize) -> String {
        fault.describe(&value_text(source, row), &self.target.column_type)
    }
}

/// A list of structs as one list for each field.
fn arrays_of_fields(rows: &ArrayRef) -> Result<Vec<ArrayRef>, ArrowError> {
    let list = rows.as_list::<i32>();
    let fields = list.values().as_struct();
    let list_of = |(field, values): (&Arc<Field>, &ArrayRef)| {
        let item = Field::new("item", field.data_type().clone(), field.is_nullable());
        let array = ListArray::try_new(
            Arc::new(item),
            list.offsets().clone(),
            Arc::clone(values),
            list.nulls().cloned(),
        )?;
        Ok(Arc::new(array) as ArrayRef)
    };
    fields.fields().iter().zip(fields.columns()).map(list_of).collect()
}

/// One value in so many rows.
fn repeated(one: &ArrayRef, rows: usize) -> Result<ArrayRef, ArrowError> {
    take(one, &UInt32Array::from_value(0, rows), None)
}

/// How many source rows there are; the rows of one stand side by side.
fn distinct(rows: &[u64]) -> usize {
    rows.chunk_by(|one, next| one == next).count()
}

/// No platform of ours has a `usize` above 64 bits.
fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
