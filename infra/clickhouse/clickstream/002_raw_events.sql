-- Every record of the topic as it came, once: what everything else here can be made of again.
--
-- A partition is a day: what has expired goes as whole parts (ttl_only_drop_parts), which costs
-- nothing, and the disk holds the TTL and one day. The records of one INSERT are of one day, or of
-- two around midnight. A month would keep expired rows up to a month longer or rewrite parts for
-- them. A batch with records of more than a thousand days is refused and holds its topic's
-- partition: what a producer may write as `_timestamp` is the topic's to limit
-- (message.timestamp.before.max.ms).
CREATE TABLE IF NOT EXISTS clickstream.raw_events
(
    event           String CODEC(ZSTD),
    _topic          LowCardinality(String),
    _partition      Int32,
    _offset         Int64,
    _key            String,
    _timestamp      DateTime64(3, 'UTC'),
    _headers        Map(String, String),
    _config_version UInt32,
    _loaded_at      DateTime64(3, 'UTC')
)
ENGINE = MergeTree
PARTITION BY toDate(_timestamp)
ORDER BY (_topic, _partition, _offset)
TTL toDateTime(_timestamp) + INTERVAL 90 DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
