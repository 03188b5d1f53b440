//! Every column type × edge values × formats: what arrives equals what
//! ClickHouse itself reads, or is judged by the policy of the document.

use std::fmt::Write as _;

use crate::cases::{Case, Form, cases};
use crate::server::{Load, Server, all, columns};

/// The text formats, and what ClickHouse calls them.
const CSV: (&str, &str) = ("{csv: {}}", "CSVWithNames");
const TSV: (&str, &str) = ("{csv: {delimiter: \"\\t\", quote: \"\"}}", "TSVWithNames");
const JSON: (&str, &str) = ("{json: {}}", "JSONEachRow");

/// NULL as the server shows it.
const NULL: &str = "\\N";

/// One type in one text format.
struct Texts<'a> {
    case: &'a Case,
    format: (&'static str, &'static str),
}

impl Texts<'_> {
    /// A file of these values, numbered from 0; NULL is `None`.
    fn file(&self, values: impl IntoIterator<Item = Option<&'static str>>) -> Vec<u8> {
        let mut text = match self.format {
            CSV => "n,v\n".to_owned(),
            TSV => "n\tv\n".to_owned(),
            _ => String::new(),
        };
        for (n, value) in values.into_iter().enumerate() {
            let done = match (self.format, value) {
                (CSV, Some(value)) if self.case.form == Form::Bare => writeln!(text, "{n},{value}"),
                (CSV, Some(value)) => writeln!(text, "{n},\"{}\"", value.replace('"', "\"\"")),
                (CSV, None) => writeln!(text, "{n},"),
                (TSV, value) => writeln!(text, "{n}\t{}", value.unwrap_or_default()),
                (_, None) => writeln!(text, "{{\"n\":{n},\"v\":null}}"),
                (_, Some(value)) if self.case.is_bare(value) => {
                    writeln!(text, "{{\"n\":{n},\"v\":{value}}}")
                }
                (_, Some(value)) => writeln!(text, "{{\"n\":{n},\"v\":{value:?}}}"),
            };
            done.expect("a String takes everything");
        }
        text.into_bytes()
    }

    fn load(&self, schema: &str, policy: &str, bytes: Vec<u8>) -> Load {
        Load {
            file: format!("{} as {}", self.case.column_type, self.format.1).replace('/', "-"),
            bytes,
            format: self.format.0,
            columns: columns(schema),
            policy: policy.to_owned(),
        }
    }

    async fn check(&self, server: &Server) -> Result<(), String> {
        let case = self.case;
        let what = format!("{} as {}", case.column_type, self.format.1);
        let schema = format!("n Int32; v {}", case.column_type);

        // What ClickHouse reads; it passes over the rows that it refuses.
        let texts = self.texts();
        let other = self.load(&schema, "", self.file(texts.iter().copied().map(Some)));
        let skip =
            [("input_format_allow_errors_ratio", "1"), ("input_format_allow_errors_num", "1000")];
        let oracle_format = if case.form == Form::Nested { JSON } else { self.format };
        let other = Load {
            bytes: Texts { case, format: oracle_format }.file(texts.iter().copied().map(Some)),
            ..other
        };
        let oracle = server.read_by_itself(&other, oracle_format.1, &skip).await;
        let oracle = oracle.map_err(|error| format!("{what}: ClickHouse: {error}"))?;
        let theirs = numbered(server.rows(&oracle, &other.columns).await);

        // What is to arrive: the good values as ClickHouse reads them, or as the case says.
        let mut wrong = Vec::new();
        let mut expected: Vec<(usize, String)> = Vec::new();
        for (n, text) in texts.iter().enumerate() {
            let reading = theirs.iter().find(|(at, _)| *at == n).map(|(_, value)| value.clone());
            if n < case.good.len() {
                match reading {
                    Some(value) => expected.push((n, value)),
                    None => wrong.push(format!("`{text}`: ClickHouse refuses it")),
                }
            } else if let Some((_, ours, why)) = case.ours.iter().find(|(own, ..)| own == text) {
                if reading.as_deref() == Some(*ours) {
                    wrong.push(format!("`{text}` is no exception any more ({why})"));
                }
                expected.push((n, (*ours).to_owned()));
            } else if let Some((_, why)) = case.refused.iter().find(|(own, _)| own == text) {
                if reading.is_none() {
                    wrong.push(format!("`{text}` is no exception any more ({why})"));
                }
            } else if let Some(value) = reading {
                wrong.push(format!("`{text}`: ClickHouse takes it as `{value}`"));
            }
        }

        // Quarantine: exactly the bad rows and NULL are put aside.
        let values = || texts.iter().copied().map(Some).chain([None]);
        let load = self.load(&schema, "", self.file(values()));
        let mut good = expected.clone();
        if case.takes_null() {
            good.push((texts.len(), NULL.to_owned()));
        } else if let Some(empty) = case.empty().filter(|_| self.format != JSON) {
            good.push((texts.len(), empty.to_owned()));
        }
        let table =
            server.load(&load).await.map_err(|error| format!("{what}: {}", error.chain()))?;
        compare(
            &mut wrong,
            "quarantine",
            &texts,
            numbered(server.rows(&table.name, &load.columns).await),
            &good,
        );

        // Fail: the object is, with the column named.
        if self.format == CSV && good.len() <= texts.len() {
            let load = self.load(&schema, ", on_error: fail", self.file(values()));
            match server.load(&load).await {
                Ok(table) => wrong.push(format!("fail: loaded, {:?}", table.report.counts)),
                Err(error)
                    if error.chain().contains("column `v`")
                        || error.chain().contains("column v") => {}
                Err(error) => wrong.push(format!("fail: no `column v` in: {}", error.chain())),
            }
        }

        if self.format == CSV {
            self.check_filled(server, &expected, &mut wrong).await?;
        }
        // Half of the types each, by the length of their names: the two differ in framing alone.
        let arrow = if case.column_type.len().is_multiple_of(2) { "Arrow" } else { "ArrowStream" };
        if self.format == CSV {
            for (format, name) in [("parquet", "Parquet"), ("arrow", arrow)] {
                self.check_texts(server, &expected, (format, name), &mut wrong).await;
            }
        }
        if self.format == CSV && case.files {
            for (format, name) in [("parquet", "Parquet"), ("arrow", arrow)] {
                self.check_file(server, &oracle, format, name, &mut wrong).await;
            }
        }
        wrong.truncate(12);
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("{what}:\n    {}", wrong.join("\n    ")))
        }
    }

    /// The bad values become NULL in one column and the default in another; the
    /// two are loaded together, because tables are what the time goes into.
    async fn check_filled(
        &self,
        server: &Server,
        expected: &[(usize, String)],
        wrong: &mut Vec<String>,
    ) -> Result<(), String> {
        let case = self.case;
        let texts = self.texts();
        let own = case.column_type;
        let default = format!("on_error: default, default: {:?}", case.good[0]);
        let nullable = case.nullable();
        let (schema, policy) = match &nullable {
            Some(nullable) => (
                format!("n Int32; v {nullable}"),
                format!(
                    ", on_error: \"null\"\n  - {{ name: w, from: v, type: {own:?}, {default} }}"
                ),
            ),
            None => (format!("n Int32; v {own}"), format!(", {default}")),
        };
        let values = texts.iter().copied().map(Some).chain([None]);
        let load = self.load(&schema, &policy, self.file(values));
        let table =
            server.load(&load).await.map_err(|error| format!("{own}: {}", error.chain()))?;
        let first = expected.first().map_or("", |(_, value)| value.as_str());
        let columns_of = |name: &str, kind: &str| columns(&format!("n Int32; {name} {kind}"));
        let mut judged = vec![(
            "default",
            columns_of(if nullable.is_some() { "w" } else { "v" }, own),
            filled(expected, texts.len() + 1, first),
        )];
        if let Some(nullable) = &nullable {
            let rows = filled(expected, texts.len() + 1, NULL);
            judged.push(("null", columns_of("v", nullable), rows));
        }
        for (policy, columns, rows) in judged {
            let found = numbered(server.rows(&table.name, &columns).await);
            compare(wrong, policy, &texts, found, &rows);
        }
        Ok(())
    }

    /// The good texts, then the others.
    fn texts(&self) -> Vec<&'static str> {
        let case = self.case;
        let good = case.good.iter().copied();
        let ours = case.ours.iter().map(|(text, ..)| *text);
        let refused = case.refused.iter().map(|(text, _)| *text);
        let bad = case.bad.iter().copied();
        good.chain(ours).chain(refused).chain(bad).collect()
    }

    /// All texts, good and bad, and NULL, in a column of texts of a file that says what
    /// type a value has: what arrives and what is put aside is the same as of CSV.
    async fn check_texts(
        &self,
        server: &Server,
        expected: &[(usize, String)],
        (format, name): (&'static str, &str),
        wrong: &mut Vec<String>,
    ) {
        let case = self.case;
        let texts = self.texts();
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
        let mut values = String::new();
        for (n, text) in texts.iter().enumerate() {
            write!(values, "({n}, '{}'), ", quoted(text)).expect("a String takes everything");
        }
        let sql = format!(
            "SELECT * FROM values('n Int32, v Nullable(String)', {values}({}, NULL))",
            texts.len()
        );
        let bytes = match server.ask(&sql, name).await {
            Ok(bytes) => bytes,
            Err(error) => return wrong.push(format!("{name} of texts: {error}")),
        };
        let schema = format!("n Int32; v {}", case.column_type);
        let load = Load { format, ..self.load(&schema, "", bytes) };
        let mut good = expected.to_vec();
        if case.takes_null() {
            good.push((texts.len(), NULL.to_owned()));
        }
        match server.load(&load).await {
            Ok(table) => {
                let found = numbered(server.rows(&table.name, &load.columns).await);
                compare(wrong, &format!("{name} of texts"), &texts, found, &good);
            }
            Err(error) => wrong.push(format!("{name} of texts: {}", error.chain())),
        }
    }

    /// The good values in a file that ClickHouse writes, from the table that it read them into.
    async fn check_file(
        &self,
        server: &Server,
        oracle: &str,
        format: &'static str,
        name: &str,
        wrong: &mut Vec<String>,
    ) {
        let sql =
            format!("SELECT n, v FROM {oracle} WHERE n < {} ORDER BY n", self.case.good.len());
        let bytes = match server.ask(&sql, name).await {
            Ok(bytes) => bytes,
            Err(error) => {
                return wrong.push(format!("{name}: ClickHouse does not write it: {error}"));
            }
        };
        let schema = format!("n Int32; v {}", self.case.column_type);
        let load = Load {
            file: format!("{} as {name}", self.case.column_type).replace('/', "-"),
            bytes,
            format,
            columns: columns(&schema),
            policy: format!(", on_error: fail{}", self.case.file_policy),
        };
        let table = match server.load(&load).await {
            Ok(table) => table,
            Err(error) => return wrong.push(format!("{name}: {}", error.chain())),
        };
        let own = server.rows(&table.name, &load.columns).await;
        let other = match server.read_by_itself(&load, name, &[]).await {
            Ok(table) => server.rows(&table, &load.columns).await,
            Err(error) => {
                return wrong.push(format!("{name}: ClickHouse does not read its own: {error}"));
            }
        };
        if own != other || own.is_empty() {
            wrong.push(format!("{name}: {own:?} instead of {other:?}"));
        }
    }
}

/// Rows of `n` and `v`.
fn numbered(rows: Vec<String>) -> Vec<(usize, String)> {
    let row = |row: String| {
        let (n, value) = row.split_once('\t').expect("two columns");
        (n.parse().expect("a number"), value.to_owned())
    };
    rows.into_iter().map(row).collect()
}

/// As many rows, with a value where there was none.
fn filled(expected: &[(usize, String)], rows: usize, value: &str) -> Vec<(usize, String)> {
    let own = |n: usize| expected.iter().find(|(at, _)| *at == n).map(|(_, own)| own.clone());
    (0..rows).map(|n| (n, own(n).unwrap_or_else(|| value.to_owned()))).collect()
}

fn compare(
    wrong: &mut Vec<String>,
    policy: &str,
    texts: &[&str],
    found: Vec<(usize, String)>,
    expected: &[(usize, String)],
) {
    for n in 0..=texts.len() {
        let at = |rows: &[(usize, String)]| {
            rows.iter().find(|(at, _)| *at == n).map(|(_, value)| value.clone())
        };
        let (found, expected) = (at(&found), at(expected));
        if found != expected {
            let show = |value: Option<String>| {
                value.map_or("nothing".to_owned(), |value| format!("`{value}`"))
            };
            let text = texts.get(n).copied().unwrap_or("NULL");
            wrong.push(format!(
                "{policy}: `{text}` arrives as {} instead of {}",
                show(found),
                show(expected)
            ));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_arrives_as_clickhouse_reads_it() {
    let server = Server::connect().await;
    let cases = cases();
    let formats = |case| [CSV, TSV, JSON].map(|format| Texts { case, format });
    all(cases.iter().flat_map(formats).collect(), async |texts: &Texts<'_>| {
        texts.check(&server).await
    })
    .await;
}
