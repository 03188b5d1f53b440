-- One row an event, typed: what dashboards ask.
--
-- The order is that of funnels: a step's name, a day, a kind of device and a path are a range of
-- neighbouring rows. Everything in it is what the client said and what a second copy of the event
-- says too, so that ReplacingMergeTree finds the copies: the corrected `time` differs between them
-- by what the network took, `original_time` does not. Asked is `time`, which its index finds.
--
-- The month is that of the arrival, which we know ourselves: by `time` or `original_time`, a hundred
-- invented years in one batch would have the whole INSERT refused. Copies that arrive in different
-- months are never merged; FINAL and events_latest still show one.
CREATE TABLE IF NOT EXISTS clickstream.events
(
    event_id         String CODEC(ZSTD),
    source           LowCardinality(String),
    type             LowCardinality(String),
    -- The name of a track event; else Page, Screen, Identify, Group, Alias; '' when unreadable.
    name             LowCardinality(String),
    page_name        LowCardinality(String),

    -- By our clock; by the client's; when it came.
    time             DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    original_time    DateTime64(3, 'UTC') CODEC(Delta, ZSTD),
    received_at      DateTime64(3, 'UTC') CODEC(Delta, ZSTD),

    -- anonymous_id, or user_id where there is none.
    visitor_id       String,
    anonymous_id     String CODEC(ZSTD),
    user_id          String CODEC(ZSTD),
    session_id       String CODEC(ZSTD),
    group_id         String CODEC(ZSTD),
    previous_id      String CODEC(ZSTD),

    path             String CODEC(ZSTD),
    url              String CODEC(ZSTD),
    host             LowCardinality(String),
    search           String CODEC(ZSTD),
    title            String CODEC(ZSTD),
    referrer         String CODEC(ZSTD),
    referrer_host    LowCardinality(String),

    campaign_name    LowCardinality(String),
    campaign_source  LowCardinality(String),
    campaign_medium  LowCardinality(String),
    campaign_term    LowCardinality(String),
    campaign_content LowCardinality(String),

    device_type      LowCardinality(String),
    device_brand     LowCardinality(String),
    device_model     LowCardinality(String),
    browser          LowCardinality(String),
    browser_version  LowCardinality(String),
    os               LowCardinality(String),
    os_version       LowCardinality(String),
    screen_width     Nullable(UInt16),
    screen_height    Nullable(UInt16),
    locale           LowCardinality(String),
    timezone         LowCardinality(String),
    country          LowCardinality(String),
    ip               String CODEC(ZSTD),
    bot              Bool,
    library          LowCardinality(String),
    library_version  LowCardinality(String),

    -- Money is rounded to four decimals, for browsers count in binary fractions.
    order_id         String CODEC(ZSTD),
    product_id       String CODEC(ZSTD),
    currency         LowCardinality(String),
    revenue          Nullable(Decimal(18, 4)),
    value            Nullable(Decimal(18, 4)),
    price            Nullable(Decimal(18, 4)),
    quantity         Nullable(Decimal(18, 4)),

    -- All of them, the typed ones too, as JSON text.
    properties       String CODEC(ZSTD(3)),
    traits           String CODEC(ZSTD(3)),

    -- What could not be read as it should: json, messageId, timestamp, receivedAt, revenue, …
    problems         Array(LowCardinality(String)),

    -- Where the raw event is; the latest copy of an event replaces the others.
    _topic           LowCardinality(String),
    _partition       Int32,
    _offset          Int64,
    version          UInt64 CODEC(Delta, ZSTD),

    INDEX of_time time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(received_at)
ORDER BY (name, toDate(original_time), device_type, path, original_time, event_id)
SETTINGS non_replicated_deduplication_window = 10000
