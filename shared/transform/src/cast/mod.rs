//! From whatever Arrow type a decoder delivers to the type of a column.
//!
//! A cast works on whole columns. It never fails because of a value: rows that
//! do not fit come back as [`Bad`] beside an array that holds a placeholder
//! there. Source types for which a target has no rule of its own take the way
//! through their text, so that one set of rules decides what fits.

mod complete;
mod decimal;
mod fault;
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

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use model::ColumnType;

use crate::arrow_type::{arrow_type, unit_of};
pub(crate) use fault::{Fault, shown, value_text};
pub(crate) use time_rules::TimeRules;
use times::TimeShape;

/// A column after its cast. Where a row is bad the array holds anything.
pub(crate) struct Casted {
    /// The values, of exactly the target's data type; NULL where the source is.
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
}

/// The targets that differ in how they are cast.
#[derive(Debug, Clone)]
enum Kind {
    Bool,
    Int(u8),
    UInt(u8),
    Float(u8),
    Decimal(u8, i8),
    Text,
    Fixed(i32),
    Uuid,
    Time(TimeShape, Arc<TimeRules>),
    Enum(Arc<EnumNames>),
    Ipv4,
    Ipv6,
    List(Box<Target>),
    Struct(Vec<(String, Target)>),
    Map(Box<Target>, Box<Target>),
}

/// The values that an enumeration takes.
#[derive(Debug)]
struct EnumNames {
    names: HashSet<String>,
    values: Vec<(String, i16)>,
}

impl Target {
    /// Plans the cast to a type; `times` says how texts become dates and times.
    pub fn new(column_type: &ColumnType, times: &Arc<TimeRules>) -> Self {
        let data_type = arrow_type(column_type);
        let inner = |inner: &ColumnType| Box::new(Self::new(inner, times));
        let time = |shape| Kind::Time(shape, Arc::clone(times));
        let kind = match column_type.bare() {
            ColumnType::Bool => Kind::Bool,
            ColumnType::Int(bits) => Kind::Int(*bits),
            ColumnType::UInt(bits) => Kind::UInt(*bits),
            ColumnType::Float(bits) => Kind::Float(*bits),
            ColumnType::Decimal(precision, scale) => {
                Kind::Decimal(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
            }
            ColumnType::FixedString(size) => Kind::Fixed(i32::try_from(*size).unwrap_or(i32::MAX)),
            ColumnType::Uuid => Kind::Uuid,
            ColumnType::Date => time(TimeShape::Date),
            ColumnType::Date32 => time(TimeShape::Date32),
            ColumnType::DateTime(_) => time(TimeShape::Seconds),
            ColumnType::DateTime64(precision, _) => {
                time(TimeShape::Ticks { precision: *precision, unit: unit_of(*precision) })
            }
            ColumnType::Enum(_, values) => Kind::Enum(Arc::new(EnumNames {
                names: values.iter().map(|(name, _)| name.clone()).collect(),
                values: values.clone(),
            })),
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
            // `bare` has taken the last two away.
            ColumnType::String | ColumnType::Nullable(_) | ColumnType::LowCardinality(_) => {
                Kind::Text
            }
        };
        Self { column_type: column_type.clone(), data_type, kind }
    }

    /// Casts a column.
    ///
    /// # Errors
    /// Only when Arrow cannot handle the column as a whole.
    pub fn cast(&self, array: &ArrayRef) -> Result<Casted, ArrowError> {
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
            Kind::Float(32) => numbers::float::<Float32Type>(array),
            Kind::Float(_) => numbers::float::<Float64Type>(array),
            Kind::Decimal(precision, scale) => decimal::decimal(array, *precision, *scale),
            Kind::Text => text::text(array),
            Kind::Fixed(size) => text::fixed(array, *size),
            Kind::Uuid => text::uuid(array),
            Kind::Time(shape, rules) => times::time(array, *shape, rules, &self.data_type),
            Kind::Enum(names) => text::enumeration(array, names),
            Kind::Ipv4 => text::ipv4(array),
            Kind::Ipv6 => text::ipv6(array),
            Kind::List(element) => nested::list(array, element, &self.data_type),
            Kind::Struct(fields) => nested::tuple(array, fields, &self.data_type),
            Kind::Map(key, value) => nested::map(array, key, value, &self.data_type),
        }
    }
}
