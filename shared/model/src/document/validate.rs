//! Every rule that a document must keep, checked without I/O.

use super::{
    BadValue, Changed, Column, Compression, Csv, Format, FromSpec, Json, JsonLayout, Kind, Match,
    Problem, SourceDocument,
};
use crate::chunk::largest_divisor;
use crate::{ColumnType, Pattern};

/// Names that the platform gives to provenance columns.
pub(super) const RESERVED: &[&str] = &[
    "_object",
    "_row",
    "_topic",
    "_partition",
    "_offset",
    "_key",
    "_timestamp",
    "_headers",
    "_config_version",
    "_loaded_at",
];
/// Most rows a chunk may hold: a larger block costs the server more than it saves.
const MAX_ROWS_PER_CHUNK: u64 = 1_048_576;
/// Chunks above this size must divide into batches of at least this size.
const MIN_BATCH_ROWS: u64 = 1_000;

impl SourceDocument {
    /// Everything that is wrong with the document; empty when it is valid.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Found(Vec::new());
        self.check_head(&mut found);
        match self.kind {
            Kind::Files => {
                self.check_match(&mut found);
                self.check_format(&mut found);
                if self.columns.is_empty() {
                    found.add("columns", "name at least one column");
                }
            }
            Kind::Kafka => self.check_stream(&mut found),
        }
        for (field, is_foreign) in self.of_the_other_kind() {
            if is_foreign {
                found.add(field, "has no place in a source of this kind; leave it out");
            }
        }
        self.check_columns(&mut found);
        self.check_table(&mut found);
        self.check_limits(&mut found);
        if found.0.is_empty() {
            found.0.extend(self.step_problems());
        }
        found.0
    }

    fn check_head(&self, found: &mut Found) {
        if !is_source_name(&self.source) {
            found.add("source", format!(
                "`{}` is no source name; use 1 to 64 lower-case letters, digits, `-` and `_`, beginning with a letter",
                self.source
            ));
        }
        if self.version != 1 {
            found.add(
                "version",
                format!("{} is unknown; this program reads version 1", self.version),
            );
        }
        if self.owner.trim().is_empty() {
            found.add("owner", "name somebody who can be asked about this feed");
        }
        match &self.select {
            Some(select) if select.trim().is_empty() => {
                found.add("select", "is empty; leave it out or name expressions");
            }
            // The stream has the provenance columns too, and they are written
            // behind the expressions: a bare star would bring them twice.
            Some(select)
                if self.table.provenance && select.split(',').any(|item| item.trim() == "*") =>
            {
                found.add(
                    "select",
                    "a bare `*` brings the provenance columns twice; write `* EXCEPT '^_'`",
                );
            }
            _ => {}
        }
    }

    /// Fields that belong to the other kind, and whether they say something.
    fn of_the_other_kind(&self) -> Vec<(&'static str, bool)> {
        match self.kind {
            Kind::Files => vec![("stream", self.stream.is_some())],
            Kind::Kafka => vec![
                ("match", self.matching != Match::default()),
                ("format", self.format != Format::Json(Json::default())),
                ("compression", self.compression != Compression::default()),
                ("changed", self.changed != Changed::default()),
            ],
        }
    }

    fn check_match(&self, found: &mut Found) {
        let matching = &self.matching;
        if matching.prefix.is_none() && matching.suffix.is_none() && matching.glob.is_none() {
            found.add("match", "matches every object; give a prefix, a suffix or a glob");
        }
        let texts = [
            ("match.bucket", &matching.bucket),
            ("match.prefix", &matching.prefix),
            ("match.suffix", &matching.suffix),
            ("match.glob", &matching.glob),
        ];
        for (path, text) in texts {
            if text.as_deref() == Some("") {
                found.add(path, "is empty; leave it out or say what it must be");
            }
        }
        if let Err(error) = Pattern::new(matching) {
            found.add("match.glob", error.to_string());
        }
    }

    fn check_format(&self, found: &mut Found) {
        match &self.format {
            Format::Csv(csv) => check_csv(csv, found),
            Format::Json(json) => match (json.layout, json.path.as_deref()) {
                (JsonLayout::Document, None | Some("")) => {
                    found.add(
                        "format.json.path",
                        "say where in the document the array lies, such as `features`",
                    );
                }
                (JsonLayout::Lines | JsonLayout::Array, Some(_)) => {
                    found.add("format.json.path", "belongs to `layout: document` only");
                }
                _ => {}
            },
            Format::Parquet | Format::Arrow => {}
        }
    }

    fn check_columns(&self, found: &mut Found) {
        let captures =
            Pattern::new(&self.matching).map(|pattern| pattern.capture_names()).unwrap_or_default();
        for (i, column) in self.columns.iter().enumerate() {
            let path = |field: &str| format!("columns[{i}]{field}");
            if column.name.is_empty() || column.name.chars().any(char::is_control) {
                found.add(path(".name"), "is empty or holds control characters");
            }
            if self.columns[..i].iter().any(|other| other.name == column.name) {
                found.add(
                    path(".name"),
                    format!("`{}` stands twice; every column needs its own name", column.name),
                );
            }
            if RESERVED.contains(&column.name.as_str()) {
                found.add(
                    path(".name"),
                    format!("`{}` is written by the platform; choose another name", column.name),
                );
            }
            let column_type = match ColumnType::parse(&column.column_type) {
                Ok(column_type) => column_type,
                Err(error) => {
                    found.add(path(".type"), error.to_string());
                    continue;
                }
            };
            self.check_column(column, &column_type, &captures, &path, found);
        }
    }

    fn check_column(
        &self,
        column: &Column,
        column_type: &ColumnType,
        captures: &[String],
        path: &dyn Fn(&str) -> String,
        found: &mut Found,
    ) {
        match column.origin() {
            FromSpec::Path(text) | FromSpec::Column(text) if text.is_empty() => {
                found.add(path(".from"), "is empty");
            }
            FromSpec::Capture(name) if !captures.contains(&name) => {
                found.add(
                    path(".from.capture"),
                    format!("match.glob captures no `{name}`; write `{{{name}}}` in it"),
                );
            }
            FromSpec::Constant(value) if value.is_array() || value.is_object() => {
                found.add(path(".from.constant"), "must be a text, a number, a boolean or null");
            }
            FromSpec::Constant(value) if may_be_rounded(&value, column_type) => {
                found.add(path(".from.constant"), ROUNDED);
            }
            _ => {}
        }
        if column.default.as_ref().is_some_and(|value| may_be_rounded(value, column_type)) {
            found.add(path(".default"), ROUNDED);
        }
        if column.on_error == BadValue::Null && !column_type.is_nullable() {
            found.add(
                path(".on_error"),
                format!("`null` needs a Nullable type; this is {column_type}"),
            );
        }
        if column.on_error == BadValue::Null && column.required {
            found.add(path(".on_error"), "`null` contradicts `required`");
        }
        if column.on_error == BadValue::Default && column.default.is_none() {
            found.add(path(".default"), "`on_error: default` needs a default");
        }
        if column.required && column.default.is_some() {
            found.add(path(".default"), "contradicts `required`: a row without the value is bad");
        }
        if let Some(value) = &column.default
            && (value.is_array() || value.is_object() || value.is_null())
        {
            found.add(path(".default"), "must be a text, a number or a boolean");
        }
        if column.timestamp.is_some()
            && !matches!(
                column_type.bare(),
                ColumnType::Date
                    | ColumnType::Date32
                    | ColumnType::DateTime(_)
                    | ColumnType::DateTime64(..)
            )
        {
            found.add(path(".timestamp"), format!("is for dates and times; this is {column_type}"));
        }
    }

    fn check_table(&self, found: &mut Found) {
        for (field, name) in
            [("table.database", &self.table.database), ("table.name", &self.table.name)]
        {
            let mut chars = name.chars();
            let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
            if !(first && chars.all(|c| c.is_ascii_alphanumeric() || c == '_') && name.len() <= 128)
            {
                found.add(
                    field,
                    format!(
                        "`{name}` is no name; use letters, digits and `_`, beginning with a letter"
                    ),
                );
            }
        }
        if self.table.database == PLATFORM_DATABASE {
            found.add(
                "table.database",
                format!("`{PLATFORM_DATABASE}` belongs to the platform; choose another name"),
            );
        }
        if let Some(problem) = engine_problem(&self.table.engine) {
            found.add("table.engine", problem);
        }
        if self.changed != Changed::Append && !self.table.provenance {
            found.add(
                "changed",
                format!(
                    "`{}` needs the column `_object`; set `table.provenance: true`, or `changed: append`",
                    self.changed.name()
                ),
            );
        }
        if self.table.deduplication_window == 0 {
            found.add(
                "table.deduplication_window",
                "0 switches tokens off, and with them exactly-once; use 100 or more",
            );
        }
    }

    fn check_limits(&self, found: &mut Found) {
        let rows = self.write.rows_per_chunk;
        if rows == 0 || rows > MAX_ROWS_PER_CHUNK {
            found.add("write.rows_per_chunk", format!("must be 1 to {MAX_ROWS_PER_CHUNK}"));
        } else if rows > MIN_BATCH_ROWS && largest_divisor(rows, 32_768) < MIN_BATCH_ROWS {
            found.add(
                "write.rows_per_chunk",
                format!("{rows} does not divide into batches; use a multiple of 1000 or of 1024"),
            );
        }
        if self.write.clusters.is_empty() {
            found.add("write.clusters", "name at least one cluster");
        }
        for (i, name) in self.write.clusters.iter().enumerate() {
            if self.write.clusters[..i].contains(name) {
                found.add(format!("write.clusters[{i}]"), format!("`{name}` stands twice"));
            }
        }
        if !(0.0..=1.0).contains(&self.errors.max_bad_share) {
            found.add("errors.max_bad_share", "must be between 0 and 1");
        }
        if self.errors.retries > 20 {
            found.add("errors.retries", "must be at most 20");
        }
    }
}

const ROUNDED: &str = "has more digits than a number in YAML or JSON keeps; write it in quotes";

/// Whether a number may have lost digits on its way through a double, which
/// keeps 15 of them; a column of floats would lose them anyway.
fn may_be_rounded(value: &serde_json::Value, column_type: &ColumnType) -> bool {
    let is_float = matches!(column_type.bare(), ColumnType::Float(_) | ColumnType::BFloat16);
    let Some(number) = value.as_number().filter(|number| number.is_f64() && !is_float) else {
        return false;
    };
    let text = number.to_string();
    let digits = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').trim_end_matches('0').len() > 15
}

/// Database of the quarantine and of what else the platform keeps.
const PLATFORM_DATABASE: &str = "motherlode";

/// Why an engine is none that a table of ours can have.
fn engine_problem(engine: &str) -> Option<String> {
    let (name, rest) = engine.split_at(engine.find('(').unwrap_or(engine.len()));
    if !name.trim().ends_with("MergeTree") || !name.trim().chars().all(char::is_alphanumeric) {
        return Some(format!(
            "`{engine}` remembers no tokens, so that a repeated chunk would be there twice; use an engine of the MergeTree family"
        ));
    }
    (!rest.is_empty() && !rest.trim_end().ends_with(')')).then(|| {
        format!("`{engine}` goes on behind the engine's parameters; ORDER BY, PARTITION BY and TTL have fields of their own")
    })
}

fn check_csv(csv: &Csv, found: &mut Found) {
    let one = |field: &str, text: &str, found: &mut Found| {
        if text.len() != 1 || !text.is_ascii() || text == "\n" || text == "\r" {
            found.add(
                format!("format.csv.{field}"),
                format!("`{text}` must be one ASCII character and no line end"),
            );
        }
    };
    one("delimiter", &csv.delimiter, found);
    if !csv.quote.is_empty() {
        one("quote", &csv.quote, found);
    }
    if let Some(escape) = &csv.escape {
        one("escape", escape, found);
    }
    if let Some(comment) = &csv.comment {
        one("comment", comment, found);
    }
    if let Some(comment) = &csv.comment
        && (*comment == csv.delimiter
            || *comment == csv.quote
            || csv.escape.as_ref() == Some(comment))
    {
        found.add("format.csv.comment", "must differ from the delimiter, the quote and the escape");
    }
    if csv.quote == csv.delimiter {
        found.add("format.csv.quote", "must differ from the delimiter");
    }
    // An escape that is the quote is the doubling of quotes.
    if csv.escape.as_ref() == Some(&csv.delimiter) {
        found.add("format.csv.escape", "must differ from the delimiter");
    }
    for (i, name) in csv.names.iter().enumerate() {
        // Columns without a name cannot be asked for; several do no harm.
        if !name.is_empty() && csv.names[..i].contains(name) {
            found.add(
                format!("format.csv.names[{i}]"),
                format!("`{name}` stands twice; every column needs its own name"),
            );
        }
    }
    if !csv.header && csv.names.is_empty() {
        found.add("format.csv.names", "without a header the columns must be named");
    }
    if csv.header && !csv.names.is_empty() {
        found.add("format.csv.names", "belong to `header: false` only");
    }
}

/// Whether the text is a name that a source can have.
fn is_source_name(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= 64
        && chars.next().is_some_and(|c| c.is_ascii_lowercase())
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
}

pub(super) struct Found(Vec<Problem>);

impl Found {
    pub(super) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { path: path.into(), message: message.into() });
    }
}
