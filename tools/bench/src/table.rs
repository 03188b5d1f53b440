//! The report as a person reads it.

use crate::rows::Row;

/// Goals of a case: total against ClickHouse by itself, the server's share,
/// total against Python, peak memory in MB.
fn goals(case: &str) -> Option<[f64; 4]> {
    match case {
        "parquet" | "flights-3m.parquet" => Some([1.15, 0.85, 0.6, 128.0]),
        "csv.gz" => Some([0.65, 0.33, 0.45, 128.0]),
        "jsonl.gz" => Some([0.55, 0.28, 0.35, 128.0]),
        // The issue names one goal for the total, and none for the rest.
        "sink, raw and view" | "sink, typed columns" => {
            Some([0.6, f64::INFINITY, f64::INFINITY, 128.0])
        }
        _ => None,
    }
}

/// The table, with the goals beside the figures.
pub fn render(rows: &[Row]) -> String {
    let mut text = format!(
        "CPU seconds per million rows\n\n{:<20} {:>8} {:>8} {:>8} {:>8} {:>16} {:>16} {:>16} {:>14}\n",
        "case",
        "ours",
        "server",
        "itself",
        "python",
        "total/itself",
        "server/itself",
        "total/python",
        "peak MB"
    );
    for row in rows {
        let goals = goals(&row.case);
        let beside = |value: Option<f64>, goal: usize| match (value, goals) {
            (None, _) => "-".to_owned(),
            (Some(value), None) => format!("{value:.2}"),
            (Some(value), Some(goals)) if goals[goal].is_infinite() => format!("{value:.2}"),
            (Some(value), Some(goals)) => {
                let mark = if value <= goals[goal] { "✓" } else { "✗" };
                format!("{value:.2} ≤ {} {mark}", goals[goal])
            }
        };
        text.push_str(&format!(
            "{:<20} {:>8.3} {:>8.3} {:>8.3} {:>8} {:>16} {:>16} {:>16} {:>14}\n",
            row.case,
            row.client_cpu_s_per_mrow,
            row.server_cpu_s_per_mrow,
            row.self_cpu_s_per_mrow,
            row.python_cpu_s_per_mrow.map_or("-".to_owned(), |value| format!("{value:.3}")),
            beside(Some(row.ratio_to_clickhouse), 0),
            beside(Some(row.server_ratio_to_clickhouse), 1),
            beside(row.ratio_to_python, 2),
            beside(Some(row.peak_rss_mb), 3),
        ));
    }
    text
}
