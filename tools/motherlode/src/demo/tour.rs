//! A look around: questions to the tables with their answers, the way of one
//! row back to its file, the quarantine, and how to go on.

use std::path::{Path, PathBuf};

use warehouse::ClickHouse;
use warehouse::quarantine::{DATABASE, TABLE};

use super::platform::STACK;
use crate::failure::Advise as _;
use crate::ui::Ui;

/// Most bytes of one answer.
const MOST_BYTES: usize = 1024 * 1024;

/// Questions, and the SQL that answers them.
const QUESTIONS: &[(&str, &str)] = &[
    (
        "At what hour of the day do three million flights lose most time?",
        "SELECT toHour(date) AS hour, count() AS flights, round(avg(delay), 1) AS minutes_late,
       round(100 * countIf(delay > 60) / flights, 1) AS percent_over_an_hour
FROM demo.flights_3m GROUP BY hour HAVING flights > 1000 ORDER BY minutes_late DESC LIMIT 5",
    ),
    (
        "From where to where? (Parquet joined with CSV)",
        "SELECT o.city AS from, d.city AS to, count() AS flights, round(avg(delay), 1) AS minutes_late
FROM demo.flights_3m AS f
JOIN demo.airports AS o ON o.iata = f.origin JOIN demo.airports AS d ON d.iata = f.destination
GROUP BY from, to HAVING flights > 500 ORDER BY minutes_late DESC LIMIT 5",
    ),
    (
        "Do the JSON and the Arrow file hold the same flights?",
        "SELECT * FROM (
  SELECT 'json' AS file, count() AS flights, sum(delay) AS delays, sum(distance) AS miles, round(max(hour), 4) AS latest
  FROM demo.flights_200k_json
  UNION ALL
  SELECT 'arrow', count(), sum(delay), sum(distance), round(toFloat64(max(hour)), 4) FROM demo.flights_200k_arrow
) ORDER BY file DESC",
    ),
    (
        "What were the strongest earthquakes of the week?",
        "SELECT time, magnitude, round(depth_km) AS km_deep, felt_reports, place
FROM demo.earthquakes WHERE event_type = 'earthquake' ORDER BY magnitude DESC LIMIT 5",
    ),
    (
        "Which films before 1950 do people like best? (The file dates half of them to our century.)",
        "SELECT title, release_date, director, imdb_rating, imdb_votes
FROM demo.movies WHERE release_date < '1950-01-01' AND imdb_votes > 10000 ORDER BY imdb_rating DESC, imdb_votes DESC LIMIT 5",
    ),
    (
        "And where exactly does one of these rows come from?",
        "SELECT title, _object, _row, _config_version, _loaded_at
FROM demo.movies WHERE title = 'Gone with the Wind'",
    ),
];

/// Asks the questions and shows the quarantine.
///
/// # Errors
/// When the server does not answer.
pub async fn take(warehouse: &ClickHouse, ui: &Ui) -> anyhow::Result<()> {
    for (question, sql) in QUESTIONS {
        show(warehouse, question, sql, ui).await?;
    }
    let bad = format!(
        "SELECT source, column, substring(reason, 1, 60) AS why, count() AS rows, min(row) AS first,
       substring(replaceRegexpAll(argMin(raw, row), '\\\\s+', ' '), 1, 40) AS starts_with
FROM {DATABASE}.{TABLE} GROUP BY source, column, why ORDER BY source, rows DESC"
    );
    show(
        warehouse,
        "What could not be loaded, and why? (No row is dropped without a word.)",
        &bad,
        ui,
    )
    .await
}

/// Shows a question, its SQL and the answer.
///
/// # Errors
/// When the server does not answer.
pub async fn show(
    warehouse: &ClickHouse,
    question: &str,
    sql: &str,
    ui: &Ui,
) -> anyhow::Result<()> {
    let answer = warehouse
        .query_raw("ingestion", sql, "PrettyCompactNoEscapesMonoBlock", MOST_BYTES)
        .await
        .hint(|| format!("see `motherlode stack status --name {STACK}`"))?;
    ui.text(&format!("\n{question}\n\n{}\n\n{}", indented(sql), String::from_utf8_lossy(&answer)))
}

fn indented(sql: &str) -> String {
    sql.lines().map(|line| format!("  {line}\n")).collect::<String>().trim_end().to_owned()
}

/// What can be done with the stack that was kept.
pub fn how_to_go_on(root: &Path) -> String {
    let program = program(root);
    let own = format!("{program} --stack {STACK}");
    let commands = [
        (format!("{own} query 'SELECT count() FROM demo.flights_3m'"), "query it"),
        (format!("{own} objects"), "the ledger: what was loaded"),
        (format!("{own} quarantine list"), "the rows that were not"),
        (
            format!("{own} query 'SELECT * FROM clickstream.events_current LIMIT 3'"),
            "events of the shop's visitors",
        ),
        (format!("{program} stack status --name {STACK}"), "what runs where, and how to reach it"),
        (
            format!("{program} sources infer FILE --name mine -o mine.yaml"),
            "propose a source document for a file of yours",
        ),
        (format!("{own} sources put mine.yaml"), "register it"),
        (format!("{own} load FILE --source mine"), "put the file into S3 and follow it"),
        (format!("{program} stack down --name {STACK}"), "stop everything"),
    ];
    let width = commands.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let lines: String =
        commands.iter().map(|(command, words)| format!("\n  {command:<width$}  {words}")).collect();
    format!("\nThe stack is up. How to go on:{lines}")
}

/// How a demo is kept.
pub fn how_to_keep() -> String {
    "\nThe stack is stopped and its data removed. To query it yourself, to add files of your own, or to see a\n\
     second run find everything loaded: cargo xtask demo --keep"
        .to_owned()
}

/// This program, as it can be called from the current folder.
pub fn program(root: &Path) -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("motherlode"));
    let here = std::env::current_dir().ok();
    let short = here.and_then(|here| path.strip_prefix(here).map(PathBuf::from).ok());
    let short = short.unwrap_or(path).display().to_string();
    let is_usual =
        root == Path::new(".motherlode") || std::env::var_os("MOTHERLODE_ROOT").is_some();
    if is_usual { short } else { format!("{short} --root {}", root.display()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_go_to_tables_of_the_demo() {
        for (_, sql) in QUESTIONS {
            for table in sql.split("demo.").skip(1) {
                let name: String =
                    table.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let written = format!("database: demo\n  name: {name}\n");
                assert!(
                    demo_data::SOURCES.iter().any(|source| source.document.contains(&written)),
                    "{name}"
                );
            }
        }
    }
}
