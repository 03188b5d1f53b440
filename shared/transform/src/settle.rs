//! What becomes of NULL and of bad values: the column's `required`, `default`
//! and `on_error`.

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder, Scalar, new_null_array};
use arrow::compute::cast;
use arrow::compute::kernels::zip::zip;
use arrow::error::ArrowError;
use model::document::BadValue;

use crate::cast::{Bad, Casted, Fault, plain};

/// What a column says about NULL and bad values.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// NULL is bad, whatever the type.
    pub required: bool,
    /// The type takes NULL.
    pub nullable: bool,
    /// One value, of the column's Arrow type.
    pub default: Option<ArrayRef>,
    /// What a bad value does.
    pub on_error: BadValue,
}

/// A column of which every row is decided.
pub(crate) struct Settled {
    /// The values; anything where the row is rejected.
    pub array: ArrayRef,
    /// Rows to put aside, ascending.
    pub rejected: Vec<Bad>,
    /// The first bad row of a column that says `on_error: fail`.
    pub failed: Option<Bad>,
}

impl Policy {
    /// Decides every row of a column.
    pub fn settle(&self, casted: Casted) -> Result<Settled, ArrowError> {
        let Casted { array, bad } = casted;
        let null_is_fine = self.nullable && !self.required && self.default.is_none();
        if bad.is_empty() && (null_is_fine || array.null_count() == 0) {
            return Ok(Settled { array, rejected: Vec::new(), failed: None });
        }
        // NULL and values are put row by row, which a dictionary does not take.
        let array = plain(&array)?;
        let mut settled = Settled { array, rejected: Vec::new(), failed: None };
        let (mut defaults, mut nulls) = (Vec::new(), Vec::new());
        if !null_is_fine {
            self.settle_nulls(&mut settled, &bad, &mut defaults);
        }
        for bad in bad {
            match self.on_error {
                BadValue::Quarantine => settled.rejected.push(bad),
                BadValue::Null => nulls.push(bad.row),
                BadValue::Default => defaults.push(bad.row),
                BadValue::Fail => settled.fail(bad),
            }
        }
        if let Some(default) = &self.default {
            settled.put(&defaults, default)?;
        }
        let null = new_null_array(settled.array.data_type(), 1);
        settled.put(&nulls, &null)?;
        settled.rejected.sort_by_key(|bad| bad.row);
        Ok(settled)
    }

    /// Rows that are NULL and were not bad already.
    fn settle_nulls(&self, settled: &mut Settled, bad: &[Bad], defaults: &mut Vec<usize>) {
        let Some(nulls) = settled.array.logical_nulls() else { return };
        let fault = if self.required { Fault::Required } else { Fault::Null };
        let known = |row: usize| bad.binary_search_by_key(&row, |bad| bad.row).is_ok();
        for row in (0..nulls.len()).filter(|row| nulls.is_null(*row) && !known(*row)) {
            if !self.required && self.default.is_some() {
                defaults.push(row);
                continue;
            }
            let bad = Bad { row, fault: fault.clone() };
            if self.on_error == BadValue::Fail {
                settled.fail(bad)
            } else {
                settled.rejected.push(bad)
            }
        }
    }
}

impl Settled {
    fn fail(&mut self, bad: Bad) {
        if self.failed.as_ref().is_none_or(|first| bad.row < first.row) {
            self.failed = Some(bad);
        }
    }

    /// Puts one value into these rows.
    fn put(&mut self, rows: &[usize], value: &ArrayRef) -> Result<(), ArrowError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut mask = BooleanBufferBuilder::new(self.array.len());
        mask.append_n(self.array.len(), false);
        for row in rows {
            mask.set_bit(*row, true);
        }
        let mask = BooleanArray::new(mask.finish(), None);
        // A default is text where the column may hold bytes.
        let value = cast(value, self.array.data_type())?;
        self.array = zip(&mask, &Scalar::new(value), &self.array)?;
        Ok(())
    }
}
