//! Where a JSON value ends: a state machine that can stop at any byte.
//!
//! It knows strings, escapes and brackets and nothing else: enough to tell one
//! value from the next, at a fraction of what parsing costs. Whether a value
//! is valid is for the parser to say.

use super::buffer::is_space;
use super::strict::plain;

/// Follows one value through pieces of text.
pub(super) struct Scanner {
    /// The brackets that are open, outermost first.
    open: Vec<u8>,
    mode: Mode,
}

enum Mode {
    /// Before the value.
    Start,
    /// Within brackets, outside of strings.
    Structure,
    /// In a string.
    Text,
    /// Behind a backslash in a string.
    Escape,
    /// In a number or a word that stands alone.
    Scalar,
}

/// How far a piece of text brought the value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// It goes on behind the piece.
    More,
    /// It ends before this index.
    End(usize),
    /// The byte at this index cannot stand where it stands.
    Broken(usize, String),
}

impl Scanner {
    /// At the start of a value, which is not white space.
    pub(super) fn new() -> Self {
        Self { open: Vec::new(), mode: Mode::Start }
    }

    /// At the start of another value.
    pub(super) fn restart(&mut self) {
        self.open.clear();
        self.mode = Mode::Start;
    }

    /// Within brackets whose end is looked for.
    pub(super) fn within(open: Vec<u8>) -> Self {
        Self { open, mode: Mode::Structure }
    }

    /// Follows the value through the next piece.
    pub(super) fn scan(&mut self, piece: &[u8]) -> Scan {
        let mut at = 0;
        while at < piece.len() {
            match self.mode {
                Mode::Text => {
                    at = plain(piece, at);
                    let Some(found) = piece.get(at) else { return Scan::More };
                    at += 1;
                    match found {
                        b'\\' => self.mode = Mode::Escape,
                        b'"' if self.open.is_empty() => return Scan::End(at),
                        b'"' => self.mode = Mode::Structure,
                        // A control character is for the parser to refuse.
                        _ => {}
                    }
                }
                Mode::Escape => {
                    at += 1;
                    self.mode = Mode::Text;
                }
                Mode::Scalar => {
                    let ends =
                        |byte: &u8| is_space(*byte) || matches!(byte, b',' | b']' | b'}' | b':');
                    return piece[at..]
                        .iter()
                        .position(ends)
                        .map_or(Scan::More, |length| Scan::End(at + length));
                }
                Mode::Start => match piece[at] {
                    byte @ (b',' | b':' | b'}' | b']') => {
                        return Scan::Broken(
                            at,
                            format!("a value is expected, not `{}`", char::from(byte)),
                        );
                    }
                    b'"' | b'{' | b'[' => self.mode = Mode::Structure,
                    _ => self.mode = Mode::Scalar,
                },
                Mode::Structure => {
                    let shapes = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
                    let Some(found) = piece[at..].iter().position(shapes) else {
                        return Scan::More;
                    };
                    at += found + 1;
                    match piece[at - 1] {
                        b'"' => self.mode = Mode::Text,
                        open @ (b'{' | b'[') => self.open.push(open),
                        close => {
                            if let Err(reason) = self.close(close) {
                                return Scan::Broken(at - 1, reason);
                            }
                            if self.open.is_empty() {
                                return Scan::End(at);
                            }
                        }
                    }
                }
            }
        }
        Scan::More
    }

    fn close(&mut self, byte: u8) -> Result<(), String> {
        let expected = if self.open.pop() == Some(b'{') { b'}' } else { b']' };
        if byte == expected {
            return Ok(());
        }
        Err(format!("`{}` is expected, not `{}`", char::from(expected), char::from(byte)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(r#"{"a":[1,{"b":"}\"]"}]} x"#, Scan::End(22))]
    #[case(r#""a\\" x"#, Scan::End(5))]
    #[case("12,", Scan::End(2))]
    #[case("true", Scan::More)]
    #[case("[1", Scan::More)]
    #[case(r#""a\"#, Scan::More)]
    #[case("[}", Scan::Broken(1, "`]` is expected, not `}`".into()))]
    #[case("]", Scan::Broken(0, "a value is expected, not `]`".into()))]
    #[case(",", Scan::Broken(0, "a value is expected, not `,`".into()))]
    fn values_end(#[case] text: &str, #[case] expected: Scan) {
        assert_eq!(Scanner::new().scan(text.as_bytes()), expected);
        // The same, a byte at a time.
        let mut scanner = Scanner::new();
        let bytewise = text.bytes().enumerate().find_map(|(i, byte)| match scanner.scan(&[byte]) {
            Scan::More => None,
            Scan::End(n) => Some(Scan::End(i + n)),
            Scan::Broken(n, reason) => Some(Scan::Broken(i + n, reason)),
        });
        assert_eq!(bytewise.unwrap_or(Scan::More), expected);
    }
}
