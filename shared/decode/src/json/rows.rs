//! From a stream of JSON text to the exact bytes of one row after the other,
//! in bounded memory, whatever the layout.

use model::document::{Json, JsonLayout};

use super::buffer::is_space;
use super::path;
use super::scan::Scanner;
use super::text::{Text, kind};
use crate::DecodeError;
use crate::sniff::Stream;

/// Cuts a text into rows.
pub(super) struct Rows {
    text: Text,
    layout: Layout,
    state: State,
    /// Ordinal of the next row.
    pub(super) next: u64,
}

enum Layout {
    Lines,
    Array,
    /// The array at this path.
    Document(String),
}

enum State {
    Start,
    /// Behind an element.
    Behind,
    End,
}

/// A row at the start of what is not consumed.
struct Found {
    /// Its bytes.
    row: usize,
    /// Its bytes with its line end.
    whole: usize,
}

impl Rows {
    pub(super) fn new(
        stream: Stream,
        base: u64,
        options: &Json,
        name: String,
        max_row_bytes: usize,
    ) -> Self {
        let layout = match options.layout {
            JsonLayout::Lines => Layout::Lines,
            JsonLayout::Array => Layout::Array,
            JsonLayout::Document => Layout::Document(options.path.clone().unwrap_or_default()),
        };
        Self {
            text: Text::new(stream, base, name, max_row_bytes),
            layout,
            state: State::Start,
            next: 0,
        }
    }

    /// What `take` makes of the bytes of the next row; `None` at the end of the
    /// object.
    pub(super) fn read<T>(
        &mut self,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, DecodeError> {
        let found = match self.layout {
            Layout::Lines => self.find_line(),
            Layout::Array | Layout::Document(_) => self.find_element(),
        };
        let Some(Found { row, whole }) = found.map_err(|error| error.in_row(self.next))? else {
            return Ok(None);
        };
        let taken = take(&self.text.buffer.rest()[..row]);
        self.text.buffer.consume(whole);
        self.next += 1;
        Ok(Some(taken))
    }

    fn find_line(&mut self) -> Result<Option<Found>, DecodeError> {
        if matches!(self.state, State::Start) {
            self.text.check_lines()?;
            self.state = State::Behind;
        }
        while let Some((line, whole)) = self.text.line()? {
            let line = &self.text.buffer.rest()[..line];
            let row = line.strip_suffix(b"\r").unwrap_or(line);
            if !row.iter().all(|byte| is_space(*byte)) {
                return Ok(Some(Found { row: row.len(), whole }));
            }
            self.text.buffer.consume(whole);
        }
        Ok(None)
    }

    fn find_element(&mut self) -> Result<Option<Found>, DecodeError> {
        match self.state {
            State::Start => {
                if self.text.peek()?.is_none() {
                    self.state = State::End;
                    return Ok(None);
                }
                self.enter()?;
                if self.text.peek()? == Some(b']') {
                    return self.leave();
                }
            }
            State::Behind => match self.text.peek()? {
                Some(b',') => self.text.buffer.consume(1),
                Some(b']') => return self.leave(),
                Some(other) => return Err(self.text.unexpected("`,` or `]`", other)),
                None => return Err(self.text.cut_off()),
            },
            State::End => return Ok(None),
        }
        if self.text.peek()?.is_none() {
            return Err(self.text.cut_off());
        }
        self.state = State::Behind;
        let row = self.text.value()?;
        Ok(Some(Found { row, whole: row }))
    }

    /// Goes to the first element of the array.
    fn enter(&mut self) -> Result<(), DecodeError> {
        if let Layout::Document(path) = &self.layout {
            path::descend(&mut self.text, path)?;
        }
        match (self.text.peek()?, &self.layout) {
            (Some(b'['), _) => {
                self.text.buffer.consume(1);
                Ok(())
            }
            (None, _) => Err(self.text.cut_off()),
            (Some(other), Layout::Document(path)) => Err(self.text.malformed(format!(
                "at `{path}` stands {}; an array is expected there: correct `format.json.path`",
                kind(other)
            ))),
            (Some(other), _) => Err(self.text.malformed(format!(
                "an array is expected, not {}; `layout: lines` reads one value a line, `layout: document` an array inside a document",
                kind(other)
            ))),
        }
    }

    /// Behind the array only its surroundings may follow, then nothing.
    fn leave(&mut self) -> Result<Option<Found>, DecodeError> {
        self.text.buffer.consume(1);
        let around = std::mem::take(&mut self.text.around);
        if !around.is_empty() {
            self.text.pass(Scanner::within(around))?;
        }
        if self.text.peek()?.is_some() {
            return Err(self.text.malformed(
                "something follows the end of the JSON text; remove it, or use `layout: lines`",
            ));
        }
        self.state = State::End;
        Ok(None)
    }
}
