//! ClickHouse column types: parsed from a source document, rendered into DDL.
//!
//! A type reaches SQL only through [`ColumnType`]'s `Display`, never as the text
//! that somebody wrote.

use std::fmt;

use thiserror::Error;

/// A ClickHouse column type that Motherlode can write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// `Bool`.
    Bool,
    /// `Int8` to `Int64`: the width in bits.
    Int(u8),
    /// `UInt8` to `UInt64`: the width in bits.
    UInt(u8),
    /// `Float32` or `Float64`: the width in bits.
    Float(u8),
    /// `Decimal(precision, scale)`, precision up to 38.
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

/// Names that a typo can be compared with.
const NAMES: &[&str] = &[
    "Bool",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float32",
    "Float64",
    "Decimal",
    "String",
    "FixedString",
    "UUID",
    "Date",
    "Date32",
    "DateTime",
    "DateTime64",
    "Enum8",
    "Enum16",
    "IPv4",
    "IPv6",
    "Nullable",
    "LowCardinality",
    "Array",
    "Tuple",
    "Map",
];

impl ColumnType {
    /// Parses a type as ClickHouse spells it.
    ///
    /// # Errors
    /// [`TypeError`] when the text is no type that Motherlode can write.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        let mut parser = Parser { text, rest: text, depth: 0 };
        let parsed = parser.column_type()?;
        parser.space();
        if !parser.rest.is_empty() {
            return Err(parser.syntax("the end"));
        }
        Ok(parsed)
    }

    /// Whether the column takes NULL.
    #[must_use]
    pub fn is_nullable(&self) -> bool {
        match self {
            Self::Nullable(_) => true,
            Self::LowCardinality(inner) => inner.is_nullable(),
            _ => false,
        }
    }

    /// The type without `Nullable` and `LowCardinality` around it.
    #[must_use]
    pub fn bare(&self) -> &Self {
        match self {
            Self::Nullable(inner) | Self::LowCardinality(inner) => inner.bare(),
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
            Self::Tuple(fields) => {
                f.write_str("Tuple(")?;
                for (i, (name, inner)) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    if name.is_empty() {
                        write!(f, "{comma}{inner}")?;
                    } else {
                        write!(
                            f,
                            "{comma}`{}` {inner}",
                            name.replace('\\', "\\\\").replace('`', "\\`")
                        )?;
                    }
                }
                f.write_str(")")
            }
            Self::Map(key, value) => write!(f, "Map({key}, {value})"),
        }
    }
}

/// A ClickHouse string literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Types within types: a real one has a handful, and the parser needs stack for
/// each.
const MAX_DEPTH: u8 = 32;

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    depth: u8,
}

impl<'a> Parser<'a> {
    fn column_type(&mut self) -> Result<ColumnType, TypeError> {
        if self.depth == MAX_DEPTH {
            return Err(TypeError::Parameter(format!(
                "types are nested more than {MAX_DEPTH} deep"
            )));
        }
        self.depth += 1;
        let parsed = self.one_type();
        self.depth -= 1;
        parsed
    }

    fn one_type(&mut self) -> Result<ColumnType, TypeError> {
        self.space();
        let name = self.word().ok_or_else(|| self.syntax("a type name"))?;
        Ok(match name {
            "Bool" => ColumnType::Bool,
            "Int8" | "Int16" | "Int32" | "Int64" => ColumnType::Int(bits(name, 3)),
            "UInt8" | "UInt16" | "UInt32" | "UInt64" => ColumnType::UInt(bits(name, 4)),
            "Float32" | "Float64" => ColumnType::Float(bits(name, 5)),
            "String" => ColumnType::String,
            "UUID" => ColumnType::Uuid,
            "Date" => ColumnType::Date,
            "Date32" => ColumnType::Date32,
            "IPv4" => ColumnType::Ipv4,
            "IPv6" => ColumnType::Ipv6,
            "FixedString" => {
                self.token("(")?;
                let size = self.number("1 to 16777216", 1, 16_777_216)?;
                self.token(")")?;
                ColumnType::FixedString(size)
            }
            "Decimal" => {
                self.token("(")?;
                let precision = self.small("a precision of 1 to 38", 1, 38)?;
                let scale = if self.take(",") { self.small("a scale", 0, 38)? } else { 0 };
                self.token(")")?;
                if scale > precision {
                    return Err(TypeError::Parameter(format!(
                        "Decimal({precision}, {scale}): the scale must not be above the precision"
                    )));
                }
                ColumnType::Decimal(precision, scale)
            }
            "DateTime" => {
                let zone = if self.take("(") {
                    let zone = self.string()?;
                    self.token(")")?;
                    Some(zone)
                } else {
                    None
                };
                ColumnType::DateTime(zone)
            }
            "DateTime64" => {
                self.token("(")?;
                let precision = self.small("a precision of 0 to 9", 0, 9)?;
                let zone = if self.take(",") { Some(self.string()?) } else { None };
                self.token(")")?;
                ColumnType::DateTime64(precision, zone)
            }
            "Enum8" | "Enum16" => self.enumeration(bits(name, 4))?,
            "Nullable" => {
                let inner = self.argument()?;
                if matches!(
                    inner,
                    ColumnType::Nullable(_)
                        | ColumnType::LowCardinality(_)
                        | ColumnType::Array(_)
                        | ColumnType::Map(..)
                        | ColumnType::Tuple(_)
                ) {
                    return Err(TypeError::Parameter(format!(
                        "Nullable({inner}) does not exist in ClickHouse; put Nullable inside of it"
                    )));
                }
                ColumnType::Nullable(Box::new(inner))
            }
            "LowCardinality" => {
                let inner = self.argument()?;
                if !matches!(inner.bare(), ColumnType::String | ColumnType::FixedString(_)) {
                    return Err(TypeError::Parameter(format!(
                        "LowCardinality({inner}): use it for String, FixedString and Nullable of them"
                    )));
                }
                ColumnType::LowCardinality(Box::new(inner))
            }
            "Array" => ColumnType::Array(Box::new(self.argument()?)),
            "Map" => {
                self.token("(")?;
                let key = self.column_type()?;
                self.token(",")?;
                let value = self.column_type()?;
                self.token(")")?;
                ColumnType::Map(Box::new(key), Box::new(value))
            }
            "Tuple" => self.tuple()?,
            other => {
                return Err(TypeError::Unknown { name: other.to_owned(), hint: hint(other) });
            }
        })
    }

    fn argument(&mut self) -> Result<ColumnType, TypeError> {
        self.token("(")?;
        let inner = self.column_type()?;
        self.token(")")?;
        Ok(inner)
    }

    fn tuple(&mut self) -> Result<ColumnType, TypeError> {
        self.token("(")?;
        let mut fields = Vec::new();
        loop {
            self.space();
            let before = self.rest;
            let name = match self.rest.strip_prefix('`') {
                Some(rest) => {
                    self.rest = rest;
                    self.until('`', "a closing backtick")?
                }
                None => self.word().ok_or_else(|| self.syntax("a field"))?.to_owned(),
            };
            self.space();
            // `name Type` when a type follows the word, `Type` otherwise.
            if self.rest.starts_with([',', ')', '(']) {
                self.rest = before;
                fields.push((String::new(), self.column_type()?));
            } else {
                fields.push((name, self.column_type()?));
            }
            if !self.take(",") {
                break;
            }
        }
        self.token(")")?;
        Ok(ColumnType::Tuple(fields))
    }

    fn enumeration(&mut self, bits: u8) -> Result<ColumnType, TypeError> {
        self.token("(")?;
        let range = if bits == 8 {
            i64::from(i8::MIN)..=i64::from(i8::MAX)
        } else {
            i64::from(i16::MIN)..=i64::from(i16::MAX)
        };
        let mut values: Vec<(String, i16)> = Vec::new();
        loop {
            let name = self.string()?;
            let value = if self.take("=") {
                self.space();
                let digits = self.rest.len()
                    - self.rest.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit()).len();
                let value =
                    self.rest[..digits].parse::<i64>().map_err(|_| self.syntax("a number"))?;
                self.rest = &self.rest[digits..];
                value
            } else {
                values.last().map_or(1, |(_, last)| i64::from(*last) + 1)
            };
            let value =
                i16::try_from(value).ok().filter(|v| range.contains(&i64::from(*v))).ok_or_else(
                    || TypeError::Parameter(format!("Enum{bits}: the value {value} does not fit")),
                )?;
            if values.iter().any(|(known, number)| *known == name || *number == value) {
                return Err(TypeError::Parameter(format!(
                    "Enum{bits}: '{name}' = {value} repeats a name or a value"
                )));
            }
            values.push((name, value));
            if !self.take(",") {
                break;
            }
        }
        self.token(")")?;
        Ok(ColumnType::Enum(bits, values))
    }

    fn word(&mut self) -> Option<&'a str> {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn string(&mut self) -> Result<String, TypeError> {
        self.token("'")?;
        self.until('\'', "a closing quote")
    }

    /// The text up to the closing character; a backslash escapes any character.
    fn until(&mut self, close: char, expected: &'static str) -> Result<String, TypeError> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some((_, escaped)) => text.push(escaped),
                    None => break,
                },
                c if c == close => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                other => text.push(other),
            }
        }
        Err(self.syntax(expected))
    }

    fn small(&mut self, expected: &'static str, min: u32, max: u32) -> Result<u8, TypeError> {
        let number = self.number(expected, min, max)?;
        u8::try_from(number).map_err(|_| self.syntax(expected))
    }

    fn number(&mut self, expected: &'static str, min: u32, max: u32) -> Result<u32, TypeError> {
        self.space();
        let word = self.word().ok_or_else(|| self.syntax(expected))?;
        word.parse().ok().filter(|n| (min..=max).contains(n)).ok_or_else(|| {
            TypeError::Parameter(format!("`{}`: {expected} expected, not {word}", self.text))
        })
    }

    fn token(&mut self, token: &'static str) -> Result<(), TypeError> {
        if self.take(token) { Ok(()) } else { Err(self.syntax(token)) }
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn syntax(&self, expected: &'static str) -> TypeError {
        TypeError::Syntax {
            text: self.text.to_owned(),
            expected,
            at: self.text[..self.text.len() - self.rest.len()].chars().count() + 1,
        }
    }
}

/// The width at the end of a type's name; the caller has matched the name.
fn bits(name: &str, prefix: usize) -> u8 {
    name[prefix..].parse().unwrap_or(64)
}

fn hint(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let close = NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)).copied().or(
        match lower.as_str() {
            "int" | "integer" => Some("Int32"),
            "bigint" | "long" => Some("Int64"),
            "text" | "varchar" | "str" | "char" => Some("String"),
            "double" | "float" => Some("Float64"),
            "boolean" => Some("Bool"),
            "timestamp" => Some("DateTime64(3)"),
            "list" => Some("Array"),
            _ => None,
        },
    );
    match close {
        Some(known) => format!("; did you mean `{known}`?"),
        None => format!("; known are {}", NAMES.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Bool")]
    #[case("UInt64")]
    #[case("Decimal(18, 4)")]
    #[case("FixedString(16)")]
    #[case("DateTime('Europe/Berlin')")]
    #[case("DateTime64(6, 'UTC')")]
    #[case("Enum8('a' = 1, 'it\\'s' = -2)")]
    #[case("LowCardinality(Nullable(String))")]
    #[case("Array(Tuple(`a` Int32, `b c` Array(String)))")]
    #[case("Tuple(Int32, Nullable(Float64))")]
    #[case("Map(String, Array(UInt8))")]
    #[case("Tuple(`a\\`b` Int8, `c\\\\d` Int8)")]
    fn types_survive_a_round_trip(#[case] text: &str) {
        assert_eq!(ColumnType::parse(text).unwrap().to_string(), text);
    }

    #[rstest]
    #[case("Strng", "unknown column type `Strng`")]
    #[case("integer", "did you mean `Int32`?")]
    #[case("string", "did you mean `String`?")]
    #[case("Array(Int32", ") expected at character 12")]
    #[case("Int32)", "the end expected")]
    #[case("Decimal(50, 2)", "a precision of 1 to 38 expected, not 50")]
    #[case("Decimal(4, 5)", "the scale must not be above")]
    #[case("Nullable(Array(Int8))", "does not exist in ClickHouse")]
    #[case("LowCardinality(UInt8)", "use it for String")]
    #[case("Enum8('a' = 200)", "does not fit")]
    #[case("Enum8('a' = 1, 'b' = 1)", "repeats a name or a value")]
    fn mistakes_are_named(#[case] text: &str, #[case] message: &str) {
        let error = ColumnType::parse(text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        let text = format!("{}Int8{}", "Array(".repeat(100_000), ")".repeat(100_000));
        assert!(
            ColumnType::parse(&text).unwrap_err().to_string().contains("nested more than 32 deep")
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = ColumnType::parse(&text);
        }
    }
}
