//! The first bytes of an input choose the settings; the rest is the content.

/// Bytes that choose. Zeros choose what a document says by default.
pub(crate) const LENGTH: usize = 16;

/// Choices that are left.
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// The choices and the content of an input.
    pub(crate) fn split(input: &'a [u8]) -> (Self, &'a [u8]) {
        let (choices, content) = input.split_at(LENGTH.min(input.len()));
        (Self(choices), content)
    }

    /// The next byte; 0 when there is none left.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of these; the first one by default.
    pub(crate) fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[usize::from(self.byte()) % all.len()].clone()
    }

    /// Whether one bit of a byte is set: eight questions to a byte.
    pub(crate) fn flags(&mut self) -> impl Fn(u8) -> bool + use<> {
        let byte = self.byte();
        move |bit| byte >> bit & 1 == 1
    }
}
