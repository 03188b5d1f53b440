-- Objects whose columns were not those of their source document, and what was done.
CREATE TABLE IF NOT EXISTS motherlode.drift
(
    source         LowCardinality(String),
    kind           LowCardinality(String),
    field          String,
    action         LowCardinality(String),
    column         String,
    column_type    String,
    bucket         LowCardinality(String),
    key            String,
    etag           String,
    row            Nullable(UInt64),
    config_version UInt64,
    at             DateTime64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (source, at)
SETTINGS non_replicated_deduplication_window = 10000
