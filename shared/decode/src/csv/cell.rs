//! Where a field stands in the text: what the first pass over a batch leaves for
//! the second.

/// Where a field stands in the text, and what must be done to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    start: u32,
    /// The two highest bits are flags: no text of a batch is so long.
    end: u32,
}

/// What a [`Cell`] points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The value, which had no quotes.
    Plain,
    /// The value, which stood between quotes.
    Quoted,
    /// A field with its quotes, of which some belong to the value.
    Escaped,
    /// Nothing: the row has no such field.
    Missing,
}

impl Cell {
    /// A field that the row does not have.
    pub(super) const MISSING: Self = Self { start: 0, end: Self::INNER };

    const QUOTED: u32 = 1 << 31;
    const INNER: u32 = 1 << 30;

    /// A value without quotes.
    #[inline]
    pub(super) fn plain(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// A value that stands between quotes.
    #[inline]
    pub(super) fn quoted(start: u32, end: u32) -> Self {
        Self { start, end: end | Self::QUOTED }
    }

    /// A field with its quotes.
    #[inline]
    pub(super) fn escaped(start: u32, end: u32) -> Self {
        Self { start, end: end | Self::QUOTED | Self::INNER }
    }

    #[inline]
    pub(super) fn shape(self) -> Shape {
        match (self.end & Self::QUOTED != 0, self.end & Self::INNER != 0) {
            (false, false) => Shape::Plain,
            (true, false) => Shape::Quoted,
            (true, true) => Shape::Escaped,
            (false, true) => Shape::Missing,
        }
    }

    /// How long the value is when it had no quotes.
    #[inline]
    pub(super) fn plain_length(self) -> Option<u32> {
        // A flag makes the difference larger than any length.
        let length = self.end.wrapping_sub(self.start);
        (length < Self::INNER).then_some(length)
    }

    #[inline]
    pub(super) fn start(self) -> u32 {
        self.start
    }

    #[inline]
    pub(super) fn end(self) -> u32 {
        self.end & !(Self::QUOTED | Self::INNER)
    }

    /// The bytes it points at.
    pub(super) fn of(self, text: &[u8]) -> &[u8] {
        &text[self.start as usize..self.end() as usize]
    }
}
