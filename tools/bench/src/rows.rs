//! The figures of a case.

use serde::Serialize;

/// What one run of one case cost, in CPU seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    pub client: f64,
    pub server: f64,
    pub by_itself: f64,
    pub python: f64,
    pub python_server: f64,
    pub peak_mb: f64,
    /// Seconds from the object in the bucket to its end in the ledger; 0 of records.
    pub elapsed: f64,
}

/// A row of the report: CPU seconds per million rows, and ratios of medians.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub case: String,
    pub rows: u64,
    pub client_cpu_s_per_mrow: f64,
    pub server_cpu_s_per_mrow: f64,
    pub self_cpu_s_per_mrow: f64,
    /// Python's own and the server's, while it inserts.
    pub python_cpu_s_per_mrow: Option<f64>,
    pub ratio_to_clickhouse: f64,
    pub server_ratio_to_clickhouse: f64,
    pub ratio_to_python: Option<f64>,
    pub peak_rss_mb: f64,
    /// Bytes of the file as it lies in the bucket; none of records.
    pub file_mb_per_mrow: Option<f64>,
    /// From the object in the bucket to its end in the ledger, with the server on the
    /// same machine; none of records.
    pub elapsed_s_per_mrow: Option<f64>,
    pub runs: usize,
}

impl Row {
    /// The medians of the samples.
    pub fn of(case: &str, rows: u64, samples: &[Sample], with_python: bool) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^53")]
        let million = rows as f64 / 1e6;
        let median = |value: fn(&Sample) -> f64| median(samples, value);
        let (client, server) = (median(|s| s.client), median(|s| s.server));
        let by_itself = median(|s| s.by_itself);
        let python = with_python.then(|| median(|s| s.python + s.python_server));
        Self {
            case: case.to_owned(),
            rows,
            client_cpu_s_per_mrow: round(client / million),
            server_cpu_s_per_mrow: round(server / million),
            self_cpu_s_per_mrow: round(by_itself / million),
            python_cpu_s_per_mrow: python.map(|python| round(python / million)),
            ratio_to_clickhouse: round((client + server) / by_itself),
            server_ratio_to_clickhouse: round(server / by_itself),
            ratio_to_python: python.map(|python| round((client + server) / python)),
            peak_rss_mb: round(samples.iter().map(|s| s.peak_mb).fold(0.0, f64::max)),
            file_mb_per_mrow: None,
            elapsed_s_per_mrow: None,
            runs: samples.len(),
        }
    }

    /// The same, of a file of so many bytes.
    #[must_use]
    pub fn of_file(self, bytes: u64, samples: &[Sample]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let (bytes, million) = (bytes as f64, self.rows as f64 / 1e6);
        Self {
            file_mb_per_mrow: Some(round(bytes / 1e6 / million)),
            elapsed_s_per_mrow: Some(round(median(samples, |s| s.elapsed) / million)),
            ..self
        }
    }
}

/// The median of what the samples say of one thing; 0 of no samples.
pub fn median(samples: &[Sample], value: fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
