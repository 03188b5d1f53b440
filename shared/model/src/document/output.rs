//! What columns come out of the columns and the steps of a document.

use super::load::Problem;
use super::validate::RESERVED;
use super::{SourceDocument, Step};
use crate::ColumnType;

/// A column as it leaves the steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputColumn {
    /// Name in the table.
    pub name: String,
    /// Type in the table.
    pub column_type: ColumnType,
}

impl OutputColumn {
    /// The columns of the table: `Nested` is one array for each of its fields,
    /// named `column.field`.
    #[must_use]
    pub fn expanded(self) -> Vec<Self> {
        let ColumnType::Nested(fields) = self.column_type else { return vec![self] };
        let name = self.name;
        let array = |(field, inner): (String, ColumnType)| Self {
            name: format!("{name}.{field}"),
            column_type: ColumnType::Array(Box::new(inner)),
        };
        fields.into_iter().map(array).collect()
    }
}

impl SourceDocument {
    /// The typed columns of the document before any step. Types that do not
    /// parse are left out; validation names them.
    #[must_use]
    pub fn decoded_columns(&self) -> Vec<OutputColumn> {
        self.columns
            .iter()
            .filter_map(|column| {
                let column_type = ColumnType::parse(&column.column_type).ok()?;
                Some(OutputColumn { name: column.name.clone(), column_type })
            })
            .collect()
    }

    /// The columns that the steps leave, in the order of the table, without
    /// the provenance columns. With `select`, these are the columns the SQL
    /// reads. The document must have been validated.
    #[must_use]
    pub fn output_columns(&self) -> Vec<OutputColumn> {
        let mut columns = self.decoded_columns();
        for step in &self.transform {
            // A validated document has no problems here.
            if let Ok(next) = after(step, columns.clone()) {
                columns = next;
            }
        }
        columns.into_iter().flat_map(OutputColumn::expanded).collect()
    }

    /// What of this document keeps it from going on with an object of which
    /// `before` has written a part: the field whose change would count the rows
    /// differently, make other rows of them, or put them elsewhere.
    #[must_use]
    pub fn breaks_continuation_of(&self, before: &Self) -> Option<&'static str> {
        let same_table = self.table.database == before.table.database
            && self.table.name == before.table.name
            && self.table.provenance == before.table.provenance;
        [
            ("format", self.format == before.format),
            ("compression", self.compression == before.compression),
            ("table", same_table),
            ("transform", self.transform == before.transform),
            ("select", self.select == before.select),
        ]
        .into_iter()
        .find_map(|(field, is_same)| (!is_same).then_some(field))
    }

    /// Problems of the steps, each with its path.
    pub(super) fn step_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut columns = self.decoded_columns();
        for (i, step) in self.transform.iter().enumerate() {
            match after(step, columns.clone()) {
                Ok(next) => columns = next,
                Err(message) => {
                    problems.push(Problem { path: format!("transform[{i}]"), message });
                    // What comes after would only repeat it.
                    return problems;
                }
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for column in &columns {
            if !seen.insert(&column.name) {
                problems.push(Problem {
                    path: "columns".to_owned(),
                    message: format!(
                        "two columns are named `{}`; every name must be its own",
                        column.name
                    ),
                });
            }
            if RESERVED.contains(&column.name.as_str()) {
                problems.push(Problem {
                    path: "transform".to_owned(),
                    message: format!(
                        "a step makes a column `{}`, which is written by the platform",
                        column.name
                    ),
                });
            }
        }
        if columns.is_empty() && problems.is_empty() && !self.columns.is_empty() {
            problems.push(Problem {
                path: "transform".to_owned(),
                message: "no column is left; at least one must be".to_owned(),
            });
        }
        problems
    }
}

/// The columns after one step, or why the step cannot be done on them.
fn after(step: &Step, mut columns: Vec<OutputColumn>) -> Result<Vec<OutputColumn>, String> {
    let position = |columns: &[OutputColumn], name: &str| {
        columns.iter().position(|column| column.name == name).ok_or_else(|| {
            let known: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
            format!("there is no column `{name}` here; there are {}", known.join(", "))
        })
    };
    let text = |columns: &[OutputColumn], name: &str, what: &str| {
        let at = position(columns, name)?;
        if columns[at].column_type.is_text() {
            Ok(at)
        } else {
            Err(format!("`{what}` works on text; `{name}` is {}", columns[at].column_type))
        }
    };
    match step {
        Step::Filter(filter) => {
            use super::FilterOp::{In, IsNull, NotIn, NotNull};
            let at = position(&columns, &filter.column)?;
            if matches!(
                columns[at].column_type.bare(),
                ColumnType::Array(_) | ColumnType::Tuple(_) | ColumnType::Map(..)
            ) && !matches!(filter.op, IsNull | NotNull)
            {
                return Err(format!(
                    "`filter` compares scalars; `{}` is {}",
                    filter.column, columns[at].column_type
                ));
            }
            match (filter.op, &filter.value) {
                (IsNull | NotNull, Some(_)) => {
                    return Err("`is_null` and `not_null` take no value".to_owned());
                }
                (IsNull | NotNull, None) => {}
                (In | NotIn, Some(serde_json::Value::Array(_))) => {}
                (In | NotIn, _) => return Err("`in` and `not_in` take a list as value".to_owned()),
                (_, None) => return Err("a value to compare with is missing".to_owned()),
                (_, Some(value)) if value.is_array() || value.is_object() || value.is_null() => {
                    return Err("the value must be a text, a number or a boolean".to_owned());
                }
                (_, Some(_)) => {}
            }
        }
        Step::Explode(explode) => {
            let at = position(&columns, &explode.column)?;
            let ColumnType::Array(element) = columns[at].column_type.clone() else {
                return Err(format!(
                    "`explode` works on an Array; `{}` is {}",
                    explode.column, columns[at].column_type
                ));
            };
            columns[at].column_type = *element;
            if let Some(name) = &explode.position {
                columns.insert(
                    at + 1,
                    OutputColumn { name: name.clone(), column_type: ColumnType::UInt(32) },
                );
            }
        }
        Step::Flatten(flatten) => {
            let at = position(&columns, &flatten.column)?;
            let ColumnType::Tuple(fields) = columns[at].column_type.clone() else {
                return Err(format!(
                    "`flatten` works on a Tuple; `{}` is {}",
                    flatten.column, columns[at].column_type
                ));
            };
            if fields.iter().any(|(name, _)| name.is_empty()) {
                return Err(format!(
                    "`flatten` needs a Tuple with named fields: `{}` has none",
                    flatten.column
                ));
            }
            let prefix = flatten.prefix.clone().unwrap_or_else(|| format!("{}_", flatten.column));
            let made = fields.into_iter().map(|(name, column_type)| OutputColumn {
                name: format!("{prefix}{name}"),
                column_type,
            });
            columns.splice(at..=at, made);
        }
        Step::Hash(hash) => {
            for name in &hash.columns {
                text(&columns, name, "hash")?;
            }
        }
        Step::Mask(mask) => {
            for name in &mask.columns {
                text(&columns, name, "mask")?;
            }
        }
        Step::Trim(names) => {
            for name in names {
                text(&columns, name, "trim")?;
            }
        }
        Step::Map(map) => {
            text(&columns, &map.column, "map")?;
        }
        Step::Drop(names) => {
            for name in names {
                let at = position(&columns, name)?;
                columns.remove(at);
            }
        }
    }
    Ok(columns)
}
