-- Which of these files a cluster has, as they were: `motherlode migrate status` compares.
CREATE TABLE IF NOT EXISTS motherlode.migrations
(
    name       String,
    checksum   String,
    engine     LowCardinality(String),
    applied_by String,
    applied_at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (name, applied_at)
