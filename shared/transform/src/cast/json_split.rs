//! Takes JSON texts apart into columns of text, by the rules of the decoder:
//! strings unescaped, numbers and booleans as written, objects and arrays as
//! their JSON, null as NULL. A text that does not fit adds nothing.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, StringBuilder};
use arrow::buffer::OffsetBuffer;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Bad, Fault};

/// A part: NULL or a text.
type Part<'a> = Option<Cow<'a, str>>;

/// Arrays, taken apart.
pub(super) struct Elements {
    pub offsets: OffsetBuffer<i32>,
    pub values: ArrayRef,
    pub bad: Vec<Bad>,
}

/// Objects with any keys, taken apart.
pub(super) struct Entries {
    pub offsets: OffsetBuffer<i32>,
    pub keys: ArrayRef,
    pub values: ArrayRef,
    pub bad: Vec<Bad>,
}

/// Objects or arrays with known fields, taken apart.
pub(super) struct Fields {
    pub columns: Vec<ArrayRef>,
    pub bad: Vec<Bad>,
}

/// Takes the texts of arrays apart.
pub(super) fn elements(texts: &StringArray) -> Elements {
    let mut values = StringBuilder::with_capacity(texts.len(), texts.values().len());
    let mut parts = Vec::new();
    let (lengths, bad) = each(texts, |text| {
        parts.clear();
        let count = read(text, ElementsOf(&mut parts))?;
        parts.drain(..).for_each(|part| values.append_option(part));
        Ok(count)
    });
    Elements {
        offsets: OffsetBuffer::from_lengths(lengths),
        values: Arc::new(values.finish()),
        bad,
    }
}

/// Takes the texts of objects apart into keys and values.
pub(super) fn entries(texts: &StringArray) -> Entries {
    let mut keys = StringBuilder::with_capacity(texts.len(), texts.values().len());
    let mut values = StringBuilder::with_capacity(texts.len(), texts.values().len());
    let mut parts = Vec::new();
    let (lengths, bad) = each(texts, |text| {
        parts.clear();
        let count = read(text, EntriesOf(&mut parts))?;
        for (key, value) in parts.drain(..) {
            keys.append_value(key);
            values.append_option(value);
        }
        Ok(count)
    });
    let offsets = OffsetBuffer::from_lengths(lengths);
    Entries { offsets, keys: Arc::new(keys.finish()), values: Arc::new(values.finish()), bad }
}

/// Takes the texts of objects (by name) and arrays (by position) apart into
/// one column for each name. Unnamed fields have empty names.
pub(super) fn fields<'n>(texts: &StringArray, names: impl Iterator<Item = &'n str>) -> Fields {
    let names: Vec<&str> = names.collect();
    let mut columns: Vec<_> = names
        .iter()
        .map(|_| StringBuilder::with_capacity(texts.len(), texts.values().len()))
        .collect();
    let mut parts = Vec::new();
    let mut bad = Vec::new();
    for row in 0..texts.len() {
        parts.clear();
        if texts.is_valid(row)
            && read(texts.value(row), FieldsOf { names: &names, parts: &mut parts }).is_err()
        {
            bad.push(Bad { row, fault: Fault::Malformed });
            parts.clear();
        }
        parts.resize(names.len(), None);
        for (column, part) in columns.iter_mut().zip(parts.drain(..)) {
            column.append_option(part.flatten());
        }
    }
    Fields {
        columns: columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect(),
        bad,
    }
}

/// Reads every text; the number of parts of each, and the texts that are bad.
fn each<'a>(
    texts: &'a StringArray,
    mut take: impl FnMut(&'a str) -> Result<usize, serde_json::Error>,
) -> (Vec<usize>, Vec<Bad>) {
    let mut bad = Vec::new();
    let lengths = (0..texts.len())
        .map(|row| {
            if texts.is_null(row) {
                return 0;
            }
            take(texts.value(row)).unwrap_or_else(|_| {
                bad.push(Bad { row, fault: Fault::Malformed });
                0
            })
        })
        .collect();
    (lengths, bad)
}

fn read<'a, S: DeserializeSeed<'a>>(text: &'a str, seed: S) -> Result<S::Value, serde_json::Error> {
    let mut source = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut source)?;
    source.end()?;
    Ok(value)
}

/// A value by the rules of the decoder.
fn part<'a, E: Error>(raw: &'a RawValue) -> Result<Part<'a>, E> {
    let text = raw.get();
    match text.as_bytes() {
        b"null" => Ok(None),
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => {
            Ok(Some(Cow::Borrowed(&text[1..text.len() - 1])))
        }
        [b'"', ..] => {
            serde_json::from_str(text).map(|text| Some(Cow::Owned(text))).map_err(E::custom)
        }
        _ => Ok(Some(Cow::Borrowed(text))),
    }
}

/// Appends the elements of an array.
struct ElementsOf<'p, 'a>(&'p mut Vec<Part<'a>>);

impl<'a> DeserializeSeed<'a> for ElementsOf<'_, 'a> {
    type Value = usize;
    fn deserialize<D: Deserializer<'a>>(self, source: D) -> Result<usize, D::Error> {
        source.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for ElementsOf<'_, 'a> {
    type Value = usize;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }
    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<usize, A::Error> {
        while let Some(raw) = seq.next_element()? {
            self.0.push(part::<A::Error>(raw)?);
        }
        Ok(self.0.len())
    }
}

/// Appends the entries of an object.
struct EntriesOf<'p, 'a>(&'p mut Vec<(Cow<'a, str>, Part<'a>)>);

impl<'a> DeserializeSeed<'a> for EntriesOf<'_, 'a> {
    type Value = usize;
    fn deserialize<D: Deserializer<'a>>(self, source: D) -> Result<usize, D::Error> {
        source.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for EntriesOf<'_, 'a> {
    type Value = usize;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<usize, A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            self.0.push((key, part::<A::Error>(map.next_value()?)?));
        }
        Ok(self.0.len())
    }
}

/// Fills the slots of known fields; a slot is empty while its field was not seen.
struct FieldsOf<'p, 'n, 'a> {
    names: &'n [&'n str],
    parts: &'p mut Vec<Option<Part<'a>>>,
}

impl<'a> DeserializeSeed<'a> for FieldsOf<'_, '_, 'a> {
    type Value = ();
    fn deserialize<D: Deserializer<'a>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for FieldsOf<'_, '_, 'a> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }
    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(raw) = seq.next_element()? {
            self.parts.push(Some(part::<A::Error>(raw)?));
        }
        if self.parts.len() == self.names.len() {
            Ok(())
        } else {
            Err(A::Error::invalid_length(
                self.parts.len(),
                &"as many elements as the tuple has fields",
            ))
        }
    }
    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        self.parts.resize(self.names.len(), None);
        while let Some(key) = map.next_key_seed(Key)? {
            let raw = map.next_value()?;
            let known = self.names.iter().position(|name| !name.is_empty() && *name == key);
            let Some(slot) = known.and_then(|at| self.parts.get_mut(at)) else { continue };
            if slot.replace(part::<A::Error>(raw)?).is_some() {
                return Err(A::Error::custom("a field stands twice"));
            }
        }
        // Without names an object has no order to go by.
        if self.names.iter().all(|name| name.is_empty()) {
            return Err(A::Error::custom("an unnamed tuple takes an array"));
        }
        Ok(())
    }
}

/// A key, borrowed where nothing in it is escaped.
struct Key;

impl<'a> DeserializeSeed<'a> for Key {
    type Value = Cow<'a, str>;
    fn deserialize<D: Deserializer<'a>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Key {
    type Value = Cow<'a, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E: Error>(self, text: &'a str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
