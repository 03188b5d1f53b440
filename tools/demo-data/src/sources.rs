//! The list itself.

use crate::{Content, Oracle, Packing};

/// One source of the demo.
#[derive(Debug, Clone, Copy)]
pub struct DemoSource {
    /// Name of the source.
    pub name: &'static str,
    /// Its source document, `infra/sources/NAME.yaml`.
    pub document: &'static str,
    /// What goes to S3.
    pub objects: &'static [DemoObject],
    /// What ClickHouse itself reads.
    pub oracle: Oracle,
    /// What becomes of the rows of all its objects.
    pub rows: Rows,
}

/// One object of the demo.
#[derive(Debug, Clone, Copy)]
pub struct DemoObject {
    /// The original file in the package.
    pub file: &'static str,
    /// The key it gets in the bucket [`crate::BUCKET`].
    pub key: &'static str,
    /// What of the file the object holds.
    pub content: Content,
    /// How it is compressed.
    pub packing: Packing,
}

/// What becomes of the rows of a source; the words are those of `model::Counts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// Rows in the objects.
    pub read: u64,
    /// Rows that a step drops.
    pub filtered: u64,
    /// Rows that go to the quarantine.
    pub quarantined: u64,
    /// Rows in the table.
    pub inserted: u64,
}

const fn rows(read: u64, filtered: u64, quarantined: u64, inserted: u64) -> Rows {
    Rows { read, filtered, quarantined, inserted }
}

/// A source with its document and its oracle, which lie in files of its name.
macro_rules! source {
    ($name:literal, $rows:expr, $file:literal as $format:literal, [$($object:expr),+ $(,)?]) => {
        DemoSource {
            name: $name,
            document: include_str!(concat!("../../../infra/sources/", $name, ".yaml")),
            objects: &[$($object),+],
            oracle: Oracle { file: $file, format: $format, select: include_str!(concat!("../oracles/", $name, ".sql")) },
            rows: $rows,
        }
    };
}

const fn object(
    file: &'static str,
    key: &'static str,
    content: Content,
    packing: Packing,
) -> DemoObject {
    DemoObject { file, key, content, packing }
}

/// Every source of the demo, the largest first.
pub const SOURCES: &[DemoSource] = &[
    source!(
        "flights-3m",
        rows(3_000_000, 0, 0, 3_000_000),
        "flights-3m.parquet" as "Parquet",
        [
            object("flights-3m.parquet", "flights/flights-3m.parquet", Content::Whole, Packing::None),
        ]
    ),
    source!(
        "flights-200k-json",
        rows(200_000, 0, 0, 200_000),
        "flights-200k.json" as "JSONEachRow",
        [
            object("flights-200k.json", "flights/flights-200k.json.gz", Content::Whole, Packing::Gzip),
        ]
    ),
    source!(
        "flights-200k-arrow",
        rows(200_000, 0, 0, 200_000),
        "flights-200k.arrow" as "Arrow",
        [
            object("flights-200k.arrow", "flights/flights-200k.arrow", Content::Whole, Packing::None),
        ]
    ),
    source!(
        "movies",
        rows(3_201, 0, 0, 3_201),
        "movies.json" as "JSONEachRow",
        [
            object("movies.json", "movies/movies.json", Content::Whole, Packing::None),
        ]
    ),
    source!(
        "earthquakes",
        rows(1_707, 0, 0, 1_707),
        "earthquakes.json" as "JSONEachRow",
        [
            object("earthquakes.json", "earthquakes/all-week.geojson.gz", Content::Whole, Packing::Gzip),
        ]
    ),
    source!(
        "airports",
        rows(3_376, 0, 0, 3_376),
        "airports.csv" as "CSVWithNames",
        [
            object("airports.csv", "airports/airports.csv.gz", Content::Whole, Packing::Gzip),
        ]
    ),
    source!(
        "zipcodes",
        rows(42_049, 0, 0, 42_049),
        "zipcodes.csv" as "CSVWithNames",
        [
            object("zipcodes.csv", "zipcodes/zipcodes.csv.gz", Content::Whole, Packing::GzipMembers(7)),
        ]
    ),
    source!(
        "unemployment",
        rows(3_218, 0, 0, 3_218),
        "unemployment.tsv" as "TSVWithNames",
        [
            object("unemployment.tsv", "unemployment/unemployment.tsv.gz", Content::Whole, Packing::Gzip),
        ]
    ),
    source!(
        "birdstrikes",
        rows(10_000, 0, 15, 9_985),
        "birdstrikes.csv" as "CSVWithNames",
        [
            object("birdstrikes.csv", "birdstrikes/birdstrikes.csv.bz2", Content::Whole, Packing::Bzip2),
        ]
    ),
    source!(
        "weather",
        rows(2_922, 0, 0, 2_922),
        "weather.csv" as "CSVWithNames",
        [
            object("seattle-weather.csv", "weather/city=seattle/2012-2015.csv", Content::Whole, Packing::None),
            object("weather.csv", "weather/city=new-york/2012-2015.csv.gz", Content::RowsOf("New York"), Packing::Gzip),
        ]
    ),
    source!(
        "stocks",
        rows(560, 0, 0, 560),
        "stocks.csv" as "CSVWithNames",
        [
            object("stocks.csv", "stocks/stocks.csv.zst", Content::Whole, Packing::Zstd),
        ]
    ),
    source!(
        "sp500",
        rows(5_105, 0, 0, 5_105),
        "sp500-2000.csv" as "CSVWithNames",
        [
            object("sp500-2000.csv", "indices/sp500-2000.csv.gz", Content::Whole, Packing::Gzip),
        ]
    ),
    source!(
        "github",
        rows(955, 0, 0, 955),
        "github.csv" as "CSVWithNames",
        [
            object("github.csv", "github/github.csv", Content::Whole, Packing::None),
        ]
    ),
    source!(
        "penguins",
        rows(344, 0, 1, 343),
        "penguins.json" as "JSONEachRow",
        [
            object("penguins.json", "penguins/penguins.json", Content::Whole, Packing::None),
        ]
    ),
    source!(
        "cars",
        rows(406, 0, 0, 406),
        "cars.json" as "JSONEachRow",
        [
            object("cars.json", "cars/cars.jsonl.zst", Content::Lines, Packing::Zstd),
        ]
    ),
    source!(
        "la-riots",
        rows(63, 0, 0, 63),
        "la-riots.csv" as "CSVWithNames",
        [
            object("la-riots.csv", "la-riots/la-riots.csv", Content::Whole, Packing::None),
        ]
    ),
    source!(
        "football",
        rows(6_508, 4, 0, 6_504),
        "football.json" as "JSONEachRow",
        [
            object("football.json", "football/football.json.gz", Content::Whole, Packing::Gzip),
        ]
    ),
    source!(
        "disasters",
        rows(803, 117, 0, 686),
        "disasters.csv" as "CSVWithNames",
        [
            object("disasters.csv", "disasters/disasters.csv.bz2", Content::Whole, Packing::Bzip2),
        ]
    ),
    source!(
        "volcano",
        rows(1, 0, 0, 5_307),
        "volcano.json" as "JSONEachRow",
        [
            object("volcano.json", "volcano/maunga-whau.jsonl", Content::OneLine, Packing::None),
        ]
    ),
];
