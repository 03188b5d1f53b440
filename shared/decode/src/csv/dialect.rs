//! The characters that give delimited text its shape.

use model::document::Csv;

use crate::DecodeError;

/// The characters that give a row its shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// `None` when fields are never quoted.
    pub(super) quote: Option<u8>,
    /// What escapes a quote and itself, beside the doubling of quotes.
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
}

impl Dialect {
    /// The dialect that a document describes; `name` is the object's.
    pub(super) fn new(options: &Csv, name: &str) -> Result<Self, DecodeError> {
        let one = |field: &'static str, text: &str| match text.as_bytes() {
            [byte] => Ok(*byte),
            _ => Err(DecodeError::BadOption {
                name: name.to_owned(),
                field,
                reason: format!("`{text}` must be one ASCII character"),
            }),
        };
        let optional = |field, text: Option<&str>| text.map(|text| one(field, text)).transpose();
        let quote = Some(options.quote.as_str()).filter(|quote| !quote.is_empty());
        // An escape that is the quote itself is the doubling that is usual
        // anyway, and without quotes there is nothing to escape.
        let escape =
            options.escape.as_deref().filter(|escape| *escape != options.quote && quote.is_some());
        Ok(Self {
            delimiter: one("format.csv.delimiter", &options.delimiter)?,
            quote: optional("format.csv.quote", quote)?,
            escape: optional("format.csv.escape", escape)?,
            comment: optional("format.csv.comment", options.comment.as_deref())?,
        })
    }

    /// Appends what a quoted field says. `field` begins with its quote; what
    /// stands behind the closing quote belongs to it as it is.
    pub(super) fn unquote(&self, field: &[u8], into: &mut Vec<u8>) {
        let Some(quote) = self.quote else { return into.extend_from_slice(field) };
        let mut rest = field.get(1..).unwrap_or_default();
        while let Some(at) = memchr::memchr2(quote, self.escape.unwrap_or(quote), rest) {
            into.extend_from_slice(&rest[..at]);
            let (special, after) = (rest[at], &rest[at + 1..]);
            rest = match after.split_first() {
                Some((escaped, after)) if *escaped == quote => {
                    into.push(quote);
                    after
                }
                Some((escaped, after)) if special != quote && *escaped == special => {
                    into.push(special);
                    after
                }
                // Before anything else an escape is a character like any other.
                _ if special != quote => {
                    into.push(special);
                    after
                }
                _ => return into.extend_from_slice(after),
            };
        }
        into.extend_from_slice(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"\"a\"", None, b"a")]
    #[case(b"\"a\"\"b\"", None, b"a\"b")]
    #[case(b"\"\"\"\"", None, b"\"")]
    #[case(b"\"a\"b\"\"c\"", None, b"ab\"\"c\"")]
    #[case(b"\"never closed", None, b"never closed")]
    #[case(b"\"", None, b"")]
    #[case(b"\"a\\\"b\"", Some(b'\\'), b"a\"b")]
    #[case(b"\"a\\nb\\\\\"", Some(b'\\'), b"a\\nb\\")]
    #[case(b"\"C:\\new\"", Some(b'\\'), b"C:\\new")]
    #[case(b"\"a\"\"b\"", Some(b'\\'), b"a\"b")]
    #[case(b"\"a\\", Some(b'\\'), b"a\\")]
    fn quotes_are_taken_off(
        #[case] field: &[u8],
        #[case] escape: Option<u8>,
        #[case] expected: &[u8],
    ) {
        let dialect = Dialect { delimiter: b',', quote: Some(b'"'), escape, comment: None };
        let mut made = Vec::new();
        dialect.unquote(field, &mut made);
        assert_eq!(made, expected);
    }
}
