//! What ClickHouse itself reads in a file: the answer that a loaded table is
//! compared with.
//!
//! The file is the original, uncompressed one. It is sent as the body of an
//! INSERT, so that ClickHouse's own parser reads it, wherever the server runs:
//!
//! 1. [`Oracle::create`] makes an empty table with the oracle's columns;
//! 2. [`Oracle::insert`] is the query, the file ([`crate::DemoData::oracle_body`])
//!    is the body, and [`Oracle::SETTINGS`] are its settings;
//! 3. [`fingerprint`] of that table and of the loaded one must be equal.

/// How ClickHouse reads a source by itself.
#[derive(Debug, Clone, Copy)]
pub struct Oracle {
    /// The original file.
    pub file: &'static str,
    /// ClickHouse's name of its format.
    pub format: &'static str,
    /// `SELECT … FROM input('…') …`: what the document does, in SQL. Its columns
    /// have the names of the table's, and their order.
    pub select: &'static str,
}

impl Oracle {
    /// Settings of [`Oracle::insert`]: nothing is guessed, rounded or filled in.
    pub const SETTINGS: &'static [(&'static str, &'static str)] = &[
        ("date_time_input_format", "basic"),
        ("precise_float_parsing", "1"),
        ("input_format_null_as_default", "0"),
        ("insert_null_as_default", "0"),
        ("input_format_skip_unknown_fields", "1"),
    ];

    /// Creates the table that the file is read into. `table` is SQL.
    #[must_use]
    pub fn create(&self, table: &str) -> String {
        // `null` has the columns of `input` and no rows.
        let empty = self.select.replacen("FROM input(", "FROM null(", 1);
        format!("CREATE TABLE {table} ENGINE = MergeTree ORDER BY tuple() AS {empty}")
    }

    /// Reads the body of the request into the table. `table` is SQL.
    #[must_use]
    pub fn insert(&self, table: &str) -> String {
        format!("INSERT INTO {table} {}\nFORMAT {}", self.select.trim_end(), self.format)
    }
}

/// A query of one row over a table: how many rows it has, and hashes that do
/// not depend on their order: of each column, and of whole rows, so that values
/// which moved to another row are noticed. Values are compared as text, because
/// the two tables may store them in other types.
///
/// `table` is SQL (`demo.airports FINAL`); `columns` are names.
#[must_use]
pub fn fingerprint(table: &str, columns: &[&str]) -> String {
    let quoted = |name: &str| format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"));
    // NULL and the empty text must differ.
    let value = |name: &&str| {
        let name = quoted(name);
        format!("isNull({name}), ifNull(toString({name}), '')")
    };
    let sum = |values: &str, name: &str| {
        format!("toString(sum(cityHash64({values}))) AS {}", quoted(name))
    };
    let mut selected = vec!["count() AS `rows`".to_owned()];
    selected.extend(columns.iter().map(|name| sum(&value(name), &format!("hash of {name}"))));
    let row = columns.iter().map(value).collect::<Vec<_>>().join(", ");
    selected.push(sum(&row, "hash of rows"));
    format!("SELECT {} FROM {table}", selected.join(",\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oracle_is_created_empty_and_filled_from_the_body() {
        let oracle = Oracle {
            file: "a.csv",
            format: "CSV",
            select: "SELECT a FROM input('a Int8')\nWHERE a > 1\n",
        };
        assert_eq!(
            oracle.create("o.t"),
            "CREATE TABLE o.t ENGINE = MergeTree ORDER BY tuple() AS SELECT a FROM null('a Int8')\nWHERE a > 1\n"
        );
        assert_eq!(
            oracle.insert("o.t"),
            "INSERT INTO o.t SELECT a FROM input('a Int8')\nWHERE a > 1\nFORMAT CSV"
        );
    }

    #[test]
    fn a_fingerprint_covers_columns_and_rows() {
        let sql = fingerprint("t FINAL", &["a", "b`c"]);
        assert!(sql.ends_with("FROM t FINAL"));
        assert!(
            sql.contains("sum(cityHash64(isNull(`b\\`c`), ifNull(toString(`b\\`c`), ''))))"),
            "{sql}"
        );
        assert!(sql.contains("AS `hash of rows`"));
    }
}
