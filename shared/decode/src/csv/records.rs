//! From a stream to rows and their fields, as places in a text: nothing is
//! copied, and the text is kept until its batch is out, because a row that goes
//! to the quarantine must be the row as it stands in the object.

use std::io::{self, Read};
use std::ops::Range;

use super::cell::Cell;
use super::dialect::Dialect;
use super::marks::Marks;
use super::walk::{State, Walk, is_blank, quoted};
use crate::batch::Spare;
use crate::sniff::Stream;
use crate::{DecodeError, Place};

/// Bytes that are asked of the stream at a time: more than the buffers on the
/// way hold, so that they need not be used.
const PIECE: usize = 256 * 1024;
/// Bytes that are looked through at a time: they and their marks stay in the
/// nearest cache until the walk has passed them.
const SLICE: usize = 16 * 1024;
/// Text after which a batch must end. Together with the longest row it stays
/// below what a [`Cell`] can point at.
const FULL: usize = 256 << 20;
/// The longest row, whatever the limit.
const LONGEST_ROW: usize = 512 << 20;

/// The rows of a text.
pub(super) struct Records {
    stream: Stream,
    dialect: Dialect,
    name: String,
    longest: usize,
    /// Ordinal of the next row.
    pub(super) next: u64,
    /// What was read, up to `end`; the rest is room.
    text: Vec<u8>,
    end: usize,
    /// Buffers for the texts of later batches.
    spare: Spare,
    /// Bytes of the object before the text.
    base: u64,
    marks: Marks,
    /// Up to where the marks have been found.
    marked: usize,
    /// Marks that the walk has passed.
    passed: usize,
    state: State,
    /// Where the last row ended, behind its line end.
    begin: u32,
    /// Where the row in progress starts.
    start: u32,
    /// Where the field in progress starts.
    field: u32,
    /// Whether a line of nothing is a row, of one empty field.
    pub(super) blank_is_row: bool,
    /// Whether the line before ended with a carriage return.
    after_return: bool,
    /// Text stands behind a closing quote in the row in progress, or in the one
    /// that was read last: what it says is anybody's guess.
    pub(super) is_broken: bool,
    /// The stream has no more.
    ended: bool,
    /// Why the stream broke off, kept until what came before is used up.
    failed: Option<io::Error>,
}

impl Records {
    /// The rows of a stream that stands `base` bytes into its object.
    pub(super) fn new(
        stream: Stream,
        dialect: Dialect,
        base: u64,
        longest: usize,
        name: String,
    ) -> Self {
        Self {
            stream,
            marks: Marks::new(&dialect),
            dialect,
            name,
            longest: longest.min(LONGEST_ROW),
            next: 0,
            text: Vec::new(),
            end: 0,
            spare: Spare::default(),
            base,
            marked: 0,
            passed: 0,
            state: State::Start,
            begin: 0,
            start: 0,
            field: 0,
            blank_is_row: false,
            after_return: false,
            is_broken: false,
            ended: false,
            failed: None,
        }
    }

    /// Reads the next row: appends its fields to `cells`, and tells where it
    /// stands in the text, without its line end.
    pub(super) fn read(
        &mut self,
        cells: &mut Vec<Cell>,
    ) -> Result<Option<Range<usize>>, DecodeError> {
        let begin = self.begin;
        self.is_broken = false;
        let row = loop {
            if let Some(row) = self.walk(cells) {
                break row;
            }
            if !self.more()? {
                match self.last(cells)? {
                    Some(row) => break row,
                    None => return Ok(None),
                }
            }
        };
        self.check_row(begin, self.begin as usize)?;
        self.next += 1;
        Ok(Some(row.start as usize..row.end as usize))
    }

    /// The text that the rows stand in.
    pub(super) fn text(&self) -> &[u8] {
        &self.text[..self.end]
    }

    /// Whether the text is so long that the batch must end.
    pub(super) fn is_full(&self) -> bool {
        self.begin as usize >= FULL
    }

    /// Where the buffer of a text goes when its batch is gone.
    pub(super) fn spare(&self) -> &Spare {
        &self.spare
    }

    /// Gives away the text of the rows that were read.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let begin = self.begin as usize;
        let rest = &self.text[begin..self.end];
        let mut next = self.spare.take();
        if next.len() < rest.len() {
            next.resize(rest.len(), 0);
        }
        next[..rest.len()].copy_from_slice(rest);
        self.end = rest.len();
        self.marked -= begin;
        let mut taken = std::mem::replace(&mut self.text, next);
        taken.truncate(begin);
        self.marks.shift(self.passed, self.begin);
        self.passed = 0;
        self.base += begin as u64;
        self.start -= self.begin;
        self.field -= self.begin;
        self.begin = 0;
        taken
    }

    fn drop_read(&mut self) {
        let text = self.take();
        self.spare.put(text);
    }

    /// Passes over the rows before `row`.
    pub(super) fn skip_to(&mut self, row: u64) -> Result<(), DecodeError> {
        const WORTH_DROPPING: u32 = 1 << 20;
        let mut cells = Vec::new();
        while self.next < row && self.read(&mut cells)?.is_some() {
            cells.clear();
            if self.begin >= WORTH_DROPPING {
                self.drop_read();
            }
        }
        if self.begin > 0 {
            self.drop_read();
        }
        Ok(())
    }

    /// Walks to the end of a row; `None` when the marks do not reach that far.
    fn walk(&mut self, cells: &mut Vec<Cell>) -> Option<Range<u32>> {
        let text = &self.text[..self.end];
        let mut marks = self.marks.places()[self.passed..].iter();
        let mut walk = Walk {
            dialect: self.dialect,
            text,
            state: self.state,
            start: self.start,
            field: self.field,
            is_broken: self.is_broken,
            blank_is_row: self.blank_is_row,
            after_return: self.after_return,
        };
        let end = walk.row(&mut marks, cells);
        (self.is_broken, self.after_return) = (walk.is_broken, walk.after_return);
        let (state, start, field) = (walk.state, walk.start, walk.field);
        self.passed = self.marks.places().len() - marks.len();
        match end {
            Some(end) => {
                (self.state, self.begin, self.start, self.field) =
                    (State::Start, end + 1, end + 1, end + 1);
                Some(start..end)
            }
            None => {
                (self.state, self.start, self.field) = (state, start, field);
                None
            }
        }
    }

    /// The row at the end of the text, which has no line end. A quote that is
    /// still open there may have swallowed any number of rows.
    fn last(&mut self, cells: &mut Vec<Cell>) -> Result<Option<Range<u32>>, DecodeError> {
        // The text is shorter than a cell can point at.
        let end = u32::try_from(self.end).unwrap_or(u32::MAX);
        let first = self.text().get(self.start as usize).copied();
        let cell = match self.state {
            State::Comment => return Ok(None),
            State::Start if first.is_none() || first == self.dialect.comment => return Ok(None),
            State::Start | State::Plain => Cell::plain(self.field, end),
            State::Quoted { .. } => {
                return Err(DecodeError::Malformed {
                    name: self.name.clone(),
                    format: "csv",
                    place: Place::byte(self.base + u64::from(self.field)).in_row(self.next),
                    reason:
                        "the object ends within quotes that are opened here: it is cut off, or \
                             the quote is not closed; correct it, or `format.csv.quote`"
                            .to_owned(),
                });
            }
            State::Closed { escaped, quote } => {
                self.is_broken |= !is_blank(self.text(), quote + 1, end);
                quoted(self.field, quote, end, escaped || quote + 1 != end)
            }
        };
        cells.push(cell);
        let row = self.start..end;
        (self.state, self.begin, self.start, self.field) = (State::Start, end, end, end);
        Ok(Some(row))
    }

    /// Finds the marks of another slice; false at the end of the stream.
    fn more(&mut self) -> Result<bool, DecodeError> {
        if self.marked == self.end && !self.read_piece()? {
            return Ok(false);
        }
        let until = self.end.min(self.marked + SLICE);
        self.marks.find(&self.text[..until], self.marked);
        self.marked = until;
        self.passed = 0;
        Ok(true)
    }

    /// Reads another piece; false at the end of the stream.
    fn read_piece(&mut self) -> Result<bool, DecodeError> {
        // All the text that is not yet a row belongs to the one in progress.
        self.check_row(self.begin, self.end)?;
        if let Some(error) = self.failed.take() {
            return Err(DecodeError::from_io(&self.name, error));
        }
        if self.ended {
            return Ok(false);
        }
        let before = self.end;
        let until = before + PIECE;
        if self.text.len() < until {
            self.text.resize(until, 0);
        }
        while self.end < until && !self.ended {
            match self.stream.read(&mut self.text[self.end..until]) {
                Ok(count) => {
                    self.end += count;
                    self.ended = count == 0;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failed = Some(error);
                }
            }
        }
        Ok(true)
    }

    /// Refuses a row that reaches beyond the limit. Blank lines and comments
    /// before it count with it: they too are kept until the batch is out.
    fn check_row(&self, begin: u32, end: usize) -> Result<(), DecodeError> {
        if end - begin as usize <= self.longest {
            return Ok(());
        }
        Err(DecodeError::RowTooLong {
            name: self.name.clone(),
            place: Place::byte(self.base + u64::from(begin)).in_row(self.next),
            limit: self.longest,
            hint: "a quote is probably not closed; correct the row or `format.csv.quote`",
        })
    }
}
