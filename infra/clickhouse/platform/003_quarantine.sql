-- The rows and records that could not be written, each with its place, the reason and its bytes.
-- The functions make this table themselves where it is missing, for one node.
CREATE TABLE IF NOT EXISTS motherlode.quarantine
(
    source         LowCardinality(String),
    bucket         LowCardinality(String),
    key            String,
    etag           String,
    object         String,
    row            UInt64,
    column         LowCardinality(String),
    column_type    LowCardinality(String),
    reason         String,
    raw            String,
    config_version UInt64,
    token          String,
    at             DateTime64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (source, at, object, row)
SETTINGS non_replicated_deduplication_window = 10000
