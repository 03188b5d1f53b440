//! `LowCardinality(String)`: each different text once, and for each row which
//! one it is.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::UInt32Type;
use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::words::Texts;
use super::{Column, Span, taken};

/// Rows after which a column with few repetitions is given up.
const JUDGED_AT: usize = 4_096;

/// The different texts of a batch. It takes no more values once most of them
/// differ: plain texts then cost less.
#[derive(Default)]
pub(super) struct Dictionary {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    /// The different texts, one behind the other.
    texts: Vec<u8>,
    distinct: Vec<Span>,
    keys: Vec<u32>,
}

impl Column for Dictionary {
    fn push(&mut self, text: &[u8], spans: &[Span]) -> bool {
        self.keys.reserve(spans.len());
        // Equal texts often follow each other.
        let (mut last, mut last_key): (&[u8], Option<u32>) = (&[], None);
        for span in spans {
            if self.keys.len().is_multiple_of(JUDGED_AT) && self.is_worthless() {
                return false;
            }
            let key = if span.is_null() {
                0
            } else {
                let value = span.of(text);
                match last_key {
                    Some(key) if value == last => key,
                    _ => {
                        let key = self.key(value);
                        (last, last_key) = (value, Some(key));
                        key
                    }
                }
            };
            self.keys.push(key);
        }
        true
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Option<ArrayRef> {
        let mut values = Texts::default();
        values.push(&self.texts, &self.distinct);
        let keys = PrimitiveArray::<UInt32Type>::new(taken(&mut self.keys).into(), nulls);
        self.clear();
        Some(Arc::new(DictionaryArray::try_new(keys, values.finish(None)?).ok()?))
    }

    fn clear(&mut self) {
        self.table.clear();
        self.texts.clear();
        self.distinct.clear();
        self.keys.clear();
    }
}

impl Dictionary {
    fn is_worthless(&self) -> bool {
        !self.keys.is_empty() && self.distinct.len() > self.keys.len() / 2
    }

    /// Which of the different texts this one is.
    #[inline]
    fn key(&mut self, value: &[u8]) -> u32 {
        let Self { hasher, table, texts, distinct, .. } = self;
        let entry = table.entry(
            hasher.hash_one(value),
            |key| distinct[*key as usize].of(texts) == value,
            |key| hasher.hash_one(distinct[*key as usize].of(texts)),
        );
        match entry {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                // A batch has fewer rows than 32 bits can count.
                let key = u32::try_from(distinct.len()).unwrap_or(u32::MAX);
                entry.insert(key);
                distinct.push(Span::new(texts.len(), texts.len() + value.len()));
                texts.extend_from_slice(value);
                key
            }
        }
    }
}
