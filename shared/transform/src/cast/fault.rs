//! What can be wrong with one value, and how that is said.
//!
//! A fault is small and made without allocating, because a column with
//! `on_error: null` may hold millions of them; words are found only for those
//! that somebody will read.

use std::borrow::Cow;

use arrow::array::Array;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use model::ColumnType;

/// Most characters of a value in a reason.
const SHOWN: usize = 200;

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The text does not have the form of the type.
    Malformed,
    /// The value is outside of what the type holds.
    Range,
    /// A whole number was expected.
    Fraction,
    /// There are more fraction digits than the type's scale.
    Scale,
    /// The text is longer than the type's bytes.
    TooLong,
    /// The bytes are no UTF-8.
    NotUtf8,
    /// A date was expected, and there is a time of day that would be lost.
    TimeOfDay,
    /// The local time was skipped when the clocks went forward.
    LocalTime,
    /// A bare number, where no `unix` format says its unit.
    NeedsUnix,
    /// None of the document's formats matches.
    NoFormat,
    /// No name of the enumeration.
    NotListed,
    /// NULL where the type takes none.
    Null,
    /// NULL in a column that the document calls required.
    Required,
    /// A part of the value does not fit.
    Inside(String),
}

impl Fault {
    /// The fault in words. `value` is the value as the object has it.
    pub fn describe(&self, value: &str, column_type: &ColumnType) -> String {
        let bare = column_type.bare();
        let value = shown(value);
        match self {
            Self::Malformed => format!("`{value}` is no {bare}{}", hint(bare)),
            Self::Range => format!("`{value}` is outside of {bare}{}", range(bare)),
            Self::Fraction => format!("`{value}` is no whole number, and {bare} holds only those"),
            Self::Scale => {
                format!(
                    "`{value}` has more fraction digits than {bare} holds; give the type a larger scale"
                )
            }
            Self::TooLong => format!("`{value}` is longer than {bare} holds"),
            Self::NotUtf8 => format!("`{value}` is no UTF-8 text"),
            Self::TimeOfDay => format!(
                "`{value}` has a time of day that {bare} would lose; use DateTime or DateTime64"
            ),
            Self::LocalTime => {
                format!(
                    "`{value}` does not exist in the column's `timestamp.zone`: the clocks skipped it"
                )
            }
            Self::NeedsUnix => format!(
                "`{value}` is a number, not {bare}; say what it counts by `timestamp: {{formats: [unix]}}` (or unix_ms, unix_us, unix_ns)"
            ),
            Self::NoFormat => {
                format!("`{value}` has none of the formats in the column's `timestamp.formats`")
            }
            Self::NotListed => {
                format!("`{value}` is none of the names of {}", shown(&bare.to_string()))
            }
            Self::Null => {
                "NULL in a column that takes none; make the type Nullable, or give a default"
                    .to_owned()
            }
            Self::Required => "NULL or missing in a column that is `required`".to_owned(),
            Self::Inside(reason) => reason.clone(),
        }
    }

    /// The fault of a part of a value, in words, for the whole.
    pub fn inside(
        &self,
        place: &str,
        value: &dyn Array,
        row: usize,
        column_type: &ColumnType,
    ) -> Self {
        let words = match self {
            Self::Null => {
                format!("NULL, and {column_type} takes none; write Nullable({column_type})")
            }
            other => other.describe(&value_text(value, row), column_type),
        };
        Self::Inside(format!("{place}: {words}"))
    }
}

/// A value of any array as text, for messages.
pub(crate) fn value_text(array: &dyn Array, row: usize) -> String {
    let options = FormatOptions::default().with_null("NULL");
    ArrayFormatter::try_new(array, &options)
        .and_then(|formatter| formatter.value(row).try_to_string())
        .unwrap_or_else(|error| format!("(cannot be shown: {error})"))
}

/// The text, shortened for a message.
pub(crate) fn shown(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{}…", &value[..end])),
        None => Cow::Borrowed(value),
    }
}

/// What would have been right.
fn hint(column_type: &ColumnType) -> &'static str {
    match column_type {
        ColumnType::Bool => "; true, false, yes, no, on, off, t, f, y, n, 1 and 0 are",
        ColumnType::Date | ColumnType::Date32 => {
            "; write it as 2026-01-31, or name its form in the column's `timestamp.formats`"
        }
        ColumnType::DateTime(_) | ColumnType::DateTime64(..) => {
            "; write it as 2026-01-31T12:00:00Z, or name its form in the column's `timestamp.formats`"
        }
        ColumnType::Uuid => "; 32 hexadecimal digits, with or without hyphens, are",
        ColumnType::Array(_) => "; a list, or the text of a JSON array, is",
        ColumnType::Tuple(_) => {
            "; a JSON object with the fields' names, or an array with as many elements, is"
        }
        ColumnType::Map(..) => "; a JSON object is",
        ColumnType::Nested(_) => "; a list of objects, or the text of a JSON array of them, is",
        ColumnType::Json => "; a JSON object in which no path stands twice is",
        ColumnType::Time | ColumnType::Time64(_) => "; 12:30:00, -1:00:00.5 and seconds are",
        _ => "",
    }
}

/// The values that the type holds.
fn range(column_type: &ColumnType) -> Cow<'static, str> {
    Cow::Borrowed(match column_type {
        ColumnType::Int(8) => " (-128 to 127)",
        ColumnType::Int(16) => " (-32768 to 32767)",
        ColumnType::Int(32) => " (-2147483648 to 2147483647)",
        ColumnType::Int(64) => " (-9223372036854775808 to 9223372036854775807)",
        ColumnType::Int(bits) => return Cow::Owned(format!(" (-2^{0} to 2^{0}-1)", bits - 1)),
        ColumnType::UInt(8) => " (0 to 255)",
        ColumnType::UInt(16) => " (0 to 65535)",
        ColumnType::UInt(32) | ColumnType::Ipv4 => " (0 to 4294967295)",
        ColumnType::UInt(64) => " (0 to 18446744073709551615)",
        ColumnType::UInt(bits) => return Cow::Owned(format!(" (0 to 2^{bits}-1)")),
        ColumnType::Decimal(precision, scale) => {
            return Cow::Owned(format!(" ({} digits before the point)", precision - scale));
        }
        ColumnType::Date => " (1970-01-01 to 2149-06-06)",
        ColumnType::Date32 => " (1900-01-01 to 2299-12-31)",
        ColumnType::DateTime(_) => " (1970-01-01 00:00:00 to 2106-02-07 06:28:15 UTC)",
        ColumnType::Time | ColumnType::Time64(_) => " (-999:59:59 to 999:59:59)",
        ColumnType::DateTime64(9, _) => " (1900-01-01 to 2262-04-11 UTC)",
        ColumnType::DateTime64(..) => " (1900-01-01 to 2299-12-31 UTC)",
        _ => "",
    })
}
