//! From mark to mark through a text: how rows and fields are told apart.
//!
//! A field is quoted when it begins with a quote; anywhere else in it a quote is
//! like any other character. Comments stand between rows, and so do blank lines where
//! rows have several fields.

use super::cell::Cell;
use super::dialect::Dialect;

/// Where the walk through a row has come to.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    /// Before the first field of a row.
    Start,
    /// In a comment line.
    Comment,
    /// In a field without quotes.
    Plain,
    /// Between quotes; `literal` is the place of an escaped character.
    Quoted { escaped: bool, literal: u32 },
    /// Behind a closing quote.
    Closed { escaped: bool, quote: u32 },
}

/// A walk through the marks of a text.
pub(super) struct Walk<'a> {
    pub(super) dialect: Dialect,
    pub(super) text: &'a [u8],
    pub(super) state: State,
    /// Where the row starts.
    pub(super) start: u32,
    /// Where the field starts.
    pub(super) field: u32,
    /// Text stands behind a closing quote in this row.
    pub(super) is_broken: bool,
    /// Whether a line of nothing is a row, of one empty field.
    pub(super) blank_is_row: bool,
    /// Whether the line before ended with a carriage return, so that a line feed belongs
    /// to its end.
    pub(super) after_return: bool,
}

impl Walk<'_> {
    /// Walks to the end of the row and tells where that is.
    #[inline]
    pub(super) fn row(
        &mut self,
        marks: &mut std::slice::Iter<'_, u32>,
        cells: &mut Vec<Cell>,
    ) -> Option<u32> {
        let end = loop {
            // Nearly all fields are plain, and this is nearly all that they cost.
            if let State::Plain = self.state
                && let Some(end) = self.plain(marks, cells)?
            {
                break end;
            }
            let at = *marks.next()?;
            if let Some(end) = self.mark(at, cells) {
                break end;
            }
        };
        self.after_return = self.text[end as usize] == b'\r';
        Some(end)
    }

    /// Walks through fields without quotes: to the end of the row, or to a
    /// field with them. `None` when the marks end before.
    #[inline]
    fn plain(
        &mut self,
        marks: &mut std::slice::Iter<'_, u32>,
        cells: &mut Vec<Cell>,
    ) -> Option<Option<u32>> {
        let delimiter = self.dialect.delimiter;
        // The delimiter is looked for first, so that it is never taken for a quote.
        let quote = self.dialect.quote.unwrap_or(delimiter);
        let mut field = self.field;
        for &at in marks.by_ref() {
            let byte = self.text[at as usize];
            if byte == delimiter {
                cells.push(Cell::plain(field, at));
                field = at + 1;
            } else if is_line_end(byte) {
                cells.push(Cell::plain(field, at));
                return Some(Some(at));
            } else if at == field && byte == quote {
                self.field = field;
                self.state = State::Quoted { escaped: false, literal: u32::MAX };
                return Some(None);
            }
            // Within a field a quote is like any other character.
        }
        self.field = field;
        None
    }

    /// Takes one mark into account; tells where the row ends when it ends there.
    #[inline]
    fn mark(&mut self, at: u32, cells: &mut Vec<Cell>) -> Option<u32> {
        let Dialect { delimiter, quote, escape, comment } = self.dialect;
        let byte = self.text[at as usize];
        let ends_field = byte == delimiter || is_line_end(byte);
        if let State::Start = self.state {
            let follows_return = std::mem::take(&mut self.after_return);
            self.state = match self.text[self.start as usize] {
                first if Some(first) == comment => State::Comment,
                first @ (b'\r' | b'\n')
                    if !self.blank_is_row || (first == b'\n' && follows_return) =>
                {
                    (self.start, self.field) = (at + 1, at + 1);
                    return None;
                }
                _ => State::Plain,
            };
        }
        let cell = match self.state {
            State::Start | State::Plain => {
                if !ends_field {
                    if at == self.field && Some(byte) == quote {
                        self.state = State::Quoted { escaped: false, literal: u32::MAX };
                    }
                    return None;
                }
                Cell::plain(self.field, at)
            }
            State::Comment => {
                if is_line_end(byte) {
                    (self.start, self.field) = (at + 1, at + 1);
                    self.state = State::Start;
                    self.after_return = byte == b'\r';
                }
                return None;
            }
            State::Quoted { literal, .. } if literal == at => return None,
            State::Quoted { escaped, .. } => {
                if Some(byte) == quote {
                    self.state = State::Closed { escaped, quote: at };
                } else if Some(byte) == escape {
                    self.state = State::Quoted { escaped: true, literal: at + 1 };
                }
                return None;
            }
            State::Closed { escaped, quote: closing } => {
                let is_next = at == closing + 1;
                if !ends_field {
                    self.state = if is_next && Some(byte) == quote {
                        State::Quoted { escaped: true, literal: u32::MAX }
                    } else {
                        State::Closed { escaped: true, quote: closing }
                    };
                    return None;
                }
                self.is_broken |= !is_next && !is_blank(self.text, closing + 1, at);
                quoted(self.field, closing, at, escaped || !is_next)
            }
        };
        cells.push(cell);
        self.field = at + 1;
        self.state = State::Plain;
        is_line_end(byte).then_some(at)
    }
}

/// Whether there is nothing but spaces: many writers put one before a delimiter.
pub(super) fn is_blank(text: &[u8], start: u32, end: u32) -> bool {
    text[start as usize..end as usize].iter().all(|byte| matches!(byte, b' ' | b'\t'))
}

#[inline]
fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// A field that begins with a quote, from there to `end`.
#[inline]
pub(super) fn quoted(start: u32, closing: u32, end: u32, escaped: bool) -> Cell {
    if escaped { Cell::escaped(start, end) } else { Cell::quoted(start + 1, closing) }
}
