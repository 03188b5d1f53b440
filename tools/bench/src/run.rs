//! A run: the stack, each case by the server itself, by the function and by
//! Python, and the report.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use testkit::{Lake, Setup, start};

use crate::Options;
use crate::cases::{Case, Large, cases, narrow_and_wide, small_and_large};
use crate::meter::{Meter, peak_mb, reset_peak, say};
use crate::python::Python;
use crate::rows::{Row, Sample, median};
use crate::table::render;

/// How long the idle rate of the server is measured.
const CALIBRATION: Duration = Duration::from_secs(4);

/// Measures every case and prints the report.
pub async fn run(options: &Options) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = crate::workspace()?;
    let cache = workspace.join(".motherlode").join("cache");
    let folder = tempfile::tempdir()?;
    say("making the files");
    if let Some(times) = options.large {
        return large(options, folder.path(), times).await;
    }
    if let Some(times) = options.wide {
        return wide(options, folder.path(), times).await;
    }
    let cases = cases(options, folder.path(), &cache)?;
    ensure!(!cases.is_empty(), "no case has such a name");
    let python = if options.no_python {
        None
    } else {
        Some(Python::set_up(&cache, &root.join("src").join("baseline.py"))?)
    };
    say("starting the stack");
    let stack = start(&setup())?;
    let bench = Bench { lake: Lake::of(stack.state()).await?, python };
    bench.lake.query("ingestion", "CREATE DATABASE IF NOT EXISTS bench").await?;
    let mut rows = Vec::new();
    for case in &cases {
        let bytes = std::fs::metadata(&case.file)?.len();
        say(&format!("{}: {} rows in {:.1} MB", case.name, case.rows, bytes as f64 / 1e6));
        bench.lake.register(&case.document(!options.no_provenance)).await?;
        // The first run warms caches and connections and is not counted.
        let mut samples = Vec::new();
        for number in 0..=options.runs {
            let sample = bench.sample(case, number).await.with_context(|| case.name)?;
            say(&format!("{} run {number}: {sample:?}", case.name));
            if number > 0 {
                samples.push(sample);
            }
        }
        let row = Row::of(case.name, case.rows, &samples, bench.python.is_some());
        rows.push(row.of_file(bytes, &samples));
    }
    report(options, &rows)?;
    for row in &rows {
        ensure!(
            row.peak_rss_mb <= PEAK_MB,
            "{}: the function took {} MB, at most {PEAK_MB} are allowed",
            row.case,
            row.peak_rss_mb
        );
    }
    Ok(())
}

/// Most memory that the function may take for a file, in MB.
const PEAK_MB: f64 = 128.0;

/// Prints the table, and writes it as JSON where that is wanted.
pub fn report(options: &Options, rows: &[Row]) -> anyhow::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout().lock(), "{}", render(rows))?;
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(rows)?)?;
    }
    Ok(())
}

/// One instance with time enough for any file.
fn setup() -> Setup {
    Setup {
        concurrency: 1,
        timeout_seconds: 900,
        visibility_timeout_s: 900,
        env: [("MOTHERLODE_LEASE_SECONDS".to_owned(), "60".to_owned())].into(),
        ..Setup::new("bench")
    }
}

/// Most memory that a large object may take, in MB.
const LARGE_PEAK_MB: f64 = 192.0;
/// Most that a row of a large object may cost, against one of a small object:
/// beyond is more than noise.
const LARGE_RATIO: f64 = 1.25;

/// Loads a small and a large object of each format, and fails when a large one takes
/// more memory, or more for each row, than it may.
async fn large(options: &Options, folder: &Path, times: u64) -> anyhow::Result<()> {
    say("starting the stack");
    let stack = start(&setup())?;
    let mut bench = Bench { lake: Lake::of(stack.state()).await?, python: None };
    // The stand-in of S3 reads all of an object for each range that is asked of it.
    bench.lake.patience = Duration::from_secs(3_600);
    bench.lake.query("ingestion", "CREATE DATABASE IF NOT EXISTS bench").await?;
    let status = bench.lake.control.status().await?;
    let server = status.part("ingestion").and_then(|part| part.pid).context("no server")?;
    let mut meter = Meter::calibrate(server, CALIBRATION).await?;
    let wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    for format in ["parquet", "csv.gz", "jsonl.gz"].into_iter().filter(|name| wanted(name)) {
        say(&format!("{format}: making the files"));
        let Large { small, large, bytes } = small_and_large(options.rows, folder, format, times)?;
        for case in [&small, &large] {
            bench.lake.register(&case.document(!options.no_provenance)).await?;
        }
        let (mut once, mut many) = (Sample::default(), Sample::default());
        // The first run warms caches and connections and is not counted.
        for number in 0..2 {
            bench.ours(&small, number, &mut meter, &mut once).await?;
        }
        bench.ours(&large, 0, &mut meter, &mut many).await?;
        std::fs::remove_file(&large.file)?;
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let (gib, per_row) = (bytes as f64 / f64::from(1 << 30), |sample: &Sample, case: &Case| {
            sample.client * 1e6 / case.rows as f64
        });
        let (of_small, of_large) = (per_row(&once, &small), per_row(&many, &large));
        say(&format!(
            "{format}: {} rows, {gib:.2} GiB decoded: peak {:.0} MB (at most {LARGE_PEAK_MB}); {of_large:.2} CPU s per \
             million rows, {of_small:.2} in an object of {} rows; {:.0} s from the bucket to the ledger",
            large.rows, many.peak_mb, small.rows, many.elapsed
        ));
        ensure!(many.peak_mb <= LARGE_PEAK_MB, "the large object took {} MB", many.peak_mb);
        ensure!(
            of_large <= of_small * LARGE_RATIO,
            "a row of the large object cost {:.2} times one of the small",
            of_large / of_small
        );
    }
    Ok(())
}

/// Most that a value of a wide object may cost, against one of a narrow object.
const WIDE_RATIO: f64 = 1.25;
/// Most memory that a wide object may take, in MB.
const WIDE_PEAK_MB: f64 = 192.0;

/// Loads a narrow and a wide object of as many values, and fails when the wide
/// one takes too much memory, or more for each value than it may.
async fn wide(options: &Options, folder: &Path, times: usize) -> anyhow::Result<()> {
    let (narrow, wide) = narrow_and_wide(options, folder, times)?;
    say("starting the stack");
    let stack = start(&setup())?;
    let bench = Bench { lake: Lake::of(stack.state()).await?, python: None };
    bench.lake.query("ingestion", "CREATE DATABASE IF NOT EXISTS bench").await?;
    let status = bench.lake.control.status().await?;
    let server = status.part("ingestion").and_then(|part| part.pid).context("no server")?;
    let mut meter = Meter::calibrate(server, CALIBRATION).await?;
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for (case, samples) in [(&narrow, &mut few), (&wide, &mut many)] {
        bench.lake.register(&case.document(!options.no_provenance)).await?;
        // The first run warms caches and connections and is not counted.
        for number in 0..=options.runs {
            let mut sample = Sample::default();
            bench.ours(case, number, &mut meter, &mut sample).await?;
            if number > 0 {
                samples.push(sample);
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let per_value = |samples: &[Sample], case: &Case| {
        median(samples, |sample| sample.client) * 1e9
            / (case.rows * case.columns.len() as u64) as f64
    };
    let (of_narrow, of_wide) = (per_value(&few, &narrow), per_value(&many, &wide));
    let peak = many.iter().map(|sample| sample.peak_mb).fold(0.0, f64::max);
    say(&format!(
        "{} columns: peak {peak:.0} MB (at most {WIDE_PEAK_MB}); {of_wide:.1} CPU ns a value, {of_narrow:.1} with {} columns",
        wide.columns.len(),
        narrow.columns.len(),
    ));
    ensure!(peak <= WIDE_PEAK_MB, "the wide object took {peak} MB");
    ensure!(
        of_wide <= of_narrow * WIDE_RATIO,
        "a value of the wide object cost {:.2} times one of the narrow",
        of_wide / of_narrow
    );
    Ok(())
}

struct Bench {
    lake: Lake,
    python: Option<Python>,
}

impl Bench {
    async fn sample(&self, case: &Case, number: usize) -> anyhow::Result<Sample> {
        let status = self.lake.control.status().await?;
        let server = status.part("ingestion").and_then(|part| part.pid).context("no server")?;
        let mut meter = Meter::calibrate(server, CALIBRATION).await?;
        let mut sample = Sample::default();

        let own = format!("{}_itself_{number}", case.table());
        self.fresh(case, &own).await?;
        let insert = format!(
            "INSERT INTO bench.{own} SELECT * FROM file('{}', '{}', '{}') SETTINGS max_threads = 1, max_insert_threads = 1, min_insert_block_size_rows = 524288, min_insert_block_size_bytes = 0",
            case.file.display(),
            case.clickhouse_format,
            case.structure().replace('\'', "\\'"),
        );
        meter.start()?;
        self.lake.query("ingestion", &insert).await?;
        sample.by_itself = meter.read()?;
        self.settle(case, &own, case.rows).await?;

        self.ours(case, number, &mut meter, &mut sample).await?;

        if let Some(python) = &self.python {
            let table = format!("{}_python_{number}", case.table());
            self.fresh(case, &table).await?;
            let cluster = &self.lake.state.clusters[0];
            meter.start()?;
            let cost = tokio::task::block_in_place(|| {
                python.load(
                    case,
                    &format!("bench.{table}"),
                    &cluster.http,
                    &cluster.user,
                    &cluster.password,
                )
            })?;
            sample.python_server = meter.read()?;
            sample.python = cost.cpu_s;
            ensure!(cost.rows == case.rows, "Python read {} of {} rows", cost.rows, case.rows);
            self.settle(case, &table, case.rows).await?;
        }
        Ok(sample)
    }

    /// The function's way: a file lands in the bucket.
    async fn ours(
        &self,
        case: &Case,
        number: usize,
        meter: &mut Meter,
        sample: &mut Sample,
    ) -> anyhow::Result<()> {
        let bytes = std::fs::read(&case.file)?;
        let name = case.file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let function = self.function().await?;
        reset_peak(function)?;
        let before = crate::meter::cpu_seconds(function)?;
        meter.start()?;
        let start = std::time::Instant::now();
        let landed =
            self.lake.land(case.source, &format!("{}/{number}-{name}", case.source), bytes).await?;
        let record = self.lake.done(&landed).await?;
        sample.elapsed = start.elapsed().as_secs_f64();
        sample.server = meter.read()?;
        sample.client = crate::meter::cpu_seconds(function)? - before;
        sample.peak_mb = peak_mb(function)?;
        ensure!(
            record.counts.rows_written == case.rows,
            "{} of {} rows were written",
            record.counts.rows_written,
            case.rows
        );
        let table = case.table();
        let count = self.lake.scalar(&format!("SELECT count() FROM bench.{table}")).await?;
        ensure!(count == case.rows.to_string(), "{count} rows are in bench.{table}");
        self.lake.query("ingestion", &format!("SYSTEM STOP MERGES bench.{table}")).await?;
        self.lake.query("ingestion", &format!("TRUNCATE TABLE bench.{table}")).await?;
        Ok(())
    }

    /// The process of the one instance of the function.
    async fn function(&self) -> anyhow::Result<u32> {
        let status = self.lake.control.status().await?;
        let mother = status.function("mother").context("no function")?;
        mother.instances.first().map(|instance| instance.pid).context("no instance of mother")
    }

    async fn fresh(&self, case: &Case, table: &str) -> anyhow::Result<()> {
        self.lake.query("ingestion", &case.create(table)).await?;
        self.lake.query("ingestion", &format!("SYSTEM STOP MERGES bench.{table}")).await?;
        Ok(())
    }

    /// Checks that all rows came, and drops the table.
    async fn settle(&self, case: &Case, table: &str, rows: u64) -> anyhow::Result<()> {
        let count = self.lake.scalar(&format!("SELECT count() FROM bench.{table}")).await?;
        ensure!(count == rows.to_string(), "{}: {count} rows are in bench.{table}", case.name);
        self.lake.query("ingestion", &format!("DROP TABLE bench.{table}")).await?;
        Ok(())
    }
}
