//! `hash`, `mask`, `trim` and `map`: the steps that change texts. NULL stays
//! NULL in all of them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use model::document::{Hash, MapValues, Mask};
use sha2::{Digest, Sha256};

use super::Frame;
use crate::MapError;
use crate::cast::plain;

/// What is done to the texts of which columns.
#[derive(Debug, Clone)]
pub(super) struct TextStep {
    columns: Vec<usize>,
    change: Change,
}

#[derive(Debug, Clone)]
enum Change {
    /// The hash, with the salt already in it.
    Hash(Sha256),
    Mask {
        first: usize,
        last: usize,
    },
    Trim,
    Map {
        values: HashMap<String, String>,
        other: Option<String>,
    },
}

impl TextStep {
    pub fn hash(step: &Hash, columns: &[usize]) -> Self {
        let salted = Sha256::new_with_prefix(step.salt.as_bytes());
        Self { columns: columns.to_vec(), change: Change::Hash(salted) }
    }

    pub fn mask(step: &Mask, columns: &[usize]) -> Self {
        Self {
            columns: columns.to_vec(),
            change: Change::Mask { first: step.keep_first, last: step.keep_last },
        }
    }

    pub fn trim(columns: &[usize]) -> Self {
        Self { columns: columns.to_vec(), change: Change::Trim }
    }

    pub fn map(step: &MapValues, columns: &[usize]) -> Self {
        let values = step.values.iter().map(|(from, to)| (from.clone(), to.clone())).collect();
        Self {
            columns: columns.to_vec(),
            change: Change::Map { values, other: step.other.clone() },
        }
    }

    pub fn run(&self, mut frame: Frame) -> Result<Frame, MapError> {
        for at in &self.columns {
            let column = plain(&frame.columns[*at]).map_err(MapError::arrow("a text step"))?;
            frame.columns[*at] = self.change.column(&column);
        }
        Ok(frame)
    }
}

impl Change {
    fn column(&self, column: &ArrayRef) -> ArrayRef {
        let source = column.as_string::<i32>();
        let mut made = StringBuilder::with_capacity(source.len(), source.values().len());
        let mut text = String::new();
        for row in 0..source.len() {
            if source.is_null(row) {
                made.append_null();
                continue;
            }
            let value = source.value(row);
            match self {
                Self::Hash(salted) => {
                    text.clear();
                    hex(salted.clone().chain_update(value).finalize().as_slice(), &mut text);
                    made.append_value(&text);
                }
                Self::Mask { first, last } => {
                    text.clear();
                    mask(value, *first, *last, &mut text);
                    made.append_value(&text);
                }
                Self::Trim => made.append_value(value.trim()),
                Self::Map { values, other } => {
                    made.append_value(
                        values.get(value).or(other.as_ref()).map_or(value, String::as_str),
                    );
                }
            }
        }
        Arc::new(made.finish())
    }
}

fn hex(bytes: &[u8], into: &mut String) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            into.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
}

/// Every character but the first and the last ones becomes `*`. A text that
/// is no longer than what would be kept is masked as a whole: otherwise it
/// would pass unmasked.
fn mask(text: &str, first: usize, last: usize, into: &mut String) {
    let length = text.chars().count();
    let all = length <= first.saturating_add(last);
    for (at, c) in text.chars().enumerate() {
        let keep = !all && (at < first || at >= length - last);
        into.push(if keep { c } else { '*' });
    }
}
