//! From the text of one JSON row to the values of the requested fields.
//!
//! The row is walked once; what nobody wants is passed over. Of a key that
//! stands twice, the last counts.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{FieldOrigin, FieldRequest};

/// What is wanted of an object or array: a tree of keys.
#[derive(Default)]
pub(super) struct Wanted {
    keys: Vec<Key>,
    by_name: HashMap<String, usize>,
}

struct Key {
    name: String,
    /// Fields whose value stands here.
    fields: Vec<usize>,
    /// What is wanted of the inside.
    inside: Wanted,
}

/// The raw value of each field in a row; `None` where the row lacks it.
pub(super) type Slots<'a> = [Option<&'a str>];

impl Wanted {
    /// The tree of the requested fields.
    pub(super) fn new(fields: &[FieldRequest]) -> Self {
        let mut root = Self::default();
        for (field, request) in fields.iter().enumerate() {
            let segments = match &request.origin {
                FieldOrigin::Column(name) => std::slice::from_ref(name),
                FieldOrigin::Path(segments) => segments.as_slice(),
            };
            root.add(segments, field);
        }
        root
    }

    fn add(&mut self, segments: &[String], field: usize) {
        let Some((name, inner)) = segments.split_first() else { return };
        let at = *self.by_name.entry(name.clone()).or_insert_with(|| {
            self.keys.push(Key { name: name.clone(), fields: Vec::new(), inside: Self::default() });
            self.keys.len() - 1
        });
        if inner.is_empty() {
            self.keys[at].fields.push(field);
        } else {
            self.keys[at].inside.add(inner, field);
        }
    }

    /// Finds the fields in the text of a row, which must be an object. The
    /// first key that no field reads is noted when `unknown` asks for it.
    pub(super) fn find<'a>(
        &self,
        row: &'a str,
        slots: &mut Slots<'a>,
        unknown: Option<&mut Option<String>>,
    ) -> Result<(), serde_json::Error> {
        let mut text = serde_json::Deserializer::from_str(row);
        Walk { wanted: self, slots, unknown }.deserialize(&mut text)?;
        text.end()
    }

    /// Gives every field of this tree the same value.
    fn fill<'a>(&self, slots: &mut Slots<'a>, value: Option<&'a str>) {
        for key in &self.keys {
            for field in &key.fields {
                slots[*field] = value;
            }
            key.inside.fill(slots, value);
        }
    }
}

impl Key {
    fn take<'a>(&self, raw: &'a str, slots: &mut Slots<'a>) -> Result<(), serde_json::Error> {
        for field in &self.fields {
            slots[*field] = Some(raw);
        }
        if self.inside.keys.is_empty() {
            return Ok(());
        }
        // Of an earlier value of the same key nothing may stay. What is inside
        // a null is null; what is inside another scalar is not there.
        self.inside.fill(slots, (raw == "null").then_some(raw));
        if raw.starts_with(['{', '[']) { self.inside.find(raw, slots, None) } else { Ok(()) }
    }
}

/// One walk through an object or an array.
struct Walk<'w, 's, 'a> {
    wanted: &'w Wanted,
    slots: &'s mut Slots<'a>,
    unknown: Option<&'s mut Option<String>>,
}

impl<'a> DeserializeSeed<'a> for Walk<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, text: D) -> Result<(), D::Error> {
        text.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Walk<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(mut self, mut map: M) -> Result<(), M::Error> {
        // Rows mostly repeat the order of their keys.
        let mut guess = 0;
        while let Some(found) = map.next_key_seed(KeySeed {
            wanted: self.wanted,
            guess,
            unknown: self.unknown.as_deref_mut(),
        })? {
            match found.map(|at| (at, &self.wanted.keys[at])) {
                Some((at, key)) => {
                    guess = at + 1;
                    let raw = map.next_value::<&'a RawValue>()?.get();
                    key.take(raw, self.slots).map_err(serde::de::Error::custom)?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut seq: S) -> Result<(), S::Error> {
        for index in 0_usize.. {
            let Some(raw) = seq.next_element::<&'a RawValue>()? else { break };
            // "01" is no index: only the shortest spelling is.
            if let Some(at) = self.wanted.by_name.get(&index.to_string()) {
                self.wanted.keys[*at]
                    .take(raw.get(), self.slots)
                    .map_err(serde::de::Error::custom)?;
            }
        }
        Ok(())
    }
}

/// Which of the wanted keys a key is.
struct KeySeed<'w, 's> {
    wanted: &'w Wanted,
    guess: usize,
    unknown: Option<&'s mut Option<String>>,
}

impl<'a> DeserializeSeed<'a> for KeySeed<'_, '_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, text: D) -> Result<Self::Value, D::Error> {
        text.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_, '_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        if self.wanted.keys.get(self.guess).is_some_and(|wanted| wanted.name == key) {
            return Ok(Some(self.guess));
        }
        let found = self.wanted.by_name.get(key).copied();
        if let (None, Some(unknown)) = (found, self.unknown) {
            unknown.get_or_insert_with(|| key.to_owned());
        }
        Ok(found)
    }
}

/// A raw value as the text of a column: strings without quotes and escapes,
/// null as NULL, everything else as it is written.
pub(super) fn column_text(raw: &str) -> Result<Option<Cow<'_, str>>, serde_json::Error> {
    if raw == "null" {
        return Ok(None);
    }
    match raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) if memchr::memchr(b'\\', text.as_bytes()).is_none() => {
            Ok(Some(Cow::Borrowed(text)))
        }
        Some(_) => serde_json::from_str::<String>(raw).map(|text| Some(Cow::Owned(text))),
        None => Ok(Some(Cow::Borrowed(raw))),
    }
}
