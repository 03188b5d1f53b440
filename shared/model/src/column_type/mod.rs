//! ClickHouse column types: parsed from a source document, rendered into DDL.
//!
//! A type reaches SQL only through [`ColumnType`]'s `Display`, never as the text
//! that somebody wrote.

use std::fmt;

use thiserror::Error;

mod parse;
#[cfg(test)]
mod tests;

/// A ClickHouse column type that Motherlode can write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `Bool`.
    Bool,
    /// `Int8` to `Int256`: the width in bits.
    Int(u16),
    /// `UInt8` to `UInt256`: the width in bits.
    UInt(u16),
    /// `Float32` or `Float64`: the width in bits.
    Float(u8),
    /// `BFloat16`: the upper half of a `Float32`.
    BFloat16,
    /// `Decimal(precision, scale)`, precision up to 76.
    Decimal(u8, u8),
    /// `String`.
    String,
    /// `FixedString(bytes)`.
    FixedString(u32),
    /// `UUID`.
    Uuid,
    /// `Date`: 1970-01-01 to 2149-06-06.
    Date,
    /// `Date32`: 1900-01-01 to 2299-12-31.
    Date32,
    /// `DateTime`, with its zone if it has one.
    DateTime(Option<String>),
    /// `DateTime64(precision)`, with its zone if it has one.
    DateTime64(u8, Option<String>),
    /// `Time`: seconds, from -999:59:59 to 999:59:59.
    Time,
    /// `Time64(precision)`: the same range, with parts of a second.
    Time64(u8),
    /// `Enum8` or `Enum16` (the width in bits): names and values.
    Enum(u8, Vec<(String, i16)>),
    /// `IPv4`.
    Ipv4,
    /// `IPv6`.
    Ipv6,
    /// `Nullable(T)`.
    Nullable(Box<ColumnType>),
    /// `LowCardinality(T)`.
    LowCardinality(Box<ColumnType>),
    /// `Array(T)`.
    Array(Box<ColumnType>),
    /// `Tuple(name T, …)`; the names are empty in an unnamed tuple.
    Tuple(Vec<(String, ColumnType)>),
    /// `Map(K, V)`.
    Map(Box<ColumnType>, Box<ColumnType>),
    /// `Nested(name T, …)`, which ClickHouse keeps as one array for each field.
    Nested(Vec<(String, ColumnType)>),
    /// `JSON`: a document of which the server keeps every path as a column.
    Json,
    /// `SimpleAggregateFunction(function, T)`: a `T` that merges by a function.
    SimpleAggregate(String, Box<ColumnType>),
}

/// Why a text is not a column type.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TypeError {
    /// A name that no supported type has.
    #[error("unknown column type `{name}`{hint}")]
    Unknown {
        /// The name as it was written.
        name: String,
        /// A suggestion, or nothing.
        hint: String,
    },
    /// The text ends early, or goes on after the type.
    #[error("`{text}` is no complete type: {expected} expected at character {at}")]
    Syntax {
        /// The whole text.
        text: String,
        /// What should have been there.
        expected: &'static str,
        /// Character position, from 1.
        at: usize,
    },
    /// A parameter is outside what the type allows.
    #[error("{0}")]
    Parameter(String),
}

impl ColumnType {
    /// Parses a type as ClickHouse spells it.
    ///
    /// # Errors
    /// [`TypeError`] when the text is no type that Motherlode can write.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        parse::parse(text)
    }

    /// Whether the column takes NULL.
    #[must_use]
    pub fn is_nullable(&self) -> bool {
        match self {
            Self::Nullable(_) => true,
            Self::LowCardinality(inner) | Self::SimpleAggregate(_, inner) => inner.is_nullable(),
            _ => false,
        }
    }

    /// The type without `Nullable`, `LowCardinality` and
    /// `SimpleAggregateFunction` around it.
    #[must_use]
    pub fn bare(&self) -> &Self {
        match self {
            Self::Nullable(inner)
            | Self::LowCardinality(inner)
            | Self::SimpleAggregate(_, inner) => inner.bare(),
            other => other,
        }
    }

    /// Whether the values are text that steps such as `trim` work on.
    #[must_use]
    pub fn is_text(&self) -> bool {
        matches!(self.bare(), Self::String)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("Bool"),
            Self::Int(bits) => write!(f, "Int{bits}"),
            Self::UInt(bits) => write!(f, "UInt{bits}"),
            Self::Float(bits) => write!(f, "Float{bits}"),
            Self::BFloat16 => f.write_str("BFloat16"),
            Self::Decimal(precision, scale) => write!(f, "Decimal({precision}, {scale})"),
            Self::String => f.write_str("String"),
            Self::FixedString(size) => write!(f, "FixedString({size})"),
            Self::Uuid => f.write_str("UUID"),
            Self::Date => f.write_str("Date"),
            Self::Date32 => f.write_str("Date32"),
            Self::DateTime(None) => f.write_str("DateTime"),
            Self::DateTime(Some(zone)) => write!(f, "DateTime({})", quoted(zone)),
            Self::DateTime64(precision, None) => write!(f, "DateTime64({precision})"),
            Self::DateTime64(precision, Some(zone)) => {
                write!(f, "DateTime64({precision}, {})", quoted(zone))
            }
            Self::Time => f.write_str("Time"),
            Self::Time64(precision) => write!(f, "Time64({precision})"),
            Self::Enum(bits, values) => {
                write!(f, "Enum{bits}(")?;
                for (i, (name, value)) in values.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{} = {value}", quoted(name))?;
                }
                f.write_str(")")
            }
            Self::Ipv4 => f.write_str("IPv4"),
            Self::Ipv6 => f.write_str("IPv6"),
            Self::Nullable(inner) => write!(f, "Nullable({inner})"),
            Self::LowCardinality(inner) => write!(f, "LowCardinality({inner})"),
            Self::Array(inner) => write!(f, "Array({inner})"),
            Self::Tuple(fields) => write_fields(f, "Tuple", fields),
            Self::Nested(fields) => write_fields(f, "Nested", fields),
            Self::Json => f.write_str("JSON"),
            Self::SimpleAggregate(function, inner) => {
                write!(f, "SimpleAggregateFunction({function}, {inner})")
            }
            Self::Map(key, value) => write!(f, "Map({key}, {value})"),
        }
    }
}

fn write_fields(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    fields: &[(String, ColumnType)],
) -> fmt::Result {
    write!(f, "{name}(")?;
    for (i, (name, inner)) in fields.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        if name.is_empty() {
            write!(f, "{comma}{inner}")?;
        } else {
            write!(f, "{comma}`{}` {inner}", name.replace('\\', "\\\\").replace('`', "\\`"))?;
        }
    }
    f.write_str(")")
}

/// A ClickHouse string literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
