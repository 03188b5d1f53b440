//! Tables as SQL: how one is created, what an INSERT into it says, and whether
//! one that exists takes what will be inserted. Pure; `prepare.rs` asks.

use model::ColumnType;
use model::document::OutputColumn;

use crate::error::WarehouseError;
use crate::port::{InsertSpec, Select, TableSpec};
use crate::sql::{Ident, Literal, Qualified, fragment, idents};

/// A column with its type as the server spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerColumn {
    pub name: String,
    pub column_type: String,
}

/// What a server says about a table that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Existing {
    pub engine: String,
    pub columns: Vec<ServerColumn>,
    /// The deduplication window, where the engine has one.
    pub window: Option<u64>,
}

pub(crate) fn qualified(table: &TableSpec) -> Qualified<'_> {
    Qualified { database: &table.database, name: &table.name }
}

pub(crate) fn create_database(table: &TableSpec) -> String {
    format!("CREATE DATABASE IF NOT EXISTS {}", Ident(&table.database))
}

/// `CREATE TABLE` with these columns.
pub(crate) fn create_table(
    table: &TableSpec,
    columns: &[ServerColumn],
) -> Result<String, WarehouseError> {
    use std::fmt::Write;
    let engine = fragment("table.engine", &table.engine)?;
    let codec = |column| if is_merge_tree(engine) { codec(column) } else { "" };
    let lines: Vec<_> = columns
        .iter()
        .map(|column| {
            format!("    {} {}{}", Ident(&column.name), column.column_type, codec(column))
        })
        .collect();
    let mut sql = format!(
        "CREATE TABLE IF NOT EXISTS {} (\n{}\n)\nENGINE = {engine}",
        qualified(table),
        lines.join(",\n")
    );
    // Writing to a String cannot fail.
    if let Some(partition_by) = &table.partition_by {
        let _ = write!(sql, "\nPARTITION BY {}", fragment("table.partition_by", partition_by)?);
    }
    if is_merge_tree(engine) {
        let mut order_by = Vec::new();
        for expression in &table.order_by {
            order_by.push(fragment("table.order_by", expression)?);
        }
        let order_by = if order_by.is_empty() {
            "tuple()".to_owned()
        } else {
            format!("({})", order_by.join(", "))
        };
        let _ = write!(sql, "\nORDER BY {order_by}");
    }
    if let Some(ttl) = &table.ttl {
        let _ = write!(sql, "\nTTL {}", fragment("table.ttl", ttl)?);
    }
    if is_merge_tree(engine) {
        let _ =
            write!(sql, "\nSETTINGS {} = {}", window_setting(engine), table.deduplication_window);
        if is_replicated(engine) {
            // Newer servers forget after an hour what they have numbers for.
            let _ = write!(sql, ", replicated_deduplication_window_seconds = {REMEMBERED_SECONDS}");
        }
        if columns.iter().any(|column| is_suspicious(&column.column_type)) {
            sql.push_str(", allow_suspicious_low_cardinality_types = 1");
        }
        if columns.iter().any(|column| is_long(&column.column_type)) {
            sql.push_str(", allow_suspicious_fixed_string_types = 1");
        }
    }
    Ok(sql)
}

/// How a column is compressed where the server's own choice is a bad one. The ordinals
/// of an object's rows lie in any order once they are sorted by the table's key: LZ4
/// spends more on them than on most columns, and finds nothing. `T64` leaves out the
/// bits that all of a block have in common.
fn codec(column: &ServerColumn) -> &'static str {
    let is_row = column.name == "_row" && column.column_type == "UInt64";
    if is_row { " CODEC(T64, LZ4)" } else { "" }
}

/// Whether the type has a `FixedString` of more than 256 bytes, which the server takes
/// for a mistake unless it is told that it is meant.
fn is_long(column_type: &str) -> bool {
    column_type.split("FixedString(").skip(1).any(|inner| {
        let digits = inner.split(')').next().unwrap_or_default();
        digits.parse::<u32>().is_ok_and(|size| size > 256)
    })
}

/// Whether the type has a dictionary of numbers or dates, which the server takes
/// for a mistake unless it is told that it is meant.
fn is_suspicious(column_type: &str) -> bool {
    column_type.split("LowCardinality(").skip(1).any(|inner| {
        let bare = inner.strip_prefix("Nullable(").unwrap_or(inner);
        !bare.starts_with("String") && !bare.starts_with("FixedString")
    })
}

/// What the SQL over the stream gives: a query without rows, to be described.
pub(crate) fn describe_select(
    columns: &[OutputColumn],
    select: &Select,
) -> Result<String, WarehouseError> {
    let source = format!("null({})", structure(columns));
    Ok(format!("DESCRIBE TABLE (SELECT {} FROM {source})", selected(select)?))
}

/// How the server would run the SQL over the stream, as JSON.
pub(crate) fn explain_select(
    columns: &[OutputColumn],
    select: &Select,
) -> Result<String, WarehouseError> {
    let source = format!("null({})", structure(columns));
    Ok(format!("EXPLAIN PLAN json = 1, actions = 1 SELECT {} FROM {source}", selected(select)?))
}

/// What in a plan would make more or fewer rows than come in, or would make one
/// row depend on others: then a replay of the chunk could not be told from
/// another one, and the accounting would not close.
pub(crate) fn not_row_by_row(plan: &serde_json::Value) -> Option<String> {
    let mut node = &plan[0]["Plan"];
    loop {
        let name = node["Node Type"].as_str().unwrap_or("a plan without steps");
        match name {
            "Expression" => {
                let actions = node["Expression"]["Actions"].as_array();
                let joins = |action: &serde_json::Value| action["Node Type"] == "ARRAY_JOIN";
                if actions.is_some_and(|actions| actions.iter().any(joins)) {
                    return Some("arrayJoin".to_owned());
                }
            }
            // The first child is the query, the others are the sets of its `IN`.
            "CreatingSets" | "DelayedCreatingSets" => {}
            read if read.starts_with("Read") => return None,
            other => return Some(other.to_owned()),
        }
        node = &node["Plans"][0];
    }
}

/// The INSERT of a stream. `columns` are the table's, in the order of the
/// stream or of the SQL over it.
pub(crate) fn insert(spec: &InsertSpec, columns: &[String]) -> Result<String, WarehouseError> {
    let table = Qualified { database: &spec.database, name: &spec.table };
    let columns = idents(columns.iter().map(String::as_str));
    Ok(match &spec.select {
        None => format!("INSERT INTO {table} ({columns}) FORMAT Native"),
        Some(select) => format!(
            "INSERT INTO {table} ({columns}) SELECT {} FROM input({}) FORMAT Native",
            selected(select)?,
            structure(&spec.columns)
        ),
    })
}

/// Counts the rows that come from source rows of an object. `_object` is asked
/// for first: it is one value in long runs, and nearly free to read.
pub(crate) fn count_landed(table: &TableSpec) -> String {
    format!(
        "SELECT count() AS landed FROM {} PREWHERE _object = {{object:String}} \
         WHERE _row >= {{start:UInt64}} AND _row < {{end:UInt64}}",
        qualified(table)
    )
}

/// The etags of the other versions of a key that have rows: an etag has no `@`, a
/// key may.
pub(crate) fn select_other_versions(table: &TableSpec) -> String {
    format!(
        "SELECT DISTINCT substring(toString(_object), length({{of_key:String}}) + 1) AS etag FROM {} \
         PREWHERE startsWith(toString(_object), {{of_key:String}}) \
         WHERE position(etag, '@') = 0 AND etag != {{etag:String}}",
        qualified(table)
    )
}

/// Deletes the rows of an object that were loaded before a moment, and waits until no
/// query sees them.
pub(crate) fn delete_object(table: &TableSpec) -> String {
    format!(
        "DELETE FROM {} WHERE _object = {{object:String}} \
         AND _loaded_at < fromUnixTimestamp64Milli({{before:Int64}}, 'UTC')",
        qualified(table)
    )
}

/// What a table remembers of tokens, and what came to it since a moment: at most so
/// many blocks. They are numbered as they come (in each partition, where the engine
/// is replicated); a merged part has the numbers of all that it was made of, and so
/// counts too many. A minute is left for clocks that differ.
pub(crate) const MEMORY: &str = r"
WITH
    match(engine, '^(Replicated|Shared)') AS replicated,
    if(replicated,
       extract(engine_full, '(?:SETTINGS|,) replicated_deduplication_window = (\\d+)'),
       extract(engine_full, '(?:SETTINGS|,) non_replicated_deduplication_window = (\\d+)')) AS own_number,
    extract(engine_full, '(?:SETTINGS|,) replicated_deduplication_window_seconds = (\\d+)') AS own_seconds,
    (SELECT groupArray((name, value)) FROM system.merge_tree_settings WHERE name LIKE '%deduplication_window%') AS settings,
    (name) -> arrayFirst(pair -> pair.1 = name, settings).2 AS of_server
SELECT
    endsWith(engine, 'MergeTree') AS remembers,
    toUInt64OrZero(if(own_number != '', own_number,
        of_server(if(replicated, 'replicated_deduplication_window', 'non_replicated_deduplication_window')))) AS window,
    if(replicated, toUInt64OrZero(if(own_seconds != '', own_seconds,
        of_server('replicated_deduplication_window_seconds'))), NULL) AS window_seconds,
    toInt64(dateDiff('second', fromUnixTimestamp64Milli({since_ms:Int64}), now64(3))) AS age_seconds,
    (SELECT toUInt64(sum(max_block_number - min_block_number + 1)) FROM system.parts
     WHERE active AND database = {database:String} AND table = {table:String}
     AND modification_time >= fromUnixTimestamp64Milli({since_ms:Int64}) - INTERVAL 1 MINUTE) AS since
FROM system.tables
WHERE database = {database:String} AND name = {table:String}";

/// The tables that materialized views on a table write to. Empty names where that
/// cannot be said, also because the user may not see the view.
pub(crate) const TARGETS: &str = r"
WITH
    '^CREATE MATERIALIZED VIEW (?:(?:`[^`]+`|\\w+)\\.)?(?:`[^`]+`|\\w+)[^(]*? TO (`[^`]+`|\\w+)\\.(`[^`]+`|\\w+)' AS form,
    views AS (
        SELECT arrayJoin(arrayZip(dependencies_database, dependencies_table)) AS view
        FROM system.tables
        WHERE database = {database:String} AND name = {table:String})
SELECT
    extractGroups(of.create_table_query, form) AS target,
    multiIf(notEmpty(target), trim(BOTH '`' FROM target[1]),
        of.engine != 'MaterializedView' OR match(of.create_table_query, ' TO '), '', of.database) AS database_name,
    multiIf(notEmpty(target), trim(BOTH '`' FROM target[2]),
        of.engine != 'MaterializedView' OR match(of.create_table_query, ' TO '), '',
        concat('.inner_id.', toString(of.uuid))) AS table_name
FROM views
LEFT JOIN system.tables AS of ON of.database = views.view.1 AND of.name = views.view.2";

/// Counts the rows of each of `{objects:String}`: in hexadecimal, with commas
/// between.
#[must_use]
pub fn count_by_object(table: &TableSpec) -> String {
    format!(
        "SELECT toString(_object) AS object, count() AS rows FROM {} \
         WHERE has(arrayMap(name -> unhex(name), splitByChar(',', {{objects:String}})), toString(_object)) \
         GROUP BY object",
        qualified(table)
    )
}

/// Counts the rows of `{object:String}` whose source rows are in the quarantine
/// of `{source:String}`, put there by the chunks that
/// [`COUNT_COMMITTED`](crate::quarantine::COUNT_COMMITTED) counts: those that were
/// replayed.
#[must_use]
pub fn count_replayed(table: &TableSpec) -> String {
    format!(
        "SELECT count() AS rows FROM {} PREWHERE _object = {{object:String}} WHERE _row IN \
         (SELECT row FROM motherlode.quarantine WHERE source = {{source:String}} AND object = {{object:String}} \
         AND arrayExists((version, start, end) -> config_version = version AND row >= start AND row < end, \
         {{versions:Array(UInt64)}}, {{starts:Array(UInt64)}}, {{ends:Array(UInt64)}}))",
        qualified(table)
    )
}

/// Which of the source rows of an object are there.
pub(crate) fn select_landed(table: &TableSpec) -> String {
    format!(
        "SELECT DISTINCT _row AS row FROM {} PREWHERE _object = {{object:String}} \
         WHERE _row IN {{rows:Array(UInt64)}}",
        qualified(table)
    )
}

/// Which offsets of a partition are there.
pub(crate) fn select_landed_offsets(table: &TableSpec) -> String {
    format!(
        "SELECT DISTINCT _offset AS offset FROM {} PREWHERE _offset >= {{start:Int64}} AND _offset < {{end:Int64}} \
         WHERE _topic = {{topic:String}} AND _partition = {{partition:Int32}}",
        qualified(table)
    )
}

fn selected(select: &Select) -> Result<String, WarehouseError> {
    let expressions = fragment("select", &select.expressions)?;
    let passed = idents(select.passed.iter().map(String::as_str));
    // A line of its own: whatever ends the expressions ends there.
    Ok(if passed.is_empty() {
        expressions.to_owned()
    } else {
        format!("{expressions}\n, {passed}")
    })
}

/// Columns as the literal that `input` and `null` take.
fn structure(columns: &[OutputColumn]) -> String {
    let columns: Vec<_> = columns
        .iter()
        .map(|column| format!("{} {}", Ident(&column.name), column.column_type))
        .collect();
    Literal(&columns.join(", ")).to_string()
}

/// The columns of a stream as the server spells them.
pub(crate) fn server_columns(columns: &[OutputColumn]) -> Vec<ServerColumn> {
    columns
        .iter()
        .map(|column| ServerColumn {
            name: column.name.clone(),
            column_type: column.column_type.to_string(),
        })
        .collect()
}

fn is_merge_tree(engine: &str) -> bool {
    engine_name(engine).ends_with("MergeTree")
}

fn engine_name(engine: &str) -> &str {
    engine.split(['(', ' ', '\n']).next().unwrap_or(engine)
}

fn is_replicated(engine: &str) -> bool {
    engine_name(engine).starts_with("Replicated") || engine_name(engine).starts_with("Shared")
}

/// How long a replicated table of ours remembers tokens: a week, the server's own
/// default until 2025.
const REMEMBERED_SECONDS: u32 = 604_800;

/// The setting that says how many blocks a table of this engine remembers.
pub(crate) fn window_setting(engine: &str) -> &'static str {
    if is_replicated(engine) {
        "replicated_deduplication_window"
    } else {
        "non_replicated_deduplication_window"
    }
}

/// Why a table that exists does not take what will be inserted, and what mends
/// it. `inserted` is what the INSERT brings.
pub(crate) fn misfit(
    table: &TableSpec,
    inserted: &[ServerColumn],
    existing: &Existing,
) -> Option<String> {
    let name = qualified(table);
    for column in inserted {
        let Some(there) = existing.columns.iter().find(|there| there.name == column.name) else {
            return Some(format!(
                "column `{}` is missing; run ALTER TABLE {name} ADD COLUMN {} {}",
                column.name,
                Ident(&column.name),
                column.column_type
            ));
        };
        if !fits(&column.column_type, &there.column_type) {
            return Some(format!(
                "column `{}` is {} and the source document writes {}, which it cannot hold; write the same type in \
                 both, or run ALTER TABLE {name} MODIFY COLUMN {} {}",
                column.name,
                there.column_type,
                column.column_type,
                Ident(&column.name),
                column.column_type
            ));
        }
    }
    let setting = window_setting(&existing.engine);
    match existing.window {
        Some(0) if is_merge_tree(&existing.engine) => Some(format!(
            "it remembers no tokens, so a repeated chunk would be there twice; run ALTER TABLE {name} MODIFY SETTING \
             {setting} = {}",
            table.deduplication_window.max(1)
        )),
        _ => None,
    }
}

/// Whether every value of the written type is one of the table's type, or is
/// refused loudly. Types that we do not know are the server's to judge.
fn fits(written: &str, there: &str) -> bool {
    if written == there {
        return true;
    }
    let (Ok(written), Ok(there)) = (ColumnType::parse(written), ColumnType::parse(there)) else {
        return true;
    };
    // NULL into a column without NULL is refused by the server, row and all.
    holds(written.bare(), there.bare())
}

fn holds(written: &ColumnType, there: &ColumnType) -> bool {
    use ColumnType::{
        Array, BFloat16, Date, Date32, DateTime, DateTime64, Decimal, Enum, FixedString, Float,
        Int, Map, String, Time, Time64, Tuple, UInt,
    };
    match (written, there) {
        (Int(from), Int(to)) | (UInt(from), UInt(to)) => from <= to,
        (Float(from), Float(to)) => from <= to,
        (UInt(from), Int(to)) => from < to,
        // Whole numbers up to 2^24 and 2^53 are exact in a float.
        (Int(from) | UInt(from), Float(to)) => from * 2 <= u16::from(*to),
        (BFloat16, Float(_)) => true,
        (Time, Time | Time64(_)) => true,
        (Time64(from), Time64(to)) => from <= to,
        (Decimal(precision, scale), Decimal(to_precision, to_scale)) => {
            scale <= to_scale && precision - scale <= to_precision - to_scale
        }
        (Date, Date32) | (DateTime(_), DateTime(_) | DateTime64(..)) => true,
        (DateTime64(from, _), DateTime64(to, _)) => from <= to,
        // The server lists the values in their order, whatever the document does.
        (Enum(bits, values), Enum(to_bits, known)) => {
            bits <= to_bits && values.iter().all(|value| known.contains(value))
        }
        (Enum(..), String) | (String, Enum(..) | FixedString(_)) => true,
        (Array(from), Array(to)) => holds_nested(from, to),
        (Map(key, value), Map(to_key, to_value)) => {
            holds_nested(key, to_key) && holds_nested(value, to_value)
        }
        (Tuple(from), Tuple(to)) => {
            from.len() == to.len()
                && from
                    .iter()
                    .zip(to)
                    .all(|((name, from), (to_name, to))| name == to_name && holds_nested(from, to))
        }
        (from, to) => from == to,
    }
}

fn holds_nested(written: &ColumnType, there: &ColumnType) -> bool {
    holds(written.bare(), there.bare())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::document::Create;
    use rstest::rstest;

    fn table() -> TableSpec {
        let column = |name: &str, text: &str| OutputColumn {
            name: name.into(),
            column_type: ColumnType::parse(text).expect("a type"),
        };
        TableSpec {
            database: "landing".into(),
            name: "od`d".into(),
            columns: vec![column("a b", "Nullable(Int32)"), column("kind", "Enum8('it\\'s' = 1)")],
            select: None,
            engine: "ReplacingMergeTree(a)".into(),
            partition_by: Some("toYYYYMM(at)".into()),
            order_by: vec!["a".into(), "lower(kind)".into()],
            ttl: Some("at + INTERVAL 1 YEAR".into()),
            create: Create::Auto,
            deduplication_window: 7,
        }
    }

    #[test]
    fn a_table_is_created_as_the_document_says() {
        let spec = table();
        assert_eq!(
            create_table(&spec, &server_columns(&spec.columns)).expect("valid"),
            "CREATE TABLE IF NOT EXISTS `landing`.`od\\`d` (\n    `a b` Nullable(Int32),\n    `kind` Enum8('it\\'s' = \
             1)\n)\nENGINE = ReplacingMergeTree(a)\nPARTITION BY toYYYYMM(at)\nORDER BY (a, lower(kind))\nTTL at + \
             INTERVAL 1 YEAR\nSETTINGS non_replicated_deduplication_window = 7"
        );
        let spec = TableSpec { engine: "ReplicatedMergeTree".into(), order_by: vec![], ..table() };
        let sql = create_table(&spec, &server_columns(&spec.columns)).expect("valid");
        assert!(
            sql.contains("ORDER BY tuple()")
                && sql.ends_with(
                    "SETTINGS replicated_deduplication_window = 7, replicated_deduplication_window_seconds = 604800"
                ),
            "{sql}"
        );
        let spec = TableSpec { ttl: Some("x; DROP TABLE y".into()), ..table() };
        assert!(create_table(&spec, &server_columns(&spec.columns)).is_err());
    }

    #[test]
    fn ordinals_are_compressed_by_their_bits() {
        let column = |column_type: &str| ServerColumn {
            name: "_row".into(),
            column_type: column_type.into(),
        };
        let sql = |engine: &str, column_type| {
            let spec = TableSpec { engine: engine.into(), ..table() };
            create_table(&spec, &[column(column_type)]).expect("valid")
        };
        assert!(sql("MergeTree", "UInt64").contains("`_row` UInt64 CODEC(T64, LZ4)\n"));
        // A select may make another column of that name, and other engines take no codec.
        assert!(!sql("MergeTree", "String").contains("CODEC"));
        assert!(!sql("Memory", "UInt64").contains("CODEC"));
    }

    #[rstest]
    #[case("LowCardinality(UInt32)", true)]
    #[case("Array(LowCardinality(Nullable(Date)))", true)]
    #[case("Map(LowCardinality(String), LowCardinality(FixedString(2)))", false)]
    #[case("UInt32", false)]
    fn dictionaries_of_numbers_are_meant(#[case] column_type: &str, #[case] expected: bool) {
        assert_eq!(is_suspicious(column_type), expected);
    }

    #[rstest]
    #[case("Int32", "Int64", true)]
    #[case("Int64", "Int32", false)]
    #[case("UInt32", "Int64", true)]
    #[case("UInt64", "Int64", false)]
    #[case("Int32", "Float64", true)]
    #[case("Int64", "Float64", false)]
    #[case("Float64", "Int64", false)]
    #[case("Float64", "Float32", false)]
    #[case("Decimal(9, 2)", "Decimal(18, 4)", true)]
    #[case("Decimal(18, 4)", "Decimal(18, 2)", false)]
    #[case("String", "LowCardinality(Nullable(String))", true)]
    #[case("Nullable(String)", "String", true)]
    #[case("DateTime64(3)", "DateTime64(6, 'UTC')", true)]
    #[case("DateTime64(3)", "DateTime", false)]
    #[case("DateTime('UTC')", "DateTime", true)]
    #[case("Date32", "Date", false)]
    #[case("String", "Enum8('a' = 1)", true)]
    #[case("Enum8('a' = 1, 'b' = -2)", "Enum8('b' = -2, 'a' = 1)", true)]
    #[case("Enum8('a' = 1)", "Enum16('a' = 1, 'z' = 300)", true)]
    #[case("Enum8('a' = 1, 'b' = 2)", "Enum8('a' = 1)", false)]
    #[case("Enum8('a' = 1)", "Enum8('a' = 2, 'b' = 1)", false)]
    #[case("String", "AggregateFunction(sum, UInt64)", true)]
    #[case("String", "Int32", false)]
    #[case("Array(Int32)", "Array(Nullable(Int64))", true)]
    #[case("Tuple(a Int32)", "Tuple(b Int32)", false)]
    fn a_column_must_hold_what_is_written(
        #[case] written: &str,
        #[case] there: &str,
        #[case] expected: bool,
    ) {
        assert_eq!(fits(written, there), expected);
    }

    #[rstest]
    #[case(r#"[{"Plan":{"Node Type":"Expression","Expression":{"Actions":[{"Node Type":"FUNCTION"}]},"Plans":[{"Node Type":"ReadFromStorage"}]}}]"#, None)]
    #[case(r#"[{"Plan":{"Node Type":"CreatingSets","Plans":[{"Node Type":"ReadNothing"},{"Node Type":"Limit"}]}}]"#, None)]
    #[case(r#"[{"Plan":{"Node Type":"Expression","Expression":{"Actions":[{"Node Type":"ARRAY_JOIN"}]}}}]"#, Some("arrayJoin"))]
    #[case(
        r#"[{"Plan":{"Node Type":"Expression","Plans":[{"Node Type":"Aggregating"}]}}]"#,
        Some("Aggregating")
    )]
    #[case("[]", Some("a plan without steps"))]
    fn a_plan_must_go_row_by_row(#[case] plan: &str, #[case] expected: Option<&str>) {
        let plan = serde_json::from_str(plan).expect("JSON");
        assert_eq!(not_row_by_row(&plan).as_deref(), expected);
    }

    #[test]
    fn a_misfit_names_the_statement_that_mends_it() {
        let spec = table();
        let inserted = server_columns(&spec.columns);
        let mut existing =
            Existing { engine: "MergeTree".into(), columns: inserted.clone(), window: Some(0) };
        let problem = misfit(&spec, &inserted, &existing).expect("no window");
        assert!(problem.ends_with(
            "ALTER TABLE `landing`.`od\\`d` MODIFY SETTING non_replicated_deduplication_window = 7"
        ));
        existing.window = Some(1);
        assert_eq!(misfit(&spec, &inserted, &existing), None);
        existing.columns.remove(0);
        let problem = misfit(&spec, &inserted, &existing).expect("a column is missing");
        assert!(
            problem.ends_with("ALTER TABLE `landing`.`od\\`d` ADD COLUMN `a b` Nullable(Int32)"),
            "{problem}"
        );
    }
}
