//! From the text of one JSON row to where the values of the requested fields
//! stand in it.
//!
//! The row is walked once, and all of it is checked; what nobody wants is
//! passed over. Of a key that stands twice, the last counts.

use super::columns::Columns;
use super::keys::{self, Keys, Step};
use super::strict::{MAX_DEPTH, Strict};
use crate::typed::Span;
use crate::{FieldOrigin, FieldRequest};

/// What is wanted of an object or array: a tree of keys.
pub(super) struct Wanted {
    keys: Keys,
    parts: Vec<Part>,
    /// The keys that are indices of an array too, ascending.
    by_index: Vec<(usize, usize)>,
}

struct Part {
    /// The field whose value stands here, where nothing else is wanted.
    only: Option<usize>,
    /// Fields whose value stands here.
    fields: Vec<usize>,
    /// What is wanted of the inside.
    inside: Wanted,
}

impl Wanted {
    /// The tree of the requested fields.
    pub(super) fn new(fields: &[FieldRequest]) -> Self {
        let mut root = Self::nothing();
        for (field, request) in fields.iter().enumerate() {
            let segments = match &request.origin {
                FieldOrigin::Column(name) => std::slice::from_ref(name),
                FieldOrigin::Path(segments) => segments.as_slice(),
            };
            root.add(segments, field);
        }
        root
    }

    fn nothing() -> Self {
        Self { keys: Keys::new(), parts: Vec::new(), by_index: Vec::new() }
    }

    fn add(&mut self, segments: &[String], field: usize) {
        let Some((name, inner)) = segments.split_first() else { return };
        let at = self.keys.by_name(name).unwrap_or_else(|| self.want(name));
        let part = &mut self.parts[at];
        if inner.is_empty() {
            part.fields.push(field);
        } else {
            part.inside.add(inner, field);
        }
        part.only = match part.fields[..] {
            [field] if !part.inside.wants() => Some(field),
            _ => None,
        };
    }

    fn want(&mut self, name: &str) -> usize {
        let part = self.parts.len();
        self.keys.want(name, part);
        self.parts.push(Part { only: None, fields: Vec::new(), inside: Self::nothing() });
        // "01" is no index: only the shortest spelling is.
        if let Some(index) = name.parse::<usize>().ok().filter(|index| index.to_string() == name) {
            self.by_index.push((index, part));
            self.by_index.sort_unstable();
        }
        part
    }

    /// Whether anything is.
    fn wants(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Finds the fields of a row that begins at `start`; `None` when it is no
    /// JSON object, or nested too deeply.
    pub(super) fn find(
        &mut self,
        row: Strict<'_>,
        start: usize,
        columns: &mut Columns,
    ) -> Option<()> {
        let start = row.space(start);
        if row.byte(start) != b'{' {
            return None;
        }
        let end = Walk { row, columns }.object::<true>(self, start, 0)?;
        if row.space(end) == row.end() { Some(()) } else { None }
    }

    /// Takes back what stands for every field of this tree, and lets it be
    /// null instead, or absent.
    fn reset(&self, null: bool, columns: &mut Columns) {
        for part in &self.parts {
            for field in &part.fields {
                if null {
                    columns.set(*field, Span::NULL);
                } else {
                    columns.unset(*field);
                }
            }
            part.inside.reset(null, columns);
        }
    }
}

/// One walk through a row.
struct Walk<'a, 'c> {
    row: Strict<'a>,
    columns: &'c mut Columns,
}

impl Walk<'_, '_> {
    /// The end of the object that begins at `at` within `depth` brackets.
    fn object<const ROW: bool>(
        &mut self,
        wanted: &mut Wanted,
        at: usize,
        depth: u32,
    ) -> Option<usize> {
        let row = self.row;
        if depth >= MAX_DEPTH {
            return None;
        }
        let (mut at, mut cursor) = (at, Keys::START);
        loop {
            let key = match wanted.keys.read(row, at, cursor)? {
                Step::Key(key) => key,
                Step::End(at) => return Some(at + 1),
            };
            cursor = key.cursor;
            at = match key.wanted {
                Some(part) => self.part(&mut wanted.parts[part], key.value, depth + 1)?,
                None => {
                    if ROW && self.columns.notes_unknown(cursor) {
                        self.columns.note_unknown(keys::name(row, at)?, cursor);
                    }
                    row.value(key.value, depth + 1)?
                }
            };
        }
    }

    /// The same of an array.
    fn array(&mut self, wanted: &mut Wanted, at: usize, depth: u32) -> Option<usize> {
        let row = self.row;
        if depth >= MAX_DEPTH {
            return None;
        }
        let mut at = row.space(at + 1);
        if row.byte(at) == b']' {
            return Some(at + 1);
        }
        let mut indices = wanted.by_index.iter().peekable();
        for index in 0.. {
            let end = match indices.next_if(|(wanted, _)| *wanted == index) {
                Some((_, part)) => self.part(&mut wanted.parts[*part], at, depth + 1)?,
                None => row.value(at, depth + 1)?,
            };
            at = row.space(end);
            match row.byte(at) {
                b',' => at = row.space(at + 1),
                b']' => return Some(at + 1),
                _ => break,
            }
        }
        None
    }

    /// Takes the value that begins at `at`.
    #[inline(always)]
    fn part(&mut self, part: &mut Part, at: usize, depth: u32) -> Option<usize> {
        let Some(field) = part.only else { return self.parts(part, at, depth) };
        let row = self.row;
        match row.byte(at) {
            b'"' => {
                let (end, escaped) = row.string(at + 1)?;
                if escaped {
                    self.columns.escaped(&[field], row.text(), at + 1..end);
                } else {
                    self.columns.set(field, Span::new(at + 1, end));
                }
                Some(end + 1)
            }
            b'n' => {
                self.columns.set(field, Span::NULL);
                row.word(at)
            }
            _ => {
                let end = row.value(at, depth)?;
                self.columns.set(field, Span::new(at, end));
                Some(end)
            }
        }
    }

    /// Takes a value that several fields want, the whole or parts of it.
    #[inline(never)]
    fn parts(&mut self, part: &mut Part, at: usize, depth: u32) -> Option<usize> {
        let row = self.row;
        let first = row.byte(at);
        // Of an earlier value of the same key nothing may stay. What is inside
        // a null is null; what is inside another scalar is not there.
        part.inside.reset(first == b'n', self.columns);
        let end = match first {
            b'"' => {
                let (end, escaped) = row.string(at + 1)?;
                if escaped {
                    self.columns.escaped(&part.fields, row.text(), at + 1..end);
                } else {
                    self.set(part, Span::new(at + 1, end));
                }
                return Some(end + 1);
            }
            b'{' if part.inside.wants() => self.object::<false>(&mut part.inside, at, depth)?,
            b'[' if part.inside.wants() => self.array(&mut part.inside, at, depth)?,
            _ => row.value(at, depth)?,
        };
        self.set(part, if first == b'n' { Span::NULL } else { Span::new(at, end) });
        Some(end)
    }

    fn set(&mut self, part: &Part, span: Span) {
        for field in &part.fields {
            self.columns.set(*field, span);
        }
    }
}
