//! Reads a column type as ClickHouse spells it.

use super::{ColumnType, TypeError};

/// Names that a typo can be compared with.
const NAMES: &[&str] = &[
    "Bool",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Int128",
    "Int256",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "UInt128",
    "UInt256",
    "Float32",
    "Float64",
    "BFloat16",
    "Decimal",
    "String",
    "FixedString",
    "UUID",
    "Date",
    "Date32",
    "DateTime",
    "DateTime64",
    "Time",
    "Time64",
    "Enum8",
    "Enum16",
    "IPv4",
    "IPv6",
    "Nullable",
    "LowCardinality",
    "Array",
    "Tuple",
    "Map",
    "Nested",
    "JSON",
    "SimpleAggregateFunction",
];

/// Functions that `SimpleAggregateFunction` takes:
/// <https://clickhouse.com/docs/sql-reference/data-types/simpleaggregatefunction>.
const SIMPLE_AGGREGATES: &[&str] = &[
    "any",
    "any_respect_nulls",
    "anyLast",
    "anyLast_respect_nulls",
    "min",
    "max",
    "sum",
    "sumWithOverflow",
    "groupBitAnd",
    "groupBitOr",
    "groupBitXor",
    "groupArrayArray",
    "groupUniqArrayArray",
    "groupUniqArrayArrayMap",
    "sumMap",
    "minMap",
    "maxMap",
];

/// Types within types: a real one has a handful, and the parser needs stack for
/// each.
const MAX_DEPTH: u8 = 32;

pub(super) fn parse(text: &str) -> Result<ColumnType, TypeError> {
    let mut parser = Parser { text, rest: text, depth: 0 };
    let parsed = parser.column_type()?;
    parser.space();
    if !parser.rest.is_empty() {
        return Err(parser.syntax("the end"));
    }
    Ok(parsed)
}

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
            "Int8" | "Int16" | "Int32" | "Int64" | "Int128" | "Int256" => {
                ColumnType::Int(bits(name, 3))
            }
            "UInt8" | "UInt16" | "UInt32" | "UInt64" | "UInt128" | "UInt256" => {
                ColumnType::UInt(bits(name, 4))
            }
            "Float32" => ColumnType::Float(32),
            "Float64" => ColumnType::Float(64),
            "BFloat16" => ColumnType::BFloat16,
            "JSON" => self.json()?,
            "Time" => ColumnType::Time,
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
                let precision = self.small("a precision of 1 to 76", 1, 76)?;
                let scale = if self.take(",") { self.small("a scale", 0, 76)? } else { 0 };
                self.token(")")?;
                if scale > precision {
                    return Err(TypeError::Parameter(format!(
                        "Decimal({precision}, {scale}): the scale must not be above the precision"
                    )));
                }
                ColumnType::Decimal(precision, scale)
            }
            "Decimal32" => self.sized_decimal(9)?,
            "Decimal64" => self.sized_decimal(18)?,
            "Decimal128" => self.sized_decimal(38)?,
            "Decimal256" => self.sized_decimal(76)?,
            "DateTime" => {
                let zone = if self.take("(") {
                    let zone = self.zone()?;
                    self.token(")")?;
                    Some(zone)
                } else {
                    None
                };
                ColumnType::DateTime(zone)
            }
            "Time64" => {
                self.token("(")?;
                let precision = self.small("a precision of 0 to 9", 0, 9)?;
                self.token(")")?;
                ColumnType::Time64(precision)
            }
            "DateTime64" => {
                self.token("(")?;
                let precision = self.small("a precision of 0 to 9", 0, 9)?;
                let zone = if self.take(",") { Some(self.zone()?) } else { None };
                self.token(")")?;
                ColumnType::DateTime64(precision, zone)
            }
            "Enum8" => self.enumeration(8)?,
            "Enum16" => self.enumeration(16)?,
            "Nullable" => {
                let inner = self.argument()?;
                if inner == ColumnType::Json {
                    return Err(TypeError::Parameter(
                        "Nullable(JSON) is not written here; write JSON and give it a `default` such as '{}', or write Nullable(String)"
                            .to_owned(),
                    ));
                }
                if matches!(
                    inner,
                    ColumnType::Nullable(_)
                        | ColumnType::LowCardinality(_)
                        | ColumnType::Array(_)
                        | ColumnType::Map(..)
                        | ColumnType::Tuple(_)
                        | ColumnType::Nested(_)
                        | ColumnType::SimpleAggregate(..)
                ) {
                    return Err(TypeError::Parameter(format!(
                        "Nullable({inner}) does not exist in ClickHouse; put Nullable inside of it"
                    )));
                }
                ColumnType::Nullable(Box::new(inner))
            }
            "LowCardinality" => {
                let inner = self.argument()?;
                if !may_be_low_cardinality(&inner) {
                    return Err(TypeError::Parameter(format!(
                        "LowCardinality({inner}): use it for String, FixedString, numbers up to 64 bits, Date, DateTime, and Nullable of them"
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
                if key.is_nullable() {
                    return Err(TypeError::Parameter(format!(
                        "Map({key}, {value}): a key cannot be NULL; leave Nullable out of it"
                    )));
                }
                ColumnType::Map(Box::new(key), Box::new(value))
            }
            "Tuple" => {
                let fields = self.fields()?;
                let named = fields.iter().filter(|(name, _)| !name.is_empty()).count();
                if named > 0 && named < fields.len() {
                    return Err(TypeError::Parameter(
                        "Tuple(…): either all fields have names or none has".to_owned(),
                    ));
                }
                ColumnType::Tuple(fields)
            }
            "Nested" => {
                let fields = self.fields()?;
                if let Some(at) = fields.iter().position(|(name, _)| name.is_empty()) {
                    return Err(TypeError::Parameter(format!(
                        "Nested(…): field {} has no name",
                        at + 1
                    )));
                }
                ColumnType::Nested(fields)
            }
            "SimpleAggregateFunction" => self.simple_aggregate()?,
            other => {
                return Err(TypeError::Unknown { name: other.to_owned(), hint: hint(other) });
            }
        })
    }

    fn sized_decimal(&mut self, precision: u8) -> Result<ColumnType, TypeError> {
        self.token("(")?;
        let scale = self.small("a scale of at most the precision", 0, u32::from(precision))?;
        self.token(")")?;
        Ok(ColumnType::Decimal(precision, scale))
    }

    fn argument(&mut self) -> Result<ColumnType, TypeError> {
        self.token("(")?;
        let inner = self.column_type()?;
        self.token(")")?;
        Ok(inner)
    }

    /// Type hints and limits within `JSON(…)` belong to the table that exists;
    /// rows are sent the same whatever they are.
    fn json(&mut self) -> Result<ColumnType, TypeError> {
        if self.take("(") {
            return Err(TypeError::Parameter(
                "JSON(…): write JSON, and create the table with its limits and hints yourself: the server applies them"
                    .to_owned(),
            ));
        }
        Ok(ColumnType::Json)
    }

    fn simple_aggregate(&mut self) -> Result<ColumnType, TypeError> {
        self.token("(")?;
        self.space();
        let function = self.word().ok_or_else(|| self.syntax("a function"))?;
        if !SIMPLE_AGGREGATES.contains(&function) {
            return Err(TypeError::Parameter(format!(
                "SimpleAggregateFunction({function}, …): known are {}",
                SIMPLE_AGGREGATES.join(", ")
            )));
        }
        self.token(",")?;
        let inner = self.column_type()?;
        self.token(")")?;
        if let Some(wanted) = unlike_its_result(function, &inner) {
            return Err(TypeError::Parameter(format!(
                "SimpleAggregateFunction({function}, {inner}): the function does not give this type; use it for {wanted}"
            )));
        }
        Ok(ColumnType::SimpleAggregate(function.to_owned(), Box::new(inner)))
    }

    fn fields(&mut self) -> Result<Vec<(String, ColumnType)>, TypeError> {
        self.token("(")?;
        let mut fields: Vec<(String, ColumnType)> = Vec::new();
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
            if fields.iter().any(|(known, _)| !known.is_empty() && *known == name)
                && !self.rest.starts_with([',', ')', '('])
            {
                return Err(TypeError::Parameter(format!("the field `{name}` stands twice")));
            }
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
        Ok(fields)
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

    /// A time zone of the IANA database, which the server has, too.
    fn zone(&mut self) -> Result<String, TypeError> {
        let zone = self.string()?;
        match zone.parse::<chrono_tz::Tz>() {
            Ok(_) => Ok(zone),
            Err(_) => Err(TypeError::Parameter(format!(
                "`{zone}` is no time zone; write one of the IANA database, such as UTC or Europe/Berlin"
            ))),
        }
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

/// What ClickHouse builds dictionaries of, as far as it is of use.
fn may_be_low_cardinality(inner: &ColumnType) -> bool {
    let bare = match inner {
        ColumnType::Nullable(bare) => bare,
        bare => bare,
    };
    matches!(
        bare,
        ColumnType::String
            | ColumnType::FixedString(_)
            | ColumnType::Int(8..=64)
            | ColumnType::UInt(8..=64)
            | ColumnType::Float(_)
            | ColumnType::Date
            | ColumnType::DateTime(_)
    )
}

/// What a function may be used for, when its result is not of the type that it is
/// used for: the server wants both to be the same, but for dictionaries.
fn unlike_its_result(function: &str, inner: &ColumnType) -> Option<&'static str> {
    let bare = inner.bare();
    let (fits, wanted) = match function {
        "sum" => {
            (is_sum(bare), "integers of 64 bits and more, Float64, and Decimal of 38 or 76 digits")
        }
        "sumWithOverflow" => (
            matches!(
                bare,
                ColumnType::UInt(_)
                    | ColumnType::Int(_)
                    | ColumnType::Float(_)
                    | ColumnType::Decimal(..)
            ),
            "numbers",
        ),
        "groupBitAnd" | "groupBitOr" | "groupBitXor" => (
            matches!(bare, ColumnType::UInt(8..=64) | ColumnType::Int(8..=64)),
            "integers of up to 64 bits",
        ),
        "groupArrayArray" | "groupUniqArrayArray" => {
            (is_array_of_plain(bare), "arrays without Nullable and LowCardinality elements")
        }
        "groupUniqArrayArrayMap" => (
            matches!(bare, ColumnType::Map(_, values) if is_array_of_plain(values)),
            "maps of arrays without Nullable and LowCardinality elements",
        ),
        "sumMap" => (
            is_of_keys_and_values(bare, is_sum),
            "maps, and tuples of arrays without names, of which the values are integers of 64 bits and more, Float64, or Decimal of 38 or 76 digits",
        ),
        "minMap" | "maxMap" => (
            is_of_keys_and_values(bare, |_| true),
            "maps, and tuples of two or more arrays without names",
        ),
        _ => (true, ""),
    };
    (!fits).then_some(wanted)
}

/// Whether a sum can be of the type: it is of the widest of its kind.
fn is_sum(bare: &ColumnType) -> bool {
    matches!(
        bare,
        ColumnType::UInt(64..)
            | ColumnType::Int(64..)
            | ColumnType::Float(64)
            | ColumnType::Decimal(38 | 76, _)
    )
}

/// Whether arrays can be put together: what comes of it has forgotten NULLs and
/// dictionaries.
fn is_array_of_plain(bare: &ColumnType) -> bool {
    matches!(
        bare,
        ColumnType::Array(element)
            if !matches!(**element, ColumnType::Nullable(_) | ColumnType::LowCardinality(_))
    )
}

/// A map, or an array of keys and one or more of values beside it.
fn is_of_keys_and_values(bare: &ColumnType, fits: impl Fn(&ColumnType) -> bool) -> bool {
    match bare {
        ColumnType::Map(_, values) => fits(values.bare()),
        ColumnType::Tuple(fields) => {
            let values = |(name, field): &(String, ColumnType)| {
                name.is_empty() && matches!(field, ColumnType::Array(values) if fits(values.bare()))
            };
            fields.len() > 1
                && matches!(&fields[0], (name, ColumnType::Array(_)) if name.is_empty())
                && fields[1..].iter().all(values)
        }
        _ => false,
    }
}

/// The width at the end of a type's name; the caller has matched the name.
fn bits(name: &str, prefix: usize) -> u16 {
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
            "object" => Some("JSON"),
            _ => None,
        },
    );
    if matches!(lower.as_str(), "variant" | "dynamic") {
        return "; create the table with it yourself, and write the type of the values here, \
                such as Nullable(String): the server puts them in as that member. For documents \
                of any shape there is JSON"
            .to_owned();
    }
    match close {
        Some(known) => format!("; did you mean `{known}`?"),
        None => format!("; known are {}", NAMES.join(", ")),
    }
}
