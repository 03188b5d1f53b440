-- The same events in the order of visitors: what one of them did, and funnels over many names.
-- It lacks the long texts. A row's copies meet here as they do in `events`.
CREATE TABLE IF NOT EXISTS clickstream.events_by_user
(
    visitor_id      String,
    event_id        String,
    source          LowCardinality(String),
    type            LowCardinality(String),
    name            LowCardinality(String),
    time            DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    original_time   DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    received_at     DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    anonymous_id    String,
    user_id         String,
    session_id      String,
    group_id        String,
    path            String CODEC(ZSTD),
    host            LowCardinality(String),
    referrer_host   LowCardinality(String),
    campaign_name   LowCardinality(String),
    campaign_source LowCardinality(String),
    campaign_medium LowCardinality(String),
    device_type     LowCardinality(String),
    browser         LowCardinality(String),
    os              LowCardinality(String),
    locale          LowCardinality(String),
    country         LowCardinality(String),
    bot             Bool,
    order_id        String CODEC(ZSTD),
    product_id      String CODEC(ZSTD),
    currency        LowCardinality(String),
    revenue         Nullable(Decimal(18, 4)),
    version         UInt64 CODEC(Delta, ZSTD),

    INDEX of_time time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(received_at)
ORDER BY (visitor_id, original_time, event_id)
SETTINGS non_replicated_deduplication_window = 10000
