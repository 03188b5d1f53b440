//! Tables for people: aligned columns, nothing else.

use std::fmt;

/// On which side of its column a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a head line.
#[derive(Debug)]
pub struct Table {
    heads: Vec<(String, Side)>,
    rows: Vec<Vec<String>>,
    widest: usize,
}

impl Table {
    /// A table with these columns and no rows. A title that begins with `>`
    /// stands above numbers.
    #[must_use]
    pub fn new<T: AsRef<str>>(titles: impl IntoIterator<Item = T>) -> Self {
        let head = |title: T| match title.as_ref().strip_prefix('>') {
            Some(title) => (title.to_owned(), Side::Right),
            None => (title.as_ref().to_owned(), Side::Left),
        };
        Self { heads: titles.into_iter().map(head).collect(), rows: Vec::new(), widest: usize::MAX }
    }

    /// Cuts values above this many characters.
    #[must_use]
    pub fn cut(mut self, widest: usize) -> Self {
        self.widest = widest;
        self
    }

    /// Adds a row.
    pub fn row<T: AsRef<str>>(&mut self, values: impl IntoIterator<Item = T>) {
        self.rows
            .push(values.into_iter().map(|value| one_line(value.as_ref(), self.widest)).collect());
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads: Vec<String> = self.heads.iter().map(|(title, _)| title.clone()).collect();
        let mut widths: Vec<usize> = heads.iter().map(|title| title.chars().count()).collect();
        for row in &self.rows {
            for (width, value) in widths.iter_mut().zip(row) {
                *width = (*width).max(value.chars().count());
            }
        }
        for row in std::iter::once(&heads).chain(&self.rows) {
            let mut line = String::new();
            for ((value, width), (_, side)) in row.iter().zip(&widths).zip(&self.heads) {
                match side {
                    Side::Left => line.push_str(&format!("{value:<width$}  ")),
                    Side::Right => line.push_str(&format!("{value:>width$}  ")),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The value on one line, at most so many characters of it: a row of a table
/// must not be broken (nor a terminal, by escape codes) by what a file holds.
fn one_line(value: &str, widest: usize) -> String {
    let mut text = String::with_capacity(value.len().min(widest));
    for (length, c) in value.chars().enumerate() {
        if length + 1 > widest {
            text.pop();
            text.push('…');
            return text;
        }
        match c {
            '\n' | '\r' | '\t' => text.push(' '),
            c if c.is_control() => text.push('\u{fffd}'),
            c => text.push(c),
        }
    }
    text
}

/// A number with thin groups: `1234567` is `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["source", ">rows", "state"]).cut(8);
        table.row(["movies", "3,201", "done"]);
        table.row(["a-very-long-name", "1", "broken\nline"]);
        assert_eq!(
            table.to_string(),
            "source     rows  state\n\
             movies    3,201  done\n\
             a-very-…      1  broken …\n"
        );
    }

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1_000, "1,000")]
    #[case(1_234_567, "1,234,567")]
    fn numbers_are_grouped(#[case] number: u64, #[case] text: &str) {
        assert_eq!(grouped(number), text);
    }

    #[test]
    fn escape_codes_do_not_reach_the_terminal() {
        assert_eq!(one_line("a\u{1b}[31mb", 80), "a\u{fffd}[31mb");
    }
}
