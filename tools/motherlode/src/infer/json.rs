//! The beginning of a JSON file: lines, an array, or a document with an array
//! inside; and what each field of its rows holds. Objects inside of rows are
//! taken apart into columns with paths.

use std::collections::HashMap;
use std::fmt;
use std::io::{BufRead, Read};
use std::path::Path;

use anyhow::Context as _;
use model::ColumnType;
use model::document::{Format, Json as JsonFormat, JsonLayout};
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

use super::json_value::Json;
use super::profile::Profile;
use super::sample::{BYTES, Field, ROWS, Sample, WHOLE_BYTES};
use crate::failure::{Advise as _, advised};

/// Keys on the way to the array of a document, and from a row to a column.
const DEPTH: usize = 3;
/// More different keys than this are data, not columns.
const MOST_KEYS: usize = 100;

/// Looks at the beginning of a JSON text.
pub fn sample(
    mut content: Box<dyn BufRead>,
    compression: &'static str,
    file: &Path,
) -> anyhow::Result<Sample> {
    let reading = || format!("reading {} as JSON", file.display());
    let damaged =
        "the file may be damaged or cut off: fetch it again, or correct it at the place named";
    if content.fill_buf().with_context(reading)?.starts_with(b"\xef\xbb\xbf") {
        content.consume(3);
    }
    let mut rows = Rows::default();
    let mut format = JsonFormat::default();
    if skip_space(&mut content).with_context(reading)? == Some(b'[') {
        format.layout = JsonLayout::Array;
        rows.array(content).with_context(reading).hint(|| damaged)?;
    } else {
        let mut line = Vec::new();
        content
            .by_ref()
            .take(WHOLE_BYTES)
            .read_until(b'\n', &mut line)
            .with_context(reading)
            .hint(|| damaged)?;
        let first: Option<Json> = serde_json::from_slice(&line).ok();
        let next = skip_space(&mut content).with_context(reading)?;
        match (first, next) {
            // A whole object on the first line, and another on the next.
            (Some(first), Some(_)) => {
                rows.take(first);
                rows.lines(content).with_context(reading).hint(|| damaged)?
            }
            // What looks like one, and a row on the next: the first is a bad row.
            (None, Some(b'{')) if is_object_like(&line) => {
                rows.count += 1;
                rows.others += 1;
                rows.lines(content).with_context(reading).hint(|| damaged)?
            }
            // One object on one line: a document, or lines of which there is one.
            (Some(document), None) => match largest_array(&document) {
                Some(path) => format = rows.document(document, path),
                None => rows.take(document),
            },
            (None, _) => {
                let document = whole(line, content, file)?;
                if let Some(path) = largest_array(&document) {
                    format = rows.document(document, path);
                }
            }
        }
    }
    if rows.root.children.is_empty() {
        return Err(advised(
            format!("{} holds no rows: no array of objects, no object a line", file.display()),
            "rows of JSON are objects with named fields: one a line, in an array, or in an array inside a document",
        ));
    }
    let notes = rows.notes();
    let (count, is_whole) = (rows.count, !rows.is_cut);
    Ok(Sample {
        format: Format::Json(format),
        compression,
        fields: rows.fields(),
        rows: count,
        is_whole,
        notes,
    })
}

/// Whether a line begins and ends as an object does.
fn is_object_like(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    line.starts_with(b"{") && line.ends_with(b"}")
}

/// A document that goes over several lines.
fn whole(mut text: Vec<u8>, content: Box<dyn BufRead>, file: &Path) -> anyhow::Result<Json> {
    let reading = || format!("reading {} as JSON", file.display());
    content.take(WHOLE_BYTES).read_to_end(&mut text).with_context(reading)?;
    if text.len() as u64 >= WHOLE_BYTES {
        return Err(advised(
            format!(
                "{} is one JSON document of more than {} MB",
                file.display(),
                WHOLE_BYTES >> 20
            ),
            "give a smaller file of the same source as the sample",
        ));
    }
    serde_json::from_slice(&text).with_context(reading).hint(
        || "write one object a line, an array of objects, or one document with an array inside",
    )
}

/// The next byte that is no space.
fn skip_space(content: &mut dyn BufRead) -> std::io::Result<Option<u8>> {
    loop {
        let buffer = content.fill_buf()?;
        let spaces = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        match buffer.get(spaces).copied() {
            Some(byte) => {
                content.consume(spaces);
                return Ok(Some(byte));
            }
            None if spaces == 0 => return Ok(None),
            None => content.consume(spaces),
        }
    }
}

/// The rows that were looked at.
#[derive(Debug, Default)]
struct Rows {
    root: Node,
    count: u64,
    /// Rows that are no objects.
    others: u64,
    is_cut: bool,
}

impl Rows {
    fn take(&mut self, row: Json) {
        self.count += 1;
        match row {
            Json::Object(pairs) => self.root.take_pairs(pairs, 0),
            _ => self.others += 1,
        }
    }

    fn array(&mut self, content: Box<dyn BufRead>) -> Result<(), serde_json::Error> {
        let mut json = serde_json::Deserializer::from_reader(content);
        match (Elements { rows: self }).deserialize(&mut json) {
            Err(_) if self.is_cut => Ok(()),
            done => done,
        }
    }

    fn lines(&mut self, content: Box<dyn BufRead>) -> anyhow::Result<()> {
        let mut content = content.take(BYTES);
        let mut line = Vec::new();
        loop {
            line.clear();
            content.read_until(b'\n', &mut line)?;
            if content.limit() == 0 && !line.ends_with(b"\n") {
                // The rest of it is not looked at: half a line is no row.
                self.is_cut = true;
                return Ok(());
            }
            if line.is_empty() {
                return Ok(());
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            if self.count == ROWS {
                self.is_cut = true;
                return Ok(());
            }
            match serde_json::from_slice(&line) {
                Ok(row) => self.take(row),
                Err(_) => {
                    self.count += 1;
                    self.others += 1;
                }
            }
        }
    }

    /// The rows of a document, from the array at `path`.
    fn document(&mut self, document: Json, path: Vec<String>) -> JsonFormat {
        let mut found = document;
        for key in &path {
            if let Json::Object(pairs) = found {
                found = pairs
                    .into_iter()
                    .find(|(name, _)| name == key)
                    .map_or(Json::Null, |(_, value)| value);
            }
        }
        if let Json::List(rows) = found {
            let most = usize::try_from(ROWS).unwrap_or(usize::MAX);
            self.is_cut = rows.len() > most;
            rows.into_iter().take(most).for_each(|row| self.take(row));
        }
        JsonFormat { layout: JsonLayout::Document, path: Some(path.join(".")) }
    }

    fn notes(&self) -> Vec<String> {
        if self.others == 0 {
            return Vec::new();
        }
        vec![format!(
            "{} of {} rows are no objects, or cannot be read, and will be quarantined",
            self.others, self.count
        )]
    }

    fn fields(self) -> Vec<Field> {
        let rows = self.count - self.others;
        let mut fields = Vec::new();
        for child in self.root.children {
            child.fields(&mut Vec::new(), rows, &mut fields);
        }
        fields
    }
}

/// The path to the array with the most objects, if there is one.
fn largest_array(document: &Json) -> Option<Vec<String>> {
    let mut best = None;
    search(document, &mut Vec::new(), &mut best);
    best.map(|(path, _)| path)
}

fn search(value: &Json, path: &mut Vec<String>, best: &mut Option<(Vec<String>, usize)>) {
    match value {
        Json::List(rows) if !path.is_empty() => {
            let objects = rows.iter().filter(|row| matches!(row, Json::Object(_))).count();
            if objects > best.as_ref().map_or(0, |(_, most)| *most) {
                *best = Some((path.clone(), objects));
            }
        }
        Json::Object(pairs) if path.len() < DEPTH => {
            // A dot in a key cannot be written in a path.
            for (key, inner) in pairs.iter().filter(|(key, _)| !key.contains('.')) {
                path.push(key.clone());
                search(inner, path, best);
                path.pop();
            }
        }
        _ => {}
    }
}

/// The values that stand at one path.
#[derive(Debug, Default)]
struct Node {
    name: String,
    profile: Profile,
    /// How often an object stood here.
    objects: u64,
    children: Vec<Node>,
    /// The values of keys that are too many to be columns.
    rest: Profile,
    by_name: HashMap<String, usize>,
}

impl Node {
    fn take(&mut self, value: Json, depth: usize) {
        match value {
            Json::Object(pairs) if depth < DEPTH && !pairs.is_empty() => {
                self.objects += 1;
                self.take_pairs(pairs, depth);
            }
            other => take(&mut self.profile, other),
        }
    }

    fn take_pairs(&mut self, pairs: Vec<(String, Json)>, depth: usize) {
        for (key, value) in pairs {
            let at = match self.by_name.get(&key) {
                Some(at) => *at,
                // The root's keys are columns, however many.
                None if depth > 0 && self.children.len() > MOST_KEYS => {
                    take(&mut self.rest, value);
                    continue;
                }
                None => {
                    self.by_name.insert(key.clone(), self.children.len());
                    self.children.push(Self { name: key, ..Self::default() });
                    self.children.len() - 1
                }
            };
            self.children[at].take(value, depth + 1);
        }
    }

    /// The columns that this path becomes.
    fn fields(mut self, path: &mut Vec<String>, rows: u64, fields: &mut Vec<Field>) {
        path.push(std::mem::take(&mut self.name));
        let is_apart = self.profile.values == 0
            && !self.children.is_empty()
            && self.children.len() <= MOST_KEYS
            // A dot in a key cannot be written in a path.
            && !path[0].contains('.')
            && self.children.iter().all(|child| !child.name.contains('.'));
        if is_apart {
            for child in self.children {
                child.fields(path, rows, fields);
            }
        } else {
            for _ in 0..self.objects {
                self.profile.object();
            }
            // A key that a row lacks is NULL too.
            let is_object = self.profile.objects == self.profile.values;
            self.profile.nulls = rows.saturating_sub(self.profile.values);
            let stated = if is_object { map(&self.children, &self.rest) } else { None };
            fields.push(Field { path: path.clone(), profile: self.profile, stated });
        }
        path.pop();
    }
}

/// What objects are whose keys are data: maps, where all values are alike.
fn map(children: &[Node], rest: &Profile) -> Option<(ColumnType, String)> {
    if children.is_empty() || children.iter().any(|child| !child.children.is_empty()) {
        return None;
    }
    let profiles = || children.iter().map(|child| &child.profile).chain([rest]);
    let all = |count: fn(&Profile) -> u64| profiles().all(|it| count(it) == it.values);
    let within = |low: i128, high: i128| {
        profiles().all(|it| it.digits == 0 && it.range.is_none_or(|(l, h)| low <= l && h <= high))
    };
    let (value, what) = if all(|it| it.texts) {
        (ColumnType::String, "texts")
    } else if all(|it| it.booleans) {
        (ColumnType::Bool, "truth values")
    } else if all(|it| it.integers) && within(i64::MIN.into(), i64::MAX.into()) {
        (ColumnType::Int(64), "whole numbers")
    } else if all(|it| it.integers) && within(0, u64::MAX.into()) {
        (ColumnType::UInt(64), "whole numbers")
    } else if all(|it| it.integers + it.floats) && profiles().all(Profile::fits_floats) {
        (ColumnType::Float(64), "numbers")
    } else {
        return None;
    };
    let value = match profiles().any(|it| it.nulls > 0) {
        true => ColumnType::Nullable(Box::new(value)),
        false => value,
    };
    let reason = format!("objects whose keys are data, with {what}");
    Some((ColumnType::Map(Box::new(ColumnType::String), Box::new(value)), reason))
}

fn take(profile: &mut Profile, value: Json) {
    match value {
        Json::Null => profile.null(),
        Json::Boolean(value) => profile.boolean(value),
        Json::Integer(value) => profile.integer(value),
        Json::Large(text) => profile.large_integer(&text),
        Json::Float(text) => profile.float(&text),
        Json::Text(text) => profile.text(&text),
        Json::Object(_) => profile.object(),
        Json::List(values) => {
            profile.list("");
            let element = profile.element.get_or_insert_default();
            values.into_iter().for_each(|value| take(element, value));
        }
    }
}

/// The elements of an array, one after the other, until there are enough.
struct Elements<'a> {
    rows: &'a mut Rows,
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(row) = seq.next_element()? {
            if self.rows.count == ROWS {
                self.rows.is_cut = true;
                return Err(A::Error::custom("enough"));
            }
            self.rows.take(row);
        }
        Ok(())
    }
}
