//! From whatever Arrow type a decoder delivers to the type of a column.
//!
//! A cast works on whole columns. It never fails because of a value: rows that
//! do not fit come back as [`Bad`] beside an array that holds a placeholder
//! there. Source types for which a target has no rule of its own take the way
//! through their text, so that one set of rules decides what fits.

mod complete;
mod decimal;
mod duration;
mod fault;
mod json_object;
mod json_split;
mod json_text;
mod nested;
mod numbers;
mod plain;
mod text;
mod time_native;
mod time_rules;
mod time_text;
mod times;
mod wide;

pub use json_object::json_problem;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use model::ColumnType;

pub(crate) use fault::{Fault, shown, value_text};
use native::{arrow_type, unit_of};
pub(crate) use plain::plain;
use text::EnumNames;
pub(crate) use time_rules::TimeRules;
use times::TimeShape;

/// A column after its cast. Where a row is bad the array holds anything.
pub(crate) struct Casted {
    /// The values, of the target's data type (or bytes, where a text need not be
    /// UTF-8); NULL where the source is.
    pub array: ArrayRef,
    /// Rows whose value does not fit, in ascending order, each once.
    pub bad: Vec<Bad>,
}

/// One row whose value does not fit.
#[derive(Debug)]
pub(crate) struct Bad {
    /// Row within the array.
    pub row: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What a column is cast to, planned once.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The ClickHouse type as the document names it.
    pub column_type: ColumnType,
    /// The Arrow type of the result.
    pub data_type: DataType,
    kind: Kind,
    /// Whether bytes that are no UTF-8 may stay as they are.
    keeps_bytes: bool,
}

/// The targets that differ in how they are cast.
#[derive(Debug, Clone)]
enum Kind {
    Bool,
    Int(u16),
    UInt(u16),
    /// Beyond 64 bits.
    WideInt(wide::Width),
    Float(u8),
    Decimal(u8, i8),
    /// Beyond 38 digits.
    WideDecimal(u8, i8),
    Text,
    Json,
    Fixed(i32),
    Uuid,
    Time(TimeShape, Arc<TimeRules>),
    Duration(u8),
    Enum(u8, Arc<EnumNames>),
    Ipv4,
    Ipv6,
    List(Box<Target>),
    Struct(Vec<(String, Target)>),
    Map(Box<Target>, Box<Target>),
}

impl Target {
    /// Plans the cast to a type; `times` says how texts become dates and times.
    pub fn new(column_type: &ColumnType, times: &Arc<TimeRules>) -> Self {
        let data_type = arrow_type(column_type);
        let inner = |inner: &ColumnType| Box::new(Self::new(inner, times));
        let time = |shape| Kind::Time(shape, Arc::clone(times));
        let kind = match column_type.bare() {
            ColumnType::Bool => Kind::Bool,
            ColumnType::Int(bits @ ..=64) => Kind::Int(*bits),
            ColumnType::UInt(bits @ ..=64) => Kind::UInt(*bits),
            ColumnType::Int(bits) => Kind::WideInt(wide::Width::signed(*bits)),
            ColumnType::UInt(bits) => Kind::WideInt(wide::Width::unsigned(*bits)),
            ColumnType::Float(bits) => Kind::Float(*bits),
            ColumnType::BFloat16 => Kind::Float(32),
            ColumnType::Decimal(precision, scale) => {
                let scale = i8::try_from(*scale).unwrap_or(i8::MAX);
                if *precision > 38 {
                    Kind::WideDecimal(*precision, scale)
                } else {
                    Kind::Decimal(*precision, scale)
                }
            }
            ColumnType::FixedString(size) => Kind::Fixed(i32::try_from(*size).unwrap_or(i32::MAX)),
            ColumnType::Uuid => Kind::Uuid,
            ColumnType::Date => time(TimeShape::Date),
            ColumnType::Date32 => time(TimeShape::Date32),
            ColumnType::DateTime(_) => time(TimeShape::Seconds),
            ColumnType::DateTime64(precision, _) => {
                time(TimeShape::Ticks { precision: *precision, unit: unit_of(*precision) })
            }
            ColumnType::Time => Kind::Duration(0),
            ColumnType::Time64(precision) => Kind::Duration(*precision),
            ColumnType::Enum(bits, values) => Kind::Enum(*bits, Arc::new(EnumNames::new(values))),
            ColumnType::Ipv4 => Kind::Ipv4,
            ColumnType::Ipv6 => Kind::Ipv6,
            ColumnType::Array(element) => Kind::List(inner(element)),
            ColumnType::Tuple(fields) => Kind::Struct(
                fields
                    .iter()
                    .map(|(name, field)| (name.clone(), Self::new(field, times)))
                    .collect(),
            ),
            ColumnType::Map(key, value) => Kind::Map(inner(key), inner(value)),
            ColumnType::Nested(fields) => {
                Kind::List(Box::new(Self::new(&ColumnType::Tuple(fields.clone()), times)))
            }
            ColumnType::Json => Kind::Json,
            // `bare` has taken the last three away.
            ColumnType::String
            | ColumnType::Nullable(_)
            | ColumnType::LowCardinality(_)
            | ColumnType::SimpleAggregate(..) => Kind::Text,
        };
        Self { column_type: column_type.clone(), data_type, kind, keeps_bytes: false }
    }

    /// The same, for a column that goes to the table as it is: a `String` takes
    /// any bytes, wherever it stands, and only what works on texts needs UTF-8.
    #[must_use]
    pub fn untouched(self) -> Self {
        let inside = |inner: Box<Self>| Box::new(inner.untouched());
        let kind = match self.kind {
            Kind::List(element) => Kind::List(inside(element)),
            Kind::Struct(fields) => Kind::Struct(
                fields.into_iter().map(|(name, field)| (name, field.untouched())).collect(),
            ),
            Kind::Map(key, value) => Kind::Map(inside(key), inside(value)),
            other => other,
        };
        Self { keeps_bytes: matches!(kind, Kind::Text), kind, ..self }
    }

    /// Casts a column.
    ///
    /// # Errors
    /// Only when Arrow cannot handle the column as a whole.
    pub fn cast(&self, array: &ArrayRef) -> Result<Casted, ArrowError> {
        if matches!(self.kind, Kind::Text)
            && (self.keeps_dictionary(array) || self.keeps_views(array))
        {
            return Ok(Casted { array: Arc::clone(array), bad: Vec::new() });
        }
        let array = &plain::plain(array)?;
        if array.data_type().is_null() {
            return Ok(Casted {
                array: arrow::array::new_null_array(&self.data_type, array.len()),
                bad: Vec::new(),
            });
        }
        match &self.kind {
            Kind::Bool => numbers::boolean(array),
            Kind::Int(8) => numbers::integer::<Int8Type>(array),
            Kind::Int(16) => numbers::integer::<Int16Type>(array),
            Kind::Int(32) => numbers::integer::<Int32Type>(array),
            Kind::Int(_) => numbers::integer::<Int64Type>(array),
            Kind::UInt(8) => numbers::integer::<UInt8Type>(array),
            Kind::UInt(16) => numbers::integer::<UInt16Type>(array),
            Kind::UInt(32) => numbers::integer::<UInt32Type>(array),
            Kind::UInt(_) => numbers::integer::<UInt64Type>(array),
            Kind::WideInt(width) => wide::integer(array, *width),
            Kind::Float(32) => numbers::float::<Float32Type>(array),
            Kind::Float(_) => numbers::float::<Float64Type>(array),
            Kind::Decimal(precision, scale) => decimal::decimal(array, *precision, *scale),
            Kind::WideDecimal(precision, scale) => wide::decimal(array, *precision, *scale),
            Kind::Text if self.keeps_bytes => text::text_or_bytes(array),
            Kind::Text => text::text(array),
            Kind::Json => text::json(array),
            Kind::Fixed(size) => text::fixed(array, *size),
            Kind::Uuid => text::uuid(array),
            Kind::Time(shape, rules) => times::time(array, *shape, rules, &self.data_type),
            Kind::Duration(precision) => duration::duration(array, *precision, &self.data_type),
            Kind::Enum(8, names) => text::enumeration::<Int8Type>(array, names),
            Kind::Enum(_, names) => text::enumeration::<Int16Type>(array, names),
            Kind::Ipv4 => text::ipv4(array),
            Kind::Ipv6 => text::ipv6(array),
            Kind::List(element) => nested::list(array, element, &self.data_type),
            Kind::Struct(fields) => nested::tuple(array, fields, &self.data_type),
            Kind::Map(key, value) => nested::map(array, key, value, &self.data_type),
        }
    }

    /// Whether the column is written from views as they are: a text that many rows
    /// share is then copied once, into the block.
    fn keeps_views(&self, array: &ArrayRef) -> bool {
        self.keeps_bytes
            && matches!(array.data_type(), DataType::BinaryView | DataType::Utf8View)
            && matches!(self.column_type.bare(), ColumnType::String)
            && !matches!(self.column_type, ColumnType::LowCardinality(_))
    }

    /// Whether the column wants a dictionary and has one that can stay.
    fn keeps_dictionary(&self, array: &ArrayRef) -> bool {
        matches!(self.column_type, ColumnType::LowCardinality(_))
            && array.as_any_dictionary_opt().is_some_and(|dictionary| {
                let values = dictionary.values();
                let fits = match values.data_type() {
                    DataType::Utf8 => true,
                    DataType::Binary => self.keeps_bytes,
                    _ => false,
                };
                fits && values.null_count() == 0
            })
    }
}
