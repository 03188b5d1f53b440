-- From `events`, not from the raw events: JSON is read once.
CREATE MATERIALIZED VIEW IF NOT EXISTS clickstream.events_by_user_view TO clickstream.events_by_user AS
SELECT
    visitor_id, event_id, source, type, name, time, original_time, received_at, anonymous_id, user_id, session_id, group_id,
    path, host, referrer_host, campaign_name, campaign_source, campaign_medium, device_type, browser, os, locale, country,
    bot, order_id, product_id, currency, revenue, version
FROM clickstream.events
