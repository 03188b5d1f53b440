-- What is known of each session, kept up to date by every INSERT.
--
-- An AggregatingMergeTree fed by a view rather than a refreshable view: facts are there at once, and
-- cost what is new, not the whole table every few minutes. A second copy of an event must not count
-- twice, so every state here is one that does not change by taking the same event again: minima and
-- maxima, sets of ids, a map from order to revenue. Sums and counts would.
--
-- Ask the view `sessions`: a session that spans an INSERT or midnight has several rows here. The
-- day is that of the arrival, for the same reason as the month of `events`.
CREATE TABLE IF NOT EXISTS clickstream.session_facts
(
    received_on     Date,
    visitor_id      String,
    session_id      String,
    started_at      SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
    ended_at        SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
    user_id         SimpleAggregateFunction(max, String),
    source          AggregateFunction(argMin, String, DateTime64(3, 'UTC')),
    landing_path    AggregateFunction(argMin, String, DateTime64(3, 'UTC')),
    exit_path       AggregateFunction(argMax, String, DateTime64(3, 'UTC')),
    referrer_host   AggregateFunction(argMin, String, DateTime64(3, 'UTC')),
    campaign_source AggregateFunction(argMin, String, DateTime64(3, 'UTC')),
    campaign_medium AggregateFunction(argMin, String, DateTime64(3, 'UTC')),
    campaign_name   AggregateFunction(argMin, String, DateTime64(3, 'UTC')),
    device_type     AggregateFunction(argMin, String, DateTime64(3, 'UTC')),
    country         AggregateFunction(argMin, String, DateTime64(3, 'UTC')),
    bot             SimpleAggregateFunction(max, Bool),
    events          AggregateFunction(uniqExact, String),
    pages           AggregateFunction(uniqExactIf, String, UInt8),
    names           SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    -- Of Order Completed: the revenue of each order id, or event id where there is none.
    orders          SimpleAggregateFunction(maxMap, Map(String, Decimal(18, 4)))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(received_on)
ORDER BY (received_on, visitor_id, session_id)
SETTINGS non_replicated_deduplication_window = 10000
