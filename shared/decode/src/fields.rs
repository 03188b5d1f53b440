//! Which columns of an Arrow schema answer the requests of a source, and what
//! drift of the schema means.
//!
//! Parquet and Arrow IPC name their columns once for the whole object, so that
//! drift is judged before the first row: an unknown or a missing column either
//! does nothing, fails the object, or refuses every row of it.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanArray, RecordBatch,
    RecordBatchOptions, StringArray, StringViewArray, UInt64Array, new_null_array,
};
use arrow::compute::{cast, nullif, take};
use arrow::datatypes::{ArrowNativeType, DataType, Field, Schema};
use arrow::error::ArrowError;
use model::document::{MissingColumn, UnknownColumn};
use model::{Drift, DriftAction, DriftKind};

use crate::{DecodeError, FieldOrigin, Place, Request, meaning};

/// One step from a value to a value inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A field of a struct, by its place.
    Child(usize),
    /// An element of a list, by its place in each row's list.
    Element(usize),
    /// The value of a key of a map.
    Key(String),
}

/// Where a request finds its values: a column, and steps into it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Located {
    column: usize,
    steps: Vec<Step>,
    /// What the values mean, which may be read as bytes.
    meant: DataType,
    /// Names of the column and of the struct fields that the steps pass
    /// through, up to the first list or map: what must be read.
    names: Vec<String>,
}

/// The requests of a source, found in the schema of one object.
#[derive(Debug)]
pub(crate) struct Fields {
    /// One per request; none for a field that the object lacks.
    located: Vec<Option<Located>>,
    refused: Option<String>,
    /// What was judged.
    pub(crate) drift: Vec<Drift>,
}

impl Fields {
    /// Finds every request in `schema` and judges drift.
    ///
    /// # Errors
    /// When the drift policy says that the object fails, or a request fits two
    /// columns of the same name.
    pub(crate) fn find(schema: &Schema, request: &Request) -> Result<Self, DecodeError> {
        let mut fields = Self { located: Vec::new(), refused: None, drift: Vec::new() };
        for field in &request.fields {
            let located = locate(schema, &field.origin, request)?;
            if located.is_none() && !field.is_optional {
                let origin = field.origin.to_string();
                match request.drift.missing {
                    MissingColumn::Null => {
                        fields.note(DriftKind::Missing, origin, DriftAction::Null);
                    }
                    MissingColumn::Quarantine => {
                        fields.refuse(format!(
                            "the object has no `{origin}`, which column `{}` reads (drift.missing: quarantine)",
                            field.required_by
                        ));
                        fields.note(DriftKind::Missing, origin, DriftAction::Quarantined);
                    }
                    MissingColumn::Fail => {
                        return Err(DecodeError::MissingField {
                            name: request.name.clone(),
                            origin,
                            column: field.required_by.clone(),
                            place: Place::default(),
                        });
                    }
                }
            }
            fields.located.push(located);
        }
        if !request.fields.is_empty() && fields.located.iter().all(Option::is_none) {
            let names = schema.fields().iter().map(|field| field.name().as_str());
            return Err(request.nothing_in_common(names));
        }
        let read: BTreeSet<usize> =
            fields.located.iter().flatten().map(|found| found.column).collect();
        let mut added = Vec::new();
        for (place, column) in
            schema.fields().iter().enumerate().filter(|(place, _)| !read.contains(place))
        {
            // A column of which only the inside was asked for is not unknown,
            // even where that inside is missing.
            let asked =
                request.fields.iter().any(|field| first_name(&field.origin) == Some(column.name()));
            match request.drift.unknown {
                _ if asked => {}
                UnknownColumn::Add if !column.name().is_empty() => {
                    added.push(column.name().clone());
                }
                UnknownColumn::Ignore | UnknownColumn::Add => {
                    fields.note(DriftKind::Unknown, column.name().clone(), DriftAction::Ignored);
                }
                UnknownColumn::Quarantine => {
                    fields.refuse(format!(
                        "the object has a column `{}` that the source does not know (drift.unknown: quarantine)",
                        column.name()
                    ));
                    fields.note(
                        DriftKind::Unknown,
                        column.name().clone(),
                        DriftAction::Quarantined,
                    );
                }
                UnknownColumn::Fail => {
                    return Err(DecodeError::UnknownField {
                        name: request.name.clone(),
                        field: schema.field(place).name().clone(),
                        place: Place::default(),
                    });
                }
            }
        }
        if !added.is_empty() {
            let (name, row) = (request.name.clone(), request.start_row);
            return Err(DecodeError::NewFields { name, fields: added, row });
        }
        Ok(fields)
    }

    fn note(&mut self, kind: DriftKind, field: String, action: DriftAction) {
        self.drift.push(Drift { kind, field, action, row: None });
    }

    /// The same requests in the schema of what is really read: a part of the
    /// columns, and of structs a part of the fields.
    pub(crate) fn within(&self, part: &Schema, request: &Request) -> Result<Self, DecodeError> {
        let located = request.fields.iter().zip(&self.located).map(|(field, found)| match found {
            Some(_) => locate(part, &field.origin, request),
            None => Ok(None),
        });
        Ok(Self {
            located: located.collect::<Result<_, _>>()?,
            refused: self.refused.clone(),
            drift: self.drift.clone(),
        })
    }

    /// Why every row of the object is refused, when it is.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Paths of struct fields that must be read, each from its column down.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &[String]> {
        self.located.iter().flatten().map(|found| found.names.as_slice())
    }

    /// Places of the columns that must be read, ascending.
    pub(crate) fn columns(&self) -> Vec<usize> {
        let columns: BTreeSet<usize> =
            self.located.iter().flatten().map(|found| found.column).collect();
        columns.into_iter().collect()
    }

    /// One column per request, from the columns that were read.
    pub(crate) fn extract(
        &self,
        batch: &RecordBatch,
        request: &Request,
    ) -> Result<RecordBatch, ArrowError> {
        let mut fields = Vec::with_capacity(self.located.len());
        let mut columns = Vec::with_capacity(self.located.len());
        for (field, located) in request.fields.iter().zip(&self.located) {
            let values = match located {
                Some(Located { column, steps, meant, .. }) => {
                    let column = batch.columns().get(*column).ok_or_else(|| {
                        ArrowError::SchemaError(format!(
                            "a batch lacks column {column} of its schema"
                        ))
                    })?;
                    let read =
                        steps.iter().try_fold(Arc::clone(column), |read, step| step.into(&read))?;
                    meaning::of_field(&read, meant, field.column_type.as_ref())?
                }
                None => new_null_array(&DataType::Null, batch.num_rows()),
            };
            fields.push(Field::new(&field.required_by, values.data_type().clone(), true));
            columns.push(values);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
    }

    fn refuse(&mut self, reason: String) {
        self.refused.get_or_insert(reason);
    }
}

/// The first name of an origin: a column of the object.
fn first_name(origin: &FieldOrigin) -> Option<&String> {
    match origin {
        FieldOrigin::Column(name) => Some(name),
        FieldOrigin::Path(segments) => segments.first(),
    }
}

fn locate(
    schema: &Schema,
    origin: &FieldOrigin,
    request: &Request,
) -> Result<Option<Located>, DecodeError> {
    let Some(name) = first_name(origin) else { return Ok(None) };
    let mut same = schema.fields().iter().enumerate().filter(|(_, field)| field.name() == name);
    let Some((column, field)) = same.next() else { return Ok(None) };
    if same.next().is_some() {
        return Err(DecodeError::Malformed {
            name: request.name.clone(),
            format: request.format.name(),
            place: Place::default(),
            reason: format!(
                "two columns are named `{name}`, and it cannot be told which one is meant; rename one"
            ),
        });
    }
    let mut data_type = field.data_type();
    let meant = data_type.clone();
    let mut located = Located { column, steps: Vec::new(), meant, names: vec![name.clone()] };
    let rest = match origin {
        FieldOrigin::Column(_) => &[],
        FieldOrigin::Path(segments) => segments.get(1..).unwrap_or_default(),
    };
    for segment in rest {
        let step = match data_type {
            DataType::Struct(children) => {
                let Some((place, child)) = children.find(segment) else { return Ok(None) };
                data_type = child.data_type();
                if located.steps.iter().all(|step| matches!(step, Step::Child(_))) {
                    located.names.push(segment.clone());
                }
                Step::Child(place)
            }
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::ListView(element)
            | DataType::LargeListView(element)
            | DataType::FixedSizeList(element, _) => {
                let Ok(place) = segment.parse() else { return Ok(None) };
                data_type = element.data_type();
                Step::Element(place)
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(entry) = entries.data_type() else { return Ok(None) };
                let [key, value] = entry.as_ref() else { return Ok(None) };
                if !is_text(key.data_type()) {
                    return Ok(None);
                }
                data_type = value.data_type();
                Step::Key(segment.clone())
            }
            // A path into a scalar finds nothing, as in JSON.
            _ => return Ok(None),
        };
        located.steps.push(step);
    }
    located.meant = data_type.clone();
    Ok(Some(located))
}

/// Whether the keys of a map are texts, whatever way they lie.
fn is_text(keys: &DataType) -> bool {
    match keys {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

impl Step {
    /// The values that lie one step inside `values`; NULL where there are none.
    fn into(&self, values: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let rows = values.len();
        let place = |start: usize, end: usize, step: usize| {
            let at = start.checked_add(step).filter(|at| *at < end)?;
            u64::try_from(at).ok()
        };
        let pick = |inner: &ArrayRef, found: &dyn Fn(usize) -> Option<u64>| {
            let places: UInt64Array =
                (0..rows).map(|row| if values.is_null(row) { None } else { found(row) }).collect();
            take(inner, &places, None)
        };
        match (self, values.data_type()) {
            (Self::Child(child), DataType::Struct(_)) => {
                let parent = values.as_struct();
                let child = parent.column(*child);
                match parent.nulls() {
                    // Under a NULL struct the child may hold anything.
                    Some(nulls) if nulls.null_count() > 0 => {
                        nullif(child, &BooleanArray::new(!nulls.inner(), None))
                    }
                    _ => Ok(Arc::clone(child)),
                }
            }
            (Self::Element(step), DataType::List(_)) => {
                let list = values.as_list::<i32>();
                let at = |row| usize::try_from(list.value_offsets()[row]).unwrap_or(usize::MAX);
                pick(list.values(), &|row| place(at(row), at(row + 1), *step))
            }
            (Self::Element(step), DataType::LargeList(_)) => {
                let list = values.as_list::<i64>();
                let at = |row| usize::try_from(list.value_offsets()[row]).unwrap_or(usize::MAX);
                pick(list.values(), &|row| place(at(row), at(row + 1), *step))
            }
            (Self::Element(step), DataType::ListView(_)) => {
                let list = values.as_list_view::<i32>();
                let at = |row: usize| list.value_offset(row).as_usize();
                pick(list.values(), &|row| {
                    place(at(row), at(row) + list.value_size(row).as_usize(), *step)
                })
            }
            (Self::Element(step), DataType::LargeListView(_)) => {
                let list = values.as_list_view::<i64>();
                let at = |row: usize| list.value_offset(row).as_usize();
                pick(list.values(), &|row| {
                    place(at(row), at(row) + list.value_size(row).as_usize(), *step)
                })
            }
            (Self::Element(step), DataType::FixedSizeList(_, _)) => {
                let list = values.as_fixed_size_list();
                pick(list.values(), &|row| {
                    place(list.value_offset_at(row), list.value_offset_at(row + 1), *step)
                })
            }
            (Self::Key(key), DataType::Map(_, _)) => {
                let map = values.as_map();
                let keys = Keys::of(map.keys())?;
                let at = |row| usize::try_from(map.value_offsets()[row]).unwrap_or(usize::MAX);
                // The last of equal keys counts, as in JSON.
                pick(map.values(), &|row| {
                    let found = (at(row)..at(row + 1))
                        .rev()
                        .find(|entry| keys.get(*entry) == key.as_bytes())?;
                    u64::try_from(found).ok()
                })
            }
            (_, other) => Err(ArrowError::SchemaError(format!(
                "a batch has {other} where its schema has another type"
            ))),
        }
    }
}

/// The keys of a map, which are texts or read as their bytes.
enum Keys<'a> {
    Texts(&'a StringArray),
    Bytes(&'a BinaryArray),
    TextViews(&'a StringViewArray),
    Views(&'a BinaryViewArray),
    Copied(BinaryArray),
}

impl<'a> Keys<'a> {
    fn of(keys: &'a ArrayRef) -> Result<Self, ArrowError> {
        match keys.data_type() {
            DataType::Utf8 => Ok(Self::Texts(keys.as_string())),
            DataType::Binary => Ok(Self::Bytes(keys.as_binary())),
            DataType::Utf8View => Ok(Self::TextViews(keys.as_string_view())),
            DataType::BinaryView => Ok(Self::Views(keys.as_binary_view())),
            // Dictionaries, and texts of more than two gigabytes: seldom met.
            _ => Ok(Self::Copied(cast(keys, &DataType::Binary)?.as_binary().clone())),
        }
    }

    fn get(&self, entry: usize) -> &[u8] {
        match self {
            Self::Texts(keys) => keys.value(entry).as_bytes(),
            Self::Bytes(keys) => keys.value(entry),
            Self::TextViews(keys) => keys.value(entry).as_bytes(),
            Self::Views(keys) => keys.value(entry),
            Self::Copied(keys) => keys.value(entry),
        }
    }
}
