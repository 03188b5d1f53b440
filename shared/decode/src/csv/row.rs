//! One CSV row as it stands in the object: its bounds and its quotes.

use std::ops::Range;

/// The characters that give a row its shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// `None` when fields are never quoted.
    pub(super) quote: Option<u8>,
    /// What escapes a quote; a quote is doubled when absent.
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
}

impl Dialect {
    /// The row within the bytes that the parser passed for it: without the
    /// blank and comment lines before and the line end behind.
    pub(super) fn bounds(&self, passed: &[u8]) -> Range<usize> {
        let line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let mut start = 0;
        loop {
            start += passed[start..].iter().take_while(|byte| line_end(byte)).count();
            if self.comment.is_none() || passed.get(start).copied() != self.comment {
                break;
            }
            start += passed[start..].iter().take_while(|byte| !line_end(byte)).count();
        }
        let row = &passed[start..];
        let row = row.strip_suffix(b"\n").unwrap_or(row);
        let row = row.strip_suffix(b"\r").unwrap_or(row);
        start..start + row.len()
    }

    /// Notes for each field of a row whether it is quoted.
    pub(super) fn quoted_fields(&self, row: &[u8], quoted: &mut Vec<bool>) {
        quoted.clear();
        let Some(quote) = self.quote else { return };
        let mut rest = row;
        loop {
            let is_quoted = rest.first() == Some(&quote);
            quoted.push(is_quoted);
            if is_quoted {
                rest = self.after_quotes(&rest[1..], quote);
            }
            match memchr::memchr(self.delimiter, rest) {
                Some(end) => rest = &rest[end + 1..],
                None => return,
            }
        }
    }

    /// What follows the closing quote.
    fn after_quotes<'a>(&self, mut rest: &'a [u8], quote: u8) -> &'a [u8] {
        loop {
            let escape = self.escape.unwrap_or(quote);
            let Some(at) = memchr::memchr2(quote, escape, rest) else { return &[] };
            let escaped = match self.escape {
                Some(escape) => rest[at] == escape,
                None => rest.get(at + 1) == Some(&quote),
            };
            if !escaped {
                return &rest[at + 1..];
            }
            rest = rest.get(at + 2..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const PLAIN: Dialect =
        Dialect { delimiter: b',', quote: Some(b'"'), escape: None, comment: Some(b'#') };

    #[rstest]
    #[case(b"a,b\n", b"a,b")]
    #[case(b"\n\r\na,b\r\n", b"a,b")]
    #[case(b"\n# no\n\n# row\r\na\r", b"a")]
    #[case(b"a,\"b\n\n\"", b"a,\"b\n\n\"")]
    #[case(b"# only\n", b"")]
    fn rows_stand_between_line_ends(#[case] passed: &[u8], #[case] row: &[u8]) {
        assert_eq!(&passed[PLAIN.bounds(passed)], row);
    }

    #[rstest]
    #[case(b"a,b", None, &[false, false])]
    #[case(b"\"a,b\",,\"\"", None, &[true, false, true])]
    #[case(b"\"a\"\",b\",c", None, &[true, false])]
    #[case(b"\"a\\\",b\",c", Some(b'\\'), &[true, false])]
    #[case(b"a\"b,\"c", None, &[false, true])]
    #[case(b"\"a\"x,b", None, &[true, false])]
    fn quotes_are_seen(#[case] row: &[u8], #[case] escape: Option<u8>, #[case] expected: &[bool]) {
        let mut quoted = Vec::new();
        Dialect { escape, ..PLAIN }.quoted_fields(row, &mut quoted);
        assert_eq!(quoted, expected);
    }
}
