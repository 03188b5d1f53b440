//! The steps of a document, planned once and done batch by batch.

mod explode;
mod filter;
mod flatten;
mod text;

use arrow::array::ArrayRef;
use model::document::{OutputColumn, SourceDocument, Step};

use crate::MapError;

/// The columns of a batch between two steps.
#[derive(Debug)]
pub(crate) struct Frame {
    /// The columns, all of one length.
    pub columns: Vec<ArrayRef>,
    /// Ordinal of the source row of each row; the rows of one source row stand
    /// side by side.
    pub rows: Vec<u64>,
}

/// The steps, with columns found and values parsed.
#[derive(Debug, Clone)]
pub(crate) struct Steps(Vec<Planned>);

#[derive(Debug, Clone)]
enum Planned {
    Filter(filter::Filter),
    Explode(explode::Explode),
    Flatten { at: usize },
    Text(text::TextStep),
    Drop { at: usize },
}

impl Steps {
    /// Plans the steps, and says which columns they leave.
    pub fn plan(document: &SourceDocument) -> Result<(Self, Vec<OutputColumn>), MapError> {
        let mut columns = document.decoded_columns();
        let mut planned = Vec::new();
        for (i, step) in document.transform.iter().enumerate() {
            plan_one(step, &mut columns, &mut planned).map_err(|problem| MapError::Document {
                path: format!("transform[{i}]"),
                problem,
            })?;
        }
        Ok((Self(planned), columns))
    }

    /// Does the steps in order.
    pub fn run(&self, mut frame: Frame) -> Result<Frame, MapError> {
        for step in &self.0 {
            frame = match step {
                Planned::Filter(filter) => filter.run(frame)?,
                Planned::Explode(explode) => explode.run(frame)?,
                Planned::Flatten { at } => flatten::run(frame, *at)?,
                Planned::Text(text) => text.run(frame)?,
                Planned::Drop { at } => {
                    frame.columns.remove(*at);
                    frame
                }
            };
        }
        Ok(frame)
    }
}

/// Plans one step and changes the columns as it will.
fn plan_one(
    step: &Step,
    columns: &mut Vec<OutputColumn>,
    planned: &mut Vec<Planned>,
) -> Result<(), String> {
    match step {
        Step::Filter(step) => {
            let at = position(columns, &step.column)?;
            planned.push(Planned::Filter(filter::Filter::plan(
                step,
                at,
                &columns[at].column_type,
            )?));
        }
        Step::Explode(step) => {
            let at = position(columns, &step.column)?;
            planned.push(Planned::Explode(explode::Explode::plan(step, at, columns)?));
        }
        Step::Flatten(step) => {
            let at = position(columns, &step.column)?;
            flatten::plan(step, at, columns)?;
            planned.push(Planned::Flatten { at });
        }
        Step::Hash(step) => {
            planned.push(Planned::Text(text::TextStep::hash(step, &texts(columns, &step.columns)?)))
        }
        Step::Mask(step) => {
            planned.push(Planned::Text(text::TextStep::mask(step, &texts(columns, &step.columns)?)))
        }
        Step::Trim(names) => {
            planned.push(Planned::Text(text::TextStep::trim(&texts(columns, names)?)))
        }
        Step::Map(step) => {
            let at = texts(columns, std::slice::from_ref(&step.column))?;
            planned.push(Planned::Text(text::TextStep::map(step, &at)));
        }
        Step::Drop(names) => {
            for name in names {
                let at = position(columns, name)?;
                columns.remove(at);
                planned.push(Planned::Drop { at });
            }
        }
    }
    Ok(())
}

fn position(columns: &[OutputColumn], name: &str) -> Result<usize, String> {
    columns.iter().position(|column| column.name == name).ok_or_else(|| {
        format!("there is no column `{name}` here; look at the columns and the steps before")
    })
}

/// Positions of text columns.
fn texts(columns: &[OutputColumn], names: &[String]) -> Result<Vec<usize>, String> {
    names
        .iter()
        .map(|name| {
            let at = position(columns, name)?;
            let column_type = &columns[at].column_type;
            if column_type.is_text() {
                Ok(at)
            } else {
                Err(format!("the step works on text; `{name}` is {column_type}"))
            }
        })
        .collect()
}
